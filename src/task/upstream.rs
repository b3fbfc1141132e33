//! The upstream of a new branch: what `git branch --track` would configure. git's own writers of
//! `branch.<name>.*` give up when config.lock is taken, so it is written with the rest of the metadata.

use super::Desk;
use crate::config::AutoSetupMerge;
use crate::error::Result;
use crate::git::refs::short_name;

/// What `branch.<name>.*` will say.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `branch.<name>.remote`
    pub remote: String,
    /// `branch.<name>.merge`
    pub merge: String,
    /// `branch.<name>.rebase` is true.
    pub rebase: bool,
}

/// The upstream of the new branch `own` that starts at the branch `full`, by `branch.autoSetupMerge` and
/// `branch.autoSetupRebase`.
///
/// # Errors
/// If the configuration can't be read.
pub fn of_new_branch(desk: &Desk<'_>, own: &str, full: &str) -> Result<Option<Upstream>> {
    let (rebase_remote, rebase_local) = desk.settings.auto_setup_rebase;
    let local = || {
        full.starts_with("refs/heads/").then(|| Upstream {
            remote: ".".into(),
            merge: full.to_owned(),
            rebase: rebase_local,
        })
    };
    match desk.settings.auto_setup_merge {
        AutoSetupMerge::Never => Ok(None),
        AutoSetupMerge::Always if full.starts_with("refs/heads/") => Ok(local()),
        AutoSetupMerge::Always | AutoSetupMerge::Remote => remote_upstream(desk, full, rebase_remote),
        AutoSetupMerge::Simple => {
            let found = remote_upstream(desk, full, rebase_remote)?;
            Ok(found.filter(|u| u.merge == format!("refs/heads/{own}")))
        }
        AutoSetupMerge::Inherit => {
            let gix = desk.repo.gix();
            let config = gix.config_snapshot();
            let of = |key: &str| {
                config.string(format!("branch.{}.{key}", short_name(full)).as_str()).map(|v| v.to_string())
            };
            Ok(match (of("remote"), of("merge")) {
                (Some(remote), Some(merge)) => Some(Upstream { remote, merge, rebase: rebase_remote }),
                _ => None,
            })
        }
    }
}

/// The remote and the branch there that a remote-tracking branch stands for, by the fetch refspecs.
fn remote_upstream(desk: &Desk<'_>, full: &str, rebase: bool) -> Result<Option<Upstream>> {
    if !full.starts_with("refs/remotes/") {
        return Ok(None);
    }
    let gix = desk.repo.gix();
    let config = gix.config_snapshot();
    for section in config.plumbing().sections_by_name("remote").into_iter().flatten() {
        let Some(remote) = section.header().subsection_name() else { continue };
        for spec in section.body().values("fetch") {
            let spec = spec.to_string();
            let Some((from, to)) = spec.trim_start_matches('+').split_once(':') else { continue };
            let merge = match (from.split_once('*'), to.split_once('*')) {
                (Some((from_start, from_end)), Some((to_start, to_end))) => full
                    .strip_prefix(to_start)
                    .and_then(|rest| rest.strip_suffix(to_end))
                    .map(|middle| format!("{from_start}{middle}{from_end}")),
                _ => (to == full).then(|| from.to_owned()),
            };
            if let Some(merge) = merge {
                return Ok(Some(Upstream { remote: remote.to_string(), merge, rebase }));
            }
        }
    }
    Ok(None)
}
