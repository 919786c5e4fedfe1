//! `Filters`: names with values, of which an item must match one for each name.

use quorate_wire::query::Params;

use crate::api::error::RdsError;

/// The filters of a request.
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads the filters and refuses names that the action does not know.
    pub(crate) fn read(params: &Params<'_>, known: &[&str]) -> Result<Filters, RdsError> {
        let mut filters = Vec::new();
        for filter in params.structures("Filters", "Filter") {
            let name = filter.required("Name")?;
            if !known.contains(&name) {
                return Err(RdsError::InvalidValue(format!(
                    "Unrecognized filter name: {name}"
                )));
            }
            let values = filter.texts("Values", "Value").unwrap_or_default();
            if values.is_empty() {
                return Err(RdsError::InvalidCombination(format!(
                    "Filter {name} must have at least one value"
                )));
            }
            filters.push((
                name.to_owned(),
                values.into_iter().map(str::to_owned).collect(),
            ));
        }
        Ok(Filters(filters))
    }

    /// Whether an item passes. `matches` says whether it has one value of one filter.
    pub(crate) fn pass(&self, matches: impl Fn(&str, &str) -> bool) -> bool {
        self.0
            .iter()
            .all(|(name, values)| values.iter().any(|value| matches(name, value)))
    }
}
