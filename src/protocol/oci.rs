//! OCI images (reserved).
