//! Progress of long work, on a terminal only: one line for each item while it is under way, and a bar for the whole.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Ui;

/// How often a line is drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// The lines of one command.
pub struct Progress {
    bars: Option<MultiProgress>,
    whole: RefCell<Option<ProgressBar>>,
}

/// One line; gone when it is dropped.
pub struct Item {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Draws if standard error is a terminal and `-q` was not given.
    pub fn new(ui: &Ui) -> Self {
        Progress { bars: ui.bars(), whole: RefCell::new(None) }
    }

    /// Starts a line.
    pub fn item(&self, text: &str) -> Item {
        let text = crate::text::escape_controls(text.as_bytes());
        let bar = self.bars.as_ref().map(|bars| {
            let bar = ProgressBar::new_spinner();
            let bar = match self.whole.borrow().as_ref() {
                Some(whole) => bars.insert_before(whole, bar),
                None => bars.add(bar),
            };
            bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("it is a template"));
            bar.set_message(text.clone());
            bar.enable_steady_tick(FRAME);
            bar
        });
        Item { bar }
    }

    /// A bar for the whole, where so many of `total` are done; of none, it goes.
    pub fn tally(&self, done: usize, total: usize) {
        let Some(bars) = &self.bars else { return };
        let mut whole = self.whole.borrow_mut();
        if total == 0 {
            if let Some(bar) = whole.take() {
                bar.finish_and_clear();
                bars.remove(&bar);
            }
            return;
        }
        let bar = whole.get_or_insert_with(|| {
            let bar = bars.add(ProgressBar::new(total as u64));
            let style = ProgressStyle::with_template("[{bar:30}] {pos}/{len}").expect("it is a template");
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        bar.set_position(done as u64);
        bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.tally(0, 0);
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
