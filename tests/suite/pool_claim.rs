//! `git pool claim`, and `git task add` and `rm` with a pool.

use std::os::unix::fs::PermissionsExt;

use crate::pool::{claim, key, states, with_pool};
use crate::support::*;

#[test]
fn a_claim_prints_the_path_and_touches_no_file() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = sandbox.path("repo-worktrees/pool-1");
    let times = "find . -name .git -prune -o -type f -printf '%p %T@ %C@\\n' | sort; \
                 stat -c '%Y %i' \"$(git rev-parse --git-dir)/index\"";
    let before = sandbox.sh(&path, times).ok().stdout;
    let run = sandbox.pool(&dir, ["claim", "x", "--no-refill"]).ok();
    assert_eq!(run.path(), path);
    let after = sandbox.sh(&path, times).ok().stdout;
    let after: String =
        after.lines().filter(|l| !l.starts_with("./notes/")).map(|l| format!("{l}\n")).collect();
    assert_eq!(after, before);
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
    // The reflogs are as git writes them.
    let log = sandbox.git(&path, ["reflog", "show", "-n1", "--format=%gs|%gn|%ge", "HEAD"]).ok().stdout;
    let head = sandbox.commit_id(&dir, "main");
    assert_eq!(log, format!("checkout: moving from {head} to x|C O Mitter|committer@example.com\n"));
    let log = sandbox.git(&path, ["reflog", "show", "--format=%gs", "x"]).ok();
    log.prints("branch: Created from main\n");
    sandbox.task(&path, ["show"]).ok();
    assert!(dir.join("notes/x/status.md").exists());
}

#[test]
fn without_a_task_it_is_detached_where_it_is_asked_for() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let first = sandbox.commit_id(&dir, "HEAD~2");
    let path = claim(&sandbox, &dir, &["--base", "HEAD~2"]);
    assert_eq!(sandbox.commit_id(&path, "HEAD"), first);
    sandbox.git(&path, ["symbolic-ref", "-q", "HEAD"]).fails(1);
    assert!(!path.join("src").exists() && path.join("README").exists());
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    sandbox.pool(&dir, ["claim", "--base", "nowhere"]).fails(128).says("not a valid object name");
    sandbox.pool(&dir, ["claim", "y", "--base", "nowhere"]).fails(128);
    sandbox.pool(&dir, ["claim", "-b", "b"]).fails(129);
}

#[test]
fn json_gives_the_lease() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let run = sandbox.pool(&dir, ["claim", "x", "-b", "feat/x", "--json", "--no-refill", "--ttl=1m"]).ok();
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let one = &json[0];
    assert_eq!(one["lease"], key(&sandbox, &dir, "1", "lease"));
    assert_eq!(
        (&one["task"], &one["branch"], &one["slot"]),
        (&"x".into(), &"refs/heads/feat/x".into(), &"1".into())
    );
    assert_eq!(one["expires"], NOW + 60);
    assert!(one["holder"].as_str().unwrap().contains('@'), "{json}");
}

#[test]
fn a_slot_behind_gets_what_differs_and_the_nearest_is_taken() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let build = sandbox.path("repo-worktrees/pool-2/target");
    sandbox.write(&build, "cache", "built\n");
    sandbox.commit(&dir, "src/new", "new\n", "New");
    sandbox.git(&dir, ["rm", "-q", "src/deep/file"]).ok();
    let gone = sandbox.commit(&dir, "README", "changed\n", "Change");
    sandbox.git(&dir, ["commit", "-q", "-a", "-m", "Remove"]).ok();
    // One of the two is nearer.
    sandbox.git(sandbox.path("repo-worktrees/pool-2"), ["checkout", "-q", "--detach", &gone]).ok();
    let path = claim(&sandbox, &dir, &["x"]);
    assert_eq!(path, sandbox.path("repo-worktrees/pool-2"));
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    assert!(path.join("src/new").exists() && !path.join("src/deep").exists());
    assert_eq!(std::fs::read_to_string(build.join("cache")).unwrap(), "built\n");
    assert_eq!(sandbox.commit_id(&path, "HEAD"), sandbox.commit_id(&dir, "main"));
}

