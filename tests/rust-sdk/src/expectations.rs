//! What is asked, one function each, and what must be answered. A panic names what was not.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, KeySchemaElement, KeyType,
    KeysAndAttributes, Put, PutRequest, ReturnConsumedCapacity, ReturnValue,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TableStatus, TransactWriteItem,
    WriteRequest,
};

type Item = HashMap<String, AttributeValue>;

const TABLE: &str = "rust-sdk";
const ROWS: usize = 30;
const WAIT: Duration = Duration::from_secs(30);

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: usize) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key(hash: &str, range: usize) -> Item {
    HashMap::from([
        ("pk".to_owned(), text(hash)),
        ("sk".to_owned(), number(range)),
    ])
}

pub async fn table_is_made(client: &Client) {
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
            .expect("complete")
    };
    let element = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .expect("complete")
    };
    client
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::N))
        .key_schema(element("pk", KeyType::Hash))
        .key_schema(element("sk", KeyType::Range))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .expect("CreateTable");
    until_status(client, Some(TableStatus::Active)).await;
}

/// Until the table has the status, or is gone. The SDK's own waiters pause for 20 s.
async fn until_status(client: &Client, wanted: Option<TableStatus>) {
    let deadline = Instant::now() + WAIT;
    loop {
        let found = match client.describe_table().table_name(TABLE).send().await {
            Ok(answer) => answer.table.and_then(|table| table.table_status),
            Err(e) => match e.into_service_error() {
                DescribeTableError::ResourceNotFoundException(_) => None,
                other => panic!("DescribeTable: {other:?}"),
            },
        };
        if found == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "the table is {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn item_is_put_and_got(client: &Client) {
    let mut item = key("one", 1);
    item.insert("binary".to_owned(), AttributeValue::B(vec![0, 255].into()));
    item.insert(
        "list".to_owned(),
        AttributeValue::L(vec![text("é"), number(7), AttributeValue::Null(true)]),
    );
    item.insert(
        "map".to_owned(),
        AttributeValue::M(HashMap::from([(
            "a".to_owned(),
            AttributeValue::Bool(false),
        )])),
    );
    item.insert(
        "set".to_owned(),
        AttributeValue::Ns(vec!["1".to_owned(), "2.5".to_owned()]),
    );
    let answer = client
        .put_item()
        .table_name(TABLE)
        .set_item(Some(item.clone()))
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await
        .expect("PutItem");
    let units = answer
        .consumed_capacity()
        .and_then(aws_sdk_dynamodb::types::ConsumedCapacity::capacity_units);
    assert_eq!(units, Some(1.0));
    let got = client
        .get_item()
        .table_name(TABLE)
        .set_key(Some(key("one", 1)))
        .consistent_read(true)
        .send()
        .await
        .expect("GetItem");
    assert_eq!(got.item, Some(item));
}

pub async fn condition_that_fails_is_modelled(client: &Client) {
    let refused = client
        .put_item()
        .table_name(TABLE)
        .set_item(Some(key("one", 1)))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .expect_err("the item is there");
    match refused.into_service_error() {
        PutItemError::ConditionalCheckFailedException(e) => {
            assert_eq!(e.message(), Some("The conditional request failed"));
            assert_eq!(e.item.expect("the old item")["pk"], text("one"));
        }
        other => panic!("another error: {other:?}"),
    }
}

pub async fn update_returns_what_it_made(client: &Client) {
    let answer = client
        .update_item()
        .table_name(TABLE)
        .set_key(Some(key("one", 1)))
        .update_expression("ADD #n :n SET #m.b = :b")
        .expression_attribute_names("#n", "count")
        .expression_attribute_names("#m", "map")
        .expression_attribute_values(":n", number(2))
        .expression_attribute_values(":b", text("new"))
        .return_values(ReturnValue::UpdatedNew)
        .send()
        .await
        .expect("UpdateItem");
    let made = HashMap::from([
        ("count".to_owned(), number(2)),
        (
            "map".to_owned(),
            AttributeValue::M(HashMap::from([("b".to_owned(), text("new"))])),
        ),
    ]);
    assert_eq!(answer.attributes, Some(made));
}

pub async fn query_is_paginated(client: &Client) {
    for at in 0..ROWS {
        client
            .put_item()
            .table_name(TABLE)
            .set_item(Some(key("many", at)))
            .send()
            .await
            .expect("PutItem");
    }
    let mut pages = client
        .query()
        .table_name(TABLE)
        .key_condition_expression("pk = :pk AND sk >= :from")
        .expression_attribute_values(":pk", text("many"))
        .expression_attribute_values(":from", number(5))
        .consistent_read(true)
        .limit(7)
        .into_paginator()
        .send();
    let (mut found, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.expect("Query");
        assert!(page.count() <= 7);
        found.extend(page.items.unwrap_or_default());
        count += 1;
    }
    assert_eq!(count, 4);
    assert_eq!(
        found,
        (5..ROWS).map(|at| key("many", at)).collect::<Vec<_>>()
    );
    let mut items = client
        .scan()
        .table_name(TABLE)
        .limit(10)
        .consistent_read(true)
        .into_paginator()
        .items()
        .send();
    let mut scanned = 0;
    while let Some(item) = items.next().await {
        item.expect("Scan");
        scanned += 1;
    }
    assert_eq!(scanned, ROWS + 1);
}

pub async fn batch_is_written_and_read(client: &Client) {
    let write = |at| {
        let put = PutRequest::builder()
            .set_item(Some(key("batch", at)))
            .build()
            .expect("complete");
        WriteRequest::builder().put_request(put).build()
    };
    let answer = client
        .batch_write_item()
        .request_items(TABLE, (0..5).map(write).collect())
        .send()
        .await
        .expect("BatchWriteItem");
    assert!(answer.unprocessed_items.unwrap_or_default().is_empty());
    let keys = KeysAndAttributes::builder()
        .set_keys(Some((0..6).map(|at| key("batch", at)).collect()))
        .consistent_read(true)
        .build()
        .expect("complete");
    let answer = client
        .batch_get_item()
        .request_items(TABLE, keys)
        .send()
        .await
        .expect("BatchGetItem");
    assert_eq!(answer.responses.expect("responses")[TABLE].len(), 5);
}

pub async fn transaction_is_all_or_nothing(client: &Client) {
    let put = |at| {
        let put = Put::builder()
            .table_name(TABLE)
            .set_item(Some(key("both", at)))
            .build()
            .expect("complete");
        TransactWriteItem::builder().put(put).build()
    };
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(key("one", 1)))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .expect("complete");
    let refused = client
        .transact_write_items()
        .transact_items(put(1))
        .transact_items(TransactWriteItem::builder().condition_check(check).build())
        .send()
        .await
        .expect_err("the condition does not hold");
    match refused.into_service_error() {
        TransactWriteItemsError::TransactionCanceledException(e) => {
            let codes: Vec<_> = e
                .cancellation_reasons()
                .iter()
                .map(|reason| reason.code())
                .collect();
            assert_eq!(codes, [Some("None"), Some("ConditionalCheckFailed")]);
        }
        other => panic!("another error: {other:?}"),
    }
    let count = async || {
        let answer = client
            .query()
            .table_name(TABLE)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text("both"))
            .consistent_read(true)
            .send()
            .await;
        answer.expect("Query").count()
    };
    assert_eq!(count().await, 0);
    // The SDK gives the request a token by itself.
    client
        .transact_write_items()
        .transact_items(put(1))
        .transact_items(put(2))
        .send()
        .await
        .expect("TransactWriteItems");
    assert_eq!(count().await, 2);
}

