//! `git pool release`: clean for the next one, and nothing lost.

use crate::pool::{claim, key, states, with_pool};
use crate::support::*;

#[test]
fn a_task_keeps_branch_state_and_note_and_can_come_again() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let path = claim(&sandbox, &dir, &["x"]);
    sandbox.task(&path, ["note", "--goal", "Get it done"]).ok();
    let tip = sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.task(&path, ["ready"]).ok();
    sandbox.pool(path.join("src/deep"), ["release"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n");
    assert_eq!(sandbox.commit_id(&path, "HEAD"), sandbox.commit_id(&dir, "main"));
    sandbox.git(&path, ["symbolic-ref", "-q", "HEAD"]).fails(1);
    sandbox.git(&path, ["status", "--porcelain", "--ignored"]).ok().prints("");
    let listed = sandbox.task(&dir, ["list", "--format=%(task) %(state) %(worktree)"]).ok();
    listed.prints("x ready \n");
    let note = std::fs::read_to_string(dir.join("notes/x/status.md")).unwrap();
    assert!(note.contains("Get it done") && !dir.join("notes/x/status.md").is_symlink(), "{note}");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    // Another one has nothing of it.
    assert_eq!(claim(&sandbox, &dir, &["y"]), path);
    assert!(!path.join("mine").exists() && !path.join("notes/x").exists());
    let again = claim(&sandbox, &dir, &["x"]);
    assert_eq!(again, sandbox.path("repo-worktrees/pool-2"));
    assert_eq!(sandbox.commit_id(&again, "HEAD"), tip);
    sandbox.git(&again, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
    assert!(sandbox.task(&again, ["note"]).ok().stdout.contains("Get it done"));
    assert!(dir.join("notes/x/status.md").is_symlink());
    assert_eq!(std::fs::read_dir(dir.join("notes/x")).unwrap().count(), 2, "no second note");
    sandbox.task(&dir, ["list", "--format=%(task) %(state) %(slot)"]).ok().prints("x ready 2\ny open 1\n");
    sandbox.task(&dir, ["rename", "x", "z"]).ok();
    assert_eq!(key(&sandbox, &dir, "2", "task"), "z");
    sandbox.task(&dir, ["move", "z", "../elsewhere"]).ok();
    sandbox.pool(&dir, ["release", "z"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 claimed\n2 idle\n");
    assert_eq!(key(&sandbox, &dir, "2", "worktree"), sandbox.path("elsewhere").display().to_string());
    assert_sound(&sandbox, &dir);
}

#[test]
fn work_keeps_a_slot_from_being_given_back() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let cases: [(&str, &str); 9] = [
        ("echo changed > README", "modified or untracked"),
        ("echo new > new", "modified or untracked"),
        ("echo new > new && git add new", "modified or untracked"),
        ("git checkout -q --detach && git commit -q --allow-empty -m Alone", "commits that are on no branch"),
        (
            "git update-ref refs/worktree/mine $(git commit-tree -m Mine HEAD^{tree})",
            "commits that are on no branch",
        ),
        ("git bisect start", "a bisect is in progress"),
        ("git update-index --assume-unchanged README && echo hidden > README", "modified or untracked"),
        ("git update-index --skip-worktree README && echo hidden > README", "modified or untracked"),
        ("git revert --no-commit HEAD", "in progress"),
    ];
    for (n, (script, why)) in cases.iter().enumerate() {
        let task = format!("t{n}");
        let path = claim(&sandbox, &dir, &[&task]);
        sandbox.sh(&path, script).ok();
        let before = sandbox.refs(&dir);
        let run = sandbox.pool(&path, ["release"]).fails(128).says(why);
        run.assert_one_error();
        assert!(run.stderr.contains(&format!("git pool release -f {task}")), "{run}");
        assert_eq!(sandbox.refs(&dir), before);
        assert_eq!(states(&sandbox, &dir), "1 claimed\n");
        sandbox.task(&path, ["note"]).ok();
        let run = sandbox.pool(&path, ["release", "-f"]).ok();
        assert!(run.stderr.contains(&format!("git task restore {task}")), "{run}");
        assert_eq!(states(&sandbox, &dir), "1 idle\n", "{script}");
        // Nothing of it is left for the next one.
        sandbox.git(&path, ["status", "--porcelain", "--ignored"]).ok().prints("");
        sandbox.sh(&path, "cat README").ok().prints("A repository for tests.\n");
        sandbox.git(&path, ["bisect", "log"]).fails(1);
        sandbox.git(&path, ["for-each-ref", "refs/worktree", "refs/bisect"]).ok().prints("");
        let state = sandbox.sh(&path, "ls $(git rev-parse --git-dir) | grep '^[A-Z_]*$' | grep -v '^HEAD$'");
        state.fails(1).prints("");
        let flags = sandbox.git(&path, ["ls-files", "-v"]).ok().stdout;
        assert!(flags.lines().all(|l| l.starts_with("H ")), "{flags}");
    }
    // All of it comes back.
    for (n, what) in [(0, " M README\n"), (1, "?? new\n"), (2, "A  new\n"), (6, " M README\n")] {
        let back = sandbox.task(&dir, ["restore", &format!("t{n}")]).ok().path();
        sandbox.sh(&back, "git update-index --no-assume-unchanged README").ok();
        sandbox.git(&back, ["status", "--porcelain"]).ok().prints(what);
    }
    let back = sandbox.task(&dir, ["restore", "t3"]).ok().path();
    sandbox.git(&back, ["log", "-n1", "--format=%s"]).ok().prints("Alone\n");
    let back = sandbox.task(&dir, ["restore", "t5"]).ok().path();
    sandbox.git(&back, ["bisect", "log"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_slot_of_nobodys_task_is_given_back_likewise() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &["--base", "main~1"]);
    sandbox.pool(&path, ["release"]).ok().does_not_say("restore");
    let path = claim(&sandbox, &dir, &[]);
    sandbox.commit(&path, "alone", "alone\n", "Alone");
    sandbox.write(&path, "new", "new\n");
    sandbox.pool(&dir, ["release", "1"]).fails(128);
    sandbox.pool(&dir, ["release", path.to_str().unwrap(), "-f"]).ok().says("git task restore slot-1");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    assert_eq!(sandbox.commit_id(&path, "HEAD"), sandbox.commit_id(&dir, "main"));
    let back = sandbox.task(&dir, ["restore", "slot-1"]).ok().path();
    sandbox.git(&back, ["log", "-n1", "--format=%s"]).ok().prints("Alone\n");
    sandbox.git(&back, ["status", "--porcelain"]).ok().prints("?? new\n");
    // With nothing in it, nothing is kept.
    let path = claim(&sandbox, &dir, &[]);
    let before = sandbox.refs(&dir);
    sandbox.pool(&path, ["release", "-f"]).ok().does_not_say("restore");
    assert_eq!(sandbox.refs(&dir), before);
}

#[test]
fn what_is_no_slot_or_not_held_is_refused() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let plain = sandbox.task(&dir, ["add", "--no-pool", "plain"]).ok().path();
    for what in ["nope", "2", "plain", plain.to_str().unwrap(), dir.to_str().unwrap()] {
        let run = sandbox.pool(&dir, ["release", what]).fails(128);
        run.assert_one_error();
        assert!(run.stderr.contains("is not a slot"), "{run}");
    }
    sandbox.pool(&dir, ["release"]).fails(129).says("which slot?");
    sandbox.pool(&dir, ["release", "1"]).fails(1).says("nobody holds it");
    let path = claim(&sandbox, &dir, &[]);
    let lease = key(&sandbox, &dir, "1", "lease");
    sandbox.pool(&path, ["release", "--lease", "0123456789abcdef"]).fails(1).says("does not hold");
    assert_eq!(states(&sandbox, &dir), "1 claimed\n");
    sandbox.pool(&dir, ["release", "1", "--lease", &lease]).ok();
    claim(&sandbox, &dir, &["x"]);
    sandbox.pool(&dir, ["release", "x", "--lease", &lease, "-f"]).fails(1).says("does not hold");
    sandbox.git(&path, ["worktree", "lock", "--reason", "mine", path.to_str().unwrap()]).ok();
    sandbox.pool(&dir, ["release", "x"]).fails(128).says("lock reason: mine");
}

#[test]
fn ignored_files_stay_unless_they_are_not_to_or_too_many() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = sandbox.path("repo-worktrees/pool-1");
    let cached = || path.join("target/cache").exists();
    let work = |name: &str| {
        claim(&sandbox, &dir, &[name]);
        sandbox.write(&path, "target/cache", "0123456789");
    };
    work("a");
    sandbox.pool(&dir, ["release", "a"]).ok();
    assert!(cached());
    work("b");
    sandbox.pool(&dir, ["release", "b", "--scrub"]).ok();
    assert!(!cached());
    sandbox.git(&dir, ["config", "pool.maxCache", "10"]).ok();
    work("c");
    sandbox.pool(&dir, ["release", "c"]).ok();
    assert!(cached());
    sandbox.git(&dir, ["config", "pool.maxCache", "9"]).ok();
    work("d");
    sandbox.pool(&dir, ["release", "d"]).ok().says("more than pool.maxCache");
    assert!(!cached());
}

#[test]
fn copied_files_go_and_a_changed_one_is_kept() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    sandbox.write(&dir, ".worktreeinclude", "*.local\n");
    sandbox.write(&dir, "conf/a.local", "main's\n");
    let path = claim(&sandbox, &dir, &["x"]);
    assert!(path.join("conf/a.local").exists());
    sandbox.pool(&dir, ["release", "x"]).ok().does_not_say("restore");
    assert!(!path.join("conf").exists());
    sandbox.git(&dir, ["for-each-ref", "refs/task-trash"]).ok().prints("");
    claim(&sandbox, &dir, &["x"]);
    sandbox.write(&path, "conf/a.local", "the task's\n");
    sandbox.write(&path, "notes/x/more.md", "more\n");
    sandbox.pool(&dir, ["release", "x"]).ok().says("git task restore x");
    assert!(!path.join("conf").exists());
    let back = sandbox.task(&dir, ["restore", "x"]).ok().path();
    assert_eq!(std::fs::read_to_string(back.join("conf/a.local")).unwrap(), "the task's\n");
    assert_eq!(std::fs::read_to_string(back.join("notes/x/more.md")).unwrap(), "more\n");
}

#[test]
fn settings_of_the_last_holder_do_not_stay() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &["x"]);
    sandbox.git(&dir, ["config", "extensions.worktreeConfig", "true"]).ok();
    sandbox.git(&path, ["config", "--worktree", "user.name", "Somebody Else"]).ok();
    sandbox.git(&path, ["sparse-checkout", "set", "--no-cone", "/README"]).ok();
    assert!(!path.join("src").exists());
    sandbox.pool(&path, ["release"]).ok();
    assert!(path.join("src/deep/file").exists());
    sandbox.git(&path, ["config", "--worktree", "--list"]).fails(128);
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    claim(&sandbox, &dir, &["y"]);
    assert!(path.join("src/deep/file").exists());
}

