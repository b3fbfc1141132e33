//! What each kind is called, what can be answered, and what comes of it.

use super::super::Whose::{Ours, Theirs};
use super::*;

/// Ten lines, the fifth of which can be replaced.
const TEN: &str = "seq 1 10 > f";

/// The ten lines with others in the place of the fifth and the ninth.
fn ten(fifth: &str, ninth: &str) -> String {
    (1..=10)
        .map(|n| match n {
            5 => format!("{fifth}\n"),
            9 => format!("{ninth}\n"),
            n => format!("{n}\n"),
        })
        .collect()
}

type Expected<'a> = (Action, &'a [(&'a str, &'a str)]);

struct Case<'a> {
    scripts: [&'a str; 3],
    label: &'a str,
    kind: Kind,
    paths: &'a [&'a str],
    answers: &'a [Expected<'a>],
}

/// Each answer on a merge of its own.
#[track_caller]
fn check(case: &Case<'_>) {
    for operation in [Operation::Merge, Operation::Pick] {
        let [base, ours, theirs] = case.scripts;
        for (action, expected) in case.answers {
            let fixture = Fixture::by(operation, base, ours, theirs);
            let conflict = fixture.only();
            // What git puts aside is called after the side, which in a rebase is a commit.
            let plain = |path: &BString| path.to_string().split_inclusive('~').next().unwrap().to_owned();
            let paths: Vec<_> = conflict.paths().into_iter().map(plain).collect();
            let shown = format!("{operation:?} {action:?} of {conflict:#?}");
            assert_eq!((conflict.label.as_str(), conflict.kind), (case.label, case.kind), "{shown}");
            assert_eq!(paths, case.paths, "{shown}");
            let offered = actions(&fixture.stopped(), &conflict).unwrap();
            assert_eq!(
                offered,
                case.answers.iter().map(|(action, _)| *action).collect::<Vec<_>>(),
                "{shown}"
            );
            for message in &conflict.messages {
                assert!(!message.split(|c: char| !c.is_alphanumeric()).any(|w| w.len() >= 40), "{message}");
            }
            if case.kind != Kind::Notice {
                assert!(require_resolved(&fixture.stopped()).is_err(), "{shown}");
            }
            fixture.answer(*action);
            assert_eq!(fixture.tree(), files(expected), "{shown}");
            require_resolved(&fixture.stopped()).unwrap();
        }
    }
}

#[test]
fn a_text_that_both_changed() {
    let changed = |fifth: &str, ninth: &str| format!("sed -i 's/^5$/{fifth}/;s/^9$/{ninth}/' f");
    check(&Case {
        scripts: [TEN, &changed("five", "9"), &changed("FIVE", "NINE")],
        label: "content",
        kind: Kind::Text,
        paths: &["f"],
        answers: &[
            (Action::Lines(Ours), &[("f", &ten("five", "NINE"))]),
            (Action::Lines(Theirs), &[("f", &ten("FIVE", "NINE"))]),
            (Action::Union, &[("f", &ten("five\nFIVE", "NINE"))]),
            // Theirs is what there is if theirs decides: nobody else changed another line.
            (Action::Keep(Ours), &[("f", &ten("five", "9"))]),
        ],
    });
}

#[test]
fn a_text_that_both_changed_in_mode_too() {
    check(&Case {
        scripts: [TEN, "sed -i 's/^5$/five/' f; chmod +x f", "sed -i 's/^5$/FIVE/' f"],
        label: "content",
        kind: Kind::Text,
        paths: &["f"],
        answers: &[
            (Action::Lines(Ours), &[("f", &format!("* {}", ten("five", "9")))]),
            (Action::Lines(Theirs), &[("f", &format!("* {}", ten("FIVE", "9")))]),
            (Action::Union, &[("f", &format!("* {}", ten("five\nFIVE", "9")))]),
        ],
    });
}

#[test]
fn a_text_that_both_added() {
    check(&Case {
        scripts: ["", "mkdir d; echo a > d/n.txt", "mkdir d; echo b > d/n.txt"],
        label: "add/add",
        kind: Kind::Text,
        paths: &["d/n.txt"],
        answers: &[
            (Action::Lines(Ours), &[("d/n.txt", "a\n")]),
            (Action::Lines(Theirs), &[("d/n.txt", "b\n")]),
            (Action::Union, &[("d/n.txt", "a\nb\n")]),
            (Action::BothNames, &[("d/n.txt", "a\n"), ("d/n~bug-login.txt", "b\n")]),
        ],
    });
}

