//! "Refused, and nothing was changed": everything below `work`, remembered and compared.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::run::Run;
use super::sandbox::Sandbox;

/// All files of a sandbox with their bytes, and what git says of the worktrees.
pub struct Frozen {
    files: BTreeMap<PathBuf, String>,
}

impl Frozen {
    /// Remembers everything below `work`.
    pub fn of(sandbox: &Sandbox) -> Self {
        let mut files = BTreeMap::new();
        collect(&sandbox.path(""), &mut files);
        Frozen { files }
    }

    /// Asserts that nothing below `work` is another than it was: no file, no ref, no byte of config, no
    /// directory. Objects that nothing names don't count, and neither does our own lock file.
    #[track_caller]
    pub fn assert_unchanged(&self, sandbox: &Sandbox, after: &dyn std::fmt::Display) {
        let now = Frozen::of(sandbox).files;
        let gone = self.files.iter().filter(|(path, _)| !now.contains_key(*path));
        let new = now.iter().filter(|(path, _)| !self.files.contains_key(*path));
        let other = now.iter().filter(|(path, what)| self.files.get(*path).is_some_and(|w| w != *what));
        let mut all: Vec<String> = gone.map(|(p, _)| format!("gone: {}", p.display())).collect();
        all.extend(new.map(|(p, what)| format!("new: {} {what}", p.display())));
        all.extend(other.map(|(p, what)| format!("changed: {} {what}", p.display())));
        assert!(all.is_empty(), "something was changed: {all:#?}\nby {after}");
    }
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.expect("a directory can be read to its end").path();
        let name = path.file_name().expect("an entry has a name").as_bytes();
        let in_ours = dir.ends_with("git-parallel");
        // Whatever is looked up may make these, and they say nothing.
        if name == b"objects"
            || name == b"git-parallel" && is_empty_of_ours(&path)
            || in_ours && name == b"lock"
            || in_ours && name == b"integrate" && holds_locks_only(&path)
        {
            continue;
        }
        let meta = std::fs::symlink_metadata(&path).expect("it was just listed");
        let kind = meta.file_type();
        let what = if kind.is_symlink() {
            format!("link to {}", std::fs::read_link(&path).expect("a link").display())
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            format!("{:o} {:?}", meta.permissions().mode(), String::from_utf8_lossy(&bytes))
        } else if kind.is_fifo() {
            "fifo".to_owned()
        } else {
            collect(&path, files);
            "directory".to_owned()
        };
        files.insert(path, what);
    }
}

/// Our directory with nothing in it but the lock and an empty place for intents.
fn is_empty_of_ours(dir: &Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(dir) else { return false };
    entries.all(|entry| {
        let entry = entry.expect("a directory can be read to its end");
        let name = entry.file_name();
        name == "lock"
            || name == "integrate" && holds_locks_only(&entry.path())
            || name == "intents" && std::fs::read_dir(entry.path()).is_ok_and(|mut all| all.next().is_none())
    })
}

/// The directories of integrations, none of which was ever begun.
fn holds_locks_only(dir: &Path) -> bool {
    let entries = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries(dir).all(|target| entries(&target.path()).all(|entry| entry.file_name() == "lock"))
}

impl Sandbox {
    /// Runs `git task` with arguments that it must refuse: this exit code, nothing on standard output, exactly
    /// one error which says `message`, and nothing changed anywhere.
    #[track_caller]
    pub fn refuses(
        &self,
        dir: impl AsRef<Path>,
        args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
        code: i32,
        message: &str,
    ) -> Run {
        let before = Frozen::of(self);
        let run = self.task(dir, args).fails(code).prints("").says(message);
        run.assert_one_error();
        before.assert_unchanged(self, &run);
        run
    }
}

impl Run {
    /// Asserts that standard error has exactly one line that says error or fatal, and no hint without the key
    /// that turns it off.
    #[track_caller]
    pub fn assert_one_error(&self) {
        let errors = self.stderr.lines().filter(|l| l.starts_with("error:") || l.starts_with("fatal:"));
        assert!(errors.count() == 1, "expected one error\n{self}");
        let mut hints = self.stderr.lines().filter(|l| l.starts_with("hint:")).peekable();
        if hints.peek().is_some() {
            let last = hints.last().expect("there is one");
            let named =
                ["advice.task", "advice.pool", "advice.integrate"].iter().any(|key| last.contains(key));
            assert!(named, "a hint ends by naming its key\n{self}");
        }
    }
}
