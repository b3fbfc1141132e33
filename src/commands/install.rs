//! `git task install-man` and `git task install-completions`: files for programs that look for them in
//! places of their own. They need no repository.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::completion::{self, FISH_BRIDGE, PROGRAMS, Shell};
use crate::context::Context;
use crate::error::{EXIT_DONE, Failure, OrFatal, Result};
use crate::git::{no_vars, process};
use crate::paths::{path_bytes, path_from};
use crate::store::atomic;
use crate::ui::Ui;

/// The manual, a page for each program.
const PAGES: &[(&str, &str)] = &[
    ("git-task.1", include_str!("../../man/git-task.1")),
    ("git-pool.1", include_str!("../../man/git-pool.1")),
    ("git-integrate.1", include_str!("../../man/git-integrate.1")),
];

/// What no page of somebody else's contains.
const PAGE_MARK: &str = "\"git-parallel";

/// Put the manual pages where man finds them
#[derive(ClapArgs, Debug)]
pub struct ManArgs {
    /// A directory of the manual such as ~/.local/share/man [default: share/man beside the program's bin]
    #[arg(value_name = "dir")]
    pub dir: Option<PathBuf>,
    /// Take them away again
    #[arg(long)]
    pub uninstall: bool,
}

/// Put the completion files where bash, zsh and fish find them
#[derive(ClapArgs, Debug)]
pub struct CompletionsArgs {
    /// Take them away again
    #[arg(long)]
    pub uninstall: bool,
}

/// `git task install-man`
///
/// # Errors
/// If a page can't be written, or a file of somebody else's is in its place.
pub fn man(context: &Context, ui: &Ui, args: &ManArgs) -> Result<u8> {
    let dir = match &args.dir {
        Some(dir) => context.cwd.join(dir),
        None => prefix(context)?.join("share/man"),
    };
    let named_section = dir.file_name().is_some_and(|name| name == "man1");
    let section = if named_section { dir } else { dir.join("man1") };
    let files: Vec<File> =
        PAGES.iter().map(|(name, text)| File { path: section.join(name), text: (*text).into() }).collect();
    if args.uninstall {
        return remove(ui, &files, PAGE_MARK);
    }
    write(ui, &files, PAGE_MARK)
        .map_err(|e| e.hint("taskInstall", "Name another directory: 'git task install-man <dir>'."))?;
    if !man_finds(context, &files[0].path) {
        let root = section.parent().unwrap_or(&section).display().to_string();
        ui.note(&format!(
            "man does not look there by itself. It does with this in your shell's startup file:\n    \
             export MANPATH=\"{root}:$MANPATH\""
        ));
    }
    Ok(EXIT_DONE)
}

/// Whether `man git-task` shows this file.
fn man_finds(context: &Context, page: &Path) -> bool {
    let args: Vec<OsString> = vec!["-w".into(), "git-task".into()];
    let Ok(output) = process::program("man".as_ref(), &args, &context.cwd, no_vars()).output() else {
        return false;
    };
    let found = output.stdout.split(|&b| b == b'\n').next().unwrap_or_default();
    same_file(&path_from(found), page)
}

/// `git task install-completions`
///
/// # Errors
/// If a file can't be written, or one of somebody else's is in its place.
pub fn completions(context: &Context, ui: &Ui, args: &CompletionsArgs) -> Result<u8> {
    let homeless = || Failure::fatal("cannot tell where your files are: HOME is not set");
    let data = context.data_home.as_ref().ok_or_else(homeless)?;
    let config = context.config_home.as_ref().ok_or_else(homeless)?;
    let in_dir = |shell: Shell, dir: &Path| -> Vec<File> {
        let file = |&(program, about): &(&str, &str)| {
            // bash-completion looks for the name of the command alone.
            let name = shell.file_name(program);
            let name = name.strip_suffix(".bash").unwrap_or(&name);
            File { path: dir.join(name), text: shell.script(program, about) }
        };
        PROGRAMS.iter().map(file).collect()
    };
    let mut files = in_dir(Shell::Bash, &data.join("bash-completion/completions"));
    files.extend(in_dir(Shell::Fish, &config.join("fish/completions")));
    files.push(File { path: config.join("fish/conf.d/git-parallel.fish"), text: FISH_BRIDGE.into() });
    // zsh has no place for a user's own; beside the program is where packages put theirs.
    let own = data.join("zsh/site-functions");
    let in_bin = context.bin_dir("git-task").ok().filter(|bin| bin.ends_with("bin"));
    let shared = in_bin.map(|bin| bin.with_file_name("share/zsh/site-functions"));
    if args.uninstall {
        files.extend(in_dir(Shell::Zsh, &own));
        files.extend(shared.iter().flat_map(|dir| in_dir(Shell::Zsh, dir)));
        return remove(ui, &files, completion::MARK);
    }
    let zsh_dir = shared.filter(|dir| is_writable(dir)).unwrap_or(own);
    files.extend(in_dir(Shell::Zsh, &zsh_dir));
    write(ui, &files, completion::MARK)?;
    if !zsh_looks_in(context, &zsh_dir) {
        ui.note(&format!(
            "zsh does not look there by itself. It does with this in ~/.zshrc, before compinit is called:\n    \
             fpath=('{}' $fpath)",
            zsh_dir.display()
        ));
    }
    ui.note("A shell that is started from now on completes 'git task', 'git pool' and 'git integrate'.");
    Ok(EXIT_DONE)
}

/// Whether zsh has the directory on its path for functions without being told.
fn zsh_looks_in(context: &Context, dir: &Path) -> bool {
    let args: Vec<OsString> = vec!["-f".into(), "-c".into(), "print -rl -- $fpath".into()];
    let output = process::program("zsh".as_ref(), &args, &context.cwd, no_vars()).output();
    output.is_ok_and(|o| o.stdout.split(|&b| b == b'\n').any(|line| same_file(&path_from(line), dir)))
}

/// What the directory of this program lies in: `/usr/local` for `/usr/local/bin/git-task`.
fn prefix(context: &Context) -> Result<PathBuf> {
    let bin = context.bin_dir("git-task").or_fatal(|| "cannot tell where this program is")?;
    Ok(bin.parent().unwrap_or(&bin).to_owned())
}

/// A file to be.
struct File {
    path: PathBuf,
    text: String,
}

/// Writes the files and prints their names; nothing if one of them is somebody else's.
fn write(ui: &Ui, files: &[File], mark: &str) -> Result<()> {
    for File { path, .. } in files {
        if path.symlink_metadata().is_ok() && !is_ours(path, mark) {
            let message = format!("'{}' exists and is not one of ours", path.display());
            return Err(Failure::fatal(message));
        }
    }
    for File { path, text } in files {
        atomic::write(path, text.as_bytes())?;
        ui.line(path_bytes(path)).or_fatal(|| "could not write to standard output")?;
    }
    Ok(())
}

/// Removes those of the files that are there and ours, and prints their names.
fn remove(ui: &Ui, files: &[File], mark: &str) -> Result<u8> {
    for File { path, .. } in files {
        if !is_ours(path, mark) {
            continue;
        }
        std::fs::remove_file(path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
        ui.line(path_bytes(path)).or_fatal(|| "could not write to standard output")?;
    }
    Ok(EXIT_DONE)
}

fn is_ours(path: &Path, mark: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(mark))
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Whether files can be made in a directory that may not exist yet.
fn is_writable(dir: &Path) -> bool {
    let probe = dir.join(format!(".git-parallel-{}", std::process::id()));
    let made = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&probe, b""));
    let _ = std::fs::remove_file(&probe);
    made.is_ok()
}
