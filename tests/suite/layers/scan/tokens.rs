//! Rust source as tokens, without its tests, and the paths in them.

use std::collections::BTreeSet;
use std::rc::Rc;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token, with the module that it is in.
pub(super) struct Token {
    pub text: String,
    pub line: usize,
    pub module: Rc<[String]>,
}

/// Tokens of a file without its tests. Brackets are tokens too, and so is `::`.
pub(super) struct Tokens<'a> {
    pub list: Vec<Token>,
    pub test_modules: &'a mut BTreeSet<Vec<String>>,
}

impl Tokens<'_> {
    pub fn flatten(&mut self, stream: TokenStream, module: &Rc<[String]>) {
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

/// The paths of a `use` tree or of an expression that begins at `at`, each with its line, and where
/// they end.
pub(super) fn tree_at(tokens: &[Token], mut at: usize) -> (Vec<(Vec<String>, usize)>, usize) {
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
