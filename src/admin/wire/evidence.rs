//! What speaks for a release besides its bytes, as the API tells it.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of one kind of evidence. What could not be checked is told apart from what is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// It was checked and holds.
    Good,
    /// There is none.
    Absent,
    /// It could not be had, or not be checked.
    Unavailable,
    /// It was checked and is false.
    Wrong,
}

/// One kind of evidence, and why it is not good where it is not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    pub is: ProofState,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

/// What speaks for a release besides its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceView {
    /// The registry's signature.
    pub signature: ProofView,
    /// The statement of where and from what it was built.
    pub provenance: ProofView,
    /// Where it was built, by the certificate of that statement.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "https://git.example/acme/web")]
    pub repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
    /// What the statement was checked for.
    #[schema(example = json!(["subject", "signature", "certificate", "time", "log"]))]
    pub checked: Vec<String>,
    /// What it was not checked for, and why.
    #[schema(example = json!(["issuance: the timestamp of the certificate's own log is not looked at"]))]
    pub unchecked: Vec<String>,
}

impl ProofView {
    fn words(&self) -> String {
        let is = match self.is {
            ProofState::Good => "good",
            ProofState::Absent => "none",
            ProofState::Unavailable => "evidence unavailable",
            ProofState::Wrong => "wrong",
        };
        match &self.why {
            Some(why) => format!("{is}: {why}"),
            None => is.to_owned(),
        }
    }
}

impl EvidenceView {
    /// As people read it: what, and how it is.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("signature", self.signature.words()), ("provenance", self.provenance.words())];
        let source = [("repository", &self.repository), ("workflow", &self.workflow), ("commit", &self.commit), ("issuer", &self.issuer)];
        lines.extend(source.into_iter().filter_map(|(what, text)| Some((what, text.clone()?))));
        if !self.checked.is_empty() {
            lines.push(("checked", self.checked.join(", ")));
        }
        lines.extend(self.unchecked.iter().map(|one| ("not checked", one.clone())));
        lines
    }

    /// With every text put through `clean`.
    pub fn cleaned(&self, clean: impl Fn(&String) -> String) -> EvidenceView {
        let EvidenceView { signature, provenance, repository, workflow, commit, issuer, checked, unchecked } = self;
        let proof = |proof: &ProofView| ProofView { is: proof.is, why: proof.why.as_ref().map(&clean) };
        EvidenceView {
            signature: proof(signature),
            provenance: proof(provenance),
            repository: repository.as_ref().map(&clean),
            workflow: workflow.as_ref().map(&clean),
            commit: commit.as_ref().map(&clean),
            issuer: issuer.as_ref().map(&clean),
            checked: checked.iter().map(&clean).collect(),
            unchecked: unchecked.iter().map(&clean).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_what_is_good_and_what_nobody_can_say() {
        let view = EvidenceView {
            signature: ProofView { is: ProofState::Unavailable, why: Some("its registry tells no keys".to_owned()) },
            provenance: ProofView { is: ProofState::Good, why: None },
            repository: Some("https://git.example/acme/web".to_owned()),
            workflow: None,
            commit: None,
            issuer: None,
            checked: vec!["subject".to_owned(), "signature".to_owned()],
            unchecked: vec!["log: x".to_owned()],
        };
        let lines: Vec<String> = view.lines().iter().map(|(what, text)| format!("{what} | {text}")).collect();
        assert_eq!(
            lines,
            [
                "signature | evidence unavailable: its registry tells no keys",
                "provenance | good",
                "repository | https://git.example/acme/web",
                "checked | subject, signature",
                "not checked | log: x",
            ]
        );
        assert_eq!(view.cleaned(Clone::clone), view);
    }
}
