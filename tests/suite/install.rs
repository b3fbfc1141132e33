//! `install-man` and `install-completions`: files where the programs that want them look.

use std::path::{Path, PathBuf};

use git_parallel::commands::install::PAGES;

use crate::support::*;

/// The files that a run says it has written or removed.
fn named(run: &Run) -> Vec<PathBuf> {
    run.stdout.lines().map(Into::into).collect()
}

#[test]
fn completions_come_and_go() {
    let mut sandbox = Sandbox::new();
    let outside = sandbox.path("");
    let run = sandbox.task(&outside, ["install-completions"]).ok();
    let files = named(&run);
    assert_eq!(files.len(), 10, "three programs, three shells, and fish's bridge\n{run}");
    for (name, path) in [
        ("git-task.bash", "home/.local/share/bash-completion/completions/git-task"),
        ("git-pool.fish", "home/.config/fish/completions/git-pool.fish"),
        ("git-parallel.fish", "home/.config/fish/conf.d/git-parallel.fish"),
        ("_git-integrate", "share/zsh/site-functions/_git-integrate"),
    ] {
        let path = sandbox.root().join(path);
        assert!(files.contains(&path), "{run}");
        let kept = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name));
        assert_eq!(std::fs::read(&path).unwrap(), kept.unwrap(), "{name}");
    }
    run.says("fpath=('").says("completes 'git task'");
    // Again is no mistake, and quiet is quiet.
    let again = sandbox.task(&outside, ["install-completions", "-q"]).ok();
    assert_eq!((named(&again), again.stderr.as_str()), (files.clone(), ""));
    let removed = sandbox.task(&outside, ["install-completions", "--uninstall"]).ok();
    let (mut removed, mut expected) = (named(&removed), files);
    removed.sort();
    expected.sort();
    assert_eq!(removed, expected);
    assert!(expected.iter().all(|f| !f.exists()));
    sandbox.task(&outside, ["install-completions", "--uninstall"]).ok().prints("");
    // What is somebody else's stays.
    let foreign = &expected[0];
    std::fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    std::fs::write(foreign, "mine").unwrap();
    sandbox.task(&outside, ["install-completions"]).fails(128).prints("").says("is not one of ours");
    sandbox.task(&outside, ["install-completions", "--uninstall"]).ok().prints("");
    assert_eq!(std::fs::read(foreign).unwrap(), b"mine");
    for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        sandbox.set(name, "");
    }
    sandbox.task(&outside, ["install-completions"]).fails(128).says("HOME is not set");
}

#[test]
fn without_a_place_beside_the_program_zsh_gets_one_at_home() {
    let sandbox = Sandbox::new();
    // A file in the way is as good as a directory that can't be written, also for root.
    std::fs::write(sandbox.root().join("share"), "").unwrap();
    let run = sandbox.task(sandbox.path(""), ["install-completions"]).ok();
    let dir = sandbox.home().join(".local/share/zsh/site-functions");
    assert!(named(&run).contains(&dir.join("_git-task")), "{run}");
    run.says(&format!("fpath=('{}' $fpath)", dir.display()));
}

#[test]
fn a_shell_gets_its_file_on_standard_output() {
    let sandbox = Sandbox::new();
    for (shell, sign) in [("bash", "complete -o"), ("zsh", "#compdef git-task"), ("fish", "conf.d")] {
        let run = sandbox.task(sandbox.path(""), ["completion", shell]).ok();
        assert!(run.stdout.contains(sign), "{run}");
    }
    sandbox
        .task(sandbox.path(""), ["completion", "tcsh"])
        .fails(129)
        .says("`tcsh' is not one of bash, zsh, fish");
}

/// Where each page of the manual belongs below a directory.
fn pages_below(dir: &Path) -> Vec<PathBuf> {
    let place = |&(name, _): &(&str, &str)| {
        let section = name.rsplit('.').next().unwrap();
        dir.join(format!("man{section}")).join(name)
    };
    PAGES.iter().map(place).collect()
}

