//! Node types by AWS's names, with what AWS publishes of each.
//!
//! The figures are those of the ElastiCache user guide's tables of node-type specific parameters.

/// One node type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeType {
    /// As in `cache.t3.micro`.
    pub name: &'static str,
    /// `maxmemory` of Redis and Valkey before what is reserved, bytes.
    pub maxmemory_bytes: u64,
    /// `max_cache_memory` of Memcached before connections' overhead, mebibytes.
    pub max_cache_memory_mib: u64,
    /// vCPUs; Memcached's `num_threads`.
    pub vcpus: u32,
}

const fn node(
    name: &'static str,
    maxmemory_bytes: u64,
    max_cache_memory_mib: u64,
    vcpus: u32,
) -> NodeType {
    NodeType {
        name,
        maxmemory_bytes,
        max_cache_memory_mib,
        vcpus,
    }
}

const NODE_TYPES: &[NodeType] = &[
    node("cache.t3.micro", 536_870_912, 512, 2),
    node("cache.t3.small", 1_471_026_299, 1_402, 2),
    node("cache.t3.medium", 3_317_862_236, 3_164, 2),
    node("cache.t4g.micro", 536_870_912, 512, 2),
    node("cache.t4g.small", 1_471_026_299, 1_402, 2),
    node("cache.t4g.medium", 3_317_862_236, 3_164, 2),
    node("cache.m5.large", 6_854_542_746, 6_537, 2),
    node("cache.m5.xlarge", 13_891_921_715, 13_248, 4),
    node("cache.m5.2xlarge", 27_966_669_210, 26_671, 8),
    node("cache.m5.4xlarge", 56_116_178_125, 53_516, 16),
    node("cache.m5.12xlarge", 168_715_971_994, 160_900, 48),
    node("cache.m5.24xlarge", 337_500_562_842, 321_865, 96),
    node("cache.m6g.large", 6_854_542_746, 6_537, 2),
    node("cache.m6g.xlarge", 13_891_921_715, 13_248, 4),
    node("cache.m6g.2xlarge", 27_966_669_210, 26_671, 8),
    node("cache.m6g.4xlarge", 56_116_178_125, 53_516, 16),
    node("cache.m6g.8xlarge", 111_325_552_312, 107_000, 32),
    node("cache.m6g.12xlarge", 168_715_971_994, 160_900, 48),
    node("cache.m6g.16xlarge", 225_000_375_228, 214_577, 64),
    node("cache.m7g.large", 6_854_542_746, 6_537, 2),
    node("cache.m7g.xlarge", 13_891_921_715, 13_248, 4),
    node("cache.m7g.2xlarge", 27_966_669_210, 26_671, 8),
    node("cache.m7g.4xlarge", 56_116_178_125, 53_516, 16),
    node("cache.m7g.8xlarge", 111_325_552_312, 107_000, 32),
    node("cache.m7g.12xlarge", 168_715_971_994, 160_900, 48),
    node("cache.m7g.16xlarge", 225_000_375_228, 214_577, 64),
    node("cache.r5.large", 14_037_181_030, 13_387, 2),
    node("cache.r5.xlarge", 28_261_849_702, 26_953, 4),
    node("cache.r5.2xlarge", 56_711_183_565, 54_084, 8),
    node("cache.r5.4xlarge", 113_609_865_216, 108_347, 16),
    node("cache.r5.12xlarge", 341_206_346_547, 325_400, 48),
    node("cache.r5.24xlarge", 682_485_973_811, 650_869, 96),
    node("cache.r6g.large", 14_037_181_030, 13_387, 2),
    node("cache.r6g.xlarge", 28_261_849_702, 26_953, 4),
    node("cache.r6g.2xlarge", 56_711_183_565, 54_084, 8),
    node("cache.r6g.4xlarge", 113_609_865_216, 108_347, 16),
    node("cache.r6g.8xlarge", 225_000_375_228, 214_577, 32),
    node("cache.r6g.12xlarge", 341_206_346_547, 325_400, 48),
    node("cache.r6g.16xlarge", 450_000_750_456, 429_154, 64),
    node("cache.r7g.large", 14_037_181_030, 13_387, 2),
    node("cache.r7g.xlarge", 28_261_849_702, 26_953, 4),
    node("cache.r7g.2xlarge", 56_711_183_565, 54_084, 8),
    node("cache.r7g.4xlarge", 113_609_865_216, 108_347, 16),
    node("cache.r7g.8xlarge", 225_000_375_228, 214_577, 32),
    node("cache.r7g.12xlarge", 341_206_346_547, 325_400, 48),
    node("cache.r7g.16xlarge", 450_000_750_456, 429_154, 64),
];

/// All node types, families together, small ones first.
#[must_use]
pub fn node_types() -> &'static [NodeType] {
    NODE_TYPES
}

/// The node type of that name.
#[must_use]
pub fn find_node_type(name: &str) -> Option<&'static NodeType> {
    NODE_TYPES.iter().find(|node| node.name == name)
}

impl NodeType {
    /// `maxclients`: the smallest burstable types take fewer.
    #[must_use]
    pub fn clients_max(&self) -> u32 {
        match self.name {
            "cache.t3.micro" | "cache.t4g.micro" => 20_000,
            "cache.t3.small" | "cache.t3.medium" => 46_000,
            _ => 65_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_their_full_name() {
        let micro = find_node_type("cache.t3.micro").unwrap();
        assert_eq!((micro.maxmemory_bytes, micro.vcpus), (512 << 20, 2));
        assert_eq!(find_node_type("t3.micro"), None);
        assert_eq!(find_node_type("cache.t9.micro"), None);
    }
}
