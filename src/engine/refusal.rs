//! The reasons of failed pushes, and advice for each. Start with [`EngineError::refused`].

use super::EngineError;
use super::transient::is_transient;
use crate::reference::Reference;

/// Words in the messages of engines and registries, with advice for each; the first entry that matches
/// counts.
const ADVICE: [(&[&str], &str); 7] = [
    (
        &[
            "unauthorized",
            "denied",
            "authentication required",
            "authorization failed",
            "forbidden",
            "HTTP 401",
            "HTTP 403",
            "insufficient_scope",
            "no basic auth",
        ],
        "run `docker login {registry}` with an account that may push there",
    ),
    (
        &["no space left", "insufficient storage", "status: 507", "disk quota"],
        "free space at the registry, then run dtbuild again",
    ),
    (
        &["too many requests", "toomanyrequests", "HTTP 429"],
        "wait a little, or log in with `docker login {registry}`",
    ),
    (&["x509", "certificate"], "let the engine trust the authority of the registry's certificate"),
    (
        &["server gave HTTP response to HTTPS client"],
        "give the registry TLS, or name it in the engine's `insecure-registries`",
    ),
    (
        &[
            "internal server error",
            "HTTP status: 5",
            "unexpected status: 5",
            "bad gateway",
            "service unavailable",
        ],
        "see the registry's own log: is its disk full?",
    ),
    (
        &["connection", "timeout", "timed out", "deadline exceeded", "EOF", "broken pipe", "no such host"],
        "can the engine reach the registry?",
    ),
];

impl EngineError {
    /// The error for a push of `reference` that ended with `reason`.
    pub(super) fn refused(reference: &Reference, reason: &str) -> Self {
        let transient = is_transient(reason);
        let registry = reference.repository().registry();
        let hint = advice(reason).map(|advice| advice.replace("{registry}", registry));
        Self::Push { reference: reference.clone(), reason: reason.to_owned(), hint, transient }
    }
}

fn advice(reason: &str) -> Option<&'static str> {
    let lower = reason.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(&word.to_lowercase()));
    ADVICE.iter().find(|(words, _)| says(words)).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure as _;

    #[test]
    fn a_push_that_fails_says_what_to_do() {
        let reference: Reference = "r.example/team/api:1".parse().unwrap();
        for (reason, advice) in [
            ("unauthorized: authentication required", "run `docker login r.example`"),
            ("write /data: no space left on device", "free space at the registry"),
            ("toomanyrequests: Rate exceeded", "wait a little"),
            ("x509: certificate signed by unknown authority", "let the engine trust"),
            ("received unexpected HTTP status: 503 Service Unavailable", "see the registry's own log"),
            ("dial tcp 127.0.0.1:9: connect: connection refused", "can the engine reach the registry?"),
        ] {
            let error = EngineError::refused(&reference, reason);
            assert_eq!(error.to_string(), format!("failed to push `r.example/team/api:1`: {reason}"));
            let hint = error.hint().unwrap();
            assert!(hint.starts_with(advice), "{hint}");
        }
        assert_eq!(EngineError::refused(&reference, "tag does not exist").hint(), None);
    }
}
