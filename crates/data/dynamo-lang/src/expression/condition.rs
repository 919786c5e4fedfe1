//! Conditions: what they are when parsed, and what they say of an item.
//!
//! Owns evaluation. A condition is a list of steps for a stack of truths, so no depth of nesting costs stack, neither
//! here nor when it is sent. Must not know of text or placeholders.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::compare::{begins_with, contains, order, size};
use super::condition_check;
use super::kind::ExpressionKind;
use super::paths::find;
use super::placeholders::Placeholders;
use super::tree::Comparator;
use crate::{AttributeValue, Item, Path, ValidationError};

/// The parameter that a condition comes from; messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionKind {
    /// `ConditionExpression`.
    Condition,
    /// `FilterExpression`.
    Filter,
}

impl From<ConditionKind> for ExpressionKind {
    fn from(kind: ConditionKind) -> ExpressionKind {
        match kind {
            ConditionKind::Condition => ExpressionKind::Condition,
            ConditionKind::Filter => ExpressionKind::Filter,
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Operand {
    /// What the item has there.
    Path(Path),
    /// The condition's value with this number.
    Value(usize),
    /// The size of what the item has there.
    Size(Path),
}

/// A question about an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Test {
    /// `a = b`.
    Compare(Comparator, Operand, Operand),
    /// `a BETWEEN b AND c`.
    Between(Operand, Operand, Operand),
    /// `a IN (b, …)`.
    In(Operand, Vec<Operand>),
    /// `attribute_exists(a)`.
    Exists(Path),
    /// `attribute_not_exists(a)`.
    Missing(Path),
    /// `attribute_type(a, b)`; the type's name on the wire.
    HasType(Path, String),
    /// `begins_with(a, b)`.
    BeginsWith(Operand, Operand),
    /// `contains(a, b)`.
    Contains(Operand, Operand),
}

/// A step of evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Adds the test's answer to the stack.
    Test(Test),
    /// Negates the last answer.
    Not,
    /// Makes one of the last two answers.
    And,
    /// Makes one of the last two answers.
    Or,
}

/// A condition, ready to be asked of any item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    pub(crate) steps: Vec<Step>,
    pub(crate) values: Vec<AttributeValue>,
}

