//! `ProjectionExpression`: which parts of an item are wanted.
//!
//! Owns how parts of documents are put together again. Must not know what an item is used for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::ExpressionKind;
use super::lexer::Symbol;
use super::parser::Parser;
use super::paths::{check_clashes, step_into};
use super::placeholders::Placeholders;
use super::resolve::resolve_path;
use super::words::check_path;
use crate::{AttributeValue, Item, Path, PathStep, ValidationError};

/// Paths, of which none leads into another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    paths: Vec<Path>,
}

impl Projection {
    /// Parses and checks `text`.
    ///
    /// # Errors
    /// When AWS refuses it; the message begins "Invalid ProjectionExpression: ".
    pub fn parse(
        text: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Projection, ValidationError> {
        let kind = ExpressionKind::Projection;
        kind.check_size(text)?;
        parse_paths(text, placeholders)
            .map(Projection::of)
            .map_err(|what| kind.error(what))
    }

    /// A projection onto `paths`, of which none may lead into another.
    #[must_use]
    pub fn of(paths: Vec<Path>) -> Projection {
        Projection { paths }
    }

    /// The paths.
    #[must_use]
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// The attributes that are wanted in whole or in part, in order and each once.
    pub fn top_level(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> = self
            .paths
            .iter()
            .map(|path| path.attribute.as_str())
            .collect();
        names.into_iter()
    }

    /// What `item` has at the paths, each in the maps and lists that it stands in. Lists hold only what is wanted of
    /// them, in the order they have.
    #[must_use]
    pub fn project(&self, item: &Item) -> Item {
        let mut picked: BTreeMap<&str, Picked<'_>> = BTreeMap::new();
        for path in &self.paths {
            let Some(value) = item.get(&path.attribute) else {
                continue;
            };
            if find_from(value, &path.steps).is_some() {
                picked
                    .entry(&path.attribute)
                    .or_default()
                    .add(value, &path.steps);
            }
        }
        picked
            .into_iter()
            .filter_map(|(name, picked)| Some((name.to_owned(), picked.build()?)))
            .collect()
    }
}

fn parse_paths(text: &str, placeholders: &mut Placeholders) -> Result<Vec<Path>, String> {
    let mut parser = Parser::new(text);
    let mut raw = vec![parser.path()?];
    while parser.take(Symbol::Comma) {
        raw.push(parser.path()?);
    }
    parser.expect_end()?;
    for steps in &raw {
        check_path(&parser.tokens, steps)?;
    }
    let mut paths = Vec::with_capacity(raw.len());
    for steps in &raw {
        paths.push(resolve_path(&parser.tokens, steps, placeholders)?);
    }
    check_clashes(&paths.iter().collect::<Vec<_>>())?;
    Ok(paths)
}

fn find_from<'a>(value: &'a AttributeValue, steps: &[PathStep]) -> Option<&'a AttributeValue> {
    steps.iter().try_fold(value, step_into)
}

/// What is wanted of one value. As deep as a path may be at most.
#[derive(Debug, Default)]
enum Picked<'a> {
    #[default]
    Nothing,
    Whole(&'a AttributeValue),
    Members(BTreeMap<&'a str, Picked<'a>>),
    Elements(BTreeMap<usize, Picked<'a>>),
}

impl<'a> Picked<'a> {
    /// `steps` lead to something in `value`.
    fn add(&mut self, value: &'a AttributeValue, steps: &'a [PathStep]) {
        let Some((step, rest)) = steps.split_first() else {
            *self = Picked::Whole(value);
            return;
        };
        let Some(inner) = step_into(value, step) else {
            return;
        };
        match (step, self) {
            (_, Picked::Whole(_)) => {}
            (PathStep::Field(name), Picked::Members(members)) => {
                members.entry(name).or_default().add(inner, rest);
            }
            (PathStep::Index(index), Picked::Elements(elements)) => {
                elements.entry(*index).or_default().add(inner, rest);
            }
            (PathStep::Field(name), picked) => {
                let mut members: BTreeMap<&str, Picked<'_>> = BTreeMap::new();
                members.entry(name).or_default().add(inner, rest);
                *picked = Picked::Members(members);
            }
            (PathStep::Index(index), picked) => {
                let mut elements: BTreeMap<usize, Picked<'_>> = BTreeMap::new();
                elements.entry(*index).or_default().add(inner, rest);
                *picked = Picked::Elements(elements);
            }
        }
    }

    fn build(self) -> Option<AttributeValue> {
        match self {
            Picked::Nothing => None,
            Picked::Whole(value) => Some(value.clone()),
            Picked::Members(members) => Some(AttributeValue::M(
                members
                    .into_iter()
                    .filter_map(|(name, picked)| Some((name.to_owned(), picked.build()?)))
                    .collect(),
            )),
            Picked::Elements(elements) => Some(AttributeValue::L(
                elements.into_values().filter_map(Picked::build).collect(),
            )),
        }
    }
}
