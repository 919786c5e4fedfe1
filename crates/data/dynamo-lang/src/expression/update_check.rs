//! From the text of an update to an `Update`.
//!
//! Owns its grammar and the order of its checks: words section by section, then the paths that are changed, then, from
//! the last action back to the first, names and values, as AWS does. Must not know any item.

use super::condition_builder::{path_required, type_error};
use super::kind::ExpressionKind;
use super::lexer::{Keyword, Symbol, TokenKind};
use super::parser::Parser;
use super::paths::{check_clashes, describe};
use super::placeholders::Placeholders;
use super::resolve::{ValueTable, resolve_path};
use super::tree::{Node, NodeId, RawStep};
use super::update::{Action, Update, ValueStep};
use super::words::{check_nodes, check_operand_count, check_operators, check_path};
use crate::{AttributeValue, Path, ValidationError};

/// The four sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Set,
    Remove,
    Add,
    Delete,
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Section::Set => "SET",
            Section::Remove => "REMOVE",
            Section::Add => "ADD",
            Section::Delete => "DELETE",
        }
    }
}

/// What an action does with its path.
#[derive(Debug)]
enum RawValue {
    Nothing,
    /// A placeholder's token.
    Placeholder(usize),
    /// The nodes of a SET value: the first one's number, and the root's, which is the last.
    Nodes(NodeId, NodeId),
}

#[derive(Debug)]
struct RawAction {
    section: Section,
    /// The number of its section's keyword: the second SET has another number than the first.
    occurrence: usize,
    path: Vec<RawStep>,
    value: RawValue,
}

/// Parses and checks.
pub(crate) fn parse(
    text: &str,
    placeholders: &mut Placeholders,
) -> Result<Update, ValidationError> {
    let kind = ExpressionKind::Update;
    kind.check_size(text)?;
    let mut parser = Parser::new(text);
    let actions = parse_sections(&mut parser).map_err(|what| kind.error(what))?;
    check(&parser, &actions, placeholders).map_err(|what| kind.error(what))
}

fn parse_sections(parser: &mut Parser<'_>) -> Result<Vec<RawAction>, String> {
    let mut actions = Vec::new();
    let mut occurrence = 0;
    loop {
        let section = match parser.peek() {
            TokenKind::Keyword(Keyword::Set) => Section::Set,
            TokenKind::Keyword(Keyword::Remove) => Section::Remove,
            TokenKind::Keyword(Keyword::Add) => Section::Add,
            TokenKind::Keyword(Keyword::Delete) => Section::Delete,
            _ => return Err(parser.syntax_error()),
        };
        parser.advance();
        loop {
            let path = parser.path()?;
            let value = parse_value(parser, section)?;
            actions.push(RawAction {
                section,
                occurrence,
                path,
                value,
            });
            if !parser.take(Symbol::Comma) {
                break;
            }
        }
        occurrence += 1;
        if parser.peek() == TokenKind::End {
            return Ok(actions);
        }
    }
}

fn parse_value(parser: &mut Parser<'_>, section: Section) -> Result<RawValue, String> {
    match section {
        Section::Remove => Ok(RawValue::Nothing),
        Section::Add | Section::Delete => parser.value().map(RawValue::Placeholder),
        Section::Set => {
            parser.expect(Symbol::Equal)?;
            let from = parser.tree.len();
            parser.set_value().map(|root| RawValue::Nodes(from, root))
        }
    }
}

fn check(
    parser: &Parser<'_>,
    raw: &[RawAction],
    placeholders: &mut Placeholders,
) -> Result<Update, String> {
    check_operators(&parser.tree)?;
    check_sections(parser, raw)?;
    let mut paths = Vec::with_capacity(raw.len());
    for action in raw {
        paths.push(resolve_path(&parser.tokens, &action.path, placeholders)?);
    }
    check_clashes(&paths.iter().collect::<Vec<_>>())?;
    for action in raw.iter().rev() {
        resolve_names(parser, action, placeholders)?;
    }
    let mut values = ValueTable::default();
    let mut actions = Vec::with_capacity(raw.len());
    for (action, path) in raw.iter().zip(paths).rev() {
        actions.push(resolve_action(
            parser,
            action,
            path,
            &mut values,
            placeholders,
        )?);
    }
    actions.reverse();
    Ok(Update {
        actions,
        values: values.into_values(),
        legacy: false,
    })
}

/// The words of each section, and that it stands there once.
fn check_sections(parser: &Parser<'_>, raw: &[RawAction]) -> Result<(), String> {
    let mut seen: Vec<Section> = Vec::new();
    for first in raw {
        if seen.contains(&first.section) {
            continue;
        }
        seen.push(first.section);
        let of_section = || raw.iter().filter(|action| action.section == first.section);
        for action in of_section() {
            check_path(&parser.tokens, &action.path)?;
            if let RawValue::Nodes(from, root) = action.value {
                check_value_words(parser, from, root)?;
            }
        }
        if of_section().any(|action| action.occurrence != first.occurrence) {
            return Err(format!(
                "The \"{}\" section can only be used once in an update expression;",
                first.section.name()
            ));
        }
    }
    Ok(())
}

fn check_value_words(parser: &Parser<'_>, from: NodeId, root: NodeId) -> Result<(), String> {
    check_nodes(parser, ExpressionKind::Update, from..root + 1, root)
}

