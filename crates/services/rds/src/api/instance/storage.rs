//! Storage types with their limits, and what a request may ask of them.

use crate::api::error::RdsError;

/// The smallest storage for which gp3 takes an IOPS figure.
const GP3_IOPS_FROM_GIB: u32 = 400;
/// What gp3 has without asking.
const GP3_IOPS: u32 = 3_000;
const GP3_THROUGHPUT_MIBPS: u32 = 125;

/// `StorageType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StorageType {
    Standard,
    Gp2,
    Gp3,
    Io1,
    Io2,
}

impl StorageType {
    pub(crate) const ALL: [StorageType; 5] = [
        StorageType::Standard,
        StorageType::Gp2,
        StorageType::Gp3,
        StorageType::Io1,
        StorageType::Io2,
    ];

    pub(crate) fn parse(text: &str) -> Result<StorageType, RdsError> {
        StorageType::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| RdsError::StorageTypeNotSupported(text.to_owned()))
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            StorageType::Standard => "standard",
            StorageType::Gp2 => "gp2",
            StorageType::Gp3 => "gp3",
            StorageType::Io1 => "io1",
            StorageType::Io2 => "io2",
        }
    }

    /// Smallest and largest size.
    pub(crate) fn size_gib(self) -> (u32, u32) {
        match self {
            StorageType::Standard => (5, 3_072),
            StorageType::Gp2 | StorageType::Gp3 => (20, 65_536),
            StorageType::Io1 | StorageType::Io2 => (100, 65_536),
        }
    }

    /// Smallest and largest IOPS figure, for the types that have one.
    pub(crate) fn iops(self) -> Option<(u32, u32)> {
        match self {
            StorageType::Standard | StorageType::Gp2 => None,
            StorageType::Gp3 => Some((GP3_IOPS, 64_000)),
            StorageType::Io1 | StorageType::Io2 => Some((1_000, 256_000)),
        }
    }

    /// `StorageThroughput`.
    pub(crate) fn throughput_mibps(self) -> u32 {
        match self {
            StorageType::Gp3 => GP3_THROUGHPUT_MIBPS,
            _ => 0,
        }
    }
}

/// What a request asks of storage, on top of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Storage {
    pub(crate) kind: StorageType,
    pub(crate) size_gib: u32,
    pub(crate) iops: Option<u32>,
    pub(crate) size_max_gib: Option<u32>,
}

impl Storage {
    /// Checks the figures together. Gives what is kept: gp3's own IOPS where none are asked for, and no upper
    /// size where it equals the size (which is how clients turn growth off).
    pub(crate) fn checked(mut self) -> Result<Storage, RdsError> {
        let kind = self.kind.as_str();
        let (min, max) = self.kind.size_gib();
        if !(min..=max).contains(&self.size_gib) {
            return Err(RdsError::InvalidValue(format!(
                "Invalid storage size for engine name postgres and storage type {kind}: {}. It must be between {min} and {max} GiB.",
                self.size_gib
            )));
        }
        self.iops = self.checked_iops()?;
        self.size_max_gib = self.size_max_gib.filter(|most| *most != self.size_gib);
        if let Some(most) = self.size_max_gib
            && !(self.size_gib..=max).contains(&most)
        {
            return Err(RdsError::InvalidCombination(format!(
                "Invalid max storage size for engine name postgres and storage type {kind}: {most}"
            )));
        }
        Ok(self)
    }

    fn checked_iops(&self) -> Result<Option<u32>, RdsError> {
        let kind = self.kind.as_str();
        match (self.kind.iops(), self.iops) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(RdsError::InvalidCombination(format!(
                "You can't specify IOPS for storage type {kind}."
            ))),
            (Some((least, _)), None) if self.kind == StorageType::Gp3 => Ok(Some(least)),
            (Some(_), None) => Err(RdsError::InvalidCombination(format!(
                "The parameter Iops must be provided for storage type {kind}."
            ))),
            (Some((least, _)), Some(iops))
                if self.kind == StorageType::Gp3
                    && self.size_gib < GP3_IOPS_FROM_GIB
                    && iops != least =>
            {
                Err(RdsError::InvalidCombination(format!(
                    "You can't specify IOPS or storage throughput for engine postgres and a storage size less than {GP3_IOPS_FROM_GIB}."
                )))
            }
            (Some((least, most)), Some(iops)) if !(least..=most).contains(&iops) => {
                Err(RdsError::InvalidCombination(format!(
                    "Invalid iops value for engine name postgres and storage type {kind}: {iops}. It must be between {least} and {most}."
                )))
            }
            (Some(_), Some(iops)) => Ok(Some(iops)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(
        kind: StorageType,
        size_gib: u32,
        iops: Option<u32>,
        size_max_gib: Option<u32>,
    ) -> Result<Storage, RdsError> {
        let storage = Storage {
            kind,
            size_gib,
            iops,
            size_max_gib,
        };
        storage.checked()
    }

    #[test]
    fn sizes_and_iops_have_limits_by_type() {
        assert!(checked(StorageType::Gp2, 20, None, None).is_ok());
        assert!(checked(StorageType::Gp2, 19, None, None).is_err());
        assert!(checked(StorageType::Gp2, 20, Some(1_000), None).is_err());
        assert!(checked(StorageType::Io1, 100, None, None).is_err());
        assert!(checked(StorageType::Io1, 100, Some(1_000), None).is_ok());
        assert!(checked(StorageType::Gp3, 100, Some(4_000), None).is_err());
        assert_eq!(
            checked(StorageType::Gp3, 100, None, None).unwrap().iops,
            Some(3_000)
        );
    }

    #[test]
    fn an_upper_size_equal_to_the_size_turns_growth_off() {
        let kept = checked(StorageType::Gp2, 50, None, Some(50)).unwrap();
        assert_eq!(kept.size_max_gib, None);
        assert!(checked(StorageType::Gp2, 50, None, Some(40)).is_err());
    }
}
