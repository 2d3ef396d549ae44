//! TLS by rustls: a certificate chain and its key from PEM files, with errors that name the file.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::TlsAcceptor;

use crate::config::server::Tls;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("[server] tls: {path} cannot be read as a PEM file: {why}", path = .path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("[server] tls: {path} holds no certificate", path = .path.display())]
    NoCertificate { path: PathBuf },
    #[error("[server] tls: the key in {key} does not fit the certificate in {cert}: {source}", key = .key.display(), cert = .cert.display())]
    Unfit {
        cert: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

/// Reads both files; HTTP/2 and HTTP/1.1 are offered.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |path: &PathBuf, error: pem::Error| TlsError::Unreadable { path: path.clone(), why: in_words(&error) };
    let chain = CertificateDer::pem_file_iter(&tls.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unreadable(&tls.cert, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: tls.cert.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| unreadable(&tls.key, error))?;
    let unfit = |source| TlsError::Unfit { cert: tls.cert.clone(), key: tls.key.clone(), source };
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(unfit)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn in_words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it holds no such section".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, Tls) {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let tls = Tls { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        std::fs::write(&tls.cert, made.cert.pem()).unwrap();
        std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
        (folder, tls)
    }

    #[test]
    fn every_error_names_its_file() {
        let (folder, good) = files();
        assert!(acceptor(&good).is_ok());
        let (_other_folder, other) = files();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let missing = folder.path().join("missing.pem");
        let check = |tls: Tls, name: &str| {
            let said = acceptor(&tls).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.contains(name), "{said}");
        };
        check(Tls { cert: missing.clone(), ..good.clone() }, "missing.pem");
        check(Tls { key: missing, ..good.clone() }, "missing.pem");
        check(Tls { cert: empty.clone(), ..good.clone() }, "empty.pem holds no certificate");
        check(Tls { key: empty, ..good.clone() }, "empty.pem");
        check(Tls { key: good.cert.clone(), ..good.clone() }, "cert.pem");
        check(Tls { key: other.key, ..good }, "does not fit");
    }
}
