//! `git task sync` that stops at conflicts: as `git merge` would, and without harm to who is at work there.

use std::path::{Path, PathBuf};

use crate::meanwhile::ours;
use crate::support::*;

/// Both sides, as scripts, of a conflict, and how it is prepared.
const KINDS: [(&str, &str, &str, &str); 11] = [
    ("content", "", "echo ours >README", "echo theirs >README"),
    (
        "more than one, and more that is none",
        "seq 30 >n && git add n",
        "seq 31 >n; echo o >README",
        "seq 29 >n; echo t >README; echo t >t",
    ),
    ("both added", "", "echo ours >new", "echo theirs >new"),
    ("changed and deleted", "", "echo ours >README", "git rm -q README"),
    ("deleted and changed", "", "git rm -q README", "echo theirs >README; echo t >t"),
    ("renamed twice", "seq 30 >n && git add n", "git mv n ours", "git mv n theirs"),
    ("renamed and deleted", "seq 30 >n && git add n", "git mv n ours", "git rm -q n"),
    (
        "renamed and changed",
        "seq 30 >n && git add n",
        "git mv n o; echo o >>o",
        "echo t >>n; echo t >README; echo o >README",
    ),
    ("a file and a directory", "", "echo ours >new", "mkdir new && echo theirs >new/file"),
    ("binary", "", "printf 'o\\0' >README", "printf 't\\0' >README"),
    ("a mode and a link", "", "chmod +x README; echo o >README", "ln -sf nowhere README"),
];

/// A task `x` and its base, which conflict; with its worktree.
fn conflicting(sandbox: &Sandbox, (_, base, ours, theirs): (&str, &str, &str, &str)) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    sandbox.sh(&dir, &format!("true; {base}")).ok();
    sandbox.git(&dir, ["commit", "-q", "--allow-empty", "-m", "Base"]).ok();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    for (place, script) in [(&path, ours), (&dir, theirs)] {
        sandbox.sh(place, &format!("{script}; git add -A && git commit -q -m Work")).ok();
    }
    (dir, path)
}

/// Everything that a merge leaves in a worktree.
fn left(sandbox: &Sandbox, path: &Path) -> String {
    let script = "git status --porcelain -uall; git ls-files -s; git rev-parse HEAD ORIG_HEAD MERGE_HEAD AUTO_MERGE
        d=$(git rev-parse --absolute-git-dir); cat -A \"$d/MERGE_MSG\" \"$d/MERGE_MODE\"
        find . -name .git -prune -o -name status.md -prune -o -type f -print -o -type l -print | sort |
            while read -r f; do ls -l \"$f\" | cut -c1-10; echo \"$f\"; cat \"$f\" || readlink \"$f\"; done 2>/dev/null
        cat \"$d/MERGE_RR\" 2>/dev/null; git diff | head -100";
    sandbox.sh(path, script).stdout
}

#[test]
fn it_stops_as_git_would() {
    let settings: [&[&str]; 3] = [&[], &["merge.conflictStyle", "diff3"], &["rerere.enabled", "true"]];
    for kind in KINDS {
        // What is configured is the same for all.
        let settings = if kind.0 == "content" { &settings[..] } else { &settings[..1] };
        for setting in settings {
            let sandbox = Sandbox::new();
            let (dir, path) = conflicting(&sandbox, kind);
            sandbox.git(&dir, ["config", "core.commentChar", ";"]).ok();
            if let [key, value] = setting {
                sandbox.git(&dir, ["config", key, value]).ok();
            }
            let before = Picture::of(&sandbox, &path, &[]);
            let tip = sandbox.commit_id(&dir, "main");
            sandbox.git(&path, ["merge", "-q", "-m", "Merge branch 'main' into x", &tip]).fails(1);
            let expected = left(&sandbox, &path);
            sandbox.git(&path, ["merge", "--abort"]).ok();
            sandbox.sh(&path, "rm -rf \"$(git rev-parse --git-common-dir)/rr-cache\"").ok();
            sandbox.task(&dir, ["sync", "x"]).fails(1).says("the merge of 'x' stopped with conflicts in ");
            assert_eq!(left(&sandbox, &path), expected, "{kind:?} {setting:?}");
            sandbox.git(&path, ["merge", "--abort"]).ok();
            before.assert_is(&Picture::of(&sandbox, &path, &[]));
        }
    }
}

