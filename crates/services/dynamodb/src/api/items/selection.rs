//! `Select`: what of each row a query or scan returns.

use quorate_dynamo_lang::Projection as Paths;

use crate::api::error::ApiError;
use crate::api::items::input::SearchInput;
use crate::api::items::source::{Rows, Source};
use crate::model::Projection;

/// What is returned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    /// Nothing but the count.
    pub(crate) counts_only: bool,
    /// Only these paths; none for the whole row.
    pub(crate) paths: Option<Paths>,
    /// Whether rows of a local index are completed with what the table has of the item.
    pub(crate) fetches: bool,
}

/// Reads `Select` together with what it allows and asks for.
pub(crate) fn selection(
    input: &SearchInput,
    source: &Source<'_>,
    paths: Option<Paths>,
) -> Result<Selection, ApiError> {
    let select = input.select.as_deref();
    let parameter = if input.projection_expression.is_some() {
        "ProjectionExpression"
    } else {
        "AttributesToGet"
    };
    match (select, &paths) {
        (Some(word @ ("ALL_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES" | "COUNT")), Some(_)) => {
            let what = if word == "COUNT" {
                "only the Count"
            } else {
                word
            };
            return Err(ApiError::validation(format!(
                "Cannot specify the {parameter} when choosing to get {what}"
            )));
        }
        (Some("SPECIFIC_ATTRIBUTES"), None) => {
            return Err(ApiError::validation(
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
            ));
        }
        (Some("ALL_PROJECTED_ATTRIBUTES"), None) if source.rows == Rows::Table => {
            return Err(ApiError::validation(
                "One or more parameter values were invalid: ALL_PROJECTED_ATTRIBUTES can be used only when Querying \
                 using an IndexName",
            ));
        }
        _ => {}
    }
    select_of(select, source, paths)
}

/// What `select` makes of rows that need not hold all of `paths`.
pub(crate) fn select_of(
    select: Option<&str>,
    source: &Source<'_>,
    paths: Option<Paths>,
) -> Result<Selection, ApiError> {
    let mut selection = Selection {
        counts_only: select == Some("COUNT"),
        paths,
        fetches: false,
    };
    match source.rows {
        Rows::Table => {}
        Rows::Local { projection, .. } => {
            selection.fetches = match &selection.paths {
                Some(paths) => first_missing(source, projection, paths).is_some(),
                None => select == Some("ALL_ATTRIBUTES") && *projection != Projection::All,
            };
        }
        Rows::Global {
            name, projection, ..
        } => refuse_missing(source, name, projection, &selection, select)?,
    }
    Ok(selection)
}

fn refuse_missing(
    source: &Source<'_>,
    name: &str,
    projection: &Projection,
    selection: &Selection,
    select: Option<&str>,
) -> Result<(), ApiError> {
    if select == Some("ALL_ATTRIBUTES") && *projection != Projection::All {
        return Err(ApiError::validation(format!(
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global \
             secondary index {name} because its projection type is not ALL"
        )));
    }
    let paths = selection.paths.as_ref();
    match paths.and_then(|paths| first_missing(source, projection, paths)) {
        None => Ok(()),
        Some(attribute) => Err(ApiError::validation(format!(
            "One or more parameter values were invalid: Global secondary index {name} does not project [{attribute}]"
        ))),
    }
}

/// The first attribute that the index does not hold.
fn first_missing<'p>(
    source: &Source<'_>,
    projection: &Projection,
    paths: &'p Paths,
) -> Option<&'p str> {
    paths
        .top_level()
        .find(|name| !holds(source, projection, name))
}

/// Whether the rows of an index with this projection hold the attribute.
pub(crate) fn holds(source: &Source<'_>, projection: &Projection, name: &str) -> bool {
    let projected = match projection {
        Projection::All => true,
        Projection::KeysOnly => false,
        Projection::Include(names) => names.iter().any(|n| n == name),
    };
    projected || source.keys.contains(name) || source.base.contains(name)
}