#[test]
fn a_sparse_slot_stays_as_it_was_made() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    sandbox.git(&dir, ["sparse-checkout", "set", "--no-cone", "/README"]).ok();
    sandbox.pool(&dir, ["init", "2"]).ok();
    let path = sandbox.path("repo-worktrees/pool-2");
    let sparse = !path.join("src").exists();
    sandbox.pool(&dir, ["drain", "0"]).ok();
    sandbox.git(&path, ["switch", "-q", "-c", "other"]).ok();
    sandbox.git(&path, ["sparse-checkout", "disable"]).ok();
    sandbox.git(&path, ["checkout", "-q", "--detach"]).ok();
    claim(&sandbox, &dir, &["x"]);
    claim(&sandbox, &dir, &["y"]);
    sandbox.pool(&dir, ["release", "x"]).ok();
    sandbox.pool(&dir, ["release", "y"]).ok();
    assert_eq!(!path.join("src").exists(), sparse);
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n");
}

#[test]
fn forcing_keeps_nothing_of_a_task_that_has_nothing_to_keep() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &["x"]);
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.write(&path, "target/cache", "ignored\n");
    let before = sandbox.refs(&dir);
    sandbox.pool(&dir, ["release", "-f", "x"]).ok().does_not_say("restore");
    assert_eq!(sandbox.refs(&dir), before);
    assert!(path.join("target/cache").exists());
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
    // Nothing was removed, so nothing can be restored.
    sandbox.task(&dir, ["restore", "x"]).fails(128);
    sandbox.task(&dir, ["list", "--format=%(task) %(state) %(worktree)"]).ok().prints("x open \n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_running_session_keeps_its_slot() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &["x"]);
    crate::session::start_waiting(&sandbox, &dir, "x", "true").ok();
    for args in [&["release", "x"][..], &["release", "-f", "x"], &["release", path.to_str().unwrap()]] {
        let run = sandbox.pool(&dir, args).fails(128).says("cannot release task 'x': its session is running");
        run.assert_one_error();
        assert_eq!(key(&sandbox, &dir, "1", "task"), "x");
    }
    sandbox.task(&dir, ["stop", "x"]).ok();
    sandbox.pool(&dir, ["release", "x"]).ok();
}

