//! The binary: command line, configuration, wiring.
//!
//! Owns how the parts are put together. Must not decide anything about a region or a database.

mod access_keys;
mod agents;
mod cancels;
mod cli;
mod commands;
mod config;
mod drill;
mod gateway;
mod layout;
mod metrics;
mod node;
mod processes;
mod region_setup;
mod shutdown;
mod status;
mod table;
mod up;
mod volume_mount;

use std::process::ExitCode;

/// Items are decoded and encoded at each hop: the C library's allocator takes a tenth of a read.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The guard of an engine is this program too: it must start before any thread exists.
    let mut args = std::env::args_os().skip(1);
    let first = args.next().unwrap_or_default();
    if first == "guard" {
        return quorate_engines::guard::main(args);
    }
    if first == quorate_rds::aurora::mount::MOUNT_COMMAND {
        return volume_mount::main();
    }
    cli::run()
}
