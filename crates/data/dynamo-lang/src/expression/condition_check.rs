//! From the tree of a condition to a `Condition`.
//!
//! Owns the order of checks: words first, then, from left to right and operands before their operator, names, values
//! and operands, up to the first fault, as AWS does. Must not know what operands an operator takes.

use super::condition::{Condition, Operand, Step};
use super::condition_builder::ConditionBuilder;
use super::kind::ExpressionKind;
use super::parser::Parser;
use super::placeholders::Placeholders;
use super::resolve::resolve_path;
use super::tree::{Node, NodeId};
use super::words::{check_nodes, check_operators};
use crate::ValidationError;

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
        builder: ConditionBuilder::default(),
        operands: Vec::with_capacity(parser.tree.len()),
    };
    for id in 0..parser.tree.len() {
        let operand = checker.visit(parser.tree.node(id), placeholders)?;
        checker.operands.push(operand);
    }
    Ok(checker.builder.build())
}

struct Checker<'a> {
    parser: &'a Parser<'a>,
    builder: ConditionBuilder<'a>,
    /// What each node is as an operand; nodes that are none, and those already used, are `None`.
    operands: Vec<Option<Operand>>,
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
                    .builder
                    .values
                    .resolve(self.parser.tokens.text_of(*token), placeholders)?;
                return Ok(Some(Operand::Value(id)));
            }
            Node::Paren(inner) => return Ok(self.operands[*inner].take()),
            Node::Call(name, arguments) => return self.call(*name, arguments),
            Node::Compare(comparator, a, b) => {
                let (a, b) = (self.operand(*a), self.operand(*b));
                self.builder.compare(*comparator, a, b)?;
            }
            Node::Between(a, low, high) => {
                let operands = [*a, *low, *high].map(|id| self.operand(id));
                self.builder.between(operands)?;
            }
            Node::In(a, operands) => {
                let a = self.operand(*a);
                let operands: Vec<Operand> = operands.iter().map(|id| self.operand(*id)).collect();
                self.builder.is_in(a, operands)?;
            }
            Node::Not(_) => self.builder.join(Step::Not),
            Node::And(..) => self.builder.join(Step::And),
            Node::Or(..) => self.builder.join(Step::Or),
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

    /// The number of operands is known to be right.
    fn call(&mut self, name: usize, arguments: &[NodeId]) -> Result<Option<Operand>, String> {
        let name = self.parser.tokens.text_of(name);
        let first = self.operand(arguments[0]);
        if name == "size" {
            return self.builder.size(first).map(Some);
        }
        let second = arguments.get(1).map(|id| self.operand(*id));
        self.builder.function(name, first, second)?;
        Ok(None)
    }
}
