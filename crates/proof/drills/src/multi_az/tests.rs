//! The drill against a region in memory.

use std::sync::Mutex;

use quorate_oracle::WriteId;

use super::*;
use crate::postgres::PostgresTarget;
use crate::region::{Boxed, DrillEvent};
use crate::verdict::{EXIT_BROKEN, EXIT_KEPT};
use crate::workload::{Session, WriteEnd};

/// A region whose primary moves from a to b when a is lost.
#[derive(Default)]
struct Fake {
    rows: Mutex<Vec<WriteId>>,
    /// When the fault was injected; writes end as unknown for a while from then on.
    fault_at: Mutex<Option<Instant>>,
    healed: Mutex<bool>,
    /// Whether the promotion forgets the newest row.
    loses: bool,
    /// Whether writes never come back.
    stays_down: bool,
}

const DOWN_FOR: Duration = Duration::from_millis(1_500);

#[derive(Clone)]
struct Shared(Arc<Fake>);

impl Fake {
    fn is_down(&self) -> bool {
        let fault_at = *self.fault_at.lock().unwrap();
        fault_at.is_some_and(|at| self.stays_down || at.elapsed() < DOWN_FOR)
    }
}

struct FakeSession(Arc<Fake>);

impl Session for FakeSession {
    fn write(&mut self, id: WriteId) -> Boxed<'_, WriteEnd> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            if self.0.is_down() {
                return WriteEnd::unknown(String::from("cut"));
            }
            self.0.rows.lock().unwrap().push(id);
            WriteEnd::acknowledged()
        })
    }
}

impl Ledger for Shared {
    fn connect(&self) -> Boxed<'_, anyhow::Result<Box<dyn Session>>> {
        let session = FakeSession(self.0.clone());
        Box::pin(async move {
            anyhow::ensure!(!session.0.is_down(), "nobody there");
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn read_back(&self) -> Boxed<'_, anyhow::Result<Vec<WriteId>>> {
        Box::pin(std::future::ready(Ok(self.0.rows.lock().unwrap().clone())))
    }
}

impl DrillRegion for Fake {
    fn instance(&self) -> Boxed<'_, anyhow::Result<DrillInstance>> {
        Box::pin(std::future::ready(Ok(instance())))
    }

    fn state<'a>(&'a self, _: &'a str) -> Boxed<'a, anyhow::Result<InstanceState>> {
        let faulted = self.fault_at.lock().unwrap().is_some();
        let (primary, standby) = if faulted { ("b", "a") } else { ("a", "b") };
        let zone = |letter: &str| format!("us-east-1{letter}").parse().ok();
        let state = InstanceState {
            status: String::from("available"),
            primary_zone: zone(primary),
            standby_zone: zone(standby),
            in_sync: !faulted || *self.healed.lock().unwrap(),
            epoch: 1 + u64::from(faulted),
            serving: !self.is_down(),
        };
        Box::pin(std::future::ready(Ok(state)))
    }

    fn events<'a>(
        &'a self,
        _: &'a str,
        since: UnixMillis,
    ) -> Boxed<'a, anyhow::Result<Vec<DrillEvent>>> {
        let message = String::from("Multi-AZ instance failover completed");
        let event = DrillEvent {
            at: UnixMillis(since.0 + 4_000),
            message,
        };
        Box::pin(std::future::ready(Ok(vec![event])))
    }

    fn clean_up<'a>(&'a self, _: &'a str) -> Boxed<'a, anyhow::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl FaultTarget for Fake {
    fn inject<'a>(
        &'a self,
        _: Fault,
        zone: &'a ZoneName,
        _: &'a str,
    ) -> Boxed<'a, anyhow::Result<()>> {
        assert_eq!(zone.as_str(), "us-east-1a");
        *self.fault_at.lock().unwrap() = Some(Instant::now());
        if self.loses {
            self.rows.lock().unwrap().pop();
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn heal<'a>(&'a self, _: Fault, _: &'a ZoneName, _: &'a str) -> Boxed<'a, anyhow::Result<()>> {
        *self.healed.lock().unwrap() = true;
        Box::pin(std::future::ready(Ok(())))
    }
}

fn instance() -> DrillInstance {
    DrillInstance {
        id: String::from("drill"),
        target: PostgresTarget {
            host: String::from("localhost"),
            port: 5432,
            database: String::from("postgres"),
            user: String::from("writer"),
            password: String::new(),
            ca_pem: String::new(),
        },
    }
}

async fn drill(fake: Fake) -> DrillVerdict {
    let fake = Arc::new(fake);
    let ledger = Arc::new(Shared(fake.clone()));
    let drill = MultiAzDrill {
        resume_within: Duration::from_secs(10),
        ..MultiAzDrill::default()
    };
    drill_on(&*fake, &*fake, &instance(), ledger, &drill, &|_, _| {})
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_region_that_keeps_its_promise_gets_a_kept_verdict() {
    let verdict = drill(Fake::default()).await;
    assert_eq!(verdict.exit_status(), EXIT_KEPT, "{verdict}");
    assert!(verdict.longest_gap_ms >= 1_500, "{verdict}");
    assert!(
        verdict
            .fault_to_first_ack_ms
            .is_some_and(|ms| (1_500..2_500).contains(&ms)),
        "{verdict}"
    );
    assert!(verdict.unknown > 0 && verdict.unknown_present == 0);
    let told: Vec<&str> = verdict
        .timeline
        .iter()
        .map(|(_, text)| text.as_str())
        .collect();
    let place = |part: &str| told.iter().position(|text| text.contains(part)).unwrap();
    assert!(place("kill-zone in us-east-1a") < place("acknowledged again"));
    assert!(place("acknowledged again") < place("in sync again"));
    assert!(place("event: Multi-AZ") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_forgets_a_commit_gets_a_broken_verdict() {
    let verdict = drill(Fake {
        loses: true,
        ..Fake::default()
    })
    .await;
    assert_eq!(
        (verdict.lost, verdict.exit_status()),
        (1, EXIT_BROKEN),
        "{verdict}"
    );
}

#[tokio::test(start_paused = true)]
async fn writes_that_do_not_come_back_are_a_broken_verdict() {
    let verdict = drill(Fake {
        stays_down: true,
        ..Fake::default()
    })
    .await;
    assert_eq!(verdict.fault_to_first_ack_ms, None);
    assert_eq!(
        (verdict.lost, verdict.exit_status()),
        (0, EXIT_BROKEN),
        "{verdict}"
    );
}
