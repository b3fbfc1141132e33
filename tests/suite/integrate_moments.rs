//! `git integrate` interrupted, by a kill or by somebody's own command, at a moment that matters.

use std::path::Path;

use crate::integrate_run::ready;
use crate::support::*;

#[track_caller]
fn settled(sandbox: &Sandbox, dir: &Path) {
    sandbox.integrate(dir, ["--status"]).ok();
    sandbox.task(dir, ["repair"]).ok();
    sandbox.task(dir, ["prune"]).ok();
    assert_sound(sandbox, dir);
    let refs = sandbox.refs(dir);
    assert!(refs.lines().all(|l| !l.contains("refs/integrate/") || l.contains("/undone ")), "{refs}");
    sandbox.git(dir, ["status", "--porcelain"]).ok().prints("");
}

/// A hook of git's that runs `script` once, when main has just moved.
fn when_main_moves(sandbox: &Sandbox, dir: &Path, script: &str) {
    when(sandbox, dir, "committed refs/heads/main", script);
}

/// The same for another reference, or another moment.
fn when(sandbox: &Sandbox, dir: &Path, moment: &str, script: &str) {
    let hook = format!(
        "#!/bin/sh\nread -r _ _ name\ncase \"$1 $name\" in '{moment}') ;; *) exit ;; esac\n\
         mkdir '{}' || exit 0\n{script}\n",
        sandbox.path("once").display()
    );
    sandbox.write(dir, ".git/hooks/reference-transaction", hook);
    sandbox.sh(dir, "chmod +x .git/hooks/reference-transaction").ok();
}

#[test]
fn a_commit_made_while_the_worktree_follows_takes_nothing_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.write(&dir, "mine", "1\n");
    sandbox.git(&dir, ["add", "mine"]).ok();
    let commit = format!(
        "unset $(git rev-parse --local-env-vars)\ngit -C '{}' commit -qm mine 2>>'{}'",
        dir.display(),
        sandbox.path("said").display()
    );
    when_main_moves(&sandbox, &dir, &commit);
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    let said = std::fs::read_to_string(sandbox.path("said")).unwrap();
    assert!(said.contains("index.lock"), "{said}");
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("A  mine\n");
    sandbox.git(&dir, ["commit", "-qm", "mine"]).ok();
    sandbox.git(&dir, ["ls-tree", "--name-only", "main", "a", "mine"]).ok().prints("a\nmine\n");
}

const KILL: &str = "kill -9 \"$(cut -d' ' -f4 \"/proc/$PPID/stat\")\"";

#[test]
fn repair_frees_what_a_killed_integration_held_and_tells_of_the_rest() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    when_main_moves(&sandbox, &dir, KILL);
    sandbox.integrate(&dir, [] as [&str; 0]).fails(137);
    let lock = dir.join(".git/index.lock");
    let found = format!("'{}' was left by an integration into 'main' that was killed\n", lock.display());
    let run = sandbox.task(&dir, ["repair", "-n"]).fails(1);
    assert!(lock.exists() && run.stdout.contains(&found), "{run}");
    let run = sandbox.task(&dir, ["repair"]).ok().says("see 'git integrate --status'");
    assert!(!lock.exists() && run.stdout.contains(&format!("mended: {found}")), "{run}");
    sandbox.integrate(&dir, ["--status"]).fails(1);
    sandbox.integrate(&dir, ["--continue"]).ok();
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    settled(&sandbox, &dir);
}

/// Why git has locked what it makes for us.
const MADE: &str = "being made by git-parallel";

#[test]
fn repair_takes_away_a_private_worktree_that_was_not_made_to_its_end() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "integrate.check", "true"]).ok();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    let shop = sandbox.path("repo-worktrees/.integrate-repo-main");
    sandbox.git(&dir, ["worktree", "remove", "--force", shop.to_str().unwrap()]).ok();
    // As a git leaves it that is killed while it adds it: we have not marked it yet.
    let add = ["worktree", "add", "-q", "--detach", "--no-checkout", "--lock", "--reason", MADE];
    sandbox.git(&dir, add.iter().copied().chain([shop.to_str().unwrap()])).ok();
    let admin = dir.join(".git/worktrees/-integrate-repo-main");
    std::fs::write(admin.join("HEAD"), format!("{}\n", "0".repeat(40))).unwrap();
    let found = format!("'{}' was left by an integration into 'main' that was killed\n", shop.display());
    sandbox.task(&dir, ["repair", "-n"]).fails(1).prints(&found);
    sandbox.task(&dir, ["repair"]).ok().prints(&format!("mended: {found}"));
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert!(!shop.exists());
    ready(&sandbox, &dir, "b", "b", "1\n");
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    settled(&sandbox, &dir);
}

