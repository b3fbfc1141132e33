//! Progress of long work: one line for each item while it is under way, on a terminal; else plain lines.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Ui;

/// The lines of one command.
pub struct Progress<'a> {
    ui: &'a Ui,
    bars: Option<MultiProgress>,
}

/// One line; gone when it is dropped.
pub struct Item {
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Draws if standard error is a terminal and `-q` was not given.
    pub fn new(ui: &'a Ui) -> Self {
        Progress { ui, bars: ui.can_draw().then(MultiProgress::new) }
    }

    /// Starts a line.
    pub fn item(&self, text: &str) -> Item {
        let text = crate::text::escape_controls(text.as_bytes());
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(ProgressStyle::default_spinner());
            bar.set_message(text.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            self.ui.note(&text);
        }
        Item { bar }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
