//! Why a copy failed.

use quorate_archive::ArchiveError;
use quorate_control::CatalogError;
use quorate_volume::image::PartError;
use quorate_volume::redo::{ReadError, RedoError};
use quorate_volume::{OpenError, PagesError};

/// Why an attempt failed. Its sentence is told to users.
#[derive(Debug, thiserror::Error)]
pub(in crate::aurora::agent) enum TransferError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Pages(#[from] PagesError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Part(#[from] PartError),
    #[error(transparent)]
    Redo(#[from] RedoError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the archived log cannot be used: {0}")]
    Log(String),
    #[error("the archive is too far behind: {0} MiB of log wait for it")]
    Behind(u64),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("files on their way: {0}")]
    Io(#[from] std::io::Error),
    #[error("node {0} has no archive that it can use")]
    NoArchive(String),
    #[error("the snapshot's list of objects cannot be used: {0}")]
    Manifest(String),
    #[error("{0}")]
    Late(&'static str),
    #[error("another attempt goes on")]
    Overruled,
}
