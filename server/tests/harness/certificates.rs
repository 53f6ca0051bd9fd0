//! Certificates for the nodes of a cluster, all signed by one authority of our own.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::Path;

/// Who signs.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { certificate: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// Writes what a node at this host needs into a folder. The arguments that name it.
    pub fn sign(&self, host: &str, folder: &Path) -> Vec<String> {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let files =
            [("certificate", certificate.pem()), ("key", key.serialize_pem()), ("authority", self.certificate.clone())];
        let mut arguments = Vec::new();
        for (name, text) in files {
            let path = folder.join(format!("{name}.pem"));
            std::fs::write(&path, text).unwrap();
            arguments.extend([format!("--cluster-{name}"), path.to_str().unwrap().to_owned()]);
        }
        arguments
    }
}
