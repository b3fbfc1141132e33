//! What somebody else does in the middle of a command: it is answered as if it had been done before, or after.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use crate::integrate_run::{ready, workshop};
use crate::pool::{claim, states, with_pool};
use crate::support::*;

/// Runs one of our commands by its own name, for [`Sandbox::before_git`].
#[track_caller]
pub fn ours(sandbox: &Sandbox, dir: &Path, line: &str) -> Run {
    let mut words = line.split(' ');
    let program = words.next().unwrap();
    let run = sandbox.run(dir, program, words);
    assert!(sandbox.root().join("tmp/once").exists(), "nothing came in between: {run}");
    run
}

/// Holds when a git is about to change this reference.
fn changes(name: &str) -> String {
    format!(
        "case \"$*\" in *update-ref*) tr '\\0' '\\n' <\"$input\" | grep -qx 'update {name}' ;; *) false ;; esac"
    )
}

fn branch_x(dir: &Path, at: &str) -> String {
    format!("\"$git\" -C '{}' branch x {at}", dir.display())
}

#[test]
fn a_branch_that_somebody_makes_first_is_his() {
    let is_his = |sandbox: &Sandbox, dir: &Path, at: &str| {
        let there = sandbox.git(dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).ok();
        assert_eq!(there.line(), at);
        sandbox.task(dir, ["repair", "-n"]).ok().prints("");
    };
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let main = sandbox.commit_id(&dir, "main");
    sandbox.before_git(&changes("refs/heads/x"), &branch_x(&dir, "main"));
    let run = ours(&sandbox, &dir, "git-task add x").fails(128);
    run.says("fatal: a branch named 'x' already exists\n");
    is_his(&sandbox, &dir, &main);

    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "x", "1\n", "Work");
    let tip = sandbox.commit_id(&path, "HEAD");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.before_git(&changes("refs/heads/x"), &branch_x(&dir, &tip));
    let run = ours(&sandbox, &dir, "git-task restore x").fails(128);
    run.says("fatal: a branch named 'x' already exists\n");
    is_his(&sandbox, &dir, &tip);
    sandbox.task(&dir, ["restore", "x"]).ok();
}

#[test]
fn an_undo_leaves_a_branch_alone_that_was_made_meanwhile() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "x", "x", "1\n");
    let before = sandbox.commit_id(&dir, "main");
    sandbox.integrate(&dir, ["x"]).ok();
    sandbox.before_git(&changes("refs/heads/x"), &branch_x(&dir, &before));
    ours(&sandbox, &dir, "git-integrate --undo").ok();
    assert_eq!(sandbox.commit_id(&dir, "main"), before);
    assert_eq!(sandbox.commit_id(&dir, "x"), before);
    sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("x open\n");
}

#[test]
fn a_slot_that_is_drained_meanwhile_is_not_broken() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    // Who lists reads the metadata, then what is under way: there it waits.
    let wait = dir.join(".git/git-parallel/intents/wait");
    sandbox.sh(&dir, &format!("mkdir -p .git/git-parallel/intents && mkfifo '{}'", wait.display())).ok();
    let mut list = sandbox.command(&dir, "git-pool");
    let list = list.args(["list", "--format=%(slot) %(state)"]).stdout(Stdio::piped()).spawn().unwrap();
    let go = File::options().write(true).open(&wait).unwrap();
    // As `git pool drain` does it.
    sandbox.git(&dir, ["worktree", "remove", "../repo-worktrees/pool-2"]).ok();
    sandbox.git(&dir, ["config", "--remove-section", "pool.2"]).ok();
    fs::remove_file(wait).unwrap();
    drop(go);
    assert_eq!(String::from_utf8_lossy(&list.wait_with_output().unwrap().stdout), "1 idle\n");
}

#[test]
fn what_somebody_wrote_into_a_slot_unseen_is_not_drained_away() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let slot = sandbox.path("repo-worktrees/pool-1");
    // As if it had come just before the slot was marked as clean.
    let unseen = "touch -r . ../time && echo mine >mine && touch -r ../time . && rm ../time";
    sandbox.sh(&slot, unseen).ok();
    let run = sandbox.pool(&dir, ["drain"]).fails(1);
    run.says("error: slot 1 stays: somebody has written there meanwhile\n");
    assert_eq!(fs::read_to_string(slot.join("mine")).unwrap(), "mine\n");
    assert_eq!(fs::read_dir(sandbox.path("repo-worktrees")).unwrap().count(), 1);
    fs::remove_file(slot.join("mine")).unwrap();
    sandbox.pool(&dir, ["drain"]).ok();
    assert_eq!(fs::read_dir(sandbox.path("repo-worktrees")).unwrap().count(), 0);
    assert_sound(&sandbox, &dir);
}

