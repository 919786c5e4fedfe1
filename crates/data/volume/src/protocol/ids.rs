//! The names of a volume's parts and of positions in its log.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl $name {
            /// The one after this.
            #[must_use]
            pub fn next(self) -> $name {
                $name(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// Log sequence number: the place of a record in its volume's log. The first record is 1; 0 stands before all.
    Lsn,
    u64
);
number!(
    /// A page of a volume, counted from 0.
    PageId,
    u64
);
number!(
    /// A protection group of a volume, counted from 0: the pages from `index * pages of a group` on.
    GroupIndex,
    u32
);
number!(
    /// Raised by each writer that takes a volume over. Records of a lower epoch are refused from then on.
    VolumeEpoch,
    u64
);
number!(
    /// Raised by each change of a protection group's segments.
    MembershipEpoch,
    u64
);

/// A volume: the resource id of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VolumeId(pub String);

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the copies of a protection group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    /// The volume.
    pub volume: VolumeId,
    /// The protection group.
    pub group: GroupIndex,
    /// Which copy. 0 to 5 at first; a segment that takes another one's place gets a number that none had before.
    pub copy: u32,
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.volume, self.group, self.copy)
    }
}
