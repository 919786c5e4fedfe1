//! Where transactions are decided: an internal table whose items are decisions and idempotency tokens.
//!
//! A decision is one item under the transaction's id, put once: whoever comes first, the coordinator with *commit* or
//! a partition that has waited too long with *abort*, has decided. A *commit* stays until every partition has carried it
//! out; an *abort* expires, long after the last moment at which its coordinator may still ask to commit.

use std::collections::BTreeMap;

use quorate_base::UnixMillis;
use quorate_dynamo_lang::key_codec::hash_position;
use quorate_dynamo_lang::{
    AttributeValue, Condition, ConditionKind, Item, KeySchema, Number, Placeholders, ScalarType,
};
use quorate_dynamo_store::{TxnId, WriteOp};

use crate::model::{
    AttributeDefinition, Billing, IndexNumber, KeyElement, KeyRole, TableClass, TableNumber,
    TableRecord, TableStatus, Throughput, TimeToLive, TtlStatus,
};
use crate::routing::Position;

/// The ledger's name in the catalog: none that a user's table can have.
pub(crate) const TABLE: &str = ":ledger";
/// Its partition key.
pub(crate) const KEY: &str = "id";
/// The second at which an item of the ledger is of no more use.
pub(crate) const EXPIRES: &str = "expires";
/// What was decided: true for commit.
const COMMIT: &str = "commit";
/// What a token was used for.
const FINGERPRINT: &str = "fingerprint";

/// How long after it began a coordinator may have a transaction committed.
pub(crate) const COMMIT_WITHIN_MS: u64 = 60_000;
/// How long an abort is kept. Clocks may differ by all but `COMMIT_WITHIN_MS` of it.
const ABORT_KEPT_S: u64 = 3_600;
/// How long AWS keeps a `ClientRequestToken`.
pub(crate) const TOKEN_KEPT_S: u64 = 600;

/// Whether tables of this name are Quorate's own and shown to nobody.
pub(crate) fn is_internal(table: &str) -> bool {
    table.starts_with(':')
}

/// The ledger as the catalog has it.
pub(crate) fn record(number: TableNumber, now: UnixMillis) -> TableRecord {
    TableRecord {
        number,
        table_id: String::new(),
        status: TableStatus::Creating,
        created_at: now,
        attributes: vec![AttributeDefinition {
            name: KEY.to_owned(),
            scalar: ScalarType::S,
        }],
        keys: vec![KeyElement {
            name: KEY.to_owned(),
            role: KeyRole::Hash,
        }],
        local_indexes: Vec::new(),
        global_indexes: Vec::new(),
        last_index: IndexNumber::TABLE,
        billing: Billing::PayPerRequest,
        on_demand_since: Some(now),
        throughput: Throughput::default(),
        class: TableClass::Standard,
        class_changed_at: None,
        sse_key_arn: None,
        deletion_protection: true,
        tags: BTreeMap::new(),
        ttl: Some(TimeToLive {
            attribute: EXPIRES.to_owned(),
            status: TtlStatus::Enabled,
            changed_at: now,
        }),
        resource_policy: None,
        resource_policy_revision: 0,
    }
}

fn schema() -> KeySchema {
    KeySchema::of((KEY, ScalarType::S), None)
}

/// Where the item of that id is.
pub(crate) fn position(id: &str) -> Position {
    let encoded = schema()
        .encode(&key(id))
        .expect("the ledger's key is a string");
    Position {
        table: TABLE.to_owned(),
        index: IndexNumber::TABLE,
        position: hash_position(&encoded.hash),
    }
}

/// The key of an item of the ledger.
pub(crate) fn key(id: &str) -> Item {
    [(KEY.to_owned(), AttributeValue::S(id.to_owned()))].into()
}

/// The id of a transaction's decision.
pub(crate) fn decision_id(txn: TxnId) -> String {
    format!("txn/{:032x}", txn.0)
}

/// The id of a token's record.
pub(crate) fn token_id(token: &str) -> String {
    format!("token/{token}")
}

fn second(second: u64) -> AttributeValue {
    AttributeValue::N(number(second))
}

fn number(second: u64) -> Number {
    // Seconds are far below 38 digits.
    Number::from_parts(i128::from(second), 0).unwrap_or(Number::ZERO)
}

fn condition(text: &str, values: Option<Item>) -> Condition {
    let mut placeholders =
        Placeholders::new(None, values).expect("the placeholders are well formed");
    Condition::parse(ConditionKind::Condition, text, &mut placeholders)
        .expect("the condition is well formed")
}

/// The write that decides, unless it is decided.
pub(crate) fn decide(txn: TxnId, commit: bool, now_s: u64) -> WriteOp {
    let mut item = key(&decision_id(txn));
    item.insert(COMMIT.to_owned(), AttributeValue::Bool(commit));
    if !commit {
        item.insert(EXPIRES.to_owned(), second(now_s + ABORT_KEPT_S));
    }
    WriteOp::Put {
        item,
        condition: Some(condition("attribute_not_exists(id)", None)),
    }
}

/// What a decision's item says.
pub(crate) fn decided(item: &Item) -> bool {
    item.get(COMMIT) == Some(&AttributeValue::Bool(true))
}

/// The write that forgets a decision that every partition has carried out.
pub(crate) fn forget(txn: TxnId) -> WriteOp {
    WriteOp::Delete {
        key: key(&decision_id(txn)),
        condition: None,
    }
}

/// The part of a transaction that uses up its token.
pub(crate) fn use_token(token: &str, fingerprint: &str, now_s: u64) -> WriteOp {
    let mut item = key(&token_id(token));
    item.insert(
        FINGERPRINT.to_owned(),
        AttributeValue::S(fingerprint.to_owned()),
    );
    item.insert(EXPIRES.to_owned(), second(now_s + TOKEN_KEPT_S));
    let now = [(String::from(":now"), second(now_s))].into();
    WriteOp::Put {
        item,
        condition: Some(condition(
            "attribute_not_exists(id) OR expires <= :now",
            Some(now),
        )),
    }
}

/// Whether an item of the ledger is of no more use.
pub(crate) fn has_expired(item: &Item, now_s: u64) -> bool {
    match item.get(EXPIRES) {
        Some(AttributeValue::N(expires)) => *expires <= number(now_s),
        _ => false,
    }
}

/// What a token was used for.
pub(crate) fn fingerprint(item: &Item) -> Option<&str> {
    match item.get(FINGERPRINT) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conditions_and_keys_are_well_formed() {
        let txn = TxnId(7);
        let WriteOp::Put { item, condition } = decide(txn, false, 100) else {
            panic!("a decision is put")
        };
        assert!(!decided(&item));
        assert!(condition.unwrap().eval(None));
        assert_eq!(position(&decision_id(txn)).table, TABLE);
        assert!(is_internal(TABLE));
    }

    #[test]
    fn a_token_can_be_used_again_once_it_has_expired() {
        let WriteOp::Put { item, .. } = use_token("t", "a", 1_000) else {
            panic!("a token is put")
        };
        assert_eq!(fingerprint(&item), Some("a"));
        let again = |now_s| {
            let WriteOp::Put { condition, .. } = use_token("t", "a", now_s) else {
                panic!("a token is put")
            };
            condition.unwrap().eval(Some(&item))
        };
        assert!(!again(1_000 + TOKEN_KEPT_S - 1));
        assert!(again(1_000 + TOKEN_KEPT_S));
    }
}
