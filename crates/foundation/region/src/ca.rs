//! The region's own certificate authority, made at bootstrap.
//!
//! Its key stays in the folder in which the region was made: it signs the identities of nodes and gateways. A
//! node gets an intermediate of its own with its identity and signs its engines' certificates with that.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use quorate_base::RegionName;

/// The organization of every certificate's subject.
pub(crate) const ORGANIZATION: &str = "Quorate";

/// A region's CA lives as long as the region's data may be wanted.
const VALID_YEARS: i64 = 20;

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate: {0}")]
pub struct CaError(#[from] pub(crate) rcgen::Error);

/// A certificate authority: its certificate, and the key that signs with it.
#[derive(Clone, Serialize, Deserialize)]
pub struct CertificateAuthority {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

impl CertificateAuthority {
    /// Makes the root of a region.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn create(region: &RegionName) -> Result<CertificateAuthority, CaError> {
        let key = KeyPair::generate()?;
        let params = authority_params(&format!("Quorate {region} root"), 1);
        let certificate = params.self_signed(&key)?;
        Ok(CertificateAuthority {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// The certificate, for those who have to trust it.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Makes an authority below this one that signs end certificates only.
    pub(crate) fn intermediate(&self, name: &str) -> Result<CertificateAuthority, CaError> {
        let key = KeyPair::generate()?;
        let certificate = authority_params(name, 0).signed_by(&key, &self.issuer()?)?;
        Ok(CertificateAuthority {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// Makes an end certificate; returns its PEM and its key's.
    pub(crate) fn issue(
        &self,
        common_name: &str,
        subject_names: Vec<String>,
        usages: Vec<ExtendedKeyUsagePurpose>,
    ) -> Result<(String, String), CaError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(subject_names)?;
        params.distinguished_name = named(common_name);
        params.extended_key_usages = usages;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity();
        let certificate = params.signed_by(&key, &self.issuer()?)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, CaError> {
        let key = KeyPair::from_pem(&self.key_pem)?;
        Ok(Issuer::from_ca_cert_pem(&self.certificate_pem, key)?)
    }
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CertificateAuthority(…)")
    }
}

fn authority_params(name: &str, levels_below: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(levels_below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = levels_below == 0;
    (params.not_before, params.not_after) = validity();
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, ORGANIZATION);
    name.push(DnType::CommonName, common_name);
    name
}

/// From an hour ago, so that hosts whose clocks differ a little can talk at once.
fn validity() -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    (
        now - Duration::hours(1),
        now + Duration::days(365 * VALID_YEARS),
    )
}
