//! npm's lenient readings of versions and of what a dependency wants, so that two spellings of one meaning compare equal.

/// A version as npm cleans it on publishing: spaces, a leading `v` or `=`, leading zeros and build metadata go, a missing
/// hyphen before the prerelease comes. None where npm would refuse it. Source: node-semver, `clean` with `loose`.
pub(super) fn version(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(|c: char| c == 'v' || c == '=' || c.is_whitespace());
    let text = text.split('+').next().unwrap_or(text);
    let (major, rest) = text.split_once('.')?;
    let (minor, rest) = rest.split_once('.')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (patch, prerelease) = rest.split_at_checked(digits)?;
    let numbers = [number(major)?, number(minor)?, number(patch)?].join(".");
    if prerelease.is_empty() {
        return Some(numbers);
    }
    let prerelease = prerelease.strip_prefix('-').unwrap_or(prerelease);
    let parts: Option<Vec<String>> = prerelease.split('.').map(identifier).collect();
    Some(format!("{numbers}-{}", parts?.join(".")))
}

fn number(digits: &str) -> Option<String> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let short = digits.trim_start_matches('0');
    plain.then(|| if short.is_empty() { "0".to_owned() } else { short.to_owned() })
}

fn identifier(part: &str) -> Option<String> {
    let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| number(part).unwrap_or_else(|| part.to_owned()))
}

/// What a dependency wants. Nothing means anything, and all spellings of a repository at GitHub are one, because npm
/// rewrites them when it publishes. Source: @npmcli/package-json `fixDependencies`, hosted-git-info.
pub(super) fn wanted(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "*".to_owned();
    }
    github(text).unwrap_or_else(|| text.to_owned())
}

fn github(text: &str) -> Option<String> {
    let (address, commit) = text.split_once('#').unwrap_or((text, ""));
    let bare = ["git+", "ssh://", "https://", "http://", "git://", "git@", "www."]
        .iter()
        .fold(address, |address, prefix| address.strip_prefix(prefix).unwrap_or(address));
    let path = match ["github.com/", "github.com:", "github:"].iter().find_map(|host| bare.strip_prefix(host)) {
        Some(path) => path,
        // `owner/repository`, and not a path or an alias.
        None if bare == address && !address.contains(':') && !address.starts_with(['.', '/', '~', '@']) => address,
        None => return None,
    };
    let (owner, repository) = path.trim_end_matches('/').split_once('/')?;
    let repository = repository.strip_suffix(".git").unwrap_or(repository);
    let one = !owner.is_empty() && !repository.is_empty() && !repository.contains('/') && !address.contains(' ');
    one.then(|| format!("github:{owner}/{repository}#{commit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_cleaned_as_npm_cleans_them() {
        for (text, clean) in [
            ("1.2.3", "1.2.3"),
            (" =v1.2.3 ", "1.2.3"),
            ("v0.1.0", "0.1.0"),
            ("3001.0001.0000-dev-harmony-fb", "3001.1.0-dev-harmony-fb"),
            ("1.0.0beta2", "1.0.0-beta2"),
            ("1.0.0-rc.01", "1.0.0-rc.1"),
            ("1.0.0+build.5", "1.0.0"),
            ("1.0.0-a+b", "1.0.0-a"),
        ] {
            assert_eq!(version(text).as_deref(), Some(clean), "{text}");
        }
        for text in ["", "1", "1.2", "1.2.x", "latest", "1.2.3-", "1.2.3 x", "1.2.3.4", "-1.2.3"] {
            assert_eq!(version(text), None, "{text}");
        }
    }

    #[test]
    fn spellings_of_one_wish_are_equal() {
        for text in [
            "a/b#v1",
            "github:a/b#v1",
            "git://github.com/a/b.git#v1",
            "git+https://github.com/a/b.git#v1",
            "git+ssh://git@github.com/a/b.git#v1",
        ] {
            assert_eq!(wanted(text), "github:a/b#v1", "{text}");
        }
        for (text, same) in [
            ("", "*"),
            (" ^1.0.0 ", "^1.0.0"),
            ("npm:a@1", "npm:a@1"),
            ("file:../x", "file:../x"),
            ("./a/b", "./a/b"),
            ("1 || 2", "1 || 2"),
        ] {
            assert_eq!(wanted(text), same, "{text}");
        }
        assert_ne!(wanted("a/b"), wanted("a/c"));
        assert_ne!(wanted("a/b#1"), wanted("a/b#2"));
    }
}
