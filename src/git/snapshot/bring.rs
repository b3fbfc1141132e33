//! From a clone to the repository that it borrows from.

use std::fs;
use std::path::Path;

use gix::ObjectId;

use super::place::command;
use crate::error::{OrFatal, Result};
use crate::git::Repo;
use crate::git::process::Git;

/// Brings a snapshot that was taken in a clone, with all that it holds, into the repository: its objects, and
/// the large files that its Git LFS keeps, which no object holds. Nothing refers to them yet.
///
/// # Errors
/// If git can't fetch or a file can't be copied: then the clone must stay.
pub fn bring(repo: &Repo, clone: &Path, commit: ObjectId) -> Result<()> {
    // Ours, whatever the user asks of strangers.
    const CONFIG: [&str; 6] = [
        "-c",
        "protocol.file.allow=always",
        "-c",
        "fetch.fsckObjects=false",
        "-c",
        "transfer.fsckObjects=false",
    ];
    const FETCH: [&str; 6] = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--no-recurse-submodules",
    ];
    // git fetches references only, so there is one for the moment.
    let git = Git::at(clone);
    let name = format!("refs/task-snapshot/{commit}");
    command(&git, ["update-ref", &name, &commit.to_string()]).run()?;
    let cmd = command(&repo.at_home(), CONFIG.into_iter().chain(FETCH));
    let fetched = cmd.arg(clone).arg(&name).run();
    command(&git, ["update-ref", "-d", &name]).run()?;
    fetched?;
    adopt(&clone.join(".git/lfs/objects"), &repo.common_dir().join("lfs/objects"))
}

/// Brings files that are not there yet. Their names are sums of their content.
fn adopt(from: &Path, to: &Path) -> Result<()> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).or_fatal(|| format!("could not open directory '{}'", from.display())),
    };
    for entry in entries {
        let entry = entry.or_fatal(|| format!("could not read directory '{}'", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let failed = || format!("could not copy '{}'", source.display());
        if entry.file_type().or_fatal(failed)?.is_dir() {
            adopt(&source, &target)?;
        } else if !target.exists() {
            fs::create_dir_all(to).or_fatal(failed)?;
            if fs::hard_link(&source, &target).is_err() && !target.exists() {
                // Under another name until it is whole.
                let half = to.join(format!("{}.tmp-{}", entry.file_name().display(), std::process::id()));
                fs::copy(&source, &half).and_then(|_| fs::rename(&half, &target)).or_fatal(failed)?;
            }
        }
    }
    Ok(())
}
