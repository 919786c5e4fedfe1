//! Repository chores: `cargo xtask tidy` checks the rules that compilers do not.
#![allow(
    clippy::print_stdout,
    reason = "a command line tool that answers on its standard output"
)]

mod tidy;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

const USAGE: &str = "usage: cargo xtask tidy";

fn main() -> Result<ExitCode> {
    let asked: Vec<String> = env::args().skip(1).collect();
    if asked != ["tidy"] {
        println!("{USAGE}");
        return Ok(ExitCode::from(2));
    }
    // Cargo's word at run time: the program may have been built for another checkout.
    let own = env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    let root = Path::new(&own)
        .parent()
        .context("xtask is a folder of the workspace")?;
    tidy::run(root)
}
