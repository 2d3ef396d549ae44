//! Strict archive readers (stub).
