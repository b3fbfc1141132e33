//! Notes: `git task note`, and the view of them in the main worktree.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::*;

fn begin(sandbox: &Sandbox) -> (std::path::PathBuf, std::path::PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    (dir, path.join("notes/x/status.md"))
}

fn editor(sandbox: &mut Sandbox, script: &str) {
    let file = sandbox.home().join("my editor");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("GIT_EDITOR", format!("'{}' --flag", file.display()));
}

#[test]
fn one_section_changes_and_nothing_else() {
    let sandbox = Sandbox::new();
    let (dir, note) = begin(&sandbox);
    let by_hand: &[u8] =
        b"# Mine \xff\r\n\r\nA preface.\r\n\r\n## Goal\r\n\r\nold\r\n\r\n## Other\r\n\r\nkept  \r\n## Blockers\r\n";
    std::fs::write(&note, by_hand).unwrap();
    let args =
        ["note", "x", "--goal", "new", "--blocker", "first", "--blocker", "second", "--next", "go\non"];
    sandbox.task(&dir, args).ok().prints("");
    let expected: &[u8] =
        b"# Mine \xff\r\n\r\nA preface.\r\n\r\n## Goal\r\n\r\nnew\r\n\r\n## Other\r\n\r\nkept  \r\n\
        ## Blockers\r\n\r\n- first\r\n- second\r\n\r\n## Next steps\r\n\r\ngo\r\non\r\n";
    let found = std::fs::read(&note).unwrap();
    assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(expected));
    let run = sandbox.task(note.parent().unwrap(), ["note"]).ok();
    assert_eq!(run.raw_stdout, expected);
    sandbox.task(&dir, ["note", "x", "--blocker", ""]).ok();
    sandbox.task(&dir, ["list", "--format=[%(blocker)]"]).ok().prints("[]\n");
    sandbox.refuses(&dir, ["note"], 129, "which task?");
    sandbox.refuses(&dir, ["note", "nobody"], 128, "no such task");
}

#[test]
fn the_mode_and_the_link_of_a_note_stay() {
    let sandbox = Sandbox::new();
    let (dir, note) = begin(&sandbox);
    std::fs::set_permissions(&note, std::fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.task(&dir, ["note", "x", "--goal", "secret"]).ok();
    assert_eq!(note.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(dir.join("notes/x/status.md")).unwrap().contains("secret"));
    assert_eq!(std::fs::read_dir(note.parent().unwrap()).unwrap().count(), 2, "no temporary file stays");
}

#[test]
fn the_editor_is_git_s() {
    let mut sandbox = Sandbox::new();
    let (dir, note) = begin(&sandbox);
    editor(&mut sandbox, "test \"$1\" = --flag && echo edited >>\"$2\"");
    sandbox.task(&dir, ["note", "x", "--edit"]).ok();
    assert!(std::fs::read_to_string(&note).unwrap().ends_with("edited\n"));
    editor(&mut sandbox, "exit 3");
    let before = std::fs::read(&note).unwrap();
    let run = sandbox.task(&dir, ["note", "x", "-e"]).fails(128).says("problem with the editor");
    run.assert_one_error();
    assert_eq!(std::fs::read(&note).unwrap(), before);
    // A directory whose name is no UTF-8.
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"../odd '\xff $(x)");
    let args = [std::ffi::OsStr::new("add"), "y".as_ref(), "--path".as_ref(), odd];
    let path = sandbox.task(&dir, args).ok().path();
    editor(&mut sandbox, "echo \"edited in $PWD\" >>\"$2\"");
    sandbox.task(&dir, ["note", "y", "--edit"]).ok();
    assert!(
        String::from_utf8_lossy(&std::fs::read(path.join("notes/y/status.md")).unwrap())
            .contains("edited in")
    );
}

#[test]
fn notes_may_belong_to_the_branch() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "task.trackNotes", "true"]).ok();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.git(&path, ["status", "--porcelain", "-uall"]).ok().prints("?? notes/x/status.md\n");
    sandbox.git(&dir, ["status", "--porcelain", "-uall"]).ok().prints("");
    sandbox.git(&path, ["add", "notes"]).ok();
    sandbox.git(&path, ["commit", "-qm", "Note"]).ok();
    sandbox.task(&path, ["ready"]).ok();
    // Merged into main it is a file there, and it stays the branch's.
    sandbox.sh(&dir, "rm -r notes").ok();
    sandbox.git(&dir, ["merge", "-q", "x"]).ok();
    sandbox.task(&dir, ["rm", "x"]).ok();
    sandbox.git(&dir, ["status", "--porcelain", "-uall"]).ok().prints("");
    assert!(dir.join("notes/x/status.md").is_file());
}

