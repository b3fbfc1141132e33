//! Questions, asked only where someone can answer.

use std::io::{self, BufRead, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use dialoguer::Input;
use dialoguer::console::Term;

use console::Style;

use crate::error::{Failure, OrFatal, Result};
use crate::interrupt;

use super::Ui;

impl Ui {
    /// Asks yes or no, with "no" as the answer of an empty line.
    ///
    /// A line is read, not a key: the terminal stays as it is, so that Ctrl-C ends the command at any moment and
    /// leaves no hidden cursor. Nothing may be [watched](crate::interrupt::watch) yet.
    ///
    /// # Errors
    /// Interrupted, if the terminal says so; or if it can't be read.
    pub fn confirm(&self, question: &str) -> Result<bool> {
        let _ = self.flush();
        let prompt = format!("{question} [y/N]");
        let answer =
            Input::<String>::new().with_prompt(prompt).allow_empty(true).interact_on(&Term::stderr());
        match answer {
            Ok(answer) => Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str())),
            Err(dialoguer::Error::IO(e)) if e.kind() == std::io::ErrorKind::Interrupted => {
                Err(Failure::interrupted())
            }
            Err(e) => Err(e).or_fatal(|| "could not read from the terminal"),
        }
    }

    /// Asks for a line. None at the end of input (Ctrl-D).
    ///
    /// The terminal stays as it is, with its own line editing, so that nothing has to be put right if the command
    /// is killed meanwhile. Signals may be [watched](interrupt::watch).
    ///
    /// # Errors
    /// Interrupted, with the cursor on a line of its own; or if the terminal can't be read.
    pub fn ask(&self, question: &str) -> Result<Option<String>> {
        /// How long Ctrl-C may take to be noticed.
        const MOMENT: Duration = Duration::from_millis(20);
        let _ = self.flush();
        let question = self.styled(&Style::new().bold(), question);
        let mut terminal = io::stderr();
        // Standard error that is closed is found out by reading.
        let _ = write!(terminal, "{question} ").and_then(|()| terminal.flush());
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            let read = io::stdin().lock().read_until(b'\n', &mut line);
            // Nobody listens any more if we were interrupted.
            let _ = tell.send(read.map(|_| line));
        });
        let line = loop {
            match told.recv_timeout(MOMENT) {
                Ok(line) => break line.or_fatal(|| "could not read from the terminal")?,
                Err(RecvTimeoutError::Timeout) if !interrupt::requested() => {}
                Err(_) => {
                    let _ = Term::stderr().show_cursor();
                    let _ = writeln!(terminal);
                    return Err(Failure::interrupted());
                }
            }
        };
        if line.is_empty() {
            let _ = writeln!(terminal);
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
    }
}
