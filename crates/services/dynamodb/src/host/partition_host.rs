//! All replicas of one node: brings them up and takes them down as the catalog says.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use quorate_base::NodeId;
use quorate_consensus::{GroupError, GroupId, Host, Origin, Voter, VoterId, voter_id};
use quorate_control::{Catalog, CatalogError, Txn};
use quorate_dynamo_store::{Partition, PartitionId, Store, StoreError};
use quorate_region::transport::{Caller, Requester, Router};

use crate::host::duties::Duties;
use crate::host::heat::HeatLimits;
use crate::host::home;
use crate::host::known::Known;
use crate::host::machine::{Bells, PartitionMachine, SplitDone};
use crate::host::removal;
use crate::host::replica::Replica;
use crate::host::spec::spec_of;
use crate::messages::{Answer, CENSUS, Census, Counted, PARTITION, Question, Refusal};
use crate::model::{HomeId, NodeHome, PartitionNumber, PartitionRecord, ReplicaRole};
use crate::routing::{PartitionCalls, Routes};

/// Longest time between two looks at the catalog and at the partitions that are led here.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pause before the catalog is told again where the replicas of this node are.
const TELL_AGAIN: Duration = Duration::from_millis(200);

/// What a node's DynamoDB goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// The node, and where it is called.
    pub own: Voter,
    /// Where items and the log are.
    pub folder: PathBuf,
    /// Bytes from which a partition is split.
    pub split_bytes: u64,
    /// Load from which a partition is split.
    pub split_heat: HeatLimits,
}

