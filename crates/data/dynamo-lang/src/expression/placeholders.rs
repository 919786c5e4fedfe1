//! `ExpressionAttributeNames` and `ExpressionAttributeValues`.
//!
//! Owns the syntax of placeholders, and which of them some expression has used. Must not know what an expression is.

use std::collections::{BTreeMap, BTreeSet};

use crate::{AttributeValue, Item, ValidationError};

/// The longest placeholder, in bytes, with its first character.
const PLACEHOLDER_BYTES_MAX: usize = 255;

/// The names and values of one request; all of its expressions are parsed with the same one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placeholders {
    names: BTreeMap<String, String>,
    values: Item,
    used_names: BTreeSet<String>,
    used_values: BTreeSet<String>,
}

impl Placeholders {
    /// Takes a request's maps as they came; `None` where it has none.
    ///
    /// # Errors
    /// When a map is there and empty, or a key is no `#name` or `:value`, or a name is empty.
    pub fn new(
        names: Option<BTreeMap<String, String>>,
        values: Option<Item>,
    ) -> Result<Placeholders, ValidationError> {
        if let Some(names) = &names {
            check_keys("ExpressionAttributeNames", '#', names.keys())?;
            if let Some((key, _)) = names.iter().find(|(_, name)| name.is_empty()) {
                return Err(ValidationError::new(format!(
                    "ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}"
                )));
            }
        }
        if let Some(values) = &values {
            check_keys("ExpressionAttributeValues", ':', values.keys())?;
        }
        Ok(Placeholders {
            names: names.unwrap_or_default(),
            values: values.unwrap_or_default(),
            ..Placeholders::default()
        })
    }

    /// To be asked once all of a request's expressions are parsed.
    ///
    /// # Errors
    /// When some placeholder stands in none of them.
    pub fn all_used(&self) -> Result<(), ValidationError> {
        check_used("Names", self.names.keys(), &self.used_names)?;
        check_used("Values", self.values.keys(), &self.used_values)
    }

    /// What `#name` stands for.
    pub(crate) fn name(&mut self, placeholder: &str) -> Result<String, String> {
        let name = self.names.get(placeholder).ok_or_else(|| {
            format!(
                "An expression attribute name used in the document path is not defined; attribute name: {placeholder}"
            )
        })?;
        if !self.used_names.contains(placeholder) {
            self.used_names.insert(placeholder.to_owned());
        }
        Ok(name.clone())
    }

    /// What `:value` stands for.
    pub(crate) fn value(&mut self, placeholder: &str) -> Result<AttributeValue, String> {
        let value = self.values.get(placeholder).ok_or_else(|| {
            format!(
                "An expression attribute value used in expression is not defined; attribute value: {placeholder}"
            )
        })?;
        if !self.used_values.contains(placeholder) {
            self.used_values.insert(placeholder.to_owned());
        }
        Ok(value.clone())
    }
}

fn check_keys<'a>(
    map: &str,
    sigil: char,
    keys: impl ExactSizeIterator<Item = &'a String>,
) -> Result<(), ValidationError> {
    if keys.len() == 0 {
        return Err(ValidationError::new(format!("{map} must not be empty")));
    }
    for key in keys {
        if key.len() > PLACEHOLDER_BYTES_MAX {
            // AWS tells the size of a name's key only.
            let told = if sigil == '#' {
                format!(" size of key: {}", key.len())
            } else {
                String::new()
            };
            return Err(ValidationError::new(format!(
                "{map} contains invalid key: The expression attribute map contains a key that is too long;{told}"
            )));
        }
        let word = key.strip_prefix(sigil).unwrap_or("");
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if word.is_empty() || !word.chars().all(is_word) {
            return Err(ValidationError::new(format!(
                "{map} contains invalid key: Syntax error; key: \"{key}\""
            )));
        }
    }
    Ok(())
}

fn check_used<'a>(
    what: &str,
    keys: impl Iterator<Item = &'a String>,
    used: &BTreeSet<String>,
) -> Result<(), ValidationError> {
    let unused: Vec<&str> = keys
        .filter(|key| !used.contains(*key))
        .map(String::as_str)
        .collect();
    if unused.is_empty() {
        return Ok(());
    }
    Err(ValidationError::new(format!(
        "Value provided in ExpressionAttribute{what} unused in expressions: keys: {{{}}}",
        unused.join(", ")
    )))
}
