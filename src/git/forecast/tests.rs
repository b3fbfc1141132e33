//! Against what each kind of merge is known to do.

use super::*;
use crate::git::parse_id;
use crate::git::testing::Sandbox;

/// Commits on a branch of its own that starts at `from`.
fn branch(sandbox: &Sandbox, from: &str, files: &[(&str, &[u8])]) -> ObjectId {
    sandbox.git(["checkout", "-q", "--detach", from]);
    for (name, content) in files {
        sandbox.write(name, content);
    }
    sandbox.git(["add", "-A"]);
    sandbox.git(["commit", "-q", "-m", "change"]);
    sandbox.id("HEAD")
}

fn conflicts(sandbox: &Sandbox, pairs: &[(ObjectId, ObjectId)]) -> Vec<Vec<String>> {
    let answers = sandbox.repo().conflicts(pairs);
    let shown = |paths: Vec<BString>| paths.iter().map(ToString::to_string).collect();
    answers.into_iter().map(|paths| shown(paths.unwrap())).collect()
}

fn fixture() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("text", "one\ntwo\nthree\n");
    sandbox.write("bin", b"\0\x01\x02");
    sandbox.write("new\n\"line\"", "x\n");
    sandbox.git(["add", "-A"]);
    sandbox.git(["commit", "-q", "-m", "start"]);
    sandbox
}

#[test]
fn each_kind_of_conflict_names_its_path() {
    let sandbox = fixture();
    let onto = branch(
        &sandbox,
        "main",
        &[("text", b"ONE\ntwo\nthree\n"), ("bin", b"\0ours"), ("new\n\"line\"", b"y\n"), ("both", b"ours\n")],
    );
    let content = branch(&sandbox, "main", &[("text", b"1\ntwo\nthree\n")]);
    let clean = branch(&sandbox, "main", &[("text", b"one\ntwo\n3\n"), ("other", b"x\n")]);
    let binary = branch(&sandbox, "main", &[("bin", b"\0theirs")]);
    let added = branch(&sandbox, "main", &[("both", b"theirs\n")]);
    let strange = branch(&sandbox, "main", &[("new\n\"line\"", b"z\n"), ("text", b"1\ntwo\nthree\n")]);
    sandbox.git(["checkout", "-q", "--detach", "main"]);
    sandbox.git(["rm", "-q", "text"]);
    sandbox.git(["commit", "-q", "-m", "gone"]);
    let deleted = sandbox.id("HEAD");
    sandbox.git(["checkout", "-q", "--orphan", "unrelated"]);
    sandbox.git(["rm", "-q", "-r", "-f", "."]);
    let unrelated = sandbox.commit("text", "unrelated\n");
    let tips = [content, clean, unrelated, binary, added, strange, deleted, sandbox.id("main"), onto];
    let pairs: Vec<_> = tips.iter().map(|tip| (*tip, onto)).collect();
    let expected: [&[&str]; 9] =
        [&["text"], &[], &["text"], &["bin"], &["both"], &["new\n\"line\"", "text"], &["text"], &[], &[]];
    for (at, (found, expected)) in conflicts(&sandbox, &pairs).iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "{at}");
    }
    assert_eq!(std::fs::read_dir(sandbox.repo().state_dir()).unwrap().count(), 0);
}

#[test]
fn one_bad_pair_does_not_spoil_the_batch() {
    let sandbox = fixture();
    let onto = branch(&sandbox, "main", &[("text", b"ONE\n")]);
    let tip = branch(&sandbox, "main", &[("text", b"1\n")]);
    let gone = parse_id(&[b'1'; 40]).unwrap();
    let repo = sandbox.repo();
    let answers = repo.conflicts(&[(tip, onto), (gone, onto), (tip, onto)]);
    assert!(answers[0].is_ok() && answers[1].is_err() && answers[2].is_ok());
    // The same where it is git that meets it.
    let scratch = Scratch::new(&repo).unwrap();
    let answers = repo.merge_batch(
        &scratch,
        &[(tip, onto), (gone, onto), (tip, onto), (gone, onto)],
        onto,
        &MergeOptions::default(),
    );
    let good: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, true, false]);
}

#[test]
fn attributes_are_those_of_the_commit_merged_onto() {
    let sandbox = fixture();
    let plain = branch(&sandbox, "main", &[("text", b"zero\none\ntwo\nthree\n")]);
    let union = branch(
        &sandbox,
        "main",
        &[("text", b"0\none\ntwo\nthree\n"), (".gitattributes", b"* merge=union\n")],
    );
    let tip = branch(&sandbox, "main", &[("text", b"null\none\ntwo\nthree\n")]);
    let expected = [vec!["text".to_owned()], vec![]];
    for checked_out in [plain, union] {
        sandbox.git(["checkout", "-q", "--detach", &checked_out.to_string()]);
        assert_eq!(conflicts(&sandbox, &[(tip, plain), (tip, union)]), expected);
    }
}

#[test]
fn many_pairs_are_answered_in_order() {
    let sandbox = fixture();
    let onto = branch(&sandbox, "main", &[("text", b"ONE\n")]);
    let clash = branch(&sandbox, "main", &[("text", b"1\n")]);
    let clean = branch(&sandbox, "main", &[("free", b"1\n")]);
    let pairs: Vec<_> = (0..100).map(|n| (if n % 3 == 0 { clash } else { clean }, onto)).collect();
    for (n, paths) in conflicts(&sandbox, &pairs).into_iter().enumerate() {
        assert_eq!(paths.len(), usize::from(n % 3 == 0), "{n}");
    }
    assert_eq!(batches(&pairs, None, 2).len(), 2);
    assert_eq!(batches(&pairs[..20], None, 2).len(), 2);
    assert_eq!(batches(&pairs[..16], None, 2).len(), 1);
}
