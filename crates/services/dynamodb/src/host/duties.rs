//! What the leader of a partition does by itself: report that it serves, feed indexes, split, end what transactions left
//! behind, remove what has expired.
//!
//! Each duty is one step that can be repeated, and at most one task a partition does them: a leader that was replaced in
//! the middle finds its commands refused, and the next one begins again from the partition's state.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Stored};
use quorate_dynamo_store::{Effect, Outcome, WriteOp};

use crate::host::known::Known;
use crate::host::machine::Fate;
use crate::host::partition_host::PartitionHost;
use crate::host::replica::{Described, Replica};
use crate::host::spec::{fed_indexes, ttl_attribute};
use crate::host::splits::Reason;
use crate::host::{feed, moves, splits, transactions};
use crate::messages::Refusal;
use crate::model::{IndexNumber, PartitionNumber, PartitionRecord, PartitionState, TableRecord};
use crate::routing::RouteError;

/// Pause between two looks for expired items of one partition.
const EXPIRY_EVERY: Duration = Duration::from_secs(5);
/// Expired items removed before other duties have their turn.
const EXPIRED_MAX: usize = 500;
/// For so long a comparison of indexes holds that was made before all earlier commands were surely applied.
const DESCRIBED_FOR: Duration = Duration::from_secs(2);
/// Items put into the outbox by one command of a backfill.
const BACKFILL_ITEMS: u32 = 200;
/// Entries of the outbox above which a backfill waits.
const BACKFILL_OUTBOX_MAX: u64 = 2_000;

/// Why a duty was not done. It is tried again at the next look.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DutyError {
    /// Another replica leads, or the partition has no quorum.
    #[error("{0:?}")]
    Refused(Refusal),
    /// Another partition did not answer.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The catalog did not take the change.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] quorate_dynamo_store::StoreError),
}

impl From<Refusal> for DutyError {
    fn from(refusal: Refusal) -> DutyError {
        DutyError::Refused(refusal)
    }
}

/// When each partition was last looked through for expired items.
#[derive(Default)]
pub(crate) struct Duties {
    expiry: HashMap<PartitionNumber, Instant>,
}

impl Duties {
    /// Starts what is due on the partitions that are led here.
    pub(crate) fn look(&mut self, host: &Arc<PartitionHost>, known: &Known) {
        let now = Instant::now();
        for replica in host.replicas() {
            replica.heat.look(now.into(), host.config.split_heat);
            let leadership = replica.group.leadership();
            if !leadership.own {
                continue;
            }
            let Some(record) = known.partition(replica.number) else {
                continue;
            };
            if moves::is_due(record, &replica) {
                start_move(host, &replica);
            }
            if replica.busy.load(Ordering::Acquire) {
                continue;
            }
            let Some(table) = known.stored_table_of(record) else {
                continue;
            };
            let describes = describes(&replica, leadership.term, record, table);
            let expires = self.expiry_due(replica.number, &table.record, record);
            let Some(work) = Work::due(host, &replica, record, &table.record, describes, expires)
            else {
                continue;
            };
            if replica.busy.swap(true, Ordering::AcqRel) {
                continue;
            }
            let host = host.clone();
            tokio::spawn(async move {
                if let Err(e) = work.carry_out(&host, &replica).await {
                    tracing::debug!(partition = %replica.number, error = %e, "a duty is put off");
                }
                replica.busy.store(false, Ordering::Release);
                host.ring();
            });
        }
    }

    fn expiry_due(
        &mut self,
        number: PartitionNumber,
        table: &TableRecord,
        record: &PartitionRecord,
    ) -> bool {
        if record.index != IndexNumber::TABLE || ttl_attribute(table).is_none() {
            self.expiry.remove(&number);
            return false;
        }
        let now = Instant::now();
        let due = self
            .expiry
            .get(&number)
            .is_none_or(|last| now - *last >= EXPIRY_EVERY);
        if due {
            self.expiry.insert(number, now);
        }
        due
    }
}

/// Changes voters beside the other duties: a newcomer may take long to catch up.
fn start_move(host: &Arc<PartitionHost>, replica: &Arc<Replica>) {
    if replica.moves.swap(true, Ordering::AcqRel) {
        return;
    }
    let (host, replica) = (host.clone(), replica.clone());
    tokio::spawn(async move {
        let driven = moves::drive(&host, &replica).await;
        replica.moves.store(false, Ordering::Release);
        match driven {
            Ok(true) => host.ring(),
            Ok(false) => {}
            Err(e) => {
                tracing::debug!(partition = %replica.number, error = %e, "a move is put off");
            }
        }
    });
}

