//! One group's log against openraft's own cases, and what this one promises beyond them.

use super::*;
use crate::host::applied::{Applied, FlushPace, Mark};
use crate::host::faults::Faults;
use crate::host::kept_snapshot::KeptSnapshots;
use crate::host::machine::{Command, DurableMachine};
use crate::host::poison::Poison;
use crate::host::types::{LeaderId, StoredMembership};
use openraft::testing::{StoreBuilder, Suite};

/// A machine that remembers its mark only.
#[derive(Default)]
struct Marked(Mutex<Option<Vec<u8>>>);

impl DurableMachine for Marked {
    fn mark(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn apply(&self, commands: &[Command<'_>], mark: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        *self.0.lock().unwrap() = Some(mark.to_vec());
        Ok(vec![Vec::new(); commands.len()])
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_snapshot(&self, _: &mut dyn io::Write) -> io::Result<Vec<u8>> {
        Ok(self.mark()?.unwrap_or_default())
    }

    fn read_snapshot(&self, _: &mut dyn io::Read, mark: &[u8]) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(mark.to_vec());
        Ok(())
    }
}

struct Disk {
    folder: tempfile::TempDir,
    faults: Arc<Faults>,
    poison: Arc<Poison>,
}

impl Disk {
    fn new() -> Disk {
        Disk {
            folder: tempfile::tempdir().unwrap(),
            faults: Arc::default(),
            poison: Arc::default(),
        }
    }

    fn open(&self) -> Arc<SharedLog> {
        let opened = SharedLog::open(self.folder.path(), self.poison.clone(), self.faults.clone());
        Arc::new(opened.unwrap())
    }
}

fn group(number: u64, shared: &Arc<SharedLog>) -> GroupLog {
    GroupLog::open(GroupId(number), 7, shared.clone()).unwrap()
}

/// Openraft's suite cuts logs without asking whether the machine is flushed.
struct Flushing(GroupLog);

impl RaftLogReader<Types> for Flushing {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        self.0.try_get_log_entries(range).await
    }
}

impl RaftLogStorage<Types> for Flushing {
    type LogReader = GroupLog;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        self.0.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> GroupLog {
        self.0.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.0.save_vote(vote).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        self.0.read_vote().await
    }

    async fn append<I>(&mut self, entries: I, done: LogFlushed<Types>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.0.append(entries, done).await
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        self.0.truncate(since).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        self.0.note_flushed(&flushed_at(upto)).unwrap();
        self.0.purge(upto).await
    }
}

fn flushed_at(last: LogId) -> SnapshotMeta {
    Mark {
        last: Some(last),
        membership: StoredMembership::default(),
    }
    .meta()
}

struct Builder;

impl StoreBuilder<Types, Flushing, Applied, Disk> for Builder {
    async fn build(&self) -> Result<(Disk, Flushing, Applied), StorageError> {
        let disk = Disk::new();
        let log = group(3, &disk.open());
        let kept = disk.folder.path().join("kept");
        let applied = Applied {
            group: GroupId(3),
            kept: KeptSnapshots::open(&kept).unwrap(),
            machine: Arc::new(Marked::default()),
            log: log.clone(),
            mark: Mark::default(),
            told: Arc::new(watch::Sender::new(None)),
            poison: disk.poison.clone(),
            pace: Arc::new(FlushPace::new(u64::MAX, u64::MAX, Arc::default())),
        };
        Ok((disk, Flushing(log), applied))
    }
}

type S = Suite<Types, Flushing, Applied, Builder, Disk>;

macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod suite {
            $(
                #[tokio::test]
                async fn $case() {
                    use openraft::testing::StoreBuilder;
                    let (_disk, log, applied) = super::Builder.build().await.unwrap();
                    super::S::$case(log, applied).await.unwrap();
                }
            )*
        }
    };
}

// All of openraft's cases but those about snapshots in memory and about a stored commit index.
suite!(
    last_membership_in_log_initial,
    last_membership_in_log,
    last_membership_in_log_multi_step,
    get_membership_initial,
    get_membership_from_log_and_empty_sm,
    get_membership_from_empty_log_and_sm,
    get_membership_from_log_le_sm_last_applied,
    get_membership_from_log_gt_sm_last_applied_1,
    get_membership_from_log_gt_sm_last_applied_2,
    get_initial_state_without_init,
    get_initial_state_membership_from_log_and_sm,
    get_initial_state_with_state,
    get_initial_state_last_log_gt_sm,
    get_initial_state_last_log_lt_sm,
    get_initial_state_log_ids,
    save_vote,
    get_log_entries,
    limited_get_log_entries,
    try_get_log_entry,
    initial_logs,
    get_log_state,
    get_log_id,
    last_id_in_log,
    last_applied_state,
    purge_logs_upto_0,
    purge_logs_upto_5,
    purge_logs_upto_20,
    delete_logs_since_11,
    delete_logs_since_0,
    append_to_log,
    snapshot_meta,
);