#[test]
fn what_somebody_else_has_where_the_private_worktree_was_stays() {
    for mine in ["mkdir \"$0\"", "git init -q \"$0\"", "git worktree add -q --detach \"$0\""] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.git(&dir, ["config", "integrate.check", "true"]).ok();
        ready(&sandbox, &dir, "a", "a", "1\n");
        sandbox.integrate(&dir, [] as [&str; 0]).ok();
        let shop = sandbox.path("repo-worktrees/.integrate-repo-main");
        sandbox.git(&dir, ["worktree", "remove", "--force", shop.to_str().unwrap()]).ok();
        sandbox.sh(&dir, &mine.replace("$0", shop.to_str().unwrap())).ok();
        // A repository is somebody's without any file.
        let mine_is = if mine.contains("init") { ".git/mine" } else { "mine" };
        sandbox.write(&shop, mine_is, "mine\n");
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
        sandbox.task(&dir, ["repair"]).ok().prints("");
        ready(&sandbox, &dir, "b", "b", "1\n");
        sandbox.integrate(&dir, [] as [&str; 0]).ok();
        assert_eq!(std::fs::read_to_string(shop.join(mine_is)).unwrap(), "mine\n", "{mine}");
    }
}

#[test]
fn an_event_is_not_raised_again_after_a_kill() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let log = sandbox.path("raised");
    let team = format!("[[on]]\nevent = \"integrated\"\nrun = \"echo $GIT_TASK >>{}\"\n", log.display());
    sandbox.commit(&dir, ".config/git-parallel.toml", team, "Team");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    when(&sandbox, &dir, "committed refs/heads/a", KILL);
    sandbox.integrate(&dir, [] as [&str; 0]).fails(137);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "a\n");
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "a\nb\n");
    settled(&sandbox, &dir);
}

#[test]
fn a_worktree_that_goes_over_to_the_target_at_the_last_moment_follows() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.git(&dir, ["switch", "-q", "-c", "elsewhere"]).ok();
    let other = sandbox.path("other");
    sandbox.git(&dir, ["worktree", "add", "-q", "--detach", other.to_str().unwrap(), "main"]).ok();
    let go_over = format!(
        "unset $(git rev-parse --local-env-vars)\ngit -C '{}' switch -q main 2>>'{}'",
        other.display(),
        sandbox.path("said").display()
    );
    when(&sandbox, &dir, "prepared refs/heads/main", &go_over);
    sandbox.integrate(&dir, ["--into", "main"]).ok();
    sandbox.git(&other, ["symbolic-ref", "--short", "HEAD"]).ok().prints("main\n");
    sandbox.git(&other, ["status", "--porcelain"]).ok().prints("");
    assert!(other.join("a").exists());
    settled(&sandbox, &dir);
}

#[test]
fn a_lock_that_a_killed_integration_held_is_freed() {
    for option in ["--status", "--continue", "--abort"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        ready(&sandbox, &dir, "a", "a", "1\n");
        when_main_moves(&sandbox, &dir, "kill -9 \"$(cut -d' ' -f4 \"/proc/$PPID/stat\")\"");
        let run = sandbox.integrate(&dir, [] as [&str; 0]);
        assert_eq!(run.code, 137, "{run}");
        assert!(dir.join(".git/index.lock").exists(), "{option}");
        sandbox.integrate(&dir, [option]);
        assert!(!dir.join(".git/index.lock").exists(), "{option}");
        if option == "--status" {
            sandbox.integrate(&dir, ["--continue"]).ok();
        }
        sandbox.git(&dir, ["ls-tree", "--name-only", "main", "a"]).ok().prints("a\n");
        settled(&sandbox, &dir);
        // One of somebody else's is left alone.
        ready(&sandbox, &dir, "b", "b", "1\n");
        sandbox.write(&dir, ".git/index.lock", "");
        sandbox.git(&dir, ["config", "task.lockTimeout", "0"]).ok();
        sandbox.integrate(&dir, ["--porcelain"]).fails(1);
        sandbox.integrate(&dir, ["--status"]).fails(1);
        assert!(dir.join(".git/index.lock").exists());
    }
}

#[test]
fn a_repair_takes_nothing_from_an_integration_that_runs() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    let repair = format!(
        "unset $(git rev-parse --local-env-vars)\ngit -C '{}' task repair >'{}' 2>&1",
        dir.display(),
        sandbox.path("said").display()
    );
    when_main_moves(&sandbox, &dir, &repair);
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    assert_eq!(std::fs::read_to_string(sandbox.path("said")).unwrap(), "");
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
}

