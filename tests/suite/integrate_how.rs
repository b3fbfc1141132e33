//! `git integrate`: the ways to merge, hooks and signers, odd repositories, several at once.

use std::path::{Path, PathBuf};

use crate::integrate_run::{over, ready, subjects, workshop};
use crate::support::*;

fn parents(sandbox: &Sandbox, dir: &Path) -> String {
    sandbox.git(dir, ["log", "--format=%s %p", "main"]).ok().stdout
}

#[test]
fn squash_rebase_and_fast_forward() {
    for (option, merges, lines) in [
        ("--squash", 0, "Merge task 'b'\nMerge task 'a'\nBegin\n"),
        ("--rebase", 0, "Work on b\nWork on a\nBegin\n"),
        ("--ff", 1, "Merge task 'b'\nWork on a\nBegin\n"),
    ] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        for name in ["a", "b"] {
            ready(&sandbox, &dir, name, name, "1\n");
        }
        sandbox.integrate(&dir, [option]).ok();
        assert_eq!(subjects(&sandbox, &dir, "main"), lines, "{option}");
        let count = sandbox.git(&dir, ["rev-list", "--merges", "--count", "main"]).ok();
        assert_eq!(count.line(), merges.to_string(), "{option}");
        assert!(dir.join("a").exists() && dir.join("b").exists());
        // By what was landed: the branches went although their tips are not in the target.
        sandbox.git(&dir, ["for-each-ref", "--format=%(refname:short)", "refs/heads"]).ok().prints("main\n");
        over(&sandbox, &dir);
    }
}

#[test]
fn conflicts_in_a_squash_and_in_a_rebase_are_gone_on_with() {
    for option in ["--squash", "--rebase", "--ff"] {
        for by_hand in [false, true] {
            let sandbox = Sandbox::new();
            let dir = sandbox.init();
            ready(&sandbox, &dir, "a", "README", "a\n");
            ready(&sandbox, &dir, "b", "README", "b\n");
            ready(&sandbox, &dir, "c", "c", "c\n");
            sandbox.integrate(&dir, [option]).fails(1);
            let shop = workshop(&sandbox);
            sandbox.write(&shop, "README", "both\n");
            sandbox.git(&shop, ["add", "README"]).ok();
            if by_hand && option == "--rebase" {
                let mut command = sandbox.git_command(&shop, ["rebase", "--continue"]);
                Run::of(command.env("GIT_EDITOR", "true"), b"").ok();
            } else if by_hand {
                sandbox.git(&shop, ["commit", "-q", "-m", "By hand"]).ok();
            }
            sandbox.integrate(&dir, ["--continue"]).ok();
            assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "both\n", "{option}");
            assert!(dir.join("c").exists());
            over(&sandbox, &dir);
        }
    }
}

#[test]
fn fast_forward_only_refuses_what_is_none() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    let run = sandbox.integrate(&dir, ["--ff-only", "--keep-going", "--porcelain"]).fails(2);
    assert!(run.stdout.contains("skipped b 'main' can't be moved forward to it\n"), "{run}");
    assert_eq!(subjects(&sandbox, &dir, "main"), "Work on a\nBegin\n");
    over(&sandbox, &dir);
}

#[test]
fn a_hook_that_refuses_stops_it_and_is_asked_again() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, ".git/hooks/commit-msg", "#!/bin/sh\necho no such issue >&2\ntest -f allowed\n");
    sandbox.sh(&dir, "chmod +x .git/hooks/commit-msg").ok();
    let path = sandbox.task(&dir, ["add", "a"]).ok().path();
    sandbox.write(&path, "a", "1\n");
    sandbox.git(&path, ["add", "a"]).ok();
    sandbox.git(&path, ["commit", "-q", "--no-verify", "-m", "A"]).ok();
    sandbox.task(&dir, ["ready", "a"]).ok();
    let run = sandbox.integrate(&dir, ["--porcelain"]).fails(1).says("no such issue");
    assert_eq!(run.stdout, "failed a merge\n");
    sandbox.integrate(&dir, ["--status"]).fails(1);
    sandbox.integrate(&dir, ["--continue"]).fails(1).says("no such issue");
    std::fs::remove_file(dir.join(".git/hooks/commit-msg")).unwrap();
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(subjects(&sandbox, &dir, "main"), "Merge task 'a'\nBegin\n");
    let merges = sandbox.git(&dir, ["rev-list", "--merges", "--count", "main"]).ok();
    assert_eq!(merges.line(), "1");
    over(&sandbox, &dir);
}

