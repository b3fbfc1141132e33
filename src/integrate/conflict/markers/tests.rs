//! Against what git's markers look like, and against texts that only look alike.

use super::*;

const MERGED: &[u8] = b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\nd\n";

#[test]
fn hunks_have_their_sides_in_every_style() {
    let found = hunks(&lines(MERGED), 7);
    assert_eq!(found, [Hunk { ours: 2..3, base: None, theirs: 4..5 }]);
    assert_eq!(found[0].lines(), 1..6);
    let diff3 = b"<<<<<<< HEAD\nb\n||||||| 1234567\n=======\n>>>>>>> x\r\n<<<<<<< a\n=======\nz\n>>>>>>> b";
    assert_eq!(
        hunks(&lines(diff3), 7),
        [Hunk { ours: 1..2, base: Some(3..3), theirs: 4..4 }, Hunk { ours: 6..6, base: None, theirs: 7..8 }]
    );
    for none in [
        &b"<<<<<<< HEAD\nb\n=======\n"[..],
        b"=======\n>>>>>>> x\n",
        b"<<<<<<<\n=======\n>>>>>>>\n",
        b"<<<<<<<< HEAD\n========\n>>>>>>>> x\n",
        b"",
    ] {
        assert_eq!(hunks(&lines(none), 7), [], "{:?}", none.as_bstr());
    }
    let wide = MERGED.replace("=======", "=========").replace("<<<<<<<", "<<<<<<<<<");
    assert_eq!(hunks(&lines(&wide.replace(">>>>>>>", ">>>>>>>>>")), 9).len(), 1);
}

#[test]
fn each_kind_of_line_that_was_left_is_found() {
    for (text, line) in [
        (&b"a\n<<<<<<< HEAD\n"[..], Some(1)),
        (b"a\n>>>>>>> x", Some(1)),
        (b"=======\r\n", Some(0)),
        (b"a\nb\n||||||| 1234\n", Some(2)),
        (b"<<<<<<<<< Temporary merge branch 1\n", Some(0)),
        (b"a\n>>>>>>>> x:h\n", Some(1)),
        (b"<<<<<< six\n", None),
        (b"====== \n========\n", None),
        (b"x <<<<<<< HEAD\n", None),
        (b"<<<<<<<HEAD\n", None),
    ] {
        assert_eq!(left_over(text, b"", b"", b"", 7), line, "{:?}", text.as_bstr());
    }
    assert_eq!(left_over(b"=======\n", b"", b"", b"", 9), None);
    assert_eq!(left_over(b"=========\n", b"", b"", b"", 9), Some(0));
}

#[test]
fn what_was_there_before_counts_as_often_as_it_was_there() {
    let heading = b"Title\n=======\n";
    assert_eq!(left_over(heading, heading, heading, heading, 7), None);
    assert_eq!(left_over(heading, b"", heading, b"", 7), None);
    assert_eq!(left_over(heading, b"", b"", heading, 7), None);
    // A line end that changed doesn't make it another line.
    assert_eq!(left_over(b"Title\r\n=======\r\n", heading, heading, heading, 7), None);
    let one_more = b"Title\n=======\nb\n=======\n";
    assert_eq!(left_over(one_more, heading, heading, heading, 7), Some(3));
    // Each has added a title of its own.
    assert_eq!(left_over(one_more, b"", heading, heading, 7), None);
    // A text about conflicts.
    assert_eq!(left_over(MERGED, b"", MERGED, b"", 7), None);
    assert_eq!(left_over(MERGED, MERGED, b"", MERGED, 7), None);
}

/// A generator that needs no crate: the same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn text(&mut self, size: usize) -> Vec<u8> {
        let run = |c: &str| c.repeat(size);
        let pool = ["a", "b", "", "  ", &run("="), &format!("{} x", run("<")), &format!("{} y", run(">"))];
        let end = if self.below(2) == 0 { "\n" } else { "\r\n" };
        let count = self.below(6);
        let mut text: Vec<u8> =
            (0..count).flat_map(|_| format!("{}{end}", pool[self.below(pool.len())]).into_bytes()).collect();
        if self.below(3) == 0 {
            text.truncate(text.trim_end_with(|c| c == '\n' || c == '\r').len());
        }
        text
    }
}

/// Whatever the sides are: either of them and one after the other hold no marker, and a hunk of git's put
/// anywhere between does, whichever of its lines is the last one left.
#[test]
fn sides_never_look_unresolved_and_a_marked_text_always_does() {
    let mut numbers = Numbers(1);
    for round in 0..5000 {
        let size = [7, 7, 7, 3, 12][numbers.below(5)];
        let (base, ours, theirs) = (numbers.text(size), numbers.text(size), numbers.text(size));
        let check = |text: &[u8]| left_over(text, &base, &ours, &theirs, size);
        let shown = || format!("{round}: {:?} {:?} {:?}", base.as_bstr(), ours.as_bstr(), theirs.as_bstr());
        assert_eq!(check(&ours), None, "{}", shown());
        assert_eq!(check(&theirs), None, "{}", shown());
        let run = |c: &str| c.repeat(size);
        let (a, b) = (ours.as_bstr(), theirs.as_bstr());
        let open = format!("{} HEAD\n", run("<"));
        let close = format!("{} bug-login\n", run(">"));
        let eol = if ours.ends_with(b"\n") || ours.is_empty() { "" } else { "\n" };
        let end = if theirs.ends_with(b"\n") || theirs.is_empty() { "" } else { "\n" };
        let whole = format!("{open}{a}{eol}{}\n{b}{end}{close}", run("="));
        assert!(check(whole.as_bytes()).is_some(), "{}", shown());
        for left in [&open, &close] {
            assert!(check(format!("{left}{a}").as_bytes()).is_some(), "{}", shown());
            assert!(check(format!("{a}{eol}{left}").as_bytes()).is_some(), "{}", shown());
        }
        // The hunk is read back as it was written, unless its sides look like markers themselves.
        let ambiguous = lines(&ours).iter().chain(&lines(&theirs)).any(|line| suspect(line, size).is_some());
        if !ambiguous {
            let found = hunks(&lines(whole.as_bytes()), size);
            let length = lines(&ours).len();
            assert_eq!(found.len(), 1, "{}", shown());
            assert_eq!(found[0].ours, 1..1 + length);
            assert_eq!(found[0].theirs, 2 + length..2 + length + lines(&theirs).len());
        }
    }
}
