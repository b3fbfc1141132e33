//! `git task add`: what it makes, where it may be called from, and what it starts from.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::support::*;

/// Nothing in any worktree looks changed to git.
#[track_caller]
fn assert_clean(sandbox: &Sandbox, dirs: &[&std::path::Path]) {
    for dir in dirs {
        sandbox.git(dir, ["status", "--porcelain", "--untracked-files=all"]).ok().prints("");
    }
}

fn hook(sandbox: &Sandbox, dir: &std::path::Path, name: &str, script: &str) {
    let path = format!(".git/hooks/{name}");
    sandbox.write(dir, &path, format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(dir.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_task_has_branch_worktree_metadata_note_and_link() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let head = sandbox.commit_id(&dir, "HEAD");
    let run = sandbox.task(&dir, ["add", "login"]).ok();
    let path = sandbox.path("repo-worktrees/login");
    run.clone().prints(&format!("{}\n", path.display()));
    assert_eq!(sandbox.commit_id(&path, "HEAD"), head);
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/login\n");
    let get = |key: &str| sandbox.git(&dir, ["config", "--local", &format!("task.login.{key}")]).ok().stdout;
    assert_eq!(get("branch"), "login\n");
    assert_eq!(get("base"), "main\n");
    assert_eq!(get("start"), format!("{head}\n"));
    assert_eq!(get("state"), "open\n");
    assert_eq!(get("created"), format!("{NOW}\n"));
    let note = std::fs::read_to_string(path.join("notes/login/status.md")).unwrap();
    for part in ["# login", "## Goal", "## Assumptions", "## Blockers", "## Next steps"] {
        assert!(note.contains(part), "{note}");
    }
    let link = dir.join("notes/login/status.md");
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(link).unwrap(), note);
    assert_clean(&sandbox, &[&dir, &path]);
    assert_sound(&sandbox, &dir);
}

#[test]
fn the_shell_can_go_there() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let script =
        "cd \"$(git task add x)\" && git symbolic-ref --short HEAD && cd \"$(git task path)\" && pwd";
    let expected = format!("x\n{}\n", sandbox.path("repo-worktrees/x").display());
    sandbox.sh(&dir, script).ok().prints(&expected);
}

#[test]
fn it_works_from_everywhere() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, "sub/dir/file", "x\n", "Add a directory");
    let first = sandbox.task(dir.join("sub/dir"), ["add", "a"]).ok().path();
    assert_eq!(first, sandbox.path("repo-worktrees/a"));
    // From a linked worktree the current branch is its own.
    let tip = sandbox.commit(&first, "a", "a\n", "Work on a");
    let second = sandbox.task(&first, ["add", "b"]).ok().path();
    assert_eq!(second, sandbox.path("repo-worktrees/b"));
    assert_eq!(sandbox.commit_id(&second, "HEAD"), tip);
    sandbox.git(&dir, ["config", "task.b.base"]).ok().prints("a\n");
    let elsewhere = sandbox.path("");
    sandbox.git(&elsewhere, ["-C", "repo/sub", "task", "add", "c"]).ok();
    sandbox.git(&dir, ["config", "alias.plain", "task add"]).ok();
    sandbox.git(&dir, ["config", "alias.bang", "!git task add"]).ok();
    sandbox.git(dir.join("sub"), ["plain", "d"]).ok();
    sandbox.git(dir.join("sub"), ["bang", "e"]).ok();
    for task in ["c", "d", "e"] {
        assert!(sandbox.path(format!("repo-worktrees/{task}")).join(".git").exists(), "{task}");
        assert!(dir.join(format!("notes/{task}/status.md")).exists(), "{task}");
    }
    assert_sound(&sandbox, &dir);
}

#[test]
fn git_dir_leads_to_the_same_repository_from_anywhere() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let elsewhere = sandbox.path("elsewhere/deep");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let path = sandbox.git(&elsewhere, ["--git-dir=../../repo/.git", "task", "add", "x"]).ok().path();
    assert_eq!(path, sandbox.path("repo-worktrees/x"));
    assert!(dir.join("notes/x/status.md").exists());
    let both = ["--git-dir=../../repo/.git", "--work-tree=../../repo", "task", "add", "y"];
    assert_eq!(sandbox.git(&elsewhere, both).ok().path(), sandbox.path("repo-worktrees/y"));
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "nothing is put where the user is");
}

