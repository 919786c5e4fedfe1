//! One life of a node: its host, its store, the replicas that run on it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quorate_consensus::{Carried, GroupId, Host, Network, Origin, Voter};
use quorate_dynamo_lang::Item;
use quorate_dynamo_store::{Partition, PartitionId, SplitPlan, WriteOp};
use quorate_dynamodb::host::SplitDone;
use quorate_dynamodb::host::simulated::{Refused, SoleReplica, Written, machine};
use quorate_dynamodb::model::PartitionNumber;
use quorate_region::transport::CallError;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::catalog::{Catalog, Placement, spec};
use crate::items::{Items, Watched};
use crate::observe::{Breach, Observed};
use crate::rules::Rules;
use crate::stage::{Stage, node_id, voter};

/// Time between two looks at the catalog.
const LOOK_EVERY: Duration = Duration::from_millis(120);
/// Longest change of voters.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(6);

/// What is asked from outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Ask {
    Get(u64, Item),
    Write(u64, Box<WriteOp>),
    Plan(u64),
    /// Split at a position, with the right half's items and bytes, into this number.
    Split(u64, (u64, u64, u64), u64),
    Change(u64, BTreeSet<usize>),
    Elect(u64),
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Said {
    Item(Option<Item>),
    Written,
    ConditionFailed(Option<Item>),
    Plan(Option<(u64, u64, u64)>),
    Done,
    NotDone(String),
    Unknown(String),
}

impl From<Refused> for Said {
    fn from(refused: Refused) -> Said {
        match refused {
            Refused::NotLeader => Said::NotDone(String::from("another leads")),
            Refused::Elsewhere => Said::NotDone(String::from("elsewhere")),
            Refused::Unavailable(why) => Said::NotDone(why),
            Refused::Unknown(why) => Said::Unknown(why),
        }
    }
}

/// A host's way to the others.
pub(crate) struct Wire {
    pub(crate) node: usize,
    pub(crate) stage: Stage,
}

impl Network for Wire {
    fn carry(&self, to: &Voter, method: &'static str, question: Vec<u8>) -> Carried {
        let name = to.node.clone();
        let index = (0..crate::stage::OUTSIDE).find(|index| node_id(*index) == name);
        let waiting = index.map(|to| self.stage.ask(self.node, to, method, question));
        Box::pin(async move {
            let gone = || CallError::NoAnswer {
                node: name.clone(),
                why: String::from("the connection is gone"),
            };
            match waiting {
                Some(waiting) => waiting.await.unwrap_or_else(|_| Err(gone())),
                None => Err(gone()),
            }
        })
    }
}

/// A node's process.
pub(crate) struct Site {
    pub(crate) node: usize,
    pub(crate) life: u32,
    pub(crate) groups: Arc<Host>,
    pub(crate) items: Arc<Items>,
    pub(crate) stage: Stage,
    pub(crate) catalog: Arc<Mutex<Catalog>>,
    pub(crate) observed: Arc<Mutex<Observed>>,
    pub(crate) rules: Rules,
    pub(crate) replicas: Mutex<BTreeMap<u64, SoleReplica>>,
    pub(crate) splits: mpsc::UnboundedSender<SplitDone>,
}

enum Beginning {
    Empty(Origin),
    Split(Origin),
    Late,
}

