//! Updates carried out.
//!
//! Owns the order in which an update's faults are found, and what becomes of lists. Every value is worked out from the
//! item as it was before anything is written. Must not know of text.

use std::collections::BTreeMap;

use super::paths::{find, step_into};
use super::projection::Projection;
use super::tree::Arithmetic;
use super::update::{Action, Update, Updated, ValueStep};
use crate::{AttributeValue, Item, Path, PathStep, ValidationError};

/// What can be wrong only with an item at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// An operand has the wrong type.
    Type,
    /// A path that is read leads nowhere.
    Absent,
    /// A result is no number that can be held.
    Number(String),
}

impl Fault {
    fn error(self, legacy: bool) -> ValidationError {
        ValidationError::new(match self {
            Fault::Type if legacy => "Type mismatch for attribute to update".to_owned(),
            Fault::Type => {
                "An operand in the update expression has an incorrect data type".to_owned()
            }
            Fault::Absent => {
                "The provided expression refers to an attribute that does not exist in the item"
                    .to_owned()
            }
            Fault::Number(message) => message,
        })
    }
}

/// What an action comes to.
#[derive(Debug)]
enum Write {
    Put(AttributeValue),
    Remove,
    Nothing,
}

/// Carries out `update`.
pub(crate) fn apply(
    update: &Update,
    old: Option<&Item>,
    key: &Item,
) -> Result<Updated, ValidationError> {
    let before = old.unwrap_or(key);
    if old.is_none() && !makes_item(update) {
        // Whatever is removed from an item that is not there, AWS says nothing, not even of its path.
        return Ok(Updated {
            item: key.clone(),
            ..Updated::default()
        });
    }
    if update
        .actions
        .iter()
        .any(|action| parent_of(before, action.path()) == Parent::Wrong)
    {
        return Err(invalid_path());
    }
    let writes: Vec<Result<Write, Fault>> = update
        .actions
        .iter()
        .map(|action| work_out(update, action, before))
        .collect();
    if writes
        .iter()
        .any(|write| write.as_ref().err() == Some(&Fault::Type))
    {
        return Err(Fault::Type.error(update.legacy));
    }
    check_sections(update, before, &writes)?;
    let mut puts = Vec::with_capacity(writes.len());
    for (action, write) in update.actions.iter().zip(writes) {
        puts.push((
            action.path(),
            write.map_err(|fault| fault.error(update.legacy))?,
        ));
    }
    let mut item = before.clone();
    write_all(&mut item, puts);
    Ok(report(update, old, item))
}

fn invalid_path() -> ValidationError {
    ValidationError::new(
        "The document path provided in the update expression is invalid for update",
    )
}

/// From the last section to the first: paths that cannot be written, then attributes that are not there.
fn check_sections(
    update: &Update,
    before: &Item,
    writes: &[Result<Write, Fault>],
) -> Result<(), ValidationError> {
    let mut end = update.actions.len();
    while end > 0 {
        let kind = std::mem::discriminant(&update.actions[end - 1]);
        let start = update.actions[..end]
            .iter()
            .rposition(|action| std::mem::discriminant(action) != kind)
            .map_or(0, |last_other| last_other + 1);
        let mut section = update.actions[start..end].iter();
        if section.any(|action| parent_of(before, action.path()) != Parent::Ready) {
            return Err(invalid_path());
        }
        if writes[start..end]
            .iter()
            .any(|write| write.as_ref().err() == Some(&Fault::Absent))
        {
            return Err(Fault::Absent.error(update.legacy));
        }
        end = start;
    }
    Ok(())
}

/// Whether something can be put at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    /// What the path's last step goes into is there, and of the right kind.
    Ready,
    /// It is not there.
    Absent,
    /// It is there, and no map or no list as the step needs.
    Wrong,
}

fn parent_of(item: &Item, path: &Path) -> Parent {
    let Some((last, before)) = path.steps.split_last() else {
        return Parent::Ready;
    };
    let parent = item
        .get(&path.attribute)
        .and_then(|value| before.iter().try_fold(value, step_into));
    match (parent, last) {
        (None, _) => Parent::Absent,
        (Some(AttributeValue::M(_)), PathStep::Field(_))
        | (Some(AttributeValue::L(_)), PathStep::Index(_)) => Parent::Ready,
        (Some(_), _) => Parent::Wrong,
    }
}

