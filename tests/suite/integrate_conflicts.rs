//! The conflict prompt on a real terminal, about real merges that stopped.

use std::path::{Path, PathBuf};

use git_parallel::commands::integrate::dialogue::Dialogue;
use git_parallel::context::Context;
use git_parallel::error::Failure;
use git_parallel::git::Repo;
use git_parallel::integrate::conflict::{Decision, Head, Operation, Resolver, Stopped};
use git_parallel::ui::{Ui, When};

use crate::support::*;

/// Not a test: what the others run on a terminal. It asks about the merge in the current directory, and its exit
/// code tells what came of it.
#[test]
#[ignore = "the other tests run it on a terminal of theirs"]
fn ask() {
    let code = match ask_here() {
        Ok(Decision::Resolved) => 0,
        Ok(Decision::Stop) => 10,
        Ok(Decision::SkipTask) => 11,
        Ok(Decision::Abort) => 12,
        Err(failure) => {
            Ui::plain().failure(&failure);
            failure.kind.exit_code().into()
        }
    };
    std::process::exit(code);
}

fn ask_here() -> Result<Decision, Failure> {
    let context = Context::from_env()?;
    let mut ui = Ui::plain();
    ui.prompts = context.prompts_allowed;
    ui.set_color(When::Auto, false, false);
    let repo = Repo::discover(&context)?;
    let head = |name: &str, rev: &str| {
        Ok::<_, Failure>(Head { name: name.into(), commit: repo.require_commit(rev)? })
    };
    let stopped = Stopped {
        repo: &repo,
        worktree: repo.workdir().expect("it is run in a worktree").to_owned(),
        task: "bug-login".to_owned(),
        ours: head("main", "main")?,
        theirs: head("bug-login", "bug-login")?,
        operation: Operation::Merge,
    };
    Dialogue::new(&ui).resolve(&stopped)
}

/// A merge of `bug-login` into `main` that stopped, each side made by a script. Gives its worktree.
fn stopped(sandbox: &Sandbox, base: &str, ours: &str, theirs: &str) -> PathBuf {
    let dir = sandbox.init();
    let commit = "git add -A && git commit -q --allow-empty -m change";
    sandbox.sh(&dir, &format!("set -e; {base}\n{commit}; git branch bug-login; {ours}\n{commit}")).ok();
    sandbox
        .sh(&dir, &format!("set -e; git checkout -q bug-login; {theirs}\n{commit}; git checkout -q main"))
        .ok();
    sandbox.sh(&dir, "git worktree add -q --detach ../private main").ok();
    let worktree = sandbox.path("private");
    sandbox.git(&worktree, ["merge", "-q", "--no-ff", "bug-login"]).fails(1);
    worktree
}

fn talk(sandbox: &Sandbox, worktree: &Path, editor: &str) -> Pty {
    talk_on(sandbox, worktree, editor, 80)
}

fn talk_on(sandbox: &Sandbox, worktree: &Path, editor: &str, columns: u16) -> Pty {
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "stty cols {columns}; exec \"$0\" --ignored --exact integrate_conflicts::ask --nocapture --quiet"
    );
    let words = ["sh".into(), "-c".into(), script.into(), program.into_os_string()];
    Pty::spawn_with(sandbox, worktree, words, |command| {
        command.env("GIT_EDITOR", editor);
    })
}

pub const BASE: &str = "seq 1 9 > f; printf '\\0a' > b.png; seq 1 9 > gone";
pub const OURS: &str = "sed -i s/5/five/ f; printf '\\0b' > b.png; sed -i s/5/x/ gone";
pub const THEIRS: &str = "sed -i s/5/FIVE/ f; printf '\\0c' > b.png; git rm -q gone";

