//! Tarballs: a manifest, a readme, and sources that compress about as well as people's do.

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Dice;
use super::WORDS;

/// The text of the release in the index, which the manifest inside agrees with.
pub const MANIFEST: &str = r#"{"name":"big","version":"1.0.0","description":"A big package","main":"./index.js","license":"MIT","dependencies":{"left-pad":"^1.3.0","express":"^4.18.0"},"engines":{"node":">=18"},"dist":{"tarball":"https://registry.example/big/-/big-1.0.0.tgz"}}"#;

/// A package of `files` files with `bytes` of sources in all, packed as npm packs.
pub fn packed(files: usize, bytes: usize) -> Vec<u8> {
    let mut dice = Dice::new(files as u64);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::new(6)));
    let mut add = |path: String, content: &str| {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(499_162_500);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    };
    add("package/package.json".to_owned(), MANIFEST);
    for file in 1..files {
        let folder = dice.word(&WORDS);
        // Sizes differ as they do: a few files hold most of it.
        let share = bytes / files / 2 + if file % 5 == 0 { bytes / files * 5 / 2 } else { 0 };
        add(format!("package/lib/{folder}/{}-{file}.js", dice.word(&WORDS)), &source(&mut dice, share));
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Something like JavaScript.
fn source(dice: &mut Dice, bytes: usize) -> String {
    let mut text = String::from("'use strict'\n\n");
    while text.len() < bytes {
        let (a, b, c, d) = (dice.word(&WORDS), dice.word(&WORDS), dice.word(&WORDS), dice.word(&WORDS));
        let n = dice.below(100);
        text += &match dice.below(9) {
            0 => format!("\n/**\n * The {a} of a {b}, and whether its {c} may {d} it.\n */\nfunction {a}{b} ({c}, {d}) {{\n"),
            1 => format!("  const {a} = {b}.{c}({d}, {n})\n"),
            2 => format!("  if ({a} === {b}.{c} || {d} < {n}) {{\n    return {c}\n  }}\n"),
            3 => format!("  for (let {a} = 0; {a} < {b}.length; {a}++) {{\n    {c}.{d}({b}[{a}])\n  }}\n"),
            4 => format!("  throw new TypeError('{a} {b} must be a {c}, not ' + typeof {d})\n"),
            5 => format!("module.exports.{a}{n} = {b}{c}\nexports.{d} = {a}\n"),
            6 => format!("  // {a} {b} before {c}: {d} is {n}\n"),
            7 => format!("  {a}.{b} = Object.assign({{}}, {c}, {{ {d}: {n} }})\n"),
            _ => format!("  return {a}.{b}({c} => {c}.{d}).filter(Boolean)\n}}\n"),
        };
    }
    text
}
