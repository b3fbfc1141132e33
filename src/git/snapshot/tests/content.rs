//! Files and the index.

use super::*;
use std::os::unix::ffi::OsStrExt;

#[test]
fn a_clean_worktree_needs_no_more_than_its_commits() {
    let case = Case::new();
    case.commit("new", "new\n");
    let commit = case.round_trip();
    assert_eq!(case.entries(commit), ["gitdir", "index", "logs", "meta", "note", "worktree"]);
    assert_eq!(case.parents(commit), [case.id("HEAD")]);
    let text = super::super::texts_of(&case.repo().at_home(), commit, "note").unwrap();
    assert_eq!(text.as_deref(), Some(b"note\n".as_slice()));
}

#[test]
fn staged_unstaged_untracked_deleted_and_renamed() {
    let case = Case::new();
    case.write("a", "staged\n");
    case.write("added", "added\n");
    case.git(["add", "a", "added"]);
    case.write("a", "and changed again\n");
    case.git(["mv", "dir/c", "dir/moved"]);
    fs::remove_file(case.wt().join("b")).unwrap();
    case.write("untracked/deep/file", "u\n");
    case.write("x.ignored", "i\n");
    fs::create_dir_all(case.wt().join("empty/inside")).unwrap();
    case.round_trip();
    assert!(!case.wt().join("x.ignored").exists());
}

#[test]
fn the_index_is_that_of_the_moment_and_differs_from_both() {
    let case = Case::new();
    case.write("b", "B1\nb2\nb3\nb4\n");
    case.git(["add", "b"]);
    case.write("b", "B1\nb2\nb3\nB4\n");
    case.git(["rm", "-q", "--cached", "a"]);
    case.round_trip();
    assert_eq!(case.git(["show", ":b"]), b"B1\nb2\nb3\nb4\n");
}

#[test]
fn a_change_in_the_moment_the_index_was_written() {
    let case = Case::new();
    // Where git can tell a change by nothing but the content: same size, same time.
    case.git(["config", "core.checkStat", "minimal"]);
    case.git(["config", "core.trustctime", "false"]);
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
    let set = |path: &Path| fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
    case.write("a", "one\n");
    set(&case.wt().join("a"));
    case.git(["add", "a"]);
    case.write("a", "two\n");
    set(&case.wt().join("a"));
    set(&case.git_dir().join("index"));
    let taken = case.taken();
    assert_eq!(case.git(["show", &format!("{}:worktree/a", taken.commit)]), b"two\n");
}

#[test]
fn files_of_another_size_than_the_index_remembers() {
    let case = Case::new();
    case.git(["config", "core.autocrlf", "true"]);
    case.git(["update-index", "--assume-unchanged", "dir/c"]);
    case.write("b", "changed\r\n");
    let (status, tip) = (case.seen().status, case.repo().find_ref(BRANCH).unwrap());
    let seen = case.seen();
    let commit = case.remove();
    case.restore(commit, &seen, tip);
    assert_eq!(case.seen().status, status);
}

#[test]
fn intent_to_add() {
    let case = Case::new();
    case.write("intended", "i\n");
    case.write("intended-and-gone", "i\n");
    case.git(["add", "-N", "intended", "intended-and-gone"]);
    fs::remove_file(case.wt().join("intended-and-gone")).unwrap();
    case.round_trip();
    assert!(case.git(["status", "--porcelain"]).contains_str(" A intended\n"));
}

#[test]
fn files_that_git_was_told_not_to_look_at() {
    let case = Case::new();
    case.git(["update-index", "--assume-unchanged", "a"]);
    case.write("a", "changed in secret\n");
    case.git(["update-index", "--skip-worktree", "b", "dir/c"]);
    case.write("b", "changed and skipped\n");
    fs::remove_file(case.wt().join("dir/c")).unwrap();
    case.round_trip();
    assert_eq!(fs::read(case.wt().join("a")).unwrap(), b"changed in secret\n");
    assert_eq!(fs::read(case.wt().join("b")).unwrap(), b"changed and skipped\n");
}

