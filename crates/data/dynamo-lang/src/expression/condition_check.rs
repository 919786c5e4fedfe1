//! From the tree of a condition to a `Condition`.
//!
//! Owns the checks of operands, which find what is wrong with constants even if no item is ever looked at. They go
//! through the text from left to right, operands before their operator, and stop at the first fault, as AWS does.

use super::compare::{is_ordered, order, size};
use super::condition::{Condition, Operand, Step, Test};
use super::kind::ExpressionKind;
use super::parser::Parser;
use super::paths::describe;
use super::placeholders::Placeholders;
use super::resolve::{ValueTable, resolve_path};
use super::tree::{Comparator, Node, NodeId};
use super::words::{check_nodes, check_operators};
use crate::{AttributeValue, Path, ValidationError};

/// How many operands IN may have.
const IN_OPERANDS_MAX: usize = 100;
/// What AWS calls the type of a path, which has none before an item is looked at.
const ANY_TYPE: &str = "{S,SS,N,NS,B,BS,BOOL,NULL,L,M,HD,DOUBLE,FLOAT,HDS,FS,DOUBLESET,DICT,DECIMAL,INT,DECIMALSET,INTSET}";
/// The types that `attribute_type` knows, in AWS's order.
const TYPE_NAMES: [&str; 10] = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];

/// Parses and checks a condition of any kind.
pub(crate) fn parse(
    kind: ExpressionKind,
    text: &str,
    placeholders: &mut Placeholders,
) -> Result<Condition, ValidationError> {
    kind.check_size(text)?;
    let mut parser = Parser::new(text);
    let root = parser.condition().map_err(|what| kind.error(what))?;
    let checked = check(&parser, kind, root, placeholders);
    checked.map_err(|what| kind.error(what))
}

/// Checks the condition whose tree `parser` holds.
pub(crate) fn check(
    parser: &Parser<'_>,
    kind: ExpressionKind,
    root: NodeId,
    placeholders: &mut Placeholders,
) -> Result<Condition, String> {
    check_operators(&parser.tree)?;
    check_nodes(parser, kind, 0..parser.tree.len(), root)?;
    let mut checker = Checker {
        parser,
        values: ValueTable::default(),
        operands: Vec::with_capacity(parser.tree.len()),
        steps: Vec::new(),
    };
    for id in 0..parser.tree.len() {
        let operand = checker.visit(parser.tree.node(id), placeholders)?;
        checker.operands.push(operand);
    }
    Ok(Condition {
        steps: checker.steps,
        values: checker.values.into_values(),
    })
}

struct Checker<'a> {
    parser: &'a Parser<'a>,
    values: ValueTable<'a>,
    /// What each node is as an operand; nodes that are none, and those already used, are `None`.
    operands: Vec<Option<Operand>>,
    steps: Vec<Step>,
}

impl<'a> Checker<'a> {
    /// Children are visited before their parents.
    fn visit(
        &mut self,
        node: &Node,
        placeholders: &mut Placeholders,
    ) -> Result<Option<Operand>, String> {
        match node {
            Node::Path(steps) => {
                let path = resolve_path(&self.parser.tokens, steps, placeholders)?;
                return Ok(Some(Operand::Path(path)));
            }
            Node::Value(token) => {
                let id = self
                    .values
                    .resolve(self.parser.tokens.text_of(*token), placeholders)?;
                return Ok(Some(Operand::Value(id)));
            }
            Node::Paren(inner) => return Ok(self.operands[*inner].take()),
            Node::Call(name, arguments) => return self.call(*name, arguments),
            Node::Compare(comparator, a, b) => {
                let (a, b) = (self.operand(*a), self.operand(*b));
                self.compare(*comparator, a, b)?;
            }
            Node::Between(a, low, high) => {
                let operands = [*a, *low, *high].map(|id| self.operand(id));
                self.between(operands)?;
            }
            Node::In(a, operands) => {
                let a = self.operand(*a);
                let operands: Vec<Operand> = operands.iter().map(|id| self.operand(*id)).collect();
                self.is_in(a, operands)?;
            }
            Node::Not(_) => self.steps.push(Step::Not),
            Node::And(..) => self.steps.push(Step::And),
            Node::Or(..) => self.steps.push(Step::Or),
            // The grammar of conditions has none.
            Node::Arithmetic(..) => {}
        }
        Ok(None)
    }

    fn operand(&mut self, id: NodeId) -> Operand {
        self.operands[id]
            .take()
            .expect("the grammar lets only operands stand there, and each has one parent")
    }

    /// The type, as far as the expression itself tells it.
    fn static_type(&self, operand: &Operand) -> Option<&'static str> {
        match operand {
            Operand::Path(_) => None,
            Operand::Value(id) => Some(self.values.get(*id).type_name()),
            Operand::Size(_) => Some("N"),
        }
    }

    fn compare(&mut self, comparator: Comparator, a: Operand, b: Operand) -> Result<(), String> {
        check_distinct(comparator.text(), &a, std::slice::from_ref(&b))?;
        if comparator.is_ordering() {
            self.check_types(comparator.text(), [&a, &b], is_ordered)?;
        }
        self.test(Test::Compare(comparator, a, b));
        Ok(())
    }

    fn between(&mut self, [a, low, high]: [Operand; 3]) -> Result<(), String> {
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

    fn is_in(&mut self, a: Operand, operands: Vec<Operand>) -> Result<(), String> {
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

    fn test(&mut self, test: Test) {
        self.steps.push(Step::Test(test));
    }

    /// The number of operands is known to be right.
    fn call(&mut self, name: usize, arguments: &[NodeId]) -> Result<Option<Operand>, String> {
        let name = self.parser.tokens.text_of(name);
        let first = self.operand(arguments[0]);
        if name == "size" {
            return self.size(first).map(Some);
        }
        let second = arguments.get(1).map(|id| self.operand(*id));
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
        Ok(None)
    }

    fn size(&mut self, operand: Operand) -> Result<Operand, String> {
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
