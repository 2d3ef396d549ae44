//! What may be a tag, wherever one is written: in a publish, in a packument that is written back, in a path.

use crate::catalog::amend::TAGS_MAX;
use crate::model::finding::printable;
use crate::protocol::npm::needs;
use crate::protocol::npm::read::TAG_BYTES_MAX;

const SHOWN_BYTES_MAX: usize = 80;

/// What cannot be one, in words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotATag {
    #[error("{0:?} is not a tag")]
    Malformed(String),
    /// npm would take it for a version or a range.
    #[error("the tag {0:?} is a range of versions")]
    Range(String),
    #[error("the tags of a package are at most {TAGS_MAX}")]
    TooMany,
}

/// # Errors
/// npm would take it for something else, or it cannot stand in a path or in a document that every client reads.
pub fn check(tag: &str) -> Result<(), NotATag> {
    // The mark of what was cut takes a little room.
    let is_printable = printable(tag, tag.len() + '…'.len_utf8()) == tag;
    let is_plain = is_printable && tag.trim() == tag && !tag.contains(['"', '\\']);
    if tag.is_empty() || tag.len() > TAG_BYTES_MAX || !is_plain || tag == "__proto__" {
        return Err(NotATag::Malformed(printable(tag, SHOWN_BYTES_MAX)));
    }
    if needs::is_range(tag) { Err(NotATag::Range(printable(tag, SHOWN_BYTES_MAX))) } else { Ok(()) }
}

/// Whether one document may have so many.
pub fn count(tags: usize) -> Result<(), NotATag> {
    if tags > TAGS_MAX { Err(NotATag::TooMany) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_plain_word_and_no_range() {
        for good in ["latest", "next-11", "beta", "release/1", "a b", "é", "1.x-legacy", "node12"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "x".repeat(TAG_BYTES_MAX + 1);
        for bad in ["", " latest", "latest ", "la\ntest", "la\u{202e}test", "la\u{200b}test", "a\"b", "a\\b", "__proto__", &long] {
            assert!(matches!(check(bad), Err(NotATag::Malformed(_))), "{bad:?}");
        }
        for range in ["^1.0.0", "1.x", "2.0.0", "v1", "*", "x", ">=1 <2", "1 || 2"] {
            assert!(matches!(check(range), Err(NotATag::Range(_))), "{range:?}");
        }
        assert_eq!(check(&"x".repeat(TAG_BYTES_MAX)), Ok(()));
        assert_eq!((count(TAGS_MAX), count(TAGS_MAX + 1)), (Ok(()), Err(NotATag::TooMany)));
    }
}
