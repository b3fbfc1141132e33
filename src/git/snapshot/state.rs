//! What a git directory says of its worktree: an operation in progress, references of its own, reflogs.

use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;

use super::place::{Content, FILE, Part, Place};
use crate::error::{OrFatal, Result};
use crate::paths::{path_bytes, path_from};

/// Directories and files below the top of a git directory that belong to its worktree. At the top it is all
/// those in capitals, except HEAD; see gitrepository-layout(5).
const STATE: &[&str] = &[
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "NOTES_MERGE_WORKTREE",
    "config.worktree",
    "info/sparse-checkout",
];

/// References that each worktree has of its own.
const PRIVATE: &[&str] = &["refs/worktree/", "refs/bisect/", "refs/rewritten/"];

/// Whether a snapshot takes the file of this name in a git directory. A restore writes no others.
pub fn is_state(name: &Path) -> bool {
    let bytes = path_bytes(name);
    let capitals = bytes.iter().all(|b| b.is_ascii_uppercase() || *b == b'_');
    capitals && !bytes.is_empty() && bytes != b"HEAD" || STATE.iter().any(|known| name.starts_with(known))
}

/// The state files by name. Only regular ones.
///
/// # Errors
/// If one can't be read.
pub fn files(git_dir: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let failed = || format!("could not open directory '{}'", git_dir.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(git_dir).or_fatal(failed)? {
        let name = PathBuf::from(entry.or_fatal(failed)?.file_name());
        if is_state(&name) {
            walk(git_dir, &name, &mut names)?;
        }
    }
    walk(git_dir, Path::new("info/sparse-checkout"), &mut names)?;
    let read = |name: PathBuf| {
        let bytes =
            fs::read(git_dir.join(&name)).or_fatal(|| format!("could not read '{}'", name.display()))?;
        Ok((name, bytes))
    };
    names.into_iter().map(read).collect()
}

/// Regular files at or below `name`.
fn walk(root: &Path, name: &Path, out: &mut Vec<PathBuf>) -> Result<()> {
    let path = root.join(name);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => out.push(name.to_owned()),
        Ok(meta) if meta.is_dir() => {
            let failed = || format!("could not open directory '{}'", path.display());
            for entry in fs::read_dir(&path).or_fatal(failed)? {
                walk(root, &name.join(entry.or_fatal(failed)?.file_name()), out)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn is_reftable(common_dir: &Path) -> bool {
    common_dir.join("refs/heads").is_file()
}

/// References that are this worktree's alone (all of them, for a clone), as lines of id and name.
///
/// # Errors
/// If git can't list them.
pub fn references(place: &Place, git_dir: &Path, common_dir: &Path, clone: bool) -> Result<Vec<u8>> {
    let format = "--format=%(objectname) %(refname)";
    if clone {
        return place.cmd(["for-each-ref", format]).poll().run();
    }
    // In files they are never packed. Elsewhere (reftable) even ORIG_HEAD and the like are no files.
    if !is_reftable(common_dir) {
        if PRIVATE.iter().all(|dir| !git_dir.join(dir).is_dir()) {
            return Ok(Vec::new());
        }
        return place.cmd(["for-each-ref", format]).args(PRIVATE).poll().run();
    }
    let all = place.cmd(["for-each-ref", "--include-root-refs", format]).poll().run()?;
    let ours = |line: &&[u8]| {
        let name = line.split_once_str(" ").map_or(&b""[..], |(_, name)| name);
        let private = PRIVATE.iter().any(|prefix| name.starts_with(prefix.as_bytes()));
        private || !name.contains(&b'/') && name != b"HEAD"
    };
    Ok(all.lines().filter(ours).flat_map(|line| [line, b"\n"].concat()).collect())
}

/// The reflogs of HEAD and of the branch (all of them, for a clone) by the name of the reference.
///
/// # Errors
/// If one can't be read.
pub fn reflogs(
    place: &Place,
    git_dir: Option<&Path>,
    common_dir: &Path,
    branch: Option<&str>,
    clone: bool,
) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    if is_reftable(common_dir) {
        // Through git, and for the commits in them alone: they can't be written back.
        let names = git_dir.map(|_| "HEAD").into_iter().chain(branch);
        let read = |name: &str| {
            let out = place.cmd(["log", "-g", "--format=%H", name, "--"]).poll().output()?;
            Ok((PathBuf::from(name), out.stdout))
        };
        return names.map(read).collect();
    }
    let mut names = Vec::new();
    if let (true, Some(git_dir)) = (clone, git_dir) {
        walk(&git_dir.join("logs"), Path::new(""), &mut names)?;
    }
    names.extend(git_dir.filter(|_| !clone).map(|_| PathBuf::from("HEAD")));
    names.extend(branch.filter(|_| !clone).map(PathBuf::from));
    let mut found = Vec::new();
    for name in names {
        let dir = git_dir.filter(|_| name == Path::new("HEAD")).unwrap_or(common_dir);
        let file = dir.join("logs").join(&name);
        match fs::read(&file) {
            Ok(bytes) => found.push((name, bytes)),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory) => {
            }
            Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", file.display())),
        }
    }
    Ok(found)
}

/// Files by name as parts below `dir`.
pub fn parts<'a>(dir: &str, files: &'a [(PathBuf, Vec<u8>)]) -> impl Iterator<Item = Part> + 'a {
    let dir = format!("{dir}/").into_bytes();
    files
        .iter()
        .map(move |(name, bytes)| ([&dir, path_bytes(name)].concat(), FILE, Content::Bytes(bytes.clone())))
}

/// Lines of id and name, as [`references`] gives them.
pub fn lines(references: &[u8]) -> impl Iterator<Item = (&[u8], PathBuf)> {
    references.lines().filter_map(|line| line.split_once_str(" ")).map(|(id, name)| (id, path_from(name)))
}
