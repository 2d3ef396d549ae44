//! An archive as npm packs it: gzip over ustar, everything below `package/`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

const BLOCK: usize = 512;
/// 1985-10-26T08:15:00Z, which npm gives every file.
const MTIME: u64 = 499_162_500;

/// `hostile_path`: of one more file, written as it stands.
pub(super) fn archive(files: &[(&str, Vec<u8>)], hostile_path: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, content) in files {
        add(&mut out, &format!("package/{path}"), content);
    }
    if let Some(path) = hostile_path {
        add(&mut out, path, b"1");
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(&out);
    encoder.finish().unwrap_or_default()
}

/// Source: POSIX.1-1988, ustar.
fn add(out: &mut Vec<u8>, path: &str, content: &[u8]) {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(field) = header.get_mut(at..at + text.len()) {
            field.copy_from_slice(text);
        }
    };
    put(0, path.as_bytes().get(..path.len().min(100)).unwrap_or_default());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, format!("{MTIME:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(field) = header.get_mut(148..156) {
        field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    out.extend_from_slice(&header);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}
