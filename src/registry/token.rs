//! Tokens: how a [`request`] for one is made, and how the answer is [`read`].
//!
//! The protocol is <https://distribution.github.io/distribution/spec/auth/token/>, with the OAuth 2 flavour of
//! <https://distribution.github.io/distribution/spec/auth/oauth/> for identity tokens.

use std::time::Duration;

use reqwest::{Method, Url};
use serde::Deserialize;

use super::auth::{Scope, basic};
use crate::credentials::Login;
use crate::http::Request;

/// How long a token counts that does not say so, by the token protocol.
const LIFE: u64 = 60;

/// A token server's answer; of the two names, the older comes first.
#[derive(Deserialize)]
struct Token {
    #[serde(rename = "token")]
    docker: Option<String>,
    #[serde(rename = "access_token")]
    oauth: Option<String>,
    expires_in: Option<u64>,
}

/// The request for a token that counts for a scope.
pub(super) fn request(realm: &Url, service: Option<&str>, scope: &Scope, login: Option<&Login>) -> Request {
    let mut url = realm.clone();
    let mut fields = vec![("scope", scope.text())];
    fields.extend(service.map(|service| ("service", service.to_owned())));
    let Some(Login::IdentityToken(token)) = login else {
        url.query_pairs_mut().extend_pairs(&fields);
        let request = Request::new(Method::GET, url);
        return match login {
            Some(Login::Password { username, password }) => basic(request, username, password),
            _ => request,
        };
    };
    fields.push(("grant_type", "refresh_token".to_owned()));
    fields.push(("client_id", "dtbuild".to_owned()));
    fields.push(("refresh_token", token.clone()));
    let mut form = realm.clone();
    form.set_query(None);
    form.query_pairs_mut().extend_pairs(&fields);
    let body = form.query().unwrap_or_default().as_bytes().to_vec();
    Request::new(Method::POST, url).body("application/x-www-form-urlencoded", body)
}

/// The token of an answer and how long it counts; none where there is no token in it.
pub(super) fn read(body: &[u8]) -> Option<(String, Duration)> {
    let token: Token = serde_json::from_slice(body).ok()?;
    // A tenth less: the token must still count when the request arrives.
    let life = Duration::from_secs(token.expires_in.unwrap_or(LIFE).clamp(1, 3600)) * 9 / 10;
    Some((token.docker.or(token.oauth)?, life))
}
