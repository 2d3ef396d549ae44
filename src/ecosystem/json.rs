//! Strict JSON (stub).
