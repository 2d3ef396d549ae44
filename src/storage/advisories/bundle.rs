//! Records as they are brought: a zip of JSON files, or JSON lines. Read one after the other, each within bounds; what cannot be read
//! is told by its name and passed over.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::path::Path;

use flate2::read::DeflateDecoder;
use rawzip::CompressionMethod;
use rawzip::RECOMMENDED_BUFFER_SIZE;
use rawzip::ReaderAt;
use rawzip::ZipArchive;
use rawzip::ZipEntry;

use crate::model::finding::printable;
use crate::storage::advisories::table::ADVISORIES_MAX;
use crate::storage::advisories::table::TableFault;

/// As it is brought.
pub const BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;
/// Of all records together, unpacked.
const UNPACKED_BYTES_MAX: u64 = 8 * 1_024 * 1_024 * 1_024;
const PATH_BYTES_MAX: usize = 200;

/// Why nothing of it counts.
#[derive(Debug, thiserror::Error)]
pub enum BundleFault {
    #[error("it is neither a zip nor JSON lines that can be read: {0}")]
    Unreadable(String),
    #[error("it has more than {ADVISORIES_MAX} records, or unpacks to more than {UNPACKED_BYTES_MAX} bytes")]
    TooLarge,
    #[error(transparent)]
    Kept(#[from] TableFault),
}

/// What one record comes to: its bytes, or why they could not be had.
pub type Brought<'r> = Result<&'r [u8], String>;

/// Calls `visit` for each record with the name it goes by. `record_bytes_max`: a larger one is not read.
pub fn read(
    path: &Path,
    record_bytes_max: usize,
    visit: &mut dyn FnMut(&str, Brought<'_>) -> Result<(), TableFault>,
) -> Result<(), BundleFault> {
    let unreadable = |error: io::Error| BundleFault::Unreadable(error.to_string());
    let mut file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    (&mut file).take(2).read_to_end(&mut head).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    if head == b"PK" { zip(file, record_bytes_max, visit) } else { lines(file, record_bytes_max, visit) }
}

fn zip(file: File, record_bytes_max: usize, visit: &mut dyn FnMut(&str, Brought<'_>) -> Result<(), TableFault>) -> Result<(), BundleFault> {
    let damaged = |error: rawzip::Error| BundleFault::Unreadable(format!("the zip is damaged: {error}"));
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(damaged)?;
    let promised = archive.entries_hint();
    let mut budget = Budget::default();
    let mut bytes = Vec::new();
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        budget.one()?;
        let path = entry.file_path();
        let is_record = !entry.is_dir() && path.as_ref().ends_with(b".json");
        let name = printable(&String::from_utf8_lossy(path.as_ref()), PATH_BYTES_MAX);
        if !is_record {
            continue;
        }
        let (place, method) = (entry.wayfinder(), entry.compression_method());
        bytes.clear();
        let unpacked = archive
            .get_entry(place)
            .map_err(|error| error.to_string())
            .and_then(|entry| unpack(&entry, method, record_bytes_max, &mut bytes).map_err(|error| error.to_string()));
        budget.spend(bytes.len())?;
        visit(&name, unpacked.map(|()| &bytes[..]))?;
    }
    if budget.records != promised {
        return Err(BundleFault::Unreadable(format!(
            "the zip is damaged: it says that it has {promised} entries, and has {}",
            budget.records
        )));
    }
    Ok(())
}

/// Whole, and as its checksum says, or not at all.
fn unpack<R: ReaderAt>(entry: &ZipEntry<'_, R>, method: CompressionMethod, bytes_max: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let reader = entry.reader();
    let most = bytes_max as u64 + 1;
    let read = if method == CompressionMethod::DEFLATE {
        entry.verifying_reader(DeflateDecoder::new(reader)).take(most).read_to_end(bytes)?
    } else if method == CompressionMethod::STORE {
        entry.verifying_reader(reader).take(most).read_to_end(bytes)?
    } else {
        return Err(io::Error::other("it is packed in another way than by deflate"));
    };
    if read > bytes_max {
        return Err(io::Error::other(format!("it is larger than {bytes_max} bytes")));
    }
    Ok(())
}

/// Each line is a record, which goes by its number. A line that is too long ends it all: where the next begins would be a guess.
fn lines(
    file: File,
    record_bytes_max: usize,
    visit: &mut dyn FnMut(&str, Brought<'_>) -> Result<(), TableFault>,
) -> Result<(), BundleFault> {
    let mut budget = Budget::default();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = record_bytes_max as u64 + 1;
        let read = (&mut reader).take(most).read_until(b'\n', &mut line).map_err(|error| BundleFault::Unreadable(error.to_string()))?;
        if read == 0 {
            return Ok(());
        }
        budget.one()?;
        budget.spend(read)?;
        let name = format!("line {}", budget.records);
        if read > record_bytes_max {
            return Err(BundleFault::Unreadable(format!("{name} is longer than {record_bytes_max} bytes")));
        }
        if !line.trim_ascii().is_empty() {
            visit(&name, Ok(line.trim_ascii()))?;
        }
    }
}

#[derive(Default)]
struct Budget {
    records: u64,
    bytes: u64,
}

impl Budget {
    fn one(&mut self) -> Result<(), BundleFault> {
        self.records += 1;
        if self.records > ADVISORIES_MAX { Err(BundleFault::TooLarge) } else { Ok(()) }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), BundleFault> {
        self.bytes += bytes as u64;
        if self.bytes > UNPACKED_BYTES_MAX { Err(BundleFault::TooLarge) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A zip of these files, deflated.
    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
        for (path, bytes) in files {
            let (mut entry, config) = archive.new_file(*path).compression_method(CompressionMethod::DEFLATE).start().unwrap();
            let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default());
            let mut writer = config.wrap(encoder);
            writer.write_all(bytes).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        out
    }

    type Told = (String, Result<String, String>);

    fn brought(bytes: &[u8]) -> Result<Vec<Told>, BundleFault> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut all = Vec::new();
        read(file.path(), 1_000, &mut |name, bytes| {
            all.push((name.to_owned(), bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn a_zip_is_read_file_by_file() {
        let found = brought(&zipped(&[("a.json", b"{}"), ("npm/b.json", b"[1]"), ("README.md", b"x"), ("deep/", b"")])).unwrap();
        assert_eq!(found, [("a.json".to_owned(), Ok("{}".to_owned())), ("npm/b.json".to_owned(), Ok("[1]".to_owned()))]);
    }

    #[test]
    fn a_file_that_is_damaged_or_too_large_is_told_and_the_rest_is_read() {
        let bomb = vec![b' '; 10_000_000];
        let found = brought(&zipped(&[("bomb.json", &bomb), ("b.json", b"{}")])).unwrap();
        assert_eq!((found[0].0.as_str(), found[1].1.as_deref()), ("bomb.json", Ok("{}")));
        assert!(found[0].1.as_ref().is_err_and(|why| why.contains("larger than 1000 bytes")), "{found:?}");
        let whole = zipped(&[("a.json", b"{\"some\":\"record\"}"), ("b.json", b"{}")]);
        let at = whole.windows(4).position(|bytes| bytes == b"some").unwrap_or(45);
        let mut damaged = whole;
        damaged[at] ^= 0x55;
        let found = brought(&damaged).unwrap();
        assert!(found[0].1.is_err() && found[1].1.is_ok(), "{found:?}");
    }

    #[test]
    fn a_zip_that_is_cut_short_counts_for_nothing() {
        let whole = zipped(&[("a.json", b"{}"), ("b.json", b"{}")]);
        for length in [2, 20, whole.len() / 2, whole.len() - 1] {
            assert!(matches!(brought(&whole[..length]), Err(BundleFault::Unreadable(_))), "{length}");
        }
    }

    #[test]
    fn lines_are_records_by_their_numbers() {
        let found = brought(b"{\"a\":1}\n\n  {\"b\":2}\r\nnot json").unwrap();
        let shown: Vec<(&str, &str)> = found.iter().map(|(name, bytes)| (name.as_str(), bytes.as_deref().unwrap())).collect();
        assert_eq!(shown, [("line 1", "{\"a\":1}"), ("line 3", "{\"b\":2}"), ("line 4", "not json")]);
        assert!(matches!(brought(&[b'x'; 2_000]), Err(BundleFault::Unreadable(_))));
        assert_eq!(brought(b"").unwrap(), []);
    }
}
