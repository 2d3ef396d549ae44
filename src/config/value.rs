//! One value of the configuration with the place it was written at, and what it can be read as.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;
use url::Url;

use crate::config::fault::Fault;
use crate::config::fault::Place;
use crate::config::key::nearest;
use crate::config::quantity::read_duration;
use crate::config::quantity::read_size;
use crate::config::quantity::write_duration;
use crate::config::quantity::write_size;

/// Entries of a list or a table. More is no configuration any more.
const ENTRIES_MAX: usize = 10_000;

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Value {
    /// The full path of its key, `policy.release_age.exempt[2].reason`.
    pub key: String,
    pub place: Place,
    pub data: Data,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Data {
    Text(String),
    Number(u64),
    Switch(bool),
    Time(String),
    List(Vec<Value>),
    Table(Vec<Entry>),
    /// A negative number, a fraction: nothing that any key takes.
    Odd(String),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub name: String,
    /// Of the name; the value has its own.
    pub place: Place,
    pub value: Value,
}

/// A text in which places are told by line and column, or one that is a place as a whole.
pub(super) enum Source<'a> {
    File { name: Arc<str>, text: &'a str },
    Whole(Place),
}

impl Source<'_> {
    pub fn place(&self, offset: usize) -> Place {
        match self {
            Source::File { name, text } => {
                let before = text.get(..offset.min(text.len())).unwrap_or(text);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
                Place::File { file: Arc::clone(name), line, column }
            }
            Source::Whole(place) => place.clone(),
        }
    }
}