#[test]
fn who_went_on_in_what_was_kept_goes_on_after_an_undo() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.integrate(&dir, ["--keep"]).ok();
    sandbox.commit(&path, "later", "2\n", "Later");
    sandbox.integrate(&dir, ["--undo"]).ok();
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("a open\n");
    sandbox.task(&dir, ["ready", "a"]).ok();
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    sandbox.git(&dir, ["ls-tree", "--name-only", "main", "a", "later"]).ok().prints("a\nlater\n");
}

#[test]
fn a_git_that_was_killed_just_after_its_commit_is_gone_on_from() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    // git runs it before it forgets that it was merging.
    let hook = format!("#!/bin/sh\nmkdir '{}' && kill -KILL $PPID\n", sandbox.path("once").display());
    sandbox.write(&dir, ".git/hooks/post-merge", hook);
    sandbox.sh(&dir, "chmod +x .git/hooks/post-merge").ok();
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    assert!(sandbox.path("once").exists());
    let log = sandbox.git(&dir, ["log", "--first-parent", "--format=%s %p"]).ok().stdout;
    let subjects: Vec<_> = log.lines().filter_map(|line| line.split('\'').nth(1)).collect();
    assert_eq!(subjects, ["b", "a"], "{log}");
    assert_eq!(std::fs::read_to_string(dir.join("b")).unwrap(), "1\n");
    settled(&sandbox, &dir);
}

#[test]
fn a_git_that_was_killed_just_after_it_moved_the_target_has_moved_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    when_main_moves(&sandbox, &dir, "kill -KILL $PPID");
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    assert!(sandbox.path("once").exists());
    assert_eq!(std::fs::read_to_string(dir.join("a")).unwrap(), "1\n");
    sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("a integrated\n");
    settled(&sandbox, &dir);
}

#[test]
fn a_merge_of_something_else_is_not_taken_for_the_tasks() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, "f", "0\n", "File");
    ready(&sandbox, &dir, "a", "f", "1\n");
    sandbox.commit(&dir, "f", "2\n", "Change");
    sandbox.git(&dir, ["branch", "other", "HEAD~1"]).ok();
    sandbox.integrate(&dir, ["--on-conflict=stop"]).fails(1);
    let shop = sandbox.path("repo-worktrees/.integrate-repo-main");
    sandbox.git(&shop, ["merge", "--abort"]).ok();
    let other =
        "git checkout -q other && echo 1 >g && git add g && git commit -qm Other && git checkout -q main";
    sandbox.sh(&dir, other).ok();
    sandbox.git(&shop, ["merge", "--no-ff", "--no-commit", "other"]).ok();
    let refused = sandbox.integrate(&dir, ["--continue"]).fails(128);
    refused.says("is not that of 'a'").says("merge --abort");
    assert_eq!(sandbox.git(&dir, ["log", "-1", "--format=%s", "main"]).ok().line(), "Change");
    sandbox.git(&shop, ["merge", "--abort"]).ok();
    sandbox.integrate(&dir, ["--abort"]).ok();
    settled(&sandbox, &dir);
}

#[test]
fn a_file_that_was_not_written_to_its_end_is_written_again() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "README", "other\n");
    // git removes a file before it writes the next.
    let write = format!("cd '{}' && printf 1 >a && printf oth >README\n{KILL}", dir.display());
    when_main_moves(&sandbox, &dir, &write);
    assert_eq!(sandbox.integrate(&dir, [] as [&str; 0]).code, 137);
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(std::fs::read_to_string(dir.join("a")).unwrap(), "1\n");
    assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "other\n");
    settled(&sandbox, &dir);
}

#[test]
fn what_git_removed_before_it_was_killed_is_there_again_when_all_goes_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.seen filter=kill\n", "Filter");
    sandbox.commit(&dir, "a.seen", "0\n", "Seen");
    ready(&sandbox, &dir, "a", "a.seen", "1\n");
    let before = sandbox.commit_id(&dir, "main");
    // Where the user is, git has removed the old file by now.
    let (at, once) = (dir.display(), sandbox.path("once"));
    let kill =
        format!("[ \"$PWD\" = '{at}' ] && mkdir '{}' 2>/dev/null && kill -KILL $PPID; cat", once.display());
    sandbox.git(&dir, ["config", "filter.kill.smudge", &kill]).ok();
    sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
    assert!(once.exists());
    assert_eq!(sandbox.commit_id(&dir, "main"), before);
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(std::fs::read_to_string(dir.join("a.seen")).unwrap(), "1\n");
    settled(&sandbox, &dir);
}
