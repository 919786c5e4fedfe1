//! An election, of the Sentinels or of a cluster, taken over into the catalog.

use std::collections::BTreeMap;

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Endpoint, Stored, Txn};

use crate::agent::driver::StepError;
use crate::agent::host::AgentHost;
use crate::decide::endpoints::{Sight, Sights, decide_endpoints};
use crate::events;
use crate::model::{Cache, MemberNumber, ShardNumber};

/// Who leads a shard since an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Election {
    pub(crate) shard: ShardNumber,
    pub(crate) leader: MemberNumber,
    /// Sentinel's configuration epoch, or the cluster's.
    pub(crate) config_epoch: u64,
}

impl AgentHost {
    /// Writes what was elected: primary, epoch, endpoints and event in one transaction.
    pub(crate) async fn take_over(
        &self,
        cache: &Stored<Cache>,
        election: Election,
    ) -> Result<(), StepError> {
        let number = election.shard;
        let known = cache.record.topology.shards.get(&number);
        if known.is_none_or(|shard| election.config_epoch <= shard.elected) {
            return Ok(());
        }
        let read = self.catalog.read::<Cache>(&cache.id).await?;
        let Some(read) = read.filter(|r| r.record.resource_id == cache.record.resource_id) else {
            return Ok(());
        };
        let mut record = read.record.clone();
        let Some((old, new)) = elect(&mut record, election) else {
            return Ok(());
        };
        let mut txn = Txn::new().replace(&read, &record);
        let sights = Sights::from([((number, old), Sight::Away)]);
        let endpoints = self.catalog.view().list::<Endpoint>()?;
        let endpoints: BTreeMap<_, _> = endpoints.into_iter().map(|e| (e.id.clone(), e)).collect();
        let present = endpoints
            .iter()
            .map(|(id, e)| (id.clone(), e.record.clone()))
            .collect();
        let gateway = self.config.endpoint_address;
        for (id, endpoint) in decide_endpoints(&read.id, &record, &sights, &present, gateway) {
            let there = endpoints.get(&id).filter(|e| e.record != endpoint);
            if let Some(there) = there {
                txn = txn.replace(there, &endpoint);
            }
        }
        let name = |member: MemberNumber| match record.settings.cluster_mode {
            true => format!("{}-{:04}-{:03}", read.id, number.0, member.0),
            false => format!("{}-{:03}", read.id, member.0),
        };
        let message = format!(
            "Failover from master node {} to replica node {} completed",
            name(old),
            name(new)
        );
        tracing::warn!(cache = %read.id, shard = number.0, from = old.0, to = new.0, elected = election.config_epoch, "failover");
        txn = events::tell(txn, UnixMillis::now(), &read.id, &record, &message);
        match self.catalog.commit(txn).await {
            // Another zone's agent wrote the same, or somebody else something: the next look sees it.
            Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// Takes an election over into the record; the old and the new primary. None when it is not news, or the elected one is no
/// member. The Sentinel that leads a failover has its epoch before it names the new primary: an epoch that names the same
/// primary tells nothing. A change without loss is ended by who carries it out: in a cluster, by the election itself.
fn elect(cache: &mut Cache, election: Election) -> Option<(MemberNumber, MemberNumber)> {
    let cluster = cache.settings.cluster_mode;
    let shard = cache.topology.shards.get_mut(&election.shard)?;
    if election.config_epoch <= shard.elected || (shard.coordinated.is_some() && !cluster) {
        return None;
    }
    let (old, new) = (shard.primary?, election.leader);
    if new == old || !shard.members.contains_key(&new) {
        return None;
    }
    shard.elected = election.config_epoch;
    shard.primary = Some(new);
    shard.epoch = shard.epoch.next();
    shard.coordinated = None;
    shard.takeover = None;
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
        let says = |leader, config_epoch| Election {
            shard: number,
            leader: MemberNumber(leader),
            config_epoch,
        };
        assert_eq!(elect(&mut cache, says(1, 1)), None);
        assert_eq!(elect(&mut cache, says(9, 1)), None);
        let elected = elect(&mut cache, says(2, 1));
        assert_eq!(elected, Some((MemberNumber(1), MemberNumber(2))));
        let shard = &cache.topology.shards[&number];
        assert_eq!(
            (shard.epoch, shard.elected),
            (quorate_base::Epoch(2), 1),
            "one election, one epoch"
        );
        assert_eq!(elect(&mut cache, says(1, 1)), None, "old news");
    }

    #[test]
    fn a_change_without_loss_is_ended_by_a_clusters_election_and_by_no_sentinels() {
        let number = ShardNumber(1);
        let mut cache = fixture::cache(2);
        let shard = cache.topology.shards.get_mut(&number).unwrap();
        shard.coordinated = Some(crate::model::Coordinated {
            to: MemberNumber(2),
            released: std::collections::BTreeSet::new(),
            since: UnixMillis(0),
        });
        shard.takeover = Some(MemberNumber(2));
        let election = Election {
            shard: number,
            leader: MemberNumber(2),
            config_epoch: 7,
        };
        assert_eq!(elect(&mut cache, election), None);
        cache.settings.cluster_mode = true;
        assert!(elect(&mut cache, election).is_some());
        let shard = &cache.topology.shards[&number];
        assert_eq!((&shard.coordinated, shard.takeover), (&None, None));
    }
}
