//! What paths find in items, how AWS writes them, and when two of them clash.
//!
//! Owns the walk into documents. Must not know what a path is used for.

use std::cmp::Ordering;

use crate::{AttributeValue, Item, Path, PathStep, ValidationError};

/// What is at `path`, if anything is.
pub(crate) fn find<'a>(item: &'a Item, path: &Path) -> Option<&'a AttributeValue> {
    let start = item.get(&path.attribute)?;
    path.steps.iter().try_fold(start, step_into)
}

/// One step inwards.
pub(crate) fn step_into<'a>(
    value: &'a AttributeValue,
    step: &PathStep,
) -> Option<&'a AttributeValue> {
    match (value, step) {
        (AttributeValue::M(members), PathStep::Field(name)) => members.get(name),
        (AttributeValue::L(elements), PathStep::Index(index)) => elements.get(*index),
        _ => None,
    }
}

/// As in `[a, b, [1]]`.
pub(crate) fn describe(path: &Path) -> String {
    let mut text = format!("[{}", path.attribute);
    for step in &path.steps {
        match step {
            PathStep::Field(name) => text.push_str(&format!(", {name}")),
            PathStep::Index(index) => text.push_str(&format!(", [{index}]")),
        }
    }
    text.push(']');
    text
}

/// Refuses paths that lead into a key attribute, which holds no document. For conditions, filters and projections, once
/// the table is known.
///
/// # Errors
/// "Key attributes must be scalars; …".
pub fn check_scalar_keys<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
    key_names: &[&str],
) -> Result<(), ValidationError> {
    let into_key =
        |path: &&Path| !path.steps.is_empty() && key_names.contains(&path.attribute.as_str());
    match paths.into_iter().find(into_key) {
        Some(path) => Err(ValidationError::new(format!(
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: {}",
            path.attribute
        ))),
        None => Ok(()),
    }
}

/// How two paths cannot stand in one update or projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clash {
    /// One is the other, or leads into it.
    Overlap,
    /// One takes for a map what the other takes for a list.
    Conflict,
}

fn clash(one: &Path, two: &Path) -> Option<Clash> {
    if one.attribute != two.attribute {
        return None;
    }
    for (a, b) in one.steps.iter().zip(&two.steps) {
        match (a, b) {
            (PathStep::Field(_), PathStep::Index(_)) | (PathStep::Index(_), PathStep::Field(_)) => {
                return Some(Clash::Conflict);
            }
            _ if a != b => return None,
            _ => {}
        }
    }
    Some(Clash::Overlap)
}

/// Refuses paths of which two clash.
pub(crate) fn check_clashes(paths: &[&Path]) -> Result<(), String> {
    let mut sorted = paths.to_vec();
    sorted.sort_unstable_by(|a, b| order(a, b));
    // Sorted, clashing paths have a clashing pair of neighbours; so the search for which two is done only if needed.
    if sorted
        .windows(2)
        .all(|pair| clash(pair[0], pair[1]).is_none())
    {
        return Ok(());
    }
    for (later, two) in paths.iter().enumerate() {
        for one in &paths[..later] {
            let word = match clash(one, two) {
                Some(Clash::Overlap) => "overlap",
                Some(Clash::Conflict) => "conflict",
                None => continue,
            };
            return Err(format!(
                "Two document paths {word} with each other; must remove or rewrite one of these paths; path one: {}, path two: {}",
                describe(one),
                describe(two)
            ));
        }
    }
    Ok(())
}

fn order(one: &Path, two: &Path) -> Ordering {
    (&one.attribute, &one.steps).cmp(&(&two.attribute, &two.steps))
}
