//! Compiled programs, by their first bytes and their names.

/// Extensions of programs that are compiled whatever their first bytes are: addons of Node, V8's bytecode, libraries.
const EXTENSIONS: [&str; 9] = ["node", "jsc", "dll", "dylib", "so", "exe", "class", "pyc", "o"];

/// Where the header of a Windows program says its own begins.
const PE_OFFSET_AT: usize = 0x3c;

/// Whether the file at `path` that begins with `head` is a compiled program. WebAssembly is none: it reaches only what code
/// hands to it, and code is looked through.
pub(super) fn is_program(path: &str, head: &[u8]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) && head.iter().any(|b| !b.is_ascii()) {
        return true;
    }
    match head {
        [0x7f, b'E', b'L', b'F', ..] => true,
        [b'M', b'Z', ..] => is_windows(head),
        // Mach-O: 32 and 64 bits, either order of bytes.
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => true,
        // Universal ones, and Java's classes, which share their mark.
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] | [0xbe | 0xbf, 0xba, 0xfe, 0xca, ..] => true,
        _ => false,
    }
}

/// Text may begin with the same two letters; a program's header leads to another mark, or far away.
fn is_windows(head: &[u8]) -> bool {
    let Some(offset) = head.get(PE_OFFSET_AT..).and_then(|rest| rest.first_chunk::<4>()) else { return false };
    let offset = usize::try_from(u32::from_le_bytes(*offset)).unwrap_or(usize::MAX);
    match head.get(offset..) {
        Some(at) if at.len() >= 2 => at.starts_with(b"PE\0\0") || at.starts_with(b"NE") || at.starts_with(b"LE"),
        Some(_) | None => head.contains(&0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_first_bytes() {
        let mut windows = b"MZ".to_vec();
        windows.resize(0x80, 0);
        windows[PE_OFFSET_AT] = 0x80;
        windows.extend(b"PE\0\0");
        for head in [
            b"\x7fELF\x02".as_slice(),
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe\0\0\0\x02",
            b"\xbe\xba\xfe\xca",
            b"\xca\xfe\xba\xbf",
            b"\xbf\xba\xfe\xca",
            &windows,
        ] {
            assert!(is_program("lib/data.txt", head), "{head:?}");
        }
        assert!(is_program("a.node", b"\x01\xff"));
        assert!(is_program("main.JSC", b"\xc0\xde\x06\0\xff"));
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for (path, head) in [
            ("mz.txt", b"MZ is how such files begin, and this goes on for more than sixty-four bytes, with more text".as_slice()),
            ("mz.txt", b"MZ"),
            ("a.wasm", b"\0asm\x01\0\0\0"),
            ("x.node", b"// text"),
            ("types.class", b"class A {}"),
            ("a.png", b"\x89PNG\r\n"),
        ] {
            assert!(!is_program(path, head), "{path}");
        }
    }
}
