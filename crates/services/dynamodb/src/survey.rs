//! What the tables and partitions of a region are like at the moment, for people and for metrics.
//!
//! Owns the joining of what records say with what nodes answer: one question to each node, and only when somebody asks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;

use quorate_base::NodeId;
use quorate_control::{Catalog, CatalogError, NodeRecord, Stored};
use quorate_region::transport::Caller;

use crate::ledger;
use crate::messages::{CENSUS, Census, Counted};
use crate::model::{
    Billing, IndexNumber, PartitionNumber, PartitionRecord, PartitionState, TableRecord,
    TableStatus,
};

/// Longest wait for a node's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(800);

/// Asks the nodes of one region.
pub struct Surveyor {
    catalog: Catalog,
    caller: Arc<Caller>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableSurvey {
    /// Its name.
    pub name: String,
    /// AWS's `TableStatus`.
    pub status: &'static str,
    /// AWS's `BillingMode`.
    pub billing: &'static str,
    /// Its items, as far as leaders have answered.
    pub items: u64,
    /// Their bytes by DynamoDB's rules.
    pub bytes: u64,
    /// Changes that its global indexes have not confirmed.
    pub outbox_entries: u64,
    /// Its partitions and those of its global indexes, by index and range.
    pub partitions: Vec<PartitionSurvey>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionSurvey {
    /// Its number, as in `p7`.
    pub partition: String,
    /// The global index that it belongs to.
    pub index: Option<String>,
    /// `creating`, `serving` or `splitting`.
    pub state: &'static str,
    /// Its first hash position: sixteen hexadecimal digits.
    pub first: String,
    /// Its last hash position.
    pub last: String,
    /// The node that leads it; none while nobody says so.
    pub leader: Option<NodeId>,
    /// Its items.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Changes that have not reached global indexes.
    pub outbox_entries: u64,
    /// Read units that its replicas were asked for in the last seconds, a second.
    pub reads_per_s: u64,
    /// Write units that its leader was asked for in the last seconds, a second.
    pub writes_per_s: u64,
    /// Its replicas.
    pub replicas: Vec<ReplicaSurvey>,
    /// The nodes that do not answer for their replica: it is degraded while there is one.
    pub missing: Vec<NodeId>,
    /// A replica that is being put elsewhere, or refilled.
    pub moving: Option<MoveSurvey>,
}

/// A replica on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveSurvey {
    /// The node that it leaves.
    pub leaves: NodeId,
    /// The node that it goes to: the same, when that has lost what it had.
    pub joins: NodeId,
}

/// A replica.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplicaSurvey {
    /// Where it is.
    pub node: NodeId,
    /// Whether the node answered and the replica runs there.
    pub answers: bool,
    /// Entries of the log that the leader has applied and this replica has not; of one that does not answer, those that
    /// it is not known to have. None without a leader.
    pub lag_entries: Option<u64>,
}

impl Surveyor {
    /// Asks by this catalog's records.
    #[must_use]
    pub fn new(catalog: Catalog, caller: Arc<Caller>) -> Surveyor {
        Surveyor { catalog, caller }
    }

