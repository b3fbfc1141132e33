//! Reads Rust source as tokens, which is enough for the rules and never mistakes a comment or a
//! string for code.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use proc_macro2::TokenStream;

use self::tokens::{Token, Tokens, tree_at};
use super::{LEAVES, MAX_LINES, MAY_PRINT, MAY_READ_ENV, MAY_SPAWN, MAY_USE};

/// A source file.
pub struct File {
    /// From the top level, with slashes.
    pub path: String,
    text: String,
    module: Vec<String>,
}

impl File {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let path = path.into();
        let inner = path.strip_prefix("src/").and_then(|p| p.strip_suffix(".rs")).expect("a path in src");
        let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if inner == "lib" || module.last().is_some_and(|m| m == "mod") {
            module.pop();
        }
        File { path, text: text.into(), module }
    }
}

/// A place that breaks a rule.
#[derive(Debug)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub rule: &'static str,
    detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.detail)
    }
}

/// All findings, by file and line.
pub fn scan(files: &[File], unsafe_files: &[(&str, &str)]) -> Vec<Finding> {
    let mut scan = Scan { findings: Vec::new(), edges: Vec::new() };
    let mut parsed = Vec::new();
    let mut test_modules = BTreeSet::new();
    for file in files {
        let mut tokens = Tokens { list: Vec::new(), test_modules: &mut test_modules };
        match file.text.parse::<TokenStream>() {
            Ok(stream) => tokens.flatten(stream, &Rc::from(file.module.clone())),
            Err(error) => scan.find(&file.path, 1, "not Rust", error.to_string()),
        }
        parsed.push((file, tokens.list));
    }
    parsed.retain(|(file, _)| !(1..=file.module.len()).any(|n| test_modules.contains(&file.module[..n])));
    let modules: BTreeSet<&[String]> =
        parsed.iter().flat_map(|(f, _)| (1..=f.module.len()).map(|n| &f.module[..n])).collect();
    for (file, tokens) in &parsed {
        scan.check_size(file);
        scan.check_words(&file.path, tokens, unsafe_files.iter().any(|(path, _)| *path == file.path));
        scan.check_paths(file, tokens, &modules);
    }
    for (path, reason) in unsafe_files {
        let is_unsafe = |(file, tokens): &(&File, Vec<Token>)| {
            file.path == *path && tokens.iter().any(|t| t.text == "unsafe")
        };
        if !parsed.iter().any(is_unsafe) {
            scan.find(path, 1, "unsafe is gone", format!("take it from the list ({reason})"));
        }
    }
    scan.check_cycles();
    scan.findings.sort_by(|a, b| (&a.path, a.line, a.rule).cmp(&(&b.path, b.line, b.rule)));
    scan.findings.dedup_by(|a, b| (&a.path, a.line, a.rule) == (&b.path, b.line, b.rule));
    scan.findings
}

/// One module uses another.
struct Edge {
    from: Vec<String>,
    to: Vec<String>,
    path: String,
    line: usize,
}

struct Scan {
    findings: Vec<Finding>,
    edges: Vec<Edge>,
}

impl Scan {
    fn find(&mut self, path: &str, line: usize, rule: &'static str, detail: impl Into<String>) {
        self.findings.push(Finding { path: path.into(), line, rule, detail: detail.into() });
    }