/// The names in a SET value, which AWS looks up before any value.
fn resolve_names(
    parser: &Parser<'_>,
    action: &RawAction,
    placeholders: &mut Placeholders,
) -> Result<(), String> {
    let RawValue::Nodes(from, root) = action.value else {
        return Ok(());
    };
    for id in from..=root {
        if let Node::Path(steps) = parser.tree.node(id) {
            for step in steps {
                if let RawStep::Placeholder(token) = step {
                    placeholders.name(parser.tokens.text_of(*token))?;
                }
            }
        }
    }
    Ok(())
}

fn resolve_action<'a>(
    parser: &'a Parser<'_>,
    action: &RawAction,
    path: Path,
    values: &mut ValueTable<'a>,
    placeholders: &mut Placeholders,
) -> Result<Action, String> {
    match (&action.value, action.section) {
        (RawValue::Nodes(from, root), _) => {
            let mut resolver = ValueResolver {
                parser,
                from: *from,
                values,
                shapes: Vec::new(),
            };
            for id in *from..=*root {
                let shape = resolver.visit(id, placeholders)?;
                resolver.shapes.push(Some(shape));
            }
            let steps = match resolver.shapes.pop().flatten() {
                Some(shape) => shape.steps,
                None => Vec::new(),
            };
            Ok(Action::Set(path, steps))
        }
        (RawValue::Placeholder(token), section) => {
            let id = values.resolve(parser.tokens.text_of(*token), placeholders)?;
            check_set_operand(section, values.get(id))?;
            Ok(match section {
                Section::Add => Action::Add(path, id),
                _ => Action::Delete(path, id),
            })
        }
        (RawValue::Nothing, _) => Ok(Action::Remove(path)),
    }
}

/// ADD takes numbers and sets, DELETE only sets. Here AWS calls types by their long names.
fn check_set_operand(section: Section, value: &AttributeValue) -> Result<(), String> {
    let found = match value {
        AttributeValue::SS(_) | AttributeValue::NS(_) | AttributeValue::BS(_) => return Ok(()),
        AttributeValue::N(_) if section == Section::Add => return Ok(()),
        AttributeValue::N(_) => "NUMBER",
        AttributeValue::S(_) => "STRING",
        AttributeValue::B(_) => "BINARY",
        AttributeValue::Bool(_) => "BOOLEAN",
        AttributeValue::Null => "NULL",
        AttributeValue::L(_) => "LIST",
        AttributeValue::M(_) => "MAP",
    };
    let name = section.name();
    Err(format!(
        "Incorrect operand type for operator or function; operator: {name}, operand type: {found}, typeSet: ALLOWED_FOR_{name}_OPERAND"
    ))
}

/// What is known of a node before any item is looked at.
struct Shape {
    steps: Vec<ValueStep>,
    path: Option<Path>,
    type_name: Option<&'static str>,
}

struct ValueResolver<'a, 'v> {
    parser: &'a Parser<'a>,
    from: NodeId,
    values: &'v mut ValueTable<'a>,
    shapes: Vec<Option<Shape>>,
}

impl ValueResolver<'_, '_> {
    fn visit(&mut self, id: NodeId, placeholders: &mut Placeholders) -> Result<Shape, String> {
        let parser = self.parser;
        match parser.tree.node(id) {
            Node::Path(steps) => {
                let path = resolve_path(&parser.tokens, steps, placeholders)?;
                Ok(Shape {
                    steps: vec![ValueStep::Path(path.clone())],
                    path: Some(path),
                    type_name: None,
                })
            }
            Node::Value(token) => {
                let text = parser.tokens.text_of(*token);
                let id = self.values.resolve(text, placeholders)?;
                Ok(Shape {
                    steps: vec![ValueStep::Value(id)],
                    path: None,
                    type_name: Some(self.values.get(id).type_name()),
                })
            }
            Node::Call(name, arguments) => {
                let name = parser.tokens.text_of(*name);
                check_operand_count(name, arguments.len())?;
                let (first, second) = (self.take(arguments[0]), self.take(arguments[1]));
                match name {
                    "if_not_exists" => if_not_exists(first, second),
                    _ => combine("list_append", "L", first, second, ValueStep::ListAppend),
                }
            }
            Node::Arithmetic(sign, left, right) => {
                let (left, right) = (self.take(*left), self.take(*right));
                combine(sign.text(), "N", left, right, ValueStep::Arithmetic(*sign))
            }
            Node::Paren(inner) => Ok(self.take(*inner)),
            // The grammar of SET values has no conditions.
            _ => Ok(Shape {
                steps: Vec::new(),
                path: None,
                type_name: None,
            }),
        }
    }

    fn take(&mut self, id: NodeId) -> Shape {
        self.shapes[id - self.from]
            .take()
            .expect("children stand before their one parent")
    }
}

fn if_not_exists(first: Shape, second: Shape) -> Result<Shape, String> {
    let Some(path) = first.path else {
        return Err(path_required("if_not_exists"));
    };
    if second.path.as_ref() == Some(&path) {
        return Err(format!(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first operand: {}",
            describe(&path)
        ));
    }
    let mut steps = second.steps;
    steps.push(ValueStep::IfNotExists(path));
    Ok(Shape {
        steps,
        path: None,
        type_name: None,
    })
}

/// Both operands have to be of the type `wanted`, as far as the expression itself tells.
fn combine(
    operator: &str,
    wanted: &'static str,
    first: Shape,
    second: Shape,
    step: ValueStep,
) -> Result<Shape, String> {
    for shape in [&first, &second] {
        if let Some(found) = shape.type_name.filter(|found| *found != wanted) {
            return Err(type_error(operator, found));
        }
    }
    let mut steps = first.steps;
    steps.extend(second.steps);
    steps.push(step);
    Ok(Shape {
        steps,
        path: None,
        type_name: None,
    })
}
