//! Updates: what they are when parsed.
//!
//! Owns the four kinds of action. Must not know of text, nor how they are carried out.

use serde::{Deserialize, Serialize};

use super::placeholders::Placeholders;
use super::tree::Arithmetic;
use super::{update_apply, update_check, update_size};
use crate::{AttributeValue, Item, Path, ValidationError};

/// A step in working out the value that SET assigns, for a stack of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum ValueStep {
    /// The update's value with this number.
    Value(usize),
    /// What the item has there.
    Path(Path),
    /// `if_not_exists(path, …)`: the last value, unless the item has something there.
    IfNotExists(Path),
    /// `list_append(…, …)` of the last two.
    ListAppend,
    /// The sum or difference of the last two.
    Arithmetic(Arithmetic),
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    /// `SET path = …`.
    Set(Path, Vec<ValueStep>),
    /// `REMOVE path`.
    Remove(Path),
    /// `ADD path :value`; the number is the value's.
    Add(Path, usize),
    /// `DELETE path :value`; the number is the value's.
    Delete(Path, usize),
}

impl Action {
    /// What it changes.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Action::Set(path, _)
            | Action::Remove(path)
            | Action::Add(path, _)
            | Action::Delete(path, _) => path,
        }
    }
}

/// An update, ready to be applied to any item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// In the order of the text; none leads into what another changes.
    pub(crate) actions: Vec<Action>,
    pub(crate) values: Vec<AttributeValue>,
    /// Whether the messages are those of `AttributeUpdates`.
    pub(crate) legacy: bool,
}

/// What an update makes of an item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Updated {
    /// The item afterwards.
    pub item: Item,
    /// Whether there is an item afterwards: removing from an item that is not there does not make one.
    pub stored: bool,
    /// For `UPDATED_OLD`: what was at the changed paths, each in the maps and lists that it stands in.
    pub updated_old: Option<Item>,
    /// For `UPDATED_NEW`: what is at the changed paths.
    pub updated_new: Option<Item>,
}

impl Update {
    /// Parses and checks `text`.
    ///
    /// # Errors
    /// When AWS refuses it; the message begins "Invalid UpdateExpression: ".
    pub fn parse(text: &str, placeholders: &mut Placeholders) -> Result<Update, ValidationError> {
        update_check::parse(text, placeholders)
    }

    /// What becomes of `old`; without it, of an item that has only `key`. All values come from the item as it was.
    ///
    /// # Errors
    /// When the item has not what the update needs, in the types that it needs.
    pub fn apply(&self, old: Option<&Item>, key: &Item) -> Result<Updated, ValidationError> {
        update_apply::apply(self, old, key)
    }

    /// What it counts for against the limit of an item, apart from the item that it makes.
    #[must_use]
    pub fn request_bytes(&self) -> usize {
        update_size::request_bytes(self)
    }

    /// The paths that it changes, in the order of the text.
    pub fn touched(&self) -> impl Iterator<Item = &Path> {
        self.actions.iter().map(Action::path)
    }

    /// Every path that it changes or reads.
    pub fn attributes(&self) -> impl Iterator<Item = &Path> {
        let read = self.actions.iter().flat_map(|action| match action {
            Action::Set(_, steps) => steps.as_slice(),
            _ => &[],
        });
        self.touched().chain(read.filter_map(|step| match step {
            ValueStep::Path(path) | ValueStep::IfNotExists(path) => Some(path),
            _ => None,
        }))
    }

    /// Refuses an update that changes an attribute of the key.
    ///
    /// # Errors
    /// "One or more parameter values were invalid: Cannot update attribute …".
    pub fn check_keys<'a>(
        &self,
        key_names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ValidationError> {
        let keys: Vec<&str> = key_names.into_iter().collect();
        match self
            .touched()
            .find(|path| keys.contains(&path.attribute.as_str()))
        {
            Some(path) => Err(ValidationError::new(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                path.attribute
            ))),
            None => Ok(()),
        }
    }
}