impl Condition {
    /// Parses and checks `text`.
    ///
    /// # Errors
    /// When AWS refuses it; the message has the parameter's name.
    pub fn parse(
        kind: ConditionKind,
        text: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Condition, ValidationError> {
        condition_check::parse(kind.into(), text, placeholders)
    }

    /// Whether it holds for `item`; `None` is no item, which has no attributes.
    #[must_use]
    pub fn eval(&self, item: Option<&Item>) -> bool {
        let nothing = Item::new();
        let item = item.unwrap_or(&nothing);
        let mut answers = Vec::new();
        for step in &self.steps {
            let answer = match step {
                Step::Test(test) => self.ask(test, item),
                Step::Not => !pop(&mut answers),
                Step::And => pop(&mut answers) & pop(&mut answers),
                Step::Or => pop(&mut answers) | pop(&mut answers),
            };
            answers.push(answer);
        }
        // Without any step there is nothing that could fail.
        answers.pop().unwrap_or(true)
    }

    /// Whether it asks nothing, and so holds for every item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// This condition, for an item that has the attribute.
    #[must_use]
    pub fn and_exists(self, attribute: &str) -> Condition {
        self.joined(Test::Exists(Path::top(attribute)), Step::And)
    }

    /// This condition, for an item that has not the attribute.
    #[must_use]
    pub fn and_missing(self, attribute: &str) -> Condition {
        self.joined(Test::Missing(Path::top(attribute)), Step::And)
    }

    /// Holds also for an item that has not the attribute.
    #[must_use]
    pub fn or_missing(self, attribute: &str) -> Condition {
        if self.is_empty() {
            return self;
        }
        self.joined(Test::Missing(Path::top(attribute)), Step::Or)
    }

    fn joined(mut self, test: Test, step: Step) -> Condition {
        let alone = self.steps.is_empty();
        self.steps.push(Step::Test(test));
        if !alone {
            self.steps.push(step);
        }
        self
    }

    /// Every path that it looks at, as often as it does.
    pub fn attributes(&self) -> impl Iterator<Item = &Path> {
        let mut paths = Vec::new();
        for step in &self.steps {
            if let Step::Test(test) = step {
                test.collect_paths(&mut paths);
            }
        }
        paths.into_iter()
    }

    /// Refuses a query's filter that looks at an attribute of the key. `parameter` is "Filter Expression" or
    /// "QueryFilter".
    ///
    /// # Errors
    /// "… can only contain non-primary key attributes: Primary key attribute: …".
    pub fn check_filter_keys(
        &self,
        parameter: &str,
        key_names: &[&str],
    ) -> Result<(), ValidationError> {
        let found = |name: &&&str| self.attributes().any(|path| path.attribute == **name);
        match key_names.iter().find(found) {
            Some(name) => Err(ValidationError::new(format!(
                "{parameter} can only contain non-primary key attributes: Primary key attribute: {name}"
            ))),
            None => Ok(()),
        }
    }

    fn ask(&self, test: &Test, item: &Item) -> bool {
        let value = |operand| self.value(operand, item);
        match test {
            Test::Compare(comparator, a, b) => compare(*comparator, value(a), value(b)),
            Test::Between(a, low, high) => {
                let Some(a) = value(a) else { return false };
                let in_order = |x: &AttributeValue, y: &AttributeValue| {
                    order(x, y).is_some_and(Ordering::is_le)
                };
                value(low).is_some_and(|low| in_order(&low, &a))
                    && value(high).is_some_and(|high| in_order(&a, &high))
            }
            Test::In(a, operands) => {
                value(a).is_some_and(|a| operands.iter().any(|b| value(b).is_some_and(|b| a == b)))
            }
            Test::Exists(path) => find(item, path).is_some(),
            Test::Missing(path) => find(item, path).is_none(),
            Test::HasType(path, name) => find(item, path).is_some_and(|v| v.type_name() == name),
            Test::BeginsWith(a, b) => both(value(a), value(b), begins_with),
            Test::Contains(a, b) => both(value(a), value(b), contains),
        }
    }

    fn value<'a>(&'a self, operand: &Operand, item: &'a Item) -> Option<Cow<'a, AttributeValue>> {
        match operand {
            Operand::Path(path) => find(item, path).map(Cow::Borrowed),
            Operand::Value(id) => self.values.get(*id).map(Cow::Borrowed),
            Operand::Size(path) => find(item, path).and_then(size).map(Cow::Owned),
        }
    }
}

fn pop(answers: &mut Vec<bool>) -> bool {
    answers.pop().unwrap_or(false)
}

fn both(
    a: Option<Cow<'_, AttributeValue>>,
    b: Option<Cow<'_, AttributeValue>>,
    test: fn(&AttributeValue, &AttributeValue) -> bool,
) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => test(&a, &b),
        _ => false,
    }
}

/// What is missing equals nothing, so it is different from everything; and it has no order.
fn compare(
    comparator: Comparator,
    a: Option<Cow<'_, AttributeValue>>,
    b: Option<Cow<'_, AttributeValue>>,
) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return comparator == Comparator::Ne;
    };
    let ordering = || order(&a, &b);
    match comparator {
        Comparator::Eq => a == b,
        Comparator::Ne => a != b,
        Comparator::Lt => ordering().is_some_and(Ordering::is_lt),
        Comparator::Le => ordering().is_some_and(Ordering::is_le),
        Comparator::Gt => ordering().is_some_and(Ordering::is_gt),
        Comparator::Ge => ordering().is_some_and(Ordering::is_ge),
    }
}

impl Test {
    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        let mut operand = |operand: &'a Operand| match operand {
            Operand::Path(path) | Operand::Size(path) => paths.push(path),
            Operand::Value(_) => {}
        };
        match self {
            Test::Compare(_, a, b) | Test::BeginsWith(a, b) | Test::Contains(a, b) => {
                operand(a);
                operand(b);
            }
            Test::Between(a, low, high) => {
                operand(a);
                operand(low);
                operand(high);
            }
            Test::In(a, operands) => {
                operand(a);
                operands.iter().for_each(operand);
            }
            Test::Exists(path) | Test::Missing(path) | Test::HasType(path, _) => paths.push(path),
        }
    }
}
