//! Enough of Rust's grammar to read source as plain text: what is code, what is a comment, what is a name.

use std::collections::BTreeMap;

/// The text with its comments and the insides of its string and character literals blanked, lines kept.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (String::new(), 0);
    let keep_lines = |out: &mut String, part: &str| out.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
    while at < bytes.len() {
        let rest = &text[at..];
        let hashes = rest.strip_prefix('r').map_or(0, |rest| rest.bytes().take_while(|byte| *byte == b'#').count());
        let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') && bytes[at - 1] != b'b';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with('r') && !word_before && rest[1 + hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            rest[start..].find(&close).map_or(rest.len(), |end| start + end + close.len())
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if rest.starts_with('\'') && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'')) {
            // A character, not a lifetime.
            let from = if rest[1..].starts_with('\\') { 3 } else { 1 };
            rest[from..].find('\'').map_or(rest.len(), |end| from + end + 1)
        } else {
            0
        };
        if length > 0 {
            keep_lines(&mut out, &rest[..length]);
            at += length;
        } else {
            let c = rest.chars().next().unwrap();
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

/// Bytes of the string literal that `text` opens with, both quotes included.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The code before the test module at the file's end; a complaint if anything follows that module.
pub fn without_tests(path: &str, code: &str) -> (String, Vec<String>) {
    let Some(start) =
        code.match_indices("\n#[cfg(test)]\nmod ").map(|(at, _)| at).find(|at| !code[*at + 18..].lines().next().unwrap().ends_with(';'))
    else {
        return (code.to_owned(), Vec::new());
    };
    let after = code[start..].split_once("\n}\n").map_or("", |(_, after)| after);
    let late = (!after.trim().is_empty()).then(|| format!("{path}: code follows its test module"));
    (code[..start].to_owned(), late.into_iter().collect())
}

/// Every place where `needle` stands in `code` as whole words.
pub fn words<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_a_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = code.as_bytes();
    code.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        !part_of_a_word(at.checked_sub(1).and_then(|before| bytes.get(before))) && !part_of_a_word(bytes.get(at + needle.len()))
    })
}

pub fn identifier(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// Modules that a file declares: their names, and whether for tests only.
pub fn declared(code: &str) -> BTreeMap<String, bool> {
    let mut modules = BTreeMap::new();
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    for (number, line) in lines.iter().enumerate() {
        let declaration = line
            .strip_suffix(';')
            .and_then(|line| line.rsplit_once("mod "))
            .filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
        if let Some((_, name)) = declaration {
            let for_tests = number > 0 && lines[number - 1] == "#[cfg(test)]";
            modules.insert(name.to_owned(), for_tests);
        }
    }
    modules
}

/// Whether the source declares a module that lies in `file` beside it, by `#[path]`; and if so, whether for tests only.
pub fn declared_by_path(text: &str, file: &str) -> Option<bool> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| *line == format!("#[path = \"{file}\"]"))?;
    Some(at > 0 && lines[at - 1] == "#[cfg(test)]")
}
