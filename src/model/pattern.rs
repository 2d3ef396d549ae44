//! Which packages a rule is about: one by its name, or all of a scope.

use std::fmt;

use crate::model::package::NotAName;
use crate::model::package::PackageName;
use crate::model::package::as_one_string;

/// Written as `left-pad`, `@acme/web` or `@acme/*`. Nothing else has a meaning, so nothing else is taken.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PackagePattern {
    Package(PackageName),
    /// `@acme/*` is kept as `@acme`.
    Scope(String),
}

impl PackagePattern {
    pub fn parse(text: &str) -> Result<PackagePattern, NotAName> {
        let wrong = |why| NotAName::Malformed { name: text.chars().take(PackageName::BYTES_MAX).collect(), why };
        match text.strip_suffix("/*") {
            Some(scope) if scope.starts_with('@') && !scope.contains('/') => {
                PackageName::npm(&format!("{scope}/x"))?;
                Ok(PackagePattern::Scope(scope.to_owned()))
            }
            Some(_) => Err(wrong("before /* stands a scope")),
            None if text.contains('*') => Err(wrong("a * stands only for all packages of a scope")),
            None => PackageName::npm(text).map(PackagePattern::Package),
        }
    }

    pub fn matches(&self, package: &PackageName) -> bool {
        match self {
            PackagePattern::Package(name) => name == package,
            PackagePattern::Scope(scope) => package.scope() == Some(scope.as_str()),
        }
    }

    /// Whether it matches every package that the other one matches.
    pub fn covers(&self, other: &PackagePattern) -> bool {
        match other {
            PackagePattern::Package(name) => self.matches(name),
            PackagePattern::Scope(_) => self == other,
        }
    }

    /// `@acme`, of `@acme/*` and of `@acme/web`.
    pub fn scope(&self) -> Option<&str> {
        match self {
            PackagePattern::Package(name) => name.scope(),
            PackagePattern::Scope(scope) => Some(scope),
        }
    }
}

impl fmt::Display for PackagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackagePattern::Package(name) => name.fmt(f),
            PackagePattern::Scope(scope) => write!(f, "{scope}/*"),
        }
    }
}

as_one_string!(PackagePattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_a_scope() {
        let name = |text: &str| PackageName::npm(text).unwrap();
        for (pattern, package, matches) in [
            ("left-pad", "left-pad", true),
            ("left-pad", "left-pads", false),
            ("left-pad", "@acme/left-pad", false),
            ("@acme/web", "@acme/web", true),
            ("@acme/*", "@acme/web", true),
            ("@acme/*", "@acme-x/web", false),
            ("@acme/*", "acme", false),
        ] {
            let read = PackagePattern::parse(pattern).unwrap();
            assert_eq!(read.matches(&name(package)), matches, "{pattern} {package}");
            assert_eq!(read.to_string(), pattern);
            assert_eq!(serde_json::from_str::<PackagePattern>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
        }
        for bad in ["", "*", "/*", "@/*", "acme/*", "@a/b/*", "@acme", "left-*", "@acme/w*", "@acme/**", "a@1.0.0"] {
            assert!(PackagePattern::parse(bad).is_err(), "{bad}");
        }
    }
}