#[test]
fn modes_links_and_names() {
    let case = Case::new();
    let set = |name: &str, mode| {
        fs::set_permissions(case.wt().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("a", 0o755);
    case.write("secret", "s\n");
    set("secret", 0o600);
    std::os::unix::fs::symlink("nowhere at all", case.wt().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", case.wt().join("out")).unwrap();
    case.write("two\nlines \"quoted\"\\\t", "n\n");
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9 \x01");
    fs::write(case.wt().join(odd), "odd").unwrap();
    case.git(["add", "link"]);
    // A directory that was tracked becomes a link, and a file a directory.
    fs::remove_dir_all(case.wt().join("dir")).unwrap();
    std::os::unix::fs::symlink("empty", case.wt().join("dir")).unwrap();
    fs::remove_file(case.wt().join("b")).unwrap();
    case.write("b/inside", "was a file\n");
    case.round_trip();
}

#[test]
fn ignored_files_that_are_named() {
    let mut case = Case::new();
    case.write(".env", b"TOKEN=\r\n\xff\0");
    fs::set_permissions(case.wt().join(".env"), fs::Permissions::from_mode(0o600)).unwrap();
    case.write("dir/run.ignored", "#!/bin/sh\n");
    fs::set_permissions(case.wt().join("dir/run.ignored"), fs::Permissions::from_mode(0o755)).unwrap();
    case.write("cache/one\ntwo", "c\n");
    std::os::unix::fs::symlink("one", case.wt().join("cache/link")).unwrap();
    case.write("cache/not-named", "c\n");
    case.kept = [".env", "dir/run.ignored", "cache/one\ntwo", "cache/link", "gone"].map(PathBuf::from).into();
    case.round_trip();
    assert_eq!(fs::read(case.wt().join(".env")).unwrap(), b"TOKEN=\r\n\xff\0");
    let mode = fs::metadata(case.wt().join("dir/run.ignored")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(fs::read(case.wt().join("cache/one\ntwo")).unwrap(), b"c\n");
    assert_eq!(fs::read_link(case.wt().join("cache/link")).unwrap(), Path::new("one"));
    assert!(!case.wt().join("cache/not-named").exists());
}

#[test]
fn ignored_directories_and_what_is_beyond_a_link() {
    let mut case = Case::new();
    case.write("cache/deep/one", "1\n");
    case.kept = vec!["cache".into()];
    case.round_trip();
    assert_eq!(fs::read(case.wt().join("cache/deep/one")).unwrap(), b"1\n");
    std::os::unix::fs::symlink("/etc", case.wt().join("etc.ignored")).unwrap();
    for name in ["etc.ignored/passwd", "../outside", ".git/config"] {
        fs::write(case.wt().with_file_name("outside"), "").unwrap();
        let mut parts = Vec::new();
        assert!(
            super::super::contents::ignored(&case.wt(), &[name.into()], &mut parts).is_err()
                || parts.is_empty()
        );
    }
}

#[test]
fn line_ends_come_back_as_they_were() {
    let case = Case::new();
    case.git(["config", "core.autocrlf", "true"]);
    case.git(["config", "core.safecrlf", "true"]);
    // Files without a change come back as a checkout writes them.
    for name in ["a", "b", "dir/c", ".gitignore"] {
        fs::remove_file(case.wt().join(name)).unwrap();
    }
    case.git(["checkout", "-q", "--", "."]);
    case.write("a", "one\r\ntwo\r\n");
    case.write("mixed", "one\r\ntwo\nthree\r\n");
    case.write("lf", "one\ntwo\n");
    let commit = case.round_trip();
    let raw = case.sandbox.git(["ls-tree", "--name-only", &format!("{commit}:raw")]);
    assert_eq!(raw.to_str_lossy(), "lf\nmixed\n");
}

#[test]
fn filters_are_applied_and_what_they_lose_is_kept() {
    let case = Case::new();
    case.git(["config", "filter.pointer.clean", "git hash-object -w --stdin"]);
    case.git(["config", "filter.pointer.smudge", "read id && git cat-file blob $id"]);
    case.git(["config", "filter.pointer.required", "true"]);
    case.git(["config", "filter.strip.clean", "sed s/secret//"]);
    case.write(".gitattributes", "*.bin filter=pointer\n*.nb filter=strip\n*.id ident\n");
    case.write("big.bin", b"\0\xff big");
    case.write("book.nb", "a secret output\n");
    // The pointer's content is not the repository's to keep: LFS has a store for it.
    case.git(["add", "-A"]);
    case.git(["commit", "-q", "-m", "filtered"]);
    let held = case.id("HEAD:big.bin");
    let pointer = case.git(["show", "HEAD:big.bin"]).trim().to_str_lossy().into_owned();
    case.git(["tag", "store", &pointer]);
    case.write("book.nb", "another secret output\n");
    case.write("more.bin", b"\0\xff big");
    case.write("y.id", "$Id$ there\n");
    let commit = case.round_trip();
    assert_eq!(case.id(&format!("{commit}:worktree/more.bin")), held);
    let raw = case.sandbox.git(["ls-tree", "--name-only", &format!("{commit}:raw")]);
    assert_eq!(raw.to_str_lossy(), "book.nb\ny.id\n");
}

#[test]
fn a_filter_that_fails_is_an_error_before_anything_goes() {
    let case = Case::new();
    case.git(["config", "filter.no.clean", "false"]);
    case.git(["config", "filter.no.required", "true"]);
    case.write(".gitattributes", "*.x filter=no\n");
    case.write("a.x", "x\n");
    let (wt, git_dir) = (case.wt(), case.git_dir());
    let request = Request {
        path: Some(&wt),
        git_dir: Some(&git_dir),
        branch: None,
        tip: None,
        clone: false,
        texts: &[],
        kept: &[],
        now: 0,
    };
    assert!(take(&case.repo(), &request).is_err());
}

#[test]
fn sparse_checkouts() {
    for index_too in ["--no-sparse-index", "--sparse-index"] {
        let case = Case::new();
        for dir in ["in", "out", "out/deeper"] {
            case.commit(&format!("{dir}/file"), "f\n");
            case.commit(&format!("{dir}/other"), "o\n");
        }
        case.git(["sparse-checkout", "set", "--cone", index_too, "in"]);
        assert!(!case.wt().join("out").exists());
        case.write("in/file", "changed\n");
        case.write("in/new", "new\n");
        case.write("a", "staged\n");
        case.git(["add", "a"]);
        case.round_trip();
        assert!(!case.wt().join("out").exists() && case.wt().join("in/other").exists());
        // One that is there although the patterns leave it out.
        case.write("out/file", "here all the same\n");
        case.sandbox.git(["update-ref", "-d", ENTRY]);
        case.round_trip();
        case.git(["sparse-checkout", "disable"]);
        assert_eq!(fs::read(case.wt().join("out/deeper/other")).unwrap(), b"o\n");
    }
}

#[test]
fn an_index_in_two_files() {
    let case = Case::new();
    case.git(["update-index", "--split-index"]);
    case.write("a", "staged\n");
    case.write("n", "n\n");
    case.git(["add", "a"]);
    case.git(["add", "-N", "n"]);
    assert!(
        fs::read_dir(case.git_dir())
            .unwrap()
            .any(|e| { e.unwrap().file_name().to_string_lossy().starts_with("sharedindex.") })
    );
    case.round_trip();
}

#[test]
fn without_an_index_or_a_directory() {
    let case = Case::new();
    case.commit("new", "new\n");
    case.write("untracked", "u\n");
    fs::remove_file(case.git_dir().join("index")).unwrap();
    case.round_trip();
    case.git(["reset", "-q", "--hard"]);
    case.write("a", "staged\n");
    case.git(["add", "a"]);
    fs::remove_file(case.wt().join("untracked")).unwrap();
    let (seen, tip) = (case.seen(), case.repo().find_ref(BRANCH).unwrap());
    fs::remove_dir_all(case.wt()).unwrap();
    case.sandbox.git(["update-ref", "-d", ENTRY]);
    let commit = case.taken().commit;
    case.sandbox.git(["update-ref", ENTRY, &commit.to_string()]);
    fs::remove_dir_all(case.git_dir()).unwrap();
    case.collect();
    case.restore(commit, &seen, tip);
    assert_eq!(case.seen(), seen);
}

#[test]
fn a_worktree_that_was_killed_before_it_had_a_head() {
    let case = Case::new();
    case.write("a", "changed\n");
    case.write("dir/new", "n\n");
    case.write("x.ignored", "i\n");
    fs::remove_file(case.wt().join("b")).unwrap();
    let before = case.git(["show", &format!("{}:worktree/dir/new", case.taken().commit)]);
    fs::write(case.git_dir().join("HEAD"), format!("{}\n", ObjectId::null(gix::hash::Kind::Sha1))).unwrap();
    let listed = |commit: ObjectId| case.sandbox.git(["ls-tree", "-r", &format!("{commit}:worktree")]);
    let commit = case.taken().commit;
    assert_eq!(case.sandbox.git(["show", &format!("{commit}:worktree/dir/new")]), before);
    fs::write(case.git_dir().join("HEAD"), format!("ref: {BRANCH}\n")).unwrap();
    assert_eq!(listed(commit), listed(case.taken().commit));
}

#[test]
fn another_git_at_work_and_a_hook_are_no_hindrance() {
    let case = Case::new();
    case.write("a", "changed\n");
    let hook = case.sandbox.path(".git/hooks/post-index-change");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\ntouch \"$0.ran\"\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(case.git_dir().join("index.lock"), "").unwrap();
    case.taken();
    assert!(!hook.with_extension("ran").exists());
}

#[test]
fn pipes_are_named() {
    let case = Case::new();
    let socket = case.wt().join("dir/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(case.taken().lost, [Path::new("dir/socket")]);
}

#[test]
fn on_a_branch_without_a_commit() {
    let case = Case::new();
    case.git(["checkout", "-q", "--orphan", "fresh"]);
    case.git(["branch", "-q", "-D", "task"]);
    case.git(["symbolic-ref", "HEAD", BRANCH]);
    case.write("a", "changed\n");
    case.write("new", "n\n");
    case.round_trip();
}

#[test]
fn other_kinds_of_repositories() {
    let mut kinds: Vec<&[&'static str]> = vec![&["--object-format=sha256"]];
    let version = Git::at("/").cmd(["version"]).line().unwrap();
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    if minor >= 45 {
        kinds.push(&["--ref-format=reftable"]);
    }
    for kind in kinds {
        let case = Case::with_args(kind);
        case.commit("one", "1\n");
        case.git(["commit", "-q", "--amend", "-m", "changed"]);
        let lost = case.id("task@{1}");
        case.write("a", "staged\n");
        case.git(["add", "a"]);
        case.write("n", "n\n");
        case.git(["add", "-N", "n"]);
        case.git(["update-ref", "refs/worktree/mine", "HEAD"]);
        case.round_trip();
        case.git(["cat-file", "-e", &lost.to_string()]);
        assert_eq!(case.id("refs/worktree/mine"), case.id("HEAD"));
    }
}
