//! What a snapshot refuses, and a restore doesn't believe.

use super::*;

#[test]
fn what_cannot_be_read_is_an_error() {
    let case = Case::new();
    case.write("closed/file", "c\n");
    case.write("file", "c\n");
    let fails = |name: &str| {
        fs::set_permissions(case.wt().join(name), fs::Permissions::from_mode(0o0)).unwrap();
        let readable = fs::File::open(case.wt().join(name)).is_ok();
        let (wt, git_dir, repo) = (case.wt(), case.git_dir(), case.repo());
        let request = Request {
            path: Some(&wt),
            git_dir: Some(&git_dir),
            branch: None,
            tip: None,
            clone: false,
            texts: &[("meta", b"")],
            kept: &[],
            now: 0,
        };
        // For root everything is readable.
        assert_eq!(take(&repo, &request).is_ok(), readable, "{name}");
        fs::set_permissions(case.wt().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    fails("closed");
    fails("file");
}

#[test]
fn a_forged_snapshot_writes_nothing_outside() {
    let case = Case::new();
    case.write("a", "changed\n");
    let taken = case.taken().commit;
    let top = case.sandbox.top();
    let run = |args: &[&str], input: &[u8]| Git::at(&top).cmd(args).stdin(input).line().unwrap();
    let evil = run(&["hash-object", "-w", "--stdin"], b"evil\n");
    let link = run(&["hash-object", "-w", "--stdin"], path_bytes(&top.with_file_name("outside")));
    let listed = run(&["hash-object", "-w", "--stdin"], b"../outside/dir\0.git/dir\0");
    fs::create_dir(top.with_file_name("outside")).unwrap();
    let tree = |lines: &str| run(&["mktree"], lines.as_bytes());
    let inner = tree(&format!("100644 blob {evil}\tfile\n"));
    let attempts = [
        // Into git's own files.
        ("ignored", tree(&format!("040000 tree {inner}\t.GIT\n"))),
        ("raw", tree(&format!("040000 tree {inner}\t..\n"))),
        ("gitdir", tree(&format!("040000 tree {inner}\thooks\n100644 blob {evil}\tcommondir\n"))),
        ("logs", tree(&format!("040000 tree {inner}\t..\n"))),
        ("empty", listed),
    ];
    let original = run(&["ls-tree", &taken.to_string()], b"");
    let commit_with = |name: &str, entry: &str| {
        let kept = original.lines().filter(|line| !line.ends_with(&format!("\t{name}")));
        let lines: String = kept.map(|line| format!("{line}\n")).collect::<String>() + entry;
        let id = run(&["commit-tree", "-m", "forged", &tree(&lines)], b"");
        crate::git::parse_id(id.as_bytes()).unwrap()
    };
    let again = |commit| {
        case.sandbox.git(["worktree", "remove", "--force", "../wt"]);
        case.sandbox.git(["worktree", "add", "-q", "--no-checkout", "../wt", "task"]);
        let before = fs::read(case.git_dir().join("commondir")).unwrap();
        let done = restore_into(commit, &case.wt(), &case.git_dir());
        assert_eq!(fs::read_dir(top.with_file_name("outside")).unwrap().count(), 0);
        assert_eq!(fs::read(case.git_dir().join("commondir")).unwrap(), before);
        for path in
            [case.wt().with_file_name("file"), case.git_dir().join("hooks"), case.git_dir().join("file")]
        {
            assert!(!path.exists(), "{}", path.display());
        }
        done
    };
    for (name, id) in attempts {
        let kind = if name == "empty" { "100644 blob" } else { "040000 tree" };
        again(commit_with(name, &format!("{kind} {id}\t{name}\n"))).unwrap();
    }
    // Through a link that the snapshot itself brings.
    let files = tree(&format!("120000 blob {link}\tlink\n"));
    let through = tree(&format!("040000 tree {inner}\tlink\n"));
    let commit =
        commit_with("worktree", &format!("040000 tree {files}\tworktree\n040000 tree {through}\traw\n"));
    again(commit).unwrap_err();
    let dot_git = tree(&format!("040000 tree {inner}\t.git\n"));
    again(commit_with("worktree", &format!("040000 tree {dot_git}\tworktree\n"))).unwrap_err();
}

#[test]
fn a_tree_that_could_not_be_written_is_an_error() {
    // Written by git mktree, which complains of it and ends well, and by git write-tree in a batch, which says nothing.
    for (which, complains) in [("^{tree}", true), (":worktree/d", false)] {
        let case = Case::new();
        // One that is alone in its directory.
        let alone = (0..).find_map(|n| {
            case.write("d/a", format!("{n}\n"));
            let tree = case.id(&format!("{}{which}", case.taken().commit)).to_string();
            let dir = case.sandbox.path(".git/objects").join(&tree[..2]);
            (fs::read_dir(&dir).unwrap().count() == 1).then_some((tree, dir))
        });
        let (tree, dir) = alone.unwrap();
        fs::remove_dir_all(&dir).unwrap();
        fs::write(&dir, "in the way").unwrap();
        let failure = case.ask(take).unwrap_err().to_string();
        assert!(failure.contains(if complains { "unable to create" } else { &tree }), "{failure}");
    }
}
