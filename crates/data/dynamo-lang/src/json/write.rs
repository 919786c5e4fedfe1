//! Writing: values and items as serde's serialisers want them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::{ItemRef, ValueRef, WireItem, WireValue};
use crate::number::Number;
use crate::value::AttributeValue;

impl Serialize for WireValue {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        ValueRef(&self.0).serialize(to)
    }
}

impl Serialize for WireItem {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        ItemRef(&self.0).serialize(to)
    }
}

impl Serialize for ItemRef<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, &ValueRef(value))?;
        }
        map.end()
    }
}

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1))?;
        let tag = self.0.type_name();
        match self.0 {
            AttributeValue::S(text) => map.serialize_entry(tag, text)?,
            AttributeValue::N(number) => map.serialize_entry(tag, &Text(number))?,
            AttributeValue::B(bytes) => map.serialize_entry(tag, &Base64(bytes))?,
            AttributeValue::SS(set) => map.serialize_entry(tag, set)?,
            AttributeValue::NS(set) => map.serialize_entry(tag, &Each(set.iter().map(Text)))?,
            AttributeValue::BS(set) => {
                map.serialize_entry(tag, &Each(set.iter().map(|b| Base64(b))))?;
            }
            AttributeValue::Bool(truth) => map.serialize_entry(tag, truth)?,
            AttributeValue::Null => map.serialize_entry(tag, &true)?,
            AttributeValue::L(list) => {
                map.serialize_entry(tag, &Each(list.iter().map(ValueRef)))?
            }
            AttributeValue::M(fields) => map.serialize_entry(tag, &ItemRef(fields))?,
        }
        map.end()
    }
}

/// A number as its decimal text.
struct Text<'a>(&'a Number);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self.0)
    }
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(self.0))
    }
}

/// The elements of an iterator as an array.
struct Each<I>(I);

impl<I: Iterator<Item: Serialize> + ExactSizeIterator + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut sequence = to.serialize_seq(Some(self.0.len()))?;
        for element in self.0.clone() {
            sequence.serialize_element(&element)?;
        }
        sequence.end()
    }
}
