use super::Section::{Assumptions, Blockers, Goal, NextSteps};
use super::*;

fn slug() -> Slug {
    Slug::try_from("login").expect("valid")
}

fn changed(text: &str, which: Section, body: &str) -> String {
    String::from_utf8(with_section(text.as_bytes(), which, body)).expect("UTF-8 in, UTF-8 out")
}

fn read(text: &str, which: Section) -> Option<String> {
    section(text.as_bytes(), which)
}

#[test]
fn a_new_note_has_four_sections_without_text() {
    let text = template(None, &slug(), None);
    assert!(text.starts_with("# login\n\n## Goal\n\n<!-- "));
    for which in Section::ALL {
        assert_eq!(read(&text, which), None);
        assert_eq!(read(&changed(&text, which, "x"), which).as_deref(), Some("x"));
    }
    let text = template(Some(" feat: it\n# no"), &slug(), Some("a\r\nb\n"));
    assert!(text.starts_with("# feat: it (login)\n\n## Goal\n\na\nb\n\n## Assumptions\n\n<!-- "));
    assert_eq!(read(&text, Goal).as_deref(), Some("a\nb"));
}

#[test]
fn only_the_named_section_changes() {
    let cases = [
        // blank lines around the text stay as they are
        ("# t\n\n## Goal\n\nold\nold\n\n## Blockers\nb\n", "# t\n\n## Goal\n\nnew\n\n## Blockers\nb\n"),
        ("## Goal\nold\n## Blockers\nb", "## Goal\nnew\n## Blockers\nb"),
        ("## Goal\n\n\n  old  \n\n\n\n# Else\n", "## Goal\n\n\nnew\n\n\n\n# Else\n"),
        // CRLF, and no newline at the end
        ("# t\r\n\r\n## Goal\r\n\r\nold\r\n\r\n## X\r\n", "# t\r\n\r\n## Goal\r\n\r\nnew\r\n\r\n## X\r\n"),
        ("## Goal\nold", "## Goal\nnew"),
        ("## Goal", "## Goal\n\nnew"),
        ("## Goal\n", "## Goal\n\nnew\n"),
        ("## Goal\n## X\n", "## Goal\n\nnew\n\n## X\n"),
        ("## Goal\n\n\n## X\n", "## Goal\n\nnew\n\n## X\n"),
        // the comment of the template gives way
        ("## Goal\n\n<!-- what -->\n\n## X\n", "## Goal\n\nnew\n\n## X\n"),
        // deeper headings belong to the section, duplicates don't
        ("## Goal\n### Part\nx\n## Goal\ny\n", "## Goal\nnew\n## Goal\ny\n"),
        ("### goal ###\nold\n#### x\n### Else\n", "### goal ###\nnew\n### Else\n"),
        ("# Goal\nintro\n## GOAL\nold\n", "# Goal\nintro\n## GOAL\nnew\n"),
        ("# Goal\nold\n\n## Blockers\nb\n", "# Goal\nnew\n\n## Blockers\nb\n"),
        // underlined headings
        ("Goal\n----\nold\n\nHand\nwritten\n---\ntext\n", "Goal\n----\nnew\n\nHand\nwritten\n---\ntext\n"),
        ("## Goal\n- item\n---\nrule\n", "## Goal\nnew\n"),
        // missing: added at the end, in the file's style
        ("", "## Goal\n\nnew\n"),
        ("text", "text\n\n## Goal\n\nnew\n"),
        ("text\r\n\r\n", "text\r\n\r\n## Goal\r\n\r\nnew\r\n"),
        (
            "#Goal\n    ## Goal\n> ## Goal\n####### Goal\n",
            "#Goal\n    ## Goal\n> ## Goal\n####### Goal\n\n## Goal\n\nnew\n",
        ),
        ("\u{feff}## Goal\nold\n", "\u{feff}## Goal\nnew\n"),
        // an underline makes a heading of all lines of a paragraph
        ("## Goal\n<!-- c -->\nX\n---\n", "## Goal\nnew\n\nX\n---\n"),
        ("## Goal\r\n- old\r\nX\r\n---\r\n", "## Goal\r\nnew\r\n\r\nX\r\n---\r\n"),
        ("## Goal\n- old\n\nX\n===", "## Goal\nnew\n\nX\n==="),
    ];
    for (text, expected) in cases {
        assert_eq!(changed(text, Goal, "new"), expected, "{text:?}");
        assert_eq!(changed(expected, Goal, "new"), expected, "twice is once");
        assert_eq!(read(expected, Goal).as_deref(), Some("new"));
    }
}

