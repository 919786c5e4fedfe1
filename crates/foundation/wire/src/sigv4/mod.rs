//! AWS Signature Version 4, checked by computing it again.
//!
//! Owns how a signature is read from a request (`Authorization` header or presigned query), the
//! canonical form of a request, and AWS's refusals. Must not know where secrets are kept, what a
//! service does, or what time it is: all three come in as arguments.
//!
//! Sources: "AWS Signature Version 4 signing process" and "Create a signed AWS API request" in the
//! IAM user guide; the sentences of refusals are those that AWS answers.
//!
//! ```text
//! headers, target ──► Presented ──► canonical request ──► string to sign ──► HMAC ──► compare
//!                     (scope, date,                                          ▲
//!                      signed headers)                secret ──► signing key ┘ (kept, bounded)
//! ```

mod canonical;
mod presented;
mod refusal;
mod signing_key;
mod verify;

#[cfg(test)]
mod tests;

pub use presented::{Presented, Scope};
pub use refusal::RequestTime;
pub use signing_key::Secret;
pub use verify::{SignedRequest, Verified, Verifier, sign};
