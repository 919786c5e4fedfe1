//! Memcached's configuration endpoint: plain memcached, but for the questions about the cluster's nodes.
//!
//! ```text
//!  client ── get a ── config get cluster ── get b ──►  node: get a · mn · get b
//!  client ◄─ VALUE a ── CONFIG cluster … ── VALUE b ── node: VALUE a · MN · VALUE b
//! ```
//!
//! A question is answered in its place among the others: the node is sent memcached's meta no-op instead, and the node's
//! answer to that is replaced. Binary protocol and TLS pass as they are. Source of the answers' form: AWS, "Adding auto
//! discovery to your client library".

mod carry;
mod replies;
mod requests;

pub(crate) use carry::carry;
