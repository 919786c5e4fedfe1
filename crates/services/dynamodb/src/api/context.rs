//! What a handler works with: the region and the caller.

use quorate_base::{AccountId, Arn};
use quorate_control::Catalog;

use crate::api::service::DynamoDbRegion;

/// One request to one region.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) region: &'a DynamoDbRegion,
    pub(crate) account: &'a AccountId,
}

impl Context<'_> {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.region.catalog
    }

    /// The ARN of a table.
    pub(crate) fn table_arn(&self, name: &str) -> String {
        Arn {
            service: String::from("dynamodb"),
            region: self.region.name.clone(),
            account: self.account.clone(),
            resource: format!("table/{name}"),
        }
        .to_string()
    }
}
