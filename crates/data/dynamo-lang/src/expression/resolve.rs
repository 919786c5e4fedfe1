//! Placeholders replaced: paths and values as evaluation needs them.
//!
//! Owns the limit on a path's depth. Must not know which expression a path stands in.

use std::collections::BTreeMap;

use super::lexer::Tokens;
use super::placeholders::Placeholders;
use super::tree::RawStep;
use crate::{AttributeValue, Path, PathStep};

/// How deep into a document a path may go, its attribute counted.
const PATH_DEPTH_MAX: usize = 32;

/// Values that an expression holds, each once however often its placeholder stands there.
#[derive(Debug, Default)]
pub(crate) struct ValueTable<'a> {
    values: Vec<AttributeValue>,
    by_placeholder: BTreeMap<&'a str, usize>,
}

impl<'a> ValueTable<'a> {
    /// The number of the value that `placeholder` stands for.
    pub(crate) fn resolve(
        &mut self,
        placeholder: &'a str,
        placeholders: &mut Placeholders,
    ) -> Result<usize, String> {
        if let Some(id) = self.by_placeholder.get(placeholder) {
            return Ok(*id);
        }
        let id = self.add(placeholders.value(placeholder)?);
        self.by_placeholder.insert(placeholder, id);
        Ok(id)
    }

    /// Adds a value that no placeholder names.
    pub(crate) fn add(&mut self, value: AttributeValue) -> usize {
        self.values.push(value);
        self.values.len() - 1
    }

    /// The value with this number.
    pub(crate) fn get(&self, id: usize) -> &AttributeValue {
        &self.values[id]
    }

    /// All values, by number.
    pub(crate) fn into_values(self) -> Vec<AttributeValue> {
        self.values
    }
}

/// The path that `steps` mean.
pub(crate) fn resolve_path(
    tokens: &Tokens<'_>,
    steps: &[RawStep],
    placeholders: &mut Placeholders,
) -> Result<Path, String> {
    let mut path = Path::top(String::new());
    for (number, step) in steps.iter().enumerate() {
        let name = match *step {
            RawStep::Name(token) => tokens.text_of(token).to_owned(),
            RawStep::Placeholder(token) => placeholders.name(tokens.text_of(token))?,
            RawStep::Index(token) => {
                let index = tokens.text_of(token).parse().unwrap_or(usize::MAX);
                path.steps.push(PathStep::Index(index));
                continue;
            }
        };
        if number == 0 {
            path.attribute = name;
        } else {
            path.steps.push(PathStep::Field(name));
        }
    }
    if steps.len() > PATH_DEPTH_MAX {
        return Err(format!(
            "The document path has too many nesting levels; nesting levels: {}",
            steps.len()
        ));
    }
    Ok(path)
}
