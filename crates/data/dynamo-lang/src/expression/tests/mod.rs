//! What expressions say, and what AWS says of wrong ones.

mod condition_eval;
mod condition_messages;
mod key_condition;
mod model;
mod nesting;
mod placeholders;
mod projection;
mod update_eval;
mod update_messages;
pub(crate) mod values;

use super::*;
use crate::{AttributeValue, Item, Number};
use std::collections::BTreeMap;
use values::*;
