//! Names: an ecosystem, a package in it, a version of that. Parsed once at the edge; no `&str` past it.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

/// A family of registries that share one protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EcosystemId {
    Npm,
    Nuget,
    Pypi,
    Oci,
}

impl EcosystemId {
    pub const ALL: [EcosystemId; 4] = [EcosystemId::Npm, EcosystemId::Nuget, EcosystemId::Pypi, EcosystemId::Oci];

    pub const fn as_str(self) -> &'static str {
        match self {
            EcosystemId::Npm => "npm",
            EcosystemId::Nuget => "nuget",
            EcosystemId::Pypi => "pypi",
            EcosystemId::Oci => "oci",
        }
    }

    pub fn parse(text: &str) -> Option<EcosystemId> {
        EcosystemId::ALL.into_iter().find(|id| id.as_str() == text)
    }
}

impl fmt::Display for EcosystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotAName {
    #[error("the name is empty")]
    Empty,
    #[error("the name is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("{name:?} is not a package name: {why}")]
    Malformed { name: String, why: &'static str },
}

/// A package's name in the one spelling that its ecosystem considers equal. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PackageName(Arc<str>);

impl PackageName {
    pub const BYTES_MAX: usize = 214;

    /// npm's grammar for names that already exist, so capitals and a leading `-` are fine.
    /// Source: validate-npm-package-name, `validForOldPackages`, narrowed to ASCII.
    pub fn npm(text: &str) -> Result<PackageName, NotAName> {
        if text.is_empty() {
            return Err(NotAName::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(NotAName::TooLong { max: Self::BYTES_MAX });
        }
        let wrong = |why| Err(NotAName::Malformed { name: text.to_owned(), why });
        let parts = match text.strip_prefix('@') {
            Some(rest) => match rest.split_once('/') {
                Some((scope, name)) => [Some(scope), Some(name)],
                None => return wrong("a scope is followed by a slash and a name"),
            },
            None => [None, Some(text)],
        };
        for part in parts.into_iter().flatten() {
            if part.is_empty() {
                return wrong("a part of it is empty");
            }
            if part.starts_with('.') || part.starts_with('_') && parts[0].is_none() {
                return wrong("it starts with a dot or an underscore");
            }
            if !part.bytes().all(
                |b| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'),
            ) {
                return wrong("only letters, digits and -_.!~*'() are allowed");
            }
        }
        if text.eq_ignore_ascii_case("node_modules") || text.eq_ignore_ascii_case("favicon.ico") {
            return wrong("the name is reserved");
        }
        Ok(PackageName(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `@acme` of `@acme/web`.
    pub fn scope(&self) -> Option<&str> {
        self.0.starts_with('@').then(|| self.0.split('/').next()).flatten()
    }

    /// `web` of `@acme/web`; the whole name where there is no scope.
    pub fn unscoped(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// Which package of which ecosystem. Written as `npm/left-pad` wherever it is one string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PackageId {
    pub ecosystem: EcosystemId,
    pub name: PackageName,
}

impl PackageId {
    pub fn npm(name: &str) -> Result<PackageId, NotAName> {
        Ok(PackageId { ecosystem: EcosystemId::Npm, name: PackageName::npm(name)? })
    }

    /// Reads what `Display` writes, `npm/@acme/web`. The reserved ecosystems have no grammar yet, so only their
    /// length and printable ASCII are checked.
    pub fn parse(text: &str) -> Result<PackageId, NotAName> {
        let malformed = |why| NotAName::Malformed { name: text.to_owned(), why };
        let (ecosystem, name) = text.split_once('/').ok_or_else(|| malformed("no ecosystem before a slash"))?;
        let ecosystem = EcosystemId::parse(ecosystem).ok_or_else(|| malformed("no such ecosystem"))?;
        let name = match ecosystem {
            EcosystemId::Npm => PackageName::npm(name)?,
            EcosystemId::Nuget | EcosystemId::Pypi | EcosystemId::Oci => {
                if name.is_empty() || name.len() > PackageName::BYTES_MAX || !name.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(malformed("not printable ASCII of 1 to 214 bytes"));
                }
                PackageName(Arc::from(name))
            }
        };
        Ok(PackageId { ecosystem, name })
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ecosystem, self.name)
    }
}

/// A release's version as its document spells it: 1 to 256 bytes of printable ASCII, no slash, no space. Whether the
/// ecosystem can order it is the dialect's question, so that a version nobody can read is held and not lost.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(Arc<str>);

impl Version {
    pub const BYTES_MAX: usize = 256;

    pub fn parse(text: &str) -> Result<Version, NotAName> {
        if text.is_empty() {
            return Err(NotAName::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(NotAName::TooLong { max: Self::BYTES_MAX });
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'/') {
            let why = "a version is printable ASCII without slash or space";
            return Err(NotAName::Malformed { name: text.chars().take(64).collect(), why });
        }
        Ok(Version(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Serialises what `Display` writes, and reads it with `parse`.
macro_rules! as_one_string {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(in crate::model) use as_one_string;

as_one_string!(PackageId);
as_one_string!(Version);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_npm_has_are_names() {
        for good in ["left-pad", "JSONStream", "@types/node", "-", "con", "@acme/_x", "a.b~c", "lodash.merge"] {
            assert!(PackageName::npm(good).is_ok(), "{good}");
        }
        let long = "a".repeat(215);
        for bad in [
            "",
            ".bin",
            "_x",
            "@acme",
            "@/x",
            "@acme/",
            "@acme/.x",
            "a/b",
            "@a/b/c",
            "l\u{43e}dash",
            "a b",
            "a%2fb",
            "..",
            "node_modules",
            &long,
        ] {
            assert!(PackageName::npm(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_package_reads_what_it_writes() {
        let id = PackageId::npm("@acme/web").unwrap();
        assert_eq!(id.to_string(), "npm/@acme/web");
        assert_eq!(PackageId::parse("npm/@acme/web").unwrap(), id);
        assert_eq!((id.name.scope(), id.name.unscoped()), (Some("@acme"), "web"));
        assert!(PackageId::parse("cargo/serde").is_err());
    }
}
