//! What readers do not see: code far to the right, and characters without a picture.

use std::ops::Range;

/// Nobody indents that far; what stands behind so many blanks is meant to be out of sight.
const BLANKS: usize = 400;
/// How much behind the blanks is looked at to see whether it is code.
const CODE_BYTES: usize = 256;

/// The first code behind hundreds of blanks. Only every two hundredth byte is looked at until one is blank.
pub(super) fn behind_blanks(text: &[u8]) -> Option<Range<usize>> {
    const STRIDE: usize = BLANKS / 2;
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let mut probe = 0;
    while let Some(byte) = text.get(probe) {
        if !blank(byte) {
            probe += STRIDE;
            continue;
        }
        let ahead = text.get(probe..).unwrap_or_default().iter().take_while(|b| blank(b)).count();
        let behind = text.get(probe.saturating_sub(BLANKS)..probe).unwrap_or_default().iter().rev().take_while(|b| blank(b)).count();
        let end = probe + ahead;
        if ahead + behind >= BLANKS && is_code(text.get(end..(end + CODE_BYTES).min(text.len())).unwrap_or_default()) {
            return Some(end..(end + CODE_BYTES).min(text.len()));
        }
        probe = end + STRIDE;
    }
    None
}

/// Whether a line goes on as code does; the end of a text or of a line, a comment and a quotation mark that closes a text of
/// blanks do not.
fn is_code(rest: &[u8]) -> bool {
    const FEWEST_BYTES: usize = 4;
    let line = rest.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or(rest);
    let opens = !matches!(line, [] | [b'"' | b'\'' | b'`' | b'|' | b'#' | b'*' | b'<' | b'\\', ..] | [b'/', b'/' | b'*', ..]);
    opens && line.len() >= FEWEST_BYTES && line.iter().any(u8::is_ascii_alphabetic) && line.iter().any(|b| matches!(b, b'(' | b'=' | b';'))
}

/// Whether a run of invisible characters is none of the flags of emoji, which are a black flag and up to six letters.
pub(super) fn is_no_flag(text: &[u8], place: Range<usize>) -> bool {
    const BLACK_FLAG: &[u8] = b"\xf0\x9f\x8f\xb4";
    const CANCEL: &[u8] = b"\xf3\xa0\x81\xbf";
    const FLAG_BYTES_MAX: usize = 7 * 4;
    let run = text.get(place.clone()).unwrap_or_default();
    let before = text.get(..place.start).unwrap_or_default();
    !(before.ends_with(BLACK_FLAG) && run.ends_with(CANCEL) && run.len() <= FLAG_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(before: &str, blanks: usize, after: &str) -> bool {
        behind_blanks(format!("{before}{}{after}", " ".repeat(blanks)).as_bytes()).is_some()
    }

    #[test]
    fn code_behind_hundreds_of_blanks_is_found() {
        for shift in 0..200 {
            assert!(found(&"a".repeat(shift), 400, "run(1); //"), "{shift}");
        }
        assert!(found("a();\n", 5_000, "\tglobal.x = y;"));
        for (blanks, after) in
            [(399, "run(1);  "), (400, ""), (900, "\nrun(1);"), (900, "';\nrun(1);"), (900, "// (a comment);"), (900, "a word or two")]
        {
            assert!(!found("a();", blanks, after), "{blanks} {after}");
        }
    }
}
