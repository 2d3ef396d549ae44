//! The archive profile, row by row of the measured matrix of differences between readers, each beside its benign twin.

use std::io::Write as _;

use flate2::Compression;
use flate2::GzBuilder;
use flate2::write::GzEncoder;

use super::*;

const SMALL: Limits = Limits {
    unpacked_bytes_max: 1 << 20,
    ratio_max: 200,
    ratio_free_bytes: 1 << 20,
    file_bytes_max: 64 << 10,
    entries_max: 100,
    pax_bytes_max: 2_048,
};

/// One raw header, wrong in any way that a test wants it to be.
#[derive(Clone)]
struct Raw([u8; 512]);

impl Raw {
    fn new(typeflag: u8, path: &str, size: usize) -> Raw {
        let mut raw = Raw([0; 512]);
        raw.put(0, path.as_bytes());
        raw.put(100, b"0000644\0");
        raw.put(108, b"0000000\0");
        raw.put(116, b"0000000\0");
        raw.put(124, format!("{size:011o}\0").as_bytes());
        raw.put(136, b"00000000000\0");
        raw.put(156, &[typeflag]);
        raw.put(257, b"ustar\x0000");
        raw
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn with(mut self, at: usize, bytes: &[u8]) -> Raw {
        self.put(at, bytes);
        self
    }

    /// With a right checksum.
    fn sealed(mut self) -> Vec<u8> {
        self.put(148, b"        ");
        let sum: u32 = self.0.iter().map(|b| u32::from(*b)).sum();
        self.put(148, format!("{sum:06o}\0 ").as_bytes());
        self.0.to_vec()
    }
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut out = content.to_vec();
    out.resize(content.len().next_multiple_of(512), 0);
    out
}

fn entry(typeflag: u8, path: &str, content: &[u8]) -> Vec<u8> {
    [Raw::new(typeflag, path, content.len()).sealed(), padded(content)].concat()
}

fn file(path: &str, content: &str) -> Vec<u8> {
    entry(b'0', path, content.as_bytes())
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let body: String = records.iter().map(|(key, value)| record(key, value)).collect();
    entry(b'x', "PaxHeader/x", body.as_bytes())
}

fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let length = (rest.len() + 1..).find(|length| length.to_string().len() + rest.len() == *length).unwrap();
    format!("{length}{rest}")
}

fn manifest() -> Vec<u8> {
    file("package/package.json", "{}")
}

const END: [u8; 1024] = [0; 1024];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// As gzip, without the time that packing takes.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A whole archive of these pieces and the end blocks.
fn tgz(pieces: &[Vec<u8>]) -> Vec<u8> {
    gzip(&[pieces.concat(), END.to_vec()].concat())
}

/// Wants everything.
#[derive(Default)]
struct All(Vec<(String, Vec<u8>)>);

impl Visitor for All {
    fn wants(&mut self, _: &Entry) -> bool {
        true
    }
    fn content(&mut self, entry: &Entry, content: Vec<u8>) {
        self.0.push((entry.path.clone(), content));
    }
}

