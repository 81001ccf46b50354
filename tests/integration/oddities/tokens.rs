//! Token servers, and the challenges that lead to them.

use dtbuild::error::Failure as _;

use super::{CHALLENGE, TYPE, closed, repository, tagged, with_tokens};
use crate::support::odd::{Asked, OddRegistry, answer, challenge};
use crate::support::registry::client;

#[tokio::test]
async fn tokens_are_taken_as_docker_takes_them() {
    for body in [
        r#"{"token":"T","expires_in":300}"#,
        r#"{"access_token":"T","token_type":"Bearer"}"#,
        r#"{"token":"","access_token":"T","expires_in":"300"}"#,
        r#"{"token":null,"access_token":"T","expires_in":null}"#,
        r#"{"token":"T","expires_in":-1,"issued_at":"x","scope":[]}"#,
        r#"{"token":"T","expires_in":99999999999999999999}"#,
    ] {
        let odd = with_tokens(CHALLENGE, move |_| answer(200, body));
        let note = tagged(&repository(&odd), "note");
        let digest = client().push_artifact(&note, TYPE, b"1").await.unwrap();
        assert_eq!(client().digest(&note).await.unwrap(), Some(digest), "{body}");
    }
}

#[tokio::test]
async fn challenges_are_read_as_registries_write_them() {
    for text in [
        r#"Bearer realm="REALM""#,
        r#"bearer realm="REALM",service="r""#,
        r#"Bearer realm = "REALM" , service = "r", error="invalid_token""#,
        r#"Bearer realm="REALM?account=a&foo=b",service="r""#,
        r#"Basic realm="other", Bearer realm="REALM",service="r""#,
    ] {
        let odd = with_tokens(text, |_| answer(200, r#"{"token":"T"}"#));
        let note = tagged(&repository(&odd), "note");
        assert_eq!(client().digest(&note).await.unwrap(), None, "{text}");
        let asked = odd.asked();
        let token = asked.iter().find(|asked| asked.contains("/token")).unwrap();
        assert_eq!(token.contains("account=a&foo=b"), text.contains("account"), "{token}");
        assert!(token.contains("scope=repository%3A"), "{token}");
    }
}

#[tokio::test]
async fn a_token_server_that_fails_is_named_as_that() {
    let dead = closed();
    let address = dead.clone();
    let odd = OddRegistry::new(move |_: &Asked| {
        Some(challenge(&format!(r#"Bearer realm="http://{address}/token",service="r""#)))
    });
    let note = tagged(&repository(&odd), "note");
    let error = client().digest(&note).await.unwrap_err();
    let told = format!("cannot reach the token server `{dead}` of `{}`: Connection refused", odd.host);
    assert!(error.to_string().contains(&told), "{error}");
    assert_eq!(error.hint().unwrap(), "is that server running?");
    for (status, told) in [(404, "rejects the request with status 404"), (500, "failed with status 500")] {
        let odd = with_tokens(CHALLENGE, move |_| answer(status, ""));
        let note = tagged(&repository(&odd), "note");
        let error = client().digest(&note).await.unwrap_err();
        assert!(
            error.to_string().contains(&format!("the token server `{0}` of `{0}` {told}", odd.host)),
            "{error}"
        );
    }
    let odd = with_tokens(CHALLENGE, |_| answer(200, "<html>"));
    let error = client().digest(&tagged(&repository(&odd), "note")).await.unwrap_err();
    let told = format!("the token server `{0}` of `{0}` gave an invalid answer: there is no token", odd.host);
    assert!(error.to_string().contains(&told), "{error}");
}
