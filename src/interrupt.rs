//! Ctrl-C and polite requests to stop, as a flag that long work looks at.
//!
//! A command that has something to roll back calls [`watch`] first; until then a signal ends the process
//! at once, as it ends git.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Failure, OrFatal, Result};

/// How long after the first signal another one is still the same request: the terminal sends Ctrl-C to all of
/// us, and `git`, which waits for us, hands on what it got.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// How long `git` may take to hand a signal on.
const HANDED_ON: Duration = Duration::from_millis(100);

const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// A Ctrl-C is for the program that has the terminal.
static LEFT_TO_ANOTHER: AtomicBool = AtomicBool::new(false);

/// Something else than a Ctrl-C asked us to stop.
static MUST_END: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT, SIGTERM and SIGHUP only set the flag; one that comes later ends the process at once.
pub fn watch() {
    REQUESTED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in SIGNALS {
            // A signal that can't be caught is one that ends us: then there is nothing to set up. The handler
            // itself sets the flag, so that it is there before a child that got the signal too has ended.
            let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
        }
        if let Ok(mut signals) = Signals::new(SIGNALS) {
            std::thread::spawn(move || {
                let mut first: Option<Instant> = None;
                for signal in signals.forever() {
                    if signal != SIGINT {
                        MUST_END.store(true, Ordering::Relaxed);
                    } else if LEFT_TO_ANOTHER.load(Ordering::Relaxed) {
                        continue;
                    }
                    if first.get_or_insert_with(Instant::now).elapsed() > SAME_REQUEST {
                        let _ = signal_hook::low_level::emulate_default_handler(signal);
                    }
                }
            });
        }
        flag
    });
}

/// A channel that gets a message when the user asks us to stop, for waiting with a limit.
///
/// # Errors
/// If the signals can't be caught.
pub fn channel() -> Result<Receiver<()>> {
    let mut signals = Signals::new(SIGNALS).or_fatal(|| "cannot catch signals")?;
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            // Nobody listens any more: the command is ending already.
            if tell.send(()).is_err() {
                break;
            }
        }
    });
    Ok(told)
}

/// Runs what has the terminal meanwhile, such as an editor: a Ctrl-C there is not for us, as git has it. Nothing may
/// have been [requested] yet, and signals are [watched](watch).
pub fn leave_to<T>(other: impl FnOnce() -> T) -> T {
    LEFT_TO_ANOTHER.store(true, Ordering::Relaxed);
    let done = other();
    if let Some(flag) = REQUESTED.get().filter(|flag| flag.load(Ordering::Relaxed)) {
        // `git`, which waits for us, got it too and hands it on.
        std::thread::sleep(HANDED_ON);
        flag.store(MUST_END.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    LEFT_TO_ANOTHER.store(false, Ordering::Relaxed);
    done
}

/// Whether the user asked us to stop.
pub fn requested() -> bool {
    REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// # Errors
/// [`Failure::interrupted`] if the user asked us to stop.
pub fn check() -> Result<()> {
    if requested() { Err(Failure::interrupted()) } else { Ok(()) }
}