/// Whether the partition's indexes or expiry are not as the table has them. Compared once for each revision of the table
/// and each term: another leader may have gone by an older record.
fn describes(
    replica: &Replica,
    term: u64,
    record: &PartitionRecord,
    table: &Stored<TableRecord>,
) -> bool {
    if record.index != IndexNumber::TABLE {
        return false;
    }
    let mut described = replica.described.lock().expect("no holder panics");
    let known = described.is_some_and(|d| {
        let same = (d.term, d.revision) == (term, table.revision);
        same && d
            .until
            .is_none_or(|until| Instant::now() < until.into_std())
    });
    if known {
        return false;
    }
    let spec = replica.partition.spec();
    let differs = spec.global_indexes != fed_indexes(&table.record)
        || spec.ttl_attribute != ttl_attribute(&table.record);
    // A leader may not have applied all that earlier ones did: what it sees then is looked at again.
    let until = (!replica.is_ready(term)).then(|| (Instant::now() + DESCRIBED_FOR).into());
    *described = (!differs).then_some(Described {
        term,
        revision: table.revision,
        until,
    });
    differs
}

/// What is to be done for one partition.
struct Work {
    record: PartitionRecord,
    table: TableRecord,
    reports: bool,
    describes: bool,
    feeds: bool,
    expires: bool,
    locked: bool,
    backfills: Vec<IndexNumber>,
    splits: Option<Reason>,
}

impl Work {
    /// What is due; none when nothing is.
    fn due(
        host: &PartitionHost,
        replica: &Replica,
        record: &PartitionRecord,
        table: &TableRecord,
        describes: bool,
        expires: bool,
    ) -> Option<Work> {
        let stats = replica.partition.stats();
        let base = record.index == IndexNumber::TABLE;
        let backfills: Vec<IndexNumber> = table
            .global_indexes
            .iter()
            .filter(|index| base && index.backfilling && !record.backfilled.contains(&index.number))
            .map(|index| index.number)
            .collect();
        let reports = record.state == PartitionState::Creating;
        let (feeds, locked) = (stats.outbox > 0, stats.locks > 0);
        let splits = if matches!(record.state, PartitionState::Splitting { .. }) {
            // Why it was begun does not matter to its end.
            Some(Reason::Size)
        } else {
            splits::reason(record, replica, &stats, host.config.split_bytes)
        };
        let any = [reports, describes, feeds, expires, locked, splits.is_some()].contains(&true);
        // Most looks find nothing: records are cloned for the others only.
        (any || !backfills.is_empty()).then(|| Work {
            reports,
            describes,
            feeds,
            expires,
            locked,
            splits,
            backfills,
            record: record.clone(),
            table: table.clone(),
        })
    }

    async fn carry_out(
        &self,
        host: &Arc<PartitionHost>,
        replica: &Arc<Replica>,
    ) -> Result<(), DutyError> {
        if self.reports {
            report_serving(host, replica).await?;
        }
        if self.describes {
            let effect = Effect::SetIndexes {
                global_indexes: fed_indexes(&self.table),
                ttl_attribute: ttl_attribute(&self.table),
            };
            replica.command(&effect).await?;
        }
        if self.locked {
            transactions::end_old(host, replica).await?;
        }
        if let Some(reason) = self.splits {
            splits::drive(host, replica, &self.record, reason).await?;
        }
        if self.feeds {
            feed::drain(host, replica).await?;
        }
        for index in &self.backfills {
            self.backfill(host, replica, *index).await?;
        }
        if self.expires {
            remove_expired(replica).await?;
        }
        Ok(())
    }

    /// Puts all items that are there into the outbox, and reports once the outbox has been emptied behind them.
    async fn backfill(
        &self,
        host: &Arc<PartitionHost>,
        replica: &Arc<Replica>,
        index: IndexNumber,
    ) -> Result<(), DutyError> {
        let mut after = None;
        loop {
            let effect = Effect::Backfill {
                index: index.0,
                after,
                limit: BACKFILL_ITEMS,
            };
            let term = replica.lead().await?;
            match replica.outcome(term, effect.encode()).await? {
                Fate::Applied(Some(Outcome::Next(Some(row)))) => after = Some(row),
                Fate::Applied(Some(Outcome::Next(None))) => break,
                other => {
                    let why = format!("the backfill was answered with {other:?}");
                    return Err(Refusal::Unavailable(why).into());
                }
            }
            if replica.partition.stats().outbox > BACKFILL_OUTBOX_MAX {
                feed::drain(host, replica).await?;
            }
        }
        feed::drain(host, replica).await?;
        change(host, replica.number, |record| {
            record.backfilled.insert(index)
        })
        .await
    }
}

/// Changes the partition's record.
pub(crate) async fn change(
    host: &PartitionHost,
    number: PartitionNumber,
    change: impl FnMut(&mut PartitionRecord) -> bool,
) -> Result<(), DutyError> {
    let id = number.record_id();
    match host.catalog.update::<PartitionRecord>(&id, change).await {
        Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

async fn report_serving(host: &PartitionHost, replica: &Replica) -> Result<(), DutyError> {
    replica.lead().await?;
    change(host, replica.number, |record| {
        let creating = record.state == PartitionState::Creating;
        if creating {
            record.state = PartitionState::Serving;
        }
        creating
    })
    .await
}

async fn remove_expired(replica: &Arc<Replica>) -> Result<(), DutyError> {
    let now_s = UnixMillis::now().0 / 1_000;
    replica.lead().await?;
    for key in replica.partition.expired(now_s, EXPIRED_MAX)? {
        let write = WriteOp::Expire { key, now_s };
        replica.write(&write, false).await?;
    }
    Ok(())
}
