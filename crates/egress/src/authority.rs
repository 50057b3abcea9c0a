//! The run's own certificate authority, under which connections to decrypted endpoints end on the host.
//!
//! What must stay true: it is made for one run and its decrypted names only, and says so in the certificate; its key never enters a
//! container.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use types::{host::HostName, secret::Secret};

/// How long the certificates are good, in days: as long as the longest run.
const DAYS: i64 = 30;
/// Protocols that are offered inside a decrypted connection.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why there is no authority, or none for a name.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A certificate could not be made, or the key is none.
    #[error("the run's certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused it.
    #[error("the run's certificate cannot be used")]
    Tls(#[from] rustls::Error),
}

/// An authority as it is kept for the next process of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAuthority {
    /// Its certificate, PEM; what programs inside trust.
    pub certificate: String,
    /// Its key, PEM.
    pub key: Secret,
}

impl KeptAuthority {
    /// Makes an authority for these names.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub fn make<'h>(hosts: impl IntoIterator<Item = &'h HostName>) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = authority_params();
        // The names themselves and nothing below or beside them would need a constraint that the standard does not have: a name stands
        // for all that is below it. Leaves are made for the names alone.
        let permitted = hosts.into_iter().map(|host| GeneralSubtree::DnsName(host.to_string())).collect();
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
        last(&mut params);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, key: Secret::new(key.serialize_pem()) })
    }
}

/// The authority at work.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// One key for all names of the run.
    key: KeyPair,
    configs: Mutex<HashMap<HostName, Arc<ServerConfig>>>,
}

impl Authority {
    /// Takes up a kept authority.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub(crate) fn new(kept: &KeptAuthority) -> Result<Self, AuthorityError> {
        let issuer = Issuer::new(authority_params(), KeyPair::from_pem(kept.key.expose())?);
        Ok(Self { issuer, key: KeyPair::generate()?, configs: Mutex::default() })
    }

    /// What TLS connections to `host` end with. Made once for each name.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub(crate) fn server_config(&self, host: &HostName) -> Result<Arc<ServerConfig>, AuthorityError> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = configs.get(host) {
            return Ok(Arc::clone(known));
        }
        let config = Arc::new(self.make_config(host)?);
        configs.insert(host.clone(), Arc::clone(&config));
        Ok(config)
    }

    fn make_config(&self, host: &HostName) -> Result<ServerConfig, AuthorityError> {
        let mut params = CertificateParams::new(vec![host.to_string()])?;
        params.distinguished_name = DistinguishedName::new();
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        last(&mut params);
        let leaf = params.signed_by(&self.key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(config)
    }
}

/// What the authority's certificate and its leaves have in common in every process.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "sandbox, one run only");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Good from yesterday, because clocks differ, and as long as a run can be.
fn last(params: &mut CertificateParams) {
    let [from, until] = [-1, DAYS].map(day);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
}

/// Midnight so many days from now, as year, month and day.
fn day(offset: i64) -> (i32, u8, u8) {
    let date = (Timestamp::now().to_zoned(TimeZone::UTC) + offset.days()).date();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConnection,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    };

    fn host(name: &str) -> HostName {
        HostName::parse(name).expect(name)
    }

    /// Whether a client that trusts the authority completes a handshake with it for this name.
    fn shakes_hands(kept: &KeptAuthority, name: &str) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(kept.certificate.as_bytes()).expect("pem"))?;
        let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut client = ClientConnection::new(client.into(), ServerName::try_from(name.to_owned()).expect(name))?;
        let config = Authority::new(kept).expect("authority").server_config(&host(name)).expect("config");
        let mut server = ServerConnection::new(config)?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).expect("memory");
            server.read_tls(&mut &wire[..]).expect("memory");
            server.process_new_packets()?;
            wire.clear();
            server.write_tls(&mut wire).expect("memory");
            client.read_tls(&mut &wire[..]).expect("memory");
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn it_speaks_for_its_names_only_and_survives_its_process() {
        let kept = KeptAuthority::make([&host("api.example"), &host("git.example")]).expect("made");
        assert_eq!(shakes_hands(&kept, "api.example"), Ok(()));
        assert_eq!(shakes_hands(&kept, "git.example"), Ok(()), "taken up anew");
        for other in ["evil.example", "example", "xapi.example"] {
            assert!(shakes_hands(&kept, other).is_err(), "{other}");
        }
        let another = KeptAuthority::make([&host("api.example")]).expect("made");
        let mixed = KeptAuthority { certificate: kept.certificate.clone(), key: another.key };
        assert!(shakes_hands(&mixed, "api.example").is_err(), "another key");
        assert!(!format!("{kept:?}").contains("PRIVATE"));
    }
}