#[test]
fn a_hook_can_make_a_task() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let linked = sandbox.task(&dir, ["add", "outer"]).ok().path();
    // git gives a hook GIT_DIR and GIT_INDEX_FILE; "commit <path>" an index of its own besides.
    hook(&sandbox, &dir, "pre-commit", "git task add \"from-$(git symbolic-ref --short HEAD)\" >&2");
    for (at, file) in [(&dir, "one"), (&linked, "two")] {
        sandbox.commit(at, file, "x\n", "Run the hook");
    }
    for (task, base) in [("from-main", "main"), ("from-outer", "outer")] {
        let path = sandbox.path(format!("repo-worktrees/{task}"));
        assert_clean(&sandbox, &[&path]);
        sandbox.git(&dir, ["config", &format!("task.{task}.base")]).ok().prints(&format!("{base}\n"));
    }
    assert_clean(&sandbox, &[&dir, &linked]);
}

#[test]
fn a_bare_repository_has_tasks_too() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let remote = sandbox.publish(&dir);
    let path = sandbox.task(&remote.bare, ["add", "x"]).ok().path();
    assert_eq!(path, sandbox.path("repo-origin-worktrees/x"));
    assert_clean(&sandbox, &[&path]);
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.task(&path, ["ready"]).ok();
    sandbox.task(&remote.bare, ["list", "--format=%(task) %(state)"]).ok().prints("x ready\n");
    assert_sound(&sandbox, &remote.bare);
}

#[test]
fn a_hidden_bare_repository_keeps_its_worktrees_beside_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let project = sandbox.path("proj");
    std::fs::create_dir(&project).unwrap();
    sandbox.git(&project, ["clone", "--quiet", "--bare", dir.to_str().unwrap(), ".bare"]).ok();
    sandbox.write(&project, ".git", "gitdir: ./.bare\n");
    sandbox.git(&project, ["worktree", "add", "-q", "main"]).ok();
    let path = sandbox.task(&project, ["add", "x"]).ok().path();
    assert_eq!(path, project.join("proj-worktrees/x"));
    let other = sandbox.task(project.join("main"), ["add", "y"]).ok().path();
    assert_eq!(other, project.join("proj-worktrees/y"));
    sandbox
        .task(&project, ["list", "--format=%(task) %(base)"])
        .ok()
        .prints("x refs/heads/main\ny refs/heads/main\n");
    assert_clean(&sandbox, &[&path, &other, &project.join("main")]);
}

#[test]
fn odd_paths_are_paths() {
    for name in
        [&b"with space"[..], b"it's \"quoted\"", b"new\nline", b"not-\xff-utf8", b"-dash", b"$(touch pwned)"]
    {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let odd = sandbox.path(std::ffi::OsStr::from_bytes(name));
        std::fs::rename(&dir, &odd).unwrap();
        let path = sandbox.task(&odd, ["add", "x"]).ok().path();
        assert_clean(&sandbox, &[&odd, &path]);
        sandbox.commit(&path, "a", "a\n", "Work");
        sandbox.task(&path, ["note", "--goal", "All of it"]).ok();
        assert!(std::fs::read_to_string(odd.join("notes/x/status.md")).unwrap().contains("All of it"));
        sandbox.task(&path, ["ready"]).ok();
        sandbox.task(&odd, ["list", "--format=%(state) %(ahead)"]).ok().prints("ready 1\n");
        // And where only the worktree's own name is odd.
        let mut below = b"below/".to_vec();
        below.extend_from_slice(name);
        let below = std::ffi::OsStr::from_bytes(&below);
        let add = [std::ffi::OsStr::new("add"), "y".as_ref(), "--path".as_ref(), below];
        assert_eq!(sandbox.task(&odd, add).ok().path(), odd.join(below));
        sandbox.task(&odd, ["diff", "x"]).ok();
        assert_eq!(sandbox.task(&odd, ["path", "y"]).ok().path(), odd.join(below));
        assert_sound(&sandbox, &odd);
        assert!(!odd.join("pwned").exists() && !path.join("pwned").exists());
    }
}

