//! Everything that touches git: gix reads, git itself writes whatever has hooks, filters, drivers, signing or
//! submodules behind it.

pub mod changes;
pub mod compose;
pub mod diff;
pub mod forecast;
pub mod forks;
pub mod graph;
pub mod index_header;
pub mod landed;
pub mod merge_beside;
pub mod moved;
pub mod process;
pub mod refs;
pub mod rerere;
pub mod scratch;
pub mod snapshot;
pub mod status;
mod steady;
pub mod stopped_merge;
pub mod submodules;
pub mod switch;
#[cfg(test)]
pub(crate) mod testing;
pub mod unmerged;
pub mod worktree;
pub mod written;

use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::error::{Failure, OrFatal, Result};
use crate::paths::is_no_place;
use process::{Cmd, Git};

/// The repository that a command works on, seen from where the user is.
pub struct Repo {
    gix: gix::ThreadSafeRepository,
    git: Git,
    git_dir: PathBuf,
    common_dir: PathBuf,
    workdir: Option<PathBuf>,
    main_worktree: Option<PathBuf>,
    files_backend: bool,
    clone: Option<PathBuf>,
    temp_dir: PathBuf,
}

impl Repo {
    /// Finds the repository as git does: `GIT_DIR`, else upwards from the current directory.
    ///
    /// # Errors
    /// In git's words: no repository, one that another user owns, or a format too new.
    pub fn discover(context: &Context) -> Result<Self> {
        match open(context)? {
            Ok(gix) => Self::new(gix, context),
            // git knows best how to say what is wrong with a repository.
            Err(error) => {
                Git::discovering(&context.cwd).cmd(["rev-parse", "--git-dir"]).run()?;
                Err(Failure::from(error))
            }
        }
    }

    /// The repository, if there is one that is ours to read. Nobody hears why not, and no process is started.
    pub fn find(context: &Context) -> Option<Self> {
        let gix = open(context).ok()?.ok()?;
        let is_trusted = gix.to_thread_local().git_dir_trust() == gix::sec::Trust::Full;
        if is_trusted { Self::new(gix, context).ok() } else { None }
    }

    fn new(gix: gix::ThreadSafeRepository, context: &Context) -> Result<Self> {
        let local = gix.to_thread_local();
        let absolute = |path: &Path| real_path(&context.cwd.join(path));
        let git_dir = absolute(local.git_dir())?;
        let common_dir = absolute(local.common_dir())?;
        let workdir = local.workdir().map(absolute).transpose()?;
        let dir = workdir.clone().unwrap_or_else(|| git_dir.clone());
        let git = Git::with_git_dir(dir, &git_dir);
        if local.git_dir_trust() != gix::sec::Trust::Full {
            // Dubious ownership: git's own message and advice are the best there are.
            Git::discovering(&context.cwd).cmd(["rev-parse", "--git-dir"]).run()?;
        }
        let config = local.config_snapshot();
        let files_backend =
            config.string("extensions.refStorage").is_none_or(|v| v.eq_ignore_ascii_case(b"files"));
        let bare = config.boolean("core.bare").unwrap_or(false);
        let main_worktree = if git_dir == common_dir {
            workdir.clone()
        } else if bare {
            None
        } else if let Some(configured) = config.string("core.worktree") {
            Some(absolute(&common_dir.join(crate::paths::path_from(&configured)))?)
        } else {
            match common_dir.file_name() {
                Some(name) if name == ".git" => common_dir.parent().map(Path::to_owned),
                _ => None,
            }
        };
        let temp_dir = context.temp_dir.clone();
        Ok(Repo {
            gix,
            git,
            git_dir,
            common_dir,
            workdir,
            main_worktree,
            files_backend,
            clone: None,
            temp_dir,
        })
    }

    /// The repository that this one borrows its objects from, as `git clone --shared` makes it. It knows which
    /// clone the user is in.
    pub fn lender(&self, context: &Context) -> Option<Self> {
        let alternates = std::fs::read(self.common_dir.join("objects/info/alternates")).ok()?;
        let objects = crate::paths::path_from(alternates.lines().next()?);
        let git_dir = objects.parent().filter(|dir| dir.is_absolute())?;
        let is_trusted =
            gix::sec::Trust::from_path_ownership(git_dir).is_ok_and(|t| t == gix::sec::Trust::Full);
        if !is_trusted {
            return None;
        }
        let options = self.gix.to_thread_local().open_options().clone();
        let gix = gix::ThreadSafeRepository::open_opts(git_dir, options).ok()?;
        Some(Repo { clone: self.main_worktree.clone(), ..Self::new(gix, context).ok()? })
    }

