//! Conditions put together test by test, each one's operands checked.
//!
//! Owns what AWS says of operands, which finds what is wrong with constants even if no item is ever looked at. Both
//! expressions and PartiQL are built with it. Must not know of text.

use super::compare::{is_ordered, order, size};
use super::condition::{Condition, Operand, Step, Test};
use super::paths::describe;
use super::resolve::ValueTable;
use super::tree::Comparator;
use crate::{AttributeValue, Path};

/// How many operands IN may have.
const IN_OPERANDS_MAX: usize = 100;
/// What AWS calls the type of a path, which has none before an item is looked at.
const ANY_TYPE: &str = "{S,SS,N,NS,B,BS,BOOL,NULL,L,M,HD,DOUBLE,FLOAT,HDS,FS,DOUBLESET,DICT,DECIMAL,INT,DECIMALSET,INTSET}";
/// The types that `attribute_type` knows, in AWS's order.
const TYPE_NAMES: [&str; 10] = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];

/// A condition in the making.
#[derive(Debug, Default)]
pub(crate) struct ConditionBuilder<'a> {
    /// The values that its operands name.
    pub(crate) values: ValueTable<'a>,
    steps: Vec<Step>,
}

impl ConditionBuilder<'_> {
    /// The condition that the steps so far make.
    pub(crate) fn build(self) -> Condition {
        Condition {
            steps: self.steps,
            values: self.values.into_values(),
        }
    }

    /// Adds a step that joins or negates what stands before it.
    pub(crate) fn join(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Adds a test without looking at it.
    pub(crate) fn test(&mut self, test: Test) {
        self.steps.push(Step::Test(test));
    }

    /// The type, as far as the expression itself tells it.
    fn static_type(&self, operand: &Operand) -> Option<&'static str> {
        match operand {
            Operand::Path(_) => None,
            Operand::Value(id) => Some(self.values.get(*id).type_name()),
            Operand::Size(_) => Some("N"),
        }
    }

    /// `a = b` and the like.
    pub(crate) fn compare(
        &mut self,
        comparator: Comparator,
        a: Operand,
        b: Operand,
    ) -> Result<(), String> {
        check_distinct(comparator.text(), &a, std::slice::from_ref(&b))?;
        if comparator.is_ordering() {
            self.check_types(comparator.text(), [&a, &b], is_ordered)?;
        }
        self.test(Test::Compare(comparator, a, b));
        Ok(())
    }

    /// `a BETWEEN b AND c`.
    pub(crate) fn between(&mut self, [a, low, high]: [Operand; 3]) -> Result<(), String> {
        let bounds = [low, high];
        check_distinct("BETWEEN", &a, &bounds)?;
        let [low, high] = bounds;
        self.check_types("BETWEEN", [&a, &low, &high], is_ordered)?;
        if let (Operand::Value(low), Operand::Value(high)) = (&low, &high) {
            check_bounds(self.values.get(*low), self.values.get(*high))?;
        }
        self.test(Test::Between(a, low, high));
        Ok(())
    }

    /// `a IN (b, …)`.
    pub(crate) fn is_in(&mut self, a: Operand, operands: Vec<Operand>) -> Result<(), String> {
        if operands.len() > IN_OPERANDS_MAX {
            return Err(format!(
                "The IN operator is provided with too many operands; number of operands: {}",
                operands.len()
            ));
        }
        check_distinct("IN", &a, &operands)?;
        self.test(Test::In(a, operands));
        Ok(())
    }

    /// A function that is true or false; its name is known and the number of its operands right.
    pub(crate) fn function(
        &mut self,
        name: &str,
        first: Operand,
        second: Option<Operand>,
    ) -> Result<(), String> {
        let test = match (name, second) {
            ("begins_with", Some(second)) => {
                check_distinct(name, &first, std::slice::from_ref(&second))?;
                self.check_types(name, [&first, &second], |t| matches!(t, "S" | "B"))?;
                Test::BeginsWith(first, second)
            }
            ("contains", Some(second)) => {
                check_distinct(name, &first, std::slice::from_ref(&second))?;
                Test::Contains(first, second)
            }
            ("attribute_type", Some(second)) => {
                let path = required_path(name, first)?;
                Test::HasType(path, self.type_named(&second)?)
            }
            ("attribute_exists", _) => Test::Exists(required_path(name, first)?),
            _ => Test::Missing(required_path(name, first)?),
        };
        self.test(test);
        Ok(())
    }

    /// `size(a)`.
    pub(crate) fn size(&mut self, operand: Operand) -> Result<Operand, String> {
        match operand {
            Operand::Path(path) => Ok(Operand::Size(path)),
            Operand::Size(_) => Err(type_error("size", "N")),
            Operand::Value(id) => {
                let value = self.values.get(id);
                let size = size(value).ok_or_else(|| type_error("size", value.type_name()))?;
                Ok(Operand::Value(self.values.add(size)))
            }
        }
    }

    fn type_named(&self, operand: &Operand) -> Result<String, String> {
        let value = match operand {
            Operand::Value(id) => self.values.get(*id),
            Operand::Path(_) => return Err(type_error("attribute_type", ANY_TYPE)),
            Operand::Size(_) => return Err(type_error("attribute_type", "N")),
        };
        match value {
            AttributeValue::S(name) if TYPE_NAMES.contains(&name.as_str()) => Ok(name.clone()),
            AttributeValue::S(name) => Err(format!(
                "Invalid attribute type name found; type: {name}, valid types: {{{}}}",
                TYPE_NAMES.join(",")
            )),
            other => Err(type_error("attribute_type", other.type_name())),
        }
    }

    fn check_types<const N: usize>(
        &self,
        operator: &str,
        operands: [&Operand; N],
        allowed: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        for operand in operands {
            if let Some(found) = self.static_type(operand).filter(|name| !allowed(name)) {
                return Err(type_error(operator, found));
            }
        }
        Ok(())
    }
}

/// The same path twice would make a condition that is always true or always false.
fn check_distinct(operator: &str, first: &Operand, rest: &[Operand]) -> Result<(), String> {
    match first {
        Operand::Path(path) if rest.contains(first) => Err(format!(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: {operator}, first operand: {}",
            describe(path)
        )),
        _ => Ok(()),
    }
}

fn required_path(function: &str, operand: Operand) -> Result<Path, String> {
    match operand {
        Operand::Path(path) => Ok(path),
        _ => Err(path_required(function)),
    }
}

/// That `function` was given something that is no path.
pub(crate) fn path_required(function: &str) -> String {
    format!("Operator or function requires a document path; operator or function: {function}")
}

/// That `operator` was given a constant of a type it does not take.
pub(crate) fn type_error(operator: &str, found: &str) -> String {
    format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {found}"
    )
}

/// Refuses bounds between which nothing can be.
fn check_bounds(low: &AttributeValue, high: &AttributeValue) -> Result<(), String> {
    let wrong = match order(low, high) {
        Some(ordering) if ordering.is_le() => return Ok(()),
        Some(_) => "upper bound to be greater than or equal to lower bound",
        None => "same data type for lower and upper bounds",
    };
    Err(format!(
        "The BETWEEN operator requires {wrong}; lower bound operand: AttributeValue: {{{}}}, upper bound operand: AttributeValue: {{{}}}",
        describe_bound(low),
        describe_bound(high)
    ))
}

fn describe_bound(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => format!("S:{text}"),
        AttributeValue::N(number) => format!("N:{number}"),
        // AWS shows Java's buffer, and not what is in it.
        AttributeValue::B(bytes) => {
            let length = bytes.len();
            format!("B:java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]")
        }
        other => other.type_name().to_owned(),
    }
}
