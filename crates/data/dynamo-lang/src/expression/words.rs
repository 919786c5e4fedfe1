//! The checks that need only the words of an expression: reserved names, indices, functions and their places.
//!
//! Owns the list of functions and the limit on operators. Must not know what placeholders stand for.

use std::collections::BTreeSet;
use std::ops::Range;

use super::kind::ExpressionKind;
use super::lexer::Tokens;
use super::parser::Parser;
use super::reserved::is_reserved;
use super::tree::{Node, NodeId, RawStep, Tree};

/// How many operators an expression may have.
const OPERATORS_MAX: usize = 300;
/// The greatest index of a list that can be written.
const INDEX_MAX: usize = 2_147_483_647;

/// Where a function may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Condition,
    Operand,
    Update,
}

/// Name, number of operands, place.
const FUNCTIONS: [(&str, usize, Place); 8] = [
    ("attribute_exists", 1, Place::Condition),
    ("attribute_not_exists", 1, Place::Condition),
    ("attribute_type", 2, Place::Condition),
    ("begins_with", 2, Place::Condition),
    ("contains", 2, Place::Condition),
    ("size", 1, Place::Operand),
    ("if_not_exists", 2, Place::Update),
    ("list_append", 2, Place::Update),
];

/// Checks the nodes with these numbers, in the order of the text. `root` is a condition, or a SET value.
pub(crate) fn check_nodes(
    parser: &Parser<'_>,
    kind: ExpressionKind,
    nodes: Range<NodeId>,
    root: NodeId,
) -> Result<(), String> {
    let tree = &parser.tree;
    let mut named: Vec<(usize, NodeId)> = nodes
        .clone()
        .filter_map(|id| Some((first_token(tree.node(id))?, id)))
        .collect();
    named.sort_unstable();
    let conditions = condition_places(tree, nodes, root);
    for (_, id) in named {
        match tree.node(id) {
            Node::Path(steps) => check_path(&parser.tokens, steps)?,
            Node::Call(name, arguments) => {
                let name = parser.tokens.text_of(*name);
                let place = if kind == ExpressionKind::Update {
                    Place::Update
                } else if conditions.contains(&id) {
                    Place::Condition
                } else {
                    Place::Operand
                };
                check_function(name, place)?;
                // An update's operands are counted with its values.
                if place != Place::Update {
                    check_operand_count(name, arguments.len())?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn first_token(node: &Node) -> Option<usize> {
    match node {
        Node::Call(name, _) => Some(*name),
        Node::Path(steps) => steps.first().map(|step| match step {
            RawStep::Name(token) | RawStep::Placeholder(token) | RawStep::Index(token) => *token,
        }),
        _ => None,
    }
}

/// The nodes that have to be true or false.
fn condition_places(tree: &Tree, nodes: Range<NodeId>, root: NodeId) -> BTreeSet<NodeId> {
    let mut places = BTreeSet::from([root]);
    // Parents have greater numbers than their children.
    for id in nodes.rev() {
        if !places.contains(&id) {
            continue;
        }
        match tree.node(id) {
            Node::And(left, right) | Node::Or(left, right) => places.extend([*left, *right]),
            Node::Not(inner) | Node::Paren(inner) => {
                places.insert(*inner);
            }
            _ => {}
        }
    }
    places
}

/// Refuses reserved words and indices out of range.
pub(crate) fn check_path(tokens: &Tokens<'_>, steps: &[RawStep]) -> Result<(), String> {
    for step in steps {
        match *step {
            RawStep::Name(token) => {
                let name = tokens.text_of(token);
                if is_reserved(name) {
                    return Err(format!(
                        "Attribute name is a reserved keyword; reserved keyword: {name}"
                    ));
                }
            }
            RawStep::Index(token) => {
                let digits = tokens.text_of(token);
                if digits
                    .parse()
                    .map_or(true, |index: usize| index > INDEX_MAX)
                {
                    return Err(format!(
                        "List index is not within the allowable range; index: [{digits}]"
                    ));
                }
            }
            RawStep::Placeholder(_) => {}
        }
    }
    Ok(())
}

fn check_function(name: &str, place: Place) -> Result<(), String> {
    let Some((_, _, known)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(format!("Invalid function name; function: {name}"));
    };
    let wrong = match (known, place) {
        (known, place) if *known == place => return Ok(()),
        (_, Place::Update) => "The function is not allowed in an update expression",
        (Place::Update, _) => "The function is not allowed in a condition expression",
        _ => "The function is not allowed to be used this way in an expression",
    };
    Err(format!("{wrong}; function: {name}"))
}

/// Refuses a call of a known function with too many or too few operands.
pub(crate) fn check_operand_count(name: &str, count: usize) -> Result<(), String> {
    match FUNCTIONS.iter().find(|(known, ..)| *known == name) {
        Some((_, wanted, _)) if *wanted != count => Err(format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {count}"
        )),
        _ => Ok(()),
    }
}

/// Refuses expressions with more than 300 operators; calls and the commas of a list are none.
pub(crate) fn check_operators(tree: &Tree) -> Result<(), String> {
    let count = (0..tree.len())
        .filter(|id| {
            !matches!(
                tree.node(*id),
                Node::Path(_) | Node::Value(_) | Node::Call(..) | Node::Paren(_)
            )
        })
        .count();
    if count <= OPERATORS_MAX {
        return Ok(());
    }
    // AWS stops counting at the first one too many.
    Err(format!(
        "The expression contains too many operators; operator count: {}",
        OPERATORS_MAX + 1
    ))
}
