//! Text for people: colour where it is wanted, columns that line up, lines that fit the terminal.

use std::io;
use std::io::IsTerminal;
use std::io::Write;

use serde_json::Value;

use crate::config::environment;
use crate::model::finding::printable;

/// The narrowest column that text is wrapped into; what is narrower is left to the terminal.
const WRAP_LEAST: usize = 20;
const WIDTH_WITHOUT_TERMINAL: usize = 100;
/// Text of others that is shown in one cell.
const CELL_BYTES_MAX: usize = 2_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    Plain,
    Good,
    Wait,
    Bad,
    Dim,
    Strong,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Good => "32",
            Tone::Wait => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        }
    }
}

/// What the page is shown on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    pub colour: bool,
    /// In characters.
    pub width: usize,
}

impl Look {
    /// Colour only on a terminal, and not when `NO_COLOR` is set.
    pub fn of_stdout() -> Look {
        let terminal = io::stdout().is_terminal();
        let measured = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let width = if terminal { measured.or_else(environment::columns) } else { environment::columns() };
        Look { colour: terminal && !environment::no_color(), width: width.unwrap_or(WIDTH_WITHOUT_TERMINAL).max(40) }
    }

    pub fn paint(self, text: &str, tone: Tone) -> String {
        if self.colour && tone != Tone::Plain && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

/// A piece of a table. Its text is cleaned: nothing in it can steer the terminal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn new(text: impl AsRef<str>, tone: Tone) -> Cell {
        Cell { text: printable(text.as_ref(), CELL_BYTES_MAX), tone }
    }

    pub fn plain(text: impl AsRef<str>) -> Cell {
        Cell::new(text, Tone::Plain)
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` in lines of at most `width` characters, broken at spaces; a word that is longer is left whole.
pub fn wrap(text: &str, width_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= width_max {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Columns, two spaces apart, the last one wrapped. Without `heads` there is no line of them. Every line begins with `indent`.
pub fn table(look: Look, indent: &str, heads: &[&str], rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).chain([heads.len()]).max().unwrap_or(0);
    let head: Vec<Cell> = heads.iter().map(|head| Cell::new(head, Tone::Dim)).collect();
    let all = || std::iter::once(&head).filter(|head| !head.is_empty()).chain(rows);
    let widths: Vec<usize> =
        (0..columns).map(|at| all().filter_map(|row| row.get(at)).map(|cell| width(&cell.text)).max().unwrap_or(0)).collect();
    let before_last: usize = width(indent) + widths.iter().take(columns.saturating_sub(1)).map(|width| width + 2).sum::<usize>();
    let room = look.width.saturating_sub(before_last);
    let mut out = String::new();
    for row in all() {
        let mut line = indent.to_owned();
        for (at, cell) in row.iter().enumerate() {
            if at + 1 < columns {
                let pad = widths.get(at).copied().unwrap_or(0).saturating_sub(width(&cell.text)) + 2;
                line.push_str(&look.paint(&cell.text, cell.tone));
                line.push_str(&" ".repeat(pad));
                continue;
            }
            let parts = if room >= WRAP_LEAST { wrap(&cell.text, room) } else { vec![cell.text.clone()] };
            for (number, part) in parts.iter().enumerate() {
                if number > 0 {
                    out.push_str(line.trim_end());
                    out.push('\n');
                    line = " ".repeat(before_last);
                }
                line.push_str(&look.paint(part, cell.tone));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A paragraph, wrapped, cleaned.
pub fn paragraph(look: Look, text: &str) -> String {
    let clean = printable(text, CELL_BYTES_MAX);
    wrap(&clean, look.width).join("\n") + "\n"
}

/// Writes to standard output. A reader that left early, such as `head`, is no failure.
pub fn write(text: &str) -> io::Result<()> {
    write_more(text).map(|_| ())
}

/// Writes to standard output; `false` when nobody reads it any more.
pub fn write_more(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes to standard error. If that fails, nobody is left to tell.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// JSON for programs: one line, as `value` has it.
pub fn write_json(value: &Value) -> io::Result<()> {
    write(&format!("{value}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false, width: 40 };

    #[test]
    fn columns_line_up_and_the_last_one_wraps() {
        let rows = [
            vec![Cell::plain("a"), Cell::plain("one two three four five six seven")],
            vec![Cell::plain("longer"), Cell::new("x", Tone::Bad)],
        ];
        let expected = "  NAME    WHAT\n  a       one two three four five six\n          seven\n  longer  x\n";
        assert_eq!(table(PLAIN, "  ", &["NAME", "WHAT"], &rows), expected);
        assert_eq!(table(PLAIN, "", &[], &[]), "");
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        let look = Look { colour: true, width: 80 };
        assert_eq!(look.paint("x", Tone::Bad), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(PLAIN.paint("x", Tone::Bad), "x");
    }

    #[test]
    fn nothing_of_others_steers_the_terminal() {
        let rows = [vec![Cell::plain("\u{1b}]0;owned\u{7}\u{202e}a\nb")]];
        let shown = table(PLAIN, "", &[], &rows);
        assert!(!shown.trim_end().contains(|c: char| c.is_control()) && !shown.contains('\u{202e}'), "{shown:?}");
    }
}