/// Why a node cannot hold partitions.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The items cannot be read.
    #[error("the items of this node cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// The log cannot be read.
    #[error("the log of this node's partitions cannot be opened: {0}")]
    Log(#[from] GroupError),
    /// The folder cannot be read or written.
    #[error("the folder of this node's partitions cannot be opened: {0}")]
    Folder(#[from] std::io::Error),
}

/// The replicas of one node.
pub struct PartitionHost {
    pub(crate) config: HostConfig,
    pub(crate) catalog: Catalog,
    pub(crate) groups: Arc<Host>,
    pub(crate) store: Store,
    pub(crate) calls: Arc<PartitionCalls>,
    /// What the replicas here are made in.
    home: HomeId,
    replicas: RwLock<HashMap<PartitionNumber, Arc<Replica>>>,
    bells: Bells,
    /// Partitions of which something was on disk when the host was opened, and was not removed since.
    leftovers: Mutex<BTreeSet<PartitionNumber>>,
    /// Who is to lead the right half of a split that is under way, where this node leads the left one.
    heirs: Mutex<HashMap<PartitionNumber, VoterId>>,
    split_done: Mutex<Option<mpsc::UnboundedReceiver<SplitDone>>>,
}

impl PartitionHost {
    /// Opens the node's items and log. No replica runs before `run`.
    ///
    /// # Errors
    /// When one of the two cannot be read.
    pub async fn open(
        config: HostConfig,
        catalog: Catalog,
        caller: Arc<Caller>,
    ) -> Result<Arc<PartitionHost>, HostError> {
        let home = home::open(&config.folder)?;
        let store = Store::open(&home::items_folder(&config.folder))?;
        let log = home::log_folder(&config.folder);
        let groups = Host::open(config.own.clone(), &log, Default::default(), caller.clone());
        let groups = groups.await?;
        let leftovers = leftovers(&store, &groups)?;
        let routes = Arc::new(Routes::new(catalog.view().clone()));
        let (splits, split_done) = mpsc::unbounded_channel();
        Ok(Arc::new(PartitionHost {
            config,
            calls: Arc::new(PartitionCalls::new(caller, routes)),
            catalog,
            groups,
            store,
            home,
            replicas: RwLock::default(),
            leftovers: Mutex::new(leftovers),
            bells: Bells {
                splits,
                work: Arc::new(Notify::new()),
            },
            heirs: Mutex::default(),
            split_done: Mutex::new(Some(split_done)),
        }))
    }

    /// Answers the calls of other processes.
    pub fn route(self: &Arc<Self>, router: &mut Router) {
        self.groups.route(router);
        let host = self.clone();
        router.on(PARTITION, move |_: Requester, question: Question| {
            let host = host.clone();
            async move { Ok(host.answer(question).await) }
        });
        let host = self.clone();
        router.on(CENSUS, move |_: Requester, _: Census| {
            let host = host.clone();
            async move { Ok(host.census()) }
        });
    }

    async fn answer(&self, question: Question) -> Result<Answer, Refusal> {
        let replica = self.replica(question.partition).ok_or(Refusal::Elsewhere)?;
        replica.answer(question.op).await
    }

    /// What all replicas here are like.
    fn census(&self) -> Vec<Counted> {
        let replicas = self.replicas();
        replicas.iter().map(|replica| replica.count()).collect()
    }

    /// The replica of that partition, when it runs here.
    pub(crate) fn replica(&self, number: PartitionNumber) -> Option<Arc<Replica>> {
        let replicas = self.replicas.read().expect("no holder panics");
        replicas.get(&number).cloned()
    }

    /// All replicas that run here.
    pub(crate) fn replicas(&self) -> Vec<Arc<Replica>> {
        let replicas = self.replicas.read().expect("no holder panics");
        replicas.values().cloned().collect()
    }

    /// Waits until this node's log has failed; returns why.
    pub async fn stopped(&self) -> String {
        self.groups.stopped().await
    }

    /// Keeps the replicas as the catalog says, and does what leaders do by themselves; until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut split_done = self
            .split_done
            .lock()
            .expect("no holder panics")
            .take()
            .expect("a host runs once");
        let mut bell = self.catalog.view().subscribe();
        let mut known = Known::default();
        let mut duties = Duties::default();
        let telling = tokio::spawn(self.clone().tell_home());
        loop {
            bell.mark_unchanged();
            if let Err(e) = self.look(&mut known).await {
                tracing::warn!(error = %e, "partitions could not be brought up as the catalog says");
            }
            duties.look(&self, &known);
            tokio::select! {
                _ = bell.changed() => {}
                Some(done) = split_done.recv() => self.start_right_half(done).await,
                () = self.bells.work.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => break,
            }
        }
        telling.abort();
        self.groups.shutdown().await;
    }

    /// Tells the catalog what the replicas here are made in; until it is told.
    async fn tell_home(self: Arc<Self>) {
        let node = self.config.own.node.as_str();
        let record = NodeHome { home: self.home };
        loop {
            let told = match self.catalog.read::<NodeHome>(node).await {
                Ok(Some(read)) if read.record == record => return,
                Ok(_) => self.catalog.commit(Txn::new().put(node, &record)).await,
                Err(e) => Err(e),
            };
            match told {
                Ok(_) => return,
                Err(e) => {
                    tracing::debug!(error = %e, "the catalog does not know this node's folder yet")
                }
            }
            tokio::time::sleep(TELL_AGAIN).await;
        }
    }

    /// Brings up what is placed here and takes down what no record names any more.
    async fn look(&self, known: &mut Known) -> Result<(), LookError> {
        if !known.refresh(&self.catalog)? {
            return Ok(());
        }
        let mut incomplete = false;
        for stored in known.partitions.iter() {
            let Some(number) = PartitionNumber::of_record_id(&stored.id) else {
                continue;
            };
            let record = &stored.record;
            let role = record.role_of(&self.config.own.node, self.home);
            let runs = matches!(role, ReplicaRole::Founds | ReplicaRole::Joins);
            if !runs || self.replica(number).is_some() {
                continue;
            }
            match self.start(number, record, role, known).await {
                Ok(started) => incomplete |= !started,
                Err(e) => {
                    incomplete = true;
                    tracing::warn!(partition = %number, error = %e, "a replica does not start");
                }
            }
        }
        known.incomplete = incomplete;
        let unplaced = self.unplaced(known);
        if !unplaced.is_empty() {
            // Whatever cannot be removed is tried again at the next look.
            known.incomplete = true;
            removal::remove_abandoned(self, &unplaced).await?;
        }
        Ok(())
    }

    /// What is here, running or left over from before a start, and is not placed here as far as this node knows.
    fn unplaced(&self, known: &Known) -> Vec<PartitionNumber> {
        let running = self.replicas().into_iter().map(|replica| replica.number);
        let mut here = self.leftovers.lock().expect("no holder panics").clone();
        here.extend(running);
        here.into_iter()
            .filter(|number| !known.places(*number, &self.config.own.node))
            .collect()
    }

    /// Starts a replica that the catalog places here; false when it is not time to yet.
    async fn start(
        &self,
        number: PartitionNumber,
        record: &PartitionRecord,
        role: ReplicaRole,
        known: &Known,
    ) -> Result<bool, LookError> {
        let id = PartitionId(number.0);
        let voters = known.voters(record.founders());
        let spec = known.table_of(record).and_then(|t| spec_of(t, record));
        let (Some(mut spec), true) = (spec, voters.len() == record.founders().len()) else {
            // Every replica has to begin with the same voters, so all of them must be known.
            return Ok(false);
        };
        let left = record.split_off.and_then(|left| self.replica(left));
        let waits_for_split =
            left.is_some_and(|left| left.partition.spec().range.contains(record.range.first));
        let partition = match self.store.partition(id)? {
            Some(partition) => partition,
            // The left half has not split here yet: the split makes this one.
            None if waits_for_split => return Ok(false),
            None => {
                // Who founds it applies its whole log, splits included; who joins begins with what it is now.
                if let (Some(whole), ReplicaRole::Founds) = (record.began_with, role) {
                    spec.range.last = whole.last;
                }
                self.store.create(id, spec)?
            }
        };
        let preferred = voters.iter().find(|v| v.node == record.preferred);
        let origin = Origin {
            preferred_leader: preferred.map_or(0, Voter::id),
            voters,
        };
        let beginning = match role {
            ReplicaRole::Founds => Beginning::of(record, &partition, origin),
            _ => Beginning::Late,
        };
        self.launch(number, partition, beginning).await?;
        Ok(true)
    }

    async fn launch(
        &self,
        number: PartitionNumber,
        partition: Partition,
        beginning: Beginning,
    ) -> Result<(), LookError> {
        let id = GroupId(number.0);
        let machine =
            PartitionMachine::new(partition.clone(), self.store.clone(), self.bells.clone());
        let machine = Arc::new(machine);
        let joined = matches!(beginning, Beginning::Late);
        let group = match beginning {
            Beginning::Empty(origin) => self.groups.start_group(id, machine, Some(origin)).await,
            Beginning::Split(origin) => self.groups.start_born_group(id, machine, origin).await,
            Beginning::Late => self.groups.start_group(id, machine, None).await,
        };
        let group = group?;
        let replica = Arc::new(Replica::new(number, partition, group, joined));
        let mut replicas = self.replicas.write().expect("no holder panics");
        replicas.insert(number, replica);
        Ok(())
    }

    /// Starts the right half of a split that was applied here.
    async fn start_right_half(&self, done: SplitDone) {
        let Some(left) = self.replica(done.left) else {
            return;
        };
        let started = async {
            let Some(partition) = self.store.partition(PartitionId(done.right.0))? else {
                return Ok(());
            };
            // The catalog may have brought it up already, or be about to: its record says how it begins here.
            let id = done.right.record_id();
            let record = self.catalog.view().read::<PartitionRecord>(&id)?;
            if self.replica(done.right).is_some() || record.is_some() {
                return Ok(());
            }
            let heir = self
                .heirs
                .lock()
                .expect("no holder panics")
                .remove(&done.right);
            let leader = left.group.leadership().leader;
            let origin = Origin {
                voters: done.voters,
                preferred_leader: heir.or(leader).unwrap_or(0),
            };
            let beginning = Beginning::Split(origin);
            self.launch(done.right, partition, beginning).await
        };
        let started: Result<(), LookError> = started.await;
        if let Err(e) = started {
            tracing::warn!(partition = %done.right, error = %e, "the right half of a split does not start");
        }
    }

    /// Notes who is to lead the right half of a split that is about to be made.
    pub(crate) fn note_heir(&self, right: PartitionNumber, heir: Option<&NodeId>) {
        let mut heirs = self.heirs.lock().expect("no holder panics");
        match heir {
            Some(heir) => heirs.insert(right, voter_id(heir)),
            None => heirs.remove(&right),
        };
    }

    /// Has the partitions that are led here looked through.
    pub(crate) fn ring(&self) {
        self.bells.work.notify_one();
    }

    /// The name of a table, unless it has none any more.
    pub(crate) fn name_of(&self, partition: PartitionNumber) -> Option<String> {
        let id = partition.record_id();
        let read = self.catalog.view().read::<PartitionRecord>(&id);
        Some(read.ok()??.record.table_name)
    }

    fn forget(&self, number: PartitionNumber) {
        let mut replicas = self.replicas.write().expect("no holder panics");
        replicas.remove(&number);
    }

    /// Removes a replica and all that it left on disk.
    pub(crate) async fn remove(&self, number: PartitionNumber) -> Result<(), LookError> {
        tracing::info!(partition = %number, "a replica is removed");
        self.forget(number);
        self.groups.remove_group(GroupId(number.0)).await?;
        self.store.remove(PartitionId(number.0))?;
        let mut leftovers = self.leftovers.lock().expect("no holder panics");
        leftovers.remove(&number);
        Ok(())
    }
}

/// The partitions of which the items or the log are here: after a crash it may be one of the two.
fn leftovers(store: &Store, groups: &Host) -> Result<BTreeSet<PartitionNumber>, HostError> {
    let stored = store.partitions().into_iter();
    let mut found: BTreeSet<_> = stored.map(|id| PartitionNumber(id.0)).collect();
    let logged = groups.logged_groups()?.into_iter();
    found.extend(logged.map(|id| PartitionNumber(id.0)));
    Ok(found)
}

/// How the replicas of a partition came to be, which says what its log begins behind.
enum Beginning {
    /// Empty, all at once.
    Empty(Origin),
    /// With the state that a split gave them.
    Split(Origin),
    /// After the others: nothing is here until they send their state. So begins a replica that was put here later, and the
    /// right half of a split that this node never applied, because its left half came as a snapshot.
    Late,
}

impl Beginning {
    fn of(record: &PartitionRecord, partition: &Partition, origin: Origin) -> Beginning {
        match record.split_off {
            None => Beginning::Empty(origin),
            // Every split counts one further; what is made here counts from 0, until a snapshot brings its own count.
            Some(_) if partition.source().generation > 0 => Beginning::Split(origin),
            Some(_) => Beginning::Late,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Group(#[from] GroupError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
