//! What is written back against what was shown, of a package with one release that is withheld.

use serde_json::json;

use super::*;
use crate::protocol::npm::render::Form;
use crate::protocol::npm::render::packument;
use crate::protocol::npm::sample::BASE;
use crate::protocol::npm::sample::Release;
use crate::protocol::npm::sample::document;
use crate::protocol::npm::sample::exposed;

const NAME: &str = "@acme/web";

fn view() -> Exposed {
    let releases = [Release::listed("1.0.0"), Release::listed("1.1.0"), Release { listed: false, ..Release::listed("1.2.0") }];
    let head = r#""maintainers":[{"name":"maria","email":""},{"name":"ann"}],"users":{"maria":true,"bob":true},"#;
    exposed(NAME, &document(NAME, &releases, head), &releases)
}

/// What a client was shown and `edit`s.
fn written(form: Form, edit: impl Fn(&mut Value)) -> Map<String, Value> {
    let mut shown: Value = serde_json::from_slice(&packument(&view(), BASE, form).unwrap()).unwrap();
    edit(&mut shown);
    shown.as_object().unwrap().clone()
}

fn wished(reach: Reach, edit: impl Fn(&mut Value)) -> Result<Vec<Wish>, NotADifference> {
    difference(&view(), &written(Form::Full, edit), "maria", reach)
}

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn deprecate(version: &str, text: &str) -> Wish {
    Wish::Deprecate { version: v(version), text: Some(text.to_owned()) }
}

#[test]
fn what_is_written_back_as_it_was_wishes_nothing() {
    for reach in [Reach::Plain, Reach::Whole] {
        for form in [Form::Full, Form::Abbreviated] {
            assert_eq!(difference(&view(), &written(form, |_| ()), "maria", reach), Ok(vec![]), "{reach:?} {form:?}");
        }
        assert_eq!(difference(&view(), &Map::new(), "maria", reach), Ok(vec![]));
    }
}

#[test]
fn a_deprecation_is_all_that_is_written_of_a_version() {
    let old = |body: &mut Value| body["versions"]["1.0.0"]["deprecated"] = json!("old");
    assert_eq!(wished(Reach::Plain, old), Ok(vec![deprecate("1.0.0", "old")]));
    let steering = |body: &mut Value| body["versions"]["1.0.0"]["deprecated"] = json!("use\n2\u{1b}[2J");
    assert_eq!(wished(Reach::Plain, steering), Ok(vec![deprecate("1.0.0", "use\n2\u{fffd}[2J")]));
    assert_eq!(wished(Reach::Plain, |body| body["versions"]["1.0.0"]["deprecated"] = json!("")), Ok(vec![]));
    let moved = |body: &mut Value| body["versions"]["1.0.0"]["dist"]["tarball"] = json!("https://other.example/x.tgz");
    assert_eq!(wished(Reach::Plain, moved), Ok(vec![]), "where a file lies is told each client anew");
    let attested = |url: &str| json!({"url": url, "provenance": {"predicateType": "x"}});
    assert!(is_same_dist(
        &json!({"a": 1, "attestations": attested("-/x")}),
        &json!({"a": 1, "attestations": attested("https://gate.example/-/x")})
    ));
    for other in [json!({"url": "-/x"}), json!(null), json!({"url": "-/x", "provenance": {"predicateType": "y"}})] {
        assert!(!is_same_dist(&json!({"attestations": attested("-/x")}), &json!({"attestations": other})), "{other}");
    }
    for (key, value) in
        [("scripts", json!({"postinstall": "evil"})), ("version", json!("9.0.0")), ("cpu", json!(["x64"])), ("dist", json!(7))]
    {
        let changed = wished(Reach::Plain, |body| body["versions"]["1.0.0"][key] = value.clone());
        assert_eq!(changed, Err(NotADifference::Changed { version: "1.0.0".into(), key: key.into() }));
    }
    let other_bytes = wished(Reach::Whole, |body| body["versions"]["1.0.0"]["dist"]["shasum"] = json!("00"));
    assert_eq!(other_bytes, Err(NotADifference::Changed { version: "1.0.0".into(), key: "dist".into() }));
    let shape = wished(Reach::Plain, |body| body["versions"]["1.0.0"]["deprecated"] = json!(7));
    assert_eq!(shape, Err(NotADifference::Shape("deprecated")));
}

