//! What cannot be submitted or changed.
