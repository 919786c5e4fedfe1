//! Who a process of the region is, and the token that makes it so.
//!
//! A join token is the identity itself: certificate, key, the region's root, and the nodes to call. It is made
//! by who holds the CA's key, given to one process, and works without any server being up. Whoever has it is
//! that process: it is a secret, written to files that only their owner reads, never passed as an argument.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::ExtendedKeyUsagePurpose;
use serde::{Deserialize, Serialize};

use quorate_base::{NodeId, RegionName};

use crate::ca::{CaError, CertificateAuthority};
use crate::engine_tls::EngineIssuer;
use crate::map::RegionMap;
use crate::secret_file::write_secret;

/// First characters of a join token: what it is, and the version of what follows.
const TOKEN_PREFIX: &str = "quorate-join-1.";

/// What a process of the region is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerRole {
    /// A node of a zone.
    Node(NodeId),
    /// A gateway, by the name it was given.
    Gateway(String),
}

/// Proof of being one process of a region.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    /// What the process is.
    pub role: PeerRole,
    /// The region and the nodes it was laid out with.
    pub map: RegionMap,
    pub(crate) root_pem: String,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    engine_authority: Option<CertificateAuthority>,
}

/// Why an identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The text is no token of this kind and version.
    #[error("this is no join token: {0}")]
    Malformed(String),
    /// The file could not be read or written.
    #[error("cannot use the identity file {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificates in it cannot be used.
    #[error("the identity's certificates cannot be used: {0}")]
    Tls(String),
}

/// The text form of an identity, as handed to a new process.
#[derive(Clone)]
pub struct JoinToken(pub String);

impl Identity {
    /// Makes the identity of a node.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub fn for_node(
        ca: &CertificateAuthority,
        map: &RegionMap,
        node: &NodeId,
    ) -> Result<Identity, CaError> {
        let names = vec![node_name(node), peer_name(&map.region)];
        let authority = ca.intermediate(&format!("Quorate {node} engines"))?;
        Identity::make(
            ca,
            map,
            PeerRole::Node(node.clone()),
            names,
            Some(authority),
        )
    }

    /// Makes the identity of a gateway.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub fn for_gateway(
        ca: &CertificateAuthority,
        map: &RegionMap,
        name: &str,
    ) -> Result<Identity, CaError> {
        let names = vec![peer_name(&map.region)];
        Identity::make(ca, map, PeerRole::Gateway(name.to_owned()), names, None)
    }

    fn make(
        ca: &CertificateAuthority,
        map: &RegionMap,
        role: PeerRole,
        names: Vec<String>,
        engine_authority: Option<CertificateAuthority>,
    ) -> Result<Identity, CaError> {
        let usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let (certificate_pem, key_pem) = ca.issue(&names[0].clone(), names, usages)?;
        let root_pem = ca.certificate_pem.clone();
        Ok(Identity {
            role,
            map: map.clone(),
            root_pem,
            certificate_pem,
            key_pem,
            engine_authority,
        })
    }

    /// The region's root certificate.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// What signs the certificates of this node's engines; none for a gateway.
    #[must_use]
    pub fn engine_issuer(&self) -> Option<EngineIssuer> {
        let authority = self.engine_authority.clone()?;
        Some(EngineIssuer::new(self.root_pem.clone(), authority))
    }

    /// The token that makes another process this one.
    #[must_use]
    pub fn token(&self) -> JoinToken {
        let json = serde_json::to_vec(self).expect("an identity is plain data");
        JoinToken(format!("{TOKEN_PREFIX}{}", BASE64.encode(json)))
    }

    /// Reads a token.
    ///
    /// # Errors
    /// `Malformed` when it is none.
    pub fn from_token(token: &str) -> Result<Identity, IdentityError> {
        let malformed = |why: &str| IdentityError::Malformed(why.to_owned());
        let text = token.trim().strip_prefix(TOKEN_PREFIX).ok_or_else(|| {
            malformed(
                "it does not start with `quorate-join-1.`; make one with `quorate region token`",
            )
        })?;
        let json = BASE64
            .decode(text)
            .map_err(|_| malformed("it is damaged or cut off"))?;
        serde_json::from_slice(&json).map_err(|e| malformed(&e.to_string()))
    }

    /// Keeps the identity in a file that only its owner reads.
    ///
    /// # Errors
    /// `File` when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), IdentityError> {
        write_secret(path, self.token().0.as_bytes()).map_err(|source| file_error(path, source))
    }

    /// Reads an identity file.
    ///
    /// # Errors
    /// `File` when it cannot be read, `Malformed` when it is no identity.
    pub fn load(path: &Path) -> Result<Identity, IdentityError> {
        let text = std::fs::read_to_string(path).map_err(|source| file_error(path, source))?;
        Identity::from_token(&text)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

fn file_error(path: &Path, source: std::io::Error) -> IdentityError {
    IdentityError::File {
        path: path.display().to_string(),
        source,
    }
}

/// The name in a node's certificate, which callers verify.
pub(crate) fn node_name(node: &NodeId) -> String {
    format!("{node}.node.quorate.internal")
}

/// The name in the certificates of all processes of a region, and in no engine's.
pub(crate) fn peer_name(region: &RegionName) -> String {
    format!("peer.{region}.quorate.internal")
}