#[test]
fn git_finds_the_manual() {
    if !need("man") {
        return;
    }
    let mut sandbox = Sandbox::new();
    let outside = sandbox.path("");
    sandbox.set("MANPAGER", "cat").set("PAGER", "cat");
    sandbox.git(&outside, ["help", "task"]).fails(16);
    let run = sandbox.task(&outside, ["install-man"]).ok().does_not_say("MANPATH");
    let files = pages_below(&sandbox.root().join("share/man"));
    assert_eq!(named(&run), files);
    for section in ["man1", "man5", "man7"] {
        assert!(files.iter().any(|file| file.parent().unwrap().ends_with(section)), "{section}");
    }
    for (args, sign) in [
        (&["help", "task"][..], "git-task - "),
        (&["task", "--help"], "git-task - "),
        (&["pool", "--help"], "git-pool - "),
        (&["integrate", "--help"], "git-integrate - "),
        (&["help", "git-task-add"], "git-task-add - "),
        (&["help", "git-pool-claim"], "git-pool-claim - "),
        // An alias shows the page that it leads to.
        (&["help", "git-task-unlock"], "git-task-lock, git-task-unlock - "),
        (&["help", "git-parallel"], "git-parallel - "),
        // What a command says of itself stays as it was, and names its page.
        (&["task", "add", "--help"], "See 'git help git-task-add' for the manual"),
    ] {
        let run = sandbox.git(&outside, args).ok();
        assert!(run.stdout.contains(sign), "{run}");
    }
    for (args, sign) in [
        (&["git-parallel"][..], "git-parallel - "),
        (&["7", "git-parallel"], "git-parallel - "),
        (&["git-parallel-config"], "git-parallel-config - "),
        (&["5", "git-parallel-config"], "git-parallel-config - "),
        (&["git-task-block"], "git-task-ready, git-task-block, git-task-reopen - "),
    ] {
        let run = sandbox.run(&outside, "man", args).ok();
        assert!(run.stdout.contains(sign), "{run}");
    }
    let removed = sandbox.task(&outside, ["install-man", "--uninstall"]).ok();
    assert_eq!(named(&removed), files);
    assert!(files.iter().all(|file| !file.exists()));
    sandbox.git(&outside, ["help", "git-task-add"]).fails(16);
    // Elsewhere, it says what man must be told.
    let elsewhere = outside.join("my man");
    let run = sandbox.task(&outside, ["install-man", "my man"]).ok();
    assert_eq!(named(&run), pages_below(&elsewhere));
    run.says(&format!("MANPATH=\"{}:$MANPATH\"", elsewhere.display()));
    sandbox.set("MANPATH", format!("{}:", elsewhere.display()));
    // Who names one section means them all.
    let run = sandbox.task(&outside, ["install-man", "my man/man1"]).ok().does_not_say("MANPATH");
    assert_eq!(named(&run), pages_below(&elsewhere));
    sandbox.git(&outside, ["help", "task"]).ok();
    std::fs::write(elsewhere.join("man7/git-parallel.7"), "mine").unwrap();
    sandbox.task(&outside, ["install-man", "my man"]).fails(128).prints("").says("is not one of ours");
}

#[test]
fn pages_of_another_version_go_too() {
    let sandbox = Sandbox::new();
    let outside = sandbox.path("");
    let man1 = sandbox.root().join("share/man/man1");
    sandbox.task(&outside, ["install-man"]).ok();
    let old = man1.join("git-task-frobnicate.1");
    let foreign = ["git-task-mine.1", "git-standup.1"].map(|name| man1.join(name));
    let text = std::fs::read(man1.join("git-task.1")).unwrap();
    let write_old = || std::fs::write(&old, &text).unwrap();
    write_old();
    std::fs::write(&foreign[0], ".TH mine 1\n").unwrap();
    // Ours by its text, and not by its name.
    std::fs::write(&foreign[1], &text).unwrap();
    let run = sandbox.task(&outside, ["install-man"]).ok().says("git-task-frobnicate.1");
    assert!(!old.exists() && !named(&run).contains(&old), "{run}");
    write_old();
    let removed = named(&sandbox.task(&outside, ["install-man", "--uninstall"]).ok());
    assert!(removed.contains(&old) && removed.len() == PAGES.len() + 1, "{removed:?}");
    let left: Vec<_> = std::fs::read_dir(&man1).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(foreign.iter().all(|file| left.contains(file)), "{left:?}");
}
