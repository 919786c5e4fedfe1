//! Reading: visitors that make values as the bytes pass, and say in AWS's words what does not fit.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::sets::{binaries, numbers, strings};
use super::{NESTING_MAX, WireItem, WireValue, WireValues, serialization, validation};
use crate::number::Number;
use crate::value::AttributeValue;

impl<'de> Deserialize<'de> for WireValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<WireValue, D::Error> {
        ValueSeed { level: 1 }.deserialize(from).map(WireValue)
    }
}

impl<'de> Deserialize<'de> for WireItem {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<WireItem, D::Error> {
        FieldsSeed {
            level: 1,
            named: true,
        }
        .deserialize(from)
        .map(WireItem)
    }
}

impl<'de> Deserialize<'de> for WireValues {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<WireValues, D::Error> {
        let placeholders = FieldsSeed {
            level: 1,
            named: false,
        };
        placeholders.deserialize(from).map(WireValues)
    }
}

/// The name of a type; what is none of them is passed over, as AWS does.
#[derive(Clone, Copy, Deserialize)]
enum Tag {
    S,
    N,
    B,
    #[serde(rename = "SS")]
    Strings,
    #[serde(rename = "NS")]
    Numbers,
    #[serde(rename = "BS")]
    Binaries,
    #[serde(rename = "BOOL")]
    Bool,
    #[serde(rename = "NULL")]
    Null,
    L,
    M,
    #[serde(other)]
    Unknown,
}

/// What AWS's reader says about JSON of the wrong kind. Observed by dynalite's tests against AWS.
struct Words {
    text: &'static str,
    number: &'static str,
    truth: [&'static str; 2],
    array: &'static str,
    object: &'static str,
}

const NOT_EXPECTED: &str = "Start of structure or map found where not expected";
const FIELD_TYPE: &str = "Unexpected field type";

const STRING: Words = Words {
    text: "",
    number: "NUMBER_VALUE cannot be converted to String",
    truth: [
        "FALSE_VALUE cannot be converted to String",
        "TRUE_VALUE cannot be converted to String",
    ],
    array: "Unrecognized collection type class java.lang.String",
    object: NOT_EXPECTED,
};
const BOOLEAN: Words = Words {
    text: "Unexpected token received from parser",
    number: "NUMBER_VALUE cannot be converted to Boolean",
    truth: ["", ""],
    array: "Unrecognized collection type class java.lang.Boolean",
    object: NOT_EXPECTED,
};
const BLOB: Words = Words {
    text: "",
    number: "only base-64-encoded strings are convertible to bytes",
    truth: ["only base-64-encoded strings are convertible to bytes"; 2],
    array: "Unrecognized collection type class java.nio.ByteBuffer",
    object: NOT_EXPECTED,
};
const LIST: Words = Words {
    text: FIELD_TYPE,
    number: FIELD_TYPE,
    truth: [FIELD_TYPE; 2],
    array: "",
    object: NOT_EXPECTED,
};
const MAP: Words = Words {
    text: FIELD_TYPE,
    number: FIELD_TYPE,
    truth: [FIELD_TYPE; 2],
    array: "Unrecognized collection type java.util.Map<java.lang.String, \
            com.amazonaws.dynamodb.v20120810.AttributeValue>",
    object: "",
};
const STRUCTURE: Words = Words {
    text: "Unexpected value type in payload",
    number: "Unexpected value type in payload",
    truth: ["Unexpected value type in payload"; 2],
    array: "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
    object: "",
};

/// One method of a visitor for each kind of JSON that the type is not.
macro_rules! refuse {
    ($words:expr, $($kind:ident),*) => { $(refuse!(@ $kind $words);)* };
    (@ text $words:expr) => {
        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(serialization($words.text))
        }
    };
    (@ number $words:expr) => {
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Err(serialization($words.number))
        }
        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Err(serialization($words.number))
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Err(serialization($words.number))
        }
    };
    (@ truth $words:expr) => {
        fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Self::Value, E> {
            Err(serialization($words.truth[usize::from(truth)]))
        }
    };
    (@ array $words:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(serialization($words.array))
        }
    };
    (@ object $words:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(serialization($words.object))
        }
    };
}

/// Reads a value that stands `level` levels deep.
#[derive(Clone, Copy)]
struct ValueSeed {
    level: usize,
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = AttributeValue;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<AttributeValue, D::Error> {
        if self.level > NESTING_MAX {
            return Err(validation(
                "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond \
                 supported limit",
            ));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute value")
    }

    refuse!(STRUCTURE, text, number, truth, array);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AttributeValue, A::Error> {
        let (mut value, mut more) = (None, false);
        while let Some(tag) = map.next_key::<Tag>()? {
            let member = TaggedSeed {
                tag,
                level: self.level,
            };
            if let Some(found) = map.next_value_seed(member)? {
                more |= value.replace(found).is_some();
            }
        }
        match value {
            None => Err(validation(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
            )),
            Some(_) if more => Err(validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
                 datatypes",
            )),
            Some(value) => Ok(value),
        }
    }
}

