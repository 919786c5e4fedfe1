//! How fast one partition evaluates, applies and reads on one thread, in a folder of its own.
//!
//! `cargo run --release -p quorate-dynamo-store --example throughput`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

use quorate_dynamo_lang::json::read_item;
use quorate_dynamo_lang::{Item, KeySchema, ScalarType};
use quorate_dynamo_store::{
    GlobalIndex, HashRange, IndexProjection, Latch, LocalIndex, PartitionId, PartitionKind,
    PartitionSpec, Store, TableKey, WriteOp,
};

/// Writes of each measurement.
const WRITES: usize = 120_000;
/// Items that they are of.
const ITEMS: usize = 60_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    for (name, spec) in [("plain", plain()), ("local and global index", indexed())] {
        for batch in [1, 64] {
            runtime.block_on(measure(name, spec.clone(), batch));
        }
    }
}

fn plain() -> PartitionSpec {
    PartitionSpec {
        table: TableKey(1),
        range: HashRange::ALL,
        schema: KeySchema::of(("pk", ScalarType::S), Some(("sk", ScalarType::N))),
        local_indexes: Vec::new(),
        global_indexes: Vec::new(),
        ttl_attribute: None,
        kind: PartitionKind::Base,
    }
}

fn indexed() -> PartitionSpec {
    PartitionSpec {
        local_indexes: vec![LocalIndex {
            name: String::from("by-a"),
            id: 1,
            range: (String::from("a"), ScalarType::N),
            projection: IndexProjection::KeysOnly,
        }],
        global_indexes: vec![GlobalIndex {
            name: String::from("by-g"),
            id: 2,
            schema: KeySchema::of(("g", ScalarType::S), None),
            projection: IndexProjection::All,
        }],
        ..plain()
    }
}

fn item(n: usize) -> Item {
    let json = format!(
        r#"{{"pk":{{"S":"user-{}"}},"sk":{{"N":"{}"}},"a":{{"N":"{n}"}},"g":{{"S":"g{}"}},"x":{{"S":"{}"}}}}"#,
        n % (ITEMS / 3),
        n % 3,
        n % 100,
        "x".repeat(100)
    );
    read_item(json.as_bytes()).unwrap()
}

async fn measure(name: &str, spec: PartitionSpec, batch: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let schema = spec.schema.clone();
    let partition = store.create(PartitionId(1), spec).unwrap();
    let ops: Vec<WriteOp> = (0..WRITES)
        .map(|n| WriteOp::Put {
            item: item(n),
            condition: None,
        })
        .collect();
    let start = Instant::now();
    for (round, part) in ops.chunks(batch).enumerate() {
        let mut held: Vec<Latch> = Vec::with_capacity(batch);
        let mut effects = Vec::with_capacity(batch);
        for op in part {
            let key = partition.key(op.key()).unwrap();
            let latch = partition.latch(&[key]).await.unwrap();
            effects.extend(partition.evaluate(1_000, op, &latch).unwrap().effect);
            held.push(latch);
        }
        let effects: Vec<&[u8]> = effects.iter().map(Vec::as_slice).collect();
        partition.apply(&effects, &round.to_be_bytes()).unwrap();
    }
    let writes = ops.len() as f64 / start.elapsed().as_secs_f64();
    let keys: Vec<Item> = ops.iter().map(|op| schema.key_of(op.key())).collect();
    let start = Instant::now();
    for key in &keys {
        assert!(partition.get(key).unwrap().is_some());
    }
    let reads = keys.len() as f64 / start.elapsed().as_secs_f64();
    println!("{name}, {batch} a batch: {writes:.0} writes/s, {reads:.0} reads/s");
}
