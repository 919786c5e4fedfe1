//! A table with every kind of index, and the short ways to write to it.

use quorate_dynamo_lang::json::read_item;
pub(crate) use quorate_dynamo_lang::{
    Condition, Item, KeySchema, Placeholders, ScalarType, Update,
};
pub(crate) use tempfile::TempDir;

pub(crate) use crate::*;

pub(crate) const TABLE: TableKey = TableKey(7);
pub(crate) const INDEX: TableKey = TableKey(8);
pub(crate) const LOCAL: u16 = 1;
pub(crate) const GLOBAL: u16 = 2;

/// A store in a folder that goes with it.
pub(crate) struct Home {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
}

impl Home {
    pub(crate) fn open() -> Home {
        Home::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Home {
        let folder = TempDir::new().unwrap();
        let store = Store::open_with(folder.path(), limits).unwrap();
        Home { store, folder }
    }

    pub(crate) fn base(&self, id: u64) -> Partition {
        self.store.create(PartitionId(id), base_spec()).unwrap()
    }

    pub(crate) fn index(&self, id: u64) -> Partition {
        self.store.create(PartitionId(id), index_spec()).unwrap()
    }
}

pub(crate) fn item(json: &str) -> Item {
    read_item(json.as_bytes()).unwrap()
}

pub(crate) fn key(pk: &str, sk: i64) -> Item {
    item(&format!(r#"{{"pk":{{"S":"{pk}"}},"sk":{{"N":"{sk}"}}}}"#))
}

pub(crate) fn schema() -> KeySchema {
    KeySchema::of(("pk", ScalarType::S), Some(("sk", ScalarType::N)))
}

/// A table with a local index on `a`, a global one on `g` and `a`, and expiry by `exp`.
pub(crate) fn base_spec() -> PartitionSpec {
    PartitionSpec {
        table: TABLE,
        range: HashRange::ALL,
        schema: schema(),
        local_indexes: vec![LocalIndex {
            name: String::from("by-a"),
            id: LOCAL,
            range: (String::from("a"), ScalarType::N),
            projection: IndexProjection::Include(vec![String::from("x")]),
        }],
        global_indexes: vec![GlobalIndex {
            name: String::from("by-g"),
            id: GLOBAL,
            schema: KeySchema::of(("g", ScalarType::S), Some(("a", ScalarType::N))),
            projection: IndexProjection::All,
        }],
        ttl_attribute: Some(String::from("exp")),
        kind: PartitionKind::Base,
    }
}

pub(crate) fn plain_spec() -> PartitionSpec {
    PartitionSpec {
        local_indexes: Vec::new(),
        global_indexes: Vec::new(),
        ttl_attribute: None,
        ..base_spec()
    }
}

pub(crate) fn index_spec() -> PartitionSpec {
    PartitionSpec {
        table: INDEX,
        schema: base_spec().global_indexes[0].schema.clone(),
        kind: PartitionKind::IndexOf { base: schema() },
        ..plain_spec()
    }
}

pub(crate) fn put(json: &str) -> WriteOp {
    WriteOp::Put {
        item: item(json),
        condition: None,
    }
}

pub(crate) fn delete(pk: &str, sk: i64) -> WriteOp {
    WriteOp::Delete {
        key: key(pk, sk),
        condition: None,
    }
}

pub(crate) fn update(pk: &str, sk: i64, text: &str, values: &str) -> WriteOp {
    WriteOp::Update {
        key: key(pk, sk),
        update: Update::parse(text, &mut placeholders(values)).unwrap(),
        condition: None,
    }
}

pub(crate) fn placeholders(values: &str) -> Placeholders {
    let values = (!values.is_empty()).then(|| item(values));
    Placeholders::new(None, values).unwrap()
}

pub(crate) fn condition(text: &str, values: &str) -> Condition {
    let kind = quorate_dynamo_lang::ConditionKind::Condition;
    Condition::parse(kind, text, &mut placeholders(values)).unwrap()
}

pub(crate) fn latched(partition: &Partition, ops: &[WriteOp]) -> Latch {
    let keys: Vec<ItemKey> = ops
        .iter()
        .map(|op| partition.key(op.key()).unwrap())
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(partition.latch(&keys)).unwrap()
}

pub(crate) fn evaluate(partition: &Partition, op: &WriteOp) -> Result<Evaluated, WriteError> {
    let latch = latched(partition, std::slice::from_ref(op));
    partition.evaluate(1_000, op, &latch)
}

/// Applies one effect under the next mark.
pub(crate) fn apply(partition: &Partition, effect: &[u8]) -> Outcome {
    let mark = partition.mark().unwrap().unwrap_or_default();
    let mark = mark.first_chunk().map_or(0, |m| u64::from_be_bytes(*m)) + 1;
    let outcomes = partition.apply(&[effect], &mark.to_be_bytes()).unwrap();
    Outcome::decode(&outcomes[0]).unwrap()
}

/// Evaluates and applies; gives the answer.
pub(crate) fn write(partition: &Partition, op: &WriteOp) -> WriteAnswer {
    let evaluated = evaluate(partition, op).unwrap();
    if let Some(effect) = evaluated.effect {
        assert_eq!(apply(partition, &effect), Outcome::Applied);
    }
    evaluated.answer
}

pub(crate) fn everything() -> ScanPlan {
    ScanPlan {
        index: IndexRef::Table,
        range: HashRange::ALL,
        start: None,
        wanted: Wanted::default(),
    }
}

pub(crate) fn all_items(partition: &Partition) -> Vec<Item> {
    let mut items = partition.scan(&everything()).unwrap().items;
    items.sort_by_key(|item| format!("{item:?}"));
    items
}

/// Every row of the database.
pub(crate) fn dump(partition: &Partition) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = partition.inner.shared.rows.iter();
    rows.map(|row| row.into_inner().unwrap())
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}
