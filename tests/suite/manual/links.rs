//! Pages refer to pages that exist, and each is referred to; options that are mentioned exist.

use std::collections::BTreeSet;

use super::examples::complaint;
use super::source;

/// The pages that a text refers to, as `git-task-add(1)`, if they are ours.
fn references(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices('(') {
        let name: String = text[..at]
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let section: String = text[at + 1..].chars().take_while(|c| c.is_ascii_digit()).collect();
        let ours = ["git-task", "git-pool", "git-integrate", "git-parallel"];
        if !section.is_empty() && ours.iter().any(|our| name.starts_with(our)) {
            found.insert(format!("{name}.{section}"));
        }
    }
    found
}

#[test]
fn references_lead_somewhere_and_each_page_is_found() {
    let (pages, programs) = (source::all(), source::programs());
    let known: BTreeSet<String> = pages
        .iter()
        .flat_map(|p| p.names().map(|n| format!("{n}.{}", p.section)).collect::<Vec<_>>())
        .collect();
    for page in &pages {
        for target in references(&source::filled_in(page, &programs)) {
            assert!(known.contains(&target), "{} refers to {target}", page.name);
        }
        let see_also = page.part("SEE ALSO").unwrap_or_default();
        let targets = references(&see_also);
        assert!(
            !targets.is_empty() && !targets.contains(&page.file()),
            "{}: SEE ALSO {targets:?}",
            page.name
        );
        let elsewhere = pages.iter().filter(|p| p.name != page.name);
        let from =
            elsewhere.filter(|p| references(&p.part("SEE ALSO").unwrap_or_default()).contains(&page.file()));
        assert!(from.count() > 0, "no page has {} in SEE ALSO", page.name);
    }
}

/// What is in backquotes, with what follows it.
fn spans(text: &str) -> Vec<(String, String)> {
    let mut in_block = false;
    let plain = text.lines().filter(|line| {
        let is_fence = line.trim() == "```";
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    let text = plain.map(str::trim).collect::<Vec<_>>().join(" ");
    let parts: Vec<&str> = text.split('`').collect();
    let pair = |at: usize| (parts[at].to_owned(), parts[at + 1..].join("`"));
    (1..parts.len().saturating_sub(1)).step_by(2).map(pair).collect()
}

#[test]
fn options_that_are_mentioned_exist() {
    let programs = source::programs();
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in source::all() {
        let about = |name: &str| source::command_of(&programs, name).map(|(_, command)| command);
        let mut own: Vec<_> = page.names().filter_map(about).collect();
        // An overview speaks of all its commands, and what is no command's page of any.
        own.extend(own.clone().iter().flat_map(|command| command.get_subcommands()));
        if own.is_empty() {
            own = programs.iter().flat_map(|p| std::iter::once(p).chain(p.get_subcommands())).collect();
        }
        for (span, after) in spans(&page.text) {
            if let Some(rest) = span.strip_prefix("git ") {
                let words: Vec<String> = rest.split(' ').map(Into::into).collect();
                if ["task", "pool", "integrate"].contains(&words[0].as_str()) && rest.contains('-') {
                    let words: Vec<_> = std::iter::once(format!("git-{}", words[0]))
                        .chain(words[1..].iter().map(|w| w.trim_matches(['[', ']']).to_owned()))
                        .collect();
                    // What is named in prose need not be complete.
                    let unknown = |e: &String| e.contains("unexpected") || e.contains("unrecognized");
                    let complaint = complaint(&words).filter(unknown);
                    wrong.extend(complaint.map(|e| format!("{}: `{span}`: {e}", page.name)));
                    seen += 1;
                }
                continue;
            }
            if !span.starts_with('-') || span == "--" || span == "--no-" {
                continue;
            }
            // "`--reuse` of git-task-add(1)" is an option of that page, and "of git-diff(1)" none of ours.
            let elsewhere =
                after.strip_prefix(" of ").and_then(|rest| rest.split_once('(')).map(|(name, _)| name);
            let commands = match elsewhere.filter(|name| !name.contains(' ')) {
                Some(name) => match about(name) {
                    Some(command) => vec![command],
                    None => continue,
                },
                None => own.clone(),
            };
            let option = span.split(['=', ' ', '[']).next().unwrap_or_default();
            let known = commands.iter().flat_map(|c| c.get_arguments()).any(|a| {
                let long = a.get_long().map(|long| format!("--{long}"));
                let short = a.get_short().map(|short| format!("-{short}"));
                long.as_deref() == Some(option) || short.as_deref() == Some(option)
            });
            wrong.extend((!known).then(|| format!("{} mentions {option}", page.name)));
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 30, "{seen}");
}
