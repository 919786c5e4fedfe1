//! The Sentinels of this node's zone: started, told what to watch, and followed. One watches the caches without transit
//! encryption, another one those with it: Sentinel's TLS is a setting of its whole process.
//!
//! Invariant: a Sentinel's word is taken over only when its configuration epoch is above the record's `elected`.

mod keeper;
mod orders;
mod process;

pub(crate) use keeper::run_sentinels;