fn listed(packed: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveFault> {
    let mut all = All::default();
    read(packed, &SMALL, &mut all).map(|_| all.0)
}

#[track_caller]
fn refused(packed: &[u8], sentence: &str) {
    assert_eq!(listed(packed).unwrap_err().to_string(), sentence);
}

#[track_caller]
fn accepted(packed: &[u8], paths: &[&str]) {
    let found: Vec<String> = listed(packed).unwrap().into_iter().map(|(path, _)| path).collect();
    assert_eq!(found, paths);
}

#[test]
fn lists_files_and_directories_below_the_root() {
    let packed = tgz(&[entry(b'5', "package/", b""), entry(b'5', "package/lib/", b""), file("package/lib/a.js", "1;"), manifest()]);
    let mut all = All::default();
    let contents = read(&packed, &SMALL, &mut all).unwrap();
    let shape: Vec<_> = contents.entries.iter().map(|entry| (entry.path.as_str(), entry.kind, entry.size)).collect();
    assert_eq!(shape, [("lib", Kind::Directory, 0), ("lib/a.js", Kind::File, 2), ("package.json", Kind::File, 2)]);
    assert_eq!((contents.root.as_str(), contents.file_bytes), ("package", 4));
    assert_eq!(all.0, [("lib/a.js".to_owned(), b"1;".to_vec()), ("package.json".to_owned(), b"{}".to_vec())]);
}

#[test]
fn reads_what_the_tar_crate_writes() {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (path, size) in [("root/package.json", 2), ("root/big.bin", 60_000)] {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(size);
        header.set_mode(0o755);
        header.set_cksum();
        builder.append_data(&mut header, path, vec![b'x'; size as usize].as_slice()).unwrap();
    }
    accepted(&gzip(&builder.into_inner().unwrap()), &["package.json", "big.bin"]);
}

#[test]
fn case_02_duplicate_path() {
    refused(
        &tgz(&[manifest(), file("package/a.js", "1"), file("package/a.js", "2")]),
        r#""a.js" stands twice in the archive with different content"#,
    );
    refused(
        &tgz(&[manifest(), file("package/a.js", "1"), file("package/a.js", "22")]),
        r#""a.js" stands twice in the archive with different content"#,
    );
    refused(
        &tgz(&[file("package/a.js", "1"), file("package/a.js", "1"), file("package/a.js", "2")]),
        r#""a.js" stands twice in the archive with different content"#,
    );
    accepted(&tgz(&[file("package/a.js", "1"), manifest(), file("package/a.js", "1")]), &["a.js", "package.json", "a.js"]);
}

#[test]
fn case_03_second_root() {
    refused(
        &tgz(&[manifest(), file("zz/package.json", "{}")]),
        r#""zz/package.json" lies in a second root beside "package", and clients strip both"#,
    );
    refused(
        &tgz(&[manifest(), file("Package/a.js", "")]),
        r#""Package/a.js" lies in a second root beside "package", and clients strip both"#,
    );
    refused(&tgz(&[manifest(), file("a.js", "")]), r#""a.js" lies outside of every directory"#);
    accepted(&tgz(&[file("left-pad/package.json", "{}")]), &["package.json"]);
}

#[test]
fn case_04_case_collision() {
    refused(&tgz(&[file("package/A.js", "1"), file("package/a.js", "1")]), r#""a.js" and "A.js" are one file where case does not count"#);
    refused(
        &tgz(&[file("package/Lib/x.js", "1"), file("package/lib-b/a.js", ""), file("package/lib/y.js", "1")]),
        r#""lib/y.js" and "Lib/x.js" are one file where case does not count"#,
    );
    accepted(&tgz(&[file("package/Lib/x.js", "1"), file("package/lib-b/X.js", "1")]), &["Lib/x.js", "lib-b/X.js"]);
}

#[test]
fn case_05_06_pax_size_differs() {
    for (size, content) in [("512", "short"), ("0", "short")] {
        let sentence = format!(r#""package/a.js" is 5 bytes by its header and {size} by its PAX header"#);
        refused(&tgz(&[manifest(), pax(&[("size", size)]), file("package/a.js", content)]), &sentence);
    }
    accepted(&tgz(&[pax(&[("size", "5")]), file("package/a.js", "short")]), &["a.js"]);
}

#[test]
fn case_07_control_characters() {
    refused(
        &tgz(&[pax(&[("path", "package/index.js\0.txt")]), file("package/x", "")]),
        r#"a PAX header has a value for "path" that not all readers read alike"#,
    );
    refused(&tgz(&[file("package/a\n.js", "")]), "\"package/a\u{fffd}.js\" has a control character in its name");
    refused(&tgz(&[file("package/\u{7f}", "")]), "\"package/\u{fffd}\" has a control character in its name");
    let hidden = Raw::new(b'0', "package/a.js\0.txt", 0).sealed();
    refused(&tgz(&[hidden]), r#"the header of "package/a.js" hides bytes behind the end of its name"#);
    accepted(&tgz(&[file("package/a b!@#$%^&()+={}[];',~`.js", "")]), &["a b!@#$%^&()+={}[];',~`.js"]);
}

#[test]
fn case_10_gnu_long_names() {
    refused(
        &tgz(&[entry(b'L', "././@LongLink", b"package/a.js\0"), file("package/x", "")]),
        "a GNU long name, which not all readers follow",
    );
    refused(
        &tgz(&[entry(b'K', "././@LongLink", b"package/a.js\0"), file("package/x", "")]),
        "a GNU long name, which not all readers follow",
    );
    let both = [pax(&[("path", "package/index.js")]), entry(b'L', "././@LongLink", b"package/a.js\0"), file("package/x", "")];
    refused(&tgz(&both), "a GNU long name and a PAX header for the same entry");
    let long = format!("package/{}.js", "x".repeat(120));
    accepted(&tgz(&[pax(&[("path", &long)]), file(&long[..99], "")]), &[&long[8..]]);
}

#[test]
fn case_11_global_pax() {
    let global = |records: &[(&str, &str)]| {
        let body: String = records.iter().map(|(key, value)| record(key, value)).collect();
        entry(b'g', "pax_global_header", body.as_bytes())
    };
    let sentence = "a global PAX header with more than a comment, which counts for some readers only";
    refused(&tgz(&[global(&[("path", "package/a.js")]), manifest()]), sentence);
    refused(&tgz(&[global(&[("comment", "0123"), ("path", "package/a.js")]), manifest()]), sentence);
    refused(&tgz(&[global(&[("comment", "x\n24 path=package/index.js")]), manifest()]), sentence);
    refused(&tgz(&[global(&[]), manifest()]), sentence);
    refused(&tgz(&[manifest(), global(&[("comment", "0123")])]), "a PAX header that no entry follows");
    accepted(&tgz(&[global(&[("comment", "0123")]), manifest()]), &["package.json"]);
    accepted(&tgz(&[global(&[("comment", "0123")]), pax(&[("path", "package/a.js")]), file("package/a", "")]), &["a.js"]);
    accepted(&tgz(&[pax(&[("comment", "0123")]), manifest()]), &["package.json"]);
}

#[test]
fn case_12_13_links() {
    for typeflag in [b'1', b'2'] {
        let link = Raw::new(typeflag, "package/a.js", 0).with(157, b"package.json").sealed();
        refused(&tgz(&[manifest(), link]), r#""package/a.js" is a link"#);
    }
    let target = Raw::new(b'0', "package/a.js", 0).with(157, b"package.json").sealed();
    refused(&tgz(&[manifest(), target]), r#""package/a.js" is no link, yet its header names a target"#);
    refused(
        &tgz(&[pax(&[("linkpath", "/etc/passwd")]), manifest()]),
        r#"a PAX header has the key "linkpath", which is not among those that packers write"#,
    );
}

#[test]
fn case_14_15_paths_that_lead_out() {
    refused(&tgz(&[file("package/../../x", "")]), r#""package/../../x" leads out of the archive"#);
    refused(&tgz(&[file("../x", "")]), r#""../x" leads out of the archive"#);
    refused(&tgz(&[file("package/lib/..", "")]), r#""package/lib/.." leads out of the archive"#);
    refused(&tgz(&[file("/package/x", "")]), r#""/package/x" is an absolute path"#);
    refused(&tgz(&[file("//x/y", "")]), r#""//x/y" is an absolute path"#);
    refused(&tgz(&[file("C:/x", "")]), r#""C:/x" has a colon in its name, which on Windows writes into another file"#);
    accepted(&tgz(&[file("package/..a/.b/c..d", "")]), &["..a/.b/c..d"]);
}

#[test]
fn case_16_data_after_the_end() {
    let after = [manifest(), END.to_vec(), file("package/a.js", "")].concat();
    refused(&gzip(&after), "data stands after its end");
    refused(&gzip(&[manifest(), vec![0; 512], file("package/a.js", "")].concat()), "data stands after its end");
    refused(&gzip(&[manifest(), vec![0; 200_000], vec![1]].concat()), "data stands after its end");
    for zeros in [0, 512, 1_000] {
        refused(&gzip(&[manifest(), vec![0; zeros]].concat()), r#"the archive has no end: it is cut short after "package/package.json""#);
    }
    for zeros in [1_024, 1_300, 10_240] {
        accepted(&gzip(&[manifest(), vec![0; zeros]].concat()), &["package.json"]);
    }
}

#[test]
fn case_18_contiguous_file() {
    refused(
        &tgz(&[manifest(), entry(b'7', "package/a.js", b"1")]),
        r#""package/a.js" is of type '7', a file for some readers and nothing for others"#,
    );
    accepted(&tgz(&[entry(0, "package/a.js", b"1")]), &["a.js"]);
}

#[test]
fn case_19_other_types() {
    for typeflag in [b'3', b'4', b'6'] {
        refused(&tgz(&[manifest(), entry(typeflag, "package/a", b"")]), r#""package/a" is a device or a pipe"#);
    }
    for typeflag in [b'Z', b'S', b'D', b'A', b'M', b'V', b'X', b'8', b'9', b' '] {
        let sentence = format!(r#""package/a" is of unknown type "{}""#, char::from(typeflag));
        refused(&tgz(&[manifest(), entry(typeflag, "package/a", b"1")]), &sentence);
    }
}

#[test]
fn case_20_slash_at_the_end() {
    for typeflag in [0, b'0'] {
        refused(&tgz(&[manifest(), entry(typeflag, "package/a/", b"1")]), r#""package/a/" ends in a slash and is not a directory"#);
    }
    refused(
        &tgz(&[manifest(), pax(&[("path", "package/a")]), entry(0, "package/a/", b"1")]),
        r#""package/a" ends in a slash and is not a directory"#,
    );
    refused(&tgz(&[manifest(), entry(b'5', "package/a/", b"1")]), r#"the directory "package/a/" has content"#);
    accepted(&tgz(&[manifest(), entry(b'5', "package/a", b""), entry(b'5', "package/a/", b"")]), &["package.json"]);
}

#[test]
fn case_22_dot_root() {
    refused(
        &tgz(&[file("./package/package.json", "{}")]),
        r#""./package/package.json" starts with a dot, which clients would strip in place of the root"#,
    );
    refused(&tgz(&[entry(b'5', "./", b""), manifest()]), r#""./" starts with a dot, which clients would strip in place of the root"#);
    accepted(&tgz(&[file(".package/package.json", "{}")]), &["package.json"]);
}

#[test]
fn case_23_24_spellings_of_one_path() {
    for path in ["package//package.json", "package/./package.json", "package/.//./package.json"] {
        refused(&tgz(&[manifest(), file(path, "[]")]), r#""package.json" stands twice in the archive with different content"#);
        accepted(&tgz(&[manifest(), file(path, "{}")]), &["package.json", "package.json"]);
    }
}

#[test]
fn case_25_backslash() {
    refused(&tgz(&[file("package\\a.js", "")]), r#""package\\a.js" has a backslash in its name, a separator on Windows"#);
}

#[test]
fn case_26_header_checksum() {
    let mut broken = manifest();
    broken[148..156].copy_from_slice(b"000000\0 ");
    refused(&tgz(&[file("package/a.js", ""), broken]), r#"the header after "package/a.js" has a wrong checksum"#);
    let mut blank = manifest();
    blank[148..156].fill(0);
    refused(&tgz(&[blank]), r#"the header after "" has a wrong checksum"#);
}

#[test]
fn case_27_numbers() {
    let sized = |size: &[u8]| tgz(&[Raw::new(b'0', "package/a.js", 0).with(124, size).sealed()]);
    refused(&sized(b"-0000000001\0"), r#"the header of "package/a.js" has a negative size"#);
    refused(&sized(&[0xff; 12]), r#"the header of "package/a.js" has a negative size"#);
    for size in [
        b"\x80\0\0\0\0\0\0\0\0\0\0\0",
        b"0x000000000\0",
        b"00000000008\0",
        b"000 0000000\0",
        b"000\x000000000\0",
        b"\x000000000000\0",
        &[0; 12],
    ] {
        refused(&sized(size), r#"the header of "package/a.js" has a size that is no number"#);
    }
    for size in [b"00000000000 ", b"          0\0", b"0\0\0\0\0\0\0\0\0\0\0\0", b"000000000000"] {
        accepted(&sized(size), &["a.js"]);
    }
    let owned = |owner: &[u8]| tgz(&[Raw::new(b'0', "package/a.js", 0).with(108, owner).sealed()]);
    refused(&owned(b"\x81\0\0\0\0\0\0\0"), r#"the header of "package/a.js" has a owner that is no number"#);
    accepted(&owned(b"\x80\0\0\0\x7f\0\0\0"), &["a.js"]);
    accepted(&owned(&[0; 8]), &["a.js"]);
}

#[test]
fn case_30_other_characters_than_ascii() {
    refused(&tgz(&[file("package/\u{e9}.js", "")]), "\"package/\u{e9}.js\" has characters other than ASCII in its name");
    refused(
        &tgz(&[pax(&[("path", "package/e\u{301}.js")]), file("package/e", "")]),
        r#""package/e\u{301}.js" has characters other than ASCII in its name"#,
    );
}

#[test]
fn case_40_not_gzip() {
    let tar = [manifest(), END.to_vec()].concat();
    refused(&tar, "it is not gzip");
    refused(b"", "it is not gzip");
    refused(b"\x28\xb5\x2f\xfd", "it is not gzip");
    refused(b"\x1f\x8b", "it is cut short: the gzip stream has no end");
    refused(b"\x1f\x8b\x07\0\0\0\0\0\0\0", "its gzip header is broken: an unknown method");
    refused(b"\x1f\x8b\x08\xe0\0\0\0\0\0\0", "its gzip header is broken: reserved flags are set");
}

#[test]
fn gzip_headers_with_names_and_more() {
    let tar = [manifest(), END.to_vec()].concat();
    let mut encoder = GzBuilder::new().filename("a.tar").comment("c").extra(b"abc".to_vec()).write(Vec::new(), Compression::fast());
    encoder.write_all(&tar).unwrap();
    let packed = encoder.finish().unwrap();
    accepted(&packed, &["package.json"]);
    for length in 0..30 {
        assert!(listed(&packed[..length]).is_err());
    }
}

#[test]
fn case_41_two_gzip_members() {
    let second = tgz(&[file("package/package.json", "[]")]);
    let sentence = "it has more than one gzip member, of which some readers see only the first";
    refused(&[gzip(&manifest()), second.clone()].concat(), sentence);
    refused(&[tgz(&[manifest()]), second].concat(), sentence);
}

#[test]
fn case_42_43_44_trailing_truncated_damaged() {
    let packed = tgz(&[manifest()]);
    accepted(&[packed.clone(), vec![0; 3_000]].concat(), &["package.json"]);
    refused(&[packed.clone(), b"\0\0x".to_vec()].concat(), "3 bytes stand after the gzip stream");
    refused(&[packed.clone(), b"\0".to_vec(), packed.clone()].concat(), &format!("{} bytes stand after the gzip stream", packed.len() + 1));
    refused(&[packed.clone(), b"x".to_vec()].concat(), "1 bytes stand after the gzip stream");
    for length in 10..packed.len() {
        assert_eq!(listed(&packed[..length]), Err(ArchiveFault::GzipTruncated), "{length}");
    }
    let mut crc = packed.clone();
    crc[packed.len() - 8] ^= 1;
    refused(&crc, "its gzip checksum does not fit its content");
    let mut length = packed.clone();
    length[packed.len() - 1] ^= 1;
    refused(&length, "its gzip length does not fit its content");
    let inside = [manifest(), file("package/a.js", "1")].concat();
    refused(&gzip(&inside[..inside.len() - 512]), r#"the archive has no end: it is cut short after "package/a.js""#);
    refused(&gzip(&inside[..inside.len() - 1]), r#"the archive has no end: it is cut short after "package/a.js""#);
    refused(&gzip(&inside[..1_100]), r#"the archive has no end: it is cut short after "package/package.json""#);
    refused(&gzip(b""), r#"the archive has no end: it is cut short after """#);
    refused(&gzip(&END), "it holds no file");
}

#[test]
fn pax_records() {
    let bodies: [(&[u8], &str); 8] = [
        (b"5 a=b\n", "a PAX header is malformed"),
        (b"99 path=package/x\n", "a PAX header is malformed"),
        (b"017 path=package/x\n", "a PAX header is malformed"),
        (b"18 path=package/x\n\n", "a PAX header is malformed"),
        (b"9 path:x\n", "a PAX header is malformed"),
        (b"8 path=\n", r#"a PAX header has a value for "path" that not all readers read alike"#),
        (b"10 size=x\n", r#"a PAX header has a value for "size" that not all readers read alike"#),
        (b"20 GNU.sparse.a=123\n", r#"a PAX header has the key "GNU.sparse.a", which is not among those that packers write"#),
    ];
    for (body, sentence) in bodies {
        refused(&tgz(&[entry(b'x', "x", body), file("package/y", "")]), sentence);
    }
    refused(
        &tgz(&[pax(&[("path", "package/x"), ("path", "package/y")]), file("package/z", "")]),
        r#"a PAX header has the key "path" twice"#,
    );
    for key in ["comment", "uname", "NODETAR.package.description", "SCHILY.xattr.user.x"] {
        let sentence = format!("a PAX header has a value for {key:?} that not all readers read alike");
        refused(&tgz(&[pax(&[(key, "x\n24 path=package/index.js")]), file("package/z", "")]), &sentence);
    }
    refused(&tgz(&[manifest(), pax(&[("path", "package/x")])]), "a PAX header that no entry follows");
    refused(&tgz(&[pax(&[("path", "package/x")]), pax(&[]), manifest()]), "a PAX header that no entry follows");
    refused(&tgz(&[pax(&[("comment", &"x".repeat(3_000))]), manifest()]), "a PAX header is 3014 bytes, more than 2048");
    refused(
        &tgz(&[pax(&[("hdrcharset", "BINARY")]), manifest()]),
        r#"a PAX header has a value for "hdrcharset" that not all readers read alike"#,
    );
    let usual = [
        ("path", "package/long.js"),
        ("mtime", "-1.5"),
        ("atime", "1"),
        ("uid", "3000000"),
        ("uname", "Jos\u{e9}"),
        ("SCHILY.ino", "9"),
        ("NODETAR.type", "File"),
    ];
    accepted(&tgz(&[pax(&usual), file("package/l", "")]), &["long.js"]);
}

#[test]
fn header_formats() {
    let with = |at: usize, bytes: &[u8]| tgz(&[Raw::new(b'0', "a.js", 0).with(345, b"package").with(at, bytes).sealed()]);
    accepted(&with(0, b"a"), &["a.js"]);
    refused(&with(400, b"x"), r#"the header of "a.js" hides bytes behind the end of its prefix"#);
    refused(&with(505, b"x"), r#"the header of "a.js" hides bytes behind the end of its prefix"#);
    accepted(&with(476, b"00000000000\x0000000000000\0"), &["a.js"]);
    refused(&with(257, b"ustar  \0"), r#"the header of "a.js" is of no known format"#);
    refused(&with(257, b"ustar\x0011"), r#"the header of "a.js" is of no known format"#);
    refused(&with(257, &[0; 8]), r#"the header of "a.js" is of no known format"#);
    for magic in [b"ustar\x0011", b"ustar\0\0\0", b"ustar\x000 ", b"USTAR\x0000"] {
        let sentence = r#"the header of "package/a.js" is of no known format"#;
        refused(&tgz(&[Raw::new(b'0', "package/a.js", 0).with(257, magic).sealed()]), sentence);
    }
    for magic in [b"ustar  \0", &[0; 8]] {
        accepted(&tgz(&[Raw::new(b'0', "package/a.js", 0).with(257, magic).sealed()]), &["a.js"]);
    }
    refused(&tgz(&[Raw::new(b'0', "", 0).with(345, b"package").sealed()]), "an entry has no name");
}

#[test]
fn names_that_windows_reads_otherwise() {
    for path in
        ["package/CON.js", "package/aux", "package/x/nul.tar.gz", "package/com1.js", "package/LPT9", "package/con .js", "package/COM0"]
    {
        refused(&tgz(&[file(path, "")]), &format!("{path:?} has a part that is a device on Windows"));
    }
    for path in ["package/a.js.", "package/a.js ", "package/lib./a.js", "package/..."] {
        refused(&tgz(&[file(path, "")]), &format!("{path:?} has a part that ends in a dot or a space, which Windows drops"));
    }
    refused(
        &tgz(&[file("package/PACKAG~1.JSO", "")]),
        r#""package/PACKAG~1.JSO" looks like the short name that Windows gives to another file"#,
    );
    refused(
        &tgz(&[file("package/package.json::$DATA", "")]),
        r#""package/package.json::$DATA" has a colon in its name, which on Windows writes into another file"#,
    );
    accepted(
        &tgz(&[
            file("package/console.js", ""),
            file("package/auxiliary/com10.js", ""),
            file("package/a~b.js", ""),
            file("package/index.js~", ""),
        ]),
        &["console.js", "auxiliary/com10.js", "a~b.js", "index.js~"],
    );
}

#[test]
fn a_file_is_no_directory() {
    for pieces in [
        [file("package/a", ""), file("package/a/b", "")],
        [file("package/a/b/c", ""), file("package/a", "")],
        [file("package/a", ""), entry(b'5', "package/a", b"")],
        [file("package/a", ""), entry(b'5', "package/a/x", b"")],
    ] {
        refused(&tgz(&pieces), r#""a" is a file and a directory"#);
    }
    accepted(&tgz(&[file("package/a-b", ""), file("package/a.js", ""), file("package/a/b", "")]), &["a-b", "a.js", "a/b"]);
}

#[test]
fn paths_have_limits() {
    let deep = format!("package/{}x", "a/".repeat(63));
    assert!(matches!(listed(&tgz(&[pax(&[("path", &deep)]), file("package/x", "")])), Err(ArchiveFault::PathTooLong { .. })));
    accepted(&tgz(&[pax(&[("path", &deep[..deep.len() - 2])]), file("package/x", "")]), &[&deep[8..deep.len() - 2]]);
    let long = format!("package/{}", "x".repeat(256));
    assert!(matches!(listed(&tgz(&[pax(&[("path", &long)]), file("package/x", "")])), Err(ArchiveFault::PathTooLong { .. })));
    let fits = format!("package/{}", "x".repeat(255));
    accepted(&tgz(&[pax(&[("path", &fits)]), file("package/x", "")]), &[&fits[8..]]);
}

#[test]
fn sizes_and_counts_have_limits() {
    let big = file("package/big", &"x".repeat(65_537));
    refused(&tgz(&[big]), r#""package/big" is 65537 bytes, more than 65536"#);
    let many: Vec<Vec<u8>> = (0..101).map(|n| file(&format!("package/{n}"), "")).collect();
    refused(&tgz(&many), "it has more than 100 entries");
    assert_eq!(listed(&tgz(&many[..100])).unwrap().len(), 100);
    let wide: Vec<Vec<u8>> = (0..20).map(|n| file(&format!("package/{n}"), &"x".repeat(60_000))).collect();
    refused(&tgz(&wide), "it unpacks to more than 1048576 bytes");
}

#[test]
fn a_bomb_of_zeros_is_refused_early() {
    // 64 MiB behind the end blocks, in a few kilobytes.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&manifest()).unwrap();
    for _ in 0..64 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let packed = encoder.finish().unwrap();
    let mut all = All::default();
    assert_eq!(read(&packed, &Limits::DEFAULT, &mut all), Err(ArchiveFault::Bomb { max: 200 }));
    let mut stream = gzip::Inflate::new(&packed, &Limits::DEFAULT).unwrap();
    let mut piece = vec![0; 1 << 16];
    let mut made = 0;
    while let Ok(filled) = stream.fill(&mut piece) {
        made += filled as u64;
        assert!(filled > 0);
    }
    // What was unpacked before it was noticed: the limit, and not the 64 MiB.
    assert!(made <= Limits::DEFAULT.ratio_free_bytes.max(200 * packed.len() as u64));
}

#[test]
fn a_million_entries_are_refused_early() {
    // Distinct bytes in each header keep the ratio down, so that the count is what is noticed.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for n in 0..60_000_u64 {
        let noise = format!("{:032x}{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
        encoder.write_all(&file(&format!("package/{noise}"), "")).unwrap();
    }
    let packed = encoder.finish().unwrap();
    let mut seen = Count(0);
    assert_eq!(read(&packed, &Limits::DEFAULT, &mut seen), Err(ArchiveFault::TooManyEntries { max: 50_000 }));
    assert_eq!(seen.0, 50_000);
}

struct Count(u64);

impl Visitor for Count {
    fn wants(&mut self, _: &Entry) -> bool {
        self.0 += 1;
        false
    }
    fn content(&mut self, _: &Entry, _: Vec<u8>) {}
}

/// Every byte of the tar stream and of the gzip file is changed in several ways: nothing panics, and what is still accepted
/// lists the files that the tar crate, an independent reader, finds in it.
#[test]
fn no_changed_byte_makes_a_difference_between_readers() {
    let long = format!("package/{}/long.js", "d".repeat(110));
    let tar = [
        entry(b'5', "package/lib", b""),
        manifest(),
        pax(&[("path", &long), ("mtime", "1.5")]),
        file("package/l", "long"),
        file("package/lib/a.js", "let a;"),
        END.to_vec(),
    ]
    .concat();
    let mut accepted_count = 0;
    for at in 0..tar.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut changed = tar.clone();
            changed[at] ^= change;
            // Once as it is, once with the header's checksum made right again.
            for sealed in [false, true] {
                if sealed {
                    let block = at / 512 * 512;
                    let header = Raw(changed[block..block + 512].try_into().unwrap()).sealed();
                    changed[block..block + 512].copy_from_slice(&header);
                }
                if let Ok(ours) = listed(&stored(&changed)) {
                    accepted_count += 1;
                    assert_eq!(ours, theirs(&changed), "byte {at} changed by {change:#x}, sealed {sealed}");
                }
            }
        }
    }
    assert!(accepted_count > 100, "{accepted_count}");
    let packed = gzip(&tar);
    let expected = listed(&packed).unwrap();
    for at in 0..packed.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = packed.clone();
            changed[at] ^= change;
            if let Ok(found) = listed(&changed) {
                assert_eq!(found, expected, "byte {at} changed by {change:#x}");
            }
        }
    }
}

fn theirs(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in ::tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        if entry.header().entry_type().is_file() {
            let below: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").skip(1).collect();
            files.push((below.join("/"), content));
        }
    }
    files
}
