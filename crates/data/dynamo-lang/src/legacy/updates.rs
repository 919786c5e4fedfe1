//! `AttributeUpdates`.
//!
//! Owns its translation to an update, and which actions take which values. Must not know how updates are carried out.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::operator::invalid;
use crate::expression::{Action, ValueStep};
use crate::{AttributeValue, Path, Update, ValidationError};

/// What is done with an attribute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateAction {
    /// Replaces it; what AWS takes if none is given.
    #[default]
    Put,
    /// Adds to a number, a set or a list.
    Add,
    /// Removes it, or elements of a set.
    Delete,
}

impl FromStr for UpdateAction {
    type Err = ();

    fn from_str(text: &str) -> Result<UpdateAction, ()> {
        match text {
            "PUT" => Ok(UpdateAction::Put),
            "ADD" => Ok(UpdateAction::Add),
            "DELETE" => Ok(UpdateAction::Delete),
            _ => Err(()),
        }
    }
}

/// One entry of `AttributeUpdates`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AttributeUpdate {
    /// What is done.
    pub action: UpdateAction,
    /// With what.
    pub value: Option<AttributeValue>,
}

/// The update that the map means.
///
/// # Errors
/// When an action cannot have the value that it has.
pub fn attribute_updates(
    updates: &BTreeMap<String, AttributeUpdate>,
) -> Result<Update, ValidationError> {
    let mut result = Update {
        legacy: true,
        ..Update::default()
    };
    for (attribute, update) in updates {
        let path = Path::top(attribute);
        let Some(value) = &update.value else {
            if update.action != UpdateAction::Delete {
                return Err(invalid(
                    "Only DELETE action is allowed when no attribute value is specified",
                ));
            }
            result.actions.push(Action::Remove(path));
            continue;
        };
        check_value(update.action, value)?;
        let id = result.values.len();
        result.values.push(value.clone());
        result.actions.push(match update.action {
            UpdateAction::Put => Action::Set(path, vec![ValueStep::Value(id)]),
            UpdateAction::Add => Action::Add(path, id),
            UpdateAction::Delete => Action::Delete(path, id),
        });
    }
    Ok(result)
}

fn check_value(action: UpdateAction, value: &AttributeValue) -> Result<(), ValidationError> {
    let type_name = value.type_name();
    match (action, type_name) {
        (UpdateAction::Put, _) | (_, "SS" | "NS" | "BS") | (UpdateAction::Add, "N" | "L") => Ok(()),
        (UpdateAction::Add, _) => Err(invalid(&format!(
            "ADD action is not supported for the type {type_name}"
        ))),
        (UpdateAction::Delete, _) => Err(invalid(&format!(
            "DELETE action with value is not supported for the type {type_name}"
        ))),
    }
}
