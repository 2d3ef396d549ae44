//! What people do with real clients besides installing: publish, sign in, look after what is theirs.