#[test]
fn what_cannot_be_kept_stays_with_its_holder() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &["--holder", "me"]);
    let inner = path.join("inner");
    sandbox.sh(&path, "git init -q inner && git -C inner commit -q --allow-empty -m Own").ok();
    sandbox.pool(&dir, ["release", "-f", "1"]).fails(128).says("hold work of their own");
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.pool(&dir, ["renew", "1"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 claimed\n");
    assert_eq!(key(&sandbox, &dir, "1", "holder"), "me");
    sandbox.git(&inner, ["log", "-n1", "--format=%s"]).ok().prints("Own\n");
}

#[test]
fn a_note_that_has_no_other_place_is_not_called_work() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let bare = sandbox.path("bare.git");
    sandbox.git(&dir, ["clone", "-q", "--bare", ".", bare.to_str().unwrap()]).ok();
    sandbox.pool(&bare, ["init", "1"]).ok();
    let path = claim(&sandbox, &bare, &["x"]);
    sandbox.task(&path, ["note", "--goal", "Get it done"]).ok();
    sandbox.pool(&path, ["release"]).ok().does_not_say("restore");
    let again = claim(&sandbox, &bare, &["x"]);
    assert!(sandbox.task(&again, ["note"]).ok().stdout.contains("Get it done"));
}

#[test]
fn a_locked_slot_goes_back_if_that_is_said_twice_and_is_not_locked_any_more() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let ways: [(&[&str], &[&str]); 3] = [
        (&[], &["pool", "release", "1"]),
        (&["x"], &["pool", "release", "x"]),
        (&["y"], &["task", "rm", "y"]),
    ];
    for (claimed, back) in ways {
        let path = claim(&sandbox, &dir, claimed);
        assert_eq!(path, sandbox.path("repo-worktrees/pool-1"), "it can be had again");
        sandbox.git(&dir, ["worktree", "lock", path.to_str().unwrap()]).ok();
        sandbox.git(&dir, [back, &["-f"]].concat()).fails(128).says("a locked working tree");
        sandbox.git(&dir, [back, &["-f", "-f"]].concat()).ok();
        assert_eq!(states(&sandbox, &dir), "1 idle\n");
    }
    let worktrees = sandbox.git(&dir, ["worktree", "list", "--porcelain"]).ok().stdout;
    assert!(!worktrees.contains("locked"), "{worktrees}");
}
