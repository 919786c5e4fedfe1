//! The controller's plans, carried out on a catalog in memory by agents that do what the records say.

mod backups;
mod failover;
mod lifecycle;
mod region;
mod transfers;
mod volume;
mod walk;
