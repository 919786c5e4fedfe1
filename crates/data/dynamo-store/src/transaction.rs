//! This partition's part of a transaction over several: locked keys with what will be written to them.
//!
//! Owns the locks. Who decides a transaction is not known here.
//!
//! Invariant: while a transaction is prepared its items do not change, so what was evaluated stays true.

use crate::bytes::Bytes;
use crate::effect::{Effect, Outcome, PrepareEffect, TxnRecord};
use crate::error::{StoreError, WriteError};
use crate::evaluate::{Evaluation, OneWrite};
use crate::latch::Latch;
use crate::layout::{self, Space};
use crate::partition::Partition;
use crate::record;
use crate::spec::{TxnId, position_of};
use crate::work::Work;
use crate::write::{WriteAnswer, WriteOp};

/// A transaction's operations on this partition, evaluated.
#[derive(Debug)]
pub struct Prepared {
    /// What to propose; the latch may go once it is applied, for then the locks hold.
    pub effect: Vec<u8>,
    /// The answer of each operation, once the transaction is committed.
    pub answers: Vec<WriteAnswer>,
}

/// A prepared transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Which.
    pub txn: TxnId,
    /// When it was prepared.
    pub at_ms: u64,
    /// How many keys it holds here.
    pub keys: usize,
}

impl Partition {
    /// Evaluates a transaction's operations, no two of one key.
    ///
    /// # Errors
    /// One place for each operation, with the error of those that are refused.
    pub fn prepare(
        &self,
        now_ms: u64,
        txn: TxnId,
        ops: &[WriteOp],
        latch: &Latch,
    ) -> Result<Prepared, Vec<Option<WriteError>>> {
        let state = self.inner.serving();
        let state = state.map_err(|error| vec![Some(WriteError::Store(error))])?;
        let evaluation = Evaluation {
            inner: &self.inner,
            state: &state,
            now_ms,
            own: Some(txn),
            epoch: None,
        };
        let results: Vec<_> = ops.iter().map(|op| evaluation.run(op, latch)).collect();
        if results.iter().any(Result::is_err) {
            return Err(results.into_iter().map(Result::err).collect());
        }
        let mut record = TxnRecord {
            at_ms: now_ms,
            writes: Vec::with_capacity(ops.len()),
            keys: Vec::with_capacity(ops.len()),
        };
        let mut answers = Vec::with_capacity(ops.len());
        for OneWrite { key, write, answer } in results.into_iter().flatten() {
            record.keys.push(Bytes(key.0));
            record.writes.extend(write);
            answers.push(answer);
        }
        let effect = Effect::Prepare(PrepareEffect { txn, record }).encode();
        Ok(Prepared { effect, answers })
    }

    /// Transactions that were prepared before `before_ms` and have not ended: whoever prepared them may be gone.
    ///
    /// # Errors
    /// When the store failed.
    pub fn locks(&self, before_ms: u64) -> Result<Vec<Lock>, StoreError> {
        self.inner.serving()?;
        let prefix = layout::transactions(self.inner.id);
        let mut locks = Vec::new();
        for row in self.inner.shared.rows.prefix(&prefix) {
            let (key, value) = self
                .inner
                .sound(row.into_inner().map_err(StoreError::from))?;
            let record: TxnRecord = self.inner.sound(record::decode(&value, "transaction"))?;
            if record.at_ms < before_ms {
                locks.push(Lock {
                    txn: self.inner.sound(txn_of(&key))?,
                    at_ms: record.at_ms,
                    keys: record.keys.len(),
                });
            }
        }
        Ok(locks)
    }
}

/// The transaction whose row this is.
pub(crate) fn txn_of(row: &[u8]) -> Result<TxnId, StoreError> {
    let id = row.last_chunk().ok_or(StoreError::Damaged("transaction"))?;
    Ok(TxnId(u128::from_be_bytes(*id)))
}

impl Work<'_> {
    fn lock_row(&self, key: &Bytes) -> Vec<u8> {
        layout::row(self.spec().table, Space::Locks, &key.0)
    }

    pub(crate) fn apply_prepare(&mut self, prepare: PrepareEffect) -> Result<Outcome, StoreError> {
        let PrepareEffect { txn, record } = prepare;
        let range = self.spec().range;
        let inside = |key: &Bytes| position_of(&key.0).is_some_and(|p| range.contains(p));
        if !record.keys.iter().all(inside) {
            return Ok(Outcome::WrongPartition);
        }
        let revision = self.described.revision;
        if record.writes.iter().any(|write| write.revision != revision) {
            return Ok(Outcome::Stale);
        }
        let row = layout::transaction_row(self.inner.id, txn);
        if self.get(&row)?.is_some() {
            return Ok(Outcome::Ignored);
        }
        for key in &record.keys {
            if self.get(&self.lock_row(key))?.is_some() {
                return Ok(Outcome::Refused);
            }
        }
        for key in &record.keys {
            self.put_value(self.lock_row(key), &txn);
        }
        self.head.locks += record.keys.len() as u64;
        self.put_value(row, &record);
        Ok(Outcome::Applied)
    }

    pub(crate) fn apply_commit(&mut self, txn: TxnId) -> Result<Outcome, StoreError> {
        let Some(record) = self.unlock(txn)? else {
            return Ok(Outcome::Ignored);
        };
        for write in record.writes {
            self.write(write)?;
        }
        Ok(Outcome::Applied)
    }

    pub(crate) fn apply_abort(&mut self, txn: TxnId) -> Result<Outcome, StoreError> {
        Ok(match self.unlock(txn)? {
            Some(_) => Outcome::Applied,
            None => Outcome::Ignored,
        })
    }

    /// Ends the transaction and gives what it prepared.
    fn unlock(&mut self, txn: TxnId) -> Result<Option<TxnRecord>, StoreError> {
        let row = layout::transaction_row(self.inner.id, txn);
        let Some(bytes) = self.get(&row)? else {
            return Ok(None);
        };
        let record: TxnRecord = record::decode(&bytes, "transaction")?;
        for key in &record.keys {
            self.remove(self.lock_row(key));
        }
        self.head.locks = self.head.locks.saturating_sub(record.keys.len() as u64);
        self.remove(row);
        Ok(Some(record))
    }
}
