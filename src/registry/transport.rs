//! Requests to registries: [`Transport`] sends a [`Call`], authorized.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::auth::{Challenge, Grant, Grants, Logins, Scope};
use super::error::{Kind, Peer, Role};
use super::host::{Host, Hosts};
use super::token;
use crate::credentials::Login;
use crate::http::{Answer, Client, PlainHosts, Request, authority, legible, retry_after};

/// How long a grant by name and password counts: for as long as any run lasts.
const PASSWORD_LIFE: Duration = Duration::from_hours(8);

/// The connections to all registries, and who asks them.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) client: Client,
    pub(super) hosts: Hosts,
    logins: Logins,
    grants: Grants,
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) host: &'a Host,
    pub(super) scope: Scope,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: Option<&'static str>,
    /// The media type and the bytes to send.
    pub(super) body: Option<(&'a str, Vec<u8>)>,
    /// The largest answer, in bytes.
    pub(super) limit: usize,
}

impl Transport {
    pub(super) fn new(insecure: Vec<String>, docker_config: Option<PathBuf>) -> Result<Self, Kind> {
        Ok(Self {
            client: Client::new(PlainHosts::new(insecure)).map_err(Kind::Setup)?,
            hosts: Hosts::default(),
            logins: Logins::new(docker_config),
            grants: Grants::default(),
        })
    }

    /// Sends a request, with a grant where the registry asks for one. The answer has a status below 400, or 404.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, Kind> {
        let grant = match self.grants.challenge(call.host) {
            Some(challenge) => self.grant(call, &challenge, None).await?,
            None => None,
        };
        let first = self.exchange(call, grant.as_ref()).await?;
        if first.status != StatusCode::UNAUTHORIZED {
            return accept(call, first);
        }
        let asked = first.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let unauthorized = || Kind::Unauthorized { host: call.host.name.clone() };
        let challenge = Challenge::parse(asked).ok_or_else(unauthorized)?;
        self.grants.remember(call.host, challenge.clone());
        let next = self.grant(call, &challenge, grant.as_ref()).await?.ok_or_else(unauthorized)?;
        if Some(&next) == grant.as_ref() {
            return Err(self.refusal(call, &first).await);
        }
        let second = self.exchange(call, Some(&next)).await?;
        if second.status == StatusCode::UNAUTHORIZED {
            return Err(self.refusal(call, &second).await);
        }
        accept(call, second)
    }

    /// The meaning of "401": log in, or log in as somebody else.
    async fn refusal(&self, call: &Call<'_>, answer: &Answer) -> Kind {
        let host = call.host.name.clone();
        if let Ok(None) = self.logins.find(call.host).await {
            return Kind::Unauthorized { host };
        }
        let said = said(&answer.body).map_or_else(String::new, |said| format!(": {said}"));
        Kind::Denied { host, reason: format!("the stored credentials are not accepted{said}") }
    }

    async fn exchange(&self, call: &Call<'_>, grant: Option<&Grant>) -> Result<Answer, Kind> {
        let mut request = Request::new(call.method.clone(), call.url.clone());
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, HeaderValue::from_static(accept));
        }
        if let Some((media_type, body)) = &call.body {
            request = request.body(media_type, body.clone());
        }
        // Putting a manifest where it belongs twice does what putting it once does.
        request.repeatable |= call.method == Method::PUT && call.url.path().contains("/manifests/");
        request.limit = call.limit;
        // An upload may be sent on to another host, which the grant does not concern.
        if let Some(grant) = grant.filter(|_| authority(&call.url) == authority(&call.host.root)) {
            request = grant.apply(request);
        }
        let asked = Peer::registry(&call.host.name);
        self.client.send(&request).await.map_err(|error| Kind::from_http(asked, error))
    }

    /// The scope's grant: the one that counts still, unless it is the `refused` one, or a new one.
    async fn grant(
        &self,
        call: &Call<'_>,
        challenge: &Challenge,
        refused: Option<&Grant>,
    ) -> Result<Option<Grant>, Kind> {
        let slot = self.grants.slot(call.host, &call.scope);
        let mut held = slot.lock().await;
        if let Some((grant, until)) = held.as_ref()
            && Some(grant) != refused
            && Instant::now() < *until
        {
            return Ok(Some(grant.clone()));
        }
        let login = self.logins.find(call.host).await?;
        let (grant, life) = match (challenge, login) {
            (Challenge::Basic, Some(Login::Password { username, password })) => {
                (Grant::Basic { user: username, password }, PASSWORD_LIFE)
            }
            (Challenge::Basic, _) => return Ok(None),
            (Challenge::Bearer { realm, service }, login) => {
                self.fetch_token(call, realm, service.as_deref(), login.as_ref()).await?
            }
        };
        *held = Some((grant.clone(), Instant::now() + life));
        Ok(Some(grant))
    }

    async fn fetch_token(
        &self,
        call: &Call<'_>,
        realm: &Url,
        service: Option<&str>,
        login: Option<&Login>,
    ) -> Result<(Grant, Duration), Kind> {
        let peer =
            Peer { role: Role::TokenServer(authority(realm).into()), ..Peer::registry(&call.host.name) };
        let invalid = |reason: &str| Kind::Invalid { peer: peer.clone(), reason: reason.to_owned() };
        if !self.client.plain().accept(realm) {
            return Err(invalid("its token server has an address without TLS"));
        }
        let request = token::request(realm, service, &call.scope, login);
        let answer = self.client.send(&request).await;
        let answer = answer.map_err(|error| Kind::from_http(peer.clone(), error))?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refusal(call, &answer).await),
            status if !status.is_success() => {
                Err(Kind::from_status(peer, status, said(&answer.body), retry_after(&answer.headers)))
            }
            _ => {
                let read = token::read(&answer.body);
                let (token, life) = read.ok_or_else(|| invalid("its token server sent no token"))?;
                Ok((Grant::Bearer { token }, life))
            }
        }
    }
}

/// Takes an answer, or turns its status into an error. 404 is an answer: callers know what is missing.
fn accept(call: &Call<'_>, answer: Answer) -> Result<Answer, Kind> {
    if answer.status.as_u16() < 400 || answer.status == StatusCode::NOT_FOUND {
        return Ok(answer);
    }
    let peer = Peer::registry(&call.host.name);
    Err(Kind::from_status(peer, answer.status, said(&answer.body), retry_after(&answer.headers)))
}

/// What a registry said about an error; none when it said nothing that can be read.
/// The format is of <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.
fn said(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        errors: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        code: String,
        #[serde(default)]
        message: String,
    }
    let said: Said = serde_json::from_slice(body).ok()?;
    let item = said.errors.into_iter().next()?;
    let message = if item.message.is_empty() { item.code } else { item.message };
    Some(legible(&message, 200))
}
