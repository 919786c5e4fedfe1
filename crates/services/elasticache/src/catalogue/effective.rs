//! The configuration that follows from a parameter group and a node type.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::catalogue::families::{engine_of_family, family_of, version_key};
use crate::catalogue::node_types::NodeType;
use crate::catalogue::parameters::{Parameter, parameters_of};
use crate::model::{Engine, EngineVersion};

/// One line of a configuration file: `name` and `value` of `redis.conf`, or an option of `memcached` (`-m`, or `-o` with
/// the value `slab_reassign`; an empty value for an option that takes none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The directive or option.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether a running engine takes it (`CONFIG SET`).
    pub live: bool,
}

/// All directives that parameters say, with the group's settings over the defaults of the engine's family. Ports,
/// accounts, files and replication are none of them.
#[must_use]
pub fn effective_parameters(
    engine: &EngineVersion,
    node_type: &NodeType,
    cluster_mode: bool,
    settings: &BTreeMap<String, String>,
) -> Vec<Directive> {
    let family = family_of(engine.engine, &engine.version).unwrap_or_default();
    let value = |parameter: &Parameter| {
        let set = settings.get(parameter.name).map(String::as_str);
        (parameter.name, set.unwrap_or(parameter.default).to_owned())
    };
    let version = version_key(&engine.version);
    let has = |parameter: &&&Parameter| version_key(parameter.since) <= version;
    let parameters = parameters_of(&family);
    let values: BTreeMap<&str, String> = parameters.iter().filter(has).map(|p| value(p)).collect();
    match engine_of_family(&family) {
        Some(Engine::Memcached) => memcached(&values, node_type),
        Some(Engine::Redis | Engine::Valkey) => {
            let live: BTreeMap<&str, bool> = parameters
                .iter()
                .map(|p| (p.name, p.change == crate::catalogue::ChangeType::Immediate))
                .collect();
            redis(&values, &live, node_type, cluster_mode)
        }
        None => Vec::new(),
    }
}

