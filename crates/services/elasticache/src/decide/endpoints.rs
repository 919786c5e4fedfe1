//! Where the endpoints of a cache lead.
//!
//! Invariants
//! - The primary endpoint and the endpoints of members follow from the record alone: a node that was not heard of for a
//!   moment loses no connection.
//! - Only the primary endpoint goes by the shard's epoch: a failover cuts no reader that stays with a replica.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use quorate_base::Epoch;
use quorate_control::{ClusterConfiguration, Endpoint, EndpointProtocol};

use crate::model::{
    Cache, CacheKind, Desired, EngineState, Member, MemberNumber, MemberReport, MemberState, Shard,
    ShardNumber,
};

/// What is known of a member's engine at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Its node has no session.
    Away,
    /// Its engine does not answer.
    Down,
    /// It answers, as a primary or as a node that knows no others.
    Leads,
    /// It answers, as a replica.
    Follows {
        /// Whether its link to the primary is up.
        linked: bool,
    },
}

/// What is known of a cache's members. Of a member that is not in it nothing is known: what was said of it stays.
pub type Sights = BTreeMap<(ShardNumber, MemberNumber), Sight>;

impl Sight {
    /// What a report says.
    #[must_use]
    pub fn of(report: &MemberReport) -> Sight {
        match report.engine {
            EngineState::Down | EngineState::Starting => Sight::Down,
            EngineState::Leading => Sight::Leads,
            EngineState::Following => Sight::Follows {
                linked: report.link.is_some_and(|link| link.up && !link.copying),
            },
        }
    }
}

/// The id of a cache's main endpoint: the primary endpoint, the configuration endpoint, or that of a lone node.
#[must_use]
pub fn main_endpoint_id(cache: &str) -> String {
    format!("elasticache:{cache}")
}

/// The id of a cache's reader endpoint.
#[must_use]
pub fn reader_endpoint_id(cache: &str) -> String {
    format!("elasticache:{cache}:reader")
}

/// The id of a member's endpoint.
#[must_use]
pub fn member_endpoint_id(cache: &str, shard: ShardNumber, member: MemberNumber) -> String {
    format!("elasticache:{cache}/{:04}/{:03}", shard.0, member.0)
}

/// All endpoints that a cache is to have, by id. `present` are those that it has; `gateway` is the address on which
/// clients reach them.
#[must_use]
pub fn decide_endpoints(
    id: &str,
    cache: &Cache,
    sights: &Sights,
    present: &BTreeMap<String, Endpoint>,
    gateway: IpAddr,
) -> BTreeMap<String, Endpoint> {
    let mut wanted = BTreeMap::new();
    let main_id = main_endpoint_id(id);
    let main = main_endpoint(cache, sights, present.get(&main_id), gateway);
    wanted.insert(main_id, main);
    if let Some(port) = cache.reader_port {
        let reader_id = reader_endpoint_id(id);
        let now = present.get(&reader_id);
        wanted.insert(
            reader_id,
            endpoint(port, readers(cache, sights, now), Epoch(1)),
        );
    }
    for (shard_number, shard) in &cache.topology.shards {
        for (number, member) in &shard.members {
            // A lone node is reached by the main endpoint.
            if member.endpoint_port == cache.endpoint_port {
                continue;
            }
            let targets = serving(cache, member).into_iter().collect();
            let epoch = Epoch(1 + u64::from(member.incarnation));
            let id = member_endpoint_id(id, *shard_number, *number);
            wanted.insert(id, endpoint(member.endpoint_port, targets, epoch));
        }
    }
    wanted
}

fn endpoint(port: u16, targets: Vec<SocketAddr>, epoch: Epoch) -> Endpoint {
    Endpoint {
        port,
        targets,
        epoch,
        protocol: EndpointProtocol::Opaque,
        cluster: None,
    }
}

fn main_endpoint(
    cache: &Cache,
    sights: &Sights,
    present: Option<&Endpoint>,
    gateway: IpAddr,
) -> Endpoint {
    let port = cache.endpoint_port;
    if cache.kind == CacheKind::Memcached {
        return Endpoint {
            protocol: EndpointProtocol::Memcached,
            cluster: Some(configuration(cache, present, gateway)),
            ..endpoint(port, answering(cache, sights, present), Epoch(1))
        };
    }
    if cache.settings.cluster_mode {
        return endpoint(port, answering(cache, sights, present), Epoch(1));
    }
    let shard = cache.topology.shards.values().next();
    let primary = shard.and_then(Shard::primary_member);
    let target = primary.and_then(|member| serving(cache, member));
    let epoch = shard.map_or(Epoch(1), |shard| shard.epoch);
    endpoint(port, target.into_iter().collect(), epoch)
}