fn vote(term: u64, voter: u64) -> Vote {
    Vote::new(term, voter)
}

#[tokio::test]
async fn a_vote_is_saved_only_once_a_promise_has_run_out() {
    let disk = Disk::new();
    let mut log = group(1, &disk.open());
    log.save_vote(&vote(1, 2)).await.unwrap();
    let promised = Moment::now();
    assert!(log.guard().promise(vote(1, 2).leader_id, promised));
    log.save_vote(&vote(2, 7)).await.unwrap();
    assert!(Moment::now().since(promised) >= crate::host::config::PROMISE);
    assert_eq!(log.vote(), vote(2, 7));
}

#[tokio::test]
async fn after_a_start_a_replica_keeps_its_vote_to_itself_and_does_not_lead() {
    let disk = Disk::new();
    let shared = disk.open();
    let mut log = group(1, &shared);
    log.save_vote(&Vote::new_committed(4, 7)).await.unwrap();
    let mut other = group(2, &shared);
    other.save_vote(&Vote::new_committed(4, 2)).await.unwrap();
    drop((log, other));
    shared.stop();
    drop(shared);

    let shared = disk.open();
    let now = Moment::now();
    let waits = |log: &GroupLog| log.guard().vote_waits(LeaderId::new(9, 1), now);
    let mut log = group(1, &shared);
    assert!(!waits(&log).is_zero());
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(4, 7)));
    let mut other = group(2, &shared);
    assert!(!waits(&other).is_zero());
    assert_eq!(
        other.read_vote().await.unwrap(),
        Some(Vote::new_committed(4, 2))
    );
    let fresh = group(3, &shared);
    assert!(fresh.is_fresh() && waits(&fresh).is_zero());
}

#[tokio::test]
async fn the_log_is_not_cut_before_the_machine_is_flushed() {
    let (_disk, mut log, _) = Builder.build().await.unwrap();
    S::feed_10_logs_vote_self(&mut log).await.unwrap();
    let id = LogId::new(LeaderId::new(1, 0), 5);
    let mut cutting = log.0.clone();
    let mut purge = Box::pin(cutting.purge(id));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut purge).await;
    assert!(early.is_err(), "it waits");
    log.0.note_flushed(&flushed_at(id)).unwrap();
    purge.await.unwrap();
    assert!(log.try_get_log_entries(0..6).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_flush_that_ends_late_does_not_take_the_mark_back() {
    let disk = Disk::new();
    let shared = disk.open();
    let log = group(1, &shared);
    let at = |index| flushed_at(LogId::new(LeaderId::new(1, 0), index));
    log.note_flushed(&at(9)).unwrap();
    log.note_flushed(&at(5)).unwrap();
    drop(log);
    shared.stop();
    assert_eq!(group(1, &shared).flushed(), Some(at(9)));
}

#[tokio::test]
async fn groups_do_not_see_each_other() {
    let (disk, mut log, _) = Builder.build().await.unwrap();
    S::feed_10_logs_vote_self(&mut log).await.unwrap();
    let shared = log.0.shared.clone();
    for other in [2, 4] {
        let mut other = group(other, &shared);
        assert!(other.is_fresh());
        assert!(other.try_get_log_entries(0..100).await.unwrap().is_empty());
        other.forget().await.unwrap();
    }
    assert_eq!(group(3, &shared).state().last.unwrap().index, 10);
    log.0.forget().await.unwrap();
    assert!(group(3, &shared).is_fresh());
    drop(disk);
}

#[tokio::test]
async fn entries_are_read_from_disk_when_memory_has_given_them_up() {
    let (_disk, mut log, _) = Builder.build().await.unwrap();
    S::feed_10_logs_vote_self(&mut log).await.unwrap();
    log.0.cool(Moment::now() + Duration::from_secs(1));
    assert!(log.0.state().cache.first().is_none());
    let indexes: Vec<u64> = log
        .try_get_log_entries(3..=9)
        .await
        .unwrap()
        .iter()
        .map(|e| e.log_id.index)
        .collect();
    assert_eq!(indexes, [3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn nothing_is_written_after_a_failed_sync() {
    let disk = Disk::new();
    let shared = disk.open();
    let (mut one, mut other) = (group(1, &shared), group(2, &shared));
    one.save_vote(&vote(1, 2)).await.unwrap();
    disk.faults.fail_syncs();
    assert!(one.save_vote(&vote(2, 2)).await.is_err());
    assert_eq!(one.vote(), vote(1, 2));
    assert!(disk.poison.wait().await.contains("made to fail"));
    assert!(other.save_vote(&vote(1, 2)).await.is_err());
    drop((one, other));
    shared.stop();
}
