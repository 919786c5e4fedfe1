//! `quorate up`: a gateway in this process, and the nodes of each region as child processes.
//!
//! Owns its children: they end with it, however it ends (their standard input closes).

mod children;
mod control;
mod run;

pub(crate) use control::{ZoneAction, ZoneRow, ask_control};
pub(crate) use run::{UpOptions, run_up};