    /// Whether there is a clone at a path that borrows objects from this repository. Another repository is none, and
    /// what a link leads to isn't at that path.
    ///
    /// # Errors
    /// If there may be one that can't be looked at now.
    pub fn has_lent_to(&self, path: &Path) -> std::io::Result<bool> {
        /// Longer than any list of them.
        const LIMIT: u64 = 1 << 20;
        let look = || -> std::io::Result<bool> {
            let git_dir = path.join(".git");
            for dir in [path, git_dir.as_path()] {
                if !std::fs::symlink_metadata(dir)?.is_dir() {
                    return Ok(false);
                }
            }
            let ours = self.common_dir.join("objects").canonicalize()?;
            let objects = git_dir.join("objects");
            let alternates = crate::bounded::read(&objects.join("info/alternates"), LIMIT)?;
            let mut places = alternates.lines().map(|line| objects.join(crate::paths::path_from(line)));
            Ok(places.any(|place| place.canonicalize().is_ok_and(|place| place == ours)))
        };
        match look() {
            // What has no number comes not from the system: it is no regular file, or far too long.
            Err(e) if is_no_place(&e) || e.raw_os_error().is_none() => Ok(false),
            looked => looked,
        }
    }

    /// The clone that the user is in, if this is its [lender](Repo::lender).
    pub fn clone_dir(&self) -> Option<&Path> {
        self.clone.as_deref()
    }

    /// Where temporary files go if the repository can't be written to.
    pub fn temp_dir(&self) -> &Path {
        &self.temp_dir
    }

    /// A handle for reading objects, references and configuration in this thread.
    pub fn gix(&self) -> gix::Repository {
        let mut repo = self.gix.to_thread_local();
        // Its paths lead through the administrative directory of the worktree that the user is in, and that may
        // be what we have just removed: then it would find no references any more, and no error either.
        if !self.git_dir.exists()
            && crate::context::leave_removed_directory(self.home())
            && let Ok(home) =
                gix::ThreadSafeRepository::open_opts(&self.common_dir, repo.open_options().clone())
        {
            repo = home.to_thread_local();
        }
        repo.object_cache_size_if_unset(4 << 20);
        repo
    }

    /// Runs git where the user is, at the top of his worktree.
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// A git command at the top of the user's worktree; at home if that was removed.
    pub fn cmd<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, args: I) -> Cmd {
        if self.git_dir.exists() { self.git.cmd(args) } else { self.at_home().cmd(args) }
    }

    /// Runs git in the main worktree, or in a bare repository: for work on a worktree that may be the one the
    /// user is in.
    pub fn at_home(&self) -> Git {
        Git::with_git_dir(self.home(), &self.common_dir)
    }

    /// What all worktrees share: `$GIT_COMMON_DIR`, absolute.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// This worktree's own git directory, absolute.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The top of the worktree the user is in, if any.
    pub fn workdir(&self) -> Option<&Path> {
        self.workdir.as_deref()
    }

    /// The main worktree, unless the repository is bare.
    pub fn main_worktree(&self) -> Option<&Path> {
        self.main_worktree.as_deref()
    }

    /// The directory that relative worktree paths start from, and where team commands run: the main worktree,
    /// or a bare repository itself.
    pub fn home(&self) -> &Path {
        self.main_worktree().unwrap_or(&self.common_dir)
    }

    /// Our own directory in the repository: lock, intents, archive.
    pub fn state_dir(&self) -> PathBuf {
        self.common_dir.join("git-parallel")
    }

    /// Whether references are files that gix reads; otherwise git reads them for us.
    pub fn has_files_backend(&self) -> bool {
        self.files_backend
    }

    /// The name of the repository for `{repo}` in templates: that of its main worktree; of a bare
    /// repository without `.git`, and where that is hidden (`.bare`), its parent's.
    pub fn name(&self) -> String {
        let home = self.home();
        let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
        match name(home) {
            Some(n) if n.starts_with('.') => home.parent().and_then(name).unwrap_or(n),
            Some(n) => n.strip_suffix(".git").map(str::to_owned).unwrap_or(n),
            None => "repository".to_owned(),
        }
    }

    /// The commit that a revision names, tags peeled.
    ///
    /// # Errors
    /// If it names none, as git: "not a valid object name".
    pub fn require_commit(&self, rev: &str) -> Result<ObjectId> {
        self.find_commit(rev)?.ok_or_else(|| {
            Failure::fatal(format!(
                "not a valid object name: '{}'",
                crate::text::escape_controls(rev.as_bytes())
            ))
        })
    }

    /// The commit that a revision names, if it names one.
    ///
    /// # Errors
    /// If git can't be asked.
    pub fn find_commit(&self, rev: &str) -> Result<Option<ObjectId>> {
        if rev.starts_with('-') || rev.is_empty() || rev.contains(['\n', '\0']) {
            return Ok(None);
        }
        // Peeled afterwards: after `:/text` a `^{commit}` would be part of the text.
        let output = self.cmd(["rev-parse", "--verify", "-q", "--end-of-options"]).arg(rev).output()?;
        if !output.status.success() {
            return Ok(None);
        }
        let id = parse_id(output.stdout.trim())?;
        let gix = self.gix();
        let commit = gix.find_object(id).ok().and_then(|object| object.peel_to_commit().ok());
        Ok(commit.map(|commit| commit.id))
    }
}