#[test]
fn one_file_after_the_other_and_one_answer_taken_back() {
    let sandbox = Sandbox::new();
    let worktree = stopped(&sandbox, BASE, OURS, THEIRS);
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("3 conflicts in task 'bug-login', between main and bug-login");
    pty.expect("modify/delete (1): gone").expect("binary (1): b.png").expect("content (1): f");
    pty.expect("1 of 3: modify/delete: gone").expect("gone deleted in bug-login and modified in main");
    pty.expect("1  main: keep it").expect("2  bug-login: delete it").expect("1/3 gone [1,2,d,s,q,a]");
    pty.send("d\r").expect("main changed:").expect("-5").expect("+x").expect("bug-login deleted it");
    pty.expect("1/3 gone").send("zzz\r").expect("'zzz' is not one of 1,2,d,s,q,a.");
    pty.expect("1/3 gone").send("\r").expect("Answer with one of");
    pty.expect("1/3 gone").send("2\r");
    pty.expect("2 of 3: binary: b.png")
        .expect("1  main: a file of 2 bytes")
        .expect("3  both: under two names");
    pty.expect("[1,2,3,d,u,s,q,a]");
    assert!(!worktree.join("gone").exists());
    pty.send("u\r").expect("Undone: gone").expect("1 of 3: modify/delete: gone");
    assert!(worktree.join("gone").exists());
    pty.expect("1/3 gone").send("main\r").expect("2/3 b.png").send("both\r");
    pty.expect("3 of 3: content: f").expect("<<<<<<< main\n  five\n=======\n  FIVE\n>>>>>>> bug-login\n");
    pty.expect("3/3 f").send("bug\r");
    pty.expect("Nothing is in conflict any more.").expect("Go on?").send("d\r");
    pty.expect("b~bug-login.png").expect("Go on?").send("yes\r");
    assert_eq!(pty.wait(), 0);
    sandbox.git(&worktree, ["commit", "-q", "--no-edit"]).ok();
    sandbox.git(&worktree, ["status", "--porcelain"]).ok().prints("");
    let names = sandbox.git(&worktree, ["ls-files"]).ok().stdout;
    assert_eq!(names, "README\nb.png\nb~bug-login.png\nf\ngone\n");
    assert_eq!(std::fs::read_to_string(worktree.join("f")).unwrap(), "1\n2\n3\n4\nFIVE\n6\n7\n8\n9\n");
}

#[test]
fn it_can_be_left_and_begun_again() {
    for (keys, code) in [("s\r", 11), ("q\r", 10), ("a\r", 12), ("\x04", 10), ("\x03", 130)] {
        let sandbox = Sandbox::new();
        let worktree = stopped(&sandbox, BASE, OURS, THEIRS);
        let mut pty = talk(&sandbox, &worktree, "false");
        pty.expect("1/3 gone").send("1\r").expect("2/3 b.png").send(keys);
        assert_eq!(pty.wait(), code, "{keys:?}");
        let raw = String::from_utf8_lossy(pty.raw()).into_owned();
        assert!(raw.rfind("\x1b[?25l") <= raw.rfind("\x1b[?25h"), "the cursor is left hidden");
        // What was answered stays answered.
        let mut pty = talk(&sandbox, &worktree, "false");
        pty.expect("2 conflicts in task").expect("1 of 2: binary").expect("1/2 b.png").send("1\r");
        pty.expect("2 of 2: content").expect("2/2 f").send("3\r").expect("Go on?").send("y\r");
        assert_eq!(pty.wait(), 0);
        assert!(std::fs::read_to_string(worktree.join("f")).unwrap().contains("five\nFIVE\n"));
    }
}

#[test]
fn an_editor_works_on_the_file() {
    let sandbox = Sandbox::new();
    let worktree = stopped(&sandbox, "seq 1 9 > 'a f'", "sed -i s/5/five/ 'a f'", "sed -i s/5/FIVE/ 'a f'");
    let f = worktree.join("a f");
    // One that fails, one that leaves markers, and one that is content.
    let before = std::fs::read(&f).unwrap();
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("1/1 a f").send("e\r").expect("there was a problem with the editor 'false' (exit code 1)");
    pty.expect("1/1 a f").send("q\r");
    assert_eq!(pty.wait(), 10);
    assert_eq!(std::fs::read(&f).unwrap(), before);
    let mut pty = talk(&sandbox, &worktree, "sed -i '/^[=]/d'");
    pty.expect("1/1 a f").send("e\r").expect("'a f' still holds a conflict marker in line 5");
    pty.expect("1/1 a f").send("q\r");
    assert_eq!(pty.wait(), 10);
    sandbox.git(&worktree, ["ls-files", "-u"]).ok().says("");
    assert!(!sandbox.git(&worktree, ["ls-files", "-u"]).ok().stdout.is_empty());
    let mut pty = talk(&sandbox, &worktree, "sed -i '/^[<>]/d'");
    pty.expect("1/1 a f").send("edit\r").expect("Go on?").send("u\r").expect("Undone: a f");
    assert!(std::fs::read_to_string(&f).unwrap().contains("<<<<<<<"));
    pty.expect("1/1 a f").send("e\r").expect("Go on?").send("y\r");
    assert_eq!(pty.wait(), 0);
    assert_eq!(std::fs::read_to_string(&f).unwrap(), "1\n2\n3\n4\nfive\nFIVE\n6\n7\n8\n9\n");
}

