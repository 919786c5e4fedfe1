//! How a user proves who it is: passwords, or none.

use crate::api::check;
use crate::api::context::Context;
use crate::api::error::ElastiCacheError;
use crate::model::TokenHash;

const PASSWORDS_MAX: usize = 2;

/// What a request says of a user's authentication: passwords (none where no password is needed). None where it says nothing.
pub(super) fn read(context: &Context<'_>) -> Result<Option<Vec<TokenHash>>, ElastiCacheError> {
    let params = &context.params;
    let refused = |why: &str| Err(ElastiCacheError::InvalidCombination(why.to_owned()));
    let direct = context.texts("Passwords", "member");
    let by_mode = context.texts("AuthenticationMode.Passwords", "member");
    let mode = params.text("AuthenticationMode.Type");
    if direct.is_some() && by_mode.is_some() {
        return refused(
            "Give passwords either in Passwords or in AuthenticationMode, not in both.",
        );
    }
    let passwords = direct.or(by_mode).unwrap_or_default();
    let none_needed = match mode {
        Some("password") => false,
        Some("no-password-required") => true,
        Some("iam") => {
            return refused("Authentication by IAM is not offered here: use passwords.");
        }
        Some(other) => {
            return Err(ElastiCacheError::InvalidValue(format!(
                "Invalid value '{other}' for AuthenticationMode.Type. Valid values are: password, no-password-required."
            )));
        }
        None => context.flag("NoPasswordRequired")?,
    };
    if none_needed {
        if !passwords.is_empty() {
            return refused("A user that needs no password has no passwords.");
        }
        return Ok(Some(Vec::new()));
    }
    if passwords.is_empty() {
        if mode.is_some() {
            return refused("Authentication by password needs at least one password.");
        }
        return Ok(None);
    }
    if passwords.len() > PASSWORDS_MAX {
        return refused("A user has at most two passwords.");
    }
    let hashes: Result<Vec<TokenHash>, ElastiCacheError> = passwords
        .iter()
        .map(|password| check::secret("Passwords", password))
        .collect();
    let hashes = hashes?;
    if hashes.len() == PASSWORDS_MAX && hashes[0] == hashes[1] {
        return refused("The two passwords of a user must differ.");
    }
    Ok(Some(hashes))
}
