//! The archive in a local folder.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use quorate_archive::{Archive, ArchiveConfig, ArchiveError, ObjectName, PART_BYTES};

struct Stage {
    archive: Archive,
    folder: tempfile::TempDir,
}

impl Stage {
    fn set() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let archive = open(folder.path());
        Stage { archive, folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("deep/archive")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// The only file of an object's bytes.
    fn data(&self, name: &str) -> PathBuf {
        let mut files = fs::read_dir(self.root().join(format!("{name}.data"))).unwrap();
        let only = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none());
        only
    }
}

fn open(folder: &Path) -> Archive {
    Archive::open(&ArchiveConfig::Folder(folder.join("deep/archive"))).unwrap()
}

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

/// Bytes of a little more than two parts, no two stretches alike.
fn three_parts() -> Vec<u8> {
    (0..(2 * PART_BYTES + 12_345) as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

#[tokio::test]
async fn objects_of_all_sizes_come_back_the_same() {
    let stage = Stage::set();
    let whole = three_parts();
    for length in [
        0,
        1,
        PART_BYTES - 1,
        PART_BYTES,
        PART_BYTES + 1,
        whole.len(),
    ] {
        let object = name(&format!("east/n_1/{length}.rdb"));
        let source = stage.file("source", &whole[..length]);
        let stored = stage.archive.store_file(&object, &source).await.unwrap();
        assert_eq!(stored.size_bytes, length as u64);
        // Another process finds it.
        let archive = open(stage.folder.path());
        assert_eq!(archive.head(&object).await.unwrap(), stored);
        let target = stage.path("target");
        let fetched = archive
            .fetch_file(&object, &target, Some(&stored))
            .await
            .unwrap();
        assert_eq!(fetched, stored);
        assert!(fs::read(&target).unwrap() == whole[..length], "{length}");
        assert_eq!(
            fs::metadata(&target).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert_eq!(
        stage.archive.list(Some(&name("east"))).await.unwrap().len(),
        6
    );
}

#[tokio::test]
async fn the_sum_is_sha_256() {
    let stage = Stage::set();
    let source = stage.file("source", b"abc");
    let stored = stage.archive.store_file(&name("a"), &source).await.unwrap();
    // FIPS 180-2, appendix B.1.
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(stored.sha256.to_string(), expected);
}

#[tokio::test]
async fn the_folder_is_for_its_owner_alone() {
    let stage = Stage::set();
    let mode = fs::metadata(stage.root()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_taken_name_is_refused_and_the_object_stays() {
    let stage = Stage::set();
    let first = stage.file("first", b"first");
    let stored = stage
        .archive
        .store_file(&name("a/b"), &first)
        .await
        .unwrap();
    let second = stage.file("second", b"second");
    let error = stage
        .archive
        .store_file(&name("a/b"), &second)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ArchiveError::AlreadyThere { .. }),
        "{error}"
    );
    assert_eq!(stage.archive.head(&name("a/b")).await.unwrap(), stored);
    assert_eq!(fs::read(stage.data("a/b")).unwrap(), b"first");
    // A name may stand below another's.
    stage
        .archive
        .store_file(&name("a/b/c"), &second)
        .await
        .unwrap();
    stage.archive.store_file(&name("a"), &second).await.unwrap();
    let all = [name("a"), name("a/b"), name("a/b/c")];
    assert_eq!(stage.archive.list(None).await.unwrap(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_writers_of_a_name_wins() {
    let stage = Stage::set();
    for round in 0..20 {
        let object = name(&format!("x/{round}/a"));
        let writers: Vec<_> = (0..4)
            .map(|n: u8| {
                let source = stage.file(&format!("source-{n}"), &[n]);
                let (archive, object) = (open(stage.folder.path()), object.clone());
                tokio::spawn(async move { archive.store_file(&object, &source).await })
            })
            .collect();
        let mut won = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                Ok(info) => won.push(info),
                Err(error) => assert!(
                    matches!(error, ArchiveError::AlreadyThere { .. }),
                    "{error}"
                ),
            }
        }
        assert_eq!(won, [stage.archive.head(&object).await.unwrap()]);
        stage.data(object.as_str());
    }
}

#[tokio::test]
async fn torn_changed_and_missing_bytes_are_found() {
    let stage = Stage::set();
    let bytes = three_parts();
    let source = stage.file("source", &bytes);
    stage.archive.store_file(&name("a"), &source).await.unwrap();
    let target = stage.file("target", b"what was there");
    let fetch = async || {
        stage
            .archive
            .fetch_file(&name("a"), &target, None)
            .await
            .unwrap_err()
    };
    let data = stage.data("a");
    let mut changed = bytes.clone();
    changed[PART_BYTES + 5] ^= 1;
    let longer = [bytes.as_slice(), b"x"].concat();
    for damaged in [&bytes[..bytes.len() - 1], &longer, &changed] {
        fs::write(&data, damaged).unwrap();
        let error = fetch().await;
        assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
    }
    fs::remove_file(&data).unwrap();
    let error = fetch().await;
    assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
    // The target is as it was, and no temporary neighbour is left.
    assert_eq!(fs::read(&target).unwrap(), b"what was there");
    let left: Vec<_> = fs::read_dir(stage.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[tokio::test]
async fn an_object_that_is_not_the_expected_one_is_not_fetched() {
    let stage = Stage::set();
    let source = stage.file("source", b"one");
    let one = stage
        .archive
        .store_file(&name("one"), &source)
        .await
        .unwrap();
    let source = stage.file("source", b"two");
    stage
        .archive
        .store_file(&name("two"), &source)
        .await
        .unwrap();
    let target = stage.path("target");
    let error = stage
        .archive
        .fetch_file(&name("two"), &target, Some(&one))
        .await
        .unwrap_err();
    let ArchiveError::Corrupt {
        expected, found, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_ne!(expected, found);
    assert!(!target.exists());
}

#[tokio::test]
async fn a_damaged_description_is_found() {
    let stage = Stage::set();
    let source = stage.file("source", b"bytes");
    stage.archive.store_file(&name("a"), &source).await.unwrap();
    let meta = stage.root().join("a.meta");
    let text = fs::read_to_string(&meta).unwrap().replace(":5,", ":6,");
    for damaged in [text, String::new(), "x".repeat(5000)] {
        fs::write(&meta, damaged).unwrap();
        let error = stage.archive.head(&name("a")).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
        let error = stage.archive.remove(&name("a")).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_a_crash_left_is_no_object_and_does_not_take_the_name() {
    let stage = Stage::set();
    // As it is after a crash: in the upload, before the claim, and within the claim.
    let data = stage.root().join("x/a.data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("000102030405060708090a0b0c0d0e0f#1"), b"half").unwrap();
    fs::write(data.join("101112131415161718191a1b1c1d1e1f"), b"whole").unwrap();
    fs::write(stage.root().join("x/a.meta#1"), b"{").unwrap();
    assert!(stage.archive.list(None).await.unwrap().is_empty());
    let error = stage.archive.head(&name("x/a")).await.unwrap_err();
    assert!(matches!(error, ArchiveError::NotFound { .. }), "{error}");
    let target = stage.path("target");
    let error = stage
        .archive
        .fetch_file(&name("x/a"), &target, None)
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::NotFound { .. }), "{error}");

    let source = stage.file("source", b"bytes");
    stage
        .archive
        .store_file(&name("x/a"), &source)
        .await
        .unwrap();
    assert_eq!(stage.archive.list(None).await.unwrap(), [name("x/a")]);
}

#[tokio::test]
async fn a_removed_object_is_gone_and_may_be_removed_again() {
    let stage = Stage::set();
    let source = stage.file("source", b"one");
    let object = name("x/a");
    stage.archive.remove(&object).await.unwrap();
    stage.archive.store_file(&object, &source).await.unwrap();
    for _ in 0..2 {
        stage.archive.remove(&object).await.unwrap();
        let error = stage.archive.head(&object).await.unwrap_err();
        assert!(matches!(error, ArchiveError::NotFound { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(stage.root().join("x")).unwrap().count(), 0);
    // The name is free for other bytes.
    let source = stage.file("source", b"two");
    stage.archive.store_file(&object, &source).await.unwrap();
}

#[tokio::test]
async fn a_copy_outlives_its_source() {
    let stage = Stage::set();
    let source = stage.file("source", &three_parts());
    let stored = stage.archive.store_file(&name("a"), &source).await.unwrap();
    let copied = stage.archive.copy(&name("a"), &name("b/c")).await.unwrap();
    assert_eq!(copied, stored);
    assert_eq!(
        fs::metadata(stage.data("b/c")).unwrap().nlink(),
        2,
        "the bytes are shared"
    );
    stage.archive.remove(&name("a")).await.unwrap();
    let target = stage.path("target");
    stage
        .archive
        .fetch_file(&name("b/c"), &target, Some(&stored))
        .await
        .unwrap();
    let error = stage
        .archive
        .copy(&name("a"), &name("d"))
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::NotFound { .. }), "{error}");
    let error = stage
        .archive
        .copy(&name("b/c"), &name("b/c"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ArchiveError::AlreadyThere { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_source_and_a_closed_place_are_named() {
    let stage = Stage::set();
    let missing = stage.path("missing");
    let error = stage
        .archive
        .store_file(&name("a"), &missing)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    let file = stage.file("file", b"");
    let error = Archive::open(&ArchiveConfig::Folder(file.join("below"))).unwrap_err();
    assert!(matches!(error, ArchiveError::Io { .. }), "{error:?}");
    let error = Archive::open(&ArchiveConfig::Folder("relative".into())).unwrap_err();
    assert!(matches!(error, ArchiveError::BadConfig { .. }), "{error:?}");
    let error = Archive::open(&ArchiveConfig::Folder(file)).unwrap_err();
    assert!(matches!(error, ArchiveError::Io { .. }), "{error:?}");
}