/// Looks for the repository from the current directory upwards, or where `GIT_DIR` says.
///
/// # Errors
/// The outer one if `git -c` was handed down in a form that makes no sense.
fn open(context: &Context) -> Result<Result<gix::ThreadSafeRepository, anyhow::Error>> {
    let overrides = match &context.config_parameters {
        Some(text) => parse_config_parameters(text.as_encoded_bytes())?,
        None => Vec::new(),
    };
    let options = |level| {
        use gix::sec::trust::DefaultForLevel;
        gix::open::Options::default_for_level(level).cli_overrides(overrides.iter().cloned())
    };
    let trust = gix::sec::trust::Mapping {
        full: options(gix::sec::Trust::Full),
        reduced: options(gix::sec::Trust::Reduced),
    };
    let found = gix::ThreadSafeRepository::discover_with_environment_overrides_opts(
        &context.cwd,
        gix::discover::upwards::Options { match_ceiling_dir_or_error: false, ..Default::default() },
        trust,
    );
    Ok(found.map_err(anyhow::Error::new))
}

/// No variables: the type that [`process::shell`] and [`process::program`] need said.
pub fn no_vars() -> std::iter::Empty<(&'static str, &'static str)> {
    std::iter::empty()
}

/// An object id as git prints it.
///
/// # Errors
/// If it is none.
pub fn parse_id(hex: &[u8]) -> Result<ObjectId> {
    ObjectId::from_hex(hex).or_fatal(|| format!("bad object name '{}'", String::from_utf8_lossy(hex)))
}

/// The path without symbolic links, as `git worktree list` shows it.
///
/// # Errors
/// If it doesn't exist.
pub fn real_path(path: &Path) -> Result<PathBuf> {
    path.canonicalize().or_fatal(|| format!("cannot resolve '{}'", path.display()))
}

/// `GIT_CONFIG_PARAMETERS` as `key=value` lines. git writes `'key'='value'`, older ones `'key=value'`; see
/// `git_config_parse_parameter` in git's config.c.
fn parse_config_parameters(text: &[u8]) -> Result<Vec<BString>> {
    let bogus = || Failure::fatal("bogus format in GIT_CONFIG_PARAMETERS");
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (mut entry, after) = unquote(rest).ok_or_else(bogus)?;
        rest = after;
        if let Some(after_equals) = rest.strip_prefix(b"=") {
            entry.push(b'=');
            rest = after_equals;
            // `'key'=` alone is a key without a value.
            if rest.starts_with(b"'") {
                let (value, after) = unquote(rest).ok_or_else(bogus)?;
                entry.extend_from_slice(&value);
                rest = after;
            } else {
                entry.pop();
            }
        }
        out.push(BString::from(entry));
        rest = rest.trim_start();
    }
    Ok(out)
}

/// One word in single quotes as git's sq_quote makes it: `'\''` and `'\!'` inside.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"'")?;
    let mut word = Vec::new();
    loop {
        let end = rest.find_byte(b'\'')?;
        word.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        match rest {
            [b'\\', escaped @ (b'\'' | b'!'), b'\'', after @ ..] => {
                word.push(*escaped);
                rest = after;
            }
            _ => return Some((word, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_parameters_come_in_two_forms() {
        let parse = |text: &str| parse_config_parameters(text.as_bytes()).unwrap();
        assert_eq!(parse("'a.b'='c d' 'e.f=g'"), ["a.b=c d", "e.f=g"]);
        assert_eq!(parse(r"'a.b'='it'\''s'\!''"), ["a.b=it's!"]);
        assert_eq!(parse("'a.b'= 'c.d'"), ["a.b", "c.d"]);
        assert!(parse_config_parameters(b"'a").is_err());
    }
}