    /// Looks at all tables. A node that does not answer soon is left out.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn survey(&self) -> Result<Vec<TableSurvey>, CatalogError> {
        let tables = self.catalog.list::<TableRecord>().await?;
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let partitions = self.catalog.list::<PartitionRecord>().await?;
        let counted = self.census().await?;
        let mut by_table: HashMap<&str, Vec<&Stored<PartitionRecord>>> = HashMap::new();
        for stored in &partitions {
            let of_table = by_table.entry(&stored.record.table_name).or_default();
            of_table.push(stored);
        }
        let users = tables.iter().filter(|t| !ledger::is_internal(&t.id));
        Ok(users
            .map(|table| {
                let of_table = by_table.remove(table.id.as_str()).unwrap_or_default();
                survey_table(table, &of_table, &counted)
            })
            .collect())
    }

    /// What the nodes that answer say of their replicas.
    async fn census(&self) -> Result<Replies, CatalogError> {
        let mut under_way = JoinSet::new();
        for stored in self.catalog.list::<NodeRecord>().await? {
            let Ok(node) = stored.id.parse::<NodeId>() else {
                continue;
            };
            let (caller, address) = (self.caller.clone(), stored.record.address);
            under_way.spawn(async move {
                let call = caller.call(&node, address, CENSUS, &Census, ANSWER_TIMEOUT);
                let answer: Result<Vec<Counted>, _> = call.await;
                (node, answer)
            });
        }
        let mut replies = Replies::new();
        while let Some(joined) = under_way.join_next().await {
            let Ok((node, Ok(counted))) = joined else {
                continue;
            };
            for one in counted {
                let of_partition = replies.entry(one.partition).or_default();
                of_partition.insert(node.clone(), one);
            }
        }
        Ok(replies)
    }
}

/// What was answered about each partition, by node.
type Replies = HashMap<PartitionNumber, BTreeMap<NodeId, Counted>>;

fn survey_table(
    table: &Stored<TableRecord>,
    partitions: &[&Stored<PartitionRecord>],
    replies: &Replies,
) -> TableSurvey {
    let record = &table.record;
    let mut own: Vec<_> = partitions
        .iter()
        .filter(|p| p.record.table == record.number)
        .collect();
    own.sort_by_key(|p| (p.record.index, p.record.range));
    let mut survey = TableSurvey {
        name: table.id.clone(),
        status: match record.status {
            TableStatus::Creating => "CREATING",
            TableStatus::Updating => "UPDATING",
            TableStatus::Deleting => "DELETING",
            TableStatus::Active => "ACTIVE",
        },
        billing: match record.billing {
            Billing::Provisioned => "PROVISIONED",
            Billing::PayPerRequest => "PAY_PER_REQUEST",
        },
        items: 0,
        bytes: 0,
        outbox_entries: 0,
        partitions: Vec::new(),
    };
    for stored in own {
        let Some(number) = PartitionNumber::of_record_id(&stored.id) else {
            continue;
        };
        let one = survey_partition(record, number, &stored.record, replies.get(&number));
        if stored.record.index == IndexNumber::TABLE {
            survey.items += one.items;
            survey.bytes += one.bytes;
            survey.outbox_entries += one.outbox_entries;
        }
        survey.partitions.push(one);
    }
    survey
}

