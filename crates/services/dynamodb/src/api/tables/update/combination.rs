//! Which changes go together. AWS makes one logical change a request; what it says was recorded from it.

use std::collections::BTreeSet;

use crate::api::error::ApiError;
use crate::api::tables::rules::{Owner, bounds};
use crate::api::tables::update::request::Request;

/// Holds the request against itself.
pub(super) fn check(request: &Request<'_>) -> Result<(), ApiError> {
    if request.global {
        return Err(ApiError::invalid(
            "This region does not offer global tables: replicas and their settings cannot be changed",
        ));
    }
    something(request)?;
    if request.indexes.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid(
            "List of GlobalSecondaryIndexUpdates is empty",
        ));
    }
    index_updates(request)?;
    alone(request)?;
    if let Some(units) = request.provisioned {
        bounds(Owner::Table, units)?;
    }
    Ok(())
}

/// Whether each member that changes something is there; indexes only where there is one.
fn present(request: &Request<'_>) -> [(&'static str, bool); 9] {
    [
        ("provisioned", request.provisioned.is_some()),
        ("billing", request.billing.is_some()),
        ("stream", request.stream.is_some()),
        ("indexes", !request.updates().is_empty()),
        ("sse", request.sse.is_some()),
        ("deletion protection", request.deletion_protection.is_some()),
        ("on demand", request.on_demand.is_some()),
        ("warm", request.warm.is_some()),
        ("class", request.class.is_some()),
    ]
}

fn something(request: &Request<'_>) -> Result<(), ApiError> {
    if present(request).iter().any(|(_, there)| *there) {
        return Ok(());
    }
    Err(ApiError::validation(
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, \
         SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, \
         DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required",
    ))
}

/// Each index once, each with one action.
fn index_updates(request: &Request<'_>) -> Result<(), ApiError> {
    let mut names = BTreeSet::new();
    for update in request.updates() {
        match update.actions() {
            0 => {
                return Err(ApiError::invalid(
                    "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, \
                     GlobalSecondaryIndexUpdate.Delete must not be null",
                ));
            }
            1 => {}
            _ => {
                return Err(ApiError::invalid(
                    "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object",
                ));
            }
        }
        if !names.insert(update.name()) {
            return Err(ApiError::invalid(format_args!(
                "Only one global secondary index update per index is allowed simultaneously. Index: {}",
                update.name()
            )));
        }
    }
    Ok(())
}

/// What must be the only change, in the order in which AWS tells of it.
fn alone(request: &Request<'_>) -> Result<(), ApiError> {
    let only = |what: &str, text: &str| {
        let mut there = present(request).into_iter().filter(|(_, there)| *there);
        if there.clone().count() > 1 && there.any(|(name, _)| name == what) {
            return Err(ApiError::invalid(format_args!(
                "{text} must be the only operation in the request"
            )));
        }
        Ok(())
    };
    only("sse", "Server-Side Encryption modification")?;
    only("class", "TableClass modification")?;
    only("deletion protection", "DeletionProtection modification")?;
    let creates = request.updates().iter().any(|u| u.create.is_some());
    if request.warm.is_some() && creates {
        return Err(ApiError::invalid(
            "Create global secondary index cannot be specified when updating WarmThroughput",
        ));
    }
    only("warm", "WarmThroughput")?;
    let others = |name: &str| !["on demand", "billing"].contains(&name);
    let beside = present(request)
        .iter()
        .any(|(name, there)| *there && others(name));
    if request.on_demand.is_some() && beside {
        return Err(ApiError::invalid(
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ));
    }
    let changes_units = request.provisioned.is_some() || request.billing == Some("PROVISIONED");
    if request.stream.is_some() && changes_units {
        return Err(ApiError::invalid(
            "You cannot modify stream status while updating table IOPS",
        ));
    }
    indexes_alone(request)
}

fn indexes_alone(request: &Request<'_>) -> Result<(), ApiError> {
    if !request.makes_or_removes_an_index() {
        return Ok(());
    }
    if request.provisioned.is_some() {
        return Err(ApiError::invalid(
            "You cannot create or delete index while updating table IOPS",
        ));
    }
    if request.stream.is_some() {
        return Err(ApiError::invalid(
            "You cannot create or delete index while changing stream status",
        ));
    }
    Ok(())
}
