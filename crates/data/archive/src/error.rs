//! What can go wrong with an object, and how the errors of `object_store` are told apart.

use std::error::Error;
use std::io;

use object_store::client::HttpError;

use crate::ObjectName;

/// A failed operation on the archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// No object has this name.
    #[error("the archive has no object `{name}`")]
    NotFound {
        /// The name that was asked for.
        name: ObjectName,
    },
    /// An object has this name already: objects never change.
    #[error("the archive has an object `{name}` already")]
    AlreadyThere {
        /// The name that was wanted.
        name: ObjectName,
    },
    /// What lies in the archive is not what was stored, or not what was expected.
    #[error("the object `{name}` is damaged: expected {expected}, found {found}")]
    Corrupt {
        /// The object.
        name: ObjectName,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The disk or the bucket is full.
    #[error("{doing}: no space is left: {detail}")]
    NoSpace {
        /// What was being done.
        doing: String,
        /// The words of the system or of S3.
        detail: String,
    },
    /// Permissions, credentials, or a bucket that is not there.
    #[error("{doing}: refused: {detail}")]
    Refused {
        /// What was being done.
        doing: String,
        /// The words of the system or of S3.
        detail: String,
    },
    /// S3 does not answer, or answers with failures of its own. What a write did is unknown.
    #[error("{doing}: the archive cannot be reached: {detail}")]
    Unreachable {
        /// What was being done.
        doing: String,
        /// The last failure.
        detail: String,
    },
    /// A text that is no object's name.
    #[error("`{name}` cannot name an object: {why}")]
    BadName {
        /// The text.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A configuration that cannot work.
    #[error("archive: {why}")]
    BadConfig {
        /// What is wrong with it.
        why: String,
    },
    /// An object, or a list of objects, beyond the archive's bounds.
    #[error("{what} is beyond the archive's bound of {max}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The bound.
        max: u64,
    },
    /// The operating system refused something, or S3 answered what nobody expects.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The error.
        source: io::Error,
    },
}

impl ArchiveError {
    /// Adds what was being done to an error of the operating system.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> ArchiveError {
        let doing = doing.into();
        move |source| match decide_kind(&source) {
            Kind::NoSpace => ArchiveError::NoSpace {
                doing,
                detail: source.to_string(),
            },
            Kind::Refused => ArchiveError::Refused {
                doing,
                detail: source.to_string(),
            },
            _ => ArchiveError::Io { doing, source },
        }
    }

    /// Adds what was being done to an error of `object_store`.
    ///
    /// "Not found" is [`ArchiveError::Refused`] here: who reads turns it into [`ArchiveError::NotFound`] before, and for
    /// who writes it is the bucket that is not there.
    pub(crate) fn store(
        doing: impl Into<String>,
    ) -> impl FnOnce(object_store::Error) -> ArchiveError {
        let doing = doing.into();
        move |error| {
            let detail = error.to_string();
            match decide_kind(&error) {
                Kind::NoSpace => ArchiveError::NoSpace { doing, detail },
                Kind::Refused => ArchiveError::Refused { doing, detail },
                Kind::Unreachable => ArchiveError::Unreachable { doing, detail },
                Kind::Other => ArchiveError::Io {
                    doing,
                    source: io::Error::other(error),
                },
            }
        }
    }
}

/// Whether an error says that the key is not there, and nothing worse (a missing bucket is worse).
pub(crate) fn is_not_found(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
        && !error.to_string().contains("NoSuchBucket")
}

/// Whether a device failed under a write, so that nothing can be said of what it holds.
pub(crate) fn is_device_failure(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|e| {
        e.downcast_ref::<io::Error>()
            .is_some_and(|e| e.raw_os_error() == Some(nix::errno::Errno::EIO as i32))
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    NoSpace,
    Refused,
    Unreachable,
    Other,
}

/// Sorts an error by what stands in its chain, outermost first; S3's answers are told by their words, because
/// `object_store` keeps the type that holds the status to itself.
fn decide_kind(error: &(dyn Error + 'static)) -> Kind {
    for link in chain(error) {
        if let Some(
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. }
            | object_store::Error::NotFound { .. },
        ) = link.downcast_ref()
        {
            return Kind::Refused;
        }
        if let Some(error) = link.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => return Kind::NoSpace,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    return Kind::Refused;
                }
                _ => {}
            }
        }
        if link.is::<HttpError>() {
            return Kind::Unreachable;
        }
    }
    decide_kind_of_answer(&error.to_string())
}

fn decide_kind_of_answer(text: &str) -> Kind {
    const FULL: [&str; 4] = [
        "status code: 507",
        "StorageFull",
        "QuotaExceeded",
        "InsufficientStorage",
    ];
    const FAILING: [&str; 4] = [
        "status code: 5",
        "status code: 429",
        "SlowDown",
        "InternalError",
    ];
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&FULL) {
        Kind::NoSpace
    } else if says(&FAILING) {
        Kind::Unreachable
    } else {
        Kind::Other
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| inner(*error))
}

/// The next error of a chain. An `io::Error` that wraps another error names that one's source as its own, so the
/// wrapped error itself would be left out.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(source: io::Error) -> object_store::Error {
        object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(source),
        }
    }

    #[test]
    fn a_full_disk_and_a_closed_folder_are_told_apart() {
        let error = ArchiveError::store("x")(local(io::ErrorKind::StorageFull.into()));
        assert!(matches!(error, ArchiveError::NoSpace { .. }), "{error:?}");
        let error = ArchiveError::store("x")(local(io::ErrorKind::PermissionDenied.into()));
        assert!(matches!(error, ArchiveError::Refused { .. }), "{error:?}");
        let error = ArchiveError::io("x")(io::ErrorKind::StorageFull.into());
        assert!(matches!(error, ArchiveError::NoSpace { .. }), "{error:?}");
    }

    #[test]
    fn a_failing_device_is_found_in_the_chain() {
        let failing = io::Error::other(io::Error::from_raw_os_error(5));
        assert!(is_device_failure(&local(failing)));
        assert!(!is_device_failure(&local(
            io::ErrorKind::StorageFull.into()
        )));
    }

    #[test]
    fn answers_of_s3_are_sorted_by_their_words() {
        for (text, kind) in [
            (
                "Server returned non-2xx status code: 507 Insufficient",
                Kind::NoSpace,
            ),
            ("<Code>XMinioStorageFull</Code>", Kind::NoSpace),
            (
                "Server returned non-2xx status code: 503 x",
                Kind::Unreachable,
            ),
            ("Server returned non-2xx status code: 400 x", Kind::Other),
        ] {
            assert_eq!(decide_kind_of_answer(text), kind, "{text}");
        }
    }
}
