//! Tables of records and the steps that follow from them, carried out on a catalog in memory.

use quorate_base::NodeId;
use quorate_control::Catalog;
use quorate_dynamo_lang::ScalarType;

use super::*;
use crate::model::{
    AttributeDefinition, Billing, KeyElement, KeyRole, Projection, TableClass, TableNumber,
    TimeToLive,
};

const NAME: &str = "orders";

fn key(name: &str, role: KeyRole) -> KeyElement {
    KeyElement {
        name: name.into(),
        role,
    }
}

fn table(status: TableStatus) -> TableRecord {
    TableRecord {
        number: TableNumber(7),
        table_id: "id".into(),
        status,
        created_at: UnixMillis(0),
        attributes: vec![AttributeDefinition {
            name: "a".into(),
            scalar: ScalarType::S,
        }],
        keys: vec![key("a", KeyRole::Hash)],
        local_indexes: Vec::new(),
        global_indexes: Vec::new(),
        last_index: IndexNumber(0),
        billing: Billing::Provisioned,
        on_demand_since: None,
        throughput: Throughput {
            read: 6000,
            ..Throughput::default()
        },
        class: TableClass::Standard,
        class_changed_at: None,
        sse_key_arn: None,
        deletion_protection: false,
        tags: std::collections::BTreeMap::new(),
        ttl: None,
        resource_policy: None,
        resource_policy_revision: 0,
    }
}

fn index(number: u16, status: IndexStatus) -> GlobalIndex {
    GlobalIndex {
        number: IndexNumber(number),
        name: format!("index{number}"),
        keys: vec![key(&format!("k{number}"), KeyRole::Hash)],
        projection: Projection::All,
        status,
        backfilling: false,
        throughput: Throughput::default(),
    }
}

fn nodes() -> Vec<NodeId> {
    ["a", "b", "c"]
        .iter()
        .map(|zone| format!("us-east-1{zone}-1").parse().unwrap())
        .collect()
}

/// A catalog with one table, and the controller's steps on it.
struct World {
    catalog: Catalog,
    alive: Vec<NodeId>,
}

impl World {
    async fn new(record: TableRecord) -> World {
        let catalog = Catalog::in_memory();
        let txn = Txn::new().insert(NAME, &record);
        catalog.commit(txn).await.unwrap();
        World {
            catalog,
            alive: nodes(),
        }
    }

    fn table(&self) -> Option<Stored<TableRecord>> {
        self.catalog.view().read(NAME).unwrap()
    }

    fn partitions(&self) -> Vec<Stored<PartitionRecord>> {
        self.catalog.view().list().unwrap()
    }

    fn decide(&self) -> TableDecision {
        let partitions = self.partitions();
        let placement = Placement::new(&self.alive, partitions.iter().map(|p| &p.record));
        let table = self.table().unwrap();
        decide_table(&table, &partitions, &placement, UnixMillis(10_000))
    }

    /// Makes one step. Whether there was anything to do.
    async fn step(&self) -> bool {
        let decision = self.decide();
        if decision.is_empty() {
            return false;
        }
        let counter = self.catalog.read(IdCounter::ID).await.unwrap();
        let txn = decision.txn(&self.table().unwrap(), counter.as_ref());
        self.catalog.commit(txn).await.unwrap();
        true
    }

    async fn change_partitions(&self, change: impl Fn(&mut PartitionRecord)) {
        for partition in self.partitions() {
            let mut record = partition.record.clone();
            change(&mut record);
            let txn = Txn::new().replace(&partition, &record);
            self.catalog.commit(txn).await.unwrap();
        }
    }

    async fn change(&self, mut change: impl FnMut(&mut TableRecord)) {
        let change = |record: &mut TableRecord| {
            change(record);
            true
        };
        self.catalog
            .update::<TableRecord>(NAME, change)
            .await
            .unwrap();
    }

    async fn all_serve(&self) {
        self.change_partitions(|p| p.state = PartitionState::Serving)
            .await;
    }

    fn status(&self) -> TableStatus {
        self.table().unwrap().record.status
    }

    fn index(&self) -> GlobalIndex {
        self.table().unwrap().record.global_indexes[0].clone()
    }
}

#[tokio::test]
async fn a_new_table_is_placed_and_active_once_all_partitions_serve() {
    let mut record = table(TableStatus::Creating);
    record.global_indexes.push(index(1, IndexStatus::Creating));
    let world = World::new(record).await;
    assert!(world.step().await);
    let partitions = world.partitions();
    let own: Vec<_> = of_index(&partitions, IndexNumber::TABLE).collect();
    assert_eq!(own.len(), 2);
    assert_eq!(own[0].record.range.first, 0);
    assert_eq!(own[1].record.range.last, u64::MAX);
    assert_eq!(of_index(&partitions, IndexNumber(1)).count(), 1);
    assert!(partitions.iter().all(|p| p.record.replicas.len() == 3));
    assert_eq!(partitions.len(), 3, "numbers are all different");
    // Nothing more is decided before the partitions serve.
    assert!(!world.step().await);
    world.all_serve().await;
    assert!(world.step().await);
    assert_eq!(world.status(), TableStatus::Active);
    assert_eq!(world.index().status, IndexStatus::Active);
    assert!(!world.step().await);
}