#[test]
fn a_file_that_one_changed_and_one_deleted() {
    let kept = ten("five", "9");
    check(&Case {
        scripts: [TEN, "sed -i 's/^5$/five/' f", "git rm -q f"],
        label: "modify/delete",
        kind: Kind::Deleted { by: Theirs },
        paths: &["f"],
        answers: &[(Action::Keep(Ours), &[("f", &kept)]), (Action::Keep(Theirs), &[])],
    });
    check(&Case {
        scripts: [TEN, "git rm -q f", "sed -i 's/^5$/five/' f"],
        label: "modify/delete",
        kind: Kind::Deleted { by: Ours },
        paths: &["f"],
        answers: &[(Action::Keep(Theirs), &[("f", &kept)]), (Action::Keep(Ours), &[])],
    });
}

#[test]
fn a_file_that_one_renamed_and_one_deleted() {
    check(&Case {
        scripts: [TEN, "git mv f g", "git rm -q f"],
        label: "rename/delete",
        kind: Kind::Deleted { by: Theirs },
        paths: &["g", "f"],
        answers: &[(Action::Keep(Ours), &[("g", &ten("5", "9"))]), (Action::Keep(Theirs), &[])],
    });
    check(&Case {
        scripts: [TEN, "git rm -q f", "mkdir d; git mv f d/g; sed -i 's/^5$/five/' d/g"],
        label: "rename/delete",
        kind: Kind::Deleted { by: Ours },
        paths: &["d/g", "f"],
        answers: &[(Action::Keep(Theirs), &[("d/g", &ten("five", "9"))]), (Action::Keep(Ours), &[])],
    });
}

#[test]
fn a_file_that_both_renamed() {
    let merged = ten("five", "NINE");
    check(&Case {
        scripts: [TEN, "git mv f g; sed -i 's/^5$/five/' g", "git mv f h; sed -i 's/^9$/NINE/' h"],
        label: "rename/rename",
        kind: Kind::Renamed,
        paths: &["f", "g", "h"],
        answers: &[
            (Action::Name(Ours), &[("g", &merged)]),
            (Action::Name(Theirs), &[("h", &merged)]),
            (Action::BothNames, &[("g", &merged), ("h", &merged)]),
        ],
    });
}

#[test]
fn a_file_that_both_renamed_and_changed_is_two_questions() {
    let scripts = [TEN, "git mv f g; sed -i 's/^5$/five/' g", "git mv f h; sed -i 's/^5$/FIVE/' h"];
    for operation in [Operation::Merge, Operation::Pick] {
        for (whose, name) in [(Ours, "g"), (Theirs, "h")] {
            let fixture = Fixture::by(operation, scripts[0], scripts[1], scripts[2]);
            assert_eq!(fixture.only().kind, Kind::Renamed);
            fixture.answer(Action::Name(whose));
            let content = fixture.only();
            assert_eq!((content.kind, content.path.to_string().as_str()), (Kind::Text, name));
            let text = fixture.stopped().file_text(content.path.as_bstr()).unwrap();
            assert!(text.find("<<<<<<<").is_some(), "{text:?}");
            fixture.answer(Action::Lines(Ours));
            assert_eq!(fixture.tree(), files(&[(name, &ten("five", "9"))]));
            require_resolved(&fixture.stopped()).unwrap();
        }
        let fixture = Fixture::by(operation, scripts[0], scripts[1], scripts[2]);
        fixture.answer(Action::BothNames);
        assert_eq!(fixture.tree(), files(&[("g", &ten("five", "9")), ("h", &ten("FIVE", "9"))]));
    }
}

#[test]
fn two_files_that_were_renamed_to_one() {
    let other = "seq 1 10 > f; seq 101 110 > e";
    let e: String = (101..=110).map(|n| format!("{n}\n")).collect();
    let f = ten("5", "9");
    check(&Case {
        scripts: [other, "git mv f g", "git mv e g"],
        label: "add/add",
        kind: Kind::Text,
        paths: &["g", "f", "e"],
        answers: &[
            (Action::Lines(Ours), &[("g", &f)]),
            (Action::Lines(Theirs), &[("g", &e)]),
            (Action::Union, &[("g", &format!("{f}{e}"))]),
            (Action::BothNames, &[("g", &f), ("g~bug-login", &e)]),
        ],
    });
}

#[test]
fn a_file_in_the_way_of_a_directory() {
    check(&Case {
        scripts: ["", "echo a > n.txt", "mkdir n.txt; echo b > n.txt/g; echo c > n.txt/h"],
        label: "file/directory",
        kind: Kind::InTheWay { file: Ours },
        paths: &["n.txt", "n.txt~"],
        answers: &[
            (Action::Keep(Ours), &[("n.txt", "a\n")]),
            (Action::Keep(Theirs), &[("n.txt/g", "b\n"), ("n.txt/h", "c\n")]),
            (Action::BothNames, &[("n.txt/g", "b\n"), ("n.txt/h", "c\n"), ("n~main.txt", "a\n")]),
        ],
    });
}

