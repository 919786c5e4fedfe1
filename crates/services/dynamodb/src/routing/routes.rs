//! The routing table: tables by name, their partitions by hash position.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use quorate_base::{NodeId, Revision};
use quorate_control::{CatalogError, Mirror, NodeRecord, Stored, View};

use crate::model::{HashRange, IndexNumber, PartitionNumber, PartitionRecord, TableRecord};

/// Eventual reads that go to one replica before the next one has its turn: reads that are under way at the same time
/// share system calls, and two of three nodes can sleep.
const READS_IN_A_ROW: usize = 16;

/// A replica as it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node.
    pub node: NodeId,
    /// Its address.
    pub address: SocketAddr,
}

/// A partition and what is known of its replicas.
#[derive(Debug)]
pub struct PartitionRoute {
    /// Its number.
    pub number: PartitionNumber,
    /// Its positions.
    pub range: HashRange,
    /// Its replicas that are registered.
    pub replicas: Vec<Target>,
    /// Which of them is believed to lead.
    leader: AtomicUsize,
    /// Which of them is asked next for an eventual read.
    reader: AtomicUsize,
}

impl PartitionRoute {
    /// Where the believed leader stands in `replicas`.
    #[must_use]
    pub fn believed_leader(&self) -> usize {
        self.leader.load(Ordering::Relaxed) % self.replicas.len().max(1)
    }

    /// Notes who leads.
    pub fn believe(&self, node: &NodeId) {
        if let Some(at) = self.replicas.iter().position(|t| t.node == *node) {
            self.leader.store(at, Ordering::Relaxed);
        }
    }

