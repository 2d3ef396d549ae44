//! A Sigstore of our own: an authority, a log, bundles that they made, and a registry's keys; each as honest as a test wants it.

use data_encoding::BASE64;
use data_encoding::HEXLOWER;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CustomExtension;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::PublicKeyData;
use rcgen::SanType;
use rcgen::SigningKey;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

/// When everything is signed, in seconds: 2026-11-01T00:00:00Z.
pub const SIGNED_AT: u64 = 1_793_491_200;

/// Who certifies, and who keeps the log.
pub struct Sigstore {
    root: Vec<u8>,
    between: Vec<u8>,
    between_params: CertificateParams,
    between_key: KeyPair,
    log_key: KeyPair,
    registry_key: KeyPair,
    old_registry_key: KeyPair,
}

/// What a bundle says and lacks.
#[derive(Clone, Debug)]
pub struct Made {
    /// As it stands there, encoded: `pkg:npm/%40acme/web@1.0.0`.
    pub name: String,
    /// In hexadecimal.
    pub sha512: String,
    /// When it came into the log, in seconds; the certificate is valid for ten minutes from [`SIGNED_AT`] on.
    pub logged_at: u64,
    pub with_promise: bool,
    pub with_proof: bool,
    /// `dsse` or `intoto`.
    pub kind: &'static str,
    pub purpose: ExtendedKeyUsagePurpose,
}

impl Made {
    pub fn of(name: &str, sha512: &str) -> Made {
        Made {
            name: name.to_owned(),
            sha512: sha512.to_owned(),
            logged_at: SIGNED_AT + 60,
            with_promise: true,
            with_proof: true,
            kind: "dsse",
            purpose: ExtendedKeyUsagePurpose::CodeSigning,
        }
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params
}

/// A field of the authority's own: text in UTF-8.
fn field(number: u64, text: &str) -> CustomExtension {
    let mut content = vec![0x0c, u8::try_from(text.len()).unwrap()];
    content.extend_from_slice(text.as_bytes());
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57_264, 1, number], content)
}

