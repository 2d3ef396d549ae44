//! What programs write is read as they mean it; the rest is refused with its line.

use super::*;
use crate::ecosystem::tree::Lines;
use crate::ecosystem::tree::json;

/// A tree as JSON, to be compared.
fn shown(node: &Node<'_>) -> serde_json::Value {
    match &node.value {
        Value::Text(text) => serde_json::Value::from(&**text),
        Value::Bare(text) => serde_json::from_str(text).unwrap(),
        Value::Map(pairs) => pairs.iter().map(|(key, value)| (key.text.to_string(), shown(value))).collect(),
        Value::List(elements) => elements.iter().map(shown).collect(),
        Value::Nothing => serde_json::Value::Null,
    }
}

#[track_caller]
fn check(text: &str, expect: &str) {
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        let documents = yaml(&text).unwrap();
        assert_eq!(documents.len(), 1);
        assert_eq!(shown(&documents[0]), shown(&json(expect).unwrap()), "{text}");
    }
}

#[track_caller]
fn refused(text: &str, expect: &str) {
    assert_eq!(yaml(text).unwrap_err().to_string(), expect, "{text}");
}

#[test]
fn maps_and_lists_by_indentation() {
    check(
        "a: 1\nb:\n  c: x y\n  d:\n    - 1\n    - 'it''s'\ne:\n- f\n- g: 1\n  h: 2\n-\n  i\nj:\n",
        r#"{"a":"1","b":{"c":"x y","d":["1","it's"]},"e":["f",{"g":"1","h":"2"},"i"],"j":null}"#,
    );
    check("# c\n\na:   1   # d\n# e\n  # f\nb#c: d#e\n", r#"{"a":"1","b#c":"d#e"}"#);
    check(
        "/a@1.0.0(b@2.0.0):\n  x: https://h.example:80/p#q\n\n'@a/b@1':\n  y: \"\\u0061\\n\\\"\"\n",
        r#"{"/a@1.0.0(b@2.0.0)":{"x":"https://h.example:80/p#q"},"@a/b@1":{"y":"a\n\""}}"#,
    );
    check("- - a\n  - b\n- c\n", r#"[["a","b"],"c"]"#);
    check("file:folder:\n  a: -1\n  b: ?x\n  c: :y\n", r#"{"file:folder":{"a":"-1","b":"?x","c":":y"}}"#);
    check("just a text", r#""just a text""#);
}

#[test]
fn brackets_over_one_line_and_over_several() {
    check(
        "r: {integrity: sha512-a+/=, tarball: http://h.example/x.tgz, b: [x, 'y, z'], c: {}, d: []}\ns: [a]\n",
        r#"{"r":{"integrity":"sha512-a+/=","tarball":"http://h.example/x.tgz","b":["x","y, z"],"c":{},"d":[]},"s":["a"]}"#,
    );
    check("r:\n  {\n    integrity: a,\n    tarball: b, # c\n  }\ns: 1\n", r#"{"r":{"integrity":"a","tarball":"b"},"s":"1"}"#);
    check("r: {\"a\":1, 'b' : 2}\n", r#"{"r":{"a":"1","b":"2"}}"#);
}

#[test]
fn long_keys_and_long_texts() {
    check("? 'a b'\n: c: 1\n? d\n: 2\ne: 3\n", r#"{"a b":{"c":"1"},"d":"2","e":"3"}"#);
    check("p:\n  ? a\n  : x: 1\n    y: 2\n", r#"{"p":{"a":{"x":"1","y":"2"}}}"#);
    check("d: |-\n  first\n   second: x\n\n  - third\ne: 1\n", r#"{"d":"first\n second: x\n\n- third","e":"1"}"#);
    check("a:\n  d: >-\n    first\n    second\n\n  e: 1\n", r#"{"a":{"d":"first\nsecond","e":"1"}}"#);
    check("d: |2\n    x\n   y\ne: 1\n", r#"{"d":"  x\n y","e":"1"}"#);
    check("d: |\ne: 1\n", r#"{"d":"","e":"1"}"#);
    check("d: one\n  two\n  three # c\ne:\n  four\n  five\n\n  six\n", r#"{"d":"one two three","e":"four five\nsix"}"#);
}

#[test]
fn documents_are_parted() {
    let documents = yaml("---\na: 1\n---\nb: 2\n...\n").unwrap();
    assert_eq!(documents.iter().map(shown).collect::<Vec<_>>(), [serde_json::json!({"a": "1"}), serde_json::json!({"b": "2"})]);
    assert_eq!(yaml("").unwrap().len(), 0);
    assert_eq!(yaml("# nothing\n").unwrap().len(), 0);
    assert!(yaml(&"---\na: 1\n".repeat(17)).unwrap_err().why.contains("documents"));
}

#[test]
fn values_know_where_they_stand() {
    let text = "a: 1\nb:\n  c: {d: 'x'}\n";
    let root = yaml(text).unwrap().remove(0);
    let d = root.get("b").unwrap().get("c").unwrap().get("d").unwrap();
    assert_eq!(&text[d.at()..d.at() + 3], "'x'");
    assert_eq!(Lines::new(text).of(d.at()), 3);
}

#[test]
fn what_is_read_differently_elsewhere_is_refused() {
    refused("a: 1\na: 2\n", "line 2: the key \"a\" stands twice");
    refused("a: &x 1\nb: *x\n", "line 1: anchors, aliases and tags are not read");
    refused("a: 1\nb: *x\n", "line 2: anchors, aliases and tags are not read");
    refused("a: !!binary x\n", "line 1: anchors, aliases and tags are not read");
    refused("&x a: 1\n", "line 1: anchors, aliases and tags are not read");
    refused("a: 1\n<<: {b: 1}\n", "line 2: merged keys are not read");
    refused("%YAML 1.1\n---\na: 1\n", "line 1: a value is missing, or begins with a sign that has a meaning of its own");
    refused("a:\n\tb: 1\n", "line 2: a tab where spaces belong");
    refused("a: \"x\n  y\"\n", "line 1: a quoted text does not end on its line");
    refused("a: \"\\x41\"\n", "line 1: a quoted text with an escape that is not read");
    refused("a: 1\n  b: 2\n", "line 2: indented as what belongs to the text above");
    refused("a:\n  b: 1\n c: 2\n", "line 3: indented deeper than the keys above it");
    refused("  a: 1\nb: 2\n", "line 2: this belongs to nothing above it");
    refused("a: 'x' y\n", "line 1: something follows a value on its line");
    refused("a: b: c\n", "line 1: something follows a value on its line");
    refused("a\nb: 1\n", "line 2: this belongs to nothing above it");
    refused("a: 1\nb\n", "line 2: neither a key with a colon, nor indented as what belongs to the key above");
    refused("a: [1, 2\n", "line 2: neither a comma nor the end of what is in brackets");
    refused("a: {b}\n", "line 1: a key without a colon");
    refused("a: {b: }\n", "line 1: a value is missing, or begins with a sign that has a meaning of its own");
    refused("a: \u{2028}\n", "line 1: a character that YAML does not allow, or that ends lines for some readers only");
    refused("a: \u{0}\n", "line 1: a character that YAML does not allow, or that ends lines for some readers only");
    refused("{---", "line 1: a key without a colon");
}

#[test]
fn hostile_texts_end_soon() {
    let n = 50_000;
    for text in [
        "[".repeat(n),
        format!("[{}]", "a,".repeat(5 * n)),
        format!("[{}]", "{a: [b]},".repeat(n)),
        format!("{{{}}}", (0..n).map(|key| format!("k{key}: 1, ")).collect::<String>()),
        "a: 1\n".repeat(n),
        "'a': 'b'\r\n".repeat(n),
        (0..n).map(|key| format!("k{key}:\n- 1\n")).collect(),
        "{a: ".repeat(n),
        "- ".repeat(n),
        "? ".repeat(n),
        ": ".repeat(n),
        "a: ".repeat(n),
        "'".repeat(n),
        "\"\\".repeat(n),
        "a:\n".repeat(n),
        (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        format!("a: |\n{}", " \n".repeat(n)),
        format!("a: x\n{}", "  y\n".repeat(n)),
        format!("a: x\n{}", "\n".repeat(n)),
        format!("a: >9{}", "\n".repeat(n)),
        "a: x #".repeat(n),
        "#\n".repeat(n),
        "--- \n".repeat(n),
        "\r".repeat(n),
        format!("- {}", "x".repeat(n)),
        "-\n".repeat(n),
    ] {
        // What it comes to does not matter. Were any of these more than proportional, this would take hours.
        let _ = yaml(&text);
    }
}

/// Every prefix and every text with one byte changed is read or refused: it neither panics nor goes on for ever.
#[test]
fn damaged_texts_are_read_or_refused() {
    let text = "lockfileVersion: '9.0'\nimporters:\n  .:\n    d:\n      '@a/b': {specifier: ^1, version: 1.0.0(c@1)}\npackages:\n  ? \"x\"\n  : - a\n    - b: |-\n        t\n\n  y@1: {}\n---\nz: >+2\n   q\n";
    assert_eq!(yaml(text).unwrap().len(), 2);
    for end in 0..text.len() {
        let _ = yaml(&text[..end]);
        for other in [" ", "\n", ":", "-", "'", "\"", "{", "]", "#", "|", "?", "\t", "é", ""] {
            let _ = yaml(&format!("{}{other}{}", &text[..end], &text[end + 1..]));
        }
    }
}
