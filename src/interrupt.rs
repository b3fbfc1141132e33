//! Ctrl-C and polite requests to stop, as a flag that long work looks at.
//!
//! A command that has something to roll back calls [`watch`] first; until then a signal ends the process
//! at once, as it ends git.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Failure, OrFatal, Result};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGINT, SIGTERM and SIGHUP only set the flag; a second one ends the process at once.
pub fn watch() {
    REQUESTED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The order matters: the second signal finds the flag set and dies of it.
            let second = signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag));
            // A signal that can't be caught is one that ends us: then there is nothing to set up.
            let _ = second.and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
        }
        flag
    });
}

/// A channel that gets a message when the user asks us to stop, for waiting with a limit.
///
/// # Errors
/// If the signals can't be caught.
pub fn channel() -> Result<Receiver<()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).or_fatal(|| "cannot catch signals")?;
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

/// Whether the user asked us to stop.
pub fn requested() -> bool {
    REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// # Errors
/// [`Failure::interrupted`] if the user asked us to stop.
pub fn check() -> Result<()> {
    if requested() { Err(Failure::interrupted()) } else { Ok(()) }
}
