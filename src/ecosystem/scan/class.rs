//! What a file is for, by its name and its first bytes: which rules speak about it depends on that.

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A program of the ecosystem's own language. A name that says nothing counts as that, since a loader may take it for it.
    Code,
    /// A program for a shell or another interpreter.
    Script,
    /// A package's manifest, which names programs.
    Manifest,
    /// What building reads.
    Build,
    /// Text in which a browser finds programs.
    Markup,
    Data,
    /// Written for people.
    Prose,
    Binary,
}

impl Class {
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Whether capabilities and hosts are read from it.
    pub const fn is_program(self) -> bool {
        Classes::PROGRAMS.has(self)
    }
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Classes(u8);

impl Classes {
    const fn of(classes: &[Class]) -> Classes {
        let mut bits = 0;
        let mut rest = classes;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Classes(bits)
    }

    /// What an interpreter runs.
    pub const PROGRAMS: Classes = Classes::of(&[Class::Code, Class::Script, Class::Markup]);
    /// Code and scripts, where a mention is meant.
    pub const CODE: Classes = Classes::of(&[Class::Code, Class::Script]);
    /// Wherever a command may stand that is run. Of a manifest only some are, which are looked at by themselves.
    pub const COMMANDS: Classes = Classes::of(&[Class::Code, Class::Script, Class::Build, Class::Markup]);
    /// Text of every kind, except that for people.
    pub const TEXT: Classes = Classes::of(&[Class::Code, Class::Script, Class::Manifest, Class::Build, Class::Markup, Class::Data]);
    /// As well what is no text, such as an image with code behind it.
    pub const ANY: Classes =
        Classes::of(&[Class::Code, Class::Script, Class::Manifest, Class::Build, Class::Markup, Class::Data, Class::Prose, Class::Binary]);

    pub const fn has(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }
}

/// How much of a file's beginning is looked at.
const HEAD_BYTES: usize = 1_024;

const CODE: [&str; 12] = ["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "es6", "coffee", "vue", "svelte"];
const SCRIPTS: [&str; 24] = [
    "sh",
    "bash",
    "zsh",
    "fish",
    "ksh",
    "csh",
    "ps1",
    "psm1",
    "psd1",
    "bat",
    "cmd",
    "vbs",
    "vbe",
    "wsf",
    "hta",
    "py",
    "pyw",
    "rb",
    "pl",
    "pm",
    "php",
    "lua",
    "applescript",
    "command",
];
const BUILD: [&str; 26] = [
    "gyp", "gypi", "mk", "cmake", "gradle", "podspec", "make", "ninja", "c", "h", "cc", "cpp", "cxx", "hpp", "hh", "m", "mm", "s", "rs",
    "go", "java", "kt", "swift", "cs", "asm", "in",
];
const MARKUP: [&str; 7] = ["html", "htm", "xhtml", "svg", "ejs", "hbs", "astro"];
const PROSE: [&str; 9] = ["md", "markdown", "mdown", "mdx", "txt", "rst", "adoc", "textile", "org"];
const DATA: [&str; 76] = [
    "json",
    "json5",
    "jsonc",
    "map",
    "yml",
    "yaml",
    "toml",
    "ini",
    "cfg",
    "conf",
    "lock",
    "csv",
    "tsv",
    "css",
    "scss",
    "sass",
    "less",
    "styl",
    "flow",
    "snap",
    "po",
    "pot",
    "properties",
    "proto",
    "graphql",
    "gql",
    "sql",
    "xml",
    "xsd",
    "xsl",
    "plist",
    "log",
    "pem",
    "crt",
    "key",
    "patch",
    "diff",
    "tsbuildinfo",
    "tmlanguage",
    "wat",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "avif",
    "ico",
    "bmp",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "mp3",
    "mp4",
    "webm",
    "ogg",
    "wav",
    "pdf",
    "dat",
    "bin",
    "gz",
    "zip",
    "br",
    "tgz",
    "icns",
    "glb",
    "wasm",
    "editorconfig",
    "gitignore",
    "npmignore",
    "gitattributes",
    "eslintrc",
    "prettierrc",
    "babelrc",
    "nycrc",
];
/// Names without an extension that are written for people.
const PAPERS: [&str; 19] = [
    "license",
    "licence",
    "copying",
    "notice",
    "readme",
    "changelog",
    "changes",
    "history",
    "authors",
    "contributors",
    "contributing",
    "security",
    "code_of_conduct",
    "patents",
    "copyright",
    "todo",
    "thanks",
    "unlicense",
    "release_notes",
];
/// Names without an extension that building reads.
const BUILD_NAMES: [&str; 5] = ["makefile", "gnumakefile", "cmakelists.txt", "dockerfile", "rakefile"];

/// The class of the file at `path` that begins with `head`.
pub fn class(path: &str, head: &[u8]) -> Class {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    if name == "package.json" {
        return Class::Manifest;
    }
    if BUILD_NAMES.contains(&name.as_str()) {
        return Class::Build;
    }
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name.as_str(), ""));
    let is = |list: &[&str]| list.contains(&extension);
    let declares = matches!(extension, "ts" | "mts" | "cts") && stem.ends_with(".d");
    match extension {
        _ if declares => Class::Data,
        // A zero byte in a file of this name is no excuse: interpreters read on.
        _ if is(&CODE) => Class::Code,
        _ if is(&SCRIPTS) => Class::Script,
        _ if is(&BUILD) => Class::Build,
        _ if is(&MARKUP) => Class::Markup,
        _ if head.starts_with(b"#!") => shebang(head),
        _ if memchr::memchr(0, head).is_some() => Class::Binary,
        _ if is(&PROSE) || is_manual(extension) => Class::Prose,
        _ if is(&DATA) => Class::Data,
        _ if PAPERS.iter().any(|paper| stem == *paper || name == *paper || name.starts_with(&format!("{paper}-"))) => Class::Prose,
        _ => Class::Code,
    }
}

