//! Every limit of the archive, by name.

use std::time::Duration;

/// Bytes of one part of an upload and of one read of a download. S3 wants 5 MiB at least.
pub const PART_BYTES: usize = 8 << 20;
/// Parts that are on their way at once; these and one more are what a transfer holds in memory.
pub const PARTS_IN_FLIGHT_MAX: usize = 4;
/// Bytes of an object: an upload to S3 has 10,000 parts at most, and this crate's parts have one size.
pub const OBJECT_BYTES_MAX: u64 = 10_000 * PART_BYTES as u64;
/// Bytes of an object that S3 copies in one request; a larger one is streamed through this process.
pub(crate) const COPY_BYTES_MAX: u64 = 5 << 30;

/// Bytes of a name. S3 keys have 1,024 at most, prefix and suffix included.
pub const NAME_BYTES_MAX: usize = 512;
/// Bytes of one segment of a name. File names have 255 at most, suffix included.
pub(crate) const SEGMENT_BYTES_MAX: usize = 128;
/// Bytes of the prefix that a configuration may set.
pub(crate) const PREFIX_BYTES_MAX: usize = 256;
/// Bytes of a description; a longer one is damaged.
pub(crate) const DESCRIPTION_BYTES_MAX: u64 = 4096;
/// Objects that one list gives.
pub(crate) const LISTED_MAX: usize = 100_000;

/// Times that S3 is asked again after a failure that may pass.
pub(crate) const RETRIES_MAX: usize = 5;
/// How long after a request's start it may still be asked again.
pub(crate) const RETRY_FOR: Duration = Duration::from_secs(60);
/// First pause between two tries; the pauses double.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two tries.
pub(crate) const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a connection to S3 may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take, with its part.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Times that a name is claimed when S3 answers that another claim was under way.
pub(crate) const CLAIMS_MAX: usize = 3;
