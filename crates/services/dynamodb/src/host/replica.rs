//! One replica of one partition: its state, its place in the Raft group, and how it answers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use quorate_base::{NodeId, Revision, UnixMillis};
use quorate_consensus::{GroupError, HostedGroup, VoterId};
use quorate_dynamo_lang::{Item, Projection};
use quorate_dynamo_store::{
    Effect, ItemKey, Latch, Partition, ReadError, ReadItem, WriteAnswer, WriteError, WriteOp,
};

use crate::host::heat::Heat;
use crate::host::machine::{Fate, command, fate};
use crate::host::settling::{QUORUM_TIMEOUT, Settled, Settling, settled, settled_as};
use crate::host::transactions;
use crate::messages::{Answer, Counted, Freshness, Measured, Op, Refusal};
use crate::model::{IndexNumber, PartitionNumber};
use crate::throttle::{Buckets, Draw, Side};

/// Evaluations of one write: each one after the first was made in a term, or with index definitions, that were replaced
/// before the command was applied.
pub(crate) const EVALUATIONS_MAX: usize = 4;
/// Reads of one question: each one after the first was made under a lease that ran out before it was done.
const READS_MAX: usize = 3;
/// Longest wait of a strong read for a transaction that has the item locked.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Pause between two looks at something that another one is about to end.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// Pause between two looks at writes that are on their way.
const DRAIN_PAUSE: Duration = Duration::from_millis(1);

/// A replica that runs.
pub(crate) struct Replica {
    pub(crate) number: PartitionNumber,
    pub(crate) partition: Partition,
    pub(crate) group: HostedGroup,
    /// Whether it came after the others: it has nothing until it is sent their state, and must not answer with that.
    joined: bool,
    /// Whether a task does this replica's duties.
    pub(crate) busy: AtomicBool,
    /// Whether a task changes the group's voters.
    pub(crate) moves: AtomicBool,
    /// When the partition was last found to be too large and not to be split.
    pub(crate) indivisible: Mutex<Option<Instant>>,
    /// When it was last found to be hot at one position.
    pub(crate) indivisible_heat: Mutex<Option<Instant>>,
    /// How much it is asked for.
    pub(crate) heat: Heat,
    /// The last comparison of indexes with the table's.
    pub(crate) described: Mutex<Option<Described>>,
    /// The last term in which this replica led with all earlier commands applied.
    ready_term: AtomicU64,
    /// The throughput of the table whose first partition this is.
    buckets: Mutex<Buckets>,
    began: Instant,
    /// Index partitions that refuse what was sent before this generation.
    fenced: Mutex<HashSet<(PartitionNumber, u32)>>,
}

/// That a leader found its indexes as the table has them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described {
    /// The leader's term.
    pub(crate) term: u64,
    /// The table's revision.
    pub(crate) revision: Revision,
    /// Until when that is good enough; none for the whole term.
    pub(crate) until: Option<Instant>,
}

impl Replica {
    pub(crate) fn new(
        number: PartitionNumber,
        partition: Partition,
        group: HostedGroup,
        joined: bool,
    ) -> Replica {
        Replica {
            number,
            partition,
            group,
            joined,
            busy: AtomicBool::new(false),
            moves: AtomicBool::new(false),
            indivisible: Mutex::default(),
            indivisible_heat: Mutex::default(),
            heat: Heat::new(Instant::now()),
            described: Mutex::default(),
            ready_term: AtomicU64::new(0),
            buckets: Mutex::default(),
            began: Instant::now(),
            fenced: Mutex::default(),
        }
    }