#[test]
fn every_kind_of_repository() {
    let mut kinds = vec![vec!["--object-format=sha256"]];
    if need_git(2, 45) {
        kinds.push(vec!["--ref-format=reftable"]);
        kinds.push(vec!["--ref-format=reftable", "--object-format=sha256"]);
    }
    for options in kinds {
        let sandbox = Sandbox::new();
        let dir = sandbox.init_with("repo", &options);
        let path = sandbox.task(&dir, ["add", "x"]).ok().path();
        sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
        sandbox.commit(&path, "a", "a\n", "Work");
        sandbox.commit(&dir, "b", "b\n", "Meanwhile");
        sandbox.task(&path, ["ready"]).ok();
        let list = ["list", "--format=%(task) %(state) %(ahead) %(behind) %(branch)"];
        sandbox.task(&dir, list).ok().prints("x ready 1 1 refs/heads/x\n");
        sandbox.task(&path, ["sync"]).ok();
        sandbox.task(&dir, list).ok().prints("x open 2 0 refs/heads/x\n");
        sandbox.task(&path, ["add", "y", "--after", "x"]).ok();
        assert_clean(&sandbox, &[&dir, &path]);
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn a_shallow_clone_has_tasks() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, "a", "a\n", "More");
    let url = format!("file://{}", dir.display());
    sandbox.git(sandbox.path(""), ["clone", "-q", "--depth=1", &url, "shallow"]).ok();
    let shallow = sandbox.path("shallow");
    let path = sandbox.task(&shallow, ["add", "x"]).ok().path();
    sandbox.commit(&path, "b", "b\n", "Work");
    sandbox.task(&shallow, ["list", "--format=%(ahead) %(behind)"]).ok().prints("1 0\n");
    sandbox.task(&path, ["ready"]).ok();
    assert_sound(&sandbox, &shallow);
}

#[test]
fn submodules_are_as_git_worktree_leaves_them() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let library = sandbox.init_with("library", &[]);
    let allow = "protocol.file.allow=always";
    sandbox.git(&dir, ["-c", allow, "submodule", "--quiet", "add", library.to_str().unwrap(), "lib"]).ok();
    sandbox.git(&dir, ["commit", "-qm", "Add a library"]).ok();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    assert_eq!(std::fs::read_dir(path.join("lib")).unwrap().count(), 0);
    sandbox.git(&path, ["-c", allow, "submodule", "--quiet", "update", "--init"]).ok();
    assert!(path.join("lib/README").exists());
    assert_clean(&sandbox, &[&dir, &path]);
    sandbox.task(&dir, ["list", "--format=[%(dirty)]"]).ok().prints("[]\n");
    sandbox.write(&path, "lib/README", "changed\n");
    sandbox.task(&dir, ["list", "--format=[%(dirty)]"]).ok().prints("[1]\n");
}

#[test]
fn sparse_patterns_filters_and_hooks_work_as_in_git_worktree() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.shout filter=shout\n", "Filter");
    sandbox.commit(&dir, "in/a.shout", "quiet\n", "Inside");
    sandbox.commit(&dir, "out/b", "b\n", "Outside");
    sandbox.git(&dir, ["config", "filter.shout.smudge", "tr a-z A-Z"]).ok();
    sandbox.git(&dir, ["config", "filter.shout.clean", "tr A-Z a-z"]).ok();
    sandbox.git(&dir, ["sparse-checkout", "set", "in"]).ok();
    hook(&sandbox, &dir, "post-checkout", "echo \"hook in $(pwd)\"; git symbolic-ref HEAD >hooked");
    let run = sandbox.task(&dir, ["add", "x"]).ok();
    let path = run.path();
    assert_eq!(std::fs::read_to_string(path.join("in/a.shout")).unwrap(), "QUIET\n");
    assert!(!path.join("out").exists(), "the sparse patterns are inherited");
    assert_eq!(std::fs::read_to_string(path.join("hooked")).unwrap(), "refs/heads/x\n");
    run.says(&format!("hook in {}", path.display()));
}

