//! The official Rust SDK against a running region, as an application uses it.
//!
//! Called by `tests/test_rust_sdk.py`. Takes the endpoint from `AWS_ENDPOINT_URL`, the region and the credentials from the
//! usual variables; ends with status 0 once every answer was the expected one.

mod expectations;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Config, Credentials, Region};

const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = client();
    expectations::table_is_made(&client).await;
    expectations::item_is_put_and_got(&client).await;
    expectations::condition_that_fails_is_modelled(&client).await;
    expectations::update_returns_what_it_made(&client).await;
    expectations::query_is_paginated(&client).await;
    expectations::batch_is_written_and_read(&client).await;
    expectations::transaction_is_all_or_nothing(&client).await;
    expectations::statement_is_executed(&client).await;
    expectations::what_is_absent_is_modelled(&client).await;
    expectations::table_is_deleted(&client).await;
    println!("all answers were as expected");
}

fn client() -> Client {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
        None,
        None,
        "environment",
    );
    let config = Config::builder()
        .region(Region::new(variable("AWS_REGION")))
        .endpoint_url(variable("AWS_ENDPOINT_URL"))
        .credentials_provider(credentials)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        .build();
    Client::from_conf(config)
}