#[test]
fn of_equal_slots_the_newest_cache_is_taken() {
    let mut sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 3);
    for _ in 0..3 {
        claim(&sandbox, &dir, &[]);
    }
    for (i, n) in ["1", "3", "2"].iter().enumerate() {
        sandbox.set_now(NOW + i as u64);
        sandbox.pool(&dir, ["release", n]).ok();
    }
    assert_eq!(claim(&sandbox, &dir, &[]), sandbox.path("repo-worktrees/pool-2"));
    assert_eq!(claim(&sandbox, &dir, &[]), sandbox.path("repo-worktrees/pool-3"));
}

#[test]
fn no_slot_idle_makes_one_up_to_the_most() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "pool.max", "2"]).ok();
    assert_eq!(claim(&sandbox, &dir, &["x"]), sandbox.path("repo-worktrees/pool-1"));
    claim(&sandbox, &dir, &[]);
    let run = sandbox.pool(&dir, ["claim", "y", "--no-refill"]).fails(1).prints("");
    run.assert_one_error();
    assert!(run.stderr.contains("pool.max (2) is reached"), "{run}");
    sandbox.git(&dir, ["rev-parse", "-q", "--verify", "refs/heads/y"]).fails(1);
    sandbox.pool(&dir, ["claim", "--no-refill", "--wait=0"]).fails(1).says("in time");
    // A pool that is to be smaller than what is claimed.
    sandbox.git(&dir, ["config", "pool.max", "1"]).ok();
    sandbox.pool(&dir, ["list"]).ok();
    sandbox.pool(&dir, ["claim"]).fails(1);
    sandbox.pool(&dir, ["release", "2"]).ok();
    claim(&sandbox, &dir, &["y"]);
}

#[test]
fn a_task_that_has_a_worktree_is_refused() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let elsewhere = sandbox.task(&dir, ["add", "--no-pool", "x"]).ok().path();
    assert_eq!(elsewhere, sandbox.path("repo-worktrees/x"));
    sandbox.pool(&dir, ["claim", "x"]).fails(1).prints("").says("has a worktree already");
    claim(&sandbox, &dir, &["y"]);
    sandbox.pool(&dir, ["claim", "y"]).fails(1).says("has a worktree already");
    sandbox.pool(&dir, ["claim", "-x"]).fails(129);
    sandbox.pool(&dir, ["claim", "a/b"]).fails(128).says("not a valid task name");
    sandbox.git(&dir, ["branch", "taken"]).ok();
    sandbox.pool(&dir, ["claim", "taken"]).fails(128).says("already exists");
    assert_eq!(claim(&sandbox, &dir, &["z", "-b", "taken"]), sandbox.path("repo-worktrees/pool-2"));
    sandbox.task(&dir, ["rm", "y"]).ok();
    sandbox.pool(&dir, ["claim", "y"]).fails(128).says("was used before");
}

#[test]
fn add_takes_an_idle_slot_and_rm_gives_it_back() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    sandbox.git(&dir, ["config", "pool.size", "0"]).ok();
    let path = sandbox.task(&dir, ["add", "x", "--goal", "Get it done"]).ok().path();
    assert_eq!(path, sandbox.path("repo-worktrees/pool-1"));
    // None is left, and none is made for it.
    let other = sandbox.task(&dir, ["add", "y"]).ok().path();
    assert_eq!(other, sandbox.path("repo-worktrees/y"));
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.write(&path, "target/cache", "cache\n");
    sandbox.write(&path, "README", "changed\n");
    sandbox.write(&path, "untracked", "untracked\n");
    sandbox.task(&dir, ["rm", "x"]).fails(128).says("modified or untracked files");
    sandbox.task(&path, ["rm", "-f", "x"]).ok().does_not_say("went with it");
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    assert_eq!(std::fs::read_to_string(path.join("target/cache")).unwrap(), "cache\n");
    assert!(!path.join("notes").exists() && !path.join("mine").exists());
    sandbox.git(&dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
    sandbox
        .task(&dir, ["list", "--all", "--format=%(task) %(state) %(slot)"])
        .ok()
        .prints("x dropped \ny open \n");
    // It comes back, with all of it, beside the pool.
    let back = sandbox.task(&dir, ["restore", "x"]).ok().path();
    assert_eq!(back, sandbox.path("repo-worktrees/x"));
    sandbox.git(&back, ["status", "--porcelain"]).ok().prints(" M README\n?? untracked\n");
    sandbox.git(&back, ["log", "-n1", "--format=%s"]).ok().prints("Mine\n");
    assert!(std::fs::read_to_string(back.join("notes/x/status.md")).unwrap().contains("Get it done"));
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn add_goes_without_a_slot_where_one_does_not_fit() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 3);
    for (args, at) in [
        (&["a", "--no-pool"][..], "a"),
        (&["b", "--path", "../elsewhere"], "../elsewhere"),
        (&["c", "--clone"], "c"),
    ] {
        let path = sandbox.task(&dir, ["add"].iter().chain(args)).ok().path();
        assert_eq!(path, sandbox.path("repo-worktrees").join(at).canonicalize().unwrap());
    }
    sandbox.git(&dir, ["config", "task.pool", "false"]).ok();
    assert_eq!(sandbox.task(&dir, ["add", "d"]).ok().path(), sandbox.path("repo-worktrees/d"));
    let path = sandbox.task(&dir, ["add", "--pool", "--track", "main", "e"]).ok().path();
    assert_eq!(path, sandbox.path("repo-worktrees/pool-1"));
    sandbox.git(&path, ["symbolic-ref", "-q", "HEAD"]).fails(1);
    sandbox
        .task(&dir, ["add", "f", "--adopt", "../repo-worktrees/pool-2"])
        .fails(128)
        .says("slot 2 of the pool");
}

