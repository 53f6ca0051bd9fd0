//! TLS 1.3 between nodes, when certificates are given: each side shows one that the cluster's authority signed.
//!
//! It hides what is said. Who may speak is still proved by the secret, inside of it.

use super::ending::Ending;
use super::handshake::HANDSHAKE_MAX;
use super::wire::Duplex;
use std::io::Error as IoError;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use vivarium_storage::runtime::timeout;

use super::PeerTls;

/// Both directions, ready for use.
pub(super) struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(files: &PeerTls) -> Result<Tls, String> {
        let chain = certificates("certificate", &files.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|error| format!("the private key: {error}"))?;
        let mut roots = RootCertStore::empty();
        for authority in certificates("authority", &files.authority)? {
            roots.add(authority).map_err(|error| format!("the authority: {error}"))?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let unusable = |error: tokio_rustls::rustls::Error| format!("the certificate and its key: {error}");
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| format!("the authority: {error}"))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder.with_client_cert_verifier(verifier).with_single_cert(chain.clone(), key.clone_key())
            })
            .map_err(unusable)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
            .map_err(unusable)?;
        Ok(Tls { connector: Arc::new(client).into(), acceptor: Arc::new(server).into() })
    }

    /// Who is at the address shows a certificate for its host.
    pub async fn dial(&self, address: &str, stream: TcpStream) -> Result<Box<dyn Duplex>, Ending> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|error| Ending::Tls(error.to_string()))?;
        let stream = finished(timeout(HANDSHAKE_MAX, self.connector.connect(name, stream)).await)?;
        Ok(Box::new(stream))
    }

    /// Who dialled shows a certificate of the authority.
    pub async fn accept(&self, stream: TcpStream) -> Result<Box<dyn Duplex>, Ending> {
        let stream = finished(timeout(HANDSHAKE_MAX, self.acceptor.accept(stream)).await)?;
        Ok(Box::new(stream))
    }
}

fn finished<T, E>(shaken: Result<Result<T, IoError>, E>) -> Result<T, Ending> {
    match shaken {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Ending::Tls(error.to_string())),
        Err(_) => Err(Ending::Late("TLS handshake", HANDSHAKE_MAX)),
    }
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("the {what}: it holds no PEM certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("the {what}: {error}")),
    }
}