#[test]
fn a_failing_hook_warns_in_its_own_words_and_the_task_stays() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    hook(&sandbox, &dir, "post-checkout", "echo no luck today >&2; exit 3");
    let run = sandbox.task(&dir, ["add", "x"]).ok().says("warning:").says("no luck today");
    assert!(run.path().join("README").exists());
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("x\n");
}

#[test]
fn a_checkout_of_nothing_is_not_taken_for_one() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    // As if git could not read the HEAD that it has just written, and took it for a branch without a commit.
    hook(&sandbox, &dir, "post-checkout", "git read-tree --empty && rm README");
    sandbox.task(&dir, ["add", "x"]).fails(128).prints("").says("checked nothing out");
    assert!(!sandbox.refs(&dir).contains("refs/heads/x"));
    assert!(!sandbox.path("repo-worktrees/x").exists());
    sandbox.pool(&dir, ["init", "1"]).fails(1).says("checked nothing out");
    sandbox.sh(&dir, "rm .git/hooks/post-checkout").ok();
    sandbox.git(&dir, ["checkout", "-q", "--orphan", "empty"]).ok();
    sandbox.git(&dir, ["rm", "-rqf", "."]).ok();
    sandbox.git(&dir, ["commit", "-q", "--allow-empty", "-m", "Nothing"]).ok();
    sandbox.task(&dir, ["add", "y"]).ok();
}

#[test]
fn a_failing_checkout_takes_everything_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.x filter=bad\n", "Filter");
    sandbox.commit(&dir, "a.x", "x\n", "File");
    sandbox.git(&dir, ["config", "filter.bad.smudge", "false"]).ok();
    sandbox.git(&dir, ["config", "filter.bad.required", "true"]).ok();
    sandbox.git(&dir, ["worktree", "prune"]).ok();
    let run = sandbox.task(&dir, ["add", "x"]).fails(128).prints("");
    run.assert_one_error();
    assert!(!sandbox.refs(&dir).contains("refs/heads/x"));
    assert!(!sandbox.path("repo-worktrees/x").exists() && !dir.join("notes").exists());
    sandbox.git(&dir, ["config", "--get-regexp", "^task"]).fails(1);
    sandbox.git(&dir, ["config", "filter.bad.required", "false"]).ok();
    sandbox.task(&dir, ["add", "x"]).ok();
}

#[test]
fn ctrl_c_while_git_checks_out_takes_everything_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.sh(&dir, "mkfifo ../never").ok();
    let wait = format!("echo waiting >/dev/tty; cat '{}'", sandbox.path("never").display());
    hook(&sandbox, &dir, "post-checkout", &wait);
    let refs = sandbox.refs(&dir);
    let config = std::fs::read(dir.join(".git/config")).unwrap();
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "add", "x"]);
    assert_eq!(pty.expect("waiting").send("\x03").wait(), 130, "{}", pty.text());
    assert_eq!(sandbox.refs(&dir), refs);
    assert_eq!(std::fs::read(dir.join(".git/config")).unwrap(), config);
    assert!(!sandbox.path("repo-worktrees/x").exists() && !dir.join("notes").exists());
    sandbox.git(&dir, ["worktree", "list", "--porcelain"]).ok().does_not_say("x");
    sandbox.task(&dir, ["repair", "-n"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_daemon_that_a_hook_starts_does_not_hold_the_command() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let pid = sandbox.path("pid");
    hook(&sandbox, &dir, "post-checkout", &format!("tail -f /dev/null & echo $! >'{}'", pid.display()));
    // The harness waits for the end of the streams too: so that of the daemon is not ours.
    sandbox.sh(&dir, "git task add x >../path 2>../said").ok();
    let daemon = std::fs::read_to_string(pid).unwrap();
    sandbox.sh(&dir, &format!("kill {daemon}")).ok();
    assert!(sandbox.path("repo-worktrees/x").exists());
}
