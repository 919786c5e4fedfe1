//! Certificates of engines: what clients verify, and how engines know each other.

use rcgen::ExtendedKeyUsagePurpose;

use crate::ca::{CaError, CertificateAuthority, ORGANIZATION};

/// Signs the certificates of one node's engines.
#[derive(Debug, Clone)]
pub struct EngineIssuer {
    root_pem: String,
    intermediate: CertificateAuthority,
}

/// A certificate with what goes with it.
#[derive(Clone)]
pub struct IssuedCertificate {
    /// The certificate, then the node's intermediate.
    pub chain_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// The region's root, which the other side is verified against.
    pub root_pem: String,
}

impl EngineIssuer {
    pub(crate) fn new(root_pem: String, intermediate: CertificateAuthority) -> EngineIssuer {
        EngineIssuer {
            root_pem,
            intermediate,
        }
    }

    /// A server's certificate for these names and IP addresses.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn server(&self, names: Vec<String>) -> Result<IssuedCertificate, CaError> {
        let common_name = names.first().cloned().unwrap_or_default();
        self.issue(&common_name, names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate whose common name is a database user.
    ///
    /// # Errors
    /// When the name cannot stand in a certificate.
    pub fn client(&self, user: &str) -> Result<IssuedCertificate, CaError> {
        self.issue(user, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The subject of a client's certificate, as OpenSSL writes it in one line.
    #[must_use]
    pub fn client_subject(user: &str) -> String {
        format!("/O={ORGANIZATION}/CN={user}")
    }

    fn issue(
        &self,
        common_name: &str,
        names: Vec<String>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<IssuedCertificate, CaError> {
        let (certificate, key_pem) = self.intermediate.issue(common_name, names, vec![usage])?;
        let chain_pem = format!("{certificate}{}", self.intermediate.certificate_pem);
        Ok(IssuedCertificate {
            chain_pem,
            key_pem,
            root_pem: self.root_pem.clone(),
        })
    }
}

impl std::fmt::Debug for IssuedCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IssuedCertificate(…)")
    }
}