#[test]
fn nothing_is_added_and_what_was_not_shown_is_not_spoken_of() {
    for version in ["1.2.0", "3.0.0", "no version", "__proto__"] {
        let added = wished(Reach::Whole, |body| body["versions"][version] = json!({"name": NAME, "version": version}));
        assert_eq!(added, Err(NotADifference::Addition(version.into())));
    }
    // The withheld 1.2.0 is in none of these.
    let all_gone = wished(Reach::Whole, |body| body["versions"] = json!({}));
    assert_eq!(all_gone, Ok(vec![Wish::Withdraw { versions: vec![v("1.0.0"), v("1.1.0")] }]));
    assert_eq!(wished(Reach::Plain, |body| body["versions"] = json!({})), Ok(vec![]), "a plain write takes nothing away");
}

#[test]
fn a_version_goes_and_its_tags_are_left_to_us() {
    let gone = wished(Reach::Whole, |body| {
        body["versions"].as_object_mut().unwrap().remove("1.1.0");
        body["dist-tags"]["latest"] = json!("1.0.0");
    });
    assert_eq!(gone, Ok(vec![Wish::Withdraw { versions: vec![v("1.1.0")] }]));
    let moved = wished(Reach::Whole, |body| {
        body["dist-tags"]["latest"] = json!("1.0.0");
        body["dist-tags"]["next"] = json!("1.1.0");
    });
    let tag = |tag: &str, version: &str| Wish::Tag { tag: tag.into(), version: v(version) };
    assert_eq!(moved, Ok(vec![tag("latest", "1.0.0"), tag("next", "1.1.0")]));
    let dropped = |body: &mut Value| body["dist-tags"] = json!({});
    assert_eq!(wished(Reach::Whole, dropped), Ok(vec![Wish::Untag { tag: "latest".into() }]));
    assert_eq!(wished(Reach::Plain, dropped), Ok(vec![]));
    assert_eq!(wished(Reach::Plain, |body| body["dist-tags"]["y"] = json!(1)), Err(NotADifference::Target("y".into())));
    for bad in ["1.x", "la\ntest", "", "__proto__"] {
        let tagged = wished(Reach::Plain, |body| body["dist-tags"][bad] = json!("1.0.0"));
        assert!(matches!(tagged, Err(NotADifference::Tag(_))), "{bad}: {tagged:?}");
    }
    let many = |body: &mut Value| body["dist-tags"] = (0..1_001).map(|at| (format!("tag{at}"), json!("1.0.0"))).collect();
    assert_eq!(wished(Reach::Whole, many), Err(NotADifference::Tag(NotATag::TooMany)));
}

#[test]
fn owners_come_and_go_and_nobody_stars_for_another() {
    let owners = |list: Value| wished(Reach::Whole, move |body| body["maintainers"] = list.clone());
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let changed = |added: &[&str], removed: &[&str]| Ok(vec![Wish::Owners { added: names(added), removed: names(removed) }]);
    assert_eq!(owners(json!([{"name": "maria"}, {"name": "ann"}, {"name": "otto", "email": "o@acme.example"}])), changed(&["otto"], &[]));
    assert_eq!(owners(json!([{"name": "maria"}, {"name": "otto"}])), changed(&["otto"], &["ann"]));
    assert_eq!(owners(json!([{"name": "ann", "email": "new@acme.example"}, {"name": "maria"}])), Ok(vec![]));
    assert_eq!(owners(json!([])), changed(&[], &["ann", "maria"]));
    assert_eq!(owners(json!(["maria"])), Err(NotADifference::Shape("maintainers")));
    let stars = |users: Value| difference(&view(), json!({"users": users}).as_object().unwrap(), "ann", Reach::Plain);
    assert_eq!(stars(json!({"ann": true})), Ok(vec![Wish::Star { on: true }]));
    assert_eq!(stars(json!({})), Ok(vec![]), "maria's and bob's stars are theirs");
    assert_eq!(wished(Reach::Plain, |body| body["users"] = json!({"bob": true})), Ok(vec![Wish::Star { on: false }]));
    assert_eq!(stars(json!([])), Err(NotADifference::Shape("users")));
}

#[test]
fn numbers_are_the_same_after_javascript_wrote_them() {
    for (shown, written, same) in
        [("1.0", "1", true), ("12345678901234567890", "12345678901234567000", true), ("1", "2", false), ("[1,2]", "[1]", false)]
    {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(is_same(&read(shown), &read(written)), same, "{shown} {written}");
    }
}
