//! Archives the logs of volumes, all the time.
//!
//! Invariants
//! - A run of the agent takes an attempt on, in the catalog, before it stores anything; another run never goes on with it.
//! - A file of log counts once the catalog says so, after it was stored; the next one follows it without a gap.
//! - What segments keep for the archive has a bound: an archiver that is too far behind lets go, and the gap is on record.

mod archiver;
mod run;
mod spool;

pub(super) use run::run;
