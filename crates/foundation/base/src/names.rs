//! Regions, zones and nodes by name.
//!
//! A zone's name starts with its region's (`us-east-1` + `a`), a node's with its zone's
//! (`us-east-1a` + `-1`), so each name says where it belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that does not have the form that its kind asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} name: {expected}")]
pub struct NameError {
    kind: &'static str,
    text: String,
    expected: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $expected:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    Ok($type(text.to_owned()))
                } else {
                    Err(NameError { kind: $kind, text: text.to_owned(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// An independent installation, named like AWS's: `us-east-1`.
    RegionName, "region", "letters and digits in parts joined by `-`, ending in a number, as in `us-east-1`", is_region
);
name_type!(
    /// One failure domain of a region: `us-east-1a`.
    ZoneName, "zone", "a region's name and one letter, as in `us-east-1a`", is_zone
);
name_type!(
    /// One `quorate node` process: its zone's name and a number from 1, as in `us-east-1a-1`.
    NodeId, "node", "a zone's name, `-`, and a number from 1, as in `us-east-1a-1`", is_node
);

impl RegionName {
    /// The zone of this region with the given letter.
    #[must_use]
    pub fn zone(&self, letter: char) -> ZoneName {
        ZoneName(format!("{}{letter}", self.0))
    }
}

impl ZoneName {
    /// The letter that tells this zone from its region's others.
    #[must_use]
    pub fn letter(&self) -> char {
        char::from(
            *self
                .0
                .as_bytes()
                .last()
                .expect("a zone's name is never empty"),
        )
    }

    /// The region this zone is part of.
    #[must_use]
    pub fn region(&self) -> RegionName {
        RegionName(self.0[..self.0.len() - 1].to_owned())
    }

    /// The node of this zone with the given number (from 1).
    #[must_use]
    pub fn node(&self, number: u32) -> NodeId {
        NodeId(format!("{}-{number}", self.0))
    }
}

impl NodeId {
    /// The zone this node stands in.
    #[must_use]
    pub fn zone(&self) -> ZoneName {
        ZoneName(self.split().0.to_owned())
    }

    /// The node's number in its zone, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.split()
            .1
            .parse()
            .expect("checked when the name was read")
    }

    fn split(&self) -> (&str, &str) {
        self.0
            .rsplit_once('-')
            .expect("checked when the name was read")
    }
}

fn is_region(text: &str) -> bool {
    let Some((head, number)) = text.rsplit_once('-') else {
        return false;
    };
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && head.split('-').all(part)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_zone(text: &str) -> bool {
    text.as_bytes().last().is_some_and(u8::is_ascii_lowercase) && is_region(&text[..text.len() - 1])
}

fn is_node(text: &str) -> bool {
    let Some((zone, number)) = text.rsplit_once('-') else {
        return false;
    };
    is_zone(zone)
        && (1..=4).contains(&number.len())
        && !number.starts_with('0')
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_its_zone_and_region() {
        let node: NodeId = "us-east-1a-12".parse().unwrap();
        assert_eq!(node.number(), 12);
        assert_eq!(node.zone().as_str(), "us-east-1a");
        assert_eq!(node.zone().region().as_str(), "us-east-1");
        assert_eq!(node.zone().letter(), 'a');
    }

    #[test]
    fn names_of_another_kind_are_refused() {
        for text in [
            "",
            "us-east",
            "us-east-1a",
            "US-east-1",
            "us--1",
            "us-east-123",
            "a1",
        ] {
            assert!(text.parse::<RegionName>().is_err(), "{text}");
        }
        for text in ["us-east-1", "us-east-1A", "a", "é"] {
            assert!(text.parse::<ZoneName>().is_err(), "{text}");
        }
        for text in ["us-east-1a", "us-east-1a-0", "us-east-1a-01", "us-east-1-1"] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
    }
}
