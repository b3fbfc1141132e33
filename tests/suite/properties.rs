//! Laws that hold for any input. `PROPTEST_CASES` says how many cases each of them is tried with.

use git_parallel::desk::template::expand;
use git_parallel::integrate::conflict::markers;
use git_parallel::task::note::{self, Section};
use git_parallel::text;
use git_parallel::ui::listing::{self, Record};
use git_parallel::ui::screen::Screen;
use git_parallel::{config::team, duration, task::plan};
use proptest::collection::vec;
use proptest::prelude::*;

/// Text of what is special to something here, and of anything else.
pub fn odd_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => any::<char>().prop_map(String::from),
        3 => "[ -~]{0,6}",
        4 => prop::sample::select(vec![
            "\n", "\r", "\r\n", "\t", "\"", "'", "\\", "\\n", "#", ";", "=", "[", "]", "{", "}", "$(id)", "`id`",
            "\u{1b}[31m", "\u{1b}]52;c;eA==\u{7}", "\u{9b}2J", "\u{202e}", "\u{feff}", "..", ".lock", "@{", "-",
            "/", "~", "HEAD", " ", "\u{a0}", "ä", "\u{7f}", "\0",
        ]).prop_map(str::to_owned),
    ];
    vec(piece, 0..8).prop_map(|all| all.concat())
}

/// The same with bytes that are not UTF-8.
pub fn odd_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![odd_text().prop_map(String::into_bytes), vec(any::<u8>(), 0..4)], 0..4)
        .prop_map(|all| all.concat())
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn toml_soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[[task]]\n",
        "[task]\n",
        "[setup]\n",
        "[session.a]\n",
        "[[stage]]\n",
        "[integrate]\n",
        "[[on]]\n",
        "name",
        "title",
        "scope",
        "after",
        "phase",
        "priority",
        "run",
        "copy",
        "command",
        "gate",
        "event",
        "session",
        "limit",
        " = ",
        "=",
        "\"a\"",
        "'b'",
        "\"ready\"",
        "[",
        "]",
        ",",
        "1",
        "-1",
        "true",
        "1979-05-27",
        "\n",
        "\"\"\"",
        "\\u0000",
        "{",
        "}",
        "#",
        ".",
        "inf",
        "99999999999999999999",
    ]);
    vec(prop_oneof![8 => piece.prop_map(str::to_owned), 1 => odd_text()], 0..24).prop_map(|all| all.concat())
}

/// A note: of whole lines that mean something, and of some that don't.
fn note_text() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "# x",
        "## Goal",
        "## goal ##",
        "# Blockers",
        "Blockers",
        "---",
        "====",
        "## Next steps",
        "### Next steps",
        "## Assumptions",
        "## Other",
        "text",
        "",
        "  ",
        "<!--",
        "-->",
        "<!-- c -->",
        "```",
        "~~~~",
        "    ## Goal",
        "- ## Goal",
        "> text",
        "\u{feff}",
    ]);
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "", "\r"]);
    let whole = (line, end).prop_map(|(line, end)| format!("{line}{end}").into_bytes());
    vec(prop_oneof![9 => whole, 1 => odd_bytes()], 0..16).prop_map(|all| all.concat())
}

/// What `key value` lines say, read as the interface describes them.
fn read_porcelain(text: &[u8], nul: bool) -> Vec<Vec<(String, Vec<u8>)>> {
    let end = if nul { 0 } else { b'\n' };
    if text.is_empty() {
        return Vec::new();
    }
    let mut records = vec![Vec::new()];
    let lines = text.strip_suffix(&[end]).unwrap_or(text).split(|b| *b == end);
    for line in lines {
        if line.is_empty() {
            records.push(Vec::new());
            continue;
        }
        let at = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
        let value = line.get(at + 1..).unwrap_or_default();
        let value = if !nul && value.starts_with(b"\"") { unquote(value) } else { value.to_owned() };
        let key = String::from_utf8(line[..at].to_owned()).unwrap();
        records.last_mut().unwrap().push((key, value));
    }
    assert_eq!(records.pop(), Some(Vec::new()), "an empty line closes each record");
    records
}