#[test]
fn bytes_that_are_no_text_survive() {
    let text = b"\xff\xfe\n## Goal\n\nol\xe9d\n\n## Other \xff\n\x00";
    assert_eq!(with_section(text, Goal, "new"), b"\xff\xfe\n## Goal\n\nnew\n\n## Other \xff\n\x00");
    assert_eq!(section(text, Goal).as_deref(), Some("ol\u{fffd}d"));
}

#[test]
fn headings_in_code_and_comments_are_none() {
    for hidden in [
        "```md\n## Goal\nx\n```\n",
        "~~~~\n```\n## Goal\n~~~\n~~~~\n",
        "<!--\n## Goal\n-->\n",
        "  <!-- a\n\n## Goal --> y\n",
    ] {
        let text = format!("{hidden}## Goal\nold\n{hidden}still\n## X\n");
        assert_eq!(changed(&text, Goal, "new"), format!("{hidden}## Goal\nnew\n## X\n"));
    }
    // what is never closed hides nothing
    for open in ["```\n", "<!-- \n", "a `<!--` b\n", "``` a`b\n"] {
        assert_eq!(changed(&format!("{open}## Goal\nold"), Goal, "new"), format!("{open}## Goal\nnew"));
    }
    // a comment within a line does not reach into the next section
    let text = "## Goal\nuse `<!--`\n## Blockers\nuse `-->`\n";
    assert_eq!(read(text, Blockers).as_deref(), Some("use `-->`"));
}

#[test]
fn comments_are_no_text() {
    let text =
        "## Blockers\n<!-- a\n\nb --> \n\nwaits <!-- for --> CI\r\nx\n```\n<!-- code -->\n```\n<!-- end";
    assert_eq!(read(text, Blockers).as_deref(), Some("waits  CI\nx\n```\n<!-- code -->\n```\n<!-- end"));
    assert_eq!(read("## Blockers\n\n<!-- none -->\n\n<!-- at all -->", Blockers), None);
    assert_eq!(read("## Blockers\n \t\n", Blockers), None);
    assert_eq!(read("# t\n", Blockers), None);
}

#[test]
fn an_empty_text_leaves_the_heading() {
    let cases = [
        ("## Blockers\n\nold\n\n## X\n", "## Blockers\n\n## X\n"),
        ("## Blockers\nold\n\n## X\n", "## Blockers\n\n## X\n"),
        ("## Blockers\nold\n## X\n", "## Blockers\n## X\n"),
        ("## Blockers\n\nold", "## Blockers\n\n"),
        ("## Blockers\n\n\n## X\n", "## Blockers\n\n\n## X\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(changed(text, Blockers, " \n"), expected, "{text:?}");
        assert_eq!(changed(expected, Blockers, ""), expected);
    }
}

#[test]
fn several_lines_take_the_files_line_ends() {
    assert_eq!(changed("## Goal\r\nold\r\n", Goal, "a\r\nb\nc"), "## Goal\r\na\r\nb\r\nc\r\n");
    assert_eq!(changed("## Goal\nold\n", Goal, "a\r\nb\n"), "## Goal\na\nb\n");
}

#[test]
fn what_was_written_is_read() {
    let texts = [
        "",
        "x",
        "## Goal",
        "# Goal\n",
        "~~~\n",
        "<!--\n",
        "a\r\n",
        "Goal\n===\n\n## Next Steps\nn",
        "- x\n## Blockers\n",
    ];
    for text in texts {
        for which in [Goal, Assumptions, Blockers, NextSteps] {
            for body in ["word", "a\n\nb", "- a\n- b", "### deeper\nx", "```\n## code\n```"] {
                let after = changed(text, which, body);
                assert_eq!(read(&after, which).as_deref(), Some(body), "{text:?} {after:?}");
                for other in Section::ALL.into_iter().filter(|other| *other != which) {
                    assert_eq!(read(&after, other), read(text, other), "{text:?} {after:?}");
                }
            }
        }
    }
}

#[test]
fn several_items_make_a_list() {
    let body = |items: &[&str]| body_of(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
    assert_eq!(body(&["a\nb"]), "a\nb");
    assert_eq!(body(&["a\nb", " ", "c "]), "- a\n  b\n- c");
    assert_eq!(body(&["", ""]), "");
}

#[test]
fn a_hostile_note_takes_no_quadratic_time() {
    for line in ["<!--\n", "```\n~~~~~\n``` x\n<!-- ", "> # a\n- <!-- x\n", "a\n"] {
        let text = line.repeat(20_000);
        let text = format!("{text}\n## Goal\n{text}");
        assert!(read(&text, NextSteps).is_none());
        let _ = read(&text, Goal);
    }
}
