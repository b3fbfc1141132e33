//! `--push`: the target goes to its remote, if that is still where it was seen.

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::journal::Push;
use crate::desk::Desk;
use crate::error::{Failure, Result};
use crate::git::refs::short_name;

/// Where the target is pushed to by its configuration, and where that was last seen.
///
/// # Errors
/// If it has no upstream, or the upstream has commits that the target lacks.
pub fn plan(desk: &Desk<'_>, target: &str, tip: ObjectId) -> Result<Push> {
    let name = short_name(target);
    let gix = desk.repo.gix();
    let config = gix.config_snapshot();
    let value = |key: &str| config.string(key).map(|v| v.to_string());
    let upstream = value(&format!("branch.{name}.remote"));
    let remote = value(&format!("branch.{name}.pushRemote"))
        .or_else(|| value("remote.pushDefault"))
        .or_else(|| upstream.clone())
        .filter(|remote| remote != ".")
        .ok_or_else(|| {
            Failure::fatal(format!("the branch '{name}' has no upstream branch"))
                .hint("integratePush", format!("Set one with 'git push --set-upstream <remote> {name}'."))
        })?;
    let merge = value(&format!("branch.{name}.merge")).filter(|_| upstream.as_ref() == Some(&remote));
    let branch = merge.unwrap_or_else(|| format!("refs/heads/{name}"));
    let seen_ref = format!("refs/remotes/{remote}/{}", short_name(&branch));
    let seen = desk.repo.find_ref(&seen_ref)?;
    if let Some(seen) = seen
        && !desk.repo.is_ancestor(seen, tip)?
    {
        let other = short_name(&seen_ref);
        return Err(Failure::fatal(format!("'{name}' is behind '{other}': it can't be pushed"))
            .hint("integratePush", format!("Bring it in first: 'git pull' in a worktree of '{name}'.")));
    }
    Ok(Push { remote, branch, seen })
}

/// Pushes, unless somebody else has pushed since it was looked at.
///
/// # Errors
/// What git says.
pub fn push(desk: &Desk<'_>, push: &Push, target: &str, new: ObjectId) -> Result<()> {
    let seen = push.seen.map(|id| id.to_string()).unwrap_or_default();
    let lease = format!("--force-with-lease={}:{seen}", push.branch);
    let what = format!("{new}:{}", push.branch);
    let cmd = desk.repo.at_home().cmd(["push", "--quiet", &lease, "--", &push.remote, &what]);
    let output = cmd.leaving_others().output()?;
    if output.status.success() {
        return Ok(());
    }
    let name = short_name(target);
    // Why it was rejected is not in git's last words.
    let said = output.stderr.lines().map(|line| line.to_str_lossy().into_owned());
    let why: Vec<_> = said.filter(|line| line.starts_with("remote: ") || line.starts_with(" ! ")).collect();
    if !why.is_empty() {
        desk.observer.warn(&why.join("; "));
    }
    Err(output.into_failure().as_item().context(format!("'{name}' has landed and was not pushed")))
}