#[test]
fn what_is_staged_or_edited_in_the_middle_of_it_stays() {
    // Whatever git is about to do, in turn.
    for condition in ["merge-tree", "diff-index", "update-index -q", "read-tree", "update-index -z", "merge "]
    {
        for (name, add) in [("new", true), ("new", false), ("README", true), ("README", false)] {
            let sandbox = Sandbox::new();
            let (dir, path) = conflicting(&sandbox, KINDS[0]);
            let add = if add {
                format!("&& env -u GIT_DIR -u GIT_INDEX_FILE \"$git\" add {name}")
            } else {
                String::new()
            };
            let edit = format!("cd '{}' && echo mine >{name} {add}", path.display());
            sandbox.before_git(&format!("case \" $* \" in *' {condition}'*) ;; *) false ;; esac"), &edit);
            let run = sandbox.run(&dir, "git-task", ["sync", "x"]);
            if !sandbox.root().join("tmp/once").exists() {
                assert_eq!(condition, "merge ", "git is asked otherwise now: {run}");
                continue;
            }
            assert_eq!(std::fs::read_to_string(path.join(name)).unwrap(), "mine\n", "{condition} {run}");
            if run.code == 128 {
                run.says("would be overwritten by merge");
                sandbox.git(&path, ["rev-parse", "-q", "--verify", "MERGE_HEAD"]).fails(1);
            } else {
                // By then git has looked, and written.
                assert!(name == "new" || condition == "update-index -z", "{run}");
                run.fails(1).says("stopped with conflicts in README");
                let new = if name == "new" { "?? new\n" } else { "" };
                sandbox.git(&path, ["status", "--porcelain"]).ok().prints(&format!("UU README\n{new}"));
            }
            assert!(!dir.join(".git/worktrees/x/index.lock").exists());
        }
    }
}

#[test]
fn a_commit_in_the_middle_of_it_is_merged_too() {
    let sandbox = Sandbox::new();
    let (dir, path) = conflicting(&sandbox, KINDS[0]);
    let commit = format!("env -u GIT_DIR \"$git\" -C '{}' commit -q --allow-empty -m Mine", path.display());
    sandbox.before_git("case \" $* \" in *' merge-tree '*) ;; *) false ;; esac", &commit);
    ours(&sandbox, &dir, "git-task sync x").fails(1).says("stopped with conflicts in README");
    sandbox.git(&path, ["log", "-1", "--format=%s"]).ok().prints("Mine\n");
    sandbox.sh(&path, "echo both >README && git commit -qam Merge").ok();
    let parents = sandbox.git(&path, ["rev-list", "--parents", "-n1", "HEAD"]).ok().stdout;
    assert_eq!(parents.split_whitespace().count(), 3);
}

#[test]
fn a_clone_stops_too() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--clone"]).ok().path();
    sandbox.commit(&path, "README", "ours\n", "Ours");
    sandbox.commit(&dir, "README", "theirs\n", "Theirs");
    sandbox.task(&dir, ["sync", "x"]).fails(1).says("the merge of 'x' stopped with conflicts in README");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("UU README\n");
    sandbox.sh(&path, "echo both >README && git commit -qam Merge").ok();
    sandbox.task(&dir, ["sync", "x"]).ok().says("up to date");
}

#[test]
fn a_commit_that_is_taken_back_in_the_middle_of_it_does_not_come_in() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "x", "x\n", "Work");
    sandbox.commit(&dir, "m", "m\n", "Main");
    let at = format!("env -u GIT_DIR \"$git\" -C '{}'", path.display());
    let script = format!(
        "echo mine >'{0}/mine'; {at} add mine; {at} commit -q -m Mine; \"$git\" \"$@\"; code=$?; \
         {at} reset -q --hard HEAD~; exit $code",
        path.display()
    );
    sandbox.before_git("case \" $* \" in *' merge-tree '*) ;; *) false ;; esac", &script);
    ours(&sandbox, &dir, "git-task sync x").ok();
    let files = sandbox.git(&path, ["ls-tree", "--name-only", "HEAD"]).ok().stdout;
    assert!(files.contains("m\n") && !files.contains("mine"), "{files}");
}
