//! An election of the Sentinels, taken over into the catalog.

use std::collections::BTreeMap;

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Endpoint, Txn};
use quorate_engines::sentinel::WatchedMaster;

use crate::agent::driver::StepError;
use crate::agent::sentinel::keeper::{Keeper, Wanted};
use crate::decide::endpoints::{Sight, Sights, decide_endpoints};
use crate::events;
use crate::model::{Cache, MemberNumber, ShardNumber};

impl Keeper {
    /// Writes what the Sentinels elected: primary, epoch, endpoints and event in one transaction.
    pub(super) async fn take_over(
        &self,
        wanted: &Wanted,
        master: &WatchedMaster,
    ) -> Result<(), StepError> {
        let host = &self.host;
        let known = wanted.cache.record.topology.shards.get(&wanted.shard);
        if known.is_none_or(|shard| master.config_epoch <= shard.elected) {
            return Ok(());
        }
        let read = host.catalog.read::<Cache>(&wanted.cache.id).await?;
        let Some(read) = read.filter(|r| r.record.resource_id == wanted.cache.record.resource_id)
        else {
            return Ok(());
        };
        let mut record = read.record.clone();
        let Some((old, new)) = elect(&mut record, wanted.shard, master) else {
            return Ok(());
        };
        let mut txn = Txn::new().replace(&read, &record);
        let sights = Sights::from([((wanted.shard, old), Sight::Away)]);
        let endpoints = host.catalog.view().list::<Endpoint>()?;
        let endpoints: BTreeMap<_, _> = endpoints.into_iter().map(|e| (e.id.clone(), e)).collect();
        let present = endpoints
            .iter()
            .map(|(id, e)| (id.clone(), e.record.clone()))
            .collect();
        let gateway = host.config.endpoint_address;
        for (id, endpoint) in decide_endpoints(&read.id, &record, &sights, &present, gateway) {
            let there = endpoints.get(&id).filter(|e| e.record != endpoint);
            if let Some(there) = there {
                txn = txn.replace(there, &endpoint);
            }
        }
        let name = |member: MemberNumber| format!("{}-{:03}", read.id, member.0);
        let message = format!(
            "Failover from master node {} to replica node {} completed",
            name(old),
            name(new)
        );
        tracing::warn!(cache = %read.id, from = old.0, to = new.0, elected = master.config_epoch, "failover");
        txn = events::tell(txn, UnixMillis::now(), &read.id, &record, &message);
        match host.catalog.commit(txn).await {
            // Another zone's agent wrote the same, or somebody else something: the next look sees it.
            Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// Takes an election over into the record; the old and the new primary. None when it is not news, or the elected one is no
/// member. The Sentinel that leads a failover has its epoch before it names the new primary: an epoch that names the same
/// primary tells nothing.
fn elect(
    cache: &mut Cache,
    number: ShardNumber,
    master: &WatchedMaster,
) -> Option<(MemberNumber, MemberNumber)> {
    let shard = cache.topology.shards.get_mut(&number)?;
    if master.config_epoch <= shard.elected || shard.coordinated.is_some() {
        return None;
    }
    let (old, new) = (shard.primary?, shard.member_at(master.address)?);
    if new == old {
        return None;
    }
    shard.elected = master.config_epoch;
    shard.primary = Some(new);
    shard.epoch = shard.epoch.next();
    Some((old, new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixture;

    #[test]
    fn an_election_is_taken_over_once_and_only_when_it_names_another_member() {
        let number = ShardNumber(1);
        let mut cache = fixture::cache(3);
        let address = |cache: &Cache, member| {
            let members = &cache.topology.shards[&number].members;
            members[&MemberNumber(member)].address.unwrap()
        };
        let says = |address, config_epoch| WatchedMaster {
            name: String::from("c"),
            address,
            config_epoch,
            failing_over: false,
            down: false,
            other_sentinels: 2,
            replicas: 2,
        };
        let (first, second) = (address(&cache, 1), address(&cache, 2));
        let stranger = "127.0.9.1:1".parse().unwrap();
        assert_eq!(elect(&mut cache, number, &says(first, 1)), None);
        assert_eq!(elect(&mut cache, number, &says(stranger, 1)), None);
        let elected = elect(&mut cache, number, &says(second, 1));
        assert_eq!(elected, Some((MemberNumber(1), MemberNumber(2))));
        let shard = &cache.topology.shards[&number];
        assert_eq!(
            (shard.epoch, shard.elected),
            (quorate_base::Epoch(2), 1),
            "one election, one epoch"
        );
        assert_eq!(elect(&mut cache, number, &says(first, 1)), None, "old news");
    }
}
