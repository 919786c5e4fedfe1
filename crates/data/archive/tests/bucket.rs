//! The archive in a bucket: the real client against a small S3 server in this process.

#![allow(clippy::unwrap_used)]

mod fake_s3;

use std::path::{Path, PathBuf};

use quorate_archive::{Archive, ArchiveConfig, ArchiveError, ObjectName, PART_BYTES, S3Config};

use fake_s3::FakeS3;

struct Stage {
    server: FakeS3,
    archive: Archive,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Stage {
        let server = FakeS3::start().await;
        let folder = tempfile::tempdir().unwrap();
        let archive = open(&server.address.to_string(), "backups", folder.path());
        Stage {
            server,
            archive,
            folder,
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn keys(&self) -> Vec<String> {
        let state = self.server.state.lock().unwrap();
        state.objects.keys().cloned().collect()
    }
}

fn open(address: &str, bucket: &str, folder: &Path) -> Archive {
    let credentials = folder.join("credentials");
    std::fs::write(
        &credentials,
        "[default]\naws_access_key_id = AK\naws_secret_access_key = hunter2\n",
    )
    .unwrap();
    let config = ArchiveConfig::S3(S3Config {
        bucket: bucket.to_owned(),
        region: String::from("us-east-1"),
        endpoint: Some(format!("http://{address}")),
        allow_http: true,
        prefix: Some(name("quorate/east")),
        credentials_file: Some(credentials),
    });
    Archive::open(&config).unwrap()
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

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_several_parts_comes_back_the_same() {
    let stage = Stage::set().await;
    let bytes = three_parts();
    let source = stage.file("source", &bytes);
    let stored = stage
        .archive
        .store_file(&name("a/b.rdb"), &source)
        .await
        .unwrap();
    assert_eq!(stored.size_bytes, bytes.len() as u64);
    assert_eq!(stage.server.count("partNumber&uploadId"), 3);
    let keys = stage.keys();
    assert!(
        keys[0].starts_with("quorate/east/a/b.rdb.data/"),
        "{keys:?}"
    );
    assert_eq!(keys[1..], ["quorate/east/a/b.rdb.meta"]);
    assert_eq!(stage.archive.head(&name("a/b.rdb")).await.unwrap(), stored);

    let target = stage.folder.path().join("target");
    let archive = stage.archive.clone();
    let to = target.clone();
    let fetched = tokio::spawn(async move {
        archive
            .fetch_file(&name("a/b.rdb"), &to, Some(&stored))
            .await
    });
    assert_eq!(fetched.await.unwrap().unwrap(), stored);
    assert!(std::fs::read(&target).unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_lists_and_removals_reach_the_bucket() {
    let stage = Stage::set().await;
    let source = stage.file("source", b"bytes");
    let stored = stage
        .archive
        .store_file(&name("a/1"), &source)
        .await
        .unwrap();
    for to in ["a/2", "a/3", "b"] {
        let copied = stage.archive.copy(&name("a/1"), &name(to)).await.unwrap();
        assert_eq!(copied, stored);
    }
    let error = stage
        .archive
        .copy(&name("a/1"), &name("b"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ArchiveError::AlreadyThere { .. }),
        "{error}"
    );
    let error = stage
        .archive
        .copy(&name("no"), &name("c"))
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::NotFound { .. }), "{error}");

    stage.archive.remove(&name("a/1")).await.unwrap();
    stage.archive.remove(&name("a/1")).await.unwrap();
    let left = stage.archive.list(Some(&name("a"))).await.unwrap();
    assert_eq!(left, [name("a/2"), name("a/3")]);
    assert_eq!(stage.archive.list(None).await.unwrap().len(), 3);
    assert_eq!(stage.keys().len(), 6, "{:?}", stage.keys());
    let target = stage.folder.path().join("target");
    stage
        .archive
        .fetch_file(&name("b"), &target, None)
        .await
        .unwrap();
    assert_eq!(std::fs::read(target).unwrap(), b"bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_refused_and_leaves_nothing() {
    let stage = Stage::set().await;
    let source = stage.file("source", b"first");
    stage.archive.store_file(&name("a"), &source).await.unwrap();
    let other = stage.file("other", b"second");
    let error = stage
        .archive
        .store_file(&name("a"), &other)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ArchiveError::AlreadyThere { .. }),
        "{error}"
    );
    assert_eq!(stage.keys().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_writers_of_a_name_wins() {
    let stage = Stage::set().await;
    let (one, two) = (stage.file("one", b"1"), stage.file("two", b"2"));
    let a = name("a");
    let (first, second) = tokio::join!(
        stage.archive.store_file(&a, &one),
        stage.archive.store_file(&a, &two)
    );
    let (won, lost) = if first.is_ok() {
        (first, second)
    } else {
        (second, first)
    };
    assert!(
        matches!(lost, Err(ArchiveError::AlreadyThere { .. })),
        "{lost:?}"
    );
    assert_eq!(stage.archive.head(&name("a")).await.unwrap(), won.unwrap());
    assert_eq!(stage.keys().len(), 2, "the loser's bytes are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_was_lost_is_recognised_as_ones_own() {
    let stage = Stage::set().await;
    let source = stage.file("source", b"bytes");
    stage
        .server
        .script("PUT quorate/east/a.meta", true, 503, "SlowDown");
    stage.archive.store_file(&name("a"), &source).await.unwrap();
    assert_eq!(stage.server.count("PUT quorate/east/a.meta"), 2);
    assert_eq!(stage.keys().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_failures_are_tried_again() {
    let stage = Stage::set().await;
    let bytes = three_parts();
    let source = stage.file("source", &bytes);
    for _ in 0..2 {
        stage
            .server
            .script("partNumber", false, 500, "InternalError");
    }
    stage.archive.store_file(&name("a"), &source).await.unwrap();
    stage
        .server
        .script("GET quorate/east/a.data", false, 503, "SlowDown");
    let target = stage.folder.path().join("target");
    stage
        .archive
        .fetch_file(&name("a"), &target, None)
        .await
        .unwrap();
    assert!(std::fs::read(&target).unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_part_gives_the_upload_up() {
    let stage = Stage::set().await;
    let source = stage.file("source", &three_parts());
    stage
        .server
        .script("partNumber", false, 403, "AccessDenied");
    let error = stage
        .archive
        .store_file(&name("a"), &source)
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::Refused { .. }), "{error}");
    assert!(stage.keys().is_empty());
    assert!(stage.server.state.lock().unwrap().uploads.is_empty());
    assert!(stage.archive.list(None).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_object_is_found_when_it_is_fetched() {
    let stage = Stage::set().await;
    let source = stage.file("source", b"bytes");
    stage.archive.store_file(&name("a"), &source).await.unwrap();
    let data = stage.keys()[0].clone();
    stage
        .server
        .state
        .lock()
        .unwrap()
        .objects
        .insert(data, "bytez".into());
    let target = stage.folder.path().join("target");
    let error = stage
        .archive
        .fetch_file(&name("a"), &target, None)
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
    assert!(!target.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_server_are_told_apart_and_show_no_secret() {
    let stage = Stage::set().await;
    let source = stage.file("source", b"bytes");
    let store = async || {
        stage
            .archive
            .store_file(&name("a"), &source)
            .await
            .unwrap_err()
    };

    stage
        .server
        .script("GET quorate/east/a.meta", false, 403, "AccessDenied");
    let error = store().await;
    assert!(matches!(error, ArchiveError::Refused { .. }), "{error:?}");

    stage.server.script("PUT", false, 400, "QuotaExceeded");
    let error = store().await;
    assert!(matches!(error, ArchiveError::NoSpace { .. }), "{error:?}");

    let missing = open(
        &stage.server.address.to_string(),
        "elsewhere",
        stage.folder.path(),
    );
    let error = missing.head(&name("a")).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Refused { .. }), "{error:?}");
    let error = missing.store_file(&name("a"), &source).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Refused { .. }), "{error:?}");

    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = open(&free.to_string(), "backups", stage.folder.path());
    let error = nobody.head(&name("a")).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::Unreachable { .. }),
        "{error:?}"
    );

    let shown = format!("{nobody:?} {nobody} {error:?} {error}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("AK"),
        "{shown}"
    );
}