/// A C-quoted string, as git-status(1) describes it.
fn unquote(text: &[u8]) -> Vec<u8> {
    let inside = text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).expect("it is in quotes");
    let mut out = Vec::new();
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        assert!(byte != b'"');
        out.push(match byte {
            b'\\' => match bytes.next().expect("something is escaped") {
                b'a' => 7,
                b'b' => 8,
                b't' => 9,
                b'n' => 10,
                b'v' => 11,
                b'f' => 12,
                b'r' => 13,
                octal @ b'0'..=b'3' => {
                    let digits = [octal, bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 8).unwrap()
                }
                plain => plain,
            },
            plain => plain,
        });
    }
    out
}

fn is_plain(text: &str) -> bool {
    !text.contains(|c| text::is_hidden(c) && c != '\n' && c != '\t')
}

proptest! {
    #[test]
    fn text_that_is_shown_hides_nothing(bytes in odd_bytes()) {
        prop_assert!(!text::escape_controls(&bytes).contains(text::is_hidden));
        prop_assert!(is_plain(&text::escape_controls_multiline(&bytes)));
    }

    #[test]
    fn a_quoted_path_reads_back(bytes in odd_bytes()) {
        if let Some(quoted) = text::c_quote(&bytes) {
            prop_assert!(!quoted.contains(|c: char| c.is_ascii_control()));
            prop_assert_eq!(unquote(quoted.as_bytes()), bytes);
        } else {
            prop_assert!(!bytes.contains(&b'\n') && !bytes.starts_with(b"\""));
        }
    }

    #[test]
    fn a_listing_reads_back(
        records in vec(vec((0..3_usize, vec(odd_bytes(), 1..3), any::<i64>()), 1..5), 0..4)
    ) {
        const KEYS: [&str; 3] = ["task", "scope", "ahead"];
        let mut built = Vec::new();
        let mut expected = Vec::new();
        for fields in &records {
            let (mut record, mut lines) = (Record::default(), Vec::new());
            for (kind, values, number) in fields {
                let key = KEYS[*kind];
                match kind {
                    0 => record.text(key, values[0].clone()),
                    1 => record.list(key, values.clone()),
                    _ => record.number(key, *number),
                }
                match kind {
                    0 => lines.push((key.to_owned(), values[0].clone())),
                    1 => lines.extend(values.iter().map(|v| (key.to_owned(), v.clone()))),
                    _ => lines.push((key.to_owned(), number.to_string().into_bytes())),
                }
            }
            built.push(record);
            expected.push(lines);
        }
        prop_assert_eq!(&read_porcelain(&listing::porcelain(&built, false), false), &expected);
        let without_nul = |bytes: &Vec<u8>| {
            let pieces = bytes.split(|b| *b == 0).collect::<Vec<_>>();
            pieces.join("\u{fffd}".as_bytes())
        };
        for (_, value) in expected.iter_mut().flatten() {
            *value = without_nul(value);
        }
        prop_assert_eq!(&read_porcelain(&listing::porcelain(&built, true), true), &expected);
        let json: serde_json::Value = serde_json::from_slice(&listing::json(&built)).unwrap();
        for (record, fields) in json.as_array().unwrap().iter().zip(&records) {
            // Of several of one name a document has the last.
            for (at, (kind, values, number)) in fields.iter().enumerate() {
                if fields[at + 1..].iter().any(|(later, ..)| later == kind) {
                    continue;
                }
                let lossy = |v: &Vec<u8>| serde_json::Value::from(String::from_utf8_lossy(v).into_owned());
                let wanted = match kind {
                    0 => lossy(&values[0]),
                    1 => values.iter().map(lossy).collect(),
                    _ => (*number).into(),
                };
                prop_assert_eq!(&record[KEYS[*kind]], &wanted);
            }
        }
    }

    #[test]
    fn what_a_program_prints_is_shown_the_same_however_it_comes(
        pieces in vec(odd_bytes(), 0..5), color in any::<bool>()
    ) {
        let shown = |pieces: &[Vec<u8>]| {
            let mut screen = Screen::new(color);
            let mut out: String = pieces.iter().map(|p| screen.take(p)).collect();
            out.push_str(&screen.rest());
            out
        };
        let at_once = shown(&[pieces.concat()]);
        prop_assert_eq!(&shown(&pieces), &at_once);
        let mut plain = at_once.clone();
        while let Some(at) = plain.find("\u{1b}[") {
            prop_assert!(color);
            let end = plain[at + 2..].find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':').unwrap() + at + 2;
            prop_assert!(plain[end..].starts_with('m'));
            plain.replace_range(at..=end, "");
        }
        prop_assert!(is_plain(&plain), "{:?}", plain);
    }

    #[test]
    fn a_section_that_is_written_is_read_and_the_rest_stays(
        text in note_text(), which in 0..4_usize, body in "[a-z]{1,5}( [a-z]{1,5}){0,2}", again in "[a-z]{0,5}"
    ) {
        let section = Section::ALL[which];
        let changed = note::with_section(&text, section, &body);
        prop_assert_eq!(note::section(&changed, section), Some(body.clone()));
        for other in Section::ALL.into_iter().filter(|s| *s != section) {
            prop_assert_eq!(note::section(&changed, other), note::section(&text, other), "{:?}", other);
        }
        prop_assert_eq!(note::with_section(&changed, section, &body), changed.clone());
        // From here on there is a text, and only that is exchanged.
        let second = note::with_section(&changed, section, "other words");
        let third = note::with_section(&second, section, &body);
        prop_assert_eq!(&third, &changed);
        let same = changed.iter().zip(&second).take_while(|(a, b)| a == b).count();
        let tail = changed.iter().rev().zip(second.iter().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(changed.len() <= same + tail + body.len());
        prop_assert!(second.len() <= same + tail + "other words".len());
        note::with_section(&text, section, &again);
    }

    #[test]
    fn any_plan_is_read_or_refused_with_its_name(text in toml_soup()) {
        if let Err(failure) = plan::parse(&text, "the.toml", |name| name == "a") {
            prop_assert!(failure.message().starts_with("the.toml:"), "{}", failure.message());
            prop_assert!(is_plain(&failure.message()));
        }
        if let Err(failure) = team::parse(&text, "the.toml", |_| false) {
            prop_assert!(failure.message().starts_with("the.toml:"), "{}", failure.message());
            prop_assert!(is_plain(&failure.message()));
        }
    }

    #[test]
    fn a_plan_says_what_was_written(
        tasks in vec((odd_text(), odd_text(), vec(odd_text(), 0..3), any::<i64>(), any::<u8>()), 1..5)
    ) {
        let mut text = String::new();
        for (at, (title, goal, scope, priority, before)) in tasks.iter().enumerate() {
            let scope: Vec<_> = scope.iter().map(|s| quoted(s)).collect();
            text += &format!("[[task]]\nname = 't{at}'\ntitle = {}\ngoal = {}\n", quoted(title), quoted(goal));
            text += &format!("scope = [{}]\npriority = {priority}\n", scope.join(", "));
            if at > 0 {
                text += &format!("after = ['t{}']\n", usize::from(*before) % at);
            }
        }
        let has_nul = tasks.iter().any(|(a, b, c, ..)| a.contains('\0') || b.contains('\0') || c.concat().contains('\0'));
        match plan::parse(&text, "the.toml", |_| false) {
            Err(failure) => prop_assert!(has_nul && failure.message().contains("NUL"), "{}", failure.message()),
            Ok(plan) => {
                prop_assert!(!has_nul);
                for task in &plan.tasks {
                    let at: usize = task.name.as_str()[1..].parse().unwrap();
                    let (title, goal, scope, priority, _) = &tasks[at];
                    prop_assert_eq!(task.title.as_ref(), Some(title));
                    prop_assert_eq!(task.goal.as_ref(), Some(goal));
                    prop_assert_eq!((&task.scope, task.priority), (scope, *priority));
                }
            }
        }
    }

    #[test]
    fn a_team_file_s_commands_are_those_that_are_shown(runs in vec(odd_text(), 1..4), check in odd_text()) {
        let all: Vec<_> = runs.iter().map(|s| quoted(s)).collect();
        let text = format!("[setup]\nrun = [{}]\n[integrate]\ncheck = [{}]\n", all.join(","), quoted(&check));
        let is_bad = |s: &String| s.trim().is_empty() || s.contains('\0');
        match team::parse(&text, "the.toml", |_| false) {
            Err(failure) => {
                prop_assert!(runs.iter().chain([&check]).any(is_bad), "{}", failure.message());
            }
            Ok(file) => {
                prop_assert!(!runs.iter().chain([&check]).any(is_bad));
                let shown: Vec<_> = file.commands().iter().map(|c| c.command.clone()).collect();
                prop_assert_eq!(&shown[..runs.len()], &runs[..]);
                prop_assert_eq!(&file.setup.run, &runs);
                prop_assert_eq!(&file.checks[..], &shown[runs.len()..]);
                prop_assert!(file.manifest().contains(&check));
            }
        }
    }

    #[test]
    fn times(n in any::<u64>(), unit in 0..6_usize, text in odd_text(), now in any::<i64>()) {
        let (unit, factor) = [("", 1), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)][unit];
        let wanted = n.checked_mul(factor).filter(|n| i64::try_from(*n).is_ok());
        let read = duration::parse(&format!("{n}{unit}")).ok();
        prop_assert_eq!(read.map(|time| time.as_secs()), wanted);
        let _ = duration::parse(&text);
        let _ = duration::parse_expiry(&text, now);
        let _ = duration::parse_expiry(&format!("{n} {unit}.ago {text}"), now);
        for shown in [duration::ago(now), duration::moment(now), duration::stamp(now)] {
            prop_assert!(!shown.is_empty());
        }
        duration::span(std::time::Duration::from_millis(n));
    }

    #[test]
    fn a_value_in_a_format_is_taken_as_it_is(value in odd_text(), before in "[a-z/]{0,3}", after in "[a-z/]{0,3}") {
        let filled = expand(&format!("{before}{{task}}{after}"), &[("task", &value)]).unwrap();
        prop_assert_eq!(filled, format!("{before}{value}{after}"));
        let _ = expand(&value, &[("task", "x")]);
    }

    #[test]
    fn conflicts_that_were_marked_are_found(
        hunks in vec((vec("[a-z]{0,3}", 0..3), vec("[a-z<=>|]{0,9}", 0..3), vec("[a-z]{0,3}", 0..3), any::<bool>()), 0..4),
        size in 7..12_usize, soup in odd_bytes()
    ) {
        let mark = |c: char| c.to_string().repeat(size);
        let (mut text, mut expected, mut line) = (String::new(), Vec::new(), 0);
        // No line of a side is as long as a marker.
        let fits = |s: &&String| s.len() < size;
        for (plain, ours, theirs, base) in &hunks {
            let mut put = |s: String| { text += &s; text.push('\n'); line += 1; line };
            plain.iter().filter(fits).for_each(|s| { put(s.clone()); });
            let start = put(format!("{} a", mark('<')));
            ours.iter().filter(fits).for_each(|s| { put(s.clone()); });
            let mut middle = put(if *base { mark('|') } else { mark('=') }) - 1;
            let ours = start..middle;
            if *base { middle = put(mark('=')) - 1; }
            let base = base.then(|| ours.end + 1..middle);
            theirs.iter().filter(fits).for_each(|s| { put(s.clone()); });
            let end = put(format!("{} b", mark('>'))) - 1;
            expected.push(markers::Hunk { ours, base, theirs: middle + 1..end });
        }
        let lines = markers::lines(text.as_bytes());
        prop_assert_eq!(lines.concat(), text.as_bytes());
        prop_assert_eq!(markers::hunks(&lines, size), expected);
        prop_assert_eq!(markers::left_over(text.as_bytes(), b"", b"", b"", size).is_some(), !hunks.is_empty());
        // What a side has itself was not left over, whatever it looks like.
        let side = [text.as_bytes(), &soup].concat();
        prop_assert_eq!(markers::left_over(&side, &soup, &side, &soup, size), None);
        prop_assert_eq!(markers::left_over(&side, b"", &soup, &side, size), None);
        prop_assert_eq!(markers::lines(&side).concat(), side.clone());
        markers::hunks(&markers::lines(&soup), 1);
    }
}