fn survey_partition(
    table: &TableRecord,
    number: PartitionNumber,
    record: &PartitionRecord,
    replies: Option<&BTreeMap<NodeId, Counted>>,
) -> PartitionSurvey {
    let reply = |node: &NodeId| replies.and_then(|replies| replies.get(node));
    let all = replies.into_iter().flatten();
    // After a change of leader two may say that they lead: the one that has applied more does.
    let leader = all
        .filter(|(_, counted)| counted.measured.leads)
        .max_by_key(|(_, counted)| counted.measured.applied);
    // Without a leader, what most is known of is shown.
    let best = leader.map(|(_, counted)| counted).or_else(|| {
        let known = record.replicas.iter().filter_map(reply);
        known.max_by_key(|counted| counted.measured.applied)
    });
    let lag = |node: &NodeId| {
        let (_, leader) = leader?;
        if let Some(counted) = reply(node) {
            return Some(
                leader
                    .measured
                    .applied
                    .saturating_sub(counted.measured.applied),
            );
        }
        let matched = leader.matched.iter().find(|(of, _)| of == node);
        matched.map(|(_, at)| leader.last.saturating_sub(*at))
    };
    let index = table
        .global_indexes
        .iter()
        .find(|i| i.number == record.index);
    let measured = best.map(|counted| counted.measured);
    PartitionSurvey {
        partition: number.to_string(),
        index: index.map(|index| index.name.clone()),
        state: match record.state {
            PartitionState::Creating => "creating",
            PartitionState::Serving => "serving",
            PartitionState::Splitting { .. } => "splitting",
        },
        first: format!("{:016x}", record.range.first),
        last: format!("{:016x}", record.range.last),
        leader: leader.map(|(node, _)| node.clone()),
        items: measured.map_or(0, |m| m.items),
        bytes: measured.map_or(0, |m| m.bytes),
        outbox_entries: measured.map_or(0, |m| m.outbox),
        reads_per_s: replies
            .into_iter()
            .flatten()
            .map(|(_, c)| c.measured.reads_per_s)
            .sum(),
        writes_per_s: leader.map_or(0, |(_, counted)| counted.measured.writes_per_s),
        replicas: record
            .replicas
            .iter()
            .map(|node| ReplicaSurvey {
                node: node.clone(),
                answers: reply(node).is_some(),
                lag_entries: lag(node),
            })
            .collect(),
        missing: record
            .replicas
            .iter()
            .filter(|node| reply(node).is_none())
            .cloned()
            .collect(),
        moving: record.moving.as_ref().map(|moving| MoveSurvey {
            leaves: moving.leaves.clone(),
            joins: moving.joins.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Measured;
    use crate::model::HashRange;

    fn node(zone: char) -> NodeId {
        let region: quorate_base::RegionName = "us-east-1".parse().unwrap();
        region.zone(zone).node(1)
    }

    fn counted(leads: bool, applied: u64, matched: Vec<(NodeId, u64)>) -> Counted {
        Counted {
            partition: PartitionNumber(1),
            measured: Measured {
                leads,
                applied,
                items: applied,
                bytes: 10 * applied,
                outbox: 2,
                reads_per_s: 3,
                writes_per_s: 5,
            },
            last: 120,
            matched,
        }
    }

    fn survey(replies: &[(char, Counted)]) -> PartitionSurvey {
        let record = PartitionRecord {
            table_name: "t".into(),
            table: crate::model::TableNumber(1),
            index: IndexNumber::TABLE,
            range: HashRange::ALL,
            replicas: ['a', 'b', 'c'].map(node).to_vec(),
            preferred: node('a'),
            state: PartitionState::Serving,
            split_off: None,
            backfilled: Default::default(),
            began_with: None,
            homes: Default::default(),
            founders: Vec::new(),
            joined: Default::default(),
            moving: None,
        };
        let replies = replies.iter().map(|(z, c)| (node(*z), c.clone())).collect();
        let table = ledger::record(
            crate::model::TableNumber(1),
            quorate_base::UnixMillis::default(),
        );
        survey_partition(&table, PartitionNumber(1), &record, Some(&replies))
    }

    #[test]
    fn distances_are_from_the_leader() {
        let matched = vec![(node('a'), 120), (node('b'), 119), (node('c'), 20)];
        let shown = survey(&[
            ('a', counted(true, 110, matched)),
            ('b', counted(false, 100, vec![])),
        ]);
        assert_eq!(shown.leader, Some(node('a')));
        assert_eq!(shown.missing, [node('c')]);
        assert_eq!((shown.reads_per_s, shown.writes_per_s), (6, 5));
        assert_eq!(
            (shown.items, shown.bytes, shown.outbox_entries),
            (110, 1_100, 2)
        );
        let lags: Vec<_> = shown
            .replicas
            .iter()
            .map(|r| (r.answers, r.lag_entries))
            .collect();
        assert_eq!(
            lags,
            [(true, Some(0)), (true, Some(10)), (false, Some(100))]
        );
    }

    #[test]
    fn without_a_leader_no_distance_is_told() {
        let shown = survey(&[('b', counted(false, 100, vec![]))]);
        assert_eq!((shown.leader, shown.items), (None, 100));
        assert!(shown.replicas.iter().all(|r| r.lag_entries.is_none()));
    }
}