/// A digest of directives, to tell whether an engine was given them.
#[must_use]
pub fn parameters_digest(directives: &[Directive]) -> String {
    let mut hash = Sha256::new();
    for directive in directives {
        hash.update(directive.name.as_bytes());
        hash.update([0]);
        hash.update(directive.value.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

fn redis(
    values: &BTreeMap<&str, String>,
    live: &BTreeMap<&str, bool>,
    node_type: &NodeType,
    cluster_mode: bool,
) -> Vec<Directive> {
    let percent = number(values, "reserved-memory-percent").min(100);
    let maxmemory = node_type.maxmemory_bytes / 100 * (100 - percent)
        + node_type.maxmemory_bytes % 100 * (100 - percent) / 100;
    let mut directives = Vec::new();
    for (name, value) in values {
        let value = match *name {
            // Zero would mean no bound at all.
            "maxmemory" => maxmemory.max(1).to_string(),
            "maxclients" => node_type.clients_max().to_string(),
            "cluster-enabled" => if cluster_mode { "yes" } else { "no" }.to_owned(),
            "databases" if cluster_mode => String::from("1"),
            "cluster-allow-reads-when-down"
            | "cluster-require-full-coverage"
            | "cluster-allow-pubsubshard-when-down"
                if !cluster_mode =>
            {
                continue;
            }
            // Of AWS's own; not the engine's.
            "reserved-memory-percent" | "close-on-replica-write" => continue,
            // One directive for each class of clients, below. What replicas may have waiting goes by the node.
            name if name.starts_with("client-output-buffer-limit-") => continue,
            // The older names of the same settings: the newer ones are in the table from version 7 on.
            name if name.contains("-ziplist-") && values.contains_key(listpack(name).as_str()) => {
                continue;
            }
            _ => value.clone(),
        };
        directives.push(Directive {
            name: (*name).to_owned(),
            value,
            live: live.get(name).copied().unwrap_or(false) && *name != "cluster-enabled",
        });
    }
    for class in ["normal", "pubsub"] {
        let part = |part: &str| {
            let name = format!("client-output-buffer-limit-{class}-{part}");
            values.get(name.as_str()).cloned().unwrap_or_default()
        };
        directives.push(Directive {
            name: String::from("client-output-buffer-limit"),
            value: format!(
                "{class} {} {} {}",
                part("hard-limit"),
                part("soft-limit"),
                part("soft-seconds")
            ),
            live: true,
        });
    }
    directives
}

fn listpack(name: &str) -> String {
    name.replace("-ziplist-", "-listpack-")
}

fn memcached(values: &BTreeMap<&str, String>, node_type: &NodeType) -> Vec<Directive> {
    let is_on = |name: &str| values.get(name).is_some_and(|value| value == "1");
    let text = |name: &str| values.get(name).cloned().unwrap_or_default();
    let overhead = number(values, "memcached_connections_overhead");
    let memory = node_type.max_cache_memory_mib.saturating_sub(overhead);
    let (item_bytes, chunk_kib) = item_and_chunk(values);
    let mut directives = vec![
        option("-m", memory.max(64)),
        option("-t", node_type.vcpus),
        option("-c", text("max_simultaneous_connections")),
        option("-b", text("backlog_queue_limit")),
        option("-R", text("requests_per_event")),
        option("-I", item_bytes),
        option("-n", text("chunk_size")),
        option("-f", text("chunk_size_growth_factor")),
        option("-B", text("binding_protocol")),
    ];
    for (name, flag) in [
        ("error_on_memory_exhausted", "-M"),
        ("cas_disabled", "-C"),
        ("disable_flush_all", "-F"),
    ] {
        if is_on(name) {
            directives.push(option(flag, ""));
        }
    }
    for name in [
        "hash_algorithm",
        "idle_timeout",
        "slab_automove",
        "watcher_logbuf_size",
        "worker_logbuf_size",
    ] {
        directives.push(option("-o", format!("{name}={}", text(name))));
    }
    directives.push(option("-o", format!("slab_chunk_max={chunk_kib}")));
    for (name, on, off) in [
        ("lru_crawler", "lru_crawler", "no_lru_crawler"),
        ("lru_maintainer", "lru_maintainer", "no_lru_maintainer"),
        ("maxconns_fast", "maxconns_fast", "no_maxconns_fast"),
        ("slab_reassign", "slab_reassign", "no_slab_reassign"),
    ] {
        directives.push(option("-o", if is_on(name) { on } else { off }));
    }
    if is_on("track_sizes") {
        directives.push(option("-o", "track_sizes"));
    }
    directives
}

/// Bytes of the largest item and kibibytes of the largest chunk. Memcached wants the chunk to divide both its page (one
/// mebibyte) and the item: it becomes a power of two, and the item a multiple of it.
fn item_and_chunk(values: &BTreeMap<&str, String>) -> (u64, u64) {
    let item = number(values, "max_item_size").max(1_024);
    let chunk = number(values, "slab_chunk_max").clamp(1_024, item.min(1 << 19));
    let chunk = 1 << chunk.ilog2();
    (item.next_multiple_of(chunk), chunk >> 10)
}

fn option(name: &str, value: impl ToString) -> Directive {
    Directive {
        name: name.to_owned(),
        value: value.to_string(),
        live: false,
    }
}

fn number(values: &BTreeMap<&str, String>, name: &str) -> u64 {
    let value = values.get(name).and_then(|value| value.parse().ok());
    value.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find_node_type;

    fn of(engine: Engine, version: &str, cluster: bool, set: &[(&str, &str)]) -> Vec<Directive> {
        let settings = set.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let engine = EngineVersion {
            engine,
            version: version.into(),
        };
        let micro = find_node_type("cache.t3.micro").unwrap();
        effective_parameters(&engine, micro, cluster, &settings.collect())
    }

    fn value<'d>(directives: &'d [Directive], name: &str) -> Option<&'d str> {
        let found = directives.iter().find(|directive| directive.name == name);
        found.map(|directive| directive.value.as_str())
    }

    #[test]
    fn memory_follows_the_node_type_less_what_is_reserved() {
        let default = of(Engine::Redis, "7.0.15", false, &[]);
        // AWS's own example of cache.t3.micro.
        assert_eq!(value(&default, "maxmemory"), Some("402653184"));
        assert_eq!(value(&default, "maxclients"), Some("20000"));
        let none = of(
            Engine::Redis,
            "7.0.15",
            false,
            &[("reserved-memory-percent", "0")],
        );
        assert_eq!(value(&none, "maxmemory"), Some("536870912"));
        let all = of(
            Engine::Redis,
            "7.0.15",
            false,
            &[("reserved-memory-percent", "100")],
        );
        assert_eq!(value(&all, "maxmemory"), Some("1"));
        assert_eq!(value(&default, "reserved-memory-percent"), None);
    }

    #[test]
    fn settings_of_the_group_stand_over_defaults() {
        let set = [
            ("maxmemory-policy", "allkeys-lfu"),
            ("min-replicas-to-write", "1"),
        ];
        let directives = of(Engine::Valkey, "8.0.1", true, &set);
        assert_eq!(value(&directives, "maxmemory-policy"), Some("allkeys-lfu"));
        assert_eq!(value(&directives, "min-replicas-to-write"), Some("1"));
        assert_eq!(value(&directives, "cluster-enabled"), Some("yes"));
        assert_eq!(value(&directives, "databases"), Some("1"));
        let before = parameters_digest(&of(Engine::Valkey, "8.0.1", true, &[]));
        assert_ne!(parameters_digest(&directives), before);
    }

    #[test]
    fn a_version_is_given_only_what_it_knows() {
        let six = of(Engine::Redis, "6.0.16", false, &[]);
        assert_eq!(value(&six, "hash-max-ziplist-entries"), Some("512"));
        assert_eq!(value(&six, "lazyfree-lazy-user-flush"), None);
        assert_eq!(value(&six, "cluster-require-full-coverage"), None);
        let seven = of(Engine::Redis, "7.0.15", false, &[]);
        assert_eq!(value(&seven, "hash-max-ziplist-entries"), None);
        assert_eq!(value(&seven, "hash-max-listpack-entries"), Some("512"));
    }

    #[test]
    fn memcached_has_options() {
        let directives = of(
            Engine::Memcached,
            "1.6.18",
            false,
            &[("disable_flush_all", "1")],
        );
        assert_eq!(value(&directives, "-m"), Some("412"));
        assert_eq!(value(&directives, "-t"), Some("2"));
        assert_eq!(value(&directives, "-F"), Some(""));
        assert_eq!(value(&directives, "-M"), None);
        assert_eq!(value(&directives, "-I"), Some("1048576"));
        let odd = of(
            Engine::Memcached,
            "1.6.18",
            false,
            &[("max_item_size", "1500000")],
        );
        assert_eq!(value(&odd, "-I"), Some("1572864"));
        assert!(odd.iter().any(|d| d.value == "slab_chunk_max=512"));
    }
}
