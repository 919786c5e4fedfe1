//! Seeds for hosts as they are.
use quorate_replica_simulator::{Rules, run_seed};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn one_seed() {
    let seed = number("SEED").unwrap_or(1);
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .without_time()
            .with_writer(std::io::stderr)
            .init();
    }
    let started = std::time::Instant::now();
    let ran = run_seed(seed, Rules::default()).unwrap();
    if std::env::var_os("STORY").is_some() {
        eprintln!("{}", ran.story.join("\n"));
    }
    eprintln!(
        "{:?} {:?} {:x} ack {} ops {} lead {} snap {} parts {} msgs {} rec {}",
        started.elapsed(),
        ran.breaches,
        ran.hash,
        ran.acknowledged,
        ran.operations,
        ran.leaderships,
        ran.snapshots,
        ran.partitions,
        ran.messages,
        ran.recovered_ms
    );
    assert!(ran.breaches.is_empty());
}
