//! JSON written piece by piece, so that text which is kept byte for byte can stand between.

/// A comma where one belongs, the key and its colon; `start` is where the object's first pair is written.
pub fn write_key(out: &mut Vec<u8>, key: &str, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
    write_text(out, key);
    out.push(b':');
}

/// `text` as a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    let before = out.len();
    // Writing text into memory does not fail; if it ever did, an empty string is still JSON.
    if serde_json::to_writer(&mut *out, text).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"\"\"");
    }
}