#[test]
fn a_mergetool_is_the_one_that_git_runs() {
    let sandbox = Sandbox::new();
    let worktree = stopped(&sandbox, "seq 1 9 > f", "sed -i s/5/five/ f", "sed -i s/5/FIVE/ f");
    let tool = |line: &str| {
        sandbox.git(&worktree, ["config", "merge.tool", "mine"]).ok();
        sandbox.git(&worktree, ["config", "mergetool.mine.trustExitCode", "true"]).ok();
        sandbox.git(&worktree, ["config", "mergetool.mine.cmd", line]).ok();
    };
    tool("false");
    let before = std::fs::read(worktree.join("f")).unwrap();
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("1/1 f")
        .send("t\r")
        .expect("there was a problem with git mergetool")
        .expect("1/1 f")
        .send("q\r");
    assert_eq!(pty.wait(), 10);
    assert_eq!(std::fs::read(worktree.join("f")).unwrap(), before);
    tool("cat \"$LOCAL\" \"$REMOTE\" | sort -u > \"$MERGED\"");
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("1/1 f").send("t\r").expect("Go on?").send("u\r").expect("Undone: f");
    assert_eq!(std::fs::read(worktree.join("f")).unwrap(), before);
    pty.expect("1/1 f").send("t\r").expect("Go on?").send("y\r");
    assert_eq!(pty.wait(), 0);
    assert!(std::fs::read_to_string(worktree.join("f")).unwrap().contains("FIVE\nfive\n"));
    sandbox.git(&worktree, ["status", "--porcelain"]).ok().prints("M  f\n");
}

#[test]
fn a_recorded_resolution_is_shown_and_only_then_used() {
    let sandbox = Sandbox::new();
    let base = "git config rerere.enabled true; seq 1 9 > f";
    let worktree = stopped(&sandbox, base, "sed -i s/5/five/ f", "sed -i s/5/FIVE/ f");
    let again = "git commit -q --no-edit; git reset -q --hard HEAD^; git merge -q bug-login";
    sandbox.sh(&worktree, &format!("sed -i '/^[<=>]/d' f; git add f; {again}")).fails(1);
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("There is a recorded resolution (rerere).")
        .expect("-<<<<<<< main")
        .expect("->>>>>>> bug-login");
    pty.expect("r  use the recorded resolution, shown above").expect("1/1 f").send("r\r");
    pty.expect("Go on?").send("u\r").expect("1/1 f").send("r\r").expect("Go on?").send("y\r");
    assert_eq!(pty.wait(), 0);
    assert!(std::fs::read_to_string(worktree.join("f")).unwrap().contains("five\nFIVE\n"));
    // Another answer takes its place.
    sandbox.sh(&worktree, again).fails(1);
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("recorded").expect("1/1 f").send("1\r").expect("Go on?").send("y\r");
    assert_eq!(pty.wait(), 0);
    sandbox.sh(&worktree, again).fails(1);
    assert_eq!(std::fs::read_to_string(worktree.join("f")).unwrap(), "1\n2\n3\n4\nfive\n6\n7\n8\n9\n");
    // What git itself has put into the index needs no answer.
    sandbox.sh(&worktree, "git reset -q --hard; git -c rerere.autoupdate=true merge -q bug-login").fails(1);
    let mut pty = talk(&sandbox, &worktree, "false");
    assert_eq!(pty.wait(), 0);
    assert!(pty.text().contains("'f' has its recorded resolution"), "{}", pty.text());
}

#[test]
fn what_was_done_by_hand_is_seen() {
    let sandbox = Sandbox::new();
    let worktree =
        stopped(&sandbox, "seq 1 9 > f; seq 1 9 > g", "sed -i s/5/five/ f g", "sed -i s/5/FIVE/ f g");
    sandbox.write(&worktree, "f", "mine\n");
    sandbox.git(&worktree, ["add", "g"]).ok();
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("The file in the worktree holds no markers.").expect("+mine").expect("1/1 f").send("f\r");
    // Added with its markers.
    pty.expect("'g' still holds a conflict marker in line 5").expect("Go on? [d,u,s,q,a]").send("y\r");
    pty.expect("is not one of").expect("Go on?").send("q\r");
    assert_eq!(pty.wait(), 10);
    assert_eq!(std::fs::read_to_string(worktree.join("f")).unwrap(), "mine\n");
}