fn sha256(prefix: u8, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([prefix]);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

impl Sigstore {
    pub const WORKFLOW: &str = "https://git.example/acme/web/.github/workflows/release.yml@refs/tags/v1.0.0";
    pub const REPOSITORY: &str = "https://git.example/acme/web";
    pub const ISSUER: &str = "https://token.git.example";
    pub const COMMIT: &str = "af785b6d3b0fa0c0aa1305fae7ce6036e8d90c40";

    pub fn new() -> Sigstore {
        let (root_params, root_key) = (authority(), KeyPair::generate().unwrap());
        let root = root_params.self_signed(&root_key).unwrap().der().to_vec();
        let (between_params, between_key) = (authority(), KeyPair::generate().unwrap());
        let issuer = Issuer::from_params(&root_params, &root_key);
        let between = between_params.signed_by(&between_key, &issuer).unwrap().der().to_vec();
        Sigstore {
            root,
            between,
            between_params,
            between_key,
            log_key: KeyPair::generate().unwrap(),
            registry_key: KeyPair::generate().unwrap(),
            old_registry_key: KeyPair::generate().unwrap(),
        }
    }

    fn log_id(&self) -> [u8; 32] {
        Sha256::digest(self.log_key.subject_public_key_info()).into()
    }

    /// `trusted_root.json`
    pub fn trust_root(&self) -> String {
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "publicKey": {"rawBytes": BASE64.encode(&self.log_key.subject_public_key_info()), "validFor": {"start": "2026-01-01T00:00:00Z"}},
                "logId": {"keyId": BASE64.encode(&self.log_id())},
            }],
            "certificateAuthorities": [{
                "certChain": {"certificates": [{"rawBytes": BASE64.encode(&self.between)}, {"rawBytes": BASE64.encode(&self.root)}]},
                "validFor": {"start": "2026-01-01T00:00:00Z"},
            }],
        })
        .to_string()
    }

    /// What a registry answers when it is asked for its keys: the present one, and one that expired at the end of 2025.
    pub fn keys(&self) -> String {
        let key = |id: &str, key: &KeyPair, expires: Value| {
            let spki = BASE64.encode(&key.subject_public_key_info());
            json!({"keyid": id, "key": spki, "expires": expires, "keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256"})
        };
        let old = key("SHA256:old", &self.old_registry_key, json!("2026-01-01T00:00:00.000Z"));
        json!({"keys": [key("SHA256:now", &self.registry_key, Value::Null), old]}).to_string()
    }

    /// `dist.signatures` of a registry that signed `message`: `@acme/web@1.0.0:sha512-…`.
    pub fn signatures(&self, message: &str) -> Value {
        json!([{"keyid": "SHA256:now", "sig": BASE64.encode(&self.registry_key.sign(message.as_bytes()).unwrap())}])
    }

    /// The same, with the key that expired.
    pub fn old_signatures(&self, message: &str) -> Value {
        json!([{"keyid": "SHA256:old", "sig": BASE64.encode(&self.old_registry_key.sign(message.as_bytes()).unwrap())}])
    }

    /// What a registry answers of a release: the statement of its publishing, which nobody signed here, and this bundle.
    pub fn attestations(&self, made: &Made) -> Value {
        json!({"attestations": [
            {"predicateType": "https://registry.example/specs/publish/v0.1", "bundle": {}},
            {"predicateType": "https://slsa.dev/provenance/v1", "bundle": self.bundle(made)},
        ]})
    }

    pub fn bundle(&self, made: &Made) -> Value {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2026, 11, 1);
        params.not_after = params.not_before + std::time::Duration::from_secs(600);
        params.subject_alt_names = vec![SanType::URI(Sigstore::WORKFLOW.try_into().unwrap())];
        params.extended_key_usages = vec![made.purpose.clone()];
        params.custom_extensions = vec![field(8, Sigstore::ISSUER), field(12, Sigstore::REPOSITORY), field(13, Sigstore::COMMIT)];
        let issuer = Issuer::from_params(&self.between_params, &self.between_key);
        let leaf = params.signed_by(&key, &issuer).unwrap().der().to_vec();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"name": made.name, "digest": {"sha512": made.sha512}}], "predicate": {},
        });
        let (kind, payload) = ("application/vnd.in-toto+json", statement.to_string());
        let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signature = BASE64.encode(&key.sign(message.as_bytes()).unwrap());
        let entry = self.entry(made, payload.as_bytes(), &signature);
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"certificate": {"rawBytes": BASE64.encode(&leaf)}, "tlogEntries": [entry]},
            "dsseEnvelope": {
                "payload": BASE64.encode(payload.as_bytes()), "payloadType": kind, "signatures": [{"sig": signature, "keyid": ""}],
            },
        })
    }

    fn entry(&self, made: &Made, payload: &[u8], signature: &str) -> Value {
        let hash = json!({"algorithm": "sha256", "value": HEXLOWER.encode(&Sha256::digest(payload))});
        let body = match made.kind {
            "dsse" => json!({
                "apiVersion": "0.0.1", "kind": "dsse", "spec": {"payloadHash": hash, "signatures": [{"signature": signature}]},
            }),
            other => json!({
                "apiVersion": "0.0.2", "kind": other,
                "spec": {"content": {"payloadHash": hash, "envelope": {"signatures": [{"sig": BASE64.encode(signature.as_bytes())}]}}},
            }),
        };
        let encoded = BASE64.encode(body.to_string().as_bytes());
        let (index, id, at) = (4_711, self.log_id(), made.logged_at);
        let mut entry = json!({
            "logIndex": index.to_string(), "logId": {"keyId": BASE64.encode(&id)}, "integratedTime": at.to_string(),
            "canonicalizedBody": encoded,
        });
        if made.with_promise {
            let id = HEXLOWER.encode(&id);
            let text = format!(r#"{{"body":"{encoded}","integratedTime":{at},"logID":"{id}","logIndex":{index}}}"#);
            entry["inclusionPromise"] = json!({"signedEntryTimestamp": BASE64.encode(&self.log_key.sign(text.as_bytes()).unwrap())});
        }
        if made.with_proof {
            // The last of three entries.
            let leaves = sha256(0, &[body.to_string().as_bytes()]);
            let beside = sha256(1, &[&[1; 32], &[2; 32]]);
            let root = BASE64.encode(&sha256(1, &[&beside, &leaves]));
            let note = format!("log.example - 1\n3\n{root}\n");
            let signature = [&id[..4], &self.log_key.sign(note.as_bytes()).unwrap()].concat();
            entry["inclusionProof"] = json!({
                "logIndex": "2", "treeSize": "3", "rootHash": root, "hashes": [BASE64.encode(&beside)],
                "checkpoint": {"envelope": format!("{note}\n\u{2014} log.example {}\n", BASE64.encode(&signature))},
            });
        }
        entry
    }
}
