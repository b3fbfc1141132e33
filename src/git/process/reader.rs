//! What a child prints, read while it runs.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long to wait for more of what a command printed that has ended, while others hold its streams.
pub const MOMENT: Duration = Duration::from_millis(200);

/// Reads a pipe while its writer runs.
pub struct Reader(Receiver<Vec<u8>>);

impl Reader {
    /// Begins to read.
    pub fn of(mut pipe: impl Read + Send + 'static) -> Self {
        const PIECE: usize = 64 * 1024;
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = vec![0; PIECE];
            // Its end, an error, and nobody who listens any more all end it.
            while let Ok(length @ 1..) = pipe.read(&mut piece) {
                if send.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Reader(receive)
    }

    /// Hands on what is written, as it comes, until the end of the pipe, or until `ended` says that the writer has
    /// ended and nothing came for a [`MOMENT`].
    pub fn each(self, mut ended: impl FnMut() -> bool, mut hand_on: impl FnMut(&[u8])) {
        loop {
            match self.0.recv_timeout(MOMENT) {
                Ok(piece) => hand_on(&piece),
                Err(RecvTimeoutError::Timeout) if !ended() => {}
                Err(_) => return,
            }
        }
    }

    /// What was written until the end of the pipe; with a limit, until nothing came for so long.
    pub fn rest(self, limit: Option<Duration>) -> Vec<u8> {
        let mut all = Vec::new();
        let next = || match limit {
            Some(limit) => self.0.recv_timeout(limit).ok(),
            None => self.0.recv().ok(),
        };
        while let Some(piece) = next() {
            all.extend_from_slice(&piece);
        }
        all
    }
}
