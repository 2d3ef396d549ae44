//! The fields of one table that stands as a value: each is read, all faults are told, and unknown names are faults.

use crate::config::draft::is_inline_secret;
use crate::config::fault::Fault;
use crate::config::key::nearest;
use crate::config::value::Entry;
use crate::config::value::Value;

pub(super) struct Fields<'v> {
    whole: &'v Value,
    entries: &'v [Entry],
    faults: Vec<Fault>,
}

impl<'v> Fields<'v> {
    /// Errs when `whole` is no table.
    pub fn of(whole: &'v Value, known: &[&str]) -> Result<Fields<'v>, Vec<Fault>> {
        let entries = whole.table()?;
        let unknown = entries.iter().filter(|entry| !known.contains(&entry.name.as_str()));
        Ok(Fields { whole, entries, faults: unknown.map(|entry| unknown_field(entry, known)).collect() })
    }

    /// `None` where the field is not given, or is at fault.
    pub fn read<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Option<T> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        read(&entry.value).map_err(|faults| self.faults.extend(faults)).ok()
    }

    /// Like `read`; a field that is not given is a fault.
    pub fn required<T>(&mut self, name: &str, remedy: &str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Option<T> {
        if !self.entries.iter().any(|entry| entry.name == name) {
            self.faults.extend(self.whole.fault(format!("it has no {name}"), remedy));
        }
        self.read(name, read)
    }

    /// What was read, unless anything was at fault.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Vec<Fault>> {
        match read {
            Some(read) if self.faults.is_empty() => Ok(read),
            Some(_) | None => Err(self.faults),
        }
    }
}

fn unknown_field(field: &Entry, known: &[&str]) -> Fault {
    let tell = |wrong: &str, remedy: &str| Fault::new(field.place.clone(), field.value.key.as_str(), wrong, remedy);
    if is_inline_secret(&field.name) {
        return tell(
            "a secret never stands in the configuration",
            "use the key that ends in _env (the name of an environment variable) or in _file, and change the secret: it was written down",
        );
    }
    match nearest(&field.name, known.iter().copied()) {
        Some(near) => tell("there is no such key", &format!("did you mean {near}?")),
        None => tell("there is no such key", &format!("known here: {}", known.join(", "))),
    }
}
