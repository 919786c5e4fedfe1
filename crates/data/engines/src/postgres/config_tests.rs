//! Tests of the configuration files' text.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn paths() -> MemberPaths {
    let account = EngineAccount::resolve(None).unwrap();
    MemberPaths::new(Path::new("/var/lib/quorate/m1"), &account).unwrap()
}

fn tls() -> TlsFiles {
    TlsFiles {
        cert: PathBuf::from("/t/it's.crt"),
        key: PathBuf::from("/t/server.key"),
        ca: PathBuf::from("/t/ca.crt"),
    }
}

fn config(parameters: &[(&str, &str)]) -> PostgresConfig {
    PostgresConfig {
        listen: "127.0.1.1:5432".parse().unwrap(),
        cluster_name: String::from("orders"),
        parameters: parameters
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        tls: tls(),
        force_ssl: true,
        upstream: None,
        synchronous_standby: None,
        full_page_writes: true,
        waits_for_upstream: false,
    }
}

/// Reads a rendered file the way the server's scanner does.
fn parse(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, quoted) = line.split_once(" = ").unwrap();
            let inner = quoted
                .strip_prefix('\'')
                .and_then(|q| q.strip_suffix('\''))
                .unwrap();
            let mut value = String::new();
            let mut chars = inner.chars();
            while let Some(c) = chars.next() {
                match c {
                    '\'' => {
                        assert_eq!(chars.next(), Some('\''), "a lone quote in {line}");
                        value.push('\'');
                    }
                    '\\' => match chars.next().unwrap() {
                        'n' => value.push('\n'),
                        'r' => value.push('\r'),
                        '\\' => value.push('\\'),
                        other => panic!("an unknown escape {other} in {line}"),
                    },
                    other => value.push(other),
                }
            }
            (name.to_owned(), value)
        })
        .collect()
}

#[test]
fn owned_settings_cannot_be_overridden() {
    let settings = parse(
        &config(&[
            ("Fsync", "off"),
            ("port", "1"),
            ("wal_level", "minimal"),
            ("max_wal_senders", "3"),
            ("max_replication_slots", "90"),
            ("work_mem", "64MB"),
            ("wal_keep_size", "1GB"),
        ])
        .render(&paths(), None)
        .unwrap(),
    );
    let expected = [
        ("fsync", "on"),
        ("port", "5432"),
        ("listen_addresses", "127.0.1.1"),
        ("wal_level", "replica"),
        ("max_wal_senders", "25"),
        ("max_replication_slots", "90"),
        ("work_mem", "64MB"),
        ("wal_keep_size", "1GB"),
        ("synchronous_standby_names", ""),
        ("primary_conninfo", ""),
        ("ssl_cert_file", "/t/it's.crt"),
    ];
    for (name, value) in expected {
        assert_eq!(settings[name], value, "{name}");
    }
}

#[test]
fn the_module_for_commits_is_loaded_before_what_the_user_asks_for() {
    let module = Path::new("/m/g.so");
    let preload = |parameters: &[(&str, &str)], module| {
        let text = config(parameters).render(&paths(), module).unwrap();
        parse(&text).get(PRELOAD).cloned()
    };
    let asked = [("Shared_Preload_Libraries", "pg_stat_statements")];
    assert_eq!(
        preload(&asked, Some(module)).as_deref(),
        Some("\"/m/g.so\", pg_stat_statements")
    );
    assert_eq!(preload(&[], Some(module)).as_deref(), Some("\"/m/g.so\""));
    assert_eq!(preload(&asked, None).as_deref(), Some("pg_stat_statements"));
    assert_eq!(preload(&[], None), None);
}

#[test]
fn logical_replication_raises_the_wal_level() {
    let rendered = config(&[("rds.logical_replication", "1")])
        .render(&paths(), None)
        .unwrap();
    assert_eq!(parse(&rendered)["wal_level"], "logical");
}

#[test]
fn directives_and_strange_names_are_refused() {
    for name in [
        "include",
        "Include_Dir",
        "a b",
        "a=b",
        "",
        "a..b",
        "1a",
        "x\ny",
        "é",
    ] {
        assert!(
            config(&[(name, "x")]).render(&paths(), None).is_err(),
            "{name}"
        );
    }
    assert!(
        config(&[("work_mem", "1\0")])
            .render(&paths(), None)
            .is_err()
    );
}

#[test]
fn the_upstream_and_the_standby_are_quoted_twice() {
    let mut config = config(&[]);
    config.synchronous_standby = Some(String::from("m\"2"));
    config.upstream = Some(Upstream {
        host: String::from("127.0.2.1"),
        port: 5433,
        server_name: Some(String::from("orders.internal")),
        slot: Some(String::from("m2")),
        application_name: String::from("m'2"),
        tls: tls(),
        connect_timeout: Duration::from_secs(3),
    });
    let settings = parse(&config.render(&paths(), None).unwrap());
    assert_eq!(
        settings["synchronous_standby_names"],
        "FIRST 1 (\"m\"\"2\")"
    );
    assert_eq!(settings["primary_slot_name"], "m2");
    let conninfo = &settings["primary_conninfo"];
    assert!(conninfo.starts_with("host='orders.internal' hostaddr='127.0.2.1' port='5433'"));
    assert!(conninfo.contains(r"application_name='m\'2'"), "{conninfo}");
    assert!(conninfo.contains("sslmode='verify-full'"));
}

#[test]
fn clients_without_tls_are_let_in_only_when_allowed() {
    let mut config = config(&[]);
    assert!(!config.render_hba().contains("hostnossl"));
    config.force_ssl = false;
    assert!(config.render_hba().contains("hostnossl"));
}

proptest! {
    #[test]
    fn any_value_reads_back_as_it_was(value in "[^\0]{0,60}") {
        let rendered = config(&[("application_name", &value)]).render(&paths(), None).unwrap();
        // `lines` above splits as the scanner does: at line feeds only.
        let kept: Vec<&str> = rendered.split('\n').filter(|l| l.starts_with("application_name")).collect();
        prop_assert_eq!(kept.len(), 1);
        prop_assert_eq!(&parse(kept[0])["application_name"], &value);
    }
}
