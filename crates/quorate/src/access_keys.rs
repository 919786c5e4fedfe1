//! Access keys: kept in the catalogs, looked up by the front door.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};

use quorate_base::{AccountId, RegionName, UnixMillis};
use quorate_control::{Catalog, CatalogError, Record, Txn, View};
use quorate_gateway::front_door::{AccessKey, AccessKeys};
use quorate_wire::sigv4::Secret;

use crate::layout::Credentials;

/// An access key. Id in the catalog: the access key id. The secret is kept as it is: signatures are computed from it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AccessKeyRecord {
    /// The secret access key.
    pub(crate) secret: String,
    /// Whose key it is.
    pub(crate) account: AccountId,
    /// When it was made.
    pub(crate) created_at: UnixMillis,
}

impl Record for AccessKeyRecord {
    const TABLE: &'static str = "iam/access-key";
    const VERSION: u32 = 1;
}

/// A new access key, in AWS's form: `AKIA` and 16 of A-Z and 2-7; 40 characters of base64's alphabet.
pub(crate) fn generate() -> Credentials {
    const ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Credentials {
        access_key_id: format!("AKIA{}", pick(ID, 16)),
        secret_access_key: pick(SECRET, 40),
    }
}

fn pick(from: &[u8], count: usize) -> String {
    let mut random = rand::rng();
    let mut one = || {
        char::from(
            *from
                .choose(&mut random as &mut dyn rand::RngCore)
                .expect("not empty"),
        )
    };
    (0..count).map(|_| one()).collect()
}

/// Stores a key in a catalog, unless it is there.
pub(crate) async fn store(
    catalog: &Catalog,
    credentials: &Credentials,
    account: &AccountId,
) -> Result<(), CatalogError> {
    let record = AccessKeyRecord {
        secret: credentials.secret_access_key.clone(),
        account: account.clone(),
        created_at: UnixMillis::now(),
    };
    match catalog
        .commit(Txn::new().insert(&credentials.access_key_id, &record))
        .await
    {
        Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Looks keys up in the views of all regions that a gateway serves.
pub(crate) struct CatalogKeys {
    pub(crate) views: BTreeMap<RegionName, View>,
}

impl AccessKeys for CatalogKeys {
    fn find(&self, access_key_id: &str) -> Option<AccessKey> {
        self.views.values().find_map(|view| {
            let record = view.read::<AccessKeyRecord>(access_key_id).ok()??.record;
            Some(AccessKey {
                secret: Secret::new(record.secret),
                account: record.account,
            })
        })
    }
}