    /// Looks for the leader at the replica after this one.
    pub fn doubt(&self, asked: usize) {
        // Only if nobody has found another leader in the meantime.
        let next = (asked + 1) % self.replicas.len().max(1);
        let _ = self
            .leader
            .compare_exchange(asked, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Where an eventual read begins: each replica in its turn, for a few reads.
    #[must_use]
    pub fn next_reader(&self) -> usize {
        let turn = self.reader.fetch_add(1, Ordering::Relaxed) / READS_IN_A_ROW;
        turn % self.replicas.len().max(1)
    }
}

/// A table and its partitions.
#[derive(Debug, Clone)]
pub struct TableRoute {
    /// The table as it was asked for.
    pub table: Arc<Stored<TableRecord>>,
    partitions: BTreeMap<IndexNumber, Vec<Arc<PartitionRoute>>>,
}

impl TableRoute {
    /// The partition of the table, or of one of its global indexes, that has this hash position.
    #[must_use]
    pub fn at(&self, index: IndexNumber, position: u64) -> Option<&Arc<PartitionRoute>> {
        let partitions = self.partitions.get(&index)?;
        let at = partitions.partition_point(|p| p.range.last < position);
        partitions.get(at).filter(|p| p.range.contains(position))
    }

    /// All partitions of the table or index, in the order of their positions.
    #[must_use]
    pub fn all(&self, index: IndexNumber) -> &[Arc<PartitionRoute>] {
        self.partitions.get(&index).map_or(&[], Vec::as_slice)
    }
}

/// The routing table of one moment.
#[derive(Debug, Default)]
struct Snapshot {
    revision: Revision,
    tables: HashMap<String, Arc<TableRoute>>,
    partitions: HashMap<PartitionNumber, (Revision, Arc<PartitionRoute>)>,
}

#[derive(Default)]
struct Mirrors {
    tables: Mirror<TableRecord>,
    partitions: Mirror<PartitionRecord>,
    nodes: Mirror<NodeRecord>,
}

/// The routing table of one region.
pub struct Routes {
    view: View,
    mirrors: Mutex<Mirrors>,
    current: RwLock<Arc<Snapshot>>,
}

impl Routes {
    /// Routes over a catalog's view.
    #[must_use]
    pub fn new(view: View) -> Routes {
        Routes {
            view,
            mirrors: Mutex::default(),
            current: RwLock::default(),
        }
    }

    /// The table of that name, as the view has it at this moment.
    ///
    /// # Errors
    /// `Unreadable` when this build cannot read a record.
    pub fn table(&self, name: &str) -> Result<Option<Arc<TableRoute>>, CatalogError> {
        Ok(self.current()?.tables.get(name).cloned())
    }

    /// The partition of that number.
    ///
    /// # Errors
    /// As `table`.
    pub fn partition(
        &self,
        number: PartitionNumber,
    ) -> Result<Option<Arc<PartitionRoute>>, CatalogError> {
        let current = self.current()?;
        Ok(current.partitions.get(&number).map(|(_, p)| p.clone()))
    }

    fn current(&self) -> Result<Arc<Snapshot>, CatalogError> {
        let current = self.current.read().expect("no holder panics").clone();
        if current.revision == self.view.revision() {
            return Ok(current);
        }
        let mut mirrors = self.mirrors.lock().expect("no holder panics");
        // Somebody else may have brought it forward while this one waited.
        let current = self.current.read().expect("no holder panics").clone();
        let revision = self.view.revision();
        if current.revision == revision {
            return Ok(current);
        }
        let changed = [
            mirrors.tables.refresh(&self.view)?,
            mirrors.partitions.refresh(&self.view)?,
            mirrors.nodes.refresh(&self.view)?,
        ];
        let next = if changed.contains(&true) {
            build(&mirrors, &current, changed[2], revision)
        } else {
            Snapshot {
                revision,
                tables: current.tables.clone(),
                partitions: current.partitions.clone(),
            }
        };
        let next = Arc::new(next);
        *self.current.write().expect("no holder panics") = next.clone();
        Ok(next)
    }
}

fn build(mirrors: &Mirrors, old: &Snapshot, nodes_changed: bool, revision: Revision) -> Snapshot {
    let mut partitions = HashMap::new();
    let mut by_table: HashMap<&str, BTreeMap<IndexNumber, Vec<Arc<PartitionRoute>>>> =
        HashMap::new();
    for stored in mirrors.partitions.iter() {
        let Some(number) = PartitionNumber::of_record_id(&stored.id) else {
            continue;
        };
        let kept = old
            .partitions
            .get(&number)
            .filter(|(revision, _)| !nodes_changed && *revision == stored.revision);
        let route = match kept {
            Some((_, route)) => route.clone(),
            None => {
                let earlier = old.partitions.get(&number).map(|(_, route)| route);
                Arc::new(route_of(
                    number,
                    &stored.record,
                    &mirrors.nodes,
                    earlier.map(AsRef::as_ref),
                ))
            }
        };
        partitions.insert(number, (stored.revision, route.clone()));
        by_table
            .entry(&stored.record.table_name)
            .or_default()
            .entry(stored.record.index)
            .or_default()
            .push(route);
    }
    let tables = mirrors
        .tables
        .iter()
        .map(|stored| {
            let mut partitions = by_table.remove(stored.id.as_str()).unwrap_or_default();
            for of_index in partitions.values_mut() {
                of_index.sort_by_key(|p| p.range);
            }
            let route = TableRoute {
                table: stored.clone(),
                partitions,
            };
            (stored.id.clone(), Arc::new(route))
        })
        .collect();
    Snapshot {
        revision,
        tables,
        partitions,
    }
}

fn route_of(
    number: PartitionNumber,
    record: &PartitionRecord,
    nodes: &Mirror<NodeRecord>,
    earlier: Option<&PartitionRoute>,
) -> PartitionRoute {
    // One that is about to be a replica may lead already.
    let joins = record.moving.iter().map(|moving| &moving.joins);
    let joins = joins.filter(|node| !record.replicas.contains(node));
    let replicas: Vec<Target> = record
        .replicas
        .iter()
        .chain(joins)
        .filter_map(|node| {
            let stored = nodes.get(node.as_str())?;
            Some(Target {
                node: node.clone(),
                address: stored.record.address,
            })
        })
        .collect();
    let route = PartitionRoute {
        number,
        range: record.range,
        replicas,
        leader: AtomicUsize::new(0),
        reader: AtomicUsize::new(
            usize::try_from(number.0)
                .unwrap_or(0)
                .wrapping_mul(READS_IN_A_ROW),
        ),
    };
    let leader = earlier
        .and_then(|e| e.replicas.get(e.believed_leader()))
        .map_or(&record.preferred, |t| &t.node);
    route.believe(leader);
    route
}
