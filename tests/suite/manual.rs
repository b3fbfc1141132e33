//! The manual: what is said about options comes from the command lines, the rest from `man/*.in`. A page
//! that leaves something out, or says something that isn't so, is an error.

mod coverage;
mod examples;
mod links;
mod roff;
pub mod source;

use std::collections::BTreeSet;

use git_parallel::commands::install::PAGES;

use crate::generated::{assert_kept, root};
use crate::support::*;

/// The kept pages by file name, as they should be: those that have a source, and aliases, which lead to one.
fn expected() -> Vec<(String, String)> {
    let programs = source::programs();
    let mut all = Vec::new();
    for page in source::all() {
        let text = source::filled_in(&page, &programs);
        all.push((page.file(), roff::page(&page, env!("CARGO_PKG_VERSION"), &text)));
        for alias in &page.aliases {
            let section = page.section;
            all.push((format!("{alias}.{section}"), roff::alias(&format!("man{section}/{}", page.file()))));
        }
    }
    all
}

#[test]
fn pages_are_fresh() {
    let mut names = BTreeSet::new();
    for (name, text) in expected() {
        assert_kept(&format!("man/{name}"), &text);
        names.insert(name);
    }
    let kept: BTreeSet<_> = std::fs::read_dir(root("man"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    let made: BTreeSet<_> = kept.into_iter().filter(|name| !name.ends_with(".in")).collect();
    assert_eq!(made, names, "a page that nobody makes is a leftover");
    let known: Vec<_> = PAGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, names.into_iter().collect::<Vec<_>>(), "install-man has all pages, in order");
}

#[test]
fn pages_render_without_a_warning() {
    let pages = source::all();
    let sandbox = Sandbox::new();
    let dir = sandbox.path("");
    let files: Vec<_> = pages.iter().map(|page| root(&format!("man/{}", page.file()))).collect();
    for (page, file) in pages.iter().zip(&files) {
        if !need("man") {
            break;
        }
        let mut man = sandbox.command(&dir, "man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(file);
        let run = Run::of(man.env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8"), b"").ok();
        assert_eq!(run.stderr, "", "{}", page.name);
        assert!(run.stdout.contains("GIT-PARALLEL"), "{run}");
        for line in run.stdout.lines() {
            let plain = console::strip_ansi_codes(line);
            assert!(plain.chars().count() <= 80, "{}: too wide: {plain}", page.name);
        }
    }
    if need("mandoc") {
        let mut lint = sandbox.command(&dir, "mandoc");
        Run::of(lint.args(["-T", "lint", "-W", "warning"]).args(&files), b"").ok().prints("");
    }
    if need("lexgrog") {
        // What apropos(1) will know: each name with what it is about.
        let run = Run::of(sandbox.command(&dir, "lexgrog").args(&files), b"").ok();
        for page in &pages {
            for name in page.names() {
                assert!(run.stdout.contains(&format!("\"{name} - ")), "{name}\n{run}");
            }
        }
    }
}
