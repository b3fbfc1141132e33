//! Settings, attributes, names and states that change what is right.

use super::super::Whose::{Ours, Theirs};
use super::*;

const BOTH_CHANGED: [&str; 3] = ["seq 1 9 > f", "sed -i s/5/five/ f", "sed -i s/5/FIVE/ f"];

fn fixture(before: &str, [base, ours, theirs]: [&str; 3]) -> Fixture {
    Fixture::new(&format!("{before}\n{base}"), ours, theirs)
}

#[track_caller]
fn refuses(fixture: &Fixture, part: &str) {
    let failure = require_resolved(&fixture.stopped()).unwrap_err();
    assert!(failure.message().contains(part), "{failure}");
    assert_eq!(failure.kind, crate::error::Kind::Negative);
}

#[test]
fn what_still_holds_markers_is_not_resolved_however_it_was_added() {
    for style in ["merge", "diff3", "zdiff3"] {
        let fixture = fixture(&format!("git config merge.conflictStyle {style}"), BOTH_CHANGED);
        refuses(&fixture, "'f' is still unmerged");
        fixture.sh("git add -A");
        refuses(&fixture, "'f' still holds a conflict marker in line 5");
        fixture.sh("git commit -q --no-edit");
        refuses(&fixture, "'f' still holds a conflict marker in line 5");
        fixture.sh("sed -i '/^[<|>]/d' f; git commit -q -a --amend --no-edit");
        refuses(&fixture, "'f' still holds a conflict marker");
        fixture.sh("sed -i '/^=/d' f; git commit -q -a --amend --no-edit");
        require_resolved(&fixture.stopped()).unwrap();
    }
}

#[test]
fn a_line_like_a_marker_that_was_there_is_none() {
    let heading = ["printf 'T\\n=======\\n5\\n' > f", "sed -i s/5/five/ f", "sed -i s/5/FIVE/ f"];
    let fixture = fixture("", heading);
    fixture.sh("git add f");
    refuses(&fixture, "line 3");
    fixture.sh("printf 'T\\n=======\\nfive\\n=======\\nFIVE\\n' > f; git add f");
    refuses(&fixture, "line 4");
    fixture.sh("printf 'T\\n=======\\nfive\\nFIVE\\n' > f; git add f");
    require_resolved(&fixture.stopped()).unwrap();
}

#[test]
fn the_size_of_markers_is_that_of_the_attribute() {
    let fixture = fixture("echo 'f conflict-marker-size=12' > .gitattributes", BOTH_CHANGED);
    fixture.sh("grep -q '^<<<<<<<<<<<< HEAD$' f; git add f");
    refuses(&fixture, "line 5");
    fixture.sh("printf '=======\\n' > f; git add f");
    require_resolved(&fixture.stopped()).unwrap();
}

#[test]
fn line_ends_stay_what_they_are() {
    let crlf = ["printf '1\\r\\n5\\r\\n9\\r\\n' > f", "sed -i s/5/five/ f", "sed -i s/5/FIVE/ f"];
    let fixture = fixture("", crlf);
    fixture.sh("git add f");
    refuses(&fixture, "line 2");
    fixture.sh("git checkout -m f");
    fixture.answer(Action::Union);
    assert_eq!(fixture.tree()["f"], "1\r\nfive\r\nFIVE\r\n9\r\n");
    // Converted on the way out.
    let fixture = self::fixture("echo 'f text eol=crlf' > .gitattributes", BOTH_CHANGED);
    fixture.answer(Action::Lines(Theirs));
    assert!(fixture.tree()["f"].starts_with("1\r\n") && fixture.tree()["f"].contains("FIVE\r\n"));
    // No newline at the end.
    let fixture = self::fixture("", ["printf 5 > f", "printf five > f", "printf FIVE > f"]);
    fixture.answer(Action::Lines(Ours));
    assert_eq!(fixture.tree()["f"], "five");
    let fixture = self::fixture("", ["printf 5 > f", "printf five > f", "printf FIVE > f"]);
    fixture.answer(Action::Union);
    assert_eq!(fixture.tree()["f"], "five\nFIVE");
}

#[test]
fn filters_run_on_the_way_to_the_worktree() {
    let filter = "git config filter.shout.smudge 'tr a-z A-Z'; git config filter.shout.clean 'tr A-Z a-z'; echo 'f filter=shout' > .gitattributes";
    let fixture = fixture(filter, ["echo a > f", "echo b > f", "echo c > f"]);
    fixture.answer(Action::Keep(Theirs));
    assert_eq!(fixture.tree()["f"], "C\n");
    assert_eq!(fixture.sh("git show :f"), "c\n");
}

