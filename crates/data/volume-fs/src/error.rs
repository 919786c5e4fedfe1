//! Why an operation on the files of a volume fails.

use quorate_volume::PagesError;

/// Why an operation fails. Each has one error number of POSIX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FsError {
    /// ENOENT.
    #[error("there is no such file")]
    NotFound,
    /// EEXIST.
    #[error("the name is taken")]
    Exists,
    /// ENOTDIR.
    #[error("not a folder")]
    NotFolder,
    /// EISDIR.
    #[error("a folder")]
    IsFolder,
    /// ENOTEMPTY.
    #[error("the folder is not empty")]
    NotEmpty,
    /// ENAMETOOLONG.
    #[error("the name is too long")]
    NameTooLong,
    /// EINVAL.
    #[error("the arguments make no sense")]
    Invalid,
    /// EPERM.
    #[error("not permitted")]
    NotPermitted,
    /// EFBIG.
    #[error("the file would be too large")]
    TooLarge,
    /// ENXIO: no data or hole from there on.
    #[error("nothing from there on")]
    NothingBehind,
    /// ENOSPC.
    #[error("no room is left")]
    NoSpace,
    /// EROFS.
    #[error("the file system is for reading only")]
    ReadOnly,
    /// EIO: the pages cannot be had or written any more.
    #[error(transparent)]
    Pages(PagesError),
    /// EIO: what the pages hold is no file system, or a damaged one.
    #[error("the volume holds no sound file system: {0}")]
    Corrupt(String),
}

impl From<PagesError> for FsError {
    fn from(error: PagesError) -> Self {
        match error {
            PagesError::NoSpace(_) | PagesError::BeyondEnd(_) => FsError::NoSpace,
            PagesError::ReadOnly => FsError::ReadOnly,
            other => FsError::Pages(other),
        }
    }
}
