//! `keys`: access keys of the API.

use anyhow::{Context, ensure};
use serde::Serialize;

use quorate_base::UnixMillis;
use quorate_control::{Catalog, Txn};

use crate::access_keys::{self, AccessKeyRecord};
use crate::cli::{KeysArgs, KeysCommand, ShowArgs};
use crate::table::{print_json, print_table, say};

#[derive(Serialize)]
struct KeyRow {
    access_key_id: String,
    account: String,
    created_at: UnixMillis,
}

/// Makes, lists or deletes access keys.
pub(crate) async fn keys(args: KeysArgs) -> anyhow::Result<()> {
    match args.command {
        KeysCommand::Create(show) => create(&show).await,
        KeysCommand::List(show) => list(&show).await,
        KeysCommand::Delete { id, show } => delete(&id, &show).await,
    }
}

async fn create(show: &ShowArgs) -> anyhow::Result<()> {
    let credentials = access_keys::generate();
    for region in show.follow_regions()? {
        let catalog = region.remote.catalog();
        // A further key belongs to the account of those that are there.
        let known = catalog.list::<AccessKeyRecord>().await?;
        let account = known
            .into_iter()
            .next()
            .map(|key| key.record.account)
            .unwrap_or_default();
        access_keys::store(&catalog, &credentials, &account).await?;
    }
    let layout = show.data.layout()?;
    if layout.credentials().is_err() {
        layout.save_credentials(&credentials)?;
    }
    if show.json {
        return print_json(&credentials);
    }
    say(&format!(
        "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}",
        credentials.access_key_id, credentials.secret_access_key
    ));
    Ok(())
}

async fn list(show: &ShowArgs) -> anyhow::Result<()> {
    let mut rows: Vec<KeyRow> = Vec::new();
    for region in show.follow_regions()? {
        for stored in region.remote.catalog().list::<AccessKeyRecord>().await? {
            if !rows.iter().any(|row| row.access_key_id == stored.id) {
                rows.push(KeyRow {
                    access_key_id: stored.id,
                    account: stored.record.account.to_string(),
                    created_at: stored.record.created_at,
                });
            }
        }
    }
    if show.json {
        return print_json(&rows);
    }
    let rows = rows
        .into_iter()
        .map(|r| [r.access_key_id, r.account, r.created_at.to_string()]);
    print_table(["ACCESS KEY", "ACCOUNT", "CREATED"], rows.collect());
    Ok(())
}

async fn delete(id: &str, show: &ShowArgs) -> anyhow::Result<()> {
    let mut found = false;
    for region in show.follow_regions()? {
        let catalog: Catalog = region.remote.catalog();
        let Some(stored) = catalog.read::<AccessKeyRecord>(id).await? else {
            continue;
        };
        catalog
            .commit(Txn::new().remove(&stored))
            .await
            .context("the key was not deleted")?;
        found = true;
    }
    ensure!(found, "there is no access key {id}");
    Ok(())
}
