//! What there is to choose from: a key and words for each, and which of them was typed.

use console::Style;
use gix::bstr::ByteSlice;

use super::show;
use crate::error::Result;
use crate::integrate::conflict::{Action, Conflict, Kind, Stopped, Whose};
use crate::text::escape_controls;
use crate::ui::Ui;

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Do(Action),
    AsItIs,
    Edit,
    Tool,
    Show,
    Undo,
    Skip,
    Stop,
    Abort,
    GoOn,
}

struct Item {
    key: String,
    /// What may be typed instead of the key, from its beginning.
    words: Vec<String>,
    label: String,
    choice: Choice,
}

/// The answers to one question.
pub(super) struct Menu(Vec<Item>);

impl Menu {
    /// Those of a conflict.
    pub(super) fn new(
        stopped: &Stopped<'_>,
        conflict: &Conflict,
        actions: &[Action],
        in_place: bool,
        recorded: bool,
        can_undo: bool,
    ) -> Result<Self> {
        let mut menu = Menu(Vec::new());
        for (at, action) in actions.iter().enumerate() {
            let label = label(stopped, conflict, *action)?;
            let words = words(stopped, *action).into_iter().map(str::to_owned).collect();
            menu.0.push(Item { key: (at + 1).to_string(), words, label, choice: Choice::Do(*action) });
        }
        if recorded {
            menu.add("r", "recorded", "use the recorded resolution, shown above", Choice::AsItIs);
        } else if in_place {
            menu.add("f", "file", "use the file as it is in the worktree", Choice::AsItIs);
        }
        if conflict.kind == Kind::Text {
            menu.add("e", "edit", "edit the file", Choice::Edit);
            menu.add("t", "mergetool", "run git mergetool on it", Choice::Tool);
        }
        menu.add("d", "difference", "show what each side did", Choice::Show);
        menu.end(can_undo);
        Ok(menu)
    }

    /// Those after the last conflict.
    pub(super) fn last(can_go_on: bool, can_undo: bool) -> Self {
        let mut menu = Menu(Vec::new());
        if can_go_on {
            menu.add("y", "yes", "yes, commit the merge", Choice::GoOn);
        }
        menu.add("d", "difference", "show what it changes", Choice::Show);
        menu.end(can_undo);
        menu
    }

    fn end(&mut self, can_undo: bool) {
        if can_undo {
            self.add("u", "undo", "undo the last answer", Choice::Undo);
        }
        self.add("s", "skip", "skip the task, and those that depend on it", Choice::Skip);
        self.add("q", "stop", "stop here and keep the state", Choice::Stop);
        self.add("a", "abort", "abort the integration", Choice::Abort);
    }

    fn add(&mut self, key: &str, word: &str, label: &str, choice: Choice) {
        let words = vec![word.to_owned()];
        self.0.push(Item { key: key.to_owned(), words, label: label.to_owned(), choice });
    }

    /// The keys for the prompt.
    pub(super) fn keys(&self) -> String {
        self.0.iter().map(|item| item.key.as_str()).collect::<Vec<_>>().join(",")
    }

    /// A line for each.
    pub(super) fn render(&self, ui: &Ui) -> String {
        let mut text = String::new();
        for item in &self.0 {
            let key = ui.styled(&Style::new().bold(), &item.key);
            text.push_str(&show::cut(&format!("  {key}  {}", item.label), ui.width()));
            text.push('\n');
        }
        text
    }

    /// The answer that was typed: a key, or a word from its beginning.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn find(&self, line: &str) -> std::result::Result<Choice, String> {
        let typed = line.trim();
        if typed.is_empty() {
            return Err(format!("Answer with one of {}.", self.keys()));
        }
        if let Some(item) = self.0.iter().find(|item| item.key == typed) {
            return Ok(item.choice);
        }
        let whole = self.0.iter().find(|item| item.words.iter().any(|word| word == typed));
        let begun: Vec<_> =
            self.0.iter().filter(|item| item.words.iter().any(|word| word.starts_with(typed))).collect();
        match (whole, begun.as_slice()) {
            (Some(item), _) => Ok(item.choice),
            (None, [item]) => Ok(item.choice),
            _ => Err(format!("'{}' is not one of {}.", escape_controls(typed.as_bytes()), self.keys())),
        }
    }
}

/// What may be typed for an action. Where several have the same word, the first one is meant.
fn words<'a>(stopped: &'a Stopped<'_>, action: Action) -> Vec<&'a str> {
    match action {
        Action::Keep(whose) | Action::Lines(whose) | Action::Name(whose) => {
            vec![stopped.head(whose).name.as_str()]
        }
        Action::Union | Action::BothNames => vec!["both"],
        Action::Back | Action::AsIs => Vec::new(),
    }
}

fn label(stopped: &Stopped<'_>, conflict: &Conflict, action: Action) -> Result<String> {
    let name = |whose: Whose| escape_controls(stopped.head(whose).name.as_bytes());
    let (ours, theirs) = (name(Whose::Ours), name(Whose::Theirs));
    let path = |path: &[u8]| format!("'{}'", escape_controls(path));
    Ok(match (action, conflict.kind) {
        (Action::Lines(whose), _) => format!("{}: its lines where both changed the same", name(whose)),
        (Action::Union, _) => format!("both: {ours}'s lines, then {theirs}'s"),
        (Action::Keep(whose), Kind::Text) => format!("{}: its whole file", name(whose)),
        (Action::Keep(whose), Kind::Deleted { by }) if whose == by => format!("{}: delete it", name(by)),
        (Action::Keep(whose), Kind::Deleted { .. }) => format!("{}: keep it", name(whose)),
        (Action::Name(whose), _) => {
            let named = conflict.version_of(whose).map_or(&conflict.path, |entry| &entry.path);
            format!("{}: call it {}", name(whose), path(named))
        }
        (Action::BothNames, Kind::Renamed) => "both: one file under each name".to_owned(),
        (Action::Keep(whose), Kind::InTheWay { file }) => {
            let what = if whose == file {
                "the file, without the directory"
            } else {
                "the directory, without the file"
            };
            format!("{}: {what}", name(whose))
        }
        (Action::BothNames, Kind::InTheWay { .. }) => "both: the file under another name".to_owned(),
        (Action::BothNames, _) => "both: under two names".to_owned(),
        (Action::AsIs, Kind::Location { by }) => {
            format!("{}: at {}, where the directory went", name(by.other()), path(&conflict.path))
        }
        (Action::Back, _) => {
            let back = conflict.others.first().map_or(&b""[..], |other| other.as_bytes());
            let by = match conflict.kind {
                Kind::Location { by } => name(by),
                _ => theirs,
            };
            format!("{by}: at {}, where it was added", path(back))
        }
        (Action::AsIs, _) => "leave it as git left it".to_owned(),
        (Action::Keep(whose), _) => {
            format!("{}: {}", name(whose), show::version(stopped, conflict, whose)?)
        }
    })
}
