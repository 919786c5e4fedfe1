//! Instance classes by AWS's names, with their vCPUs and memory.
//!
//! The figures are those of the RDS user guide's table of hardware specifications.

const MIB: u64 = 1 << 20;

/// One instance class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceClass {
    /// As in `db.m5.large`.
    pub name: String,
    /// `DBInstanceVCPU`.
    pub vcpus: u32,
    /// `DBInstanceClassMemory`.
    pub memory_bytes: u64,
}

/// A family of classes whose sizes have one ratio of memory to vCPUs.
struct Family {
    name: &'static str,
    mib_per_vcpu: u64,
    sizes: &'static [(&'static str, u32)],
}

/// Burstable sizes differ in memory alone until `large`: vCPUs and mebibytes each.
const BURSTABLE: [(&str, u32, u64); 6] = [
    ("micro", 2, 1_024),
    ("small", 2, 2_048),
    ("medium", 2, 4_096),
    ("large", 2, 8_192),
    ("xlarge", 4, 16_384),
    ("2xlarge", 8, 32_768),
];
const BURSTABLE_FAMILIES: [&str; 2] = ["t3", "t4g"];

const SIZES: [(&str, u32); 10] = [
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("16xlarge", 64),
    ("24xlarge", 96),
    ("32xlarge", 128),
    ("48xlarge", 192),
];

/// The sizes from `large` to the one with this place in `SIZES`, for the families that have no gaps.
const fn up_to(count: usize) -> &'static [(&'static str, u32)] {
    SIZES.split_at(count).0
}

const UP_TO_16: &[(&str, u32)] = up_to(7);
const UP_TO_24: &[(&str, u32)] = up_to(8);
const UP_TO_32: &[(&str, u32)] = up_to(9);
const UP_TO_48: &[(&str, u32)] = &[
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("16xlarge", 64),
    ("24xlarge", 96),
    ("48xlarge", 192),
];

const GENERAL_MIB: u64 = 4_096;
const MEMORY_MIB: u64 = 8_192;

const FAMILIES: [Family; 12] = [
    family("m5", GENERAL_MIB, UP_TO_24),
    family("m6g", GENERAL_MIB, UP_TO_16),
    family("m6i", GENERAL_MIB, UP_TO_32),
    family("m7g", GENERAL_MIB, UP_TO_16),
    family("m7i", GENERAL_MIB, UP_TO_48),
    family("m8g", GENERAL_MIB, UP_TO_48),
    family("r5", MEMORY_MIB, UP_TO_24),
    family("r6g", MEMORY_MIB, UP_TO_16),
    family("r6i", MEMORY_MIB, UP_TO_32),
    family("r7g", MEMORY_MIB, UP_TO_16),
    family("r7i", MEMORY_MIB, UP_TO_48),
    family("r8g", MEMORY_MIB, UP_TO_48),
];

const fn family(
    name: &'static str,
    mib_per_vcpu: u64,
    sizes: &'static [(&'static str, u32)],
) -> Family {
    Family {
        name,
        mib_per_vcpu,
        sizes,
    }
}

/// Every class, in a fixed order.
#[must_use]
pub fn all_classes() -> Vec<InstanceClass> {
    let class = |family: &str, size: &str, vcpus: u32, mib: u64| InstanceClass {
        name: format!("db.{family}.{size}"),
        vcpus,
        memory_bytes: mib * MIB,
    };
    let burstable = BURSTABLE_FAMILIES.iter().flat_map(|family| {
        BURSTABLE
            .iter()
            .map(move |(size, vcpus, mib)| class(family, size, *vcpus, *mib))
    });
    let others = FAMILIES.iter().flat_map(|family| {
        let ratio = family.mib_per_vcpu;
        family
            .sizes
            .iter()
            .map(move |(size, vcpus)| class(family.name, size, *vcpus, u64::from(*vcpus) * ratio))
    });
    burstable.chain(others).collect()
}

/// The class with this name.
#[must_use]
pub fn find_class(name: &str) -> Option<InstanceClass> {
    all_classes().into_iter().find(|class| class.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_hardware_that_the_user_guide_names() {
        for (name, vcpus, gib) in [
            ("db.t3.micro", 2, 1),
            ("db.t4g.2xlarge", 8, 32),
            ("db.m5.24xlarge", 96, 384),
            ("db.m7i.48xlarge", 192, 768),
            ("db.r6g.large", 2, 16),
            ("db.r6i.32xlarge", 128, 1024),
        ] {
            let class = find_class(name).unwrap();
            assert_eq!(
                (class.vcpus, class.memory_bytes),
                (vcpus, gib << 30),
                "{name}"
            );
        }
    }

    #[test]
    fn classes_that_do_not_exist_are_not_found() {
        for name in [
            "",
            "db.m5",
            "m5.large",
            "db.m5.micro",
            "db.m7i.32xlarge",
            "db.r6g.24xlarge",
        ] {
            assert_eq!(find_class(name), None, "{name}");
        }
    }
}