#[test]
fn names_and_contents_cannot_act_on_the_terminal() {
    let sandbox = Sandbox::new();
    let name = "\"$(printf 'n\\033[2J\\n\\302\\233x')\"";
    let script = |text: &str| format!("printf 'a\\n{text}\\033]0;title\\007\\r{text}\\n\\tz\\n' > {name}");
    let worktree = stopped(&sandbox, &script("base"), &script("ours"), &script("theirs"));
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("content: n\\x1b[2J\\n\\u{9b}x").expect("ours\\x1b]0;title\\x07\\rours");
    pty.expect("          z").expect("1/1 n\\x1b[2J").send("d\r").expect("theirs\\x1b]0;title");
    pty.expect("1/1 n").send("3\r").expect("Go on?").send("y\r");
    assert_eq!(pty.wait(), 0);
    let raw = pty.raw();
    for sequence in [&b"\x1b[2J"[..], b"\x1b]0;", b"\x07", b"\xc2\x9b"] {
        assert!(!raw.windows(sequence.len()).any(|w| w == sequence), "{sequence:?}");
    }
}

#[test]
fn no_line_is_broken_by_the_edge() {
    for columns in [20_u16, 40, 200] {
        let sandbox = Sandbox::new();
        let long = "x".repeat(300);
        let script =
            |text: &str| format!("printf '%s\\n' '{text}{long}' '漢字漢字漢字漢字漢字漢字{text}' > f");
        let worktree = stopped(&sandbox, &script("a"), &script("b"), &script("c"));
        let mut pty = talk_on(&sandbox, &worktree, "false", columns);
        pty.expect("<<<<<<< main").expect(">>>>>>> bug-login").expect("1/1 f").send("q\r");
        assert_eq!(pty.wait(), 10);
        let text = pty.text();
        let hunk = &text[text.find("<<<<<<<").unwrap()..text.find(">>>>>>>").unwrap()];
        for line in hunk.lines() {
            assert!(console::measure_text_width(line) <= columns.into(), "{columns}: {line}");
        }
        assert_eq!(hunk.contains('…'), columns < 250, "{hunk}");
    }
}

#[test]
fn a_long_conflict_is_shown_in_part_and_whole_on_demand() {
    let sandbox = Sandbox::new();
    let script = |from: u32| format!("{{ seq 1 20; seq {from} {}; seq 1 20; }} > f", from + 99);
    let worktree = stopped(&sandbox, &script(1000), &script(2000), &script(3000));
    let mut pty = talk(&sandbox, &worktree, "false");
    pty.expect("  2011").expect("… 88 more lines; 'd' shows all").expect("1/1 f");
    assert!(!pty.text().contains("  2012"));
    pty.send("d\r").expect("  2099").expect("1/1 f").send("q\r");
    assert_eq!(pty.wait(), 10);
}

#[test]
fn a_submodule_says_which_side_contains_the_other() {
    for (ours, theirs, said) in [
        ("one two", "one", "which contains bug-login's"),
        ("one", "one two", "which bug-login's contains"),
        ("one", "two", "neither contains the other"),
    ] {
        let sandbox = Sandbox::new();
        let base = "git init -q -b main ../sub; git -C ../sub commit -q --allow-empty -m 0; \
            git -c protocol.file.allow=always submodule --quiet add ../sub s 2>&1";
        let side = |names: &str| {
            format!(
                "git submodule --quiet update; for m in {names}; do git -C s commit -q --allow-empty -m $m; done; \
                 git update-index --cacheinfo 160000,$(git -C s rev-parse HEAD),s; echo {names} > x"
            )
        };
        // Dates are fixed, so the same commit on both sides is one commit.
        let worktree = match stopped_or_not(&sandbox, base, &side(ours), &side(theirs)) {
            Some(worktree) => worktree,
            None => continue,
        };
        let mut pty = talk(&sandbox, &worktree, "false");
        pty.expect(": s").expect(said).expect("/2 s").send("2\r").expect("/2 x").send("q\r");
        assert_eq!(pty.wait(), 10);
    }
}

/// git merges a submodule by itself where one side contains the other and it has the commits.
fn stopped_or_not(sandbox: &Sandbox, base: &str, ours: &str, theirs: &str) -> Option<PathBuf> {
    let worktree = stopped(sandbox, base, ours, theirs);
    let open = sandbox.git(&worktree, ["ls-files", "-u", "s"]).ok().stdout;
    (!open.is_empty()).then_some(worktree)
}

#[test]
fn nobody_is_asked_without_a_terminal() {
    let sandbox = Sandbox::new();
    let worktree = stopped(&sandbox, BASE, OURS, THEIRS);
    let program = std::env::current_exe().unwrap();
    let words = ["--ignored", "--exact", "integrate_conflicts::ask", "--nocapture", "--quiet"];
    let before = sandbox.git(&worktree, ["status", "--porcelain"]).ok().stdout;
    let run = sandbox.run(&worktree, &program, words).fails(128);
    run.says("fatal: cannot ask how to resolve conflicts").says("--on-conflict");
    sandbox.git(&worktree, ["status", "--porcelain"]).ok().prints(&before);
}
