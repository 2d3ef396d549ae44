//! A lockfile that is pointed to another registry: each address at which a registry's file is fetched becomes that registry's,
//! and every other byte stays.

use std::ops::Range;

use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use url::Url;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Lines;
use crate::model::lockfile::Lockfile;
use crate::model::lockfile::Source;
use crate::model::package::PackageName;
use crate::model::release::ReleaseId;
use crate::protocol::npm::files;
use crate::protocol::npm::lockfile::read_with_addresses;

/// An address as it stands in a lockfile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    /// Of what it is the address.
    pub release: ReleaseId,
    /// Where the value begins in which it stands: of a quoted one its quote.
    pub at: usize,
    pub address: String,
    /// Percent-encoded within its value.
    pub is_encoded: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Rewritten {
    pub text: String,
    pub changed: usize,
    /// Addresses that were that registry's already.
    pub kept: usize,
    /// What was read, for what comes from elsewhere and is not touched.
    pub lockfile: Lockfile,
}

/// Everything of a registry's own address that a lockfile of any format takes as it is.
const ADDRESS_SIGNS: &[u8] = b"-._~:/%+@";

/// A registry's address: http or https, without credentials and without a query, with a slash at its end.
pub fn registry(text: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "it is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("it is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("it holds credentials, a query or a fragment");
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || ADDRESS_SIGNS.contains(&byte) || matches!(byte, b'[' | b']');
    if url.as_str().bytes().all(is_plain) { Ok(url) } else { Err("it holds signs that no lockfile takes as they are") }
}

/// Points every address of a registry's file to `registry`.
pub fn rewrite(text: &[u8], name: Option<&str>, registry: &Url) -> Result<Rewritten, Fault> {
    let (text, lockfile, mut spots) = read_with_addresses(text, name)?;
    spots.sort_by_key(|spot| spot.at);
    let lines = Lines::new(text);
    let mut out = String::with_capacity(text.len());
    let (mut end, mut changed, mut kept) = (0, 0, 0);
    for spot in spots {
        let new = address(&spot, registry);
        if new == spot.address {
            kept += 1;
            continue;
        }
        let place =
            place(text, &spot).ok_or_else(|| lines.fault(spot.at, "an address that is written with escapes, which is not changed"))?;
        out.push_str(text.get(end..place.start).unwrap_or_default());
        if spot.is_encoded {
            out.push_str(&encoded(&new))
        } else {
            out.push_str(&new)
        }
        end = place.end;
        changed += 1;
    }
    out.push_str(text.get(end..).unwrap_or_default());
    Ok(Rewritten { text: out, changed, kept, lockfile })
}

/// As yarn encodes it.
fn encoded(address: &str) -> String {
    const COMPONENT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'!')
        .remove(b'~')
        .remove(b'*')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')');
    utf8_percent_encode(address, COMPONENT).to_string()
}

/// Where the address itself stands, if it stands there as it is.
fn place(text: &str, spot: &Spot) -> Option<Range<usize>> {
    let rest = text.get(spot.at..)?;
    let written = if spot.is_encoded { encoded(&spot.address) } else { spot.address.clone() };
    let line = rest.lines().next().unwrap_or(rest);
    let found = match spot.is_encoded {
        true => line.find(&written)?,
        false => [0, 1].into_iter().find(|quote| rest.get(*quote..).is_some_and(|rest| rest.starts_with(&written)))?,
    };
    Some(spot.at + found..spot.at + found + written.len())
}

/// The same file at the registry: by its own path where that has a registry's shape and is the package's, else by the
/// conventional one.
fn address(spot: &Spot, registry: &Url) -> String {
    let name = &spot.release.package.name;
    let own = own_path(&spot.address, name);
    let path = own.unwrap_or_else(|| format!("{name}/-/{}", files::conventional(name, &spot.release.version)));
    format!("{registry}{path}")
}

/// `left/-/left-1.0.0.tgz` of any address with that at its end.
fn own_path(address: &str, name: &PackageName) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let path = url.path();
    let spellings = [name.as_str().to_owned(), name.as_str().replace('/', "%2f"), name.as_str().replace('/', "%2F")];
    let file = spellings.iter().find_map(|name| path.rsplit_once(&format!("/{name}/-/")).map(|(_, file)| file))?;
    let is_file = !file.is_empty() && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+%".contains(&byte));
    is_file.then(|| format!("{name}/-/{file}"))
}

/// What is not a registry's: by line, what it is, and where it is fetched.
pub fn elsewhere(lockfile: &Lockfile) -> impl Iterator<Item = (u32, &str, &str)> {
    lockfile.entries.iter().filter_map(|entry| match &entry.source {
        Source::Elsewhere { address } => Some((entry.line, entry.name.as_str(), address.as_str())),
        Source::Registry { .. } | Source::Beneath { .. } | Source::Local | Source::Bundled { .. } => None,
    })
}

#[cfg(test)]
mod tests;
