//! Blobs and documents as files named by their digest, in folders by its first two digits.

mod blobs;
mod documents;
mod files;
mod key;
mod settling;

pub use blobs::DiskBlobs;
pub use documents::DiskDocuments;
pub use key::KeyFile;