    fn check_size(&mut self, file: &File) {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            self.find(&file.path, lines, "too long", format!("{lines} lines, at most {MAX_LINES}"));
        }
    }

    /// The rules that need no more than a few neighbouring words.
    fn check_words(&mut self, path: &str, tokens: &[Token], may_be_unsafe: bool) {
        let allowed = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
        let word = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
        for (i, token) in tokens.iter().enumerate() {
            let before = |n: usize| i.checked_sub(n).map_or("", word);
            let rule = match token.text.as_str() {
                "unsafe" if !may_be_unsafe => Some(("unsafe", "name the file and a reason in the list")),
                "unwrap" if before(1) == "." && word(i + 1) == "(" => {
                    Some(("unwrap", "say with expect why it holds"))
                }
                "Command" if word(i + 1) == "::" && word(i + 2) == "new" && before(2) != "clap" => {
                    (!allowed(MAY_SPAWN)).then_some(("starts a process", "src/git/process.rs does that"))
                }
                "println" | "print" | "eprintln" | "eprint" | "dbg" if word(i + 1) == "!" => {
                    (!allowed(MAY_PRINT)).then_some(("prints", "src/ui does that"))
                }
                _ => None,
            };
            if let Some((rule, detail)) = rule {
                self.find(path, token.line, rule, detail);
            }
            // `env::var(...)`, `use std::env::{self, var}`, and the like of `io`.
            for (module, names, places, rule) in [
                (
                    "env",
                    &["var", "var_os", "vars", "vars_os", "args", "args_os"][..],
                    MAY_READ_ENV,
                    "reads the environment",
                ),
                ("io", &["stdout", "stderr"], MAY_PRINT, "prints"),
            ] {
                if token.text == module && word(i + 1) == "::" && !allowed(places) {
                    for (name, line) in tree_at(tokens, i + 2).0 {
                        if name.first().is_some_and(|n| names.contains(&n.as_str())) {
                            self.find(path, line, rule, format!("{module}::{}", name[0]));
                        }
                    }
                }
            }
        }
    }

    /// The rules about who uses whom.
    fn check_paths(&mut self, file: &File, tokens: &[Token], modules: &BTreeSet<&[String]>) {
        let Some(layer) = file.module.first() else { return };
        let uses = MAY_USE.iter().find(|(name, _)| name == layer).map(|(_, uses)| *uses);
        let is_leaf = LEAVES.contains(&layer.as_str());
        if uses.is_none() && !is_leaf {
            self.find(&file.path, 1, "not in the picture", format!("where does {layer} belong?"));
        }
        let mut at = 0;
        while at < tokens.len() {
            let token = &tokens[at];
            let starts = ["crate", "super", "self", "git_parallel"].contains(&token.text.as_str());
            let is_path = starts && tokens.get(at + 1).is_some_and(|t| t.text == "::");
            // `a::self::b` is no path; `$crate::a` is one.
            if !is_path || (at > 0 && tokens[at - 1].text == "::") {
                at += 1;
                continue;
            }
            let (paths, end) = tree_at(tokens, at);
            for (path, line) in paths {
                self.check_path(file, &token.module, &path, line, modules, uses.unwrap_or(&[]));
            }
            at = end.max(at + 1);
        }
    }

    fn check_path(
        &mut self,
        file: &File,
        module: &[String],
        path: &[String],
        line: usize,
        modules: &BTreeSet<&[String]>,
        uses: &[&str],
    ) {
        let mut target =
            if path[0] == "crate" || path[0] == "git_parallel" { Vec::new() } else { module.to_vec() };
        for (i, segment) in path.iter().enumerate() {
            match segment.as_str() {
                "super" => drop(target.pop()),
                "crate" | "git_parallel" | "self" if i == 0 => (),
                _ => target.push(segment.clone()),
            }
        }
        let Some(top) = target.first() else { return };
        let own = &file.module[0];
        let is_layer = MAY_USE.iter().any(|(name, _)| name == top) || modules.contains(&target[..1]);
        if !is_layer && !LEAVES.contains(&top.as_str()) {
            let detail = format!("crate::{top} hides the layer that it comes from");
            return self.find(&file.path, line, "crate root", detail);
        }
        if top != own && !LEAVES.contains(&top.as_str()) && !uses.contains(&top.as_str()) {
            self.find(&file.path, line, "layer", format!("{own} may not use {top}"));
        }
        while !target.is_empty() && !modules.contains(target.as_slice()) {
            target.pop();
        }
        self.edges.push(Edge { from: file.module.clone(), to: target, path: file.path.clone(), line });
    }

    /// Siblings, each with all that is in it, must not use each other in a circle. A module and its
    /// own parts are one thing and may.
    fn check_cycles(&mut self) {
        let mut levels: BTreeMap<&[String], BTreeMap<&str, BTreeMap<&str, &Edge>>> = BTreeMap::new();
        for edge in &self.edges {
            let common = edge.from.iter().zip(&edge.to).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (edge.from.get(common), edge.to.get(common)) {
                let level = levels.entry(&edge.from[..common]).or_default();
                level.entry(from).or_default().entry(to).or_insert(edge);
            }
        }
        let mut found = Vec::new();
        for level in levels.values() {
            let mut reported = BTreeSet::new();
            for start in level.keys().copied() {
                let Some(cycle) = cycle_from(level, start) else { continue };
                let members: BTreeSet<&str> = cycle.iter().copied().collect();
                if reported.insert(members) {
                    let edge = level[cycle[0]][cycle[1]];
                    found.push((edge.path.clone(), edge.line, cycle.join(" -> ")));
                }
            }
        }
        for (path, line, cycle) in found {
            self.find(&path, line, "cycle", cycle);
        }
    }
}

/// A shortest way from `start` back to it.
fn cycle_from<'a>(
    level: &BTreeMap<&'a str, BTreeMap<&'a str, &Edge>>,
    start: &'a str,
) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in level.get(way[way.len() - 1]).into_iter().flat_map(BTreeMap::keys).copied() {
                let way = [way.as_slice(), &[next]].concat();
                if next == start {
                    return Some(way);
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}
