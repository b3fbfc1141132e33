//! What each refusal says about the state that it was answered in.

use super::act::NAMES;
use super::task::{Life, Need};

/// What explains a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A state of the task, at an instant when the command ran.
    State(Need),
    /// The same, or that another command was changing it meanwhile and the files are ahead of the metadata.
    StateOr(Need),
    /// Another command was at the same task or slot.
    Meanwhile,
    /// Another command was at the same place, of whichever task.
    Elsewhere,
    /// The lease that was named doesn't hold.
    NoLease,
    /// The slot is idle.
    Idle,
    /// The slot, which the message names, is held.
    Held,
    /// An integration has stopped, or another is running.
    Stopped,
    /// Another was running for longer than one waits.
    Running,
    /// None has stopped.
    NotStopped,
    /// A foreign hand has renamed its branch, or another command is at it.
    Foreign,
    /// A foreign hand was just renaming its branch.
    ForeignNow,
    /// It was begun, and whoever comes next goes on with it.
    Half,
    /// Commits, uncommitted work, or how full the pool is: not modelled.
    Work,
}

use Why::{
    Elsewhere, Foreign, ForeignNow, Half, Held, Idle, Meanwhile, NoLease, NotStopped, Running, State,
    StateOr, Stopped, Work,
};

/// A part of the message, and what explains it. The first that fits counts.
const TABLE: &[(&str, Why)] = &[
    // Only in the middle of giving back a slot.
    ("was moved by another process meanwhile", Half),
    ("could not bring '", Half),
    ("not clean, whatever was done", Half),
    // One that is being restored has its worktree first.
    ("is still the worktree of task", StateOr(Need::Finished)),
    // It may have been preserved once already, and then it goes on.
    ("is being written", Half),
    ("has no commit checked out", Half),
    ("by another process", Meanwhile),
    ("meanwhile", Meanwhile),
    ("already exists: open", State(Need::Life(Life::Open))),
    ("already exists: blocked", State(Need::Life(Life::Blocked))),
    ("already exists: ready", State(Need::Life(Life::Ready))),
    (", dropped, on branch", State(Need::Life(Life::Dropped))),
    (", integrated, on branch", State(Need::Life(Life::Integrated))),
    ("was used before, by a task that is gone", State(Need::Gone)),
    ("a task named", State(Need::Known)),
    ("no such task", State(Need::Unknown)),
    ("is already open", State(Need::Life(Life::Open))),
    ("is already integrated", State(Need::Life(Life::Integrated))),
    ("was dropped", State(Need::Life(Life::Dropped))),
    ("is already dropped", State(Need::Life(Life::Dropped))),
    ("is open: there is nothing to restore", State(Need::Life(Life::Open))),
    ("is not removed: it is in", StateOr(Need::Place(true))),
    ("nothing of task", StateOr(Need::Place(false))),
    ("is dropped already", State(Need::Life(Life::Dropped))),
    ("is integrated already", State(Need::Life(Life::Integrated))),
    ("a locked working tree", StateOr(Need::Locked(true))),
    ("is already locked", StateOr(Need::Locked(true))),
    ("is not locked", StateOr(Need::Locked(false))),
    ("has a worktree already", StateOr(Need::Place(true))),
    // A process that writes there, whoever has the slot.
    (" is in it", Work),
    ("stays: it is claimed", Held),
    ("stays: it is preparing", Meanwhile),
    ("has no running session", State(Need::Running(false))),
    ("its session is running", State(Need::Running(true))),
    ("already has a session", State(Need::Running(true))),
    // A merge or rebase that is running stops nowhere yet.
    ("a merge is in progress in", StateOr(Need::Unfinished)),
    ("a rebase is in progress in", StateOr(Need::Unfinished)),
    ("cannot rebase onto both", Work),
    ("HEAD is detached in", Meanwhile),
    ("has no worktree", StateOr(Need::Place(false))),
    ("has no slot of the pool", Work),
    ("does not hold any more", NoLease),
    ("nobody holds it", Idle),
    ("another integration into", Running),
    ("an integration into", Stopped),
    ("is still unmerged", Stopped),
    ("to undo", Work),
    ("has moved since the last integration", Work),
    ("there is no integration", NotStopped),
    ("is not ready", State(Need::NotReady)),
    ("is blocked", State(Need::Life(Life::Blocked))),
    ("is not a slot, the path of one, or a task that has one", Work),
    ("its working tree is locked", Work),
    ("could not be brought up to date", Work),
    // Left by a rename, or kept because somebody committed to it while its task was removed.
    ("a branch named", Work),
    ("' already exists", Work),
    ("the branch of task", Foreign),
    // It was away when git looked, and back when we did.
    ("has checked nothing out", ForeignNow),
    ("Failed to resolve 'HEAD' as a valid revision", ForeignNow),
    ("does not have any commits yet", ForeignNow),
    ("Not a valid object name HEAD", ForeignNow),
    ("invalid reference", Foreign),
    ("is checked out in", Foreign),
    ("Needed a single revision", Foreign),
    ("has moved since it became ready", State(Need::Life(Life::Ready))),
    ("' is gone", Meanwhile),
    ("the worktree of task", Meanwhile),
    ("is not a working tree", Meanwhile),
    ("is a missing but locked worktree", Elsewhere),
    ("not a git repository", Meanwhile),
    // The same, in a directory that is just taken away.
    ("this operation must be run in a work tree", Meanwhile),
    ("cannot run git", Meanwhile),
    ("is already checked out at", Foreign),
    // The same in newer words.
    ("is already used by worktree at", Foreign),
    ("has commits that are on no branch", Work),
    ("has commits that are in no branch", Work),
    ("has no commit of its own", Work),
    ("uncommitted changes or untracked files", Work),
    ("contains modified or untracked files", Work),
    ("are in no other branch", Work),
    ("no slot is idle", Work),
    ("no slot became free in time", Work),
];

/// What explains this message; none if nothing does.
pub fn why(message: &str) -> Option<Why> {
    TABLE.iter().find(|(part, _)| message.contains(part)).map(|(_, why)| *why)
}

/// The name that a message is about: the first that it quotes.
pub fn subject(message: &str) -> Option<&'static str> {
    let at = |name: &&&str| message.find(&format!("task '{name}'")).or(message.find(&format!("'{name}'")));
    NAMES.iter().filter(|name| at(name).is_some()).min_by_key(at).copied()
}
