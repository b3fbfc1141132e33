//! Questions, asked only where someone can answer.

use dialoguer::Confirm;
use dialoguer::console::Term;

use crate::error::{Failure, OrFatal, Result};

use super::Ui;

impl Ui {
    /// Asks yes or no, with "no" as the answer of an empty line.
    ///
    /// # Errors
    /// Interrupted on Ctrl-C, with the cursor shown again.
    pub fn confirm(&self, question: &str) -> Result<bool> {
        let _ = self.flush();
        let answer = Confirm::new().with_prompt(question).default(false).interact_on(&Term::stderr());
        match answer {
            Ok(answer) => Ok(answer),
            Err(dialoguer::Error::IO(e)) if e.kind() == std::io::ErrorKind::Interrupted => {
                // dialoguer hides the cursor and does not come to showing it again.
                let _ = Term::stderr().show_cursor();
                Err(Failure::interrupted())
            }
            Err(e) => Err(e).or_fatal(|| "could not read from the terminal"),
        }
    }
}
