//! Repositories that a registry hides until the first push makes them, and credentials that it does not accept.

use dtbuild::error::Failure as _;
use dtbuild::registry::Kind;

use super::{CHALLENGE, TYPE, repository, tagged, with_tokens};
use crate::support::odd::{Answer, Asked, ME, OddRegistry, Oddity, STRANGER, answer, challenge, refuse};
use crate::support::registry::client;

/// Lets `me` in alone, and hides repositories that are not there with a status, as Docker Hub, Quay and GHCR do.
struct Hiding {
    status: u16,
    pushed: std::sync::atomic::AtomicBool,
}

impl Hiding {
    fn new(status: u16) -> Self {
        Self { status, pushed: false.into() }
    }
}

impl Oddity for Hiding {
    fn answer(&self, asked: &Asked) -> Option<Answer> {
        use std::sync::atomic::Ordering::Relaxed;
        if !asked.is_me() {
            return Some(challenge(r#"Basic realm="r""#));
        }
        if matches!(asked.method.as_str(), "POST" | "PUT") {
            self.pushed.store(true, Relaxed);
        }
        if self.pushed.load(Relaxed) || asked.path == "/v2/" {
            return None;
        }
        Some(match self.status {
            401 => challenge(r#"Basic realm="r""#),
            status => refuse(status, "DENIED", "requested access to the resource is denied"),
        })
    }
}

#[tokio::test]
async fn a_repository_that_is_hidden_until_the_first_push_is_not_there() {
    for status in [401, 403, 404] {
        let odd = OddRegistry::new(Hiding::new(status));
        let repository = repository(&odd);
        let (me, note) = (odd.client(ME), tagged(&repository, "note"));
        assert_eq!(me.digest(&note).await.unwrap(), None, "{status}");
        assert_eq!(me.pull_artifact(&note, TYPE, 100).await.unwrap(), None, "{status}");
        let digest = me.push_artifact(&note, TYPE, b"1").await.unwrap();
        assert_eq!(me.digest(&note).await.unwrap(), Some(digest), "{status}");
    }
}

#[tokio::test]
async fn wrong_credentials_hide_nothing() {
    let odd = OddRegistry::new(Hiding::new(401));
    let note = tagged(&repository(&odd), "note");
    let stranger = odd.client(STRANGER);
    let read = stranger.digest(&note).await.unwrap_err();
    let push = stranger.push_artifact(&note, TYPE, b"1").await.unwrap_err();
    let check = stranger.check_push(note.repository()).await.unwrap_err();
    for error in [read, push, check] {
        assert!(error.to_string().contains("the stored credentials are not accepted"), "{error}");
        assert_eq!(
            error.hint().unwrap(),
            format!("run `docker login {}` with an account that may do this", odd.host)
        );
    }
    let anonymous = client().digest(&note).await.unwrap_err();
    assert!(matches!(anonymous.kind(), Kind::Unauthorized { .. }), "{anonymous}");
}

#[tokio::test]
async fn a_push_that_is_refused_says_so_of_an_account_that_is_known() {
    let odd = OddRegistry::new(|asked: &Asked| {
        let refused = !asked.is_me() || asked.path != "/v2/";
        refused.then(|| challenge(r#"Basic realm="r""#))
    });
    let repository = repository(&odd);
    let error = odd.client(ME).check_push(&repository).await.unwrap_err();
    assert!(error.to_string().contains("the stored credentials do not allow this"), "{error}");
}

#[tokio::test]
async fn a_token_without_leave_to_read_means_that_nothing_is_there() {
    let refusing = with_tokens(CHALLENGE, |_| answer(200, r#"{"token":"of no use"}"#));
    let silent = with_tokens(CHALLENGE, |_| refuse(403, "DENIED", "access forbidden"));
    for odd in [&refusing, &silent] {
        let note = tagged(&repository(odd), "note");
        assert_eq!(odd.client(ME).digest(&note).await.unwrap(), None);
        assert_eq!(client().digest(&note).await.unwrap(), None, "whoever it is that asks");
        let push = odd.client(ME).check_push(note.repository()).await.unwrap_err();
        assert!(push.to_string().contains("the stored credentials do not allow this"), "{push}");
        let push = client().check_push(note.repository()).await.unwrap_err();
        assert!(matches!(push.kind(), Kind::Unauthorized { .. }), "{push}");
        let base = client().resolve_base(&note.to_string(), &[]).await.unwrap_err();
        assert!(matches!(base.kind(), Kind::Unauthorized { .. }), "a base image is there: {base}");
    }
    let refusing = with_tokens(CHALLENGE, |_| refuse(401, "UNAUTHORIZED", "wrong password"));
    let note = tagged(&repository(&refusing), "note");
    let error = refusing.client(STRANGER).digest(&note).await.unwrap_err();
    assert!(error.to_string().contains("the stored credentials are not accepted: wrong password"), "{error}");
}