#[test]
fn hooks_see_the_private_worktree_and_not_that_of_a_hook_around_us() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let seen = sandbox.path("seen");
    let script = format!("#!/bin/sh\npwd >>{}\n", seen.display());
    for hook in ["pre-merge-commit", "post-merge"] {
        sandbox.write(&dir, format!(".git/hooks/{hook}"), &script);
    }
    sandbox.sh(&dir, "chmod +x .git/hooks/*").ok();
    ready(&sandbox, &dir, "a", "a", "1\n");
    let mut command = sandbox.git_command(&dir, ["integrate"]);
    command.env("GIT_DIR", dir.join(".git")).env("GIT_INDEX_FILE", dir.join(".git/index"));
    Run::of(&mut command, b"").ok();
    let shop = workshop(&sandbox).display().to_string();
    assert_eq!(std::fs::read_to_string(seen).unwrap(), format!("{shop}\n{shop}\n"));
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
}

#[test]
fn a_signer_that_fails_is_noticed_before_anything() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.git(&dir, ["config", "gpg.program", "false"]).ok();
    let before = Frozen::of(&sandbox);
    let run = sandbox.integrate(&dir, ["-S"]).fails(128).says("sign");
    before.assert_unchanged(&sandbox, &run);
    sandbox.git(&dir, ["config", "commit.gpgSign", "true"]).ok();
    sandbox.integrate(&dir, [] as [&str; 0]).fails(128).says("sign");
    sandbox.integrate(&dir, ["--no-gpg-sign"]).ok();
}

#[test]
fn commits_are_signed_and_signed_off() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let signer = "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\n\
                  printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'\n";
    sandbox.write(sandbox.path(""), "signer", signer);
    sandbox.sh(sandbox.path(""), "chmod +x signer").ok();
    sandbox.git(&dir, ["config", "gpg.program", sandbox.path("signer").to_str().unwrap()]).ok();
    for (name, option) in [("a", "--no-ff"), ("b", "--squash"), ("c", "--rebase")] {
        ready(&sandbox, &dir, name, name, "1\n");
        sandbox.integrate(&dir, [option, "-S", "--signoff"]).ok();
        let commit = sandbox.git(&dir, ["cat-file", "commit", "main"]).ok().stdout;
        assert!(commit.contains("\ngpgsig ") && commit.contains("\nSigned-off-by: "), "{option}: {commit}");
    }
}

#[test]
fn options_of_the_targets_branch_do_not_count() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "branch.main.mergeOptions", "--squash --no-commit"]).ok();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.integrate(&dir, ["-m", "{task}: done"]).ok();
    assert_eq!(subjects(&sandbox, &dir, "main"), "a: done\nBegin\n");
    assert!(parents(&sandbox, &dir).lines().next().unwrap().split(' ').count() == 4);
}

