//! `ConsumedCapacity`: how many units an operation cost.
//!
//! Source: "DynamoDB read and write operations" in the developer guide. A read unit is 4 KB read strongly, half of one
//! eventually; a write unit is 1 KB; transactions cost twice.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const READ_UNIT_BYTES: u64 = 4_096;
const WRITE_UNIT_BYTES: u64 = 1_024;

/// `ReturnConsumedCapacity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    None,
    Total,
    Indexes,
}

impl Report {
    /// Reads the parameter; its values were checked with the other constraints.
    pub(crate) fn of(text: Option<&str>) -> Report {
        match text {
            Some("TOTAL") => Report::Total,
            Some("INDEXES") => Report::Indexes,
            _ => Report::None,
        }
    }
}

/// Units in halves, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Units {
    halves: u64,
}

impl Units {
    /// What reading so many bytes costs.
    pub(crate) fn read(bytes: u64, strong: bool) -> Units {
        let units = bytes.div_ceil(READ_UNIT_BYTES).max(1);
        Units {
            halves: if strong { units * 2 } else { units },
        }
    }

    /// What writing an item of so many bytes costs.
    pub(crate) fn write(bytes: u64) -> Units {
        Units::whole(bytes.div_ceil(WRITE_UNIT_BYTES).max(1))
    }

    /// So many whole units.
    pub(crate) fn whole(units: u64) -> Units {
        Units { halves: units * 2 }
    }

    /// Half as much: what an eventual read costs against a strong one.
    pub(crate) fn halved(self) -> Units {
        Units {
            halves: self.halves / 2,
        }
    }

    /// The sum.
    pub(crate) fn plus(self, other: Units) -> Units {
        Units {
            halves: self.halves + other.halves,
        }
    }

    /// In thousandths of a unit.
    pub(crate) fn millis(self) -> u64 {
        self.halves * 500
    }

    fn json(self) -> Value {
        // Far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let units = self.halves as f64 / 2.0;
        json!(units)
    }
}

/// Whether the units were read or written; transactions say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    Write,
}

/// What one operation cost on one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Consumed {
    pub(crate) table: Units,
    pub(crate) local: BTreeMap<String, Units>,
    pub(crate) global: BTreeMap<String, Units>,
    /// What refused statements of a batch cost: part of the total, and of neither the table's units nor an index's.
    pub(crate) refused: Units,
}

impl Consumed {
    /// The cost of the table alone.
    pub(crate) fn of_table(units: Units) -> Consumed {
        Consumed {
            table: units,
            ..Consumed::default()
        }
    }

    /// Adds another operation on the same table.
    pub(crate) fn add(&mut self, other: &Consumed) {
        self.table = self.table.plus(other.table);
        self.refused = self.refused.plus(other.refused);
        for (sum, part) in [
            (&mut self.local, &other.local),
            (&mut self.global, &other.global),
        ] {
            for (name, units) in part {
                let entry = sum.entry(name.clone()).or_default();
                *entry = entry.plus(*units);
            }
        }
    }

    /// The same, at the price of a transaction: the table's units count twice, those of indexes once. AWS's guide does
    /// not say so of indexes; measured (dynoxide's `tests/transact_index_capacity`, August 2026).
    pub(crate) fn doubled(&self) -> Consumed {
        let mut twice = self.clone();
        twice.table = self.table.plus(self.table);
        twice
    }

    /// All units together.
    pub(crate) fn total(&self) -> Units {
        self.local
            .values()
            .chain(self.global.values())
            .fold(self.table.plus(self.refused), |sum, units| sum.plus(*units))
    }

    /// The member `ConsumedCapacity`; `side` is named by transactions only.
    pub(crate) fn json(&self, table: &str, report: Report, side: Option<Side>) -> Option<Value> {
        if report == Report::None {
            return None;
        }
        let member = |units: Units| {
            let mut out = Map::new();
            if let Some(side) = side {
                let name = match side {
                    Side::Read => "ReadCapacityUnits",
                    Side::Write => "WriteCapacityUnits",
                };
                out.insert(name.to_owned(), units.json());
            }
            out.insert(String::from("CapacityUnits"), units.json());
            out
        };
        let mut out = member(self.total());
        out.insert(String::from("TableName"), json!(table));
        if report == Report::Indexes {
            out.insert(String::from("Table"), Value::Object(member(self.table)));
            for (name, indexes) in [
                ("LocalSecondaryIndexes", &self.local),
                ("GlobalSecondaryIndexes", &self.global),
            ] {
                if !indexes.is_empty() {
                    let of_each: Map<String, Value> = indexes
                        .iter()
                        .map(|(name, units)| (name.clone(), Value::Object(member(*units))))
                        .collect();
                    out.insert(name.to_owned(), Value::Object(of_each));
                }
            }
        }
        Some(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_rounded_up_once_per_item() {
        assert_eq!(Units::read(0, true), Units::whole(1));
        assert_eq!(Units::read(4_096, true), Units::whole(1));
        assert_eq!(Units::read(4_097, true), Units::whole(2));
        assert_eq!(Units::read(4_097, false), Units::whole(1));
        assert_eq!(Units::write(1_024), Units::whole(1));
        assert_eq!(Units::write(1_025), Units::whole(2));
    }

    #[test]
    fn indexes_are_listed_when_asked_for() {
        let mut consumed = Consumed::of_table(Units::write(10));
        consumed
            .global
            .insert(String::from("by-name"), Units::whole(2));
        assert_eq!(
            consumed.json("t", Report::Total, None).unwrap(),
            json!({"TableName": "t", "CapacityUnits": 3.0})
        );
        assert_eq!(
            consumed.json("t", Report::Indexes, None).unwrap(),
            json!({
                "TableName": "t", "CapacityUnits": 3.0, "Table": {"CapacityUnits": 1.0},
                "GlobalSecondaryIndexes": {"by-name": {"CapacityUnits": 2.0}},
            })
        );
        let twice = consumed.doubled();
        assert_eq!(
            twice.json("t", Report::Total, Some(Side::Write)).unwrap(),
            json!({"TableName": "t", "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0})
        );
    }
}