#[tokio::test]
async fn nothing_is_placed_while_no_node_is_alive() {
    let mut world = World::new(table(TableStatus::Creating)).await;
    world.alive.clear();
    assert!(!world.step().await);
    assert_eq!(world.status(), TableStatus::Creating);
}

#[tokio::test]
async fn an_added_index_is_placed_then_filled_then_active() {
    let world = World::new(table(TableStatus::Creating)).await;
    world.step().await;
    world.all_serve().await;
    world.step().await;
    world
        .change(|record| {
            record.status = TableStatus::Updating;
            record.global_indexes.push(index(1, IndexStatus::Creating));
        })
        .await;
    assert!(world.step().await);
    assert_eq!(world.status(), TableStatus::Updating);
    assert_eq!(world.partitions().len(), 3);
    world.all_serve().await;
    assert!(world.step().await);
    assert_eq!(world.status(), TableStatus::Active);
    assert_eq!(
        (world.index().status, world.index().backfilling),
        (IndexStatus::Creating, true)
    );
    assert!(!world.step().await, "not filled yet");
    world
        .change_partitions(|p| {
            p.backfilled.insert(IndexNumber(1));
        })
        .await;
    assert!(world.step().await);
    assert_eq!(
        (world.index().status, world.index().backfilling),
        (IndexStatus::Active, false)
    );
    assert!(!world.step().await);
}

#[tokio::test]
async fn a_removed_index_loses_its_partitions_first_and_its_attributes_last() {
    let mut record = table(TableStatus::Creating);
    record.global_indexes.push(index(1, IndexStatus::Creating));
    record.attributes.push(AttributeDefinition {
        name: "k1".into(),
        scalar: ScalarType::S,
    });
    let world = World::new(record).await;
    world.step().await;
    world.all_serve().await;
    world.step().await;
    world
        .change(|record| {
            record.status = TableStatus::Updating;
            record.global_indexes[0].status = IndexStatus::Deleting;
        })
        .await;
    assert!(world.step().await);
    assert_eq!(world.partitions().len(), 2);
    assert_eq!(world.status(), TableStatus::Updating);
    assert!(world.step().await);
    let record = world.table().unwrap().record;
    assert_eq!(record.status, TableStatus::Active);
    assert!(record.global_indexes.is_empty());
    assert_eq!(record.attributes.len(), 1);
    assert!(!world.step().await);
}

#[tokio::test]
async fn an_update_without_anything_to_wait_for_is_done_at_once() {
    let mut record = table(TableStatus::Updating);
    record.global_indexes.push(index(1, IndexStatus::Updating));
    let world = World::new(record).await;
    assert!(world.step().await);
    assert_eq!(world.status(), TableStatus::Active);
    assert_eq!(world.index().status, IndexStatus::Active);
    assert!(!world.step().await);
}

#[tokio::test]
async fn a_deleted_table_goes_after_its_partitions() {
    let world = World::new(table(TableStatus::Creating)).await;
    world.step().await;
    world
        .change(|record| record.status = TableStatus::Deleting)
        .await;
    assert!(world.step().await);
    assert!(world.partitions().is_empty());
    assert!(world.table().is_some());
    assert!(world.step().await);
    assert!(world.table().is_none());
}

#[tokio::test]
async fn expiry_is_switched_after_a_moment() {
    for (from, to) in [
        (TtlStatus::Enabling, TtlStatus::Enabled),
        (TtlStatus::Disabling, TtlStatus::Disabled),
    ] {
        for (changed_at, expected) in [(9_500, from), (8_000, to)] {
            let mut record = table(TableStatus::Active);
            record.ttl = Some(TimeToLive {
                attribute: "expires".into(),
                status: from,
                changed_at: UnixMillis(changed_at),
            });
            let world = World::new(record).await;
            world.step().await;
            let ttl = world.table().unwrap().record.ttl.unwrap();
            assert_eq!(ttl.status, expected);
        }
    }
}

#[tokio::test]
async fn a_step_is_not_made_on_records_that_changed_since() {
    let world = World::new(table(TableStatus::Creating)).await;
    let read = world.table().unwrap();
    let decision = world.decide();
    world
        .change(|record| record.deletion_protection = true)
        .await;
    let stale = decision.txn(&read, None);
    world.catalog.commit(stale).await.unwrap_err();
    assert!(world.partitions().is_empty());
    // Two controllers that place at the same time: the second finds the counter changed.
    let read = world.table().unwrap();
    let decision = world.decide();
    let first = decision.txn(&read, None);
    let second = decision.txn(&read, None);
    world.catalog.commit(first).await.unwrap();
    world.catalog.commit(second).await.unwrap_err();
    assert_eq!(world.partitions().len(), 2);
}
