//! What reading a gyp file runs. gyp evaluates the file as a Python expression and expands `<!(command)` in its strings, so
//! whatever is not a plain literal runs too. Source: gyp-next, `input.py`; its documentation on command expansions.

use crate::protocol::npm::inspect::LIST_MAX;
use crate::protocol::npm::inspect::inside::is_build_file;

/// Packages whose own documentation asks for `node -p "require('…')…"` in a build file, and which print a path then.
const PRINTING_PACKAGES: [&str; 3] = ["nan", "node-addon-api", "node-api-headers"];

/// Commands and code that reading `content` runs, the well-known ones left out; at most [`LIST_MAX`].
pub(super) fn commands(content: &[u8]) -> Vec<String> {
    let Ok(text) = str::from_utf8(content) else {
        return vec!["not UTF-8, so that nobody can say what it runs".to_owned()];
    };
    let mut found = Vec::new();
    let mut frames: Vec<Frame> = Vec::new();
    let mut tokens = Tokens { rest: text }.peekable();
    while let Some(token) = tokens.next() {
        if found.len() >= LIST_MAX {
            break;
        }
        match token {
            Token::Text(mut text) => {
                // Neighbours are one string.
                while let Some(Token::Text(next)) = tokens.next_if(|token| matches!(token, Token::Text(_))) {
                    text.push_str(&next);
                }
                found.extend(expansions(&text));
                match (frames.last_mut(), tokens.peek()) {
                    (Some(frame), Some(Token::Mark(':'))) => frame.key = text,
                    (Some(frame), _) => found.extend(foreign_file(&frame.key, &text)),
                    (None, _) => {}
                }
            }
            Token::Mark('{') => frames.push(Frame::default()),
            Token::Mark('[') => {
                let key = frames.last().map(|frame| frame.key.clone()).unwrap_or_default();
                frames.push(Frame { key });
            }
            Token::Mark('}' | ']') => {
                frames.pop();
            }
            Token::Mark(_) => {}
            Token::Code(code) => {
                found.push(format!("code that is no literal: {code}"));
                break;
            }
        }
    }
    found.truncate(LIST_MAX);
    found
}

/// An open object or list.
#[derive(Default)]
struct Frame {
    /// The key whose value is being read; a list has the key it is the value of.
    key: String,
}

enum Token {
    /// A string, unescaped.
    Text(String),
    Mark(char),
    /// Anything else than a literal, a comment or a mark.
    Code(String),
}

struct Tokens<'t> {
    rest: &'t str,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next()? {
                '#' => self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest),
                quote @ ('\'' | '"') => return Some(self.text(quote)),
                mark @ ('{' | '}' | '[' | ']' | ',' | ':') => {
                    self.rest = self.rest.strip_prefix(mark).unwrap_or_default();
                    return Some(Token::Mark(mark));
                }
                _ => match self.word() {
                    Some(code) => return Some(code),
                    None => continue,
                },
            }
        }
    }
}

impl Tokens<'_> {
    /// Passes over a number or a constant; anything else is code.
    fn word(&mut self) -> Option<Token> {
        let end = self.rest.find(|c: char| c.is_whitespace() || "{}[],:#'\"".contains(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let number = word.strip_prefix(['-', '+']).unwrap_or(word);
        let number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if number || matches!(word, "True" | "False" | "None") {
            self.rest = rest;
            return None;
        }
        Some(Token::Code(self.rest.lines().next().unwrap_or_default().to_owned()))
    }

    fn text(&mut self, quote: char) -> Token {
        let triple: String = [quote; 3].iter().collect();
        let one = quote.to_string();
        let end = if self.rest.starts_with(&triple) { triple.as_str() } else { one.as_str() };
        let mut text = String::new();
        let mut rest = self.rest.strip_prefix(end).unwrap_or_default();
        loop {
            if let Some(after) = rest.strip_prefix(end) {
                self.rest = after;
                return Token::Text(text);
            }
            let mut chars = rest.chars();
            match chars.next() {
                Some('\\') => match chars.next() {
                    Some('\n') => {}
                    Some(c @ ('\\' | '\'' | '"')) => text.push(c),
                    Some('n' | 't' | 'r' | 'a' | 'b' | 'f' | 'v') => text.push(' '),
                    // A character by its number: nobody writes `<` so, unless to hide it.
                    Some('x' | 'u' | 'U' | 'N' | '0'..='7') => {
                        return Token::Code(format!("an escape in {}", rest.lines().next().unwrap_or_default()));
                    }
                    Some(c) => text.extend(['\\', c]),
                    None => return Token::Code("a string without end".to_owned()),
                },
                Some(c) => text.push(c),
                None => return Token::Code("a string without end".to_owned()),
            }
            rest = chars.as_str();
        }
    }
}

/// Whether a string, joined to others by gyp's variables, can give a command its exclamation mark: that stands between a
/// bracket and a parenthesis, or where another string may supply them.
fn is_piece(text: &str) -> bool {
    text.match_indices('!').any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        let opens = before.is_empty() || before.ends_with(')');
        let after = after.strip_prefix('@').unwrap_or(after);
        opens && (after.is_empty() || after.starts_with(['(', '<', '>', '^']))
    })
}

