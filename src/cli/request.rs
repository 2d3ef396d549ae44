//! `airlock request NAME@VERSION`: asks that a release be let through. It opens nothing; whoever decides sees who asks, and why.

use crate::admin::wire::ReleaseView;
use crate::admin::wire::RequestOrder;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Look;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::cli::target::ReleaseTarget;
use crate::cli::target::reason;

#[derive(clap::Args, Debug)]
pub struct RequestFlags {
    /// The release: left-pad@1.3.0
    #[arg(value_name = "NAME@VERSION")]
    pub target: ReleaseTarget,
    /// Why you need it; whoever decides reads it, and it is kept for good in the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub remote: RemoteFlags,
}

pub fn run(flags: &RequestFlags) -> Result<Outcome, Failure> {
    let order = RequestOrder { reason: reason(&flags.reason)? };
    let (package, version) = (flags.target.package.as_str(), flags.target.version.as_str());
    let answer = Remote::new(&flags.remote)?.post::<ReleaseView>(&["releases", package, version, "requests"], &order)?;
    page::write(&if flags.remote.json { answer.text + "\n" } else { show(&answer.read, Look::of_stdout()) })?;
    Ok(Outcome::Green)
}

fn show(release: &ReleaseView, look: Look) -> String {
    let who = match release.requests {
        1 => "You are the first to ask for it.".to_owned(),
        people => format!("{people} people ask for it."),
    };
    let mut out = page::paragraph(look, &format!("Recorded. {who}"));
    out.push_str(&page::paragraph(look, &release.sentence));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_hears_how_many_do() {
        let release = |requests: u64| -> ReleaseView {
            serde_json::from_value(serde_json::json!({
                "package": "left-pad", "ecosystem": "npm", "version": "1.3.0", "standing": "in_review", "wanted": 0, "requests": requests,
                "sentence": "left-pad@1.3.0 waits for review.", "link": "http://x/", "revision": 1,
                "approvals": { "given": 0, "needed": 1 }, "findings": [], "artifacts": [], "history": [], "would_change": []
            }))
            .unwrap()
        };
        let plain = Look { colour: false, width: 100 };
        assert_eq!(show(&release(1), plain), "Recorded. You are the first to ask for it.\nleft-pad@1.3.0 waits for review.\n");
        assert_eq!(show(&release(3), plain), "Recorded. 3 people ask for it.\nleft-pad@1.3.0 waits for review.\n");
    }
}