/// Where a member is reached, while it should serve.
fn serving(cache: &Cache, member: &Member) -> Option<SocketAddr> {
    let wanted = cache.desired == Desired::Running && member.state == MemberState::Running;
    member.address.filter(|_| wanted)
}

/// Members that fit, or that nothing is known of and that were targets before.
fn chosen(
    cache: &Cache,
    sights: &Sights,
    present: Option<&Endpoint>,
    primaries_too: bool,
    fits: impl Fn(Sight) -> bool,
) -> Vec<SocketAddr> {
    let was_target = |address| present.is_some_and(|e| e.targets.contains(&address));
    let mut targets = Vec::new();
    for (shard_number, shard) in &cache.topology.shards {
        for (number, member) in &shard.members {
            let counts = primaries_too || shard.primary != Some(*number);
            let Some(address) = serving(cache, member).filter(|_| counts) else {
                continue;
            };
            let sight = sights.get(&(*shard_number, *number));
            if sight.map_or_else(|| was_target(address), |sight| fits(*sight)) {
                targets.push(address);
            }
        }
    }
    targets
}

fn answering(cache: &Cache, sights: &Sights, present: Option<&Endpoint>) -> Vec<SocketAddr> {
    chosen(cache, sights, present, true, |sight| {
        matches!(sight, Sight::Leads | Sight::Follows { .. })
    })
}

/// The replicas whose link is up; the primary where there is none.
fn readers(cache: &Cache, sights: &Sights, present: Option<&Endpoint>) -> Vec<SocketAddr> {
    let mut targets = chosen(cache, sights, present, false, |sight| {
        sight == Sight::Follows { linked: true }
    });
    if targets.is_empty() {
        let shard = cache.topology.shards.values().next();
        let primary = shard.and_then(Shard::primary_member);
        targets.extend(primary.and_then(|member| serving(cache, member)));
    }
    targets
}

