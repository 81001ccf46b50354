//! Transient failures of pushes, which may pass. Start with [`is_transient`].

/// True if the same push may succeed a moment later, judged by the words of dockerd and its HTTP client.
pub(super) fn is_transient(reason: &str) -> bool {
    const REFUSALS: [&str; 12] = [
        "unauthorized",
        "denied",
        "authentication required",
        "authorization failed",
        "forbidden",
        "insufficient_scope",
        "no basic auth",
        "x509",
        "server gave HTTP response to HTTPS client",
        "no space left",
        "insufficient storage",
        "disk quota",
    ];
    const PASSING: [&str; 17] = [
        "timeout",
        "timed out",
        "deadline exceeded",
        "connection reset",
        "connection refused",
        "broken pipe",
        "EOF",
        "too many requests",
        "HTTP 429",
        "toomanyrequests",
        "temporary failure",
        "try again",
        "internal server error",
        "bad gateway",
        "service unavailable",
        "HTTP status: 5",
        "unexpected status: 5",
    ];
    let lower = reason.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(&word.to_lowercase()));
    !says(&REFUSALS) && says(&PASSING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for (reason, transient) in [
            ("received unexpected HTTP status: 503 Service Unavailable", true),
            ("Put \"https://r/v2/\": net/http: TLS handshake timeout", true),
            ("write tcp 10.0.0.1:1->10.0.0.2:443: write: connection reset by peer", true),
            ("Patch \"http://r/v2/\": EOF", true),
            ("toomanyrequests: Rate exceeded", true),
            ("error parsing HTTP 429 response body: unexpected end of JSON input", true),
            (
                "nothing was heard of it for 10 minutes; is the registry up, and can the engine reach it?",
                false,
            ),
            ("unauthorized: authentication required", false),
            ("denied: requested access to the resource is denied", false),
            ("tag does not exist: r/a:b", false),
            ("http: server gave HTTP response to HTTPS client", false),
            ("received unexpected HTTP status: 507 Insufficient Storage", false),
        ] {
            assert_eq!(is_transient(reason), transient, "{reason}");
        }
    }
}