#[test]
fn rerere_that_stages_what_it_knows_still_stops() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "rerere.enabled", "true"]).ok();
    sandbox.git(&dir, ["config", "rerere.autoupdate", "true"]).ok();
    ready(&sandbox, &dir, "a", "README", "a\n");
    ready(&sandbox, &dir, "b", "README", "b\n");
    for round in 0..2 {
        sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
        let shop = workshop(&sandbox);
        if round == 0 {
            sandbox.write(&shop, "README", "both\n");
            sandbox.git(&shop, ["add", "README"]).ok();
            sandbox.git(&shop, ["rerere"]).ok();
            sandbox.integrate(&dir, ["--abort"]).ok();
        }
    }
    assert_eq!(subjects(&sandbox, &dir, "main"), "Begin\n");
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "both\n");
    over(&sandbox, &dir);
}

#[test]
fn a_target_that_moves_meanwhile_is_followed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    let flag = sandbox.path("flag");
    let check = format!(
        "test -f {0} || {{ touch {0}; cd \"$GIT_TASK_MAIN\" && echo x >other && git add other && \
         git commit -q -m Meanwhile; }}",
        flag.display()
    );
    sandbox.integrate(&dir, ["--check", &check]).ok().says("has moved meanwhile");
    let expected = "Merge task 'b'\nMerge task 'a'\nMeanwhile\nBegin\n";
    assert_eq!(subjects(&sandbox, &dir, "main"), expected);
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    over(&sandbox, &dir);
}

#[test]
fn a_target_that_keeps_moving_is_given_up_on() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    let check = "cd \"$GIT_TASK_MAIN\" && git commit -q --allow-empty -m Meanwhile";
    let other = sandbox.path("count");
    let check = format!("{check} && echo >>{} && cp {} tree-differs", other.display(), other.display());
    // Each time another tree, so that no pass is remembered.
    let move_on =
        format!("cd \"$GIT_TASK_MAIN\" && date +%N >>n && git add n && git commit -q -m n; {check}");
    sandbox.integrate(&dir, ["--check", &move_on]).fails(1).says("moved 5 times");
    sandbox.integrate(&dir, ["--abort"]).ok();
    over(&sandbox, &dir);
}

#[test]
fn two_at_once_land_everything_once() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b", "c", "d"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    let names = [["a", "b"], ["c", "d"]];
    for run in at_once(2, |i| sandbox.integrate(&dir, names[i])) {
        run.ok();
    }
    for name in ["a", "b", "c", "d"] {
        assert!(dir.join(name).exists());
    }
    let merges = sandbox.git(&dir, ["rev-list", "--merges", "--count", "main"]).ok();
    assert_eq!(merges.line(), "4");
    over(&sandbox, &dir);
}

#[test]
fn one_that_runs_is_waited_for_and_named() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    let (inside, second) = (sandbox.path("inside"), sandbox.path("second"));
    // The check of the first starts the second one, which has to give up.
    let check = format!(
        "cd \"$GIT_TASK_MAIN\" && git -c task.lockTimeout=0 integrate b >{0} 2>&1; echo $? >{1}; \
         git integrate --status >>{0}",
        inside.display(),
        second.display()
    );
    sandbox.integrate(&dir, ["a", "--check", &check]).ok();
    assert_eq!(std::fs::read_to_string(second).unwrap(), "128\n");
    let said = std::fs::read_to_string(inside).unwrap();
    assert!(said.contains("another integration into 'main' is running: process "), "{said}");
    assert!(said.contains("An integration into 'main' is running."), "{said}");
}

#[test]
fn a_bare_repository_and_a_target_that_nobody_has_checked_out() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(sandbox.path(""), ["clone", "-q", "--bare", "repo", "repo.git"]).ok();
    let bare = sandbox.path("repo.git");
    ready(&sandbox, &bare, "a", "a", "1\n");
    sandbox.integrate(&bare, ["--into", "main"]).ok();
    assert_eq!(subjects(&sandbox, &bare, "main"), "Merge task 'a'\nBegin\n");
    sandbox.git(&dir, ["switch", "-q", "-c", "elsewhere"]).ok();
    ready(&sandbox, &dir, "b", "b", "1\n");
    sandbox.integrate(&dir, ["b", "--into", "main"]).ok();
    assert_eq!(subjects(&sandbox, &dir, "main"), "Merge task 'b'\nBegin\n");
    assert!(!dir.join("b").exists());
    over(&sandbox, &dir);
}