    /// Answers a question.
    pub(crate) async fn answer(self: &Arc<Self>, op: Op) -> Result<Answer, Refusal> {
        match op {
            Op::Get {
                key,
                projection,
                freshness,
            } => self.get(&key, projection.as_ref(), freshness).await,
            // Pages take long, and must not hold up what else came on the connection.
            Op::Query { plan, freshness } => {
                tokio::task::yield_now().await;
                let page = self.read(freshness, |p| p.query(&plan)).await?;
                let strong = freshness == Freshness::Strong;
                let position = || self.partition.position_of_query(&plan);
                self.heat.note_read(page.bytes, strong, position);
                Ok(Answer::Page(page))
            }
            Op::Scan { plan, freshness } => {
                tokio::task::yield_now().await;
                let page = self.read(freshness, |p| p.scan(&plan)).await?;
                // A scan asks for all positions alike.
                let strong = freshness == Freshness::Strong;
                self.heat.note_read(page.bytes, strong, || None);
                // A range only shrinks: what has it all after the read had it all during the read.
                let own = self.partition.spec().range;
                if own.contains(plan.range.first) && own.contains(plan.range.last) {
                    Ok(Answer::Page(page))
                } else {
                    Err(Refusal::Elsewhere)
                }
            }
            Op::Write { write, images } => self.write(&write, images).await,
            Op::Prepare { txn, writes } => transactions::prepare(self, txn, &writes).await,
            Op::Finish { txn, commit } => transactions::finish(self, txn, commit).await,
            Op::Decide {
                txn,
                commit,
                begun_ms,
            } => transactions::decide(self, txn, commit, begun_ms).await,
            Op::Index {
                fences,
                source,
                entries,
            } => {
                for entry in &entries {
                    let bytes = entry.encoded_bytes() as u64;
                    self.heat.note_write(bytes, || Some(entry.position()));
                }
                for source in fences {
                    // What is not fenced could still be overtaken by what the source sent before.
                    if self.command(&Effect::Fence { source }).await? != Settled::Done {
                        return Err(Refusal::Elsewhere);
                    }
                }
                match self
                    .command(&Effect::IndexBatch { source, entries })
                    .await?
                {
                    Settled::Done => Ok(Answer::Done),
                    _ => Err(Refusal::Elsewhere),
                }
            }
            Op::Measure => Ok(Answer::Measured(self.measure())),
            Op::Draw { index, side, draw } => self.draw(index, side, draw),
        }
    }

    /// Gives units of throughput out. A replica that begins to lead begins with full buckets: what was used before is
    /// not known here, and limits are worth no command in the log.
    fn draw(&self, index: IndexNumber, side: Side, draw: Draw) -> Result<Answer, Refusal> {
        let leadership = self.group.leadership();
        if !leadership.own {
            return Err(Refusal::NotLeader(self.node_of(leadership.leader)));
        }
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut buckets = self.buckets.lock().expect("no holder panics");
        Ok(Answer::Drawn(buckets.draw(index, side, draw, now_ms)))
    }

    /// How far it is, and on the leader how far the others are.
    pub(crate) fn count(&self) -> Counted {
        let progress = self.group.progress();
        let node = |id: VoterId| self.node_of(Some(id));
        let matched = progress.matched.into_iter();
        Counted {
            partition: self.number,
            measured: self.measure(),
            last: progress.last,
            matched: matched
                .filter_map(|(id, at)| Some((node(id)?, at)))
                .collect(),
        }
    }

    fn measure(&self) -> Measured {
        let stats = self.partition.stats();
        let rates = self.heat.rates();
        Measured {
            leads: self.group.leadership().own,
            applied: self.group.applied_index(),
            items: stats.items,
            bytes: stats.bytes,
            outbox: stats.outbox,
            reads_per_s: rates.reads,
            writes_per_s: rates.writes,
        }
    }

    /// The term in which this replica leads and may evaluate.
    pub(crate) async fn lead(&self) -> Result<u64, Refusal> {
        let leadership = self.group.leadership();
        if !leadership.own {
            return Err(Refusal::NotLeader(self.node_of(leadership.leader)));
        }
        if self.ready_term.load(Ordering::Acquire) == leadership.term {
            return Ok(leadership.term);
        }
        let permit = self.group.read_permit(QUORUM_TIMEOUT).await;
        permit.map_err(not_done)?;
        // The permit is this term's only if the term is still the same.
        let after = self.group.leadership();
        if !after.own || after.term != leadership.term {
            return Err(Refusal::NotLeader(self.node_of(after.leader)));
        }
        self.ready_term.store(after.term, Ordering::Release);
        Ok(after.term)
    }

    /// Whether it has led in that term with all earlier commands applied.
    pub(crate) fn is_ready(&self, term: u64) -> bool {
        self.ready_term.load(Ordering::Acquire) == term
    }

    fn node_of(&self, voter: Option<VoterId>) -> Option<NodeId> {
        Some(self.group.member(voter?)?.node)
    }

    /// Reads the state, as fresh as it is asked for.
    async fn read<T>(
        &self,
        freshness: Freshness,
        read: impl Fn(&Partition) -> Result<T, ReadError>,
    ) -> Result<T, Refusal> {
        if self.joined && !self.group.has_state() {
            let why = "this replica has no state yet";
            return Err(Refusal::Unavailable(why.to_owned()));
        }
        for _ in 0..READS_MAX {
            let permit = match freshness {
                Freshness::Eventual => None,
                Freshness::Strong => {
                    let permit = self.group.read_permit(QUORUM_TIMEOUT).await;
                    Some(permit.map_err(not_done)?)
                }
            };
            let found = read(&self.partition).map_err(unread)?;
            if permit.is_none_or(|permit| permit.still_valid()) {
                return Ok(found);
            }
        }
        Err(Refusal::Unavailable(String::from(
            "the leader's lease ran out during the read",
        )))
    }