/// `npm.1`
fn is_manual(extension: &str) -> bool {
    extension.len() == 1 && extension.bytes().all(|b| b.is_ascii_digit())
}

fn shebang(head: &[u8]) -> Class {
    let line = head.split(|b| *b == b'\n').next().unwrap_or(head);
    let runs = |name: &[u8]| memchr::memmem::find(line, name).is_some();
    if [b"node".as_slice(), b"bun", b"deno", b"tsx"].into_iter().any(runs) { Class::Code } else { Class::Script }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_name_or_its_first_bytes_say() {
        for (path, head, expect) in [
            ("index.js", "x", Class::Code),
            ("index.js", "\0x", Class::Code),
            ("lib/index.d.ts", "x", Class::Data),
            ("lib/index.ts", "x", Class::Code),
            ("bin/run", "#!/usr/bin/env node\n", Class::Code),
            ("bin/run", "#!/bin/sh\nnode x", Class::Script),
            ("bin/run", "\x7fELF\0\0", Class::Binary),
            ("payload.xyz", "x", Class::Code),
            ("payload", "x", Class::Code),
            ("README", "x", Class::Prose),
            ("LICENSE-MIT", "x", Class::Prose),
            ("docs/a.md", "x", Class::Prose),
            ("docs/a.md", "#!/bin/sh\n", Class::Script),
            ("a/package.json", "{", Class::Manifest),
            ("a.json", "{", Class::Data),
            ("man/npm.1", "x", Class::Prose),
            ("src/a.c", "x", Class::Build),
            ("logo.PNG", "\u{89}PNG", Class::Data),
            ("logo.png", "\u{89}PNG\0", Class::Binary),
            ("binding.gyp", "{", Class::Build),
            ("Makefile", "x", Class::Build),
            ("index.html", "x", Class::Markup),
        ] {
            assert_eq!(class(path, head.as_bytes()), expect, "{path}");
        }
    }
}
