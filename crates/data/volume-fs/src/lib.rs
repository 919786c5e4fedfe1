//! The file system over a volume that stock engines run on: files, folders and links, kept in a volume's pages.
//!
//! Must not know replication rules.