#[test]
fn a_note_that_the_branch_brings_is_kept() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, "notes/x/status.md", "# By hand\n", "Note");
    let path = sandbox.task(&dir, ["add", "x"]).ok().says("tracks a note of that name").path();
    assert_eq!(std::fs::read_to_string(path.join("notes/x/status.md")).unwrap(), "# By hand\n");
    assert!(dir.join("notes/x/status.md").is_file());
    sandbox.git(&dir, ["status", "--porcelain", "-uall"]).ok().prints("");
    sandbox.git(&path, ["status", "--porcelain", "-uall"]).ok().prints("");
    sandbox.task(&dir, ["note", "x", "--goal", "More"]).ok();
    let text = std::fs::read_to_string(path.join("notes/x/status.md")).unwrap();
    assert_eq!(text, "# By hand\n\n## Goal\n\nMore\n");
}

#[test]
fn nothing_of_the_user_s_in_the_main_worktree_is_replaced() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, "notes/a/status.md", "mine\n");
    std::fs::create_dir_all(dir.join("notes/b/status.md")).unwrap();
    std::fs::create_dir_all(sandbox.path("outside")).unwrap();
    symlink(sandbox.path("outside"), dir.join("notes/c")).unwrap();
    sandbox.write(&dir, "notes/d", "a file\n");
    for task in ["a", "b", "c", "d"] {
        let path = sandbox.task(&dir, ["add", task]).ok().path();
        assert!(path.join(format!("notes/{task}/status.md")).is_file());
    }
    let kept: Vec<_> = std::fs::read_dir(dir.join("notes/a"))
        .unwrap()
        .filter_map(|e| std::fs::read_to_string(e.unwrap().path()).ok())
        .collect();
    assert!(kept.iter().any(|text| text == "mine\n"), "{kept:?}");
    assert!(dir.join("notes/b/status.md").is_dir());
    assert_eq!(std::fs::read_dir(sandbox.path("outside")).unwrap().count(), 0);
    assert_eq!(std::fs::read_to_string(dir.join("notes/d")).unwrap(), "a file\n");
}

#[test]
fn a_link_of_the_branch_leads_no_note_outside() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    std::fs::create_dir_all(sandbox.path("outside/x")).unwrap();
    sandbox.git(&dir, ["switch", "-qc", "hostile"]).ok();
    symlink(sandbox.path("outside"), dir.join("notes")).unwrap();
    sandbox.git(&dir, ["add", "notes"]).ok();
    sandbox.git(&dir, ["commit", "-qm", "Link"]).ok();
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    let refs = sandbox.refs(&dir);
    let run = sandbox.task(&dir, ["add", "x", "--base", "hostile"]).fails(128).prints("");
    run.says("is a symbolic link").assert_one_error();
    assert_eq!(sandbox.refs(&dir), refs);
    assert!(!sandbox.path("repo-worktrees/x").exists() && !dir.join("notes").exists());
    assert_eq!(std::fs::read_dir(sandbox.path("outside/x")).unwrap().count(), 0);
    assert_sound(&sandbox, &dir);
    // The same while it lives.
    let path = sandbox.task(&dir, ["add", "y"]).ok().path();
    sandbox.sh(&path, "rm -r notes && ln -s ../../outside notes").ok();
    sandbox.refuses(&dir, ["note", "y", "--goal", "x"], 128, "is a symbolic link");
    sandbox.task(&dir, ["list"]).ok();
}

#[test]
fn a_note_that_was_deleted_begins_again() {
    let sandbox = Sandbox::new();
    let (dir, note) = begin(&sandbox);
    std::fs::remove_file(&note).unwrap();
    sandbox.task(&dir, ["note", "x"]).fails(1).says("error: task 'x' has no note").assert_one_error();
    sandbox.task(&dir, ["list"]).ok();
    sandbox.task(&dir, ["note", "x", "--goal", "Again"]).ok();
    assert!(std::fs::read_to_string(&note).unwrap().contains("## Goal\n\nAgain\n"));
    assert!(dir.join("notes/x/status.md").exists());
}