#[test]
fn a_changed_file_that_became_a_directory() {
    let kept = ten("five", "9");
    check(&Case {
        scripts: [TEN, "sed -i 's/^5$/five/' f", "git rm -q f; mkdir f; echo b > f/g"],
        label: "file/directory",
        kind: Kind::InTheWay { file: Ours },
        paths: &["f", "f~"],
        answers: &[
            (Action::Keep(Ours), &[("f", &kept)]),
            (Action::Keep(Theirs), &[("f/g", "b\n")]),
            (Action::BothNames, &[("f/g", "b\n"), ("f~main", &kept)]),
        ],
    });
}

#[test]
fn a_file_that_is_no_text() {
    check(&Case {
        scripts: ["printf '\\0a' > i.png", "printf '\\0b' > i.png", "printf '\\0c' > i.png"],
        label: "binary",
        kind: Kind::Binary,
        paths: &["i.png"],
        answers: &[
            (Action::Keep(Ours), &[("i.png", "\0b")]),
            (Action::Keep(Theirs), &[("i.png", "\0c")]),
            (Action::BothNames, &[("i.png", "\0b"), ("i~bug-login.png", "\0c")]),
        ],
    });
}

#[test]
fn a_pointer_of_lfs_gets_no_markers() {
    let pointer = |c: &str| {
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n", c.repeat(64))
    };
    let write = |c: &str| format!("printf '{}' > i.png", pointer(c).replace('\n', "\\n"));
    check(&Case {
        scripts: [&write("a"), &write("b"), &write("c")],
        label: "content",
        kind: Kind::Pointer,
        paths: &["i.png"],
        answers: &[
            (Action::Keep(Ours), &[("i.png", &pointer("b"))]),
            (Action::Keep(Theirs), &[("i.png", &pointer("c"))]),
            (Action::BothNames, &[("i.png", &pointer("b")), ("i~bug-login.png", &pointer("c"))]),
        ],
    });
}

#[test]
fn a_link_that_both_turned() {
    check(&Case {
        scripts: ["ln -s a l", "ln -sfn b l", "ln -sfn c l"],
        label: "content",
        kind: Kind::Link,
        paths: &["l"],
        answers: &[(Action::Keep(Ours), &[("l", "-> b")]), (Action::Keep(Theirs), &[("l", "-> c")])],
    });
}

#[test]
fn a_file_for_one_and_a_link_for_the_other() {
    check(&Case {
        scripts: ["", "ln -s b n", "echo c > n"],
        label: "distinct types",
        kind: Kind::Types,
        paths: &["n", "n~"],
        answers: &[
            (Action::Keep(Ours), &[("n", "-> b")]),
            (Action::Keep(Theirs), &[("n", "c\n")]),
            (Action::BothNames, &[("n", "-> b"), ("n~bug-login", "c\n")]),
        ],
    });
}

#[test]
fn a_mode_that_only_one_gave() {
    check(&Case {
        scripts: ["", "echo a > f; chmod +x f", "echo a > f"],
        label: "add/add",
        kind: Kind::Mode,
        paths: &["f"],
        answers: &[(Action::Keep(Ours), &[("f", "* a\n")]), (Action::Keep(Theirs), &[("f", "a\n")])],
    });
}

#[test]
fn a_file_added_where_the_directory_moved_away() {
    let (a, b) = (lines(1, 20), lines(21, 40));
    check(&Case {
        scripts: ["mkdir d; seq 1 20 > d/a; seq 21 40 > d/b", "git mv d e", "echo new > d/c"],
        label: "file location",
        kind: Kind::Location { by: Theirs },
        paths: &["e/c", "d/c"],
        answers: &[
            (Action::AsIs, &[("e/a", &a), ("e/b", &b), ("e/c", "new\n")]),
            (Action::Back, &[("d/c", "new\n"), ("e/a", &a), ("e/b", &b)]),
        ],
    });
}

#[test]
fn a_directory_that_was_split_is_only_told() {
    let (a, b) = (lines(1, 20), lines(21, 40));
    check(&Case {
        scripts: [
            "mkdir d; seq 1 20 > d/a; seq 21 40 > d/b",
            "mkdir e g; git mv d/a e; git mv d/b g",
            "echo new > d/c",
        ],
        label: "directory rename split",
        kind: Kind::Notice,
        paths: &["d"],
        answers: &[(Action::AsIs, &[("d/c", "new\n"), ("e/a", &a), ("g/b", &b)])],
    });
}

fn lines(from: u32, to: u32) -> String {
    (from..=to).map(|n| format!("{n}\n")).collect()
}
