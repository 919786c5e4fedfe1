//! How fast a partition is. Run with `--release -- --ignored --nocapture throughput`.

use std::time::Instant;

use super::*;

fn measure(name: &str, spec: PartitionSpec, batch: usize) {
    let home = Home::open();
    let partition = home.store.create(PartitionId(1), spec).unwrap();
    let count = 100_000_u64;
    let ops: Vec<WriteOp> = (0..count)
        .map(|n| {
            put(&format!(
                r#"{{"pk":{{"S":"user-{}"}},"sk":{{"N":"{}"}},"a":{{"N":"{n}"}},"g":{{"S":"g{}"}},"x":{{"S":"{}"}}}}"#,
                n % 20_000,
                n % 3,
                n % 100,
                "x".repeat(100)
            ))
        })
        .collect();
    let latches: Vec<Latch> = ops
        .iter()
        .take(20_000 * 3)
        .map(|op| latched(&partition, std::slice::from_ref(op)))
        .collect();
    let start = Instant::now();
    for (round, part) in ops.chunks(batch).enumerate() {
        let effects: Vec<Vec<u8>> = part
            .iter()
            .enumerate()
            .filter_map(|(at, op)| {
                let latch = &latches[(round * batch + at) % latches.len()];
                partition.evaluate(1_000, op, latch).unwrap().effect
            })
            .collect();
        let refs: Vec<&[u8]> = effects.iter().map(Vec::as_slice).collect();
        partition
            .apply(&refs, &(round as u64).to_be_bytes())
            .unwrap();
    }
    let writes = count as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    for op in &ops {
        partition.get(&schema().key_of(op.key())).unwrap();
    }
    let reads = count as f64 / start.elapsed().as_secs_f64();
    println!("{name}, {batch} a batch: {writes:.0} writes/s, {reads:.0} reads/s");
}

#[test]
#[ignore = "a measurement"]
fn throughput() {
    measure("plain", plain_spec(), 1);
    measure("plain", plain_spec(), 64);
    measure("local and global index", base_spec(), 1);
    measure("local and global index", base_spec(), 64);
}
