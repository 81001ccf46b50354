//! Tokens: [`request`] makes the request for a token, and [`read`] reads the answer.
//!
//! The protocol is <https://distribution.github.io/distribution/spec/auth/token/>, with the OAuth 2 flavour of
//! <https://distribution.github.io/distribution/spec/auth/oauth/> for identity tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;

use super::auth::{Scope, basic};
use crate::credentials::Login;
use crate::http::Request;

/// The shortest life of a token by the token protocol, in seconds; also the life of a token without a stated
/// life.
const SHORTEST: f64 = 60.0;

/// The longest time that a token is used, in seconds.
const LONGEST: f64 = 3600.0;

/// The request for a token of a scope.
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

/// The token of an answer and the time for which it is used; none where the answer has no token.
///
/// Of the two names of a token, `token` comes before `access_token`. Servers leave out the other fields, or
/// write them in their own ways: only the token itself is required.
pub(super) fn read(body: &[u8]) -> Option<(String, Duration)> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let answer: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    let field =
        |name: &str| answer.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let text = |name| field(name)?.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let token = text("token").or_else(|| text("access_token"))?;
    let seconds = match field("expires_in") {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(number) => number.as_f64(),
        None => None,
    };
    let seconds = seconds.unwrap_or_default().clamp(SHORTEST, LONGEST);
    // A tenth of the life is left unused: the token must still count when the request arrives.
    let life = Duration::try_from_secs_f64(seconds * 0.9).unwrap_or_default();
    Some((token, life))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_servers_write_them() {
        let seconds = |body: &str| read(body.as_bytes()).map(|(token, life)| (token, life.as_secs()));
        let token = |seconds| Some(("T".to_owned(), seconds));
        for (body, expected) in [
            (r#"{"token":"T","expires_in":300}"#, token(270)),
            (r#"{"access_token":"T","token_type":"Bearer"}"#, token(54)),
            (r#"{"token":"","access_token":"T","expires_in":"300"}"#, token(270)),
            (r#"{"token":null,"access_token":"T","expires_in":null}"#, token(54)),
            (r#"{"token":"T","access_token":"U","expires_in":300.0}"#, token(270)),
            (r#"{"Token":"T","expires_in":0}"#, token(54)),
            (r#"{"token":"T","expires_in":-1}"#, token(54)),
            (r#"{"token":"T","expires_in":99999999999999999999}"#, token(3240)),
            ("\u{feff}{\"token\":\"T\",\"issued_at\":\"x\",\"scope\":[]}", token(54)),
            (r#"{"token":1}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(seconds(body), expected, "{body}");
        }
    }
}
