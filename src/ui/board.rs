//! A board of what is under way: a line for each task, and a bar for the whole. On a terminal only.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Ui;
use crate::duration;
use crate::text::escape_controls;

/// How often a board is drawn anew.
const FRAME: Duration = Duration::from_millis(200);

/// The lines of a run.
pub struct Board {
    all: MultiProgress,
    whole: ProgressBar,
    lines: HashMap<String, Line>,
    drawn: Instant,
}

struct Line {
    bar: ProgressBar,
    stage: String,
    begun: Instant,
}

impl Board {
    /// A board for so many tasks, if standard error is a terminal and `-q` was not given.
    pub fn new(ui: &Ui, tasks: usize) -> Option<Self> {
        if !ui.can_draw() {
            return None;
        }
        let all = MultiProgress::new();
        let whole = all.add(ProgressBar::new(tasks as u64));
        let style =
            ProgressStyle::with_template("[{bar:30}] {pos}/{len} {wide_msg}").expect("it is a template");
        whole.set_style(style.progress_chars("=> "));
        whole.tick();
        Some(Board { all, whole, lines: HashMap::new(), drawn: Instant::now() })
    }

    /// A task is at this stage now.
    pub fn begin(&mut self, task: &str, stage: &str) {
        let line = self.lines.entry(task.to_owned()).or_insert_with(|| {
            let bar = self.all.insert_before(&self.whole, ProgressBar::new_spinner());
            bar.set_style(ProgressStyle::with_template("{wide_msg}").expect("it is a template"));
            Line { bar, stage: String::new(), begun: Instant::now() }
        });
        stage.clone_into(&mut line.stage);
        line.begun = Instant::now();
        self.draw(|_| String::new());
    }

    fn draw(&self, last: impl Fn(&str) -> String) {
        let names = self.lines.keys().map(|task| console::measure_text_width(task));
        let width = names.max().unwrap_or(0);
        for (task, line) in &self.lines {
            line.draw(&console::pad_str(task, width, console::Alignment::Left, None), &last(task));
        }
    }

    /// Nothing is under way for a task any more. `counts` if it came to its end.
    pub fn end(&mut self, task: &str, counts: bool) {
        if let Some(line) = self.lines.remove(task) {
            line.bar.finish_and_clear();
            self.all.remove(&line.bar);
        }
        if counts {
            self.whole.inc(1);
        }
    }

    /// What is said beside the bar for the whole.
    pub fn say(&self, message: &str) {
        self.whole.set_message(escape_controls(message.as_bytes()));
    }

    /// Draws the lines anew if some time has passed. `last` gives the last line that a task has printed.
    pub fn tick(&mut self, last: impl Fn(&str) -> String) {
        if self.drawn.elapsed() < FRAME {
            return;
        }
        self.drawn = Instant::now();
        self.draw(last);
        self.whole.tick();
    }

    /// Lets something else be printed, above the board.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }
}

impl Line {
    fn draw(&self, task: &str, last: &str) {
        let time = duration::span(Duration::from_secs(self.begun.elapsed().as_secs()));
        let time = if self.begun.elapsed() < Duration::from_secs(1) { "0s".to_owned() } else { time };
        // Colour is of no use in a line that is cut.
        let last = console::strip_ansi_codes(last);
        let words = [task, &self.stage, &time, &last].map(|word| escape_controls(word.as_bytes()));
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        self.bar.set_message(words.join("  "));
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        for line in self.lines.values() {
            line.bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
    }
}
