//! What a handler works with: the region, the caller, the request's parameters.

use std::future::Future;

use quorate_base::{AccountId, Arn};
use quorate_control::{Catalog, CatalogError, Record, Stored};
use quorate_wire::query::Params;

use crate::api::error::RdsError;
use crate::api::service::RdsRegion;
use crate::events::ResourceOwner;
use crate::model::Tag;

/// How often a handler reads and writes again after another writer came first.
const WRITE_ATTEMPTS_MAX: usize = 16;

/// One request to one region.
#[derive(Clone)]
pub(crate) struct Context<'a> {
    pub(crate) region: &'a RdsRegion,
    pub(crate) account: &'a AccountId,
    pub(crate) params: Params<'a>,
}

impl Context<'_> {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.region.catalog
    }

    /// All records of a table, newest committed state.
    pub(crate) async fn list<R: Record>(&self) -> Result<Vec<Stored<R>>, RdsError> {
        Ok(self.catalog().list().await?)
    }

    /// One record, newest committed state.
    pub(crate) async fn read<R: Record>(&self, id: &str) -> Result<Option<Stored<R>>, RdsError> {
        Ok(self.catalog().read(id).await?)
    }

    /// The ARN of a resource: `kind` is `db`, `pg`, `subgrp`, `cluster`, `cluster-pg`,
    /// `cluster-endpoint` or `cluster-snapshot`.
    pub(crate) fn arn(&self, kind: &str, id: &str) -> String {
        Arn {
            service: String::from("rds"),
            region: self.region.name.clone(),
            account: self.account.clone(),
            resource: format!("{kind}:{id}"),
        }
        .to_string()
    }

    /// Whose resources these are, for events.
    pub(crate) fn owner(&self) -> ResourceOwner {
        ResourceOwner {
            region: self.region.name.clone(),
            account: self.account.clone(),
        }
    }

    /// Reserves a port for an endpoint: the one asked for when it is free, else another one.
    pub(crate) fn reserve_port(&self, asked: u16) -> Result<u16, RdsError> {
        self.region.ports.reserve(asked).ok_or_else(|| {
            RdsError::InsufficientCapacity(format!(
                "Port {asked} is in use, and so is every port of the range for endpoints. Delete an instance or widen the range."
            ))
        })
    }

    /// The request's `Tags`.
    pub(crate) fn tags(&self) -> Result<Vec<Tag>, RdsError> {
        crate::api::tags::from_params(&self.params)
    }
}

/// Runs an attempt to read, decide and write; again when another writer came first.
pub(crate) async fn retry<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, RdsError>
where
    F: Future<Output = Result<T, RdsError>>,
{
    let mut last = None;
    for _ in 0..WRITE_ATTEMPTS_MAX {
        match attempt().await {
            Err(RdsError::Catalog(CatalogError::Conflict { key })) => last = Some(key),
            other => return other,
        }
    }
    let key = last.unwrap_or_default();
    Err(RdsError::Catalog(CatalogError::Conflict { key }))
}
