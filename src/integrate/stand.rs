//! Where merged results are checked at once: the private worktree, and slots of the pool that are lent for it.
//!
//! A thread for each of them takes one result after the other. What the threads say is said by the one that waits for
//! them; each check writes a log of its own, called after its task.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::check::{self, Checked, Prefix};
use super::place::Place;
use super::workshop::Workshop;
use crate::desk::Desk;
use crate::desk::relay::{Relay, relay};
use crate::error::{Kind, Result};
use crate::git::process::{keeping_open, kept_open};
use crate::pool;
use crate::pool::lend::{self, Lent};

/// A worktree in which one result at a time is checked.
struct Stand<'a> {
    shop: Workshop<'a>,
    /// The slot that it is; none for the private worktree.
    lent: Option<Lent>,
    /// What the git commands in the private worktree keep open.
    kept: Option<File>,
    /// It is of no use any more.
    is_lost: AtomicBool,
}

/// All of them. What is lent is to be given back by [`Stands::give_back`].
pub struct Stands<'a>(Vec<Stand<'a>>);

/// One of several results, by its number.
pub type Numbered<'a> = (usize, &'a Prefix);

impl<'a> Stands<'a> {
    /// The private worktree, and as many idle slots as make `most` of it.
    ///
    /// # Errors
    /// Interrupted. What else keeps slots from being lent is said.
    pub fn take(desk: &Desk<'a>, shop: &Workshop<'a>, most: usize) -> Result<Self> {
        let wanted = shop.head()?;
        // Those of who was killed are to be had again.
        let settled = pool::settle::settle_all(desk, false);
        let lent = settled.and_then(|_| lend::borrow(desk, wanted, most.saturating_sub(1)));
        let lent = match lent {
            Err(failure) if failure.kind == Kind::Interrupted => return Err(failure),
            Err(failure) => {
                desk.observer.warn(&format!("no slot of the pool is used for checks: {failure}"));
                Vec::new()
            }
            Ok(lent) => lent,
        };
        let mut all = vec![Stand {
            shop: shop.clone(),
            lent: None,
            kept: kept_open(),
            is_lost: AtomicBool::new(false),
        }];
        all.extend(lent.into_iter().map(|lent| {
            let (path, git_dir) = (lent.worktree.path.clone(), lent.worktree.git_dir.clone());
            let shop = Workshop { repo: shop.repo, path, git_dir, is_lent: true };
            Stand { shop, lent: Some(lent), kept: None, is_lost: AtomicBool::new(false) }
        }));
        Ok(Stands(all))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the slots back.
    pub fn give_back(self, desk: &Desk<'_>) {
        lend::give_back(desk, self.0.into_iter().filter_map(|stand| stand.lent).collect());
    }

    /// Checks these results, as many at once as there are places. One that is behind one that has failed already is left
    /// out.
    ///
    /// # Errors
    /// If git can't be started or a log can't be written; or interrupted, with all commands ended.
    pub fn check(
        &self,
        desk: &Desk<'_>,
        place: &Place,
        commands: &[String],
        wanted: &[Numbered<'_>],
    ) -> Result<Vec<(usize, Checked)>> {
        let queue = Queue(Mutex::new(wanted.iter().copied().collect()));
        let mut results: Vec<(usize, Checked)> = Vec::new();
        // Each place that is lost on the way leaves one that is still to be checked, and the private worktree never is.
        while queue.len() > 0 {
            results.extend(self.round(desk, place, commands, &queue)?);
        }
        Ok(results)
    }

    /// Each place takes one after the other, until there is none.
    fn round(
        &self,
        desk: &Desk<'_>,
        place: &Place,
        commands: &[String],
        queue: &Queue<'_>,
    ) -> Result<Vec<(usize, Checked)>> {
        let (repo, settings, context) = (desk.repo, desk.settings, desk.context);
        let (teller, listener) = relay();
        let work = move |stand: &Stand<'_>, teller: Relay| -> Result<Vec<(usize, Checked)>> {
            let desk = Desk { repo, settings, context, observer: &teller };
            let mut results = Vec::new();
            while let Some((number, prefix)) = queue.next() {
                let checked = stand.check(&desk, place, commands, prefix);
                match checked {
                    Ok(Some(Checked::Passed { .. })) => {}
                    Ok(None) => {
                        queue.put_back((number, prefix));
                        break;
                    }
                    _ => queue.close(),
                }
                results.extend(checked?.map(|checked| (number, checked)));
            }
            Ok(results)
        };
        let ended: Vec<Result<Vec<(usize, Checked)>>> = std::thread::scope(|scope| {
            let begin = |stand| {
                let teller = teller.clone();
                scope.spawn(move || work(stand, teller))
            };
            let usable = self.0.iter().filter(|stand| !stand.is_lost.load(Ordering::Relaxed));
            let threads: Vec<_> = usable.take(queue.len()).map(begin).collect();
            drop(teller);
            listener.hand_on(desk.observer);
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        // That the user asked for it is why the others failed too.
        crate::interrupt::check()?;
        let mut results: Vec<(usize, Checked)> = Vec::new();
        for of_one in ended {
            results.extend(of_one?);
        }
        Ok(results)
    }
}

/// What is still to be checked, in order.
struct Queue<'a>(Mutex<VecDeque<Numbered<'a>>>);

impl<'a> Queue<'a> {
    fn all(&self) -> MutexGuard<'_, VecDeque<Numbered<'a>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        self.all().len()
    }

    fn next(&self) -> Option<Numbered<'a>> {
        self.all().pop_front()
    }

    fn put_back(&self, numbered: Numbered<'a>) {
        self.all().push_front(numbered);
    }

    /// Nothing of what is left matters any more.
    fn close(&self) {
        self.all().clear();
    }
}

impl Stand<'_> {
    /// None if it can't be checked here, nor anything else.
    fn check(
        &self,
        desk: &Desk<'_>,
        place: &Place,
        commands: &[String],
        prefix: &Prefix,
    ) -> Result<Option<Checked>> {
        if check::have_passed(desk, place, commands, prefix.tree)? {
            commands.iter().for_each(|command| check::say_passed(desk, &prefix.task, command));
            return Ok(Some(Checked::Passed { ran: 0 }));
        }
        match &self.lent {
            None => self.during(|| self.shop.reset(prefix.commit))?,
            Some(lent) => {
                if let Err(failure) = lent.check_out(desk, prefix.commit) {
                    if failure.kind == Kind::Interrupted {
                        return Err(failure);
                    }
                    desk.observer.warn(&format!("nothing more is checked in slot {}: {failure}", lent.slot));
                    self.is_lost.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
            }
        }
        self.during(|| check::run(desk, place, commands, &self.shop, prefix)).map(Some)
    }

    /// The git commands of this thread hold what is held for this worktree, also if we are killed.
    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        match (&self.lent, &self.kept) {
            (Some(lent), _) => lent.during(work),
            (None, Some(file)) => keeping_open(file, work),
            (None, None) => work(),
        }
    }
}