/// What clients of a Memcached cluster are told: all nodes that have served and are not on their way out, whether they
/// answer or not, so that the loss of a node moves no keys.
fn configuration(
    cache: &Cache,
    present: Option<&Endpoint>,
    gateway: IpAddr,
) -> ClusterConfiguration {
    let members = cache
        .topology
        .shards
        .values()
        .flat_map(|shard| shard.members.values());
    let nodes: Vec<SocketAddr> = members
        .filter(|member| member.address.is_some() && member.state != MemberState::Leaving)
        .map(|member| SocketAddr::new(gateway, member.endpoint_port))
        .collect();
    let told = present.and_then(|endpoint| endpoint.cluster.as_ref());
    let version = told.map_or(0, |told| told.version);
    let same = told.is_some_and(|told| told.nodes == nodes);
    ClusterConfiguration {
        version: if same { version } else { version + 1 }.max(cache.configuration_version),
        nodes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixture::{at, cache, memcached};

    const GATEWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const SHARD: ShardNumber = ShardNumber(1);

    fn sights(of: &[(u16, Sight)]) -> Sights {
        let entry = |(number, sight): &(u16, Sight)| ((SHARD, MemberNumber(*number)), *sight);
        of.iter().map(entry).collect()
    }

    fn linked(linked: bool) -> Sight {
        Sight::Follows { linked }
    }

    fn decide(cache: &Cache, sights: &Sights) -> BTreeMap<String, Endpoint> {
        decide_endpoints("c", cache, sights, &BTreeMap::new(), GATEWAY)
    }

    #[test]
    fn the_reader_endpoint_has_the_replicas_whose_link_is_up_else_the_primary() {
        let cache = cache(3);
        let table = [
            (vec![(2, linked(true)), (3, linked(true))], vec![2, 3]),
            (vec![(2, linked(false)), (3, linked(true))], vec![3]),
            (vec![(2, Sight::Away), (3, Sight::Down)], vec![1]),
            (vec![(2, Sight::Leads), (3, linked(false))], vec![1]),
            (vec![], vec![1]),
        ];
        for (seen, wanted) in table {
            let got = &decide(&cache, &sights(&seen))["elasticache:c:reader"];
            let wanted: Vec<SocketAddr> = wanted.into_iter().map(at).collect();
            assert_eq!(got.targets, wanted, "{seen:?}");
            assert_eq!(got.port, 7001);
        }
    }

    #[test]
    fn what_nothing_is_known_of_stays_as_it_was() {
        let cache = cache(3);
        let seen = sights(&[(2, linked(true)), (3, linked(true))]);
        let present = decide(&cache, &seen);
        let after = |seen: &[(u16, Sight)]| {
            let wanted = decide_endpoints("c", &cache, &sights(seen), &present, GATEWAY);
            wanted["elasticache:c:reader"].targets.clone()
        };
        assert_eq!(after(&[]), [at(2), at(3)]);
        assert_eq!(after(&[(2, Sight::Away)]), [at(3)]);
    }

    #[test]
    fn a_new_primary_leaves_the_readers_and_cuts_only_the_primary_endpoint() {
        let mut cache = cache(3);
        let before = decide(&cache, &sights(&[(2, linked(true)), (3, linked(true))]));
        let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
        shard.primary = Some(MemberNumber(2));
        shard.epoch = shard.epoch.next();
        let seen = sights(&[(1, Sight::Away)]);
        let after = decide_endpoints("c", &cache, &seen, &before, GATEWAY);
        assert_eq!(before["elasticache:c"].targets, [at(1)]);
        assert_eq!(after["elasticache:c"].targets, [at(2)]);
        assert!(after["elasticache:c"].epoch > before["elasticache:c"].epoch);
        assert_eq!(after["elasticache:c:reader"].targets, [at(3)]);
        assert_eq!(
            after["elasticache:c:reader"].epoch,
            before["elasticache:c:reader"].epoch
        );
    }

    #[test]
    fn members_are_reached_while_they_run() {
        let mut cache = cache(2);
        let members = &mut cache.topology.shards.get_mut(&SHARD).unwrap().members;
        members.get_mut(&MemberNumber(2)).unwrap().state = MemberState::Placed;
        let wanted = decide(&cache, &Sights::new());
        assert_eq!(wanted["elasticache:c/0001/001"].targets, [at(1)]);
        assert!(wanted["elasticache:c/0001/002"].targets.is_empty());
        cache.desired = Desired::Deleted {
            final_snapshot: None,
        };
        let wanted = decide(&cache, &Sights::new());
        assert!(wanted.values().all(|endpoint| endpoint.targets.is_empty()));
    }

    #[test]
    fn a_lone_node_has_one_endpoint() {
        let mut cache = cache(1);
        cache.kind = CacheKind::LoneNode;
        cache.reader_port = None;
        let members = &mut cache.topology.shards.get_mut(&SHARD).unwrap().members;
        members.get_mut(&MemberNumber(1)).unwrap().endpoint_port = cache.endpoint_port;
        let wanted = decide(&cache, &Sights::new());
        assert_eq!(wanted.keys().collect::<Vec<_>>(), ["elasticache:c"]);
        assert_eq!(wanted["elasticache:c"].targets, [at(1)]);
    }

    #[test]
    fn the_loss_of_a_memcached_node_moves_no_keys_and_a_change_of_nodes_raises_the_version() {
        let mut cache = memcached(3);
        let all = sights(&[(1, Sight::Leads), (2, Sight::Leads), (3, Sight::Leads)]);
        let first = decide(&cache, &all);
        let told = first["elasticache:c"].cluster.clone().unwrap();
        assert_eq!((told.version, told.nodes.len()), (1, 3));
        assert_eq!(first["elasticache:c"].protocol, EndpointProtocol::Memcached);

        let lost = sights(&[(1, Sight::Leads), (2, Sight::Away), (3, Sight::Leads)]);
        let second = decide_endpoints("c", &cache, &lost, &first, GATEWAY);
        assert_eq!(second["elasticache:c"].targets, [at(1), at(3)]);
        assert_eq!(second["elasticache:c"].cluster, Some(told));

        let members = &mut cache.topology.shards.get_mut(&SHARD).unwrap().members;
        members.get_mut(&MemberNumber(2)).unwrap().state = MemberState::Leaving;
        let third = decide_endpoints("c", &cache, &lost, &second, GATEWAY);
        let told = third["elasticache:c"].cluster.clone().unwrap();
        assert_eq!((told.version, told.nodes.len()), (2, 2));
    }
}
