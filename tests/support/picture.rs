//! What a worktree looks like, to say "as it was" in one line.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::sandbox::Sandbox;

/// What git says of a worktree, and every file in it.
#[derive(PartialEq, Eq)]
pub struct Picture {
    said: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl Picture {
    /// Of the worktree at `dir`. A file that git ignores is part of it only if `ignored` names it.
    #[track_caller]
    pub fn of(sandbox: &Sandbox, dir: &Path, ignored: &[&str]) -> Self {
        const QUESTIONS: &[&[&str]] = &[
            &["status", "--porcelain=v2", "--branch", "-uall"],
            &["diff", "--binary", "--no-ext-diff"],
            &["diff", "--cached", "--binary", "--no-ext-diff"],
            &["ls-files", "--stage"],
            &["ls-files", "-v"],
            &["for-each-ref", "refs/bisect", "refs/worktree", "refs/rewritten"],
            &["stash", "list"],
        ];
        let mut said = BTreeMap::new();
        for question in QUESTIONS {
            let output = sandbox.git(dir, *question);
            said.insert(question.join(" "), format!("{}{}", output.code, output.stdout));
        }
        let listed = sandbox.git(dir, ["ls-files", "-z", "--others", "--cached", "--exclude-standard"]).ok();
        let mut files = BTreeMap::new();
        let names = listed.raw_stdout.split(|b| *b == 0).filter(|n| !n.is_empty());
        for name in names.chain(ignored.iter().map(|n| n.as_bytes())) {
            let shown = String::from_utf8_lossy(&name.escape_ascii().collect::<Vec<u8>>()).into_owned();
            files.insert(shown, content(&dir.join(Path::new(std::ffi::OsStr::from_bytes(name)))));
        }
        Picture { said, files }
    }

    /// Asserts that the other is the same, and says where it isn't.
    #[track_caller]
    pub fn assert_is(&self, other: &Picture) {
        for (question, answer) in &self.said {
            assert_eq!(Some(answer), other.said.get(question), "git {question}");
        }
        assert_eq!(self.files, other.files);
    }
}

fn content(path: &Path) -> String {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return "absent".to_owned() };
    if meta.is_symlink() {
        return format!("link to {}", std::fs::read_link(path).expect("a link").display());
    }
    if meta.is_dir() {
        return "directory".to_owned();
    }
    let bytes = std::fs::read(path).unwrap_or_default();
    format!("{:o} {}", meta.permissions().mode() & 0o777, bytes.escape_ascii())
}