#[test]
fn who_comes_back_to_a_slot_while_it_is_drained_loses_nothing() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let slot = sandbox.path("repo-worktrees/pool-1");
    let came = sandbox.path("came");
    let (at, came_at) = (slot.display(), came.display());
    let write = format!("mkdir '{at}' && echo mine >'{at}/mine' && >'{came_at}'");
    sandbox.before_git(&format!("[ ! -d '{at}' ]"), &write);
    ours(&sandbox, &dir, "git-pool drain");
    assert!(came.exists() && slot.join("mine").exists(), "what was written is lost");
}

#[test]
fn a_slot_that_is_written_to_while_it_is_given_back_is_named() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let slot = claim(&sandbox, &dir, &["x"]);
    sandbox.commit(&dir, "src/deep/file", "2\n", "Move on");
    let write = format!("echo mine >'{}/src/deep/file'", slot.display());
    sandbox.before_git("case \"$*\" in 'read-tree -m -u'*) ;; *) false ;; esac", &write);
    let run = ours(&sandbox, &dir, "git-pool release x").fails(128);
    assert!(run.stderr.starts_with(&format!("fatal: could not bring '{}' to ", slot.display())), "{run}");
    sandbox.pool(&dir, ["repair"]).ok();
    assert_eq!(fs::read_to_string(slot.join("src/deep/file")).unwrap(), "mine\n");
    assert_eq!(states(&sandbox, &dir), "1 claimed\n");
}

#[test]
fn objects_that_a_packing_git_kept_from_being_written_are_written_again() {
    for program in ["mktree", "hash-object"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let path = sandbox.task(&dir, ["add", "x"]).ok().path();
        sandbox.write(&path, "deep/new", "new\n");
        // They go elsewhere, and git ends as if they had not: builtin/mktree.c.
        let lose = format!(
            "export GIT_OBJECT_DIRECTORY='{}' GIT_ALTERNATE_OBJECT_DIRECTORIES='{}'\n\"$git\" \"$@\"\n\
             echo 'error: unable to create temporary file: No such file or directory' >&2; exit 0",
            sandbox.path("elsewhere").display(),
            dir.join(".git/objects").display()
        );
        sandbox.before_git(&format!("case \" $* \" in *' {program} '*) ;; *) false ;; esac"), &lose);
        fs::create_dir(sandbox.path("elsewhere")).unwrap();
        ours(&sandbox, &dir, "git-task rm -f x").ok();
        sandbox.task(&dir, ["restore", "x"]).ok();
        assert_eq!(fs::read_to_string(path.join("deep/new")).unwrap(), "new\n");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn a_note_is_not_written_where_the_worktree_was() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let before = fs::read_to_string(path.join("notes/x/status.md")).unwrap();
    for (kind, code) in [("move", 128), ("rename", 128), ("rm", 128), ("lock", 0)] {
        // As it is while somebody moves it.
        sandbox.write(&dir, ".git/git-parallel/intents/x", format!("[{kind}]\n\tpath = \"/nowhere\"\n"));
        let at_work = File::open(dir.join(".git/git-parallel/intents/x")).unwrap();
        at_work.lock().unwrap();
        sandbox.git(&dir, ["-c", "task.lockTimeout=0", "task", "note", "x", "--next", kind]).fails(code);
        let now = fs::read_to_string(path.join("notes/x/status.md")).unwrap();
        assert_eq!(now == before, code != 0, "{kind}: {now}");
        fs::remove_file(dir.join(".git/git-parallel/intents/x")).unwrap();
    }
}

#[test]
fn of_several_who_write_a_note_each_is_heard() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let options = ["--goal", "--assumption", "--blocker", "--next"];
    for round in 0..5 {
        let said = options.map(|option| format!("{} {round}", &option[2..]));
        for run in at_once(options.len(), |i| sandbox.task(&dir, ["note", "x", options[i], &said[i]])) {
            run.ok();
        }
        let note = fs::read_to_string(path.join("notes/x/status.md")).unwrap();
        assert!(said.iter().all(|text| note.contains(text)), "{note}");
    }
}

