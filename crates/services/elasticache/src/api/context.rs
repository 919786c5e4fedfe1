//! What a handler works with: the region, the caller, the request's parameters.

use std::future::Future;

use quorate_base::{AccountId, Arn};
use quorate_control::{Catalog, CatalogError, Record, Stored};
use quorate_wire::query::Params;

use crate::api::error::ElastiCacheError;
use crate::api::service::ElastiCacheRegion;

/// How often a handler reads and writes again after another writer came first.
const WRITE_ATTEMPTS_MAX: usize = 16;

/// One request to one region.
#[derive(Clone)]
pub(crate) struct Context<'a> {
    pub(crate) region: &'a ElastiCacheRegion,
    pub(crate) account: &'a AccountId,
    pub(crate) params: Params<'a>,
}

impl Context<'_> {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.region.catalog
    }

    /// All records of a table, newest committed state.
    pub(crate) async fn list<R: Record>(&self) -> Result<Vec<Stored<R>>, ElastiCacheError> {
        Ok(self.catalog().list().await?)
    }

    /// One record, newest committed state.
    pub(crate) async fn read<R: Record>(
        &self,
        id: &str,
    ) -> Result<Option<Stored<R>>, ElastiCacheError> {
        Ok(self.catalog().read(id).await?)
    }

    /// The ARN of a resource: `kind` is `replicationgroup`, `cluster`, `parametergroup`, `subnetgroup`, `user`, `usergroup`
    /// or `snapshot`.
    pub(crate) fn arn(&self, kind: &str, id: &str) -> String {
        Arn {
            service: String::from("elasticache"),
            region: self.region.name.clone(),
            account: self.account.clone(),
            resource: format!("{kind}:{id}"),
        }
        .to_string()
    }

    /// A flag, false where it is not given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ElastiCacheError> {
        Ok(self.params.boolean(name)?.unwrap_or(false))
    }

    /// A list of texts; none where it is not given.
    pub(crate) fn texts(&self, name: &str, item: &str) -> Option<Vec<String>> {
        let texts = self.params.texts(name, item)?;
        Some(texts.into_iter().map(str::to_owned).collect())
    }
}

/// Runs an attempt to read, decide and write; again when another writer came first.
pub(crate) async fn retry<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, ElastiCacheError>
where
    F: Future<Output = Result<T, ElastiCacheError>>,
{
    for _ in 1..WRITE_ATTEMPTS_MAX {
        match attempt().await {
            Err(ElastiCacheError::Catalog(CatalogError::Conflict { .. })) => {}
            other => return other,
        }
    }
    attempt().await
}
