//! What a child prints, read while it runs.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, PipeWriter, Read, Write};
use std::process::Stdio;
use std::sync::mpsc::Receiver;

use gix::bstr::ByteSlice;

/// Reads a pipe while its writers run.
pub struct Reader {
    pieces: Receiver<Vec<u8>>,
    writer: PipeWriter,
}

impl Reader {
    /// A pipe, and a thread that reads it.
    ///
    /// # Errors
    /// If no pipe can be had.
    pub fn new() -> std::io::Result<Self> {
        const PIECE: usize = 64 * 1024;
        let (mut pipe, writer) = std::io::pipe()?;
        let (send, pieces) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = vec![0; PIECE];
            loop {
                // Its end, an error, and nobody who listens any more all end it.
                match pipe.read(&mut piece) {
                    Ok(length @ 1..) if send.send(piece[..length].to_vec()).is_ok() => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
        });
        Ok(Reader { pieces, writer })
    }

    /// The end that a child writes to.
    ///
    /// # Errors
    /// If there can't be another handle.
    pub fn writer(&self) -> std::io::Result<Stdio> {
        self.writer.try_clone().map(Stdio::from)
    }

    /// What was written until all writers have closed it.
    pub fn until_end(self) -> Vec<u8> {
        drop(self.writer);
        self.pieces.into_iter().flatten().collect()
    }

    /// What was written until now, by a child that has ended.
    pub fn until_now(self) -> Vec<u8> {
        let mut all = Vec::new();
        self.while_waiting(|| (), |piece| all.extend_from_slice(piece));
        all
    }

    /// Hands on what is written, as it comes, until `wait` returns because the child has ended. Others may hold
    /// the pipe for ever: a mark of ours behind what the child wrote says where that ends.
    pub fn while_waiting<T: Send>(
        self,
        wait: impl FnOnce() -> T + Send,
        mut hand_on: impl FnMut(&[u8]),
    ) -> T {
        let mark = format!("\0{:016x}\0", RandomState::new().build_hasher().finish()).into_bytes();
        let Reader { pieces, mut writer } = self;
        std::thread::scope(|scope| {
            let mark = mark.as_slice();
            let waiting = scope.spawn(move || {
                let ended = wait();
                // So short that it goes in as a whole, whoever else writes. One of them may have made the pipe
                // non-blocking, and the reader makes room.
                while let Err(error) = writer.write(mark) {
                    if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
                        break;
                    }
                    std::thread::yield_now();
                }
                ended
            });
            let mut held_back = Vec::new();
            for piece in pieces {
                held_back.extend_from_slice(&piece);
                if let Some(at) = held_back.find(mark) {
                    hand_on(&held_back[..at]);
                    break;
                }
                // Its end may be where the mark begins.
                let begun = (1..mark.len()).rev().find(|n| held_back.ends_with(&mark[..*n])).unwrap_or(0);
                let rest = held_back.split_off(held_back.len() - begun);
                hand_on(&held_back);
                held_back = rest;
            }
            waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
