//! The states of a task, and what leads from one to another.

use std::fmt;

use super::slug::Slug;
use crate::error::{Failure, Result};

/// Where a task stands, as `task.<slug>.state` records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Being worked on, or not begun.
    Open,
    /// Waits for something outside of it.
    Blocked,
    /// Its holder says that its commits can be integrated.
    Ready,
    /// Its commits are in the target.
    Integrated,
    /// Removed without having been integrated.
    Dropped,
}

/// What changes a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `git task ready`
    Ready,
    /// `git task block`
    Block,
    /// `git task reopen`
    Reopen,
    /// `git integrate` landed it.
    Integrate,
    /// `git task rm`
    Drop,
    /// `git task restore`
    Restore,
}

impl State {
    /// Every state, in the order of a task's life.
    pub const ALL: [State; 5] =
        [State::Open, State::Blocked, State::Ready, State::Integrated, State::Dropped];

    /// The word used in config, in listings and on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Blocked => "blocked",
            State::Ready => "ready",
            State::Integrated => "integrated",
            State::Dropped => "dropped",
        }
    }

    /// Whether there is still work to do on it: it counts against `task.limit` and is listed without `--all`.
    pub fn is_live(self) -> bool {
        matches!(self, State::Open | State::Blocked | State::Ready)
    }

    /// The state after `action`, or why the task can't take it.
    ///
    /// Some actions keep the state and are legal all the same: `ready` again binds a ready task to its new
    /// tip, `block` again gives a new reason, and removing an integrated task takes its worktree away but not
    /// the fact that it landed. A blocked task may be said to be ready, but is not integrated as it is, not
    /// even by name. `reopen` takes an integrated task back to work (after `--keep` or `--undo`), and
    /// `restore` one that was removed.
    ///
    /// # Errors
    ///
    /// The task's name and what it is, with advice under `advice.taskState` where another command helps.
    pub fn after(self, action: Action, task: &Slug) -> Result<State> {
        use State::{Blocked, Dropped, Integrated, Open, Ready};

        let refuse = |what: &str| Failure::fatal(format!("task '{task}' {what}"));
        match (action, self) {
            (Action::Ready, Open | Blocked | Ready) => Ok(Ready),
            (Action::Block, Open | Blocked | Ready) => Ok(Blocked),
            (Action::Reopen, Blocked | Ready | Integrated) => Ok(Open),
            (Action::Integrate, Open | Ready) => Ok(Integrated),
            (Action::Drop, Open | Blocked | Ready) => Ok(Dropped),
            (Action::Drop, Integrated) => Ok(Integrated),
            (Action::Restore, Integrated | Dropped) => Ok(Open),

            (Action::Reopen, Open) => Err(refuse("is already open")),
            (Action::Restore, Open | Blocked | Ready) => Err(refuse(&format!("is {self}: there is nothing to restore"))),
            (Action::Integrate, Blocked) => Err(refuse("is blocked").hint(
                "taskState",
                format!("When nothing blocks it any more, use\n'git task reopen {task}' or 'git task ready {task}'."),
            )),
            (Action::Ready | Action::Block, Integrated) => Err(refuse("is already integrated").hint(
                "taskState",
                format!("To go on working on it, use 'git task reopen {task}'."),
            )),
            (Action::Integrate, Integrated) => Err(refuse("is already integrated")),
            (Action::Drop, Dropped) => Err(refuse("is already dropped")),
            (Action::Ready | Action::Block | Action::Reopen | Action::Integrate, Dropped) => Err(refuse("was dropped")
                .hint("taskState", format!("To bring it back, use 'git task restore {task}'."))),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl TryFrom<&str> for State {
    type Error = Failure;

    /// # Errors
    ///
    /// The word, and those that are states.
    fn try_from(word: &str) -> Result<Self> {
        State::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
            let shown = crate::text::escape_controls(word.as_bytes());
            let known = State::ALL.map(State::as_str).join(", ");
            Failure::fatal(format!("'{shown}' is not a valid task state (expected one of {known})"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: [Action; 6] =
        [Action::Ready, Action::Block, Action::Reopen, Action::Integrate, Action::Drop, Action::Restore];

    fn slug() -> Slug {
        Slug::try_from("login").expect("valid")
    }

    #[test]
    fn words_come_back_as_states() {
        for state in State::ALL {
            assert_eq!(State::try_from(state.to_string().as_str()).expect("its own word"), state);
        }
        let message = State::try_from("Open").expect_err("lower case only").message();
        assert_eq!(
            message,
            "'Open' is not a valid task state (expected one of open, blocked, ready, integrated, dropped)"
        );
    }

    #[test]
    fn every_pair_is_decided() {
        use State::{Blocked, Dropped, Integrated, Open, Ready};
        // columns: ready, block, reopen, integrate, drop, restore
        let table: [(State, [Option<State>; 6]); 5] = [
            (Open, [Some(Ready), Some(Blocked), None, Some(Integrated), Some(Dropped), None]),
            (Blocked, [Some(Ready), Some(Blocked), Some(Open), None, Some(Dropped), None]),
            (Ready, [Some(Ready), Some(Blocked), Some(Open), Some(Integrated), Some(Dropped), None]),
            (Integrated, [None, None, Some(Open), None, Some(Integrated), Some(Open)]),
            (Dropped, [None, None, None, None, None, Some(Open)]),
        ];
        for (from, row) in table {
            for (action, expected) in ACTIONS.into_iter().zip(row) {
                assert_eq!(from.after(action, &slug()).ok(), expected, "{from} {action:?}");
            }
        }
    }

    #[test]
    fn no_sequence_leaves_the_rules() {
        // Every sequence of up to five actions: what landed stays landed until somebody reopens or restores
        // it, what was dropped comes back only by restore, and a refusal names the task and changes nothing.
        fn walk(state: State, depth: usize) {
            if depth == 0 {
                return;
            }
            for action in ACTIONS {
                match state.after(action, &slug()) {
                    Ok(next) => {
                        if !state.is_live() && next.is_live() {
                            assert!(matches!(action, Action::Reopen | Action::Restore));
                            assert_eq!(next, State::Open, "coming back is never ready at once");
                        }
                        if next == State::Integrated && state.is_live() {
                            assert_eq!(action, Action::Integrate);
                            assert_ne!(state, State::Blocked);
                        }
                        if next == State::Dropped {
                            assert!(state.is_live() && action == Action::Drop);
                        }
                        walk(next, depth - 1);
                    }
                    Err(refusal) => assert!(refusal.message().starts_with("task 'login' ")),
                }
            }
        }
        walk(State::Open, 5);
    }

    #[test]
    fn a_dropped_task_points_to_restore() {
        let refusal = State::Dropped.after(Action::Reopen, &slug()).expect_err("dropped");
        assert_eq!(refusal.message(), "task 'login' was dropped");
        assert!(refusal.hint.expect("a hint").text.contains("git task restore login"));
    }
}
