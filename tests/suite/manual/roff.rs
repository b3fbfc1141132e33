//! Writes a manual page in roff's man macros from a light markup, which man-db and mandoc both take.
//!
//! `# X` and `## X` are headings, a line that ends in `::` is a term whose text is indented below it, `- ` begins
//! an item, and three backquotes fence what is shown as it is. Within a line, `x` in backquotes is bold, `<x>` and `_x_` are what
//! the reader fills in.

use super::source::Page;

/// The first line of each page, by which `git task install-man` knows it.
const MADE: &str =
    ".\\\" Made from the source of git-parallel; see CONTRIBUTING.md. Changes here are lost.\n";

/// A page that leads to another: `man1/git-task-ready.1`.
pub fn alias(target: &str) -> String {
    format!("{MADE}.so {target}\n")
}

/// The page, of which `text` is the source with nothing left to fill in.
pub fn page(page: &Page, version: &str, text: &str) -> String {
    let (title, section, date) = (page.name.to_uppercase().replace('-', "\\-"), page.section, &page.date);
    assert!(text.is_ascii(), "a page is plain ASCII, so that every terminal shows it");
    let mut out = format!(
        "{MADE}.TH \"{title}\" \"{section}\" \"{date}\" \"git-parallel {version}\" \"Git Manual\"\n.nh\n.ad l\n"
    );
    let mut in_definition = false;
    // A paragraph after a heading needs no space; a term after an item needs its own indentation back.
    let (mut after_heading, mut after_item) = (false, false);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let (headed, itemed) = (after_heading, after_item);
        (after_heading, after_item) = (line.starts_with('#'), line.starts_with("- "));
        let paragraph = if headed { "" } else { ".PP\n" };
        let block = |lines: &mut std::iter::Peekable<std::str::Lines<'_>>| {
            let mut block = vec![line.trim().to_owned()];
            while let Some(more) = lines.next_if(|l| !l.trim().is_empty() && is_text(l)) {
                block.push(more.trim().to_owned());
            }
            block.join(" ")
        };
        if let Some(heading) = line.strip_prefix("## ") {
            out += &format!(".SS \"{}\"\n", inline(heading));
            in_definition = false;
        } else if let Some(heading) = line.strip_prefix("# ") {
            out += &format!(".SH \"{}\"\n", inline(heading));
            in_definition = false;
        } else if line.trim() == "```" {
            let indent = if in_definition { ".IP\n" } else { paragraph };
            out += &format!("{indent}.nf\n.RS 4\n");
            for line in lines.by_ref().take_while(|l| l.trim() != "```") {
                out +=
                    &guarded(&literal(line.strip_prefix("    ").filter(|_| in_definition).unwrap_or(line)));
            }
            out += ".RE\n.fi\n";
        } else if let Some(term) = line.strip_suffix("::") {
            let indent = if itemed { " 7" } else { "" };
            out += &format!(".TP{indent}\n{}", guarded(&inline(term)));
            let text = lines.next().filter(|l| l.starts_with("    "));
            let text = text.unwrap_or_else(|| panic!("the term {term:?} has no text"));
            let mut words = vec![text.trim().to_owned()];
            while let Some(more) = lines.next_if(|l| l.starts_with("    ") && l.trim() != "```") {
                words.push(more.trim().to_owned());
            }
            out += &guarded(&inline(&words.join(" ")));
            in_definition = true;
        } else if let Some(item) = line.strip_prefix("- ") {
            let mut words = vec![item.to_owned()];
            while let Some(more) = lines.next_if(|l| l.starts_with("  ")) {
                words.push(more.trim().to_owned());
            }
            out += &format!(".IP \\(bu 2\n{}", guarded(&inline(&words.join(" "))));
            in_definition = false;
        } else if line.starts_with("    ") {
            assert!(in_definition, "{line:?} is indented under no term");
            out += &format!(".IP\n{}", guarded(&inline(&block(&mut lines))));
        } else {
            out += &format!("{paragraph}{}", guarded(&inline(&block(&mut lines))));
            in_definition = false;
        }
    }
    out
}

/// Whether a line goes on with a paragraph.
fn is_text(line: &str) -> bool {
    !line.starts_with('#') && !line.starts_with("- ") && !line.ends_with("::") && line.trim() != "```"
}

/// A line of its own that roff can't take for a request.
fn guarded(line: &str) -> String {
    let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
    format!("{guard}{line}\n")
}

/// Bold, and what the reader fills in.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            out += &in_bold(part);
        } else {
            out += &emphasised(part);
        }
    }
    out
}

fn in_bold(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(open) = rest.find('<') {
        let Some(close) = rest[open..].find('>') else { break };
        let (before, name) = (&rest[..open], &rest[open..=open + close]);
        if !before.is_empty() {
            out += &format!("\\fB{}\\fR", literal(before));
        }
        out += &format!("\\fI{}\\fR", literal(name));
        rest = &rest[open + close + 1..];
    }
    if !rest.is_empty() {
        out += &format!("\\fB{}\\fR", literal(rest));
    }
    out
}

/// `_x_` in italics, where the underscores are at the edges of words.
fn emphasised(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let core = word.trim_end_matches([',', '.', ';', ':', ')']);
        match core.strip_prefix('_').and_then(|w| w.strip_suffix('_')) {
            Some(inner) => format!("\\fI{}\\fR{}", inner.replace('\\', "\\e"), &word[core.len()..]),
            None => word.replace('\\', "\\e"),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Text that a reader may copy: no character becomes a nicer one.
fn literal(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out += "\\e",
            '-' => out += "\\-",
            '\'' => out += "\\(aq",
            '`' => out += "\\(ga",
            '^' => out += "\\(ha",
            '~' => out += "\\(ti",
            '"' => out += "\\(dq",
            c => out.push(c),
        }
    }
    out
}
