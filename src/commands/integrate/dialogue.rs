//! The conflict prompt: one question after the other, each with what there is to choose from.
//!
//! Lines are read, not keys, so that the terminal is never in a state that has to be put right: Ctrl-C ends the
//! command at any moment, and what was answered before stays answered.

mod menu;
mod show;

use std::ffi::OsStr;

use gix::bstr::{BString, ByteSlice};

use crate::error::{Failure, Kind as FailureKind, Result};
use crate::git::no_vars;
use crate::git::process::{Cmd, code_of, program, shell};
use crate::integrate::conflict::{
    Action, Conflict, Decision, Kind, Resolver, Saved, Stopped, actions, apply, conflicts, replayed,
    require_resolved,
};
use crate::interrupt;
use crate::text::escape_controls;
use crate::ui::Ui;
use menu::{Choice, Menu};

/// What has a meaning for the shell.
const SHELL_SYNTAX: &str = "|&;<>()$`\\\"' \t\n*?[#~=%";

/// The exit code of what died of a Ctrl-C, as a shell has it.
const SIGINT_CODE: i32 = 130;

/// A person at a terminal.
pub struct Dialogue<'a> {
    ui: &'a Ui,
}

/// Where a conversation is.
struct Talk<'a, 's> {
    ui: &'a Ui,
    stopped: &'a Stopped<'s>,
    answered: Vec<Answered>,
    /// Those who had a recorded resolution that somebody may turn down.
    recorded: Vec<BString>,
}

/// An answer, and the way back from it.
struct Answered {
    conflict: Conflict,
    saved: Saved,
    /// The recorded resolution was shown, and something else was taken.
    turned_down: bool,
}

impl<'a> Dialogue<'a> {
    /// Asks this user.
    pub fn new(ui: &'a Ui) -> Self {
        Dialogue { ui }
    }

    /// # Errors
    /// Fatal, if there is no terminal to ask at.
    pub fn require_terminal(ui: &Ui) -> Result<()> {
        if ui.can_prompt() {
            return Ok(());
        }
        Err(Failure::fatal("cannot ask how to resolve conflicts: there is no terminal").hint(
            "integrateNoTerminal",
            "Say it with --on-conflict: stop keeps the state for later, skip leaves the task out,\n\
             ours, theirs or union decides where both sides changed the same lines.",
        ))
    }
}

impl Resolver for Dialogue<'_> {
    fn resolve(&mut self, stopped: &Stopped<'_>) -> Result<Decision> {
        Self::require_terminal(self.ui)?;
        interrupt::watch();
        let mut talk = Talk { ui: self.ui, stopped, answered: Vec::new(), recorded: Vec::new() };
        self.ui.aside(|| talk.run())
    }
}

/// What comes after one question.
enum Next {
    Again,
    Decided(Decision),
}

impl Talk<'_, '_> {
    fn run(&mut self) -> Result<Decision> {
        let open = conflicts(self.stopped)?;
        self.ui.show(&show::summary(self.ui, self.stopped, &open));
        if self.stopped.records_resolutions()? {
            let to_be_recorded = self.stopped.to_be_recorded()?;
            for path in replayed(self.stopped)? {
                self.ui.show(&format!(
                    "'{}' has its recorded resolution (rerere.autoupdate)",
                    escape_controls(&path)
                ));
            }
            for conflict in open.iter().filter(|c| c.kind == Kind::Text) {
                if !to_be_recorded.contains(&conflict.path) && self.stopped.is_resolved_in_place(conflict)? {
                    self.recorded.push(conflict.path.clone());
                }
            }
        }
        let mut asked_before = None;
        loop {
            let accepted = |conflict: &Conflict| self.answered.iter().any(|done| done.conflict == *conflict);
            let open: Vec<_> = conflicts(self.stopped)?
                .into_iter()
                .filter(|conflict| conflict.kind != Kind::Notice || !accepted(conflict))
                .collect();
            let next = match open.first() {
                Some(conflict) => {
                    let count = (self.answered.len() + 1, self.answered.len() + open.len());
                    // Shown again only if something changed: after a typing error the question is enough.
                    let again = asked_before.as_ref() == Some(conflict);
                    asked_before = Some(conflict.clone());
                    self.question(conflict, count, again)?
                }
                None => {
                    asked_before = None;
                    self.last_question()?
                }
            };
            if let Next::Decided(decision) = next {
                return Ok(decision);
            }
        }
    }

    fn question(
        &mut self,
        conflict: &Conflict,
        (number, total): (usize, usize),
        again: bool,
    ) -> Result<Next> {
        let in_place = conflict.kind == Kind::Text && self.stopped.is_resolved_in_place(conflict)?;
        let recorded = in_place && self.recorded.contains(&conflict.path);
        let actions = actions(self.stopped, conflict)?;
        let menu =
            Menu::new(self.stopped, conflict, &actions, in_place, recorded, !self.answered.is_empty())?;
        if !again {
            let text = show::conflict(self.ui, self.stopped, conflict, in_place, recorded, (number, total))?;
            self.ui.show(&text);
            self.ui.show(&menu.render(self.ui));
        }
        let Some(choice) =
            self.ask(&menu, &format!("{number}/{total} {}", escape_controls(&conflict.path)))?
        else {
            return Ok(Next::Again);
        };
        match choice {
            Choice::Do(action) => self.act(conflict, action, recorded),
            Choice::AsItIs => self.act(conflict, Action::AsIs, false),
            Choice::Edit => self.edit(conflict, recorded),
            Choice::Tool => self.mergetool(conflict, recorded),
            Choice::Show => {
                self.ui.show(&show::differences(self.ui, self.stopped, conflict)?);
                Ok(Next::Again)
            }
            other => self.leave(other),
        }
    }

