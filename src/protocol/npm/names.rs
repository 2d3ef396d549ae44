//! The names of npm packages in real use: a list that is built in, made by `data/npm_names.py`.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

use crate::ecosystem::likeness::Names;

const LIST: &[u8] = include_bytes!("../../../data/npm-names.gz");
/// Unpacked; the present list has 0.8 MB.
const LIST_BYTES_MAX: u64 = 8 * 1_024 * 1_024;

/// All of them, read when they are first asked for.
pub fn all() -> &'static Names {
    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        let (famous, known) = lists();
        Names::of(famous.iter().map(String::as_str), known.iter().map(String::as_str))
    });
    &NAMES
}

/// Those that are imitated, and the others.
fn lists() -> (Vec<String>, Vec<String>) {
    let mut text = String::new();
    if let Err(error) = GzDecoder::new(LIST).take(LIST_BYTES_MAX).read_to_string(&mut text) {
        tracing::error!(%error, "the list of names that is built in cannot be read: no name is like another");
        return (Vec::new(), Vec::new());
    }
    let lines = text.split_once('\n').map_or("", |(_, lines)| lines);
    let (famous, known) = lines.split_once("\n\n").unwrap_or((lines, ""));
    (names(famous), names(known))
}

/// Each line is the length, in one digit of base 36, of what a name shares with the one before, and the rest of it.
fn names(lines: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in lines.lines() {
        let shared = line.chars().next().and_then(|digit| digit.to_digit(36)).unwrap_or(0) as usize;
        let before = names.last().and_then(|name| name.get(..shared)).unwrap_or_default();
        let name = format!("{before}{}", line.get(1..).unwrap_or_default());
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::io::BufReader;

    use super::*;
    use crate::model::package::PackageName;

    #[test]
    fn the_list_is_whole() {
        let (famous, known) = lists();
        let mut head = String::new();
        BufReader::new(GzDecoder::new(LIST)).read_line(&mut head).unwrap();
        let said: Vec<usize> = head.trim_end().split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!([famous.len(), known.len()], [said[0], said[2]]);
        for name in ["react", "lodash", "@babel/core", "express", "typescript"] {
            assert!(famous.iter().any(|one| one == name), "{name}");
        }
        assert!(famous.is_sorted() && known.is_sorted());
        for name in famous.iter().chain(&known) {
            assert!(PackageName::npm(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn slips_are_told_and_names_in_use_are_not() {
        for (name, like) in [
            ("electorn", "electron"),
            ("momnet", "moment"),
            ("rimarf", "rimraf"),
            ("1odash", "lodash"),
            ("plugin-html-webpack", "html-webpack-plugin"),
            ("@bable/core", "@babel/core"),
            ("expresss", "express"),
        ] {
            assert_eq!(all().like(name).map(|like| like.name).as_deref(), Some(like), "{name}");
        }
        for name in ["react", "preact", "lodash", "lodash-es", "vuex", "@babel/core", "left-pad", "zzz-nobody-has-this"] {
            assert_eq!(all().like(name), None, "{name}");
        }
    }
}
