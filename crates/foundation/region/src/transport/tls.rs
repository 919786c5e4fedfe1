//! TLS settings of both sides, from an identity.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::identity::{Identity, IdentityError};

/// The protocol's name and version (ALPN): a process of another version is refused in the handshake.
const PROTOCOL: &[u8] = b"quorate/1";

fn tls_error(e: impl std::fmt::Display) -> IdentityError {
    IdentityError::Tls(e.to_string())
}

fn parts(
    identity: &Identity,
) -> Result<
    (
        RootCertStore,
        Vec<CertificateDer<'static>>,
        PrivateKeyDer<'static>,
    ),
    IdentityError,
> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(identity.root_pem.as_bytes()).map_err(tls_error)?;
    roots.add(root).map_err(tls_error)?;
    let certificate =
        CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes()).map_err(tls_error)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(tls_error)?;
    Ok((roots, vec![certificate], key))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Accepts callers that the region's CA vouches for, and nobody else.
pub(crate) fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, IdentityError> {
    let (roots, chain, key) = parts(identity)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(tls_error)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(tls_error)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// Calls only nodes that the region's CA vouches for.
pub(crate) fn client_config(identity: &Identity) -> Result<Arc<ClientConfig>, IdentityError> {
    let (roots, chain, key) = parts(identity)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(tls_error)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}
