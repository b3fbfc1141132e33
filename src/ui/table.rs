//! A table for eyes: columns as wide as their widest cell, lines cut at the terminal's edge.

use std::borrow::Cow;

use console::{Alignment, Style, measure_text_width, pad_str, truncate_str};

use crate::text::escape_controls;

/// One cell: text that may be shown, and how.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// Text from anywhere: what could move the cursor or hide is escaped.
    pub fn new(text: impl AsRef<str>) -> Self {
        Cell { text: escape_controls(text.as_ref().as_bytes()), style: None }
    }

    /// Its text without style.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same in this style where colour is wanted.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = Some(style);
        self
    }
}

/// Lays the rows out below the header. Columns in which no row has anything are left out. `width` is the
/// terminal's, or none to cut nothing.
pub fn render(header: &[&str], rows: &[Vec<Cell>], width: Option<usize>, color: bool) -> String {
    let used: Vec<usize> =
        (0..header.len()).filter(|&c| c == 0 || rows.iter().any(|r| !r[c].text.is_empty())).collect();
    let widths: Vec<usize> = used
        .iter()
        .map(|&c| {
            let cells = rows.iter().map(|r| measure_text_width(&r[c].text));
            cells.max().unwrap_or(0).max(measure_text_width(header[c]))
        })
        .collect();
    let mut out = String::new();
    let head: Vec<Cell> = header.iter().map(|h| Cell::new(*h).style(Style::new().dim())).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (at, (&column, &column_width)) in used.iter().zip(&widths).enumerate() {
            let cell = &row[column];
            let last = at + 1 == used.len();
            let text = match last {
                true => Cow::Borrowed(cell.text.as_str()),
                false => pad_str(&cell.text, column_width, Alignment::Left, None),
            };
            match &cell.style {
                Some(style) if color => {
                    line.push_str(&style.clone().force_styling(true).apply_to(&text).to_string());
                }
                _ => line.push_str(&text),
            }
            if !last {
                line.push_str("  ");
            }
        }
        // A line that wraps would make the table unreadable, and a watched one jump.
        let line = line.trim_end();
        match width {
            Some(width) => out.push_str(&truncate_str(line, width, "…")),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_keep_columns_straight_and_empty_columns_go() {
        let rows = vec![
            vec![Cell::new("漢字"), Cell::new(""), Cell::new("a long text at the end")],
            vec![Cell::new("ab"), Cell::new(""), Cell::new("b")],
        ];
        let text = render(&["TASK", "GONE", "NOTE"], &rows, Some(20), false);
        assert_eq!(text, "TASK  NOTE\n漢字  a long text a…\nab    b\n");
    }
}
