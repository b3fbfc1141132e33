//! Questions, asked only where someone can answer.

use dialoguer::Input;
use dialoguer::console::Term;

use crate::error::{Failure, OrFatal, Result};

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
}
