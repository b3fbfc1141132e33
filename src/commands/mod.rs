//! One file for each subcommand: arguments, domain, rendering.

pub mod completion;
pub mod install;
pub mod integrate;
pub mod pages;
pub mod pool;
pub mod task;
pub mod trust;

use std::any::Any;

use clap::Args;

use crate::config::{Reader, Settings};
use crate::context::Context;
use crate::error::{EXIT_DONE, Failure, Kind, OrFatal, Result};
use crate::git::Repo;
use crate::task::{Desk, Observer, place};
use crate::ui::listing::{self, Format, Record};
use crate::ui::progress::Progress;
use crate::ui::{Ui, When};

/// What every command gets: the repository, its settings, the surroundings and the user.
pub struct Cx {
    /// The repository.
    pub repo: Repo,
    /// Its settings.
    pub settings: Settings,
    /// The surroundings.
    pub context: Context,
    /// The user.
    pub ui: Ui,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Be quiet: only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more: list shows heads, branches and worktrees too
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to colour: always, never or auto
    #[arg(long, global = true, value_name = "when", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pub color: Option<String>,
}

impl Cx {
    /// Opens the repository and reads its settings. `color_key` is `color.task` or its like.
    ///
    /// # Errors
    /// Outside a repository; or if a setting makes no sense.
    pub fn open(context: Context, mut ui: Ui, common: &Common, color_key: &str) -> Result<Self> {
        ui.quiet = common.quiet;
        ui.verbose = common.verbose;
        ui.prompts = context.prompts_allowed;
        let asked = common.color.as_deref().map(parse_when).transpose()?;
        let repo = place::home_of(Repo::discover(&context)?, &context);
        configure(&mut ui, &repo, &context, asked, color_key)?;
        let settings = Settings::load(&repo)?;
        Ok(Cx { repo, settings, context, ui })
    }

    /// For the domain, which sees the user only as an observer.
    pub fn desk<'a>(&'a self, observer: &'a dyn Observer) -> Desk<'a> {
        Desk { repo: &self.repo, settings: &self.settings, context: &self.context, observer }
    }

    /// Does what another of our processes may be in the way of, as [`Desk::patiently`].
    ///
    /// # Errors
    /// What it said at last.
    pub fn patiently<T>(&self, desk: &Desk<'_>, work: impl FnMut() -> Result<T>) -> Result<T> {
        desk.patiently(|| pool::settle(self, desk), work)
    }

    /// Prints one result line: for eyes as it may be shown, else as it is.
    ///
    /// # Errors
    /// If standard output can't be written.
    pub fn print(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.ui.line(bytes).or_fatal(|| "could not write to standard output")
    }

    /// Prints results as they are.
    ///
    /// # Errors
    /// If standard output can't be written.
    pub fn write(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.ui.write(bytes.as_ref()).or_fatal(|| "could not write to standard output")
    }

    /// Prints what comes from elsewhere: for eyes as it may be shown, else as it is.
    ///
    /// # Errors
    /// If standard output can't be written.
    pub fn data(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.ui.data(bytes.as_ref()).or_fatal(|| "could not write to standard output")
    }

    /// Does the same to each of several items. One that is refused gets its error line and the others are
    /// done; a single one that is refused is the refusal of the whole.
    ///
    /// # Errors
    /// Interrupted, a broken command line, or the refusal of the only item.
    pub fn each<T>(&self, items: &[T], mut act: impl FnMut(&T) -> Result<()>) -> Result<u8> {
        let mut code = EXIT_DONE;
        for item in items {
            match act(item) {
                Ok(()) => {}
                Err(failure)
                    if items.len() == 1 || matches!(failure.kind, Kind::Interrupted | Kind::Usage) =>
                {
                    return Err(failure);
                }
                Err(failure) => {
                    let failure = failure.as_item();
                    self.ui.failure(&failure);
                    code = failure.kind.exit_code();
                }
            }
        }
        Ok(code)
    }
}

/// The value of `--color`.
///
/// # Errors
/// If it is none, in git's words.
pub fn parse_when(text: &str) -> Result<When> {
    match text {
        "always" => Ok(When::Always),
        "never" => Ok(When::Never),
        "auto" => Ok(When::Auto),
        _ => Err(Failure::usage("option `color' expects \"always\", \"auto\", or \"never\"")),
    }
}

