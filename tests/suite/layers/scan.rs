//! Reads Rust source as tokens, which is enough for the rules and never mistakes a comment or a
//! string for code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

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

/// One token, with the module that it is in.
struct Token {
    text: String,
    line: usize,
    module: Rc<[String]>,
}

/// Tokens of a file without its tests. Brackets are tokens too, and so is `::`.
struct Tokens<'a> {
    list: Vec<Token>,
    test_modules: &'a mut BTreeSet<Vec<String>>,
}

impl Tokens<'_> {
    fn flatten(&mut self, stream: TokenStream, module: &Rc<[String]>) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            if let Some(attribute) = attribute_at(&trees, at) {
                if is_for_tests(&attribute) {
                    let end = item_end(&trees, at);
                    if let Some(name) = module_file(&trees[at..end]) {
                        self.test_modules.insert([module.as_ref(), &[name]].concat());
                    }
                    at = end;
                    continue;
                }
                // Other attributes hold no paths of ours.
                at += 2;
                continue;
            }
            let is_colon = |i| matches!(trees.get(i), Some(TokenTree::Punct(p)) if p.as_char() == ':');
            if is_colon(at) && is_colon(at + 1) {
                let line = trees[at].span().start().line;
                self.list.push(Token { text: "::".into(), line, module: module.clone() });
                at += 2;
                continue;
            }
            self.push(&trees, at, module);
            at += 1;
        }
    }

    fn push(&mut self, trees: &[TokenTree], at: usize, module: &Rc<[String]>) {
        let line = trees[at].span().start().line;
        let mut add = |text: String, line| self.list.push(Token { text, line, module: module.clone() });
        match &trees[at] {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                add(open.into(), line);
                let inner = match (at.checked_sub(2).map(|i| &trees[i]), at.checked_sub(1).map(|i| &trees[i]))
                {
                    (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(name))) if word == "mod" => {
                        Rc::from([module.as_ref(), &[name.to_string()]].concat())
                    }
                    _ => module.clone(),
                };
                self.flatten(group.stream(), &inner);
                let line = group.span_close().start().line;
                self.list.push(Token { text: close.into(), line, module: module.clone() });
            }
            // What a literal says is no code.
            TokenTree::Literal(_) => add("\"\"".into(), line),
            tree => add(tree.to_string(), line),
        }
    }
}

/// The inside of the outer attribute that begins at `at`.
fn attribute_at(trees: &[TokenTree], at: usize) -> Option<Vec<TokenTree>> {
    match (&trees[at], trees.get(at + 1)) {
        (TokenTree::Punct(hash), Some(TokenTree::Group(group)))
            if hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
        {
            Some(group.stream().into_iter().collect())
        }
        _ => None,
    }
}

/// `#[test]`, `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn is_for_tests(attribute: &[TokenTree]) -> bool {
    fn requires_test(condition: Vec<TokenTree>) -> bool {
        condition.iter().enumerate().any(|(i, tree)| match tree {
            TokenTree::Ident(word) if word == "test" => true,
            TokenTree::Ident(word) if word == "all" => {
                matches!(condition.get(i + 1), Some(TokenTree::Group(g)) if requires_test(g.stream().into_iter().collect()))
            }
            _ => false,
        })
    }
    match attribute {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] if word == "cfg" => {
            requires_test(group.stream().into_iter().collect())
        }
        _ => false,
    }
}

/// Where the item ends whose attributes begin at `at`.
fn item_end(trees: &[TokenTree], mut at: usize) -> usize {
    let mut is_use = false;
    while let Some(tree) = trees.get(at) {
        at += 1;
        match tree {
            TokenTree::Ident(word) if word == "use" => is_use = true,
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            // The braces of a `use` are not its end.
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_use => break,
            _ => (),
        }
    }
    at
}

/// The name in `mod name;`.
fn module_file(item: &[TokenTree]) -> Option<String> {
    match item {
        [.., TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(end)]
            if word == "mod" && end.as_char() == ';' =>
        {
            Some(name.to_string())
        }
        _ => None,
    }
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

/// The paths of a `use` tree or of an expression that begins at `at`, each with its line, and where
/// they end.
fn tree_at(tokens: &[Token], mut at: usize) -> (Vec<(Vec<String>, usize)>, usize) {
    let mut prefix: Vec<String> = Vec::new();
    let word = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    let line = |i: usize| tokens[i.min(tokens.len() - 1)].line;
    loop {
        match word(at) {
            "{" => {
                let mut found = Vec::new();
                at += 1;
                while !matches!(word(at), "}" | "") {
                    if word(at) == "," {
                        at += 1;
                        continue;
                    }
                    let (paths, end) = tree_at(tokens, at);
                    found.extend(
                        paths.into_iter().map(|(path, line)| ([prefix.clone(), path].concat(), line)),
                    );
                    at = end.max(at + 1);
                }
                return (found, at + 1);
            }
            name if name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_') => {
                // `a::{self}` names a.
                if name != "self" || prefix.is_empty() {
                    prefix.push(name.to_owned());
                }
                if word(at + 1) == "::" {
                    at += 2;
                    continue;
                }
                let end = if word(at + 1) == "as" { at + 3 } else { at + 1 };
                return (vec![(prefix, line(at))], end);
            }
            // `*`, a turbofish, or the end of what can be read.
            _ => return (vec![(prefix, line(at.saturating_sub(1)))], at + 1),
        }
    }
}