    /// Everything is answered: the last moment to take something back.
    fn last_question(&mut self) -> Result<Next> {
        let resolved = require_resolved(self.stopped);
        if self.answered.is_empty() && resolved.is_ok() {
            // rerere.autoupdate, or somebody else, has done it all.
            return self.done();
        }
        let can_go_on = match &resolved {
            Ok(()) => true,
            Err(failure) if failure.kind == FailureKind::Negative => {
                self.ui.failure(failure);
                false
            }
            Err(_) => return resolved.map(|()| Next::Again),
        };
        let menu = Menu::last(can_go_on, !self.answered.is_empty());
        if can_go_on {
            self.ui.show("\nNothing is in conflict any more.");
        }
        self.ui.show(&menu.render(self.ui));
        match self.ask(&menu, "Go on?")? {
            None => Ok(Next::Again),
            Some(Choice::GoOn) => self.done(),
            Some(Choice::Show) => {
                self.ui.show(&show::result(self.ui, self.stopped)?);
                Ok(Next::Again)
            }
            Some(other) => self.leave(other),
        }
    }

    /// What was turned down is forgotten only now that there is no way back any more; git records the new one when
    /// the merge is committed.
    fn done(&mut self) -> Result<Next> {
        require_resolved(self.stopped)?;
        for done in self.answered.iter().filter(|done| done.turned_down) {
            self.stopped.forget_resolution(done.conflict.path.as_bstr())?;
        }
        Ok(Next::Decided(Decision::Resolved))
    }

    /// None if what was typed is no answer.
    fn ask(&self, menu: &Menu, question: &str) -> Result<Option<Choice>> {
        let Some(line) = self.ui.ask(&format!("{question} [{}]", menu.keys()))? else {
            // Ctrl-D: nothing more will be said.
            return Ok(Some(Choice::Stop));
        };
        match menu.find(&line) {
            Ok(choice) => Ok(Some(choice)),
            Err(complaint) => {
                self.ui.note_always(&complaint);
                Ok(None)
            }
        }
    }

    fn act(&mut self, conflict: &Conflict, action: Action, turned_down: bool) -> Result<Next> {
        match apply(self.stopped, conflict, action) {
            Ok(saved) => {
                self.answered.push(Answered { conflict: conflict.clone(), saved, turned_down });
                Ok(Next::Again)
            }
            Err(failure) if failure.kind == FailureKind::Interrupted => Err(failure),
            // It is as it was, and another answer may do.
            Err(failure) => {
                self.ui.failure(&failure.as_item());
                Ok(Next::Again)
            }
        }
    }

    fn edit(&mut self, conflict: &Conflict, recorded: bool) -> Result<Next> {
        let editor = self.stopped.git().cmd(["var", "GIT_EDITOR"]).line()?;
        let file = self.stopped.file(conflict.path.as_bstr());
        // As git does it (`prepare_shell_cmd()` in its run-command.c): a shell in between would die of a Ctrl-C that
        // the editor survives, so there is one only where the line needs it.
        let dir = &self.stopped.worktree;
        let cmd = if editor.contains(|c: char| SHELL_SYNTAX.contains(c)) {
            shell(&format!("{editor} \"$@\""), dir, no_vars()).arg(&editor).arg(&file)
        } else {
            program(OsStr::new(&editor), &[file.into()], dir, no_vars())
        };
        self.by_hand(conflict, recorded, cmd, &format!("the editor '{editor}'"))
    }

    fn mergetool(&mut self, conflict: &Conflict, recorded: bool) -> Result<Next> {
        // What was there before comes back with an undo; git's backup would stay behind.
        let options =
            ["-c", "mergetool.keepBackup=false", "--literal-pathspecs", "mergetool", "--no-prompt", "--"];
        let cmd = self.stopped.git().cmd(options).arg(crate::paths::path_from(&conflict.path));
        self.by_hand(conflict, recorded, cmd, "git mergetool")
    }

    /// Lets a program work on the file, and takes what it leaves if that is resolved.
    fn by_hand(&mut self, conflict: &Conflict, recorded: bool, cmd: Cmd, name: &str) -> Result<Next> {
        let saved = Saved::of(self.stopped, vec![conflict.path.clone()])?;
        let _ = self.ui.flush();
        let status = interrupt::leave_to(|| cmd.on_terminal())?;
        interrupt::check()?;
        let still_open = conflicts(self.stopped)?.into_iter().find(|open| open.path == conflict.path);
        match (code_of(status), still_open) {
            (0, Some(open)) => {
                if let Err(failure) = apply(self.stopped, &open, Action::AsIs) {
                    self.ui.failure(&failure.as_item());
                    return Ok(Next::Again);
                }
            }
            // git mergetool has told git already.
            (0, None) => {}
            // It died of Ctrl-C: as git, so do we.
            (SIGINT_CODE, _) => return Err(Failure::interrupted()),
            (code, _) => {
                let problem = format!("there was a problem with {name} (exit code {code})");
                self.ui.failure(&Failure::negative(problem));
                return Ok(Next::Again);
            }
        }
        self.answered.push(Answered { conflict: conflict.clone(), saved, turned_down: recorded });
        Ok(Next::Again)
    }

    fn leave(&mut self, choice: Choice) -> Result<Next> {
        Ok(match choice {
            Choice::Undo => {
                if let Some(last) = self.answered.pop() {
                    last.saved.restore(self.stopped)?;
                    self.ui.show(&format!("Undone: {}", escape_controls(&last.conflict.path)));
                }
                Next::Again
            }
            Choice::Skip => Next::Decided(Decision::SkipTask),
            Choice::Abort => Next::Decided(Decision::Abort),
            _ => Next::Decided(Decision::Stop),
        })
    }
}