#[test]
fn a_plan_takes_as_many_slots_as_there_are() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    sandbox.git(&dir, ["config", "pool.size", "0"]).ok();
    let plan = "[[task]]\nname = \"a\"\n[[task]]\nname = \"b\"\nafter = [\"a\"]\n[[task]]\nname = \"c\"\n";
    sandbox.write(&dir, "../plan.toml", plan);
    let run = sandbox.task(&dir, ["add", "--from", "../plan.toml"]).ok();
    let names: Vec<_> = run.stdout.lines().map(|l| l.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["pool-1", "pool-2", "c"]);
    assert_eq!(states(&sandbox, &dir), "1 claimed\n2 claimed\n");
}

#[test]
fn hooks_run_as_for_a_new_worktree() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let log = sandbox.path("log");
    let script = format!("#!/bin/sh\necho \"$PWD $*\" >> '{}'\necho said by the hook\n", log.display());
    let hook = dir.join(".git/hooks/post-checkout");
    sandbox.write(&dir, ".git/hooks/post-checkout", script);
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = sandbox.pool(&dir, ["claim", "x", "--no-refill"]).ok();
    let path = run.path();
    let head = sandbox.commit_id(&dir, "main");
    let null = "0".repeat(40);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), format!("{} {null} {head} 1\n", path.display()));
    assert!(run.stderr.contains("said by the hook"), "{run}");
    sandbox.write(&dir, ".git/hooks/post-checkout", "#!/bin/sh\nexit 1\n");
    sandbox.pool(&dir, ["claim", "y", "--no-refill"]).ok().says("the post-checkout hook failed");
}

