//! Packuments: people, scripts, dependencies, signatures and a readme, as packages of many years have them.

use std::fmt::Write as _;

use data_encoding::BASE64;
use data_encoding::HEXLOWER;

use super::Dice;
use super::WORDS;

/// Most releases that are younger than the minimum age, and so withheld.
const HELD_MAX: usize = 12;

/// A packument of the package `big`: `releases` of them in about `bytes`.
pub fn document(releases: usize, bytes: usize) -> String {
    let mut dice = Dice::new(releases as u64);
    let listed = releases - HELD_MAX.min(releases / 10);
    let versions: Vec<String> = (0..releases).map(|n| format!("{}.{}.{}", n / 500, n / 20 % 25, n % 20)).collect();
    let readme = prose(&mut dice, 12_000.min(bytes / 10));
    let each = (bytes - readme.len()) / releases - 60;
    let mut text =
        format!(r#"{{"_id":"big","_rev":"812-0a1b","name":"big","dist-tags":{{"latest":"{}"}},"versions":{{"#, versions[listed - 1]);
    for (n, version) in versions.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        write!(text, r#"{comma}"{version}":{}"#, manifest(&mut dice, n, version, each)).unwrap();
    }
    text += r#"},"time":{"created":"2014-01-01T00:00:00.000Z","modified":"2026-11-19T00:00:00.000Z""#;
    for (n, version) in versions.iter().enumerate() {
        let day =
            if n < listed { format!("{}-{:02}-{:02}", 2014 + n * 12 / releases, n % 12 + 1, n % 28 + 1) } else { "2026-11-19".to_owned() };
        write!(text, r#","{version}":"{day}T{:02}:{:02}:11.{:03}Z""#, n % 24, n % 60, n % 1_000).unwrap();
    }
    write!(
        text,
        r#"}},"maintainers":{PEOPLE},"description":"A big package","license":"MIT","readme":"{readme}","readmeFilename":"README.md"}}"#
    )
    .unwrap();
    text
}

const PEOPLE: &str =
    r#"[{"name":"ann","email":"ann@mail.example"},{"name":"bob","email":"bob@mail.example"},{"name":"eve","email":"eve@mail.example"}]"#;

/// The manifest of the release `version`, which is the package's `at`th.
fn manifest(dice: &mut Dice, at: usize, version: &str, bytes: usize) -> String {
    let mut text = format!(r#"{{"name":"big","version":"{version}","description":"A big package","keywords":["big","package","sample"],"#);
    text += r#""homepage":"https://github.com/acme/big#readme","bugs":{"url":"https://github.com/acme/big/issues"},"#;
    text += r#""license":"MIT","author":{"name":"Ann","email":"ann@mail.example"},"main":"./dist/index.js","repository":{"type":"git","url":"git+https://github.com/acme/big.git"},"#;
    text +=
        r#""scripts":{"build":"tsc -p . && rollup -c","test":"jest --coverage","lint":"eslint 'src/**/*.ts'","prepare":"npm run build"},"#;
    write!(text, r#""_id":"big@{version}","_nodeVersion":"18.{}.1","_npmVersion":"9.{}.0","#, dice.below(20), dice.below(9)).unwrap();
    write!(text, r#""gitHead":"{}","#, HEXLOWER.encode(&noise::<20>(dice))).unwrap();
    text += r#""_npmUser":{"name":"ann","email":"ann@mail.example"},"maintainers":"#;
    text += PEOPLE;
    text += r#","dist":{"integrity":"sha512-"#;
    text += &BASE64.encode(&noise::<64>(dice));
    write!(text, r#"","shasum":"{}","tarball":"https://registry.example/big/-/big-{version}.tgz","#, HEXLOWER.encode(&noise::<20>(dice)))
        .unwrap();
    write!(text, r#""fileCount":{},"unpackedSize":{},"#, 100 + dice.below(90), 300_000 + dice.below(90_000)).unwrap();
    write!(
        text,
        r#""signatures":[{{"keyid":"SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA","sig":"{}"}}]}},"#,
        BASE64.encode(&noise::<71>(dice))
    )
    .unwrap();
    write!(
        text,
        r#""_npmOperationalInternal":{{"host":"s3://storage.example","tmp":"tmp/big_{version}_{}_0.{}"}},"_hasShrinkwrap":false,"engines":{{"node":">=18"}},"#,
        1_500_000_000_000 + dice.throw() % 300_000_000_000,
        dice.throw() % 10_000_000_000_000_000
    )
    .unwrap();
    text += r#""directories":{},"devDependencies":{"typescript":"^5.3.0","jest":"^29.7.0","eslint":"^8.57.0","rollup":"^4.9.0"},"dependencies":{"#;
    // As npm writes them: in order, and each wanted in the same version over many releases.
    let names = |number: usize| format!("@acme/{}-{}", WORDS[number / WORDS.len() % WORDS.len()], WORDS[number % WORDS.len()]);
    let dependencies: Vec<String> = (0..)
        .map(|number| format!(r#""{}":"^{}.{}.0","#, names(number * 7), number % 9, (at + number * 5) / 24 % 30))
        .take(bytes.saturating_sub(text.len()) / 35)
        .collect();
    text.extend(dependencies);
    text += r#""last":"1.0.0"}}"#;
    text
}

/// Text for people, with the escapes that it has in JSON.
fn prose(dice: &mut Dice, bytes: usize) -> String {
    let mut text = String::from("# big\\n\\n");
    while text.len() < bytes {
        for _ in 0..4 + dice.below(9) {
            text += dice.word(&WORDS);
            text.push(' ');
        }
        text += if dice.below(5) == 0 { "`\\\"quoted\\\"`.\\n\\n" } else { "and so on.\\n" };
    }
    text
}

fn noise<const N: usize>(dice: &mut Dice) -> [u8; N] {
    std::array::from_fn(|_| dice.throw().to_le_bytes()[5])
}
