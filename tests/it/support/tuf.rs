//! A TUF repository of our own in the place of Sigstore's, which npm asks before it asks a registry for its keys. It lists no
//! target, so that npm goes on to the registry. Reached through a proxy, because npm has its address built in; trusted through
//! the first `root.json`, which npm takes from its cache.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

const HOST: &str = "tuf-repo-cdn.sigstore.dev";
/// Longest head of a request that is read, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
const KEY_ID: &str = "0000000000000000000000000000000000000000000000000000000000000001";

pub struct Tuf {
    folder: TempDir,
    root: String,
    proxy: SocketAddr,
    serving: AbortHandle,
}

/// What it serves, by path.
type Documents = Arc<BTreeMap<&'static str, String>>;

impl Tuf {
    pub async fn start() -> Tuf {
        let key = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap();
        let public = HEXLOWER.encode(key.public_key().as_ref());
        let role = json!({"keyids": [KEY_ID], "threshold": 1});
        let root = json!({
            "_type": "root", "consistent_snapshot": false,
            "keys": {KEY_ID: {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}},
            "roles": {"root": role, "snapshot": role, "targets": role, "timestamp": role},
        });
        let documents = BTreeMap::from([
            ("/timestamp.json", signed(&key, json!({"_type": "timestamp", "meta": {"snapshot.json": {"version": 1}}}))),
            ("/snapshot.json", signed(&key, json!({"_type": "snapshot", "meta": {"targets.json": {"version": 1}}}))),
            ("/targets.json", signed(&key, json!({"_type": "targets", "targets": {}}))),
        ]);
        let folder = TempDir::new().unwrap();
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        let key_file = made.signing_key.serialize_pem();
        let chain = vec![CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()];
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let tls = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key_file.as_bytes()).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), Arc::new(documents))).abort_handle();
        Tuf { folder, root: signed(&key, root), proxy, serving }
    }

    /// By which npm comes here, and by which registries are left alone.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        let certificate = self.folder.path().join("cert.pem");
        let trusted = certificate.to_str().unwrap().to_owned();
        [
            ("HTTPS_PROXY", format!("http://{}", self.proxy)),
            ("NO_PROXY", "127.0.0.1".to_owned()),
            ("NODE_EXTRA_CA_CERTS", trusted),
            // npm 12 asks with what Node has itself, which looks at the others only then.
            ("NODE_USE_ENV_PROXY", "1".to_owned()),
        ]
    }

    /// Puts what is trusted first into npm's cache below this home.
    pub fn seed(&self, home: &Path) {
        let folder = home.join(".npm/_tuf").join(HOST);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("root.json"), &self.root).unwrap();
    }
}

impl Drop for Tuf {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A document of a role, signed over its canonical form: keys in order, no blanks, which is how a [`Value`] is written.
fn signed(key: &Ed25519KeyPair, mut role: Value) -> String {
    role["spec_version"] = json!("1.0.31");
    role["version"] = json!(1);
    role["expires"] = json!("2999-01-01T00:00:00Z");
    let signature = HEXLOWER.encode(key.sign(role.to_string().as_bytes()).as_ref());
    json!({"signed": role, "signatures": [{"keyid": KEY_ID, "sig": signature}]}).to_string()
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, documents: Documents) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(tunnel(socket, tls.clone(), Arc::clone(&documents)));
    }
}

/// `CONNECT` to the one host there is, then one request after the other.
async fn tunnel(mut socket: TcpStream, tls: TlsAcceptor, documents: Documents) -> Option<()> {
    let head = head(&mut socket).await?;
    if !head.starts_with(&format!("CONNECT {HOST}:443 ")) {
        return socket.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.ok();
    }
    socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    let mut socket = tls.accept(socket).await.ok()?;
    loop {
        let head = self::head(&mut socket).await?;
        let answer = match documents.get(head.split(' ').nth(1)?) {
            Some(text) => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()),
            None => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        };
        socket.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// The head of a request without a body; `None` at the end.
async fn head(socket: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        head.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
