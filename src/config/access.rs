//! `[access]`: what a caller without a token may do.

#[derive(Clone, PartialEq, Debug)]
pub struct Access {
    pub anonymous: Anonymous,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anonymous {
    Reader,
    None,
}

impl Default for Access {
    fn default() -> Access {
        Access { anonymous: Anonymous::Reader }
    }
}
