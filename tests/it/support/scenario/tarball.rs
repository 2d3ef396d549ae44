//! A package's archive as npm packs it: gzip over ustar, everything below `package/`, the same bytes on every run.

use std::collections::BTreeMap;
use std::io::Write;

use airlock::model::digest::Digest;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha1::Digest as _;
use sha1::Sha1;

#[derive(Clone, Debug)]
pub struct Tarball {
    pub bytes: Bytes,
    /// `sha512-<base64>` of `bytes`.
    pub integrity: String,
    /// SHA-1 of `bytes` in hexadecimal.
    pub shasum: String,
    pub files: usize,
    pub unpacked_bytes: usize,
}

#[derive(Clone, Debug)]
pub struct File {
    pub body: Bytes,
    pub mode: u32,
}

impl File {
    pub fn text(text: &str) -> File {
        File { body: Bytes::copy_from_slice(text.as_bytes()), mode: 0o644 }
    }
}

impl Tarball {
    /// 1985-10-26T08:15:00Z, the time that npm gives every file.
    const MTIME: u64 = 499_162_500;

    pub fn of(bytes: Bytes, files: usize, unpacked_bytes: usize) -> Tarball {
        let integrity = Digest::of(&bytes).sri();
        Tarball { integrity, shasum: HEXLOWER.encode(&Sha1::digest(&bytes)), bytes, files, unpacked_bytes }
    }

    pub fn build(package_json: &Value, files: &BTreeMap<String, File>) -> Tarball {
        let manifest = File::text(&format!("{}\n", serde_json::to_string_pretty(package_json).unwrap()));
        let all = || std::iter::once(("package.json", &manifest)).chain(files.iter().map(|(path, file)| (path.as_str(), file)));
        let mut archive = tar::Builder::new(Vec::new());
        for (path, file) in all() {
            let mut header = tar::Header::new_ustar();
            header.set_size(file.body.len() as u64);
            header.set_mode(file.mode);
            header.set_mtime(Tarball::MTIME);
            archive.append_data(&mut header, format!("package/{path}"), &file.body[..]).unwrap();
        }
        let unpacked_bytes = all().map(|(_, file)| file.body.len()).sum();
        Tarball::of(gzip(&archive.into_inner().unwrap()), files.len() + 1, unpacked_bytes)
    }
}

pub fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    Bytes::from(encoder.finish().unwrap())
}