fn configure(
    ui: &mut Ui,
    repo: &Repo,
    context: &Context,
    asked: Option<When>,
    color_key: &str,
) -> Result<()> {
    let gix = repo.gix();
    let config = gix.config_snapshot();
    let configured = |key: &str| -> Result<Option<When>> {
        let Some(text) = Reader::new(&config).text(key)? else { return Ok(None) };
        match text.as_str() {
            "always" => Ok(Some(When::Always)),
            "never" => Ok(Some(When::Never)),
            "auto" => Ok(Some(When::Auto)),
            // As for git, true is auto.
            _ => Ok(Reader::new(&config).boolean(key)?.map(|on| if on { When::Auto } else { When::Never })),
        }
    };
    let when = match (asked, configured(color_key)?) {
        (Some(when), _) | (None, Some(when)) => when,
        (None, None) if context.no_color => When::Never,
        (None, None) => configured("color.ui")?.unwrap_or(When::Auto),
    };
    ui.set_color(when, context.pager_in_use, context.dumb_terminal);
    let advice = context.advice;
    let off: Vec<String> = config
        .plumbing()
        .sections_by_name("advice")
        .into_iter()
        .flatten()
        .flat_map(|s| s.body().value_names().collect::<Vec<_>>())
        .filter(|key| config.boolean(format!("advice.{key}").as_str()) == Some(false))
        .collect();
    ui.set_advice(move |key| advice && !off.iter().any(|k| k.eq_ignore_ascii_case(key)));
    Ok(())
}

/// The user as the domain sees it.
pub struct Reporter<'a> {
    ui: &'a Ui,
    progress: Progress,
}

impl<'a> Reporter<'a> {
    /// Reports to this user.
    pub fn new(ui: &'a Ui) -> Self {
        Reporter { ui, progress: Progress::new(ui) }
    }
}

impl Observer for Reporter<'_> {
    fn step(&self, text: &str) -> Box<dyn Any> {
        Box::new(self.progress.item(text))
    }

    fn warn(&self, message: &str) {
        self.ui.warning(message);
    }

    fn note(&self, message: &str) {
        self.ui.note(message);
    }

    fn tally(&self, done: usize, total: usize) {
        self.progress.tally(done, total);
    }

    fn aside(&self, work: &mut dyn FnMut()) {
        self.ui.aside(work);
    }
}

/// Options of every listing.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Format options")]
pub struct ListingArgs {
    /// For scripts: `key value` lines, an empty line after each record
    #[arg(long, value_name = "version", num_args = 0..=1, require_equals = true, default_missing_value = "v1", conflicts_with_all = ["json", "format"])]
    pub porcelain: Option<String>,
    /// With --porcelain: end lines with NUL instead of a newline
    #[arg(short = 'z', requires = "porcelain")]
    pub nul: bool,
    /// One JSON document
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// One line for each record, with %(key) replaced
    #[arg(long, value_name = "format")]
    pub format: Option<String>,
}

impl ListingArgs {
    /// Whether a script reads the listing.
    ///
    /// # Errors
    /// If the version of the porcelain format is unknown.
    pub fn for_scripts(&self) -> Result<bool> {
        match self.porcelain.as_deref() {
            None | Some("v1" | "1") => {}
            Some(other) => {
                let shown = crate::text::escape_controls(other.as_bytes());
                return Err(Failure::fatal(format!("unsupported porcelain version '{shown}'")));
            }
        }
        Ok(self.porcelain.is_some() || self.json || self.format.is_some())
    }

    /// Renders records in the format asked for; for eyes with values that may be shown.
    ///
    /// # Errors
    /// If the format names an unknown key.
    pub fn render(&self, ui: &Ui, records: &[Record], known: &[&str]) -> Result<Vec<u8>> {
        let shown: Vec<Record>;
        let records = match ui.is_for_eyes() && !self.json {
            true => {
                shown = records.iter().map(Record::shown).collect();
                &shown
            }
            false => records,
        };
        if let Some(format) = &self.format {
            let format = Format::parse(format, known)?;
            return Ok(records.iter().flat_map(|r| format.apply(r)).collect());
        }
        Ok(if self.json { listing::json(records) } else { listing::porcelain(records, self.nul) })
    }
}
