//! A Sentinel's configuration and accounts.

use std::net::SocketAddr;

use sha2::{Digest, Sha256};

use super::CLIENT_ACCOUNT;
use crate::error::EngineError;
use crate::redis::{AGENT_ACCOUNT, RedisPaths, RedisTls, SENTINEL_ACCOUNT, quoted, tls_lines};

/// What a client of Sentinel may do, as Redis's documentation lists it, and INFO; nothing that changes anything.
const CLIENT_RIGHTS: &str = "allchannels -@all +auth +client|getname +client|id +client|setname +command \
    +hello +info +ping +role +subscribe +psubscribe +unsubscribe +punsubscribe +sentinel|get-master-addr-by-name \
    +sentinel|master +sentinel|masters +sentinel|myid +sentinel|replicas +sentinel|sentinels +sentinel|slaves";

/// What a Sentinel is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentinelConfig {
    /// What it is derived from is the same after its folder was lost, so that it stays the same one to the others.
    pub identity: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it talks TLS, to clients, servers and other Sentinels.
    pub tls: RedisTls,
    /// The password of agents, and of Sentinels among themselves: the same in all of a region.
    pub inner_password: String,
    /// The password of clients.
    pub client_password: String,
    /// No vote was given above this epoch.
    pub epoch: u64,
}

impl SentinelConfig {
    /// The id under which the others know this one: 40 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        let kind = match self.tls {
            RedisTls::Off => "plain",
            RedisTls::Only => "tls",
        };
        let digest = Sha256::digest(format!("quorate sentinel {kind} {}", self.identity));
        hex::encode(&digest[..20])
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when something cannot stand in the file.
    pub fn render(&self, paths: &RedisPaths) -> Result<String, EngineError> {
        let mut file = String::new();
        let mut line = |name: &str, words: &[&str]| -> Result<(), EngineError> {
            file.push_str(name);
            for word in words {
                file.push(' ');
                file.push_str(&quoted(name, word)?);
            }
            file.push('\n');
            Ok(())
        };
        line("daemonize", &["no"])?;
        line("logfile", &[""])?;
        line("protected-mode", &["no"])?;
        line("bind", &[&self.listen.ip().to_string()])?;
        let port = self.listen.port().to_string();
        match self.tls {
            RedisTls::Off => line("port", &[&port])?,
            RedisTls::Only => {
                line("port", &["0"])?;
                line("tls-port", &[&port])?;
                tls_lines(&paths.tls(), &mut line)?;
            }
        }
        line("unixsocket", &[&paths.socket().to_string_lossy()])?;
        line("unixsocketperm", &["700"])?;
        line("dir", &[&paths.data().to_string_lossy()])?;
        line("aclfile", &[&paths.acl().to_string_lossy()])?;
        line("sentinel", &["announce-ip", &self.listen.ip().to_string()])?;
        line("sentinel", &["announce-port", &port])?;
        line("sentinel", &["myid", &self.id()])?;
        line("sentinel", &["current-epoch", &self.epoch.to_string()])?;
        line("sentinel", &["sentinel-user", SENTINEL_ACCOUNT])?;
        line("sentinel", &["sentinel-pass", &self.inner_password])?;
        line("sentinel", &["deny-scripts-reconfig", "yes"])?;
        Ok(file)
    }

    /// The accounts.
    #[must_use]
    pub fn acl(&self) -> String {
        let inner = hex::encode(Sha256::digest(self.inner_password.as_bytes()));
        let client = hex::encode(Sha256::digest(self.client_password.as_bytes()));
        format!(
            "user default reset off\nuser {AGENT_ACCOUNT} reset on #{inner} allchannels +@all\n\
             user {SENTINEL_ACCOUNT} reset on #{inner} allchannels +@all\n\
             user {CLIENT_ACCOUNT} reset on #{client} {CLIENT_RIGHTS}\n"
        )
    }
}

/// The highest epoch that a Sentinel's own file tells of.
pub(super) fn epoch_in(file: &str) -> u64 {
    let epochs = file.lines().filter_map(|line| {
        let mut words = line.split_whitespace().map(|word| word.trim_matches('"'));
        let about = (words.next()? == "sentinel").then(|| words.next())??;
        match about {
            "current-epoch" | "config-epoch" | "leader-epoch" => words.next_back()?.parse().ok(),
            _ => None,
        }
    });
    epochs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_epoch_is_found_in_what_sentinel_wrote() {
        let file = "port 5000\nsentinel myid abc\nsentinel monitor orders 127.0.1.1 20001 2\n\
            sentinel config-epoch orders 7\nsentinel leader-epoch orders 9\nsentinel current-epoch 8\n";
        assert_eq!(epoch_in(file), 9);
        assert_eq!(epoch_in("sentinel \"current-epoch\" \"4\"\n"), 4);
        assert_eq!(epoch_in("sentinel\n\0"), 0);
    }
}
