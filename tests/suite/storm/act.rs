//! What a worker may do next.

use super::random::Random;

/// The names that all workers share.
pub const NAMES: [&str; 5] = ["red", "green", "blue", "black", "white"];

/// How many slots there are at most.
pub const SLOTS: usize = 4;

/// The highest number that one may have: where something is in the way, it gets the next.
pub const LAST_SLOT: usize = 2 * SLOTS;

/// What merged results are checked with: nothing, for one task, and what leaves something behind.
const CHECKS: [&str; 3] = ["true", "test $GIT_TASK != red", "echo left >left-$GIT_TASK"];

/// One command, with the names that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Add {
        task: String,
        reuse: bool,
    },
    /// `ready`, `block` or `reopen`.
    Say(&'static str, String),
    Note(String),
    Remove {
        task: String,
        force: bool,
    },
    Restore(String),
    Move(String),
    Rename(String, String),
    Lock(String),
    Unlock(String),
    Sync(String),
    Show(String),
    List,
    Start(String),
    Stop(String),
    Repair,
    Prune,
    Overlap,
    PoolList,
    Claim(Option<String>),
    /// One of the slots that this worker holds, with its lease.
    ReleaseMine,
    RenewMine,
    ReleaseTask(String),
    ReleaseSlot(usize),
    Fill,
    Drain,
    PoolRepair,
    Integrate {
        names: Vec<String>,
        keep: bool,
    },
    GoOn(&'static str),
    Status,
    Undo,
    /// Writes a file into a task's worktree, and commits it perhaps.
    Work {
        task: String,
        commit: bool,
        shared: bool,
    },
    /// The same in a slot that this worker holds.
    WorkInMine {
        commit: bool,
    },
    /// The same in a slot, whoever has it.
    Intrude {
        slot: usize,
        commit: bool,
    },
}

/// An act and its command line: the program, and what follows.
pub struct Chosen {
    pub act: Act,
    pub program: &'static str,
    pub args: Vec<String>,
}

/// Draws the next act. `serial` makes the names of new directories unique.
pub fn choose(random: &mut Random, serial: &str) -> Chosen {
    let task = random.pick(&NAMES).to_owned();
    let other = random.pick(&NAMES).to_owned();
    let mut flags: Vec<&str> = Vec::new();
    let mut flag = |random: &mut Random, percent: usize, word: &'static str| {
        let set = random.chance(percent);
        flags.extend(set.then_some(word));
        set
    };
    let t = task.clone();
    let (act, line): (Act, Vec<&str>) = match random.below(100) {
        0..12 => {
            let reuse = flag(random, 80, "--reuse");
            flag(random, 40, "--no-pool");
            let after = random.chance(20);
            let after: &[&str] = if after && t != other { &["--after", &other] } else { &[] };
            (Act::Add { task, reuse }, [&["task", "add", "--json", &t][..], after].concat())
        }
        12..20 => (Act::Say("ready", task), vec!["task", "ready", &t]),
        20..22 => (Act::Say("block", task), vec!["task", "block", "-m", serial, &t]),
        22..24 => (Act::Say("reopen", task), vec!["task", "reopen", &t]),
        24..26 => (Act::Note(task), vec!["task", "note", &t, "--next", serial]),
        26..33 => {
            let force = flag(random, 60, "-f");
            (Act::Remove { task, force }, vec!["task", "rm", &t])
        }
        33..38 => (Act::Restore(task), vec!["task", "restore", &t]),
        38..40 => (Act::Move(task), vec!["task", "move", &t]),
        40..42 => (Act::Rename(task, other.clone()), vec!["task", "rename", &t, &other]),
        42..44 => (Act::Lock(task), vec!["task", "lock", &t]),
        44..46 => (Act::Unlock(task), vec!["task", "unlock", &t]),
        46..49 => {
            flag(random, 30, "--rebase");
            (Act::Sync(task), vec!["task", "sync", &t])
        }
        49..50 => (Act::Show(task), vec!["task", "show", "--porcelain", &t]),
        50..52 => (Act::List, vec!["task", "list", "--all", "--porcelain"]),
        52..54 => (Act::PoolList, vec!["pool", "list", "--porcelain"]),
        54..56 => (Act::Start(task), vec!["task", "start", &t, "--background", "--", "true"]),
        56..57 => (Act::Stop(task), vec!["task", "stop", &t]),
        57..58 => (Act::Repair, vec!["task", "repair"]),
        58..59 => (Act::PoolRepair, vec!["pool", "repair"]),
        59..60 => (Act::Prune, vec!["task", "prune"]),
        60..61 => (Act::Overlap, vec!["task", "overlap"]),
        61..66 => {
            flag(random, 30, "--wait=2s");
            flag(random, 50, "--no-refill");
            match random.chance(50) {
                true => (Act::Claim(Some(task)), vec!["pool", "claim", "--json", &t]),
                false => (Act::Claim(None), vec!["pool", "claim", "--json"]),
            }
        }
        66..70 => {
            flag(random, 70, "-f");
            (Act::ReleaseMine, vec!["pool", "release"])
        }
        70..71 => (Act::RenewMine, vec!["pool", "renew"]),
        71..73 => {
            flag(random, 60, "-f");
            (Act::ReleaseTask(task), vec!["pool", "release", &t])
        }
        73..74 => (Act::ReleaseSlot(1 + random.below(SLOTS)), vec!["pool", "release", "-f"]),
        74..75 => (Act::Fill, vec!["pool", "fill", "-q"]),
        75..76 => (Act::Drain, vec!["pool", "drain", "1"]),
        76..81 => {
            let keep = flag(random, 25, "--keep");
            let how = random.pick(&["--on-conflict=stop", "--on-conflict=skip", "--keep-going"]);
            let names = if random.chance(30) { vec![task] } else { Vec::new() };
            let named: &[&str] = if names.is_empty() { &[] } else { &[&t] };
            let checks: &[&str] =
                if random.chance(40) { &["-j3", "--check", random.pick(&CHECKS)] } else { &[] };
            (Act::Integrate { names, keep }, [&["integrate", "--porcelain", how][..], checks, named].concat())
        }
        81..83 => {
            let how = random.pick(&["--abort", "--skip", "--continue"]);
            (Act::GoOn(how), vec!["integrate", "--porcelain", how])
        }
        83..84 => (Act::Status, vec!["integrate", "--status"]),
        84..85 => (Act::Undo, vec!["integrate", "--undo"]),
        85..98 => {
            let (commit, shared) = (random.chance(80), random.chance(15));
            (Act::Work { task, commit, shared }, Vec::new())
        }
        98 => {
            let (slot, commit) = (1 + random.below(SLOTS), random.chance(50));
            (Act::Intrude { slot, commit }, Vec::new())
        }
        _ => (Act::WorkInMine { commit: random.chance(50) }, Vec::new()),
    };
    let mut args: Vec<String> = line.iter().chain(&flags).map(|s| (*s).to_owned()).collect();
    match &act {
        Act::Move(_) => args.push(format!("../repo-worktrees/moved-{serial}")),
        Act::ReleaseSlot(slot) => args.push(slot.to_string()),
        _ => {}
    }
    Chosen { act, program: "git", args }
}