impl Site {
    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().expect("no holder panics")
    }

    pub(crate) fn replica(&self, number: u64) -> Option<SoleReplica> {
        let replicas = self.replicas.lock().expect("no holder panics");
        replicas.get(&number).cloned()
    }

    pub(crate) fn replicas(&self) -> Vec<(u64, SoleReplica)> {
        let replicas = self.replicas.lock().expect("no holder panics");
        replicas.iter().map(|(n, r)| (*n, r.clone())).collect()
    }

    /// Keeps the replicas as the catalog says, as `PartitionHost::run` does.
    pub(crate) async fn run(self: Arc<Self>, mut done: mpsc::UnboundedReceiver<SplitDone>) {
        loop {
            self.look().await;
            tokio::select! {
                biased;
                Some(done) = done.recv() => self.start_right_half(done).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Tells when the host has stopped by itself.
    pub(crate) async fn watch(self: Arc<Self>) {
        let why = self.groups.stopped().await;
        let mut scene = self.stage.scene();
        scene.note(format!("{}: the host has stopped: {why}", self.node));
        scene.stopped.insert((self.node, self.life));
    }

    /// Keeps a lease where this node leads, so that leases are there to be compared.
    pub(crate) async fn hold_leases(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_millis(130)).await;
            for (_, replica) in self.replicas() {
                if replica.group().leadership().own {
                    let group = replica.group().clone();
                    tokio::spawn(async move {
                        // Whether it is granted is what the leases are watched for.
                        let _ = group.read_permit(Duration::from_millis(600)).await;
                    });
                }
            }
        }
    }

    async fn look(&self) {
        let mut placements: Vec<(u64, Placement)> = Vec::new();
        for (number, placement) in &self.catalog().partitions {
            if placement.placed.contains(&self.node) {
                placements.push((*number, placement.clone()));
            }
        }
        for (number, placement) in placements {
            if self.replica(number).is_none()
                && let Err(why) = self.start(number, &placement).await
                && self.groups_are_sound()
            {
                let why = format!("{}: partition {number}: {why}", self.node);
                self.stage.scene().breach(Breach::NotStarted(why));
            }
        }
        let running: BTreeSet<u64> = self.replicas().into_iter().map(|(n, _)| n).collect();
        let stored = self.items.store.partitions().into_iter().map(|id| id.0);
        let here: BTreeSet<u64> = stored.chain(running).collect();
        for number in here {
            let placed = self.catalog().places(number, self.node);
            if !placed {
                self.remove(number).await;
            }
        }
    }

    fn groups_are_sound(&self) -> bool {
        let scene = self.stage.scene();
        !scene.stopped.contains(&(self.node, self.life))
    }

    async fn start(&self, number: u64, placement: &Placement) -> Result<(), String> {
        let id = PartitionId(number);
        if let Some(left) = placement.split_off
            && self.replica(left).is_none()
            && self.catalog().places(left, self.node)
        {
            // What it will have is not known before the left half runs.
            return Ok(());
        }
        let left = placement.split_off.and_then(|left| self.replica(left));
        let waits_for_split = left.is_some_and(|left| {
            let range = left.partition().spec().range;
            range.contains(placement.range.first)
        });
        let known = self.items.store.partition(id).map_err(|e| e.to_string())?;
        let partition = match known {
            Some(partition) => partition,
            None if waits_for_split => return Ok(()),
            None => {
                let mut range = placement.range;
                range.last = placement.began_with_last;
                match self.items.store.create(id, spec(range)) {
                    Ok(partition) => partition,
                    // Another partition here is about to give the range up.
                    Err(quorate_dynamo_store::StoreError::Overlap) => return Ok(()),
                    Err(e) => return Err(e.to_string()),
                }
            }
        };
        let origin = Origin {
            voters: placement.first_voters.iter().map(|n| voter(*n)).collect(),
            preferred_leader: voter(placement.preferred).id(),
        };
        let beginning = match (placement.founders.contains(&self.node), placement.split_off) {
            (false, _) => Beginning::Late,
            (true, None) => Beginning::Empty(origin),
            (true, Some(_)) if partition.source().generation > 0 => Beginning::Split(origin),
            (true, Some(_)) => Beginning::Late,
        };
        self.launch(number, partition, beginning).await
    }

    async fn start_right_half(&self, done: SplitDone) {
        let (left, right) = (done.left.0, done.right.0);
        // Those of the moment of the split, which all replicas have to begin with: no voters change between the decision
        // and its publication.
        let voters = {
            let catalog = self.catalog();
            let born = catalog.partitions.get(&right).map(|p| &p.first_voters);
            let parent = || catalog.partitions.get(&left).map(|p| &p.voters);
            born.or_else(parent).cloned()
        };
        let (Some(left), Some(voters)) = (self.replica(left), voters) else {
            return;
        };
        let found = self.items.store.partition(PartitionId(right));
        let Ok(Some(partition)) = found else { return };
        let placed = self.catalog().places(right, self.node);
        if self.replica(right).is_some() || !voters.contains(&self.node) || !placed {
            return;
        }
        let origin = Origin {
            voters: voters.iter().map(|n| voter(*n)).collect(),
            preferred_leader: left.group().leadership().leader.unwrap_or(0),
        };
        if let Err(why) = self
            .launch(right, partition, Beginning::Split(origin))
            .await
        {
            self.stage.note(format!("{}: {right}: {why}", self.node));
        }
    }

    async fn launch(
        &self,
        number: u64,
        partition: Partition,
        beginning: Beginning,
    ) -> Result<(), String> {
        let inner = machine(
            partition.clone(),
            self.items.store.clone(),
            self.splits.clone(),
        );
        let watched = Arc::new(Watched {
            machine: inner,
            partition: number,
            node: self.node,
            items: self.items.clone(),
            stage: self.stage.clone(),
            observed: self.observed.clone(),
            rules: self.rules,
        });
        let id = GroupId(number);
        let how = match &beginning {
            Beginning::Empty(_) => "empty",
            Beginning::Split(_) => "split off",
            Beginning::Late => "late",
        };
        let group = match beginning {
            Beginning::Empty(origin) => self.groups.start_group(id, watched, Some(origin)).await,
            Beginning::Split(origin) => self.groups.start_born_group(id, watched, origin).await,
            Beginning::Late => self.groups.start_group(id, watched, None).await,
        };
        let group = group.map_err(|e| e.to_string())?;
        let applied = group.applied_index();
        self.stage.note(format!(
            "{}: partition {number} runs ({how}, at {applied})",
            self.node
        ));
        let replica = SoleReplica::new(PartitionNumber(number), partition, group);
        let mut replicas = self.replicas.lock().expect("no holder panics");
        replicas.insert(number, replica);
        Ok(())
    }

    async fn remove(&self, number: u64) {
        self.stage
            .note(format!("{}: partition {number} is removed", self.node));
        self.replicas
            .lock()
            .expect("no holder panics")
            .remove(&number);
        if self.groups.remove_group(GroupId(number)).await.is_ok() {
            let removed = self.items.store.remove(PartitionId(number));
            if let Err(e) = removed {
                self.stage.note(format!("{}: {e}", self.node));
            }
            self.items.forget(number);
        }
    }

    /// Answers a question from outside.
    pub(crate) async fn serve(&self, question: &[u8]) -> Result<Vec<u8>, String> {
        let ask: Ask = postcard::from_bytes(question).map_err(|e| e.to_string())?;
        let said = self.answer(ask).await;
        postcard::to_stdvec(&said).map_err(|e| e.to_string())
    }

    async fn answer(&self, ask: Ask) -> Said {
        let (Ask::Get(number, _)
        | Ask::Write(number, _)
        | Ask::Plan(number)
        | Ask::Split(number, ..)
        | Ask::Change(number, _)
        | Ask::Elect(number)) = &ask;
        let Some(replica) = self.replica(*number) else {
            return Said::NotDone(String::from("it is not here"));
        };
        match ask {
            Ask::Get(_, key) => self.get(&replica, key).await,
            Ask::Write(_, write) => match replica.write(*write).await {
                Ok(Written::Done) => Said::Written,
                Ok(Written::ConditionFailed(old)) => Said::ConditionFailed(old),
                Err(refused) => refused.into(),
            },
            Ask::Plan(_) => match replica.plan_split().await {
                Ok(plan) => Said::Plan(plan.map(|p| (p.at, p.right_items, p.right_bytes))),
                Err(refused) => refused.into(),
            },
            Ask::Split(_, (at, right_items, right_bytes), right) => {
                let plan = SplitPlan {
                    at,
                    right_items,
                    right_bytes,
                };
                match replica.split(plan, PartitionNumber(right)).await {
                    Ok(()) => Said::Done,
                    Err(refused) => refused.into(),
                }
            }
            Ask::Change(_, voters) => {
                let voters = voters.into_iter().map(voter).collect();
                match replica.group().change_voters(voters, CHANGE_TIMEOUT).await {
                    Ok(()) => Said::Done,
                    Err(e) => Said::Unknown(e.to_string()),
                }
            }
            Ask::Elect(_) => match replica.group().elect(Duration::from_secs(2)).await {
                Ok(()) => Said::Done,
                Err(e) => Said::Unknown(e.to_string()),
            },
        }
    }

    async fn get(&self, replica: &SoleReplica, key: Item) -> Said {
        if self.rules.reads_without_permit {
            if !replica.group().leadership().own {
                return Said::NotDone(String::from("another leads"));
            }
            return match replica.partition().get(&key) {
                Ok(item) => Said::Item(item),
                Err(e) => Said::NotDone(e.to_string()),
            };
        }
        match replica.get(key).await {
            Ok(item) => Said::Item(item),
            Err(refused) => refused.into(),
        }
    }
}
