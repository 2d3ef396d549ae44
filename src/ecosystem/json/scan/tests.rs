//! The walk accepts and refuses what serde does, and reads it alike.

use serde_json::value::RawValue;

use super::*;

fn scanned(text: &str) -> Option<&str> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value().ok()?;
    scanner.end().ok().map(|()| value.get())
}

#[track_caller]
fn as_serde(text: &str) {
    let expect = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
    assert_eq!(scanned(text), expect, "{text:?}");
}

const SAMPLE: &str = concat!(
    r#" {"a":[1,-2.5e+3,0,0.1E-9,true,false,null,{},[ ]],"b\n\u00e9\"":{"long enough for eight bytes":"ünïcödé \\ \u0041 end"},"#,
    "\n\t\"c\" : [ [ [ ] , { \"d\" : \"\" } ] ] , \"e\":\"0123456\",\"f\":\"01234567\",\"g\":\"\u{7f}\u{80}\"}\r\n "
);

#[test]
fn accepts_and_refuses_what_serde_does() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[]]",
        "{}{}",
        "01",
        "-",
        "-0",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "tru",
        "nul",
        "truefalse",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "\"\\ud800\"",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "[1 2]",
        "{\"a\":1]",
        "[1}",
        "\"a\tb\"",
        "\"12345678\u{1f}\"",
        "NaN",
        "\u{feff}1",
        "// x\n1",
        "[1]\0",
        "\u{a0}1",
        "{\"a\":1 \"b\":2}",
        SAMPLE,
    ] {
        as_serde(text);
    }
}

/// Every sample with one byte left out, doubled, or put in place of another.
#[test]
fn agrees_with_serde_however_a_text_is_damaged() {
    assert!(scanned(SAMPLE).is_some());
    for at in 0..SAMPLE.len() {
        for by in [
            b"".as_slice(),
            b"\"",
            b"\\",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"0",
            b".",
            b"e",
            b"-",
            b" ",
            b"\n",
            b"\x01",
            b"u",
            b"nul",
            b"\"\"",
        ] {
            for cut in 0..2 {
                let damaged = [&SAMPLE.as_bytes()[..at], by, &SAMPLE.as_bytes()[at + cut..]].concat();
                if let Ok(damaged) = std::str::from_utf8(&damaged) {
                    as_serde(damaged);
                }
            }
        }
    }
}

#[test]
fn a_fault_says_where() {
    let fault = |text| Scanner::new(text).value().unwrap_err().to_string();
    assert_eq!(fault("{\"a\":\n [1,]}"), "not JSON: expected a value at line 2 column 5");
    assert_eq!(fault("{\"a\" 1}"), "not JSON: expected a colon at line 1 column 6");
}

#[test]
fn depth_is_counted_outside_strings() {
    for (text, depth) in
        [(r#"{}"#, 1), (r#"{"a":[{"b":[]}],"c":[[],[],{}]}"#, 4), (r#"{"a":"[[[[","b":"\"[[","\\":[]}"#, 2), ("1", 0), (r#"["\\",[]]"#, 2)]
    {
        let mut scanner = Scanner::new(text);
        scanner.value().unwrap();
        assert_eq!((scanner.take_depth(), scanner.take_depth()), (depth, 0), "{text}");
    }
}

#[test]
fn every_end_of_a_plain_run_is_found() {
    for length in 0..40 {
        for stop in ["\"", "\\", "\u{1f}", "\0", "\n"] {
            for plain in ["a", "!", "\u{7f}", "#", "]", "["] {
                let text = format!("{}{stop}{}", plain.repeat(length), "\"".repeat(9));
                assert_eq!(plain_end(text.as_bytes(), 0), length, "{text:?}");
            }
        }
        assert_eq!(plain_end("é".repeat(length).as_bytes(), 0), length * 2);
    }
}
