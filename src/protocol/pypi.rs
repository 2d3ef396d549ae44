//! Python's simple index (reserved).
