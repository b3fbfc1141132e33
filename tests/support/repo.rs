//! Repositories: made, filled, published, disturbed and checked.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;

use super::run::Run;
use super::sandbox::Sandbox;

impl Sandbox {
    /// A repository `repo` on branch `main` with one commit. Returns its worktree.
    #[track_caller]
    pub fn init(&self) -> PathBuf {
        self.init_with("repo", &[])
    }

    /// The same under another name and with further options of `git init`.
    #[track_caller]
    pub fn init_with(&self, name: &str, options: &[&str]) -> PathBuf {
        let dir = self.init_empty(name, options);
        self.commit(&dir, "README", "A repository for tests.\n", "Begin");
        dir
    }

    /// A repository without a commit.
    #[track_caller]
    pub fn init_empty(&self, name: &str, options: &[&str]) -> PathBuf {
        let dir = self.path(name);
        std::fs::create_dir_all(&dir).expect("the sandbox takes directories");
        self.git(&dir, ["init", "--quiet", "--initial-branch=main"].iter().chain(options)).ok();
        dir
    }

    /// Writes a file, making its directories.
    #[track_caller]
    pub fn write(&self, dir: impl AsRef<Path>, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let file = dir.as_ref().join(path);
        std::fs::create_dir_all(file.parent().expect("a file has a parent")).expect("its directory");
        std::fs::write(file, content).expect("the file can be written");
    }

    /// Commits one file, a minute after the commit before. Returns the new commit.
    #[track_caller]
    pub fn commit(
        &self,
        dir: impl AsRef<Path>,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
        message: &str,
    ) -> String {
        let (dir, path) = (dir.as_ref(), path.as_ref());
        self.write(dir, path, content);
        Run::of(self.git_command(dir, ["add", "--force", "--"]).arg(path), b"").ok();
        let date = self.tick();
        let mut commit = self.git_command(dir, ["commit", "--quiet", "--message", message, "--"]);
        commit.arg(path).env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        Run::of(&mut commit, b"").ok();
        self.commit_id(dir, "HEAD")
    }

    /// The commit that a revision names.
    #[track_caller]
    pub fn commit_id(&self, dir: impl AsRef<Path>, revision: &str) -> String {
        let revision = format!("{revision}^{{commit}}");
        self.git(dir, ["rev-parse", "--verify", &revision]).ok().line().to_owned()
    }

    /// Every ref with what it names, one a line, sorted by name: for "nothing was changed".
    #[track_caller]
    pub fn refs(&self, dir: impl AsRef<Path>) -> String {
        self.git(dir, ["for-each-ref", "--format=%(refname) %(objectname)"]).ok().stdout
    }

    /// A repository with `count` small files, a hundred in a directory, in one commit.
    #[track_caller]
    pub fn init_large(&self, name: &str, count: usize) -> PathBuf {
        let dir = self.init_empty(name, &[]);
        let mut stream = Vec::new();
        let message = format!("Add {count} files");
        let head = format!(
            "commit refs/heads/main\ncommitter C O Mitter <committer@example.com> {}\ndata {}\n{message}\n",
            self.tick(),
            message.len()
        );
        stream.extend_from_slice(head.as_bytes());
        for i in 0..count {
            let content = format!("file {i}\n");
            let name = format!("dir{:04}/file{i:06}.txt", i / 100);
            let entry = format!("M 100644 inline {name}\ndata {}\n{content}\n", content.len());
            stream.extend_from_slice(entry.as_bytes());
        }
        Run::of(&mut self.git_command(&dir, ["fast-import", "--quiet"]), &stream).ok();
        self.git(&dir, ["reset", "--quiet", "--hard"]).ok();
        dir
    }

    /// Publishes a repository: a bare clone beside it becomes its `origin`.
    #[track_caller]
    pub fn publish(&self, dir: impl AsRef<Path>) -> Remote<'_> {
        let dir = dir.as_ref();
        let name = dir.file_name().expect("a repository has a name").to_string_lossy().into_owned();
        let bare = self.path(format!("{name}-origin.git"));
        self.git(self.path(""), [Path::new("clone"), Path::new("--quiet"), Path::new("--bare"), dir, &bare])
            .ok();
        let mut add = self.git_command(dir, ["remote", "add", "-f", "origin"]);
        Run::of(add.arg(&bare), b"").ok();
        Remote { sandbox: self, bare }
    }
}