#[test]
fn an_integration_that_has_stopped_waits_also_while_somebody_looks_at_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "same", "1\n");
    ready(&sandbox, &dir, "b", "same", "2\n");
    sandbox.integrate(&dir, ["--on-conflict=stop"]).fails(1);
    // As another `git integrate` has it until it has said that one has stopped.
    let lock = File::open(dir.join(".git/git-parallel/integrate/main/lock")).unwrap();
    lock.lock().unwrap();
    let run = sandbox.integrate(&dir, ["--status"]).fails(1);
    assert!(run.stdout.contains(&format!("private worktree: {}", workshop(&sandbox).display())), "{run}");
}

#[test]
fn a_session_does_not_start_where_a_worktree_was() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let intents = dir.join(".git/git-parallel/intents");
    let wait = |name: &str| {
        let path = intents.join(name);
        sandbox.sh(&dir, &format!("mkfifo '{}'", path.display())).ok();
        path
    };
    let first = wait("first");
    let mut start = sandbox.command(&dir, "git-task");
    start.args(["start", "x", "--background", "--", "true"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = start.spawn().unwrap();
    // It looks whether anything was left half done, and then, when it knows where the task is, who else is at it.
    let settling = File::options().write(true).open(&first).unwrap();
    let second = wait("second");
    fs::remove_file(first).unwrap();
    drop(settling);
    let claiming = File::options().write(true).open(&second).unwrap();
    sandbox.git(&dir, ["worktree", "remove", "--force", "../repo-worktrees/x"]).ok();
    fs::remove_file(second).unwrap();
    drop(claiming);
    let said = start.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.starts_with("fatal: task 'x' has no worktree\n"), "{said}");
}

#[test]
fn what_is_said_of_a_task_while_it_is_restored_stays_said() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let slot = claim(&sandbox, &dir, &["x"]);
    sandbox.write(&slot, "mine", "mine\n");
    sandbox.pool(&dir, ["release", "-f", "x"]).ok();
    let block = format!("env -u GIT_DIR \"$git\" -C '{}' task block -m why x", dir.display());
    sandbox.before_git("case \"$*\" in 'worktree add'*) ;; *) false ;; esac", &block);
    let path = ours(&sandbox, &dir, "git-task restore x").ok().path();
    assert_eq!(fs::read_to_string(path.join("mine")).unwrap(), "mine\n");
    sandbox.task(&dir, ["list", "--format=%(state) %(reason)"]).ok().prints("blocked why\n");
}

#[test]
fn who_waits_to_write_a_note_keeps_nobody_waiting() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let state = dir.join(".git/git-parallel");
    let wait = state.join("intents/wait");
    sandbox.sh(&dir, &format!("mkfifo '{}'", wait.display())).ok();
    sandbox.git(&dir, ["config", "task.lockTimeout", "20"]).ok();
    let mut note = sandbox.command(&dir, "git-task");
    let mut note = note.args(["note", "x", "--next", "it"]).spawn().unwrap();
    let go = File::options().write(true).open(&wait).unwrap();
    // It holds the state lock, and by now somebody is restoring the task, who needs it too.
    sandbox.git(&dir, ["config", "task.x.state", "dropped"]).ok();
    sandbox.write(&dir, ".git/git-parallel/intents/x", "[restore]\n");
    let restoring = File::open(state.join("intents/x")).unwrap();
    restoring.lock().unwrap();
    fs::remove_file(wait).unwrap();
    drop(go);
    sandbox.git(&dir, ["-c", "task.lockTimeout=2", "task", "add", "y", "-q"]).ok();
    sandbox.git(&dir, ["config", "task.x.state", "open"]).ok();
    fs::remove_file(state.join("intents/x")).unwrap();
    assert!(note.wait().unwrap().success());
    let path = sandbox.task(&dir, ["path", "x"]).ok().path();
    assert!(fs::read_to_string(path.join("notes/x/status.md")).unwrap().contains("it"));
}

#[test]
fn a_task_that_is_reopened_before_it_is_tidied_up_stays() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    let reopen = format!("env -u GIT_DIR git -C '{}' task reopen b", dir.display());
    let deletes_a = "case \"$*\" in *update-ref*) tr '\\0' '\\n' <\"$input\" | grep -q '^delete refs/heads/a$' ;; *) false ;; esac";
    sandbox.before_git(deletes_a, &reopen);
    let run = ours(&sandbox, &dir, "git-integrate").ok();
    run.says("warning: kept worktree and branch of 'b': it is open");
    sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("a integrated\nb open\n");
    assert!(sandbox.path("repo-worktrees/b").exists());
}
