//! What is measured: made-up packuments and tarballs, of the sizes that real ones have and as compressible as those.

pub mod packument;
pub mod tarball;

/// A small generator of numbers, the same ones at every run.
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Dice {
        Dice(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub fn throw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `max`.
    pub fn below(&mut self, max: usize) -> usize {
        usize::try_from(self.throw() % max as u64).unwrap()
    }

    /// One of `all`, the first ones by far the most often, as words are in texts.
    pub fn word<'w>(&mut self, all: &[&'w str]) -> &'w str {
        let at = self.below(all.len()) * self.below(all.len()) / all.len();
        all[at]
    }
}

/// Words of which names and texts are made.
pub const WORDS: [&str; 64] = [
    "value",
    "index",
    "options",
    "result",
    "node",
    "error",
    "length",
    "name",
    "data",
    "key",
    "type",
    "config",
    "path",
    "state",
    "item",
    "request",
    "response",
    "handler",
    "module",
    "buffer",
    "stream",
    "context",
    "parser",
    "token",
    "event",
    "listener",
    "callback",
    "promise",
    "source",
    "target",
    "offset",
    "string",
    "number",
    "object",
    "array",
    "element",
    "parent",
    "child",
    "render",
    "update",
    "create",
    "remove",
    "resolve",
    "reject",
    "matches",
    "pattern",
    "template",
    "format",
    "encode",
    "decode",
    "compile",
    "transform",
    "validate",
    "schema",
    "registry",
    "package",
    "version",
    "range",
    "semver",
    "cache",
    "queue",
    "worker",
    "plugin",
    "loader",
];