#[test]
fn names_may_hold_anything() {
    let name = "a\n\x1b[31m\t\"*?[x]\\ ~b";
    let script = |content: &str| {
        format!("printf '{content}' > \"$(printf 'a\\n\\033[31m\\t\"*?[x]\\\\ ~b')\"; echo {content} > a")
    };
    let fixture = fixture("", [&script("5\\n"), &script("five\\n"), &script("FIVE\\n")]);
    let conflict = fixture.conflicts().pop().unwrap();
    assert_eq!(conflict.path.to_string(), name);
    fixture.sh("git checkout -q --ours a; git add a");
    fixture.answer(Action::Union);
    assert_eq!(fixture.tree()[name], "five\nFIVE\n");
    assert_eq!(fixture.tree()["a"], "fiven\n");
}

#[test]
fn a_driver_of_the_users_is_left_its_files() {
    let driver = "git config merge.mine.driver 'cp %B %A; exit 1'; echo 'f merge=mine' > .gitattributes";
    let fixture = fixture(driver, BOTH_CHANGED);
    let offered = actions(&fixture.stopped(), &fixture.only()).unwrap();
    assert_eq!(offered, [Action::Keep(Ours), Action::Keep(Theirs)]);
    let left = resolve_by(&fixture.stopped(), Side::Ours).unwrap();
    assert_eq!(left, [Undecided { path: "f".into(), why: "its merge driver knows no sides".to_owned() }]);
    let left = resolve_by(&fixture.stopped(), Side::Union).unwrap();
    assert_eq!(left[0].why, "its merge driver knows no union");
    // What it left can be taken as it is.
    fixture.answer(Action::AsIs);
    assert!(fixture.tree()["f"].contains("FIVE"));
}

#[test]
fn a_submodule_is_picked_by_commit() {
    let base = "git init -q -b main ../sub; git -C ../sub config user.name U; git -C ../sub config user.email u@e; \
        git -C ../sub commit -q --allow-empty -m 1; git -c protocol.file.allow=always submodule --quiet add ../sub s 2>&1";
    let commit =
        "git -C s config user.name U; git -C s config user.email u@e; git -C s commit -q --allow-empty -m";
    let fixture = fixture(
        "",
        [base, &format!("{commit} ours"), &format!("git submodule --quiet update; {commit} theirs")],
    );
    let conflict = fixture.only();
    assert_eq!((conflict.label.as_str(), conflict.kind), ("submodule", Kind::Submodule));
    let theirs = conflict.entries[0].theirs.unwrap().id;
    fixture.answer(Action::Keep(Theirs));
    assert_eq!(fixture.sh("git rev-parse :s").trim(), theirs.to_string());
    require_resolved(&fixture.stopped()).unwrap();
}

#[test]
fn what_is_not_tracked_stays_and_is_named() {
    let fixture = Fixture::new("", "echo a > n", "mkdir n; echo b > n/g");
    fixture.sh("echo mine > n/untracked");
    let before = fixture.picture();
    let failure = apply(&fixture.stopped(), &fixture.only(), Action::Keep(Ours)).unwrap_err();
    assert_eq!(failure.message(), "'n/untracked' is not tracked and would be in the way of 'n'");
    assert_eq!(fixture.picture(), before);
    fixture.answer(Action::Keep(Theirs));
    assert_eq!(fixture.sh("cat n/untracked"), "mine\n");
}

#[test]
fn nothing_is_written_through_a_link() {
    let fixture = Fixture::new("mkdir d; seq 1 9 > d/f", "sed -i s/5/five/ d/f", "sed -i s/5/FIVE/ d/f");
    let outside = fixture.sandbox.top().parent().unwrap().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("f"), "precious\n").unwrap();
    fixture.sh("rm -r d; ln -s ../outside d");
    let failure = apply(&fixture.stopped(), &fixture.only(), Action::Keep(Ours)).unwrap_err();
    assert_eq!(failure.message(), "'d/f' is beyond a symbolic link");
    assert_eq!(std::fs::read_to_string(outside.join("f")).unwrap(), "precious\n");
}

#[test]
fn work_done_by_hand_comes_back_with_an_undo() {
    let fixture = fixture("", BOTH_CHANGED);
    fixture.sh("echo mine > f; chmod +x f");
    let saved = apply(&fixture.stopped(), &fixture.only(), Action::Keep(Ours)).unwrap();
    assert!(fixture.tree()["f"].contains("five"));
    saved.restore(&fixture.stopped()).unwrap();
    assert_eq!(fixture.sh("cat f; test -x f && echo x"), "mine\nx\n");
    assert_eq!(fixture.only().kind, Kind::Text);
}