/// Reads what stands after a type's name. JSON's null is as if the name were not there.
struct TaggedSeed {
    tag: Tag,
    level: usize,
}

impl<'de> DeserializeSeed<'de> for TaggedSeed {
    type Value = Option<AttributeValue>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for TaggedSeed {
    type Value = Option<AttributeValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the type")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let level = self.level + 1;
        Ok(Some(match self.tag {
            Tag::S => AttributeValue::S(StringSeed.deserialize(from)?),
            Tag::N => AttributeValue::N(NumberSeed.deserialize(from)?),
            Tag::B => AttributeValue::B(BlobSeed.deserialize(from)?),
            Tag::Strings => AttributeValue::SS(strings(array(StringSeed, from)?)?),
            Tag::Numbers => AttributeValue::NS(numbers(array(NumberSeed, from)?)?),
            Tag::Binaries => AttributeValue::BS(binaries(array(BlobSeed, from)?)?),
            Tag::Bool => AttributeValue::Bool(BoolSeed.deserialize(from)?),
            Tag::Null => match BoolSeed.deserialize(from)? {
                true => AttributeValue::Null,
                false => return Err(validation(NOT_TRUE)),
            },
            Tag::L => AttributeValue::L(array(ValueSeed { level }, from)?),
            Tag::M => AttributeValue::M(FieldsSeed { level, named: true }.deserialize(from)?),
            Tag::Unknown => {
                IgnoredAny::deserialize(from)?;
                return Ok(None);
            }
        }))
    }
}

const NOT_TRUE: &str = "One or more parameter values were invalid: Null attribute value types must have the value of true";

fn array<'de, D: Deserializer<'de>, T: DeserializeSeed<'de> + Copy>(
    element: T,
    from: D,
) -> Result<Vec<T::Value>, D::Error> {
    from.deserialize_any(ArrayVisitor(element))
}

struct ArrayVisitor<T>(T);

impl<'de, T: DeserializeSeed<'de> + Copy> Visitor<'de> for ArrayVisitor<T> {
    type Value = Vec<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    refuse!(LIST, text, number, truth, object);

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element_seed(self.0)? {
            elements.push(element);
        }
        Ok(elements)
    }
}

/// Reads an object of values, each `level` levels deep. What is `named` by attributes has no empty name.
struct FieldsSeed {
    level: usize,
    named: bool,
}

impl<'de> DeserializeSeed<'de> for FieldsSeed {
    type Value = BTreeMap<String, AttributeValue>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed {
    type Value = BTreeMap<String, AttributeValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attribute values")
    }

    refuse!(MAP, text, number, truth, array);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        let value = ValueSeed { level: self.level };
        while let Some(name) = map.next_key::<String>()? {
            if name.is_empty() && self.named {
                return Err(validation("Empty attribute name"));
            }
            fields.insert(name, map.next_value_seed(value)?);
        }
        Ok(fields)
    }
}

/// A seed that is its own visitor.
macro_rules! scalar_seed {
    ($name:ident, $value:ty) => {
        #[derive(Clone, Copy)]
        struct $name;

        impl<'de> DeserializeSeed<'de> for $name {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<$value, D::Error> {
                from.deserialize_any(self)
            }
        }
    };
}

scalar_seed!(StringSeed, String);
scalar_seed!(NumberSeed, Number);
scalar_seed!(BlobSeed, Vec<u8>);
scalar_seed!(BoolSeed, bool);

impl<'de> Visitor<'de> for StringSeed {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    refuse!(STRING, number, truth, array, object);

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }
}

impl<'de> Visitor<'de> for NumberSeed {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number's text")
    }

    refuse!(STRING, number, truth, array, object);

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map_err(|e: crate::NumberError| match e {
            crate::NumberError::NotANumber if !text.is_empty() => {
                validation(&format!("{e}: {text}"))
            }
            _ => validation(&e.to_string()),
        })
    }
}

impl<'de> Visitor<'de> for BlobSeed {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes in Base64")
    }

    refuse!(BLOB, number, truth, array, object);

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        if !text.len().is_multiple_of(4) {
            return Err(serialization(&format!(
                "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                text.len()
            )));
        }
        // The last word is spelt as AWS spells it.
        STANDARD
            .decode(text)
            .map_err(|_| serialization("Invalid last non-pad Base64 character dectected"))
    }
}

impl<'de> Visitor<'de> for BoolSeed {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    refuse!(BOOLEAN, number, array, object);

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<bool, E> {
        Ok(truth)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        // Java's reader takes the words in any case, and AWS takes "no" for a false as well.
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" | "no" => Ok(false),
            _ => Err(serialization(BOOLEAN.text)),
        }
    }
}