    async fn get(
        &self,
        key: &Item,
        projection: Option<&Projection>,
        freshness: Freshness,
    ) -> Result<Answer, Refusal> {
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            let found: ReadItem = self.read(freshness, |p| p.read(key)).await?;
            // What the transaction comes to is not known here yet: the read comes after it.
            if freshness == Freshness::Strong && found.locked.is_some() {
                if Instant::now() >= deadline {
                    let why = "the item is locked by a transaction";
                    return Err(Refusal::Unavailable(why.to_owned()));
                }
                tokio::time::sleep(LOOK_PAUSE).await;
                continue;
            }
            let strong = freshness == Freshness::Strong;
            let position = || self.partition.key(key).ok().map(|key| key.position());
            self.heat.note_read(found.bytes as u64, strong, position);
            let item = match projection {
                Some(projection) => found.item.map(|item| projection.project(&item)),
                None => found.item,
            };
            return Ok(Answer::Item {
                item,
                bytes: found.bytes as u64,
                version: found.version,
            });
        }
    }

    /// Makes one write.
    ///
    /// The next write of the item is evaluated as soon as this one's command has its place behind all others: on what
    /// this one makes of it, in the same term. So writes of one item share syncs as those of many do.
    pub(crate) async fn write(
        self: &Arc<Self>,
        op: &WriteOp,
        images: bool,
    ) -> Result<Answer, Refusal> {
        for _ in 0..EVALUATIONS_MAX {
            let term = self.lead().await?;
            let key = self.key(op)?;
            let latch = self.latch(std::slice::from_ref(&key)).await?;
            let now = UnixMillis::now().0;
            // Under the latch what is expected can only come to pass.
            let on_expected = self.partition.expects(std::slice::from_ref(&key));
            let revision = self.partition.revision();
            let changes_nothing;
            let mut evaluated = self.partition.evaluate_after(term, now, op, &latch);
            if evaluated.is_err() && !on_expected {
                let look = || self.partition.evaluate(now, op, &latch);
                evaluated = self.confirmed(look).await?;
            }
            let settling = match evaluated {
                Ok(mut evaluated) => {
                    let effect = evaluated.effect.take().unwrap_or_default();
                    let answer = &evaluated.answer;
                    let bytes = answer.old_bytes.max(answer.new_bytes) as u64;
                    self.heat.note_write(bytes, || Some(key.position()));
                    changes_nothing = effect.is_empty();
                    let expected = self.partition.expect(&key, term, &mut evaluated);
                    let settling = self.submit(term, &effect, expected)?;
                    settling.with(wrote(evaluated.answer, images))
                }
                Err(WriteError::WrongPartition) => return Err(Refusal::Elsewhere),
                Err(WriteError::OnTheirWay) => {
                    self.drain(&[key]).await?;
                    continue;
                }
                // Refused for what is only expected: an empty command behind that makes it sure.
                Err(e) if on_expected => {
                    changes_nothing = true;
                    let settling = self.submit(term, &[], ())?;
                    settling.with(Answer::NotWritten(e.into()))
                }
                Err(e) => return Ok(Answer::NotWritten(e.into())),
            };
            drop(latch);
            let (settled, answer) = settling.wait().await?;
            match settled {
                Settled::Done if on_expected && changes_nothing => {
                    // What it was evaluated on was not carried out if a split or a change of the indexes came before
                    // that in the log. A command with an effect is refused for that itself; an empty one is not.
                    if !self.partition.holds(&key) {
                        return Err(Refusal::Elsewhere);
                    }
                    if self.partition.revision() == revision {
                        return Ok(answer);
                    }
                }
                Settled::Done => return Ok(answer),
                Settled::Again | Settled::Refused => {}
            }
        }
        Err(Refusal::Unavailable(String::from(
            "leadership or indexes changed while the write was made",
        )))
    }

    /// Waits until no write of these keys is on its way. Under their latch none comes after.
    pub(crate) async fn drain(&self, keys: &[ItemKey]) -> Result<(), Refusal> {
        let deadline = Instant::now() + QUORUM_TIMEOUT;
        while self.partition.expects(keys) {
            if Instant::now() >= deadline {
                let why = "earlier writes of the item are not settled";
                return Err(Refusal::Unavailable(why.to_owned()));
            }
            tokio::time::sleep(DRAIN_PAUSE).await;
        }
        Ok(())
    }

    /// Looks once more at a write that was refused, as a strong read: a refusal says what the state is, so it must be
    /// the newest.
    pub(crate) async fn confirmed<T>(&self, look: impl Fn() -> T) -> Result<T, Refusal> {
        for _ in 0..READS_MAX {
            let permit = self.group.read_permit(QUORUM_TIMEOUT).await;
            let permit = permit.map_err(not_done)?;
            let found = look();
            if permit.still_valid() {
                return Ok(found);
            }
        }
        Err(Refusal::Unavailable(String::from(
            "the leader's lease ran out during the write",
        )))
    }

    /// The key of what is written.
    pub(crate) fn key(&self, op: &WriteOp) -> Result<ItemKey, Refusal> {
        self.partition.key(op.key()).map_err(unread)
    }

    /// The latch of these keys.
    pub(crate) async fn latch(&self, keys: &[ItemKey]) -> Result<Latch, Refusal> {
        let latch = self.partition.latch(keys).await;
        latch.map_err(|e| Refusal::Unavailable(e.to_string()))
    }

    /// Puts an effect that was evaluated in `term` behind all others. What is `held` (a latch, an expected image) is let go
    /// once it is known what became of the effect, whether or not anybody waits for it.
    pub(crate) fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        term: u64,
        effect: &[u8],
        held: T,
    ) -> Result<Settling<()>, Refusal> {
        let submitted = self.group.submit(command(term, effect)).map_err(not_done)?;
        let (tell, told) = oneshot::channel();
        let replica = self.clone();
        tokio::spawn(async move {
            let settled = match submitted.answer().await {
                Ok(reply) => settled(&reply),
                Err(GroupError::NotLeader(voter)) => Err(Refusal::NotLeader(voter.map(|v| v.node))),
                Err(GroupError::Unavailable(why)) => Err(Refusal::Unknown(why)),
            };
            let unknown = matches!(settled, Err(Refusal::Unknown(_)));
            // Who asked may have gone away.
            let _ = tell.send(settled);
            if unknown {
                replica.wait_out(term).await;
            }
            drop(held);
        });
        Ok(Settling { told, answer: () })
    }

    /// Proposes an effect that depends on nothing that was read.
    pub(crate) async fn command(&self, effect: &Effect) -> Result<Settled, Refusal> {
        let term = self.lead().await?;
        self.propose(term, effect.encode()).await
    }

    async fn propose(&self, term: u64, effect: Vec<u8>) -> Result<Settled, Refusal> {
        settled_as(self.outcome(term, effect).await?)
    }

    /// Proposes an effect that was evaluated in `term`; what the partition said.
    pub(crate) async fn outcome(&self, term: u64, effect: Vec<u8>) -> Result<Fate, Refusal> {
        let command = command(term, &effect);
        match self.group.propose(command, QUORUM_TIMEOUT).await {
            Ok(reply) => fate(&reply).map_err(|e| Refusal::Unknown(e.to_string())),
            Err(GroupError::NotLeader(voter)) => Err(Refusal::NotLeader(voter.map(|v| v.node))),
            Err(GroupError::Unavailable(why)) => Err(Refusal::Unknown(why)),
        }
    }

    /// Waits until all that this replica appended in `term` is applied, or the term is over.
    async fn wait_out(&self, term: u64) {
        loop {
            let leadership = self.group.leadership();
            if !leadership.own || leadership.term != term {
                return;
            }
            // Commands are applied in order: what was appended before this empty one is applied when it is.
            match self.propose(term, Vec::new()).await {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(LOOK_PAUSE).await,
            }
        }
    }

    /// Whether an index partition has been told to refuse what was sent before this generation.
    pub(crate) fn has_fenced(&self, index: PartitionNumber, generation: u32) -> bool {
        let fenced = self.fenced.lock().expect("no holder panics");
        fenced.contains(&(index, generation))
    }

    /// Notes that it has.
    pub(crate) fn note_fenced(&self, index: PartitionNumber, generation: u32) {
        let mut fenced = self.fenced.lock().expect("no holder panics");
        fenced.insert((index, generation));
    }
}

/// The answer to a write, without what nobody asked for.
fn wrote(mut answer: WriteAnswer, images: bool) -> Answer {
    if !images {
        answer.old = None;
        answer.new = None;
        answer.updated_old = None;
        answer.updated_new = None;
    }
    Answer::Wrote(Box::new(answer))
}

/// A refusal of something that was surely not done.
fn not_done(e: GroupError) -> Refusal {
    match e {
        GroupError::NotLeader(voter) => Refusal::NotLeader(voter.map(|v| v.node)),
        GroupError::Unavailable(why) => Refusal::Unavailable(why),
    }
}

fn unread(e: ReadError) -> Refusal {
    match e {
        ReadError::WrongPartition => Refusal::Elsewhere,
        ReadError::Validation(e) => Refusal::Invalid(e.message),
        ReadError::Store(e) => Refusal::Unavailable(e.to_string()),
    }
}
