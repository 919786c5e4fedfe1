//! Amazon Resource Names of the services that Quorate offers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{NameError, RegionName};

/// The twelve digits of an AWS account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The account as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for AccountId {
    fn default() -> AccountId {
        AccountId(String::from("123456789012"))
    }
}

impl FromStr for AccountId {
    type Err = String;

    fn from_str(text: &str) -> Result<AccountId, String> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(AccountId(text.to_owned()))
        } else {
            Err(format!(
                "`{text}` is not an account id: it has twelve digits"
            ))
        }
    }
}

impl TryFrom<String> for AccountId {
    type Error = String;

    fn try_from(text: String) -> Result<AccountId, String> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(account: AccountId) -> String {
        account.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// The service's signing name, as in `rds`.
    pub service: String,
    /// The region that holds the resource.
    pub region: RegionName,
    /// The account that owns the resource.
    pub account: AccountId,
    /// All after the account, as in `db:orders`.
    pub resource: String,
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn {
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:aws:{service}:{region}:{account}:{resource}")
    }
}

impl FromStr for Arn {
    type Err = String;

    fn from_str(text: &str) -> Result<Arn, String> {
        let wrong = || format!("`{text}` is not an ARN");
        let mut parts = text.splitn(6, ':');
        let mut next = || {
            parts
                .next()
                .filter(|part| !part.is_empty())
                .ok_or_else(wrong)
        };
        if next()? != "arn" || next()? != "aws" {
            return Err(wrong());
        }
        Ok(Arn {
            service: next()?.to_owned(),
            region: next()?.parse().map_err(|e: NameError| e.to_string())?,
            account: next()?.parse()?,
            resource: next()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_what_it_writes() {
        let text = "arn:aws:rds:us-east-1:123456789012:db:orders";
        let arn: Arn = text.parse().unwrap();
        assert_eq!(arn.resource, "db:orders");
        assert_eq!(arn.to_string(), text);
    }

    #[test]
    fn texts_that_are_no_arn_are_refused() {
        for text in [
            "",
            "arn:aws:rds",
            "arn:aws:rds:us-east-1:1:db:x",
            "arn:aws:rds:mars:123456789012:db",
        ] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }
}
