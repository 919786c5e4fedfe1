//! An expression as it is written, in one flat arena.
//!
//! Owns the nodes that parsing leaves for the checks. Children stand before their parents, in the order of the text,
//! so that every walk is a loop and no depth of nesting costs stack. Must not know what placeholders stand for.

use serde::{Deserialize, Serialize};

/// Where a node stands in the arena.
pub(crate) type NodeId = usize;

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Comparator {
    /// `=`.
    Eq,
    /// `<>`.
    Ne,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
    /// `>`.
    Gt,
    /// `>=`.
    Ge,
}

impl Comparator {
    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Comparator::Eq => "=",
            Comparator::Ne => "<>",
            Comparator::Lt => "<",
            Comparator::Le => "<=",
            Comparator::Gt => ">",
            Comparator::Ge => ">=",
        }
    }

    /// The one that says the same of the operands in the other order.
    pub(crate) fn mirrored(self) -> Comparator {
        match self {
            Comparator::Lt => Comparator::Gt,
            Comparator::Le => Comparator::Ge,
            Comparator::Gt => Comparator::Lt,
            Comparator::Ge => Comparator::Le,
            same => same,
        }
    }

    /// Whether it asks for an order, and not only for equality.
    pub(crate) fn is_ordering(self) -> bool {
        !matches!(self, Comparator::Eq | Comparator::Ne)
    }
}

/// `+` or `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Arithmetic {
    /// `+`.
    Plus,
    /// `-`.
    Minus,
}

impl Arithmetic {
    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Arithmetic::Plus => "+",
            Arithmetic::Minus => "-",
        }
    }
}

/// A step of a path, by its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawStep {
    /// A bare name.
    Name(usize),
    /// `#name`.
    Placeholder(usize),
    /// `[3]`; the token is the digits.
    Index(usize),
}

/// A node; numbers that are no `NodeId` are tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A document path.
    Path(Vec<RawStep>),
    /// `:value`.
    Value(usize),
    /// `name(…)`; the first number is the token of the name.
    Call(usize, Vec<NodeId>),
    /// `(…)`.
    Paren(NodeId),
    /// `a = b`.
    Compare(Comparator, NodeId, NodeId),
    /// `a BETWEEN b AND c`.
    Between(NodeId, NodeId, NodeId),
    /// `a IN (b, …)`.
    In(NodeId, Vec<NodeId>),
    /// `NOT a`.
    Not(NodeId),
    /// `a AND b`.
    And(NodeId, NodeId),
    /// `a OR b`.
    Or(NodeId, NodeId),
    /// `a + b`.
    Arithmetic(Arithmetic, NodeId, NodeId),
}

/// The nodes of one expression.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Adds a node whose children are there.
    pub(crate) fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// How many nodes there are; they are numbered from 0.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node inside all parentheses; there are few, as doubled ones are refused.
    pub(crate) fn bare(&self, mut id: NodeId) -> NodeId {
        while let Node::Paren(inner) = self.nodes[id] {
            id = inner;
        }
        id
    }

    /// Whether it can be compared: a path, a value, a call, or one of these in parentheses.
    pub(crate) fn is_operand(&self, id: NodeId) -> bool {
        matches!(
            self.nodes[self.bare(id)],
            Node::Path(_) | Node::Value(_) | Node::Call(..)
        )
    }

    /// Whether it can be true or false. A call may be both that and an operand; its name decides later.
    pub(crate) fn is_condition(&self, id: NodeId) -> bool {
        !matches!(
            self.nodes[self.bare(id)],
            Node::Path(_) | Node::Value(_) | Node::Arithmetic(..)
        )
    }
}
