//! What a run finds of a session: left by an earlier run, and how it ended.

use std::path::Path;

use super::session::{self, Live};
use crate::desk::session as records;
use crate::error::Result;

/// What was found of a session that an earlier run started.
pub enum TakenOver {
    /// It has ended by itself.
    Ended(records::How),
    /// It still runs.
    Lives(Box<Live>),
}

/// The session of this number, if it was started at all and is the last one.
///
/// # Errors
/// If its record can't be read.
pub fn take_over(state_dir: &Path, task: &str, number: u64) -> Result<Option<TakenOver>> {
    if let Some(live) = session::attach(state_dir, task)?.filter(|live| live.session().number == number) {
        return Ok(Some(TakenOver::Lives(Box::new(live))));
    }
    let last = records::last(state_dir, task)?.filter(|s| s.number == number);
    // One that somebody killed, or nobody saw the end of, is begun again.
    let how = last.and_then(|s| s.ended).map(|ended| ended.how);
    let how = how.filter(|how| matches!(how, records::How::Exited(_)));
    Ok(how.map(TakenOver::Ended))
}

/// Why a session didn't succeed.
pub struct Miss {
    /// As it goes on after the name of the stage.
    pub reason: String,
    /// Another attempt would come to the same.
    pub is_final: bool,
}

/// Why a session that ended so didn't succeed, unless it did.
pub fn miss(how: records::How) -> Option<Miss> {
    let is_missing = matches!(how, records::How::Exited(126 | 127));
    (!how.succeeded()).then(|| Miss { reason: how.to_string(), is_final: is_missing })
}