/// The commands in a string, and pieces that become one when they are put together.
fn expansions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '^'])
        && found.len() < LIST_MAX
    {
        let (_, here) = rest.split_at(at);
        let after = here.get(1..).unwrap_or_default();
        if let Some(command) = after.strip_prefix('!') {
            let (command, left) = argument(command);
            if !is_well_known(command) {
                found.push(command.trim().to_owned());
            }
            rest = left;
        } else {
            rest = after;
        }
    }
    if is_piece(text) {
        found.push(format!("a piece of a command in {text}"));
    }
    found
}

/// What stands in the parentheses, and what follows them. `text` starts behind the exclamation mark; a word before the
/// parentheses names a function of Python's and is part of the command.
fn argument(text: &str) -> (&str, &str) {
    let plain = text.strip_prefix('@').unwrap_or(text);
    let mut depth = 0_usize;
    for (at, c) in plain.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth <= 1 => {
                let (command, rest) = plain.split_at(at);
                return (command.strip_prefix('(').unwrap_or(command), rest.get(1..).unwrap_or_default());
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    (plain.strip_prefix('(').unwrap_or(plain), "")
}

/// `node -p "require('node-addon-api').include"` and its like: they print a path that the package knows.
fn is_well_known(command: &str) -> bool {
    let Some(mut rest) = command.trim().strip_prefix("node ") else { return false };
    loop {
        rest = rest.trim_start();
        let Some(after) = ["-p ", "-e ", "-pe ", "--print ", "--eval ", "--no-warnings "].iter().find_map(|flag| rest.strip_prefix(flag))
        else {
            break;
        };
        rest = after;
    }
    let expression: String = rest.chars().filter(|c| !matches!(c, ' ' | '\\')).collect();
    let expression = match expression.chars().next() {
        Some(quote @ ('"' | '\'')) => expression.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote)),
        _ => Some(expression.as_str()),
    };
    let Some(inner) = expression.and_then(|expression| expression.strip_prefix("require(")) else { return false };
    let Some((name, member)) = inner.split_once(')') else { return false };
    let name = name.trim_matches(['\'', '"', '`']);
    let member = member.strip_suffix(';').unwrap_or(member);
    let plain_member =
        member.is_empty() || member.starts_with('.') && member.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
    PRINTING_PACKAGES.contains(&name) && plain_member
}

