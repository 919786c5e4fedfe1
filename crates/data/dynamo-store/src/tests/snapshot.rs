//! Snapshots: the same rows elsewhere, and no state at all from a bad one.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::crash::copy;
use super::*;

fn filled(home: &Home) -> Partition {
    let partition = home.base(1);
    for n in 0..300 {
        write(
            &partition,
            &put(&format!(
                r#"{{"pk":{{"S":"p{n}"}},"sk":{{"N":"1"}},"a":{{"N":"{n}"}},"g":{{"S":"g"}},"exp":{{"N":"9"}},"x":{{"S":"{}"}}}}"#,
                "x".repeat(1_000)
            )),
        );
    }
    let ops = [delete("p1", 1)];
    let latch = latched(&partition, &ops);
    let prepared = partition.prepare(1_000, TxnId(3), &ops, &latch).unwrap();
    apply(&partition, &prepared.effect);
    partition
}

#[test]
fn a_snapshot_takes_the_place_of_what_is_there() {
    let home = Home::open();
    let from = filled(&home);
    let mut bytes = Vec::new();
    let mark = from.write_snapshot(&mut bytes).unwrap();
    assert_eq!(Some(&mark), from.mark().unwrap().as_ref());
    let other = Home::open();
    let to = other.base(1);
    write(
        &to,
        &put(r#"{"pk":{"S":"gone"},"sk":{"N":"1"},"a":{"N":"1"},"g":{"S":"g"}}"#),
    );
    // What follows the snapshot in the stream is not touched.
    bytes.extend_from_slice(b"rest");
    let mut stream = bytes.as_slice();
    to.read_snapshot(&mut stream, &mark).unwrap();
    assert_eq!(stream, b"rest");
    assert_eq!(dump(&to), dump(&from));
    assert_eq!((to.stats(), to.mark().unwrap()), (from.stats(), Some(mark)));
    let locked = to.read(&key("p1", 1)).unwrap().locked;
    assert_eq!(locked, Some(TxnId(3)));
}

#[test]
fn only_the_range_is_in_it() {
    let home = Home::open();
    let left = filled(&home);
    let split = Effect::Split {
        at: 1 << 63,
        right: PartitionId(2),
        right_items: 0,
        right_bytes: 0,
    };
    apply(&left, &split.encode());
    let right = home.store.partition(PartitionId(2)).unwrap().unwrap();
    apply(&right, &Effect::TrimOutbox { upto: 1 }.encode());
    // A replica that has not heard of the split takes the left side alone, and then makes place for the right.
    let other = Home::open();
    let lagging = other.base(1);
    for (from, to) in [(&left, Some(lagging)), (&right, None)] {
        let mut bytes = Vec::new();
        let mark = from.write_snapshot(&mut bytes).unwrap();
        let to = to.unwrap_or_else(|| other.store.create(from.id(), from.spec()).unwrap());
        to.read_snapshot(&mut bytes.as_slice(), &mark).unwrap();
        assert_eq!(all_items(&to), all_items(from));
    }
    let moved = other.store.partition(PartitionId(2)).unwrap().unwrap();
    assert_eq!(dump(&moved), dump(&right));
}

#[test]
fn a_bad_snapshot_leaves_no_state_and_a_good_one_heals() {
    let home = Home::open();
    let mut bytes = Vec::new();
    let mark = filled(&home).write_snapshot(&mut bytes).unwrap();
    let other = Home::open();
    let to = other.base(1);
    write(&to, &put(r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#));
    let mut cut = 0;
    for at in [
        0,
        4,
        6,
        40,
        bytes.len() / 2,
        bytes.len() - 9,
        bytes.len() - 1,
    ] {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(
            to.read_snapshot(&mut bad.as_slice(), &mark).is_err(),
            "byte {at}"
        );
        assert!(
            to.read_snapshot(&mut &bytes[..at], &mark).is_err(),
            "up to {at}"
        );
        if to.is_loading() {
            cut += 1;
            assert_eq!(to.mark().unwrap(), None);
            let read = to.get(&key("p", 1));
            assert!(matches!(read, Err(ReadError::Store(StoreError::Loading))));
        }
    }
    assert!(cut >= 3);
    other.store.flush().unwrap();
    let Home { store, folder } = other;
    drop((store, to));
    let store = Store::open(folder.path()).unwrap();
    let to = store.partition(PartitionId(1)).unwrap().unwrap();
    assert!(to.is_loading());
    to.read_snapshot(&mut bytes.as_slice(), &mark).unwrap();
    assert_eq!(
        dump(&to),
        dump(&home.store.partition(PartitionId(1)).unwrap().unwrap())
    );
}

/// A stream that keeps what is on disk each time it is read from.
struct Watched<'a> {
    bytes: &'a [u8],
    folder: &'a Path,
    copies: PathBuf,
    reads: usize,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        copy(self.folder, &self.copies.join(self.reads.to_string()));
        self.reads += 1;
        self.bytes.read(into)
    }
}

#[test]
fn a_crash_at_any_step_of_the_reading_leaves_the_old_state_or_none_and_reading_again_heals() {
    let home = Home::open();
    let from = filled(&home);
    let mut bytes = Vec::new();
    let mark = from.write_snapshot(&mut bytes).unwrap();
    let wanted = dump(&from);

    let other = Home::open();
    let to = other.base(1);
    write(
        &to,
        &put(r#"{"pk":{"S":"old"},"sk":{"N":"1"},"a":{"N":"1"}}"#),
    );
    other.store.flush().unwrap();
    let old_mark = to.mark().unwrap();
    let copies = TempDir::new().unwrap();
    let mut stream = Watched {
        bytes: &bytes,
        folder: other.folder.path(),
        copies: copies.path().to_owned(),
        reads: 0,
    };
    to.read_snapshot(&mut stream, &mark).unwrap();
    let steps = stream.reads;
    copy(other.folder.path(), &copies.path().join(steps.to_string()));

    let (mut old, mut torn) = (0, 0);
    for step in 0..=steps {
        let store = Store::open(&copies.path().join(step.to_string())).unwrap();
        let again = store.partition(PartitionId(1)).unwrap().unwrap();
        let found = again.mark().unwrap();
        if again.is_loading() {
            torn += 1;
            assert_eq!(found, None, "step {step}");
            assert!(again.get(&key("p1", 1)).is_err(), "step {step}");
        } else if found == old_mark {
            old += 1;
            assert!(again.get(&key("old", 1)).unwrap().is_some(), "step {step}");
        } else {
            assert_eq!((step, found.as_ref()), (steps, Some(&mark)));
        }
        again.read_snapshot(&mut bytes.as_slice(), &mark).unwrap();
        assert_eq!(dump(&again), wanted, "step {step}");
    }
    assert!(old > 0 && torn > 2, "{old} old, {torn} torn of {steps}");
}