/// `a.b`, and `a."@acme"` where the name is no bare key.
pub(super) fn joined(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

impl Value {
    pub fn of_toml(key: &str, value: &Spanned<DeValue<'_>>, source: &Source<'_>) -> Value {
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(text.to_string()),
            DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Data::Number(number),
                Err(_) => Data::Odd(number.to_string()),
            },
            DeValue::Float(number) => Data::Odd(number.to_string()),
            DeValue::Boolean(switch) => Data::Switch(*switch),
            DeValue::Datetime(time) => Data::Time(time.to_string()),
            DeValue::Array(items) => {
                let item = |(at, item)| Value::of_toml(&format!("{key}[{at}]"), item, source);
                Data::List(items.iter().enumerate().map(item).collect())
            }
            DeValue::Table(table) => {
                let entry = |(name, value): (&Spanned<_>, &_)| {
                    let text: &std::borrow::Cow<'_, str> = name.get_ref();
                    let value = Value::of_toml(&joined(key, text), value, source);
                    Entry { name: text.to_string(), place: source.place(name.span().start), value }
                };
                Data::Table(table.iter().map(entry).collect())
            }
        };
        Value { key: key.to_owned(), place: source.place(value.span().start), data }
    }

    pub fn of_text(key: &str, place: Place, text: String) -> Value {
        Value { key: key.to_owned(), place, data: Data::Text(text) }
    }

    pub fn fault(&self, wrong: impl AsRef<str>, remedy: impl AsRef<str>) -> Vec<Fault> {
        vec![Fault::new(self.place.clone(), self.key.as_str(), wrong, remedy)]
    }

    fn kind(&self) -> &'static str {
        match self.data {
            Data::Text(_) => "text",
            Data::Number(_) | Data::Odd(_) => "a number",
            Data::Switch(_) => "true or false",
            Data::Time(_) => "a time",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }

    /// Variables and flags are always text, whatever the key takes.
    fn is_from_outside(&self) -> bool {
        match self.place {
            Place::File { .. } => false,
            Place::Variable(_) | Place::Flag(_) => true,
        }
    }

    pub fn text(&self) -> Result<&str, Vec<Fault>> {
        if self.lines()?.chars().any(char::is_control) {
            return Err(self.fault("the text holds a control character", "remove line breaks, tabs and other control characters"));
        }
        self.lines().map(str::trim)
    }

    /// Text as it stands, which may have several lines.
    pub fn lines(&self) -> Result<&str, Vec<Fault>> {
        match &self.data {
            Data::Text(text) if text.chars().any(|c| c.is_control() && !['\n', '\r', '\t'].contains(&c)) => {
                Err(self.fault("the text holds a control character", "remove all but line breaks and tabs"))
            }
            Data::Text(text) => Ok(text),
            Data::Number(_) | Data::Switch(_) | Data::Time(_) | Data::List(_) | Data::Table(_) | Data::Odd(_) => {
                Err(self.fault(format!("{} stands where text belongs", self.kind()), "write text in double quotes"))
            }
        }
    }

    /// Text, or `None` for the empty one, which is how a key says "not given".
    pub fn optional_text(&self) -> Result<Option<&str>, Vec<Fault>> {
        self.text().map(|text| (!text.is_empty()).then_some(text))
    }

    pub fn number(&self, range: RangeInclusive<u64>) -> Result<u64, Vec<Fault>> {
        let number = match &self.data {
            Data::Number(number) => Some(*number),
            Data::Text(text) if self.is_from_outside() => text.trim().parse().ok(),
            Data::Text(_) | Data::Switch(_) | Data::Time(_) | Data::List(_) | Data::Table(_) | Data::Odd(_) => None,
        };
        let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
        match number {
            Some(number) if range.contains(&number) => Ok(number),
            Some(number) => Err(self.fault(format!("{number} is out of range"), remedy)),
            None => Err(self.fault("this is not a whole number", remedy)),
        }
    }

    pub fn switch(&self) -> Result<bool, Vec<Fault>> {
        match &self.data {
            Data::Switch(switch) => Ok(*switch),
            Data::Text(text) if self.is_from_outside() && text.trim() == "true" => Ok(true),
            Data::Text(text) if self.is_from_outside() && text.trim() == "false" => Ok(false),
            Data::Text(_) | Data::Number(_) | Data::Time(_) | Data::List(_) | Data::Table(_) | Data::Odd(_) => {
                Err(self.fault("this is neither true nor false", "write true or false, without quotes"))
            }
        }
    }

    pub fn list(&self) -> Result<&[Value], Vec<Fault>> {
        match &self.data {
            Data::List(items) if items.len() > ENTRIES_MAX => {
                Err(self.fault(format!("the list has {} entries", items.len()), format!("keep it to {ENTRIES_MAX}")))
            }
            Data::List(items) => Ok(items),
            Data::Text(_) | Data::Number(_) | Data::Switch(_) | Data::Time(_) | Data::Table(_) | Data::Odd(_) => Err(self.fault(
                format!("{} stands where a list belongs", self.kind()),
                "write a list in square brackets, such as [\"one\", \"two\"]",
            )),
        }
    }

    pub fn table(&self) -> Result<&[Entry], Vec<Fault>> {
        match &self.data {
            Data::Table(entries) if entries.len() > ENTRIES_MAX => {
                Err(self.fault(format!("the table has {} entries", entries.len()), format!("keep it to {ENTRIES_MAX}")))
            }
            Data::Table(entries) => Ok(entries),
            Data::Text(_) | Data::Number(_) | Data::Switch(_) | Data::Time(_) | Data::List(_) | Data::Odd(_) => {
                Err(self.fault(format!("{} stands where a table belongs", self.kind()), "see airlock.toml.example for its form"))
            }
        }
    }

    pub fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, Vec<Fault>> {
        const REMEDY: &str = "write a number and a unit in quotes: \"7d\", \"24h\", \"5m\", \"30s\"; units are w, d, h, m, s, ms";
        let text = match &self.data {
            Data::Text(text) => text.trim(),
            Data::Number(_) => return Err(self.fault("the duration has no unit", REMEDY)),
            Data::Switch(_) | Data::Time(_) | Data::List(_) | Data::Table(_) | Data::Odd(_) => {
                return Err(self.fault(format!("{} stands where a duration belongs", self.kind()), REMEDY));
            }
        };
        match read_duration(text) {
            Some(duration) if range.contains(&duration) => Ok(duration),
            Some(_) => {
                let (least, most) = (write_duration(*range.start()), write_duration(*range.end()));
                Err(self.fault(format!("{text:?} is out of range"), format!("choose from {least} to {most}")))
            }
            None => Err(self.fault(format!("{text:?} is not a duration"), REMEDY)),
        }
    }

    pub fn size(&self, range: RangeInclusive<u64>) -> Result<u64, Vec<Fault>> {
        const REMEDY: &str = "write a number and a unit in quotes: \"100MB\", \"64MiB\", \"2GB\"";
        let size = match &self.data {
            Data::Text(text) => read_size(text.trim()),
            Data::Number(number) => Some(*number),
            Data::Switch(_) | Data::Time(_) | Data::List(_) | Data::Table(_) | Data::Odd(_) => None,
        };
        match size {
            Some(size) if range.contains(&size) => Ok(size),
            Some(size) => {
                let (least, most) = (write_size(*range.start()), write_size(*range.end()));
                Err(self.fault(format!("{} is out of range", write_size(size)), format!("choose from {least} to {most}")))
            }
            None => Err(self.fault("this is not a size", REMEDY)),
        }
    }

    /// One of `choices`, by its text.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Vec<Fault>> {
        let text = self.text()?;
        let found = choices.iter().find(|(name, _)| *name == text);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
            self.fault(format!("{text:?} is not known here"), format!("choose {}", names.join(" or ")))
        })
    }

    /// The same of many choices: the one that was most likely meant is named, and not all of them. `wrong`: `no finding is called`.
    pub fn choice_near<'c, T>(&self, choices: impl IntoIterator<Item = (&'c str, T)>, wrong: &str) -> Result<T, Vec<Fault>> {
        let text = self.text()?;
        let mut names = Vec::new();
        for (name, choice) in choices {
            if name == text {
                return Ok(choice);
            }
            names.push(name);
        }
        let remedy = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", names.join(", ")),
        };
        Err(self.fault(format!("{wrong} {text:?}"), remedy))
    }

    /// A base address: http or https, with a host, without credentials, query or fragment. Never echoes the text, which may
    /// hold a password. The path ends with a slash, so that paths can be joined to it.
    pub fn base_url(&self) -> Result<Url, Vec<Fault>> {
        let text = self.text()?;
        let mut url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => {
                return Err(self.fault(format!("this is not a URL: {error}"), "write it in full, such as https://registry.example/"));
            }
        };
        if url.scheme() != "http" && url.scheme() != "https" || url.host().is_none() {
            return Err(self.fault("the URL is neither http nor https", "write it in full, such as https://registry.example/"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.fault("the URL holds credentials", "take them out; give a token by token_env or token_file"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(self.fault("the URL has a query or a fragment", "take away everything from the ? or # on"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(url)
    }
}

/// Reads every item of a list, and tells the faults of all of them. No value may come twice.
pub(super) fn each<T: PartialEq>(value: &Value, read: impl Fn(&Value) -> Result<T, Vec<Fault>>) -> Result<Vec<T>, Vec<Fault>> {
    let mut out: Vec<T> = Vec::new();
    let mut faults = Vec::new();
    for item in value.list()? {
        match read(item) {
            Ok(read) if out.contains(&read) => faults.extend(item.fault("this entry is there twice", "remove one of the two")),
            Ok(read) => out.push(read),
            Err(told) => faults.extend(told),
        }
    }
    if faults.is_empty() { Ok(out) } else { Err(faults) }
}