/// A file that is read as a build file though its name does not say so, and was not looked into.
fn foreign_file(key: &str, text: &str) -> Option<String> {
    let path = match key.trim_end_matches(['+', '?', '=', '!', '/', '%']) {
        "includes" => text,
        "dependencies" => text.rsplit_once(':').map(|(path, _)| path).filter(|path| !path.is_empty())?,
        _ => return None,
    };
    // A command prints the path; that it runs was noted.
    let known = is_build_file(path) || path.starts_with("<!");
    (!known).then(|| format!("reads {path} as a build file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &str, expected: &[&str]) {
        assert_eq!(commands(content.as_bytes()), expected);
    }

    #[test]
    fn plain_files_run_nothing() {
        check(
            r#"# <!(comment)
            { 'targets': [ { "target_name": "a", 'sources': [ 'a.cc', ], 'n': -1, 'win': True,
              'conditions': [ ['OS=="win" and v<10 or v>="2"', { 'defines': [ 'X=\\"y\\"' ] }] ],
              'include_dirs': [ '<(module_root_dir)/include', '<@(list)', '>(late)' ], 'includes': [ 'common.gypi' ],
              'dependencies': [ 'b', 'deps/c.gyp:c', '<(x)/d.gyp:*' ] } ] }"#,
            &[],
        );
    }

    #[test]
    fn well_known_commands_are_left_out() {
        for command in [
            r#"<!(node -e \"require('nan')\")"#,
            r#"<!@(node -p \"require('node-addon-api').include\")"#,
            r#"<!(node -p \"require('node-addon-api').gyp\"):nothing"#,
            r#"<!(node -p \"require(\\\"node-addon-api\\\").include_dir\")"#,
            r#"<!@(node --no-warnings -p \"require('node-addon-api').include_dir;\")"#,
            "<!(node -e 'require(`nan`)')",
        ] {
            check(&format!("{{'include_dirs': [\"{command}\"], 'dependencies': [\"{command}\"]}}"), &[]);
        }
    }

    #[test]
    fn commands_are_found_in_every_form() {
        check("{'a': ['<!(sh x)', '<!@(ls (a) b) c', '>!(late)', '^!@(latest)', 'x<!y']}", &["sh x", "ls (a) b", "late", "latest", "y"]);
        check("{'a': '<!pymod_do_main(x y)'}", &["pymod_do_main(x y"]);
        check("{'a': '<!(unclosed'}", &["unclosed"]);
        check(r#"{'<!(key)': 1}"#, &["key"]);
        for near in [
            r#"node -p \"require('node-addon-api');require('child_process').exec('x')\""#,
            r#"node -p \"require('./nan')\""#,
            r#"node -p \"require('nan')(x)\""#,
            r#"node x.js"#,
            r#"nodex -p \"require('nan')\""#,
            r#"node -p \"require('nan')\" && curl x"#,
            r#"node -r ./x -p \"require('nan')\""#,
        ] {
            assert!(!commands(format!("{{'a': \"<!({near})\"}}").as_bytes()).is_empty(), "{near}");
        }
    }

    #[test]
    fn hidden_commands_are_found() {
        check("{'a': '<' '!(x)'}", &["x"]);
        check("{'a': '''<!(x)'''}", &["x"]);
        check("{'a': '<\\\n!(x)'}", &["x"]);
        check(r"{'a': '\x3c!(x)'}", &[r"code that is no literal: an escape in \x3c!(x)'}"]);
        check("{'a': '<(lt)!(x)', 'variables': {'lt': '<'}}", &["a piece of a command in <(lt)!(x)"]);
        check("{'a': '<<(b)', 'variables': {'b': '!(x)'}}", &["a piece of a command in !(x)"]);
        check("{'a': '<(lt)<(mark)(x)', 'variables': {'lt': '<', 'mark': '!@'}}", &["a piece of a command in !@"]);
        check(
            "{'a': '<(lt)!<(rest)', 'b': ['sources!', 'a!=1', '<(x)!=1', 'hey!', '^', '!x']}",
            &["a piece of a command in <(lt)!<(rest)"],
        );
    }

    #[test]
    fn code_is_found() {
        check("{'a': ().__class__.__base__}", &["code that is no literal: ().__class__.__base__}"]);
        check("{'a': 'b' % x}", &["code that is no literal: % x}"]);
        check("[x for x in [1]]", &["code that is no literal: x for x in [1]]"]);
        check("{'a': f'x'}", &["code that is no literal: f'x'}"]);
        check("{'a': 'open", &["code that is no literal: a string without end"]);
        assert_eq!(commands(b"{'a': '\xff'}").len(), 1);
    }

    #[test]
    fn files_of_other_names_are_found() {
        check("{'includes': ['a.gypi', 'README.md']}", &["reads README.md as a build file"]);
        check("{'a': {'dependencies': ['x.txt:y', 'z', ':t']}, 'includes': []}", &["reads x.txt as a build file"]);
        check("{'includes+': ['<(file)']}", &["reads <(file) as a build file"]);
        check("{'sources': ['includes', 'x.txt:y']}", &[]);
    }

    #[test]
    fn the_list_is_bounded() {
        let many = format!("[{}]", "'<!(x)',".repeat(1_000));
        assert!(commands(many.as_bytes()).len() <= LIST_MAX);
        assert_eq!(commands("[".repeat(200_000).as_bytes()).len(), 0);
    }
}
