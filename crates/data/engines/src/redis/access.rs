//! Who may do what: the ACL file of a server.
//!
//! Invariants
//! - No password stands in it, only SHA-256 digests.
//! - No client may change what the product rests on, whatever its access string says.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{AGENT_ACCOUNT, REPLICA_ACCOUNT, SENTINEL_ACCOUNT};

/// Commands that ElastiCache keeps from clients, as they would change configuration, replication or accounts behind the
/// service's back ("Restricted commands" in AWS's user guide). The last word on each user and on each of its selectors.
const RESTRICTED: &str = "-acl|deluser -acl|load -acl|save -acl|setuser -bgrewriteaof -bgsave -config -debug -failover \
    -migrate -module -psync -replconf -replicaof -save -shutdown -slaveof -sync -cluster|addslots \
    -cluster|addslotsrange -cluster|bumpepoch -cluster|delslots -cluster|delslotsrange -cluster|failover \
    -cluster|flushslots -cluster|forget -cluster|meet -cluster|replicate -cluster|reset -cluster|saveconfig \
    -cluster|set-config-epoch -cluster|setslot";

/// What Sentinel needs, as Redis's documentation of Sentinel lists it.
const SENTINEL_RIGHTS: &str = "allchannels +multi +slaveof +replicaof +ping +exec +subscribe +config|rewrite +role \
    +publish +info +client|setname +client|kill +script|kill";

/// A user of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientUser {
    /// The name that AUTH takes.
    pub name: String,
    /// What it may do, in Redis's ACL language, without passwords.
    pub access: String,
    /// SHA-256 digests of its passwords, in hexadecimal digits.
    pub password_digests: Vec<String>,
    /// Whether it comes in without a password.
    pub no_password: bool,
}

/// The ACL file of a server: the inner accounts, and the clients' users. `default` is off unless it is among them.
#[must_use]
pub fn acl_file(inner_password: &str, users: &[ClientUser]) -> String {
    let digest = digest_of(inner_password);
    let mut file = String::new();
    let mut line = |name: &str, rest: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(file, "user {name} reset {rest}");
    };
    line(AGENT_ACCOUNT, &format!("on #{digest} ~* &* +@all"));
    line(
        REPLICA_ACCOUNT,
        &format!("on #{digest} +psync +replconf +ping"),
    );
    line(SENTINEL_ACCOUNT, &format!("on #{digest} {SENTINEL_RIGHTS}"));
    if !users.iter().any(|user| user.name == "default") {
        line("default", "off");
    }
    for user in users {
        let mut rights = String::from("on ");
        if user.no_password {
            rights.push_str("nopass ");
        }
        for digest in &user.password_digests {
            let _ = write!(rights, "#{digest} ");
        }
        rights.push_str(&restrict(&user.access));
        line(&user.name, &rights);
    }
    file
}

/// An access string without passwords, and without the right to what is restricted.
#[must_use]
pub fn restrict(access: &str) -> String {
    let access = access.replace(')', " ) ").replace('(', " ( ");
    let mut kept: Vec<&str> = Vec::new();
    for word in access.split_whitespace() {
        let secret = word.starts_with(['>', '<', '#', '!'])
            || ["nopass", "resetpass", "reset"].contains(&word.to_lowercase().as_str());
        if secret {
            continue;
        }
        if word == ")" {
            kept.push(RESTRICTED);
        }
        kept.push(word);
    }
    kept.push(RESTRICTED);
    // Redis wants a selector's brackets at its first and last word.
    kept.join(" ").replace("( ", "(").replace(" )", ")")
}

/// SHA-256 in hexadecimal digits, as ACL files have it.
pub(crate) fn digest_of(password: &str) -> String {
    hex::encode(Sha256::digest(password.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_file_has_no_password_and_keeps_default_out() {
        let user = ClientUser {
            name: String::from("app"),
            access: String::from("~app:* +@all"),
            password_digests: vec![digest_of("client secret")],
            no_password: false,
        };
        let file = acl_file("inner secret", &[user]);
        assert!(!file.contains("secret"), "{file}");
        assert!(file.contains("user default reset off\n"));
        assert!(file.contains("user app reset on #"));
    }

    #[test]
    fn an_open_group_lets_default_in_and_inner_accounts_keep_their_password() {
        let open = ClientUser {
            name: String::from("default"),
            access: String::from("~* &* +@all"),
            password_digests: Vec::new(),
            no_password: true,
        };
        let file = acl_file("inner", &[open]);
        let inner = file.lines().filter(|l| !l.starts_with("user default"));
        assert!(inner.clone().count() == 3 && inner.clone().all(|l| l.contains(" #")));
        assert!(!inner.clone().any(|l| l.contains("nopass")));
    }

    #[test]
    fn no_word_of_an_access_string_gives_a_restricted_right_or_a_password() {
        let restricted = restrict("on >hunter2 nopass reset +@all ~* (+@all ~x:*) +config");
        assert!(restricted.ends_with("-cluster|setslot"), "{restricted}");
        assert!(!restricted.contains("hunter2") && !restricted.contains("nopass"));
        let selector = &restricted[restricted.find('(').unwrap()..=restricted.find(')').unwrap()];
        assert!(selector.starts_with("(+@all ~x:* -acl|deluser"));
        assert!(selector.ends_with("-cluster|setslot)"));
    }
}
