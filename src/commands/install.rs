//! `git task install-man` and `git task install-completions`: files for programs that look for them in
//! places of their own. They need no repository.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::completion::{self, FISH_BRIDGE, PROGRAMS, Shell};
pub use super::pages::PAGES;
use crate::context::Context;
use crate::error::{EXIT_DONE, Failure, OrFatal, Result};
use crate::git::{no_vars, process};
use crate::paths::{path_bytes, path_from};
use crate::store::atomic;
use crate::ui::Ui;

/// What no page of somebody else's contains.
const PAGE_MARK: &str = "Made from the source of git-parallel;";

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
    // Who names the directory of a section means the manual that it is in.
    let is_section = dir.file_name().is_some_and(|name| SECTIONS.iter().any(|section| name == *section));
    let root = if is_section { dir.parent().unwrap_or(&dir).to_owned() } else { dir };
    let file = |&(name, text): &(&str, &str)| File {
        path: root.join(section_of(name)).join(name),
        text: text.into(),
    };
    let files: Vec<File> = PAGES.iter().map(file).collect();
    let outdated = outdated(&root, &files)?;
    if args.uninstall {
        let all: Vec<File> = files.into_iter().chain(outdated).collect();
        return remove(ui, &all, PAGE_MARK);
    }
    write(ui, &files, PAGE_MARK)
        .map_err(|e| e.hint("taskInstall", "Name another directory: 'git task install-man <dir>'."))?;
    for File { path, .. } in &outdated {
        std::fs::remove_file(path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
        ui.note(&format!("Removed '{}', a page of another version", path.display()));
    }
    if !man_finds(context, &root.join("man1/git-task.1")) {
        ui.note(&format!(
            "man does not look there by itself. It does with this in your shell's startup file:\n    \
             export MANPATH=\"{}:$MANPATH\"",
            root.display()
        ));
    }
    Ok(EXIT_DONE)
}

/// The sections of the manual that have pages of ours.
const SECTIONS: [&str; 3] = ["man1", "man5", "man7"];

/// The directory of a page, from the digit that its name ends with.
fn section_of(name: &str) -> &'static str {
    let is_of = |section: &&&str| section.chars().last() == name.chars().last();
    SECTIONS.iter().find(is_of).expect("a page is of one of these sections")
}

/// Pages of ours that this version doesn't have.
///
/// # Errors
/// If a directory can't be read.
fn outdated(root: &Path, files: &[File]) -> Result<Vec<File>> {
    let mut found = Vec::new();
    for section in SECTIONS {
        let dir = root.join(section);
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", dir.display())),
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let may_be = ["git-task", "git-pool", "git-integrate", "git-parallel"];
            let is_known = files.iter().any(|file| file.path == path);
            if may_be.into_iter().any(|begin| name.starts_with(begin))
                && !is_known
                && is_ours(&path, PAGE_MARK)
            {
                found.push(File { path, text: String::new() });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
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
