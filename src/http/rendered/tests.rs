//! Conditional requests, content codings, lengths, and where a body lies.

use axum::response::Response;
use http::HeaderMap;
use http_body_util::BodyExt;

use super::*;
use crate::model::digest::DocumentDigest;

const MANNER: Manner =
    Manner { content_type: "application/json", cache_control: "no-cache", last_modified: Some(Timestamp::from_millis(1_000_500)) };

fn key(form: &str) -> BodyKey<'_> {
    BodyKey { stamp: DocumentDigest::of(b"left-pad"), base: "http://localhost:4873", form, coding: Coding::Plain }
}

fn long() -> Bytes {
    Bytes::from("left-pad ".repeat(1_000))
}

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

/// What is sent of `plain` to this request.
fn get(plain: &Bytes, request: &[(&'static str, &str)]) -> Response {
    respond(plain, &headers(request))
}

fn respond(plain: &Bytes, request: &HeaderMap) -> Response {
    let key = BodyKey { coding: Coding::wanted(request), ..key("full") };
    Rendered::new(&key, &MANNER, plain.clone(), None).ready(false, request).into_response()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn body(response: Response) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_body_is_sent_plain_or_gzip_with_its_length() {
    let rendered = long();
    let plain = get(&rendered, &[]);
    assert_eq!((plain.status(), header(&plain, "content-encoding")), (StatusCode::OK, ""));
    assert_eq!(header(&plain, "content-length"), "9000");
    assert_eq!(header(&plain, "content-type"), "application/json");
    assert_eq!(header(&plain, "cache-control"), "no-cache");
    assert_eq!(header(&plain, "vary"), "accept, accept-encoding");
    assert_eq!(header(&plain, "last-modified"), "Thu, 01 Jan 1970 00:16:41 GMT", "rounded up");
    let packed = get(&rendered, &[("accept-encoding", "gzip")]);
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert_ne!(header(&packed, "etag"), header(&plain, "etag"));
    let length: usize = header(&packed, "content-length").parse().unwrap();
    let bytes = body(packed).await;
    assert_eq!(bytes.len(), length);
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*bytes), &mut unpacked).unwrap();
    assert_eq!((unpacked, body(plain).await), (long().to_vec(), long()));
}

#[test]
fn codings_are_chosen_as_asked() {
    let rendered = long();
    for (asked, expect) in [
        ("gzip", "gzip"),
        ("gzip,deflate", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("br, *", "gzip"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("", ""),
        ("br", ""),
        ("identity", ""),
        ("gzip;q=0", ""),
        ("gzip;q=0.000, *", ""),
        ("*;q=0", ""),
        ("identity;q=1, gzip;q=0.5", ""),
        ("gzip;q=nonsense", ""),
        ("gzip;q=7", ""),
        ("gzipped", ""),
    ] {
        assert_eq!(header(&get(&rendered, &[("accept-encoding", asked)]), "content-encoding"), expect, "{asked:?}");
    }
    let tiny = Bytes::from_static(b"{}");
    assert_eq!(header(&get(&tiny, &[("accept-encoding", "gzip")]), "content-encoding"), "");
}

#[test]
fn what_the_client_holds_is_not_sent_again() {
    let rendered = long();
    let plain = header(&get(&rendered, &[]), "etag").to_owned();
    let packed = header(&get(&rendered, &[("accept-encoding", "gzip")]), "etag").to_owned();
    let (listed, weak) = (format!("\"a\", {plain}, \"b\""), format!("W/{plain}"));
    let (before, exactly, after) = ("Thu, 01 Jan 1970 00:16:40 GMT", "Thu, 01 Jan 1970 00:16:41 GMT", "Friday, 02-Jan-70 00:00:00 GMT");
    let unquoted = plain.trim_matches('"').to_owned();
    for (request, expect) in [
        (vec![("if-none-match", plain.as_str())], 304),
        (vec![("if-none-match", weak.as_str())], 304),
        (vec![("if-none-match", listed.as_str())], 304),
        (vec![("if-none-match", "\"a\""), ("if-none-match", plain.as_str())], 304),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-none-match", packed.as_str())], 304),
        (vec![("if-none-match", plain.as_str()), ("accept-encoding", "gzip")], 304),
        (vec![("if-none-match", unquoted.as_str())], 200),
        (vec![("if-none-match", "\"other\"")], 200),
        (vec![("if-none-match", "")], 200),
        (vec![("if-none-match", "\"other\""), ("if-modified-since", after)], 200),
        (vec![("if-none-match", plain.as_str()), ("if-modified-since", before)], 304),
        (vec![("if-modified-since", before)], 200),
        (vec![("if-modified-since", exactly)], 304),
        (vec![("if-modified-since", after)], 304),
        (vec![("if-modified-since", "yesterday")], 200),
        (vec![("if-modified-since", after), ("if-modified-since", after)], 200),
    ] {
        let mut given = HeaderMap::new();
        for (name, value) in &request {
            given.append(*name, value.parse().unwrap());
        }
        let response = respond(&rendered, &given);
        assert_eq!(response.status(), expect, "{request:?}");
        assert_eq!(header(&response, "vary"), "accept, accept-encoding");
        assert!(!header(&response, "etag").is_empty());
    }
    let given = headers(&[("if-none-match", packed.as_str())]);
    assert_eq!(header(&respond(&rendered, &given), "etag"), packed, "a 304 names what the client holds");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let rendered = Rendered::new(&key("full"), &MANNER, long(), None);
    let response = rendered.ready(true, &HeaderMap::new()).into_response();
    assert_eq!(header(&response, "content-length"), "9000");
    assert!(body(response).await.is_empty());
}

#[test]
fn a_tag_tells_forms_bases_and_contents_apart() {
    let of = |stamp: &[u8], base: &str, form: &str, content: &'static [u8]| {
        let key = BodyKey { stamp: DocumentDigest::of(stamp), base, form, coding: Coding::Plain };
        let rendered = Rendered::new(&key, &MANNER, Bytes::from_static(content), None);
        header(&rendered.ready(false, &HeaderMap::new()).into_response(), "etag").to_owned()
    };
    let tag = |base: &str, form: &str, content| of(b"x", base, form, content);
    let all = [
        of(b"y", "http://a", "full", b"{}"),
        tag("http://a", "full", b"{}"),
        tag("http://a", "abbreviated", b"{}"),
        tag("http://b", "full", b"{}"),
        tag("http://a", "full", b"[]"),
    ];
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(tag("http://a", "full", b"{}"), all[1]);
}

#[test]
fn a_body_takes_no_more_room_than_it_has_bytes() {
    let mut text = Vec::with_capacity(100_000);
    text.extend_from_slice(b"{}");
    let body = snug(text);
    assert_eq!(Vec::from(body).capacity(), 2);
    let packed = gzip(&vec![b'x'; 100_000]).unwrap();
    let bytes = packed.len();
    assert_eq!(Vec::from(packed).capacity(), bytes);
}

#[tokio::test]
async fn a_body_is_the_same_wherever_it_lies() {
    let arena = Arena::new().unwrap();
    for length in [15_000, 17_000, 150_000, 170_000] {
        let plain: Bytes = (0..length).map(|number: u32| number.to_le_bytes()[0]).collect();
        let copied = Rendered::new(&key("full"), &MANNER, plain.clone(), None);
        let kept = Rendered::new(&key("full"), &MANNER, plain.clone(), Some(&arena));
        let lies_in_arena = matches!(kept.0.body, Kept::Arena(_));
        assert_eq!(lies_in_arena, SENT_BY_SYSTEM.contains(&plain.len()), "{length}");
        let (copied, kept) = (copied.ready(false, &HeaderMap::new()), kept.ready(false, &HeaderMap::new()));
        assert_eq!(copied.fields, kept.fields);
        // It is held by the answer alone by now.
        let read = body(kept.into_response()).await;
        assert!(read == plain && body(copied.into_response()).await == plain, "{length}");
    }
}