#[test]
fn somebody_in_the_middle_of_something_keeps_the_target() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.git(&dir, ["branch", "side"]).ok();
    sandbox.commit(&dir, "README", "main\n", "Main");
    sandbox.git(&dir, ["switch", "-q", "side"]).ok();
    sandbox.commit(&dir, "README", "side\n", "Side");
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    sandbox.git(&dir, ["merge", "side"]).fails(1);
    let before = Frozen::of(&sandbox);
    let run = sandbox.integrate(&dir, ["--into", "main"]).fails(128).says("a merge is in progress");
    before.assert_unchanged(&sandbox, &run);
    sandbox.git(&dir, ["merge", "--abort"]).ok();
    // The branch that a rebase will go back to is in use too.
    sandbox.git(&dir, ["rebase", "side"]).fails(1);
    sandbox.integrate(&dir, ["--into", "main"]).fails(128).says("a rebase is in progress");
}

#[test]
fn undo_puts_the_target_back_and_the_tasks_too() {
    for keep in [true, false] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        ready(&sandbox, &dir, "a", "a", "1\n");
        let before = sandbox.commit_id(&dir, "main");
        sandbox.integrate(&dir, if keep { &["--keep"][..] } else { &[] }).ok();
        let landed = sandbox.commit_id(&dir, "main");
        sandbox.write(&dir, "mine", "untracked\n");
        sandbox.integrate(&dir, ["--undo"]).ok();
        assert_eq!(sandbox.commit_id(&dir, "main"), before);
        sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("?? mine\n");
        assert!(!dir.join("a").exists());
        assert_eq!(sandbox.commit_id(&dir, "refs/integrate/main/undone"), landed);
        sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("a ready\n");
        let (path, tip) = (sandbox.path("repo-worktrees/a"), sandbox.commit_id(&dir, "a"));
        assert_eq!(path.exists(), keep);
        if !keep {
            // Who wants to go on with it gets its worktree back; another integration needs none.
            let restored = sandbox.task(&dir, ["restore", "a"]).ok().path();
            assert!(restored == path && path.join("a").exists());
            sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("a ready\n");
            sandbox.git(&dir, ["worktree", "remove", path.to_str().unwrap()]).ok();
        }
        assert_eq!(sandbox.commit_id(&dir, "a"), tip);
        sandbox.integrate(&dir, ["--undo"]).fails(128).says("no integration to undo");
        sandbox.integrate(&dir, [] as [&str; 0]).ok();
        sandbox.commit(&dir, "on-top", "1\n", "On top");
        sandbox.integrate(&dir, ["--undo"]).fails(128).says("has moved since");
    }
}

#[test]
fn work_that_came_later_and_work_that_is_not_committed_stay() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let a = ready(&sandbox, &dir, "a", "a", "1\n");
    let b = ready(&sandbox, &dir, "b", "b", "1\n");
    sandbox.write(&b, "uncommitted", "mine\n");
    // Committed after it was said to be ready, while its merge is checked.
    let check = format!(
        "test $GIT_TASK = b || {{ cd {} && echo 2 >later && git add later && git commit -q -m Later; }}",
        a.display()
    );
    let run = sandbox.integrate(&dir, ["--check", &check]).ok();
    let run = run.says("of 'a': it has commits after").says("of 'b': ").says("modified or untracked");
    assert!(a.join("later").exists() && b.join("uncommitted").exists(), "{run}");
    sandbox.git(&dir, ["log", "-1", "--format=%s", "a", "--"]).ok().prints("Later\n");
    let list = sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok();
    list.prints("a open\nb integrated\n");
    over(&sandbox, &dir);
}

