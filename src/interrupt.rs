//! Ctrl-C and polite requests to stop, as a flag that long work looks at.
//!
//! A command that has something to roll back calls [`watch`] first; until then a signal ends the process
//! at once, as it ends git.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::{Failure, Result};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGINT, SIGTERM and SIGHUP only set the flag; a second one ends the process at once.
pub fn watch() {
    REQUESTED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
        {
            // The order matters: the second signal finds the flag set and dies of it.
            let second = signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag));
            // A signal that can't be caught is one that ends us: then there is nothing to set up.
            let _ = second.and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
        }
        flag
    });
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
