//! The end of what a session has printed, for whoever watches many at once.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::log;
use crate::desk::session as records;

/// The last line that a session has printed so far.
pub fn last_line(state_dir: &Path, task: &str, number: u64) -> String {
    /// A line that is longer is cut at its beginning.
    const LOOKED_AT: u64 = 2048;
    let dir = records::dir(state_dir, task);
    let begin = |name: &str| -> Option<u64> {
        let name = name.strip_suffix(".log")?;
        match name.split_once('+') {
            Some((n, offset)) => (n.parse() == Ok(number)).then(|| offset.parse().ok())?,
            None => (name.parse() == Ok(number)).then_some(0),
        }
    };
    let names = std::fs::read_dir(&dir).into_iter().flatten().flatten();
    let parts = names.filter_map(|entry| begin(entry.file_name().to_str()?));
    let Some(part) = parts.max().map(|begin| log::part(&dir, number, begin)) else { return String::new() };
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&part)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
        let mut end = Vec::new();
        file.take(LOOKED_AT).read_to_end(&mut end)?;
        Ok(end)
    };
    let end = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&end);
    text.split(['\n', '\r']).rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim_end().to_owned()
}
