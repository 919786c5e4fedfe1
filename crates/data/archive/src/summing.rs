//! Size and checksum of bytes that pass by, reckoned on a thread that may be busy for a while.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::folder::blocking;
use crate::{ArchiveError, ObjectInfo, Sha256Sum};

/// The sum over the parts so far.
#[derive(Default)]
pub(crate) struct Summing {
    size_bytes: u64,
    sum: Sha256,
}

impl Summing {
    pub(crate) async fn add(&mut self, part: &Bytes) -> Result<(), ArchiveError> {
        let (mut sum, bytes) = (std::mem::take(&mut self.sum), part.clone());
        self.sum = blocking(String::from("summing a part of an object"), move || {
            sum.update(&bytes);
            Ok(sum)
        })
        .await?;
        self.size_bytes += part.len() as u64;
        Ok(())
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(crate) fn info(&self) -> ObjectInfo {
        ObjectInfo {
            size_bytes: self.size_bytes,
            sha256: Sha256Sum::from(<[u8; 32]>::from(self.sum.clone().finalize())),
        }
    }
}
