//! gix's numbers against git's, for everything that could make a difference.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::git::testing::{Random, Sandbox, git_at, write};

/// What git says, and how many lines that is.
pub(super) fn shown(dir: &Path) -> (usize, String) {
    let out = git_at(dir, ["--no-optional-locks", "status", "--porcelain", "-unormal"]);
    let text = String::from_utf8_lossy(&out).into_owned();
    (text.lines().count(), text)
}

/// A repository with one commit of `files`, whose index is older than this second: nothing in it is racy.
fn settled(files: &[(&str, &[u8])]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, content) in files {
        sandbox.write(name, content);
    }
    sandbox.git(["add", "-A"]);
    sandbox.git(["commit", "-q", "-m", "one"]);
    sandbox
}

/// Whether the main worktree is counted in process; what is counted is git's number in any case.
#[track_caller]
fn is_in_process(sandbox: &Sandbox) -> bool {
    let repo = sandbox.repo();
    let all = repo.worktrees().unwrap();
    let main = &all[0];
    let (expected, text) = shown(&main.path);
    let found = repo.changes(&[main]).pop().unwrap().unwrap();
    assert_eq!(found, expected, "{text}");
    in_process::Counter::new(&repo, false).and_then(|counter| counter.reader().count(main)).is_some()
}

/// A file system that keeps seconds only would do this; it makes git look into the file.
fn touch(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    std::fs::File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_filter_driver_is_left_to_git_when_it_matters() {
    let sandbox = settled(&[(".gitattributes", b"*.up filter=up\n"), ("a.up", b"TEXT\n"), ("b", b"b\n")]);
    sandbox.git(["config", "filter.up.clean", "tr a-z A-Z"]);
    sandbox.git(["config", "filter.up.smudge", "tr A-Z a-z"]);
    std::fs::remove_file(sandbox.path("a.up")).unwrap();
    sandbox.git(["checkout", "-q", "a.up"]);
    for (content, clean) in [("text\n", true), ("tExt\n", true), ("next\n", false)] {
        sandbox.write("a.up", content);
        touch(&sandbox.path("a.up"), 1_000_000_000);
        assert!(!is_in_process(&sandbox));
        assert_eq!(shown(&sandbox.top()).0 == 0, clean);
    }
    sandbox.write("a.up", "text\n");
    sandbox.git(["add", "a.up"]);
    touch(&sandbox.path(".git/index"), 4_000_000_000);
    assert!(is_in_process(&sandbox));
    sandbox.write("b", "c\n");
    touch(&sandbox.path("b"), 1_000_000_000);
    assert!(is_in_process(&sandbox), "b has no filter");
}

#[test]
fn line_ends_and_encodings_are_converted_as_git_converts_them() {
    const ATTRIBUTES: &str = "*.auto text=auto\n*.crlf text eol=crlf\n*.lf text eol=lf\n*.bin -text\n*.id ident\n\
        *.u16 text working-tree-encoding=UTF-16LE\n*.both text=auto ident\n*.old crlf=input\n";
    const NAMES: &[&str] = &["f.auto", "f.crlf", "f.lf", "f.bin", "f.id", "f.u16", "f.old", "f.both", "f"];
    const PIECES: &[&str] = &["a", "\r\n", "\n", "\r", "\0", "$Id$", "$Id: 4f $", "$Id: \n", "\u{1a}"];
    let mut in_process = 0;
    for autocrlf in ["false", "true", "input"] {
        let sandbox = Sandbox::new();
        let mut random = Random(7);
        // All of one size, because a file of another size is modified whatever it holds.
        let mut content = || {
            let mut text = String::new();
            let kinds = &PIECES[..2 + random.below(PIECES.len() - 1)];
            while text.len() < 32 {
                text += random.pick(kinds);
            }
            text.truncate(32);
            text + &"b".repeat(16)
        };
        for round in 0..12 {
            let _ = std::fs::remove_file(sandbox.path(".git/info/attributes"));
            sandbox.git(["config", "core.autocrlf", "false"]);
            NAMES.iter().for_each(|name| sandbox.write(name, content()));
            sandbox.git(["add", "-A"]);
            sandbox.git(["commit", "-q", "--allow-empty", "-m", "as they are"]);
            sandbox.write(".git/info/attributes", ATTRIBUTES);
            sandbox.git(["config", "core.autocrlf", autocrlf]);
            for name in NAMES {
                let mut file = std::fs::read(sandbox.path(name)).unwrap();
                match round % 3 {
                    // As it was, as a conversion may have made it, and anything.
                    0 => {}
                    1 => file = String::from_utf8_lossy(&file).replace("\r\n", "b\n").into_bytes(),
                    _ => file = content().into_bytes(),
                }
                sandbox.write(name, file);
                touch(&sandbox.path(name), 1_000_000_000);
            }
            in_process += usize::from(is_in_process(&sandbox));
        }
    }
    assert!(in_process > 18, "{in_process} of 36");
}

#[test]
fn what_is_excluded_anywhere_is_not_counted() {
    let sandbox = settled(&[
        ("d/kept", b"x"),
        (".gitignore", b"*.o\n/out/*\n!/out/keep\nlink/\n\\#x\ntrail \n**/deep/**/z\n"),
    ]);
    sandbox.write(".git/info/exclude", "*.private\n");
    sandbox.write("../excludes", "*.global\n");
    let file = sandbox.path("../excludes").to_str().unwrap().to_owned();
    sandbox.git(["config", "core.excludesFile", &file]);
    for name in [
        "a.o",
        "d/b.o",
        "out/x",
        "out/keep",
        "p.private",
        "d/q.global",
        "#x",
        "trail",
        "trail ",
        "deep/a/b/z",
        "e/deep/z",
    ] {
        sandbox.write(name, "x");
        is_in_process(&sandbox);
    }
    symlink("d", sandbox.path("link")).unwrap();
    sandbox.write("d/.gitignore", "*\n!new\n");
    sandbox.write("d/new", "x");
    sandbox.write("d/old", "x");
    std::fs::create_dir_all(sandbox.path("empty/of/all")).unwrap();
    sandbox.write("only/ignored/x.o", "x");
    assert!(is_in_process(&sandbox));
    sandbox.write("only/ignored/y", "x");
    assert!(is_in_process(&sandbox));
    // A tracked file in an excluded directory stays tracked, and its neighbours stay excluded.
    sandbox.write("out/tracked/t", "x");
    sandbox.write("out/tracked/u", "x");
    sandbox.git(["add", "-f", "out/tracked/t"]);
    sandbox.git(["commit", "-q", "-m", "two"]);
    assert!(is_in_process(&sandbox));
    sandbox.write("out/tracked/t", "changed");
    assert!(is_in_process(&sandbox));
}

#[test]
fn things_that_are_no_files() {
    let sandbox = settled(&[("a", b"a"), ("d/b", b"b"), ("e/f", b"f")]);
    let path = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
    crate::git::process::program(
        "mkfifo".as_ref(),
        &[path("pipe").into()],
        &sandbox.top(),
        crate::git::no_vars(),
    )
    .run()
    .unwrap();
    assert!(is_in_process(&sandbox));
    std::fs::remove_file(path("a")).unwrap();
    std::fs::rename(path("pipe"), path("a")).unwrap();
    is_in_process(&sandbox);
    std::fs::remove_dir_all(path("d")).unwrap();
    symlink("e", path("d")).unwrap();
    std::fs::write(path("e/b"), "b").unwrap();
    assert!(is_in_process(&sandbox) || sandbox.path("a").exists());
    // Directories that look like repositories, and one that is a worktree of this one.
    for name in ["fake/.git/x", "half/.git", "x/y/.git/HEAD"] {
        sandbox.write(name, "gitdir: nowhere\n");
        is_in_process(&sandbox);
    }
    sandbox.write("half/file", "x");
    sandbox.git(["worktree", "add", "-q", "--detach", "inside/wt"]);
    is_in_process(&sandbox);
    sandbox.git(["clone", "-q", "--bare", ".", "bare"]);
    is_in_process(&sandbox);
    sandbox.git(["init", "-q", "tracked"]);
    git_at(&sandbox.path("tracked"), ["config", "core.bare", "false"]);
    is_in_process(&sandbox);
}

#[test]
fn what_gix_does_not_do_as_git_does_is_left_to_git() {
    let fresh = || settled(&[("a", b"a\n"), ("b", b"b\n"), ("d/c", b"c\n")]);
    let left_to_git = |prepare: &dyn Fn(&Sandbox)| {
        let sandbox = fresh();
        assert!(is_in_process(&sandbox));
        prepare(&sandbox);
        assert!(!is_in_process(&sandbox));
    };
    left_to_git(&|s| drop(s.git(["update-index", "--split-index"])));
    left_to_git(&|s| drop(s.git(["update-index", "--skip-worktree", "a"])));
    left_to_git(&|s| drop(s.git(["sparse-checkout", "set", "d"])));
    left_to_git(&|s| drop(s.git(["config", "core.fsmonitor", "true"])));
    left_to_git(&|s| drop(s.git(["config", "core.ignoreCase", "true"])));
    left_to_git(&|s| {
        s.git(["config", "extensions.worktreeConfig", "true"]);
        s.git(["config", "--worktree", "core.fileMode", "false"]);
        std::fs::set_permissions(s.path("a"), PermissionsExt::from_mode(0o755)).unwrap();
    });
    left_to_git(&|s| {
        s.write(".git/more", "[core]\n\tfileMode = false\n");
        s.git(["config", "includeIf.onbranch:main.path", "more"]);
        std::fs::set_permissions(s.path("a"), PermissionsExt::from_mode(0o755)).unwrap();
    });
    left_to_git(&|s| drop(s.git(["config", "includeIf.gitdir:/x/.path", "~nobody/more"])));
    left_to_git(&|s| drop(s.git(["mv", "a", "z"])));
    left_to_git(&|s| drop(s.git(["checkout", "-q", "--orphan", "unborn"])));
    left_to_git(&|s| {
        s.write("new", "x");
        s.git(["add", "-N", "new"]);
    });
    left_to_git(&|s| {
        s.git(["init", "-q", "sub"]);
        let sub = s.path("sub");
        git_at(
            &sub,
            ["-c", "user.name=U", "-c", "user.email=u@e", "commit", "-q", "--allow-empty", "-m", "x"],
        );
        s.git(["-c", "advice.addEmbeddedRepo=false", "add", "sub"]);
        s.git(["commit", "-q", "-m", "sub"]);
        write(&sub, "x", b"x");
    });
    left_to_git(&|s| {
        s.git(["checkout", "-q", "-b", "other"]);
        s.commit("a", "other\n");
        s.git(["checkout", "-q", "main"]);
        s.commit("a", "main\n");
        drop(Git::at(s.top()).cmd(["merge", "other"]).output().unwrap());
    });
}

#[test]
fn configuration_that_changes_the_answer_is_heeded() {
    let sandbox = settled(&[("a", b"a\n"), ("b", b"b\n"), ("link", b"a")]);
    std::fs::set_permissions(sandbox.path("a"), PermissionsExt::from_mode(0o755)).unwrap();
    assert!(is_in_process(&sandbox));
    sandbox.git(["config", "core.fileMode", "false"]);
    assert!(is_in_process(&sandbox));
    sandbox.write(".git/more", "[user]\n\tname = Me\n[commit]\n\tgpgSign = false\n");
    sandbox.git(["config", "includeIf.onbranch:main.path", "more"]);
    sandbox.git(["config", "includeIf.gitdir:/x/.path", "/not/there"]);
    assert!(is_in_process(&sandbox));
    for (key, values) in [
        ("core.trustctime", &["false", "true"][..]),
        ("core.checkStat", &["minimal", "default"]),
        ("status.showUntrackedFiles", &["no", "all"]),
        ("core.symlinks", &["false"]),
        ("core.safecrlf", &["true"]),
        ("index.version", &["4"]),
        ("status.renames", &["false", "copies"]),
    ] {
        for value in values {
            sandbox.git(["config", key, value]);
            sandbox.git(["update-index", "--force-remove", "b"]);
            assert!(is_in_process(&sandbox), "{key}={value}");
            sandbox.write("b", "b\r\n");
            sandbox.git(["-c", "core.safecrlf=false", "add", "b"]);
            assert!(is_in_process(&sandbox), "{key}={value}");
        }
    }
    sandbox.git(["config", "--unset", "status.renames"]);
    sandbox.git(["config", "diff.renames", "false"]);
    sandbox.git(["mv", "a", "z"]);
    assert!(is_in_process(&sandbox));
}

#[test]
fn a_worktree_that_is_not_there_fails_alone() {
    let sandbox = settled(&[("a", b"a\n")]);
    sandbox.git(["worktree", "add", "-q", "../wt"]);
    std::fs::remove_dir_all(sandbox.path("../wt")).unwrap();
    let repo = sandbox.repo();
    let all = repo.worktrees().unwrap();
    let counts = repo.changes(&all.iter().collect::<Vec<_>>());
    assert_eq!(*counts[0].as_ref().unwrap(), 0);
    assert!(counts[1].as_ref().unwrap_err().message().ends_with("wt' does not exist"));
    assert!(repo.changes(&[]).is_empty());
}

#[test]
fn a_bare_repository_has_worktrees_too() {
    let sandbox = settled(&[("a", b"a\n")]);
    sandbox.git(["clone", "-q", "--bare", ".", "../bare"]);
    let bare = sandbox.path("../bare").canonicalize().unwrap();
    git_at(&bare, ["worktree", "add", "-q", "../wt"]);
    git_at(&bare, ["worktree", "add", "-q", "--no-checkout", "../wt2"]);
    let wt = bare.join("../wt").canonicalize().unwrap();
    write(&wt, "new", b"x");
    let mut context = crate::context::Context::from_env().unwrap();
    context.cwd = bare;
    let repo = Repo::discover(&context).unwrap();
    let all = repo.worktrees().unwrap();
    let counts: Vec<_> =
        repo.changes(&all.iter().collect::<Vec<_>>()).into_iter().map(Result::unwrap).collect();
    assert_eq!(counts, [1, 1]);
    let entries = repo.status_entries(&all[0], Untracked::All, false).unwrap();
    assert_eq!(entries, [StatusEntry { code: *b"??", path: "new".into(), orig: None }]);
}

#[test]
fn entries_are_parsed() {
    let entries = parse(b"R  new\0old name\0 M a\nb\0?? d/\0!! x.o\0").unwrap();
    let paths: Vec<_> = entries.iter().map(|e| e.path.to_string()).collect();
    assert_eq!(paths, ["new", "a\nb", "d/", "x.o"]);
    assert_eq!(entries[0].orig.as_ref().unwrap(), "old name");
    assert!(entries[2].is_untracked() && entries[3].is_ignored() && entries[1].orig.is_none());
    assert_eq!(parse(b"").unwrap(), []);
    assert!(parse(b"garbage\0").is_err());
}

mod any_bytes {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_of_any_path_are_read(
            written in vec(("[ MADU?!]{2}|R |RM| C", vec(1..=255_u8, 1..9), vec(1..=255_u8, 1..9)), 0..6),
            junk in vec(any::<u8>(), 0..60)
        ) {
            let mut output = Vec::new();
            let mut expected = Vec::new();
            for (code, path, orig) in written {
                let moved = code.contains(['R', 'C']);
                output.extend([code.as_bytes(), b" ", &path, b"\0"].concat());
                if moved {
                    output.extend([&orig[..], b"\0"].concat());
                }
                let code = [code.as_bytes()[0], code.as_bytes()[1]];
                let orig = moved.then(|| orig.into());
                expected.push(StatusEntry { code, path: path.into(), orig });
            }
            prop_assert_eq!(parse(&output).unwrap(), expected);
            let _ = parse(&[&output[..], &junk].concat());
            let _ = parse(&junk);
        }
    }
}
