//! The members of a set: at least one, and each once.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de;

use super::validation;
use crate::number::Number;

pub(super) fn strings<E: de::Error>(members: Vec<String>) -> Result<BTreeSet<String>, E> {
    if members.is_empty() {
        return Err(validation(
            "One or more parameter values were invalid: An string set  may not be empty",
        ));
    }
    if members.iter().collect::<BTreeSet<_>>().len() == members.len() {
        return Ok(members.into_iter().collect());
    }
    Err(validation(&format!(
        "One or more parameter values were invalid: Input collection [{}] contains duplicates.",
        members.join(", ")
    )))
}

pub(super) fn numbers<E: de::Error>(members: Vec<Number>) -> Result<BTreeSet<Number>, E> {
    if members.is_empty() {
        return Err(validation(
            "One or more parameter values were invalid: An number set  may not be empty",
        ));
    }
    let count = members.len();
    let set: BTreeSet<Number> = members.into_iter().collect();
    if set.len() == count {
        return Ok(set);
    }
    Err(validation("Input collection contains duplicates"))
}

pub(super) fn binaries<E: de::Error>(members: Vec<Vec<u8>>) -> Result<BTreeSet<Vec<u8>>, E> {
    if members.is_empty() {
        return Err(validation(
            "One or more parameter values were invalid: Binary sets should not be empty",
        ));
    }
    if members.iter().collect::<BTreeSet<_>>().len() == members.len() {
        return Ok(members.into_iter().collect());
    }
    let texts: Vec<String> = members.iter().map(|b| STANDARD.encode(b)).collect();
    Err(validation(&format!(
        "One or more parameter values were invalid: Input collection [{}]of type BS contains duplicates.",
        texts.join(", ")
    )))
}