#[test]
fn push_goes_with_a_lease() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let remote = sandbox.publish(&dir);
    sandbox.git(&dir, ["fetch", "-q", "origin"]).ok();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.integrate(&dir, ["--push"]).fails(128).says("no upstream");
    sandbox.git(&dir, ["branch", "-q", "--set-upstream-to=origin/main", "main"]).ok();
    sandbox.integrate(&dir, ["--push"]).ok();
    assert_eq!(sandbox.commit_id(&remote.bare, "main"), sandbox.commit_id(&dir, "main"));
    remote.commit("main", "theirs", "1\n", "Theirs");
    ready(&sandbox, &dir, "b", "b", "1\n");
    let theirs = sandbox.commit_id(&remote.bare, "main");
    sandbox.integrate(&dir, ["--push"]).fails(1).says("was not pushed");
    assert_eq!(sandbox.commit_id(&remote.bare, "main"), theirs);
    assert!(dir.join("b").exists());
    over(&sandbox, &dir);
}

#[test]
fn a_team_check_needs_trust() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let flag = sandbox.path("flag");
    let team = format!("[integrate]\ncheck = [\"touch {}\"]\n", flag.display());
    sandbox.commit(&dir, ".config/git-parallel.toml", team, "Team");
    ready(&sandbox, &dir, "a", "a", "1\n");
    let before = Frozen::of(&sandbox);
    let run = sandbox.integrate(&dir, [] as [&str; 0]).fails(128).says("--no-check");
    before.assert_unchanged(&sandbox, &run);
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    assert!(flag.exists());
}

#[test]
fn ctrl_c_ends_the_check_and_keeps_the_state() {
    let sandbox = Sandbox::new();
    let dir: PathBuf = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    let ended = sandbox.path("ended");
    // It tells its integration to stop, and would wait for ever.
    let check = format!(
        "trap 'echo ended >{0}; exit 1' TERM; kill -INT $PPID; while :; do sleep 0.1; done",
        ended.display()
    );
    let mut command = sandbox.command(&dir, "git-integrate");
    let run = Run::of(command.args(["--check", &check]), b"");
    run.fails(130);
    assert_eq!(std::fs::read_to_string(ended).unwrap(), "ended\n");
    sandbox.integrate(&dir, ["--status"]).fails(1);
    sandbox.integrate(&dir, ["--abort"]).ok();
    over(&sandbox, &dir);
}

#[test]
fn fifty_tasks_with_a_graph_land_in_order() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let mut plan = String::from("base = \"main\"\n");
    for i in 0..50 {
        plan.push_str(&format!("[[task]]\nname = \"t{i:02}\"\n"));
        if i >= 5 {
            plan.push_str(&format!("after = [\"t{:02}\", \"t{:02}\"]\n", i - 5, i / 2));
        }
    }
    sandbox.write(sandbox.path(""), "plan.toml", &plan);
    sandbox.task(&dir, ["add", "--from", sandbox.path("plan.toml").to_str().unwrap()]).ok();
    for i in 0..50 {
        let path = sandbox.path(format!("repo-worktrees/t{i:02}"));
        sandbox.commit(&path, format!("f{i:02}"), "1\n", "Work");
    }
    let names: Vec<String> = (0..50).map(|i| format!("t{i:02}")).collect();
    sandbox.task(&dir, ["ready"].into_iter().chain(names.iter().map(String::as_str))).ok();
    let run = sandbox.integrate(&dir, ["--porcelain"]).ok();
    let order: Vec<&str> =
        run.stdout.lines().filter_map(|l| l.strip_prefix("merged ")?.split(' ').next()).collect();
    assert_eq!(order.len(), 50);
    let at = |i: usize| order.iter().position(|name| *name == format!("t{i:02}")).unwrap();
    for i in 5..50 {
        assert!(at(i - 5) < at(i) && at(i / 2) < at(i), "{order:?}");
    }
    over(&sandbox, &dir);
}
