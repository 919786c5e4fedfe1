//! `DescribeDBClusterSnapshotAttributes`, `ModifyDBClusterSnapshotAttribute`: who may restore a snapshot. Recorded as asked:
//! there is one account.

use quorate_control::Txn;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::aurora::api::snapshot::read::{find, require_available};
use crate::aurora::model::ClusterSnapshot;

/// The only attribute.
const RESTORE: &str = "restore";
/// Stands for every account.
const ALL: &str = "all";
const ACCOUNT_DIGITS: usize = 12;
const ACCOUNTS_MAX: usize = 20;

/// `DescribeDBClusterSnapshotAttributes`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required("DBClusterSnapshotIdentifier")?;
    let stored = find(context, name).await?;
    Ok(vec![to_element(&stored.id, &stored.record)])
}

/// `ModifyDBClusterSnapshotAttribute`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = params.required("DBClusterSnapshotIdentifier")?;
    let attribute = params.required("AttributeName")?;
    if attribute != RESTORE {
        return Err(RdsError::InvalidValue(format!(
            "Invalid attribute name: {attribute}. Must be {RESTORE}."
        )));
    }
    let values = |list: &str| params.texts(list, "AttributeValue").unwrap_or_default();
    let (added, removed) = (values("ValuesToAdd"), values("ValuesToRemove"));
    for value in added.iter().chain(&removed) {
        let is_account =
            value.len() == ACCOUNT_DIGITS && value.bytes().all(|byte| byte.is_ascii_digit());
        if !is_account && *value != ALL {
            return Err(RdsError::InvalidValue(format!(
                "Invalid value {value}: must be the id of an account, or {ALL}."
            )));
        }
    }
    retry(|| async {
        let stored = find(context, name).await?;
        require_available(&stored)?;
        let mut snapshot = stored.record.clone();
        let accounts = &mut snapshot.restorable_by;
        accounts.extend(added.iter().map(|value| (*value).to_owned()));
        accounts.retain(|account| !removed.contains(&account.as_str()));
        if accounts.len() > ACCOUNTS_MAX {
            return Err(RdsError::SharedSnapshotQuotaExceeded(format!(
                "A DB cluster snapshot can be shared with {ACCOUNTS_MAX} accounts at most."
            )));
        }
        let txn = Txn::new().replace(&stored, &snapshot);
        context.catalog().commit(txn).await?;
        Ok(vec![to_element(&stored.id, &snapshot)])
    })
    .await
}

fn to_element(id: &str, snapshot: &ClusterSnapshot) -> Element {
    let values = Element::list("AttributeValues", &snapshot.restorable_by, |account| {
        Element::text("AttributeValue", account)
    });
    let attribute = Element::new("DBClusterSnapshotAttribute")
        .field("AttributeName", RESTORE)
        .with(values);
    Element::new("DBClusterSnapshotAttributesResult")
        .field("DBClusterSnapshotIdentifier", id)
        .with(Element::new("DBClusterSnapshotAttributes").with(attribute))
}