#[test]
fn a_slot_touched_since_is_set_aside_and_never_handed_out() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 6);
    let at = |n: usize| sandbox.path(format!("repo-worktrees/pool-{n}"));
    sandbox.write(at(1), "untracked", "work\n");
    sandbox.write(at(2), "README", "work\n");
    sandbox.git(at(2), ["add", "README"]).ok();
    sandbox.commit(at(3), "commit", "work\n", "Work");
    sandbox.git(at(4), ["switch", "-q", "-c", "branch"]).ok();
    sandbox.git(at(5), ["bisect", "start"]).ok();
    let run = sandbox.pool(&dir, ["claim", "x", "--no-refill"]).ok();
    assert_eq!(run.path(), at(6));
    // The last one that it came to had no reason to be looked at: another was nearer.
    assert_eq!(states(&sandbox, &dir), "1 broken\n2 broken\n3 idle\n4 broken\n5 broken\n6 claimed\n");
    sandbox
        .pool(&dir, ["repair"])
        .ok()
        .prints("mended: slot 3: somebody was there since it was given back\n");
    assert_eq!(states(&sandbox, &dir), "1 broken\n2 broken\n3 broken\n4 broken\n5 broken\n6 claimed\n");
    for (n, why) in [
        ("1", "modified or untracked files (1)"),
        ("2", "modified or untracked files (1)"),
        ("3", "commits that are on no branch"),
        ("4", "branch 'branch' is checked out"),
        ("5", "a bisect is in progress"),
    ] {
        assert!(key(&sandbox, &dir, n, "reason").contains(why), "{n}: {}", key(&sandbox, &dir, n, "reason"));
    }
    assert_eq!(std::fs::read_to_string(at(1).join("untracked")).unwrap(), "work\n");
    sandbox.git(at(3), ["log", "-n1", "--format=%s"]).ok().prints("Work\n");
    sandbox.pool(&dir, ["repair", "-n"]).fails(1);
    sandbox.pool(&dir, ["repair"]).ok().says("slot 1 stays set aside");
    // Put right by hand, or by release.
    std::fs::remove_file(at(1).join("untracked")).unwrap();
    sandbox.pool(&dir, ["repair"]).ok().prints("mended: slot 1 is clean again\n");
    sandbox.pool(&dir, ["release", "4"]).ok();
    sandbox.pool(&dir, ["release", "2"]).fails(128);
    sandbox.pool(&dir, ["release", "-f", "2"]).ok().says("git task restore slot-2");
    sandbox.pool(&dir, ["release", "-f", "3"]).ok();
    sandbox.pool(&dir, ["release", "-f", "5"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n3 idle\n4 idle\n5 idle\n6 claimed\n");
    let back = sandbox.task(&dir, ["restore", "slot-3"]).ok().path();
    sandbox.git(&back, ["log", "-n1", "--format=%s"]).ok().prints("Work\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_harmless_look_at_an_idle_slot_does_not_break_it() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = sandbox.path("repo-worktrees/pool-1");
    sandbox.sh(&path, "touch README && git status && mkdir target && echo x > target/x").ok();
    assert_eq!(claim(&sandbox, &dir, &["x"]), path);
}

#[test]
fn ready_slots_come_back_in_the_background() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    sandbox.pool(&dir, ["claim", "x"]).ok();
    // A claim takes what the refill makes, or makes it itself: both wait for nothing but work.
    sandbox.pool(&dir, ["fill"]).ok();
    let listed = states(&sandbox, &dir);
    assert!(listed.starts_with("1 claimed\n2 "), "{listed}");
    assert!(!dir.join(".git/git-parallel/pool-refill.log").exists());
}

#[test]
fn a_lease_that_has_ended_is_taken_over_with_its_work_kept() {
    let mut sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    sandbox.git(&dir, ["config", "pool.max", "2"]).ok();
    let first = claim(&sandbox, &dir, &["x", "--ttl", "60"]);
    let second = claim(&sandbox, &dir, &["--holder", "ci", "--ttl", "70"]);
    sandbox.write(&first, "README", "task's\n");
    sandbox.write(&second, "new", "nobody's\n");
    sandbox.pool(&dir, ["claim", "y", "--no-refill"]).fails(1);
    sandbox.set_now(NOW + 65);
    assert_eq!(states(&sandbox, &dir), "1 expired\n2 claimed\n");
    // Somebody is at work in there.
    let mut inside = sandbox.command(&first, "sleep").arg("600").spawn().unwrap();
    sandbox
        .pool(&dir, ["claim", "y", "--no-refill"])
        .fails(1)
        .says(&format!("process {} is in it", inside.id()));
    inside.kill().unwrap();
    inside.wait().unwrap();
    let run = sandbox.pool(&dir, ["claim", "y", "--no-refill"]).ok();
    assert_eq!(run.path(), first);
    assert!(run.stderr.contains("git task restore x"), "{run}");
    sandbox.git(&first, ["status", "--porcelain"]).ok().prints("");
    sandbox.task(&dir, ["list", "--format=%(task) %(state) %(slot)"]).ok().prints("x open \ny open 1\n");
    let back = sandbox.task(&dir, ["restore", "x"]).ok().path();
    assert_eq!(std::fs::read_to_string(back.join("README")).unwrap(), "task's\n");
    sandbox.set_now(NOW + 100);
    let run = sandbox.pool(&dir, ["claim", "z", "--no-refill"]).ok();
    assert_eq!(run.path(), second);
    let back = sandbox.task(&dir, ["restore", "slot-2"]).ok().path();
    assert_eq!(std::fs::read_to_string(back.join("new")).unwrap(), "nobody's\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_slot_that_somebody_is_still_in_is_the_last_to_be_handed_out() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    sandbox.git(&dir, ["config", "pool.max", "3"]).ok();
    let first = sandbox.path("repo-worktrees/pool-1");
    let mut inside = sandbox.command(&first, "sleep").arg("600").spawn().unwrap();
    assert_eq!(claim(&sandbox, &dir, &["x"]), sandbox.path("repo-worktrees/pool-2"));
    // `add` goes without one,
    let plain = sandbox.task(&dir, ["add", "y"]).ok().path();
    assert_eq!(plain, sandbox.path("repo-worktrees/y"));
    // a claim makes one more,
    assert_eq!(claim(&sandbox, &dir, &[]), sandbox.path("repo-worktrees/pool-3"));
    // and where that is not allowed, says who is there.
    let still = format!("process {} is still in slot 1", inside.id());
    let run = sandbox.pool(&dir, ["claim", "--no-refill", "z"]).ok().says(&still);
    assert_eq!(run.path(), first);
    sandbox.pool(&dir, ["release", "z"]).ok();
    inside.kill().unwrap();
    inside.wait().unwrap();
    // Who claims it does not count, nor does the shell that he does it in.
    sandbox.sh(&first, "git pool claim --no-refill").ok().does_not_say("still");
    assert_sound(&sandbox, &dir);
}

#[test]
fn where_nothing_is_to_be_asked_git_only_makes_the_branch() {
    let mut sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let log = sandbox.path("started");
    sandbox.set("GIT_TRACE2_EVENT", &log);
    let started = |sandbox: &Sandbox, args: &[&str]| {
        claim(sandbox, &dir, args);
        let text = std::fs::read_to_string(&log).unwrap();
        sandbox.pool(&dir, ["release", "1"]).ok();
        std::fs::remove_file(&log).unwrap();
        let lines = text.lines().filter(|line| line.contains("\"event\":\"start\""));
        let all: Vec<_> = lines.map(|line| line.split_once("\"argv\":").unwrap().1.to_owned()).collect();
        assert!(all[0].contains("pool"), "{all:?}");
        all[1..].to_vec()
    };
    let new = started(&sandbox, &["x"]);
    assert!(new.len() == 1 && new[0].contains("update-ref"), "{new:?}");
    // Whether the branch brings a note of its own is git's to say.
    let parked = started(&sandbox, &["x"]);
    assert!(parked.len() == 1 && parked[0].contains("ls-files"), "{parked:?}");
    assert_eq!(started(&sandbox, &[]), [""; 0]);
    // A HEAD that stands for another branch is git's to read.
    sandbox.git(&dir, ["symbolic-ref", "refs/heads/alias", "refs/heads/main"]).ok();
    sandbox.git(&dir, ["symbolic-ref", "HEAD", "refs/heads/alias"]).ok();
    std::fs::remove_file(&log).unwrap();
    let asked = started(&sandbox, &["y"]);
    assert!(asked.iter().any(|argv| argv.contains("symbolic-ref")), "{asked:?}");
    sandbox.task(&dir, ["list", "y", "--format=%(base)"]).ok().prints("refs/heads/main\n");
}

#[test]
fn nobody_need_have_a_name() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    // As on a machine without a name of its own, where git can make nothing up.
    sandbox.git(&dir, ["config", "user.useConfigOnly", "true"]).ok();
    let nameless = |line: &str| {
        let mut command = sandbox.command(&dir, "sh");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env_remove(format!("GIT_{who}_NAME")).env_remove(format!("GIT_{who}_EMAIL"));
        }
        Run::of(command.args(["-c", line]), b"")
    };
    nameless("git commit --allow-empty -m x").fails(128);
    let path = nameless("git task add x").ok().path();
    assert_eq!(path, sandbox.path("repo-worktrees/pool-1"));
    sandbox.write(&path, "new.txt", "work\n");
    nameless("git task rm -f x").ok();
    let path = nameless("git task restore x").ok().path();
    assert_eq!(std::fs::read_to_string(path.join("new.txt")).unwrap(), "work\n");
    nameless("git pool claim --no-refill").ok();
    nameless("git pool release 1").ok();
    assert_sound(&sandbox, &dir);
}
