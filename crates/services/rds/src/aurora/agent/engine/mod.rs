//! The engine of a member: everything in which PostgreSQL and MariaDB differ, and nothing else.
//!
//! The rest of the agent knows mounts, epochs and what a member is to do; it asks here for an engine that does it.

mod functions;
mod mariadb;
mod postgres;
mod server;

pub(super) use server::{Engine, Part, Server, Stop};
use server::{Following, Launch, limits, missing};