#[test]
fn a_side_decides_all_that_it_can() {
    let base = "seq 1 9 > t; seq 11 19 > r; printf '\\0a' > b; seq 21 29 > d";
    let ours = "sed -i s/5/five/ t; git mv r r1; sed -i s/15/fifteen/ r1; printf '\\0b' > b; sed -i s/25/x/ d; echo n > n";
    let theirs = "sed -i s/5/FIVE/ t; git mv r r2; sed -i s/15/FIFTEEN/ r2; printf '\\0c' > b; git rm -q d; mkdir n; echo m > n/m";
    let text = |from: u32, fifth: &str| -> String {
        (from..from + 9)
            .map(|n| if n == from + 4 { format!("{fifth}\n") } else { format!("{n}\n") })
            .collect()
    };
    for operation in [Operation::Merge, Operation::Pick] {
        let fixture = Fixture::by(operation, base, ours, theirs);
        let labels: Vec<_> = fixture.conflicts().iter().map(|c| c.label.clone()).collect();
        assert_eq!(labels, ["file/directory", "rename/rename", "modify/delete", "binary", "content"]);
        assert_eq!(resolve_by(&fixture.stopped(), Side::Ours).unwrap(), []);
        let expected = [
            ("b", "\0b"),
            ("d", &text(21, "x")),
            ("n", "n\n"),
            ("r1", &text(11, "fifteen")),
            ("t", &text(1, "five")),
        ];
        assert_eq!(fixture.tree(), files(&expected));
        require_resolved(&fixture.stopped()).unwrap();
        let fixture = Fixture::by(operation, base, ours, theirs);
        assert_eq!(resolve_by(&fixture.stopped(), Side::Theirs).unwrap(), []);
        let expected = [("b", "\0c"), ("n/m", "m\n"), ("r2", &text(11, "FIFTEEN")), ("t", &text(1, "FIVE"))];
        assert_eq!(fixture.tree(), files(&expected));
        let fixture = Fixture::by(operation, base, ours, theirs);
        let left = resolve_by(&fixture.stopped(), Side::Union).unwrap();
        let paths: Vec<_> = left.iter().map(|left| left.path.to_string()).collect();
        assert_eq!(paths, ["n", "r", "d", "b"]);
        assert_eq!(left[3].why, "a conflict of kind binary has no union");
        assert_eq!(fixture.sh("cat t"), text(1, "five\nFIVE"));
        refuses(&fixture, "are still unmerged");
    }
}

#[test]
fn a_recorded_resolution_is_known_from_one_by_hand() {
    let fixture = fixture("git config rerere.enabled true; seq 1 9 > g", BOTH_CHANGED);
    assert!(fixture.stopped().records_resolutions().unwrap());
    assert_eq!(fixture.stopped().to_be_recorded().unwrap(), ["f"]);
    fixture.sh("echo both > f; git add f; git commit -q --no-edit; git reset -q --hard HEAD^; git merge -q bug-login && exit 1 || true");
    assert_eq!(fixture.stopped().to_be_recorded().unwrap(), [""; 0]);
    assert_eq!(fixture.only().kind, Kind::Text);
    fixture.answer(Action::AsIs);
    assert_eq!(fixture.tree()["f"], "both\n");
    // Something else was chosen after all: from now on that.
    fixture.sh("echo other > f; git add f");
    fixture.stopped().forget_resolution("f".into()).unwrap();
    fixture
        .sh("git commit -q --no-edit; git reset -q --hard HEAD^; git merge -q bug-login && exit 1 || true");
    assert_eq!(fixture.sh("cat f"), "other\n");
    let plain = self::fixture("", BOTH_CHANGED);
    assert!(!plain.stopped().records_resolutions().unwrap());
}

#[test]
fn longer_ids_are_as_good() {
    for operation in [Operation::Merge, Operation::Pick] {
        let [base, ours, theirs] = BOTH_CHANGED;
        let sandbox = Sandbox::with_args(&["--object-format=sha256"]);
        let fixture = Fixture::within(sandbox, operation, base, ours, theirs);
        assert_eq!(fixture.only().label, "content");
        fixture.answer(Action::Union);
        assert!(fixture.tree()["f"].contains("five\nFIVE\n"));
        require_resolved(&fixture.stopped()).unwrap();
    }
}