fn work_out(update: &Update, action: &Action, before: &Item) -> Result<Write, Fault> {
    match action {
        Action::Set(_, steps) => evaluate(update, steps, before).map(Write::Put),
        Action::Remove(_) => Ok(Write::Remove),
        Action::Add(path, id) => {
            let value = value_of(update, *id)?;
            match find(before, path) {
                None => Ok(Write::Put(value.clone())),
                Some(AttributeValue::L(old)) if update.legacy => append(old, value),
                Some(old) => add(old, value).map(Write::Put),
            }
        }
        Action::Delete(path, id) => match find(before, path) {
            None => Ok(Write::Nothing),
            Some(old) => {
                let left = subtract(old, value_of(update, *id)?)?;
                Ok(left.map_or(Write::Remove, Write::Put))
            }
        },
    }
}

/// A parsed update has all the values that it names.
fn value_of(update: &Update, id: usize) -> Result<&AttributeValue, Fault> {
    update.values.get(id).ok_or(Fault::Absent)
}

/// `AttributeUpdates` adds lists to lists.
fn append(old: &[AttributeValue], value: &AttributeValue) -> Result<Write, Fault> {
    match value {
        AttributeValue::L(more) => Ok(Write::Put(AttributeValue::L([old, more].concat()))),
        _ => Err(Fault::Type),
    }
}

/// The sum of two numbers, or all elements of two sets.
fn add(old: &AttributeValue, value: &AttributeValue) -> Result<AttributeValue, Fault> {
    match (old, value) {
        (AttributeValue::N(_), AttributeValue::N(_)) => arithmetic(Arithmetic::Plus, old, value),
        _ => union(old, value),
    }
}

fn union(old: &AttributeValue, value: &AttributeValue) -> Result<AttributeValue, Fault> {
    match (old, value) {
        (AttributeValue::SS(a), AttributeValue::SS(b)) => Ok(AttributeValue::SS(a | b)),
        (AttributeValue::NS(a), AttributeValue::NS(b)) => Ok(AttributeValue::NS(a | b)),
        (AttributeValue::BS(a), AttributeValue::BS(b)) => Ok(AttributeValue::BS(a | b)),
        _ => Err(Fault::Type),
    }
}

/// The elements of `old` that `value` lacks; `None` if there are none, as no set is empty.
fn subtract(old: &AttributeValue, value: &AttributeValue) -> Result<Option<AttributeValue>, Fault> {
    match (old, value) {
        (AttributeValue::SS(a), AttributeValue::SS(b)) => Ok(Some(a - b)
            .filter(|left| !left.is_empty())
            .map(AttributeValue::SS)),
        (AttributeValue::NS(a), AttributeValue::NS(b)) => Ok(Some(a - b)
            .filter(|left| !left.is_empty())
            .map(AttributeValue::NS)),
        (AttributeValue::BS(a), AttributeValue::BS(b)) => Ok(Some(a - b)
            .filter(|left| !left.is_empty())
            .map(AttributeValue::BS)),
        _ => Err(Fault::Type),
    }
}

fn arithmetic(
    sign: Arithmetic,
    left: &AttributeValue,
    right: &AttributeValue,
) -> Result<AttributeValue, Fault> {
    let (AttributeValue::N(left), AttributeValue::N(right)) = (left, right) else {
        return Err(Fault::Type);
    };
    let result = match sign {
        Arithmetic::Plus => left.checked_add(right),
        Arithmetic::Minus => left.checked_sub(right),
    };
    result
        .map(AttributeValue::N)
        .map_err(|fault| Fault::Number(fault.to_string()))
}

type Worked = Result<AttributeValue, Fault>;

/// What SET assigns. A fault is a value of the stack like any other, as `if_not_exists` may drop it.
fn evaluate(update: &Update, steps: &[ValueStep], before: &Item) -> Worked {
    let mut stack: Vec<Worked> = Vec::new();
    for step in steps {
        let value = match step {
            ValueStep::Value(id) => value_of(update, *id).cloned(),
            ValueStep::Path(path) => find(before, path).cloned().ok_or(Fault::Absent),
            ValueStep::IfNotExists(path) => {
                let default = pop(&mut stack);
                find(before, path).map_or(default, |found| Ok(found.clone()))
            }
            ValueStep::ListAppend => {
                two(&mut stack, is_list, |first, second| match (first, second) {
                    (AttributeValue::L(mut first), AttributeValue::L(second)) => {
                        first.extend(second);
                        Ok(AttributeValue::L(first))
                    }
                    _ => Err(Fault::Type),
                })
            }
            ValueStep::Arithmetic(sign) => two(&mut stack, is_number, |left, right| {
                arithmetic(*sign, &left, &right)
            }),
        };
        stack.push(value);
    }
    pop(&mut stack)
}

