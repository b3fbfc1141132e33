//! Everything that a person or a script sees: results on standard output, the rest on standard error.

#![expect(clippy::disallowed_methods, reason = "the streams are written here")]

pub mod board;
pub mod listing;
pub mod progress;
pub mod prompt;
pub mod screen;
pub mod table;

use std::cell::{Cell, OnceCell, RefCell};
use std::io::{self, IsTerminal, StdoutLock, Write};

use console::Style;
use indicatif::MultiProgress;

use crate::error::{Failure, Hint, Kind};
use crate::text::{escape_controls, escape_controls_multiline};

/// When to colour, as `--color=<when>` and git's configuration say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// Never.
    Never,
    /// If it goes to a terminal.
    Auto,
}

/// Where output goes and what it looks like.
pub struct Ui {
    out: RefCell<io::BufWriter<StdoutLock<'static>>>,
    /// Standard output is coloured.
    pub color_out: bool,
    /// Standard error is coloured.
    pub color_err: bool,
    /// Standard output is read by a person, at once or in a pager.
    is_for_eyes: bool,
    /// `-q`: no progress.
    pub quiet: bool,
    /// `-v`: more than the usual.
    pub verbose: bool,
    /// Prompts may be shown.
    pub prompts: bool,
    /// What is drawn on standard error, once something was.
    bars: OnceCell<MultiProgress>,
    /// Nothing is drawn now.
    is_aside: Cell<bool>,
    advice: Box<dyn Fn(&str) -> bool>,
}

impl Ui {
    /// A `Ui` that colours nothing and gives every hint: for failures before the configuration is known.
    pub fn plain() -> Self {
        Ui {
            out: RefCell::new(io::BufWriter::new(io::stdout().lock())),
            color_out: false,
            color_err: false,
            is_for_eyes: io::stdout().is_terminal(),
            quiet: false,
            verbose: false,
            prompts: false,
            bars: OnceCell::new(),
            is_aside: Cell::new(false),
            advice: Box::new(|_| true),
        }
    }

    /// Colours by `when`; `pager` says that a pager reads standard output, which counts as a terminal.
    pub fn set_color(&mut self, when: When, pager: bool, dumb: bool) {
        let decide = |terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !dumb,
        };
        self.is_for_eyes = pager || io::stdout().is_terminal();
        self.color_out = decide(self.is_for_eyes);
        self.color_err = decide(io::stderr().is_terminal());
    }

    /// Which `advice.<key>` are wanted.
    pub fn set_advice(&mut self, wanted: impl Fn(&str) -> bool + 'static) {
        self.advice = Box::new(wanted);
    }

    /// Whether the user can be asked: standard input and standard error are terminals and nothing forbids it.
    pub fn can_prompt(&self) -> bool {
        self.prompts && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Whether progress may be drawn on standard error.
    pub fn can_draw(&self) -> bool {
        !self.quiet && self.prompts && io::stderr().is_terminal()
    }

    /// What progress is drawn with, if it may be.
    fn bars(&self) -> Option<MultiProgress> {
        self.can_draw().then(|| self.bars.get_or_init(MultiProgress::new).clone())
    }

    /// Takes progress off the terminal while something else is there: a question, an editor, a command's output.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.bars.get() {
            Some(bars) if !self.is_aside.get() => {
                self.is_aside.set(true);
                let done = bars.suspend(work);
                self.is_aside.set(false);
                done
            }
            _ => work(),
        }
    }

    /// Whether standard output is read by a person now.
    pub fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// The width of the terminal that shows standard output; none if it is none.
    pub fn stdout_width(&self) -> Option<usize> {
        self.stdout_is_terminal().then(|| usize::from(console::Term::stdout().size().1))
    }

    /// Whether a person reads standard output, so that nothing may be in it that moves the cursor or hides.
    pub fn is_for_eyes(&self) -> bool {
        self.is_for_eyes
    }

    /// Writes what comes from elsewhere: to a pipe or a file as it is, for eyes as it may be shown. NUL stays, for
    /// who asks for it.
    ///
    /// # Errors
    /// As [`Ui::write`].
    pub fn data(&self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_for_eyes {
            return self.write(bytes);
        }
        let shown: Vec<_> = bytes.split(|byte| *byte == 0).map(escape_controls_multiline).collect();
        self.write(shown.join("\0").as_bytes())
    }

    /// Writes a result as it is.
    ///
    /// # Errors
    /// If standard output can't be written; a closed pipe ends the process by SIGPIPE before that.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.out.borrow_mut().write_all(bytes)
    }

    /// Writes a result in a line of its own: for eyes as it may be shown, else as it is.
    ///
    /// # Errors
    /// As [`Ui::write`].
    pub fn line(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match self.is_for_eyes {
            true => self.write(escape_controls(bytes.as_ref()).as_bytes())?,
            false => self.write(bytes.as_ref())?,
        }
        self.write(b"\n")
    }

    /// What was written so far reaches the reader.
    ///
    /// # Errors
    /// As [`Ui::write`].
    pub fn flush(&self) -> io::Result<()> {
        self.out.borrow_mut().flush()
    }

    /// Says what is being done; `-q` silences it.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            self.err_lines("", &escape_controls_multiline(message.as_bytes()), None);
        }
    }

    /// Says what must be seen, also with `-q`.
    pub fn note_always(&self, message: &str) {
        self.err_lines("", &escape_controls_multiline(message.as_bytes()), None);
    }

    /// Writes lines for a person's eyes to standard error as they are: what came from elsewhere was escaped before.
    pub fn show(&self, lines: &str) {
        self.err_lines("", lines.trim_end_matches('\n'), None);
    }

    /// Text in a style, where standard error is coloured.
    pub fn styled(&self, style: &Style, text: &str) -> String {
        match self.color_err {
            true => style.clone().force_styling(true).apply_to(text).to_string(),
            false => text.to_owned(),
        }
    }

    /// The width of the terminal in columns.
    pub fn width(&self) -> usize {
        const USUAL: usize = 80;
        console::Term::stderr().size_checked().map_or(USUAL, |(_, columns)| columns.into())
    }

    /// A warning.
    pub fn warning(&self, message: &str) {
        self.err_lines("warning: ", &escape_controls(message.as_bytes()), Some(Style::new().yellow()));
    }

    /// A failure of the whole or of one item, and its hint.
    pub fn failure(&self, failure: &Failure) {
        // As git, which says nothing when it is interrupted.
        if failure.is_reported() || failure.kind == Kind::Interrupted {
            return;
        }
        let prefix = format!("{}: ", failure.kind.prefix());
        let message = escape_controls_multiline(failure.message().trim_end().as_bytes());
        self.err_lines(&prefix, &message, Some(Style::new().red().bold()));
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// Advice, unless it is turned off.
    pub fn hint(&self, hint: &Hint) {
        if !(self.advice)(hint.key) {
            return;
        }
        let style = Some(Style::new().yellow());
        let text = escape_controls_multiline(hint.text.as_bytes());
        for line in text.lines() {
            self.err_lines("hint: ", line, style.clone());
        }
        let off = format!("Disable this message with \"git config advice.{} false\"", hint.key);
        self.err_lines("hint: ", &off, style);
    }

    fn err_lines(&self, prefix: &str, message: &str, style: Option<Style>) {
        let prefix = match style {
            Some(style) if self.color_err => style.force_styling(true).apply_to(prefix).to_string(),
            _ => prefix.to_owned(),
        };
        // Standard error that is closed leaves nobody to tell.
        let _ = self.flush();
        self.aside(|| drop(writeln!(io::stderr().lock(), "{prefix}{message}")));
    }
}
