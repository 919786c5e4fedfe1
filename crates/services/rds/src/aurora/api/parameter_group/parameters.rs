//! What is in a cluster parameter group: described, set, unset.

use quorate_control::Txn;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::api::parameter_group::{self, FamilySpecs, SettingsEdit};
use crate::aurora::api::parameter_group::groups::{NAME, asked, check_family};

/// `DescribeDBClusterParameters`.
pub(crate) async fn describe_parameters(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let group = asked(context, context.params.required(NAME)?).await?;
    let record = group.stored.as_ref().map(|stored| &stored.record);
    let settings = record.map(|group| &group.settings);
    parameter_group::describe_settings(context, &group.family, settings).await
}

/// `DescribeEngineDefaultClusterParameters`.
pub(crate) async fn describe_defaults(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let family = context.params.required("DBParameterGroupFamily")?;
    check_family(&Engines::read(context).await?, family)?;
    parameter_group::describe_defaults(context).await
}

/// `ModifyDBClusterParameterGroup`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    change(context, &SettingsEdit::of_modify(context)?).await
}

/// `ResetDBClusterParameterGroup`.
pub(crate) async fn reset(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    change(context, &SettingsEdit::of_reset(context)?).await
}

async fn change(context: &Context<'_>, edit: &SettingsEdit<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required(NAME)?;
    let name = retry(|| async {
        let found = asked(context, name).await?;
        let Some(stored) = found.stored else {
            return Err(RdsError::InvalidValue(String::from(
                "Cannot modify a default cluster parameter group.",
            )));
        };
        let specs = FamilySpecs::read(context, &stored.record.family).await?;
        let mut group = stored.record.clone();
        edit.apply(&specs, &mut group.settings)?;
        let txn = Txn::new().replace(&stored, &group);
        context.catalog().commit(txn).await?;
        Ok(stored.id)
    })
    .await?;
    Ok(vec![Element::text(NAME, name)])
}