fn pop(stack: &mut Vec<Worked>) -> Worked {
    stack.pop().unwrap_or(Err(Fault::Absent))
}

/// Combines the last two values. The first one's faults come before the second one's.
fn two(
    stack: &mut Vec<Worked>,
    is_right: fn(&AttributeValue) -> bool,
    combine: impl FnOnce(AttributeValue, AttributeValue) -> Worked,
) -> Worked {
    let second = pop(stack);
    let first = pop(stack)?;
    if !is_right(&first) {
        return Err(Fault::Type);
    }
    let second = second?;
    if !is_right(&second) {
        return Err(Fault::Type);
    }
    combine(first, second)
}

fn is_list(value: &AttributeValue) -> bool {
    matches!(value, AttributeValue::L(_))
}

fn is_number(value: &AttributeValue) -> bool {
    matches!(value, AttributeValue::N(_))
}

/// What happens to one list: indices are those that it had before.
#[derive(Debug, Default)]
struct ListWrites {
    /// `None` removes.
    by_index: BTreeMap<usize, Option<AttributeValue>>,
}

/// Writes everything. Lists come last, the longest paths first, so that removals shift nothing that is yet to be found.
fn write_all(item: &mut Item, writes: Vec<(&Path, Write)>) {
    let mut lists: BTreeMap<(&str, &[PathStep]), ListWrites> = BTreeMap::new();
    for (path, write) in writes {
        let value = match write {
            Write::Nothing => continue,
            Write::Put(value) => Some(value),
            Write::Remove => None,
        };
        match path.steps.split_last() {
            None => put(item, &path.attribute, value),
            Some((PathStep::Field(name), before)) => {
                if let Some(AttributeValue::M(members)) = find_mut(item, &path.attribute, before) {
                    put(members, name, value);
                }
            }
            Some((PathStep::Index(index), before)) => {
                let list = lists.entry((&path.attribute, before)).or_default();
                list.by_index.insert(*index, value);
            }
        }
    }
    let mut lists: Vec<_> = lists.into_iter().collect();
    lists.sort_by_key(|((_, steps), _)| std::cmp::Reverse(steps.len()));
    for ((attribute, steps), writes) in lists {
        if let Some(AttributeValue::L(elements)) = find_mut(item, attribute, steps) {
            write_list(elements, writes);
        }
    }
}

fn put(members: &mut Item, name: &str, value: Option<AttributeValue>) {
    match value {
        Some(value) => {
            members.insert(name.to_owned(), value);
        }
        None => {
            members.remove(name);
        }
    }
}

/// Indices beyond the end append, in their order; no holes are left.
fn write_list(elements: &mut Vec<AttributeValue>, writes: ListWrites) {
    let length = elements.len();
    let mut removed = Vec::new();
    for (index, value) in writes.by_index {
        match value {
            Some(value) if index < length => elements[index] = value,
            Some(value) => elements.push(value),
            None if index < length => removed.push(index),
            None => {}
        }
    }
    for index in removed.into_iter().rev() {
        elements.remove(index);
    }
}

fn find_mut<'a>(
    item: &'a mut Item,
    attribute: &str,
    steps: &[PathStep],
) -> Option<&'a mut AttributeValue> {
    let start = item.get_mut(attribute)?;
    steps
        .iter()
        .try_fold(start, |value, step| match (value, step) {
            (AttributeValue::M(members), PathStep::Field(name)) => members.get_mut(name),
            (AttributeValue::L(elements), PathStep::Index(index)) => elements.get_mut(*index),
            _ => None,
        })
}

/// Whether it makes an item where none is: an update without any action does too.
fn makes_item(update: &Update) -> bool {
    let puts = |action: &Action| matches!(action, Action::Set(..) | Action::Add(..));
    update.actions.is_empty() || update.actions.iter().any(puts)
}

fn report(update: &Update, old: Option<&Item>, item: Item) -> Updated {
    let paths: Vec<Path> = update.touched().cloned().collect();
    let projection = Projection::of(paths);
    let found = |item: &Item| Some(projection.project(item)).filter(|found| !found.is_empty());
    Updated {
        stored: true,
        updated_old: old.and_then(found),
        updated_new: found(&item),
        item,
    }
}
