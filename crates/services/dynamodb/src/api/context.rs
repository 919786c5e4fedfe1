//! What a handler works with: the region and the caller.

use std::future::Future;
use std::time::Duration;

use quorate_base::{AccountId, Arn};
use quorate_control::{Catalog, CatalogError, Stored};

use crate::api::error::ApiError;
use crate::api::service::DynamoDbRegion;
use crate::model::TableRecord;

/// How often a handler reads and writes again after another writer came first.
const WRITE_ATTEMPTS_MAX: u64 = 16;
/// Longest pause after the first conflict; after each later one it is longer by as much.
const CONFLICT_PAUSE_MS: u64 = 10;

/// One request to one region.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) region: &'a DynamoDbRegion,
    pub(crate) account: &'a AccountId,
    /// The host and port that the caller called.
    pub(crate) host: &'a str,
}

impl Context<'_> {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.region.catalog
    }

    /// The ARN of a table.
    pub(crate) fn table_arn(&self, name: &str) -> String {
        self.arn("dynamodb", format!("table/{name}"))
    }

    /// The ARN of something of the caller's in this region.
    pub(crate) fn arn(&self, service: &str, resource: String) -> String {
        Arn {
            service: service.to_owned(),
            region: self.region.name.clone(),
            account: self.account.clone(),
            resource,
        }
        .to_string()
    }

    /// A table's record, newest committed state.
    ///
    /// # Errors
    /// `ResourceNotFoundException` in the words of operations on tables.
    pub(crate) async fn table(&self, name: &str) -> Result<Stored<TableRecord>, ApiError> {
        let read = self.catalog().read(name).await?;
        read.ok_or_else(|| ApiError::table_not_found(name))
    }
}

/// Runs an attempt to read, decide and write; again when another writer came first. Who came second waits a little,
/// for a random time: requests that come together would find each other again.
pub(crate) async fn retry<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, Attempt>>,
{
    let mut last = String::new();
    for tried in 1..=WRITE_ATTEMPTS_MAX {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Attempt::Conflict(key)) => {
                last = key;
                let pause_ms = rand::random_range(0..=CONFLICT_PAUSE_MS * tried);
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            Err(Attempt::Failed(error)) => return Err(error),
        }
    }
    Err(CatalogError::Conflict { key: last }.into())
}

/// Why an attempt did not succeed.
pub(crate) enum Attempt {
    /// Another writer came first.
    Conflict(String),
    /// The caller is told.
    Failed(ApiError),
}

impl From<ApiError> for Attempt {
    fn from(error: ApiError) -> Attempt {
        Attempt::Failed(error)
    }
}

impl From<CatalogError> for Attempt {
    fn from(error: CatalogError) -> Attempt {
        match error {
            CatalogError::Conflict { key } => Attempt::Conflict(key),
            other => Attempt::Failed(other.into()),
        }
    }
}
