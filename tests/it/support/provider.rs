//! A real identity provider, in a process of its own: `tests/clients/provider/provider.mjs`.

use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use airlock::config::access::Issuer;
use serde_json::Value;
use url::Url;

use super::http::Call;
use super::within;
use crate::clients::program::package;

/// Ends with the test.
pub struct Provider {
    pub issuer: String,
    process: Child,
}

impl Drop for Provider {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

impl Provider {
    /// `None`, after saying so loudly, where the package cannot be had.
    pub async fn start() -> Option<Provider> {
        let (node, modules) = package("oidc-provider").await?;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/provider/provider.mjs");
        let mut command = Command::new(node);
        command.arg(program).arg(modules).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let output = process.stdout.take().unwrap();
        let first_line = tokio::task::spawn_blocking(move || BufReader::new(output).lines().next());
        let issuer = within("the provider's address", first_line).await.unwrap().unwrap().unwrap();
        Some(Provider { issuer, process })
    }

    /// As the configuration has it.
    pub fn as_issuer(&self) -> Issuer {
        Issuer { text: self.issuer.clone(), url: Url::parse(&format!("{}/", self.issuer)).unwrap() }
    }

    pub fn address(&self) -> SocketAddr {
        self.issuer.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// A token with these claims, signed as `order` says.
    pub async fn mint(&self, order: &Value) -> String {
        let reply = Call::new(self.address(), "POST", "/mint").json(order).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// From now on identity tokens for codes are changed so.
    pub async fn bend(&self, order: &Value) {
        let reply = Call::new(self.address(), "POST", "/bend").json(order).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}