pub async fn statement_is_executed(client: &Client) {
    let answer = client
        .execute_statement()
        .statement(format!("SELECT sk FROM \"{TABLE}\" WHERE pk = ?"))
        .parameters(text("both"))
        .consistent_read(true)
        .send()
        .await
        .expect("ExecuteStatement");
    let found: Vec<_> = answer
        .items()
        .iter()
        .map(|item| item["sk"].clone())
        .collect();
    assert_eq!(found, [number(1), number(2)]);
}

pub async fn what_is_absent_is_modelled(client: &Client) {
    let refused = client
        .get_item()
        .table_name("absent")
        .set_key(Some(key("one", 1)))
        .send()
        .await
        .expect_err("there is no such table");
    assert!(matches!(
        refused.into_service_error(),
        GetItemError::ResourceNotFoundException(_)
    ));
    let refused = client
        .get_item()
        .table_name(TABLE)
        .key("pk", text("one"))
        .send()
        .await
        .expect_err("half of a key");
    let error = refused.into_service_error();
    assert_eq!(error.code(), Some("ValidationException"));
    assert_eq!(
        error.message(),
        Some("The provided key element does not match the schema")
    );
}

pub async fn table_is_deleted(client: &Client) {
    client
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .expect("DeleteTable");
    until_status(client, None).await;
}
