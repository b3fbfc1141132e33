//! What can go wrong, as the user meets it: one kind for each exit code, one message, and hints.
//!
//! The exit codes are git's own: see `git-merge(1)` for 1 against 128, and git's
//! `Documentation/technical/api-parse-options` for 129.

use std::fmt;

/// The crate's result.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command ends without having done what it was asked for. Each kind has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A negative answer, or one refused item among several: the rest was done.
    Negative,
    /// The whole is refused, or something outside failed.
    Fatal,
    /// The command line makes no sense.
    Usage,
    /// The user pressed Ctrl-C, or a signal asked us to stop.
    Interrupted,
}

/// Exit code of a command that did what it was asked for.
pub const EXIT_DONE: u8 = 0;

impl Kind {
    /// The one table of exit codes.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Negative => 1,
            Kind::Fatal => 128,
            Kind::Usage => 129,
            Kind::Interrupted => 130,
        }
    }

    /// The word in front of the message, as git prints it.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Negative | Kind::Usage => "error",
            Kind::Fatal | Kind::Interrupted => "fatal",
        }
    }
}

/// Advice that follows an error, silenced by `advice.<key>` or `GIT_ADVICE=0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The name below `advice.`, such as `taskDirty`.
    pub key: &'static str,
    /// What to do next; may have several lines.
    pub text: String,
}

/// A failure: its kind, what happened, and what could be done about it.
///
/// The source is an [`anyhow::Error`] whose chain is printed on one line, outermost first.
#[derive(Debug)]
pub struct Failure {
    /// Decides exit code and prefix.
    pub kind: Kind,
    /// What happened, outermost context first.
    pub source: anyhow::Error,
    /// Printed after the message.
    pub hint: Option<Hint>,
    /// Another process is in the way and nothing has been changed: once it is done, the same may succeed.
    pub passing: bool,
}

impl Failure {
    /// A refusal of the whole command (128).
    pub fn fatal(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::new(Kind::Fatal, message)
    }

    /// A negative answer (1).
    pub fn negative(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::new(Kind::Negative, message)
    }

    /// A command line that makes no sense (129).
    pub fn usage(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Ended by the user (130).
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// What failed has been reported already; this only carries its exit code.
    pub fn reported(kind: Kind) -> Self {
        Self::new(kind, String::new())
    }

    /// Whether there is nothing more to say.
    pub fn is_reported(&self) -> bool {
        self.hint.is_none() && self.source.to_string().is_empty()
    }

    fn new(kind: Kind, message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Failure { kind, source: anyhow::Error::msg(message), hint: None, passing: false }
    }

    /// Adds advice under `advice.<key>`.
    #[must_use]
    pub fn hint(mut self, key: &'static str, text: impl Into<String>) -> Self {
        self.hint = Some(Hint { key, text: text.into() });
        self
    }

    /// Marks it as [passing](Failure::passing).
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// Says what was being done, in front of what went wrong.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.source = self.source.context(what);
        self
    }

    /// The same failure as one of several items (1) rather than of the whole (128).
    #[must_use]
    pub fn as_item(mut self) -> Self {
        if self.kind == Kind::Fatal {
            self.kind = Kind::Negative;
        }
        self
    }

    /// The message: the chain of causes on one line, separated by colons as git does it.
    pub fn message(&self) -> String {
        format!("{:#}", self.source)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(source: anyhow::Error) -> Self {
        Failure { kind: Kind::Fatal, source, hint: None, passing: false }
    }
}

/// Turns a foreign error into a fatal [`Failure`] with the context git would give, such as
/// `could not open 'path'`.
pub trait OrFatal<T> {
    /// `what` is said first, the error after a colon.
    fn or_fatal<C: fmt::Display + Send + Sync + 'static>(self, what: impl FnOnce() -> C) -> Result<T>;
}

impl<T, E> OrFatal<T> for std::result::Result<T, E>
where
    E: Into<anyhow::Error>,
{
    fn or_fatal<C: fmt::Display + Send + Sync + 'static>(self, what: impl FnOnce() -> C) -> Result<T> {
        self.map_err(|e| Failure::from(describe(e.into()).context(what())))
    }
}

/// Rust adds "(os error 2)" to what the system says; git doesn't.
fn describe(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<std::io::Error>().and_then(|e| e.raw_os_error().map(|c| (e, c))) {
        Some((io, code)) => {
            let text = io.to_string();
            let plain = text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text).to_owned();
            anyhow::Error::msg(plain)
        }
        None => error,
    }
}
