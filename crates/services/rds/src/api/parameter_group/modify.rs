//! `ModifyDBParameterGroup` and `ResetDBParameterGroup`, and what they share with those of cluster parameter groups.

use std::collections::BTreeMap;

use quorate_control::{Stored, Txn};
use quorate_wire::query::{Params, QueryError};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::parameter_group::groups::find;
use crate::api::parameter_group::spec::{self, FamilySpecs};
use crate::api::parameter_group::value;
use crate::model::{
    ApplyMethod, ParameterContext, ParameterGroup, ParameterSetting, ParameterSpec,
};

/// How many parameters one call may change.
const PARAMETERS_MAX: usize = 20;

/// What a request makes of a group's settings.
pub(crate) enum SettingsEdit<'a> {
    /// Sets these parameters.
    Set(Vec<Params<'a>>),
    /// Unsets these.
    Unset(Vec<Params<'a>>),
    /// Unsets all.
    Clear,
}

/// `ModifyDBParameterGroup`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    change(context, &SettingsEdit::of_modify(context)?).await
}

/// `ResetDBParameterGroup`.
pub(crate) async fn reset(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    change(context, &SettingsEdit::of_reset(context)?).await
}

impl<'a> SettingsEdit<'a> {
    /// What a request to modify a group asks.
    pub(crate) fn of_modify(context: &Context<'a>) -> Result<SettingsEdit<'a>, RdsError> {
        let given = parameters(context)?;
        if given.is_empty() {
            return Err(QueryError::Missing(String::from("Parameters")).into());
        }
        Ok(SettingsEdit::Set(given))
    }

    /// What a request to reset a group asks.
    pub(crate) fn of_reset(context: &Context<'a>) -> Result<SettingsEdit<'a>, RdsError> {
        let given = parameters(context)?;
        let all = context.params.boolean("ResetAllParameters")?;
        match (all, given.is_empty()) {
            (Some(true), false) => Err(RdsError::InvalidCombination(String::from(
                "ResetAllParameters and Parameters cannot both be specified.",
            ))),
            (Some(false), true) => Err(RdsError::InvalidCombination(String::from(
                "Parameters must be specified when ResetAllParameters is false.",
            ))),
            (_, true) => Ok(SettingsEdit::Clear),
            (_, false) => Ok(SettingsEdit::Unset(given)),
        }
    }

    /// Makes the edit, or says which parameter or value is wrong.
    pub(crate) fn apply(
        &self,
        specs: &FamilySpecs,
        settings: &mut BTreeMap<String, ParameterSetting>,
    ) -> Result<(), RdsError> {
        match self {
            SettingsEdit::Clear => settings.clear(),
            SettingsEdit::Set(given) => {
                for params in given {
                    let (name, setting) = setting(specs, params)?;
                    settings.insert(name, setting);
                }
            }
            SettingsEdit::Unset(given) => {
                for params in given {
                    let (name, spec) = known(specs, params)?;
                    apply_method(params, spec)?;
                    settings.remove(&name);
                }
            }
        }
        Ok(())
    }
}

fn setting(
    specs: &FamilySpecs,
    params: &Params<'_>,
) -> Result<(String, ParameterSetting), RdsError> {
    let (name, spec) = known(specs, params)?;
    let value = params.raw("ParameterValue").ok_or_else(|| {
        RdsError::InvalidValue(format!(
            "The parameter ParameterValue must be provided for {name}."
        ))
    })?;
    let apply_method = apply_method(params, spec)?;
    value::check(spec, value)?;
    let setting = ParameterSetting {
        value: value.to_owned(),
        apply_method,
    };
    Ok((name, setting))
}

fn parameters<'a>(context: &Context<'a>) -> Result<Vec<Params<'a>>, RdsError> {
    let given = context.params.structures("Parameters", "Parameter");
    if given.len() > PARAMETERS_MAX {
        return Err(RdsError::InvalidValue(format!(
            "A maximum of {PARAMETERS_MAX} parameters can be modified in a single request."
        )));
    }
    Ok(given)
}

/// The parameter that is meant, by its name in lower case.
fn known<'s>(
    specs: &'s FamilySpecs,
    params: &Params<'_>,
) -> Result<(String, &'s ParameterSpec), RdsError> {
    let name = params.required("ParameterName")?.to_ascii_lowercase();
    let Some(spec) = specs.specs.get(&name) else {
        return Err(RdsError::InvalidValue(format!(
            "Could not find parameter with name: {name}"
        )));
    };
    if !spec::is_modifiable(spec) {
        return Err(RdsError::InvalidValue(format!(
            "The parameter {name} cannot be modified."
        )));
    }
    Ok((name, spec))
}

fn apply_method(params: &Params<'_>, spec: &ParameterSpec) -> Result<ApplyMethod, RdsError> {
    match params.text("ApplyMethod") {
        Some("immediate") if spec.context != ParameterContext::Reload => {
            Err(RdsError::InvalidCombination(String::from(
                "cannot use immediate apply method for static parameter",
            )))
        }
        Some("immediate") => Ok(ApplyMethod::Immediate),
        Some("pending-reboot") => Ok(ApplyMethod::PendingReboot),
        other => Err(RdsError::InvalidValue(format!(
            "Invalid value '{}' for ApplyMethod of {}. Must be one of: immediate, pending-reboot",
            other.unwrap_or_default(),
            spec.name
        ))),
    }
}

async fn change(context: &Context<'_>, edit: &SettingsEdit<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required("DBParameterGroupName")?;
    let name = retry(|| async {
        let found = find(context, name).await?;
        let Some(stored) = found.stored else {
            return Err(RdsError::InvalidValue(String::from(
                "Cannot modify a default parameter group.",
            )));
        };
        let specs = FamilySpecs::read(context, &stored.record.family).await?;
        let mut group = stored.record.clone();
        edit.apply(&specs, &mut group.settings)?;
        write(context, &stored, &group).await?;
        Ok(stored.id)
    })
    .await?;
    Ok(vec![Element::text("DBParameterGroupName", name)])
}

async fn write(
    context: &Context<'_>,
    stored: &Stored<ParameterGroup>,
    group: &ParameterGroup,
) -> Result<(), RdsError> {
    let txn = Txn::new().replace(stored, group);
    context.catalog().commit(txn).await?;
    Ok(())
}
