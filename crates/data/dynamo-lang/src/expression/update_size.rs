//! What an update counts for against the limit of 400 KB.
//!
//! UpdateItem is held to the limit by what its expression writes, besides the size of the item that it makes; nothing that
//! the table holds already counts. AWS does not document it: the figures were measured at its limit (`dynamodb-conformance`,
//! `itemSizeBySurface`, and dynoxide's capture of 86 expressions, October 2026). Transactions and PartiQL are held to the
//! size of the item alone.

use super::tree::Arithmetic;
use super::update::{Action, Update, ValueStep};
use crate::{Path, PathStep, value_bytes};

const UPDATE_BYTES: usize = 3;
const WRITE_BYTES: usize = 19;
const CLEAR_BYTES: usize = 1;
/// What each step behind the first adds to the path that is written to.
const TARGET_STEP_BYTES: usize = 4;
const OPERAND_BYTES: usize = 1;
/// What each step adds to a path that is read.
const OPERAND_STEP_BYTES: usize = 14;
const PLUS_BYTES: usize = 34;
const MINUS_BYTES: usize = 37;
const LIST_APPEND_BYTES: usize = 37;
const IF_NOT_EXISTS_BYTES: usize = 39;

/// The bytes that the update counts for; `AttributeUpdates` count for nothing.
pub(super) fn request_bytes(update: &Update) -> usize {
    if update.legacy {
        return 0;
    }
    let value = |place: &usize| update.values.get(*place).map_or(0, value_bytes);
    let actions = update.actions.iter().map(|action| match action {
        Action::Set(path, steps) => {
            let operands = steps.iter().map(|step| match step {
                ValueStep::Value(place) => value(place),
                ValueStep::Path(path) => operand(path),
                ValueStep::IfNotExists(path) => IF_NOT_EXISTS_BYTES + operand(path),
                ValueStep::ListAppend => LIST_APPEND_BYTES,
                ValueStep::Arithmetic(Arithmetic::Plus) => PLUS_BYTES,
                ValueStep::Arithmetic(Arithmetic::Minus) => MINUS_BYTES,
            });
            WRITE_BYTES + target(path) + operands.sum::<usize>()
        }
        Action::Add(path, place) => WRITE_BYTES + target(path) + value(place),
        Action::Remove(path) | Action::Delete(path, _) => CLEAR_BYTES + target(path),
    });
    UPDATE_BYTES + actions.sum::<usize>()
}

fn step(step: &PathStep) -> usize {
    match step {
        PathStep::Field(name) => name.len(),
        PathStep::Index(index) => index.checked_ilog10().map_or(1, |log| log as usize + 1),
    }
}

fn target(path: &Path) -> usize {
    let steps = path
        .steps
        .iter()
        .map(|inner| TARGET_STEP_BYTES + step(inner));
    path.attribute.len() + steps.sum::<usize>()
}

fn operand(path: &Path) -> usize {
    let steps = path
        .steps
        .iter()
        .map(|inner| OPERAND_STEP_BYTES + step(inner));
    OPERAND_BYTES + OPERAND_STEP_BYTES + path.attribute.len() + steps.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Placeholders;
    use crate::json::read_item;

    /// The bytes of an update whose values are a string and a list of 10 bytes, a number of 2 and a set of 4.
    fn bytes(text: &str) -> usize {
        let values = r#"{":s":{"S":"0123456789"},":l":{"L":[{"S":"012345"}]},":n":{"N":"1"},":t":{"SS":["ab","cd"]}}"#;
        let names = BTreeMap::from([(String::from("#long"), String::from("b"))]);
        let mut placeholders =
            Placeholders::new(Some(names), Some(read_item(values.as_bytes()).unwrap())).unwrap();
        Update::parse(text, &mut placeholders)
            .unwrap()
            .request_bytes()
    }

    #[test]
    fn what_is_written_counts_and_each_clause() {
        for (text, expected) in [
            ("SET b = :s", 3 + 19 + 1 + 10),
            ("SET #long = :s", 3 + 19 + 1 + 10),
            ("SET b = :s, c = :n", 3 + 19 + 1 + 10 + 19 + 1 + 2),
            ("SET b = :s REMOVE r", 3 + 19 + 1 + 10 + 1 + 1),
            ("SET d.leaf = :s", 3 + 19 + 1 + 4 + 4 + 10),
            ("SET d[0] = :s", 3 + 19 + 1 + 4 + 1 + 10),
            ("SET d[123] = :s", 3 + 19 + 1 + 4 + 3 + 10),
            ("ADD n :n", 3 + 19 + 1 + 2),
            ("ADD t :t", 3 + 19 + 1 + 4),
            ("DELETE t :t", 3 + 1 + 1),
            ("SET n = n + :n", 3 + 19 + 1 + 34 + 1 + 14 + 1 + 2),
            ("SET n = n - :n", 3 + 19 + 1 + 37 + 1 + 14 + 1 + 2),
            (
                "SET b = if_not_exists(a.k, :s)",
                3 + 19 + 1 + 39 + 1 + 14 + 1 + 14 + 1 + 10,
            ),
            ("SET l = list_append(:l, :l)", 3 + 19 + 1 + 37 + 10 + 10),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