/// A published repository that others push to.
pub struct Remote<'a> {
    sandbox: &'a Sandbox,
    /// The bare repository.
    pub bare: PathBuf,
}

impl Remote<'_> {
    /// Somebody else commits a file on `branch`, which is made from `main` if it is new. Returns
    /// the commit.
    #[track_caller]
    pub fn commit(&self, branch: &str, path: &str, content: &str, message: &str) -> String {
        let sandbox = self.sandbox;
        let other = tempfile::tempdir_in(sandbox.path("")).expect("a directory for a clone");
        let mut clone = sandbox.git_command(sandbox.path(""), ["clone", "--quiet", "--no-local"]);
        Run::of(clone.arg(&self.bare).arg(other.path()), b"").ok();
        let known = sandbox.git(other.path(), ["switch", "--quiet", branch]).code == 0;
        if !known {
            sandbox.git(other.path(), ["switch", "--quiet", "--create", branch]).ok();
        }
        let commit_id = sandbox.commit(other.path(), path, content, message);
        sandbox.git(other.path(), ["push", "--quiet", "origin", branch]).ok();
        commit_id
    }
}

/// Does the same `count` times at once: all threads wait for one another before they begin.
pub fn at_once<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let (barrier, work) = (&barrier, &work);
        let start = |i| {
            scope.spawn(move || {
                barrier.wait();
                work(i)
            })
        };
        let threads: Vec<_> = (0..count).map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

/// Another program that writes git config without end, until it is dropped. Its own writes may
/// fail, for git does not wait for `config.lock`; ours may not.
pub struct ForeignConfigWriter {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl ForeignConfigWriter {
    /// Starts it, and waits for its first write.
    #[track_caller]
    pub fn start(sandbox: &Sandbox, dir: impl AsRef<Path>) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut command = sandbox.git_command(dir, ["config", "foreign.writer", "0"]);
        Run::of(&mut command, b"").ok();
        let thread = std::thread::spawn({
            let (stop, written) = (stop.clone(), written.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    if Run::of(&mut command, b"").code == 0 {
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        ForeignConfigWriter { stop, written, thread: Some(thread) }
    }

    /// How many of its writes went through so far.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for ForeignConfigWriter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, must not become a second one here.
            let _ = thread.join();
        }
    }
}

/// Asserts that `git fsck` is content and that nothing is left lying about: no lock of git's, no
/// temporary file of ours.
#[track_caller]
pub fn assert_sound(sandbox: &Sandbox, dir: impl AsRef<Path>) {
    let dir = dir.as_ref();
    sandbox.git(dir, ["fsck", "--full", "--strict", "--no-dangling", "--no-progress"]).ok();
    let git_dir = sandbox.git(dir, ["rev-parse", "--path-format=absolute", "--git-common-dir"]).ok().path();
    let left = leftovers(&git_dir);
    assert!(left.is_empty(), "left behind in {}: {left:#?}", git_dir.display());
}

/// What should not be in a repository while nothing runs.
pub fn leftovers(git_dir: &Path) -> Vec<PathBuf> {
    let ours = git_dir.join("git-parallel");
    let mut found = Vec::new();
    let mut dirs = vec![git_dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        let entries = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        for entry in entries {
            let entry = entry.expect("a directory can be read to its end");
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.as_bytes();
            let temporary = name.starts_with(b".") || name.windows(3).any(|w| w == b"tmp");
            // A branch may be called x.lock neither by git nor by us, so no ref is meant here.
            if name.ends_with(b".lock") || (temporary && path.starts_with(&ours) && path != ours) {
                found.push(path.clone());
            }
            if entry.file_type().expect("the entry has a type").is_dir() {
                dirs.push(path);
            }
        }
    }
    found.sort();
    found
}
