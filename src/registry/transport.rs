//! Requests to registries: [`Transport`] sends a [`Call`], authorized.

use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::Settings;
use super::auth::{Challenge, Grant, Grants, Logins, Scope};
use super::error::{Kind, Peer, Role};
use super::host::{Host, Hosts};
use super::quirks::Quirks;
use super::token;
use crate::credentials::Login;
use crate::http::{Answer, Client, PlainHosts, Request, authority, legible, retry_after};

/// The life of a grant by name and password: longer than any run.
const PASSWORD_LIFE: Duration = Duration::from_hours(8);

/// The connections to all registries, with the logins and grants for them.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) client: Client,
    pub(super) hosts: Hosts,
    pub(super) quirks: Quirks,
    pub(super) logins: Logins,
    grants: Grants,
}

/// A request to a registry.
pub(super) struct Call<'a> {
    pub(super) host: &'a Host,
    pub(super) scope: Scope,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: Option<&'static str>,
    /// The media type and the bytes of the request's body.
    pub(super) body: Option<(&'a str, Vec<u8>)>,
    /// The largest answer that is read, in bytes.
    pub(super) limit: usize,
}

/// A registry's reply to a call.
pub(super) enum Reply {
    /// An answer with a status below 400.
    Answer(Answer),
    /// The manifest, blob or repository does not exist (404).
    Missing,
    /// The registry refuses the user or the action (401, 403).
    Refused(Refusal),
    /// The request failed for another reason.
    Failed(Kind),
}

/// The refusal of a registry.
pub(super) struct Refusal {
    pub(super) kind: Kind,
    /// True if the refusal may be about a repository that does not exist yet: the registry accepted the user,
    /// and refuses this repository. Docker Hub, Quay, GHCR and GitLab do so in order not to tell which
    /// repositories exist.
    pub(super) may_hide: bool,
}

/// The meaning of a registry's refusal of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// The repository does not exist yet, and a push makes it: for repositories that dtbuild itself pushes to.
    IsMissing,
    /// The repository exists, and may not be read: for base images.
    IsRefused,
}

impl Transport {
    pub(super) fn new(settings: Settings) -> Result<Self, Kind> {
        let plain = PlainHosts::new(settings.insecure);
        Ok(Self {
            client: Client::new(plain, settings.silence_limit).map_err(Kind::Setup)?,
            hosts: Hosts::default(),
            quirks: Quirks::default(),
            logins: Logins::new(settings.docker_config),
            grants: Grants::default(),
        })
    }

    /// Sends a request, and returns the answer; none where the thing does not exist (404).
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Option<Answer>, Kind> {
        self.look(call, Hidden::IsRefused).await
    }

    /// Sends a request for a thing that the registry may hide, and returns the answer; none where the thing
    /// does not exist, or, with [`Hidden::IsMissing`], may be hidden.
    pub(super) async fn look(&self, call: &Call<'_>, hidden: Hidden) -> Result<Option<Answer>, Kind> {
        match self.ask(call).await? {
            Reply::Answer(answer) => Ok(Some(answer)),
            Reply::Missing => Ok(None),
            Reply::Refused(Refusal { may_hide: true, .. }) if hidden == Hidden::IsMissing => Ok(None),
            Reply::Refused(Refusal { kind, .. }) | Reply::Failed(kind) => Err(kind),
        }
    }

    /// Sends a request, with a grant where the registry asks for one.
    ///
    /// # Errors
    /// Fails when no answer came, or the credentials for the registry cannot be read.
    pub(super) async fn ask(&self, call: &Call<'_>) -> Result<Reply, Kind> {
        let grant = match self.grants.challenge(call.host) {
            Some(challenge) => match self.grant(call, &challenge, None).await? {
                Ok(grant) => grant,
                Err(refusal) => return Ok(Reply::Refused(refusal)),
            },
            None => None,
        };
        let first = self.exchange(call, grant.as_ref()).await?;
        if first.status != StatusCode::UNAUTHORIZED {
            return Ok(reply(call, first));
        }
        let asked = first.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = Challenge::parse(asked) else { return Ok(unauthorized(call)) };
        self.grants.remember(call.host, challenge.clone());
        let next = match self.grant(call, &challenge, grant.as_ref()).await? {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(unauthorized(call)),
            Err(refusal) => return Ok(Reply::Refused(refusal)),
        };
        let second =
            if Some(&next) == grant.as_ref() { first } else { self.exchange(call, Some(&next)).await? };
        if second.status != StatusCode::UNAUTHORIZED {
            return Ok(reply(call, second));
        }
        let accepted = match &next {
            // The token server has accepted the user.
            Grant::Bearer { .. } => true,
            Grant::Basic { .. } => self.lets_in(call, &next).await?,
        };
        Ok(Reply::Refused(self.refusal(call, &second, accepted).await))
    }

    /// The refusal that a status 401 to a request with a grant means: the advice is to log in, or to log in as
    /// another user.
    async fn refusal(&self, call: &Call<'_>, answer: &Answer, accepted: bool) -> Refusal {
        let host = call.host.name.clone();
        let kind = if let Ok(None) = self.logins.find(call.host).await {
            Kind::Unauthorized { host }
        } else {
            let said = said(&answer.body).map_or_else(String::new, |said| format!(": {said}"));
            let verdict = if accepted { "do not allow this" } else { "are not accepted" };
            Kind::Denied { host, reason: format!("the stored credentials {verdict}{said}") }
        };
        Refusal { kind, may_hide: accepted }
    }

    /// True if a registry accepts a name and a password at all. The registry's root is asked, which is no
    /// repository.
    async fn lets_in(&self, call: &Call<'_>, grant: &Grant) -> Result<bool, Kind> {
        let root = Call {
            host: call.host,
            scope: call.scope.clone(),
            method: Method::GET,
            url: call.host.address(""),
            accept: None,
            body: None,
            limit: call.limit,
        };
        Ok(self.exchange(&root, Some(grant)).await?.status != StatusCode::UNAUTHORIZED)
    }

    async fn exchange(&self, call: &Call<'_>, grant: Option<&Grant>) -> Result<Answer, Kind> {
        let mut request = Request::new(call.method.clone(), call.url.clone());
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, HeaderValue::from_static(accept));
        }
        if let Some((media_type, body)) = &call.body {
            request = request.body(media_type, body.clone());
        }
        // Putting a manifest twice has the effect of putting it once.
        request.repeatable |= call.method == Method::PUT && call.url.path().contains("/manifests/");
        request.limit = call.limit;
        // The bytes of an upload may go to another host, for which the grant does not count.
        if let Some(grant) = grant.filter(|_| authority(&call.url) == authority(&call.host.root)) {
            request = grant.apply(request);
        }
        let asked = Peer::registry(&call.host.name);
        self.client.send(&request).await.map_err(|error| Kind::from_http(asked, error))
    }

    /// The grant of the call's scope: the kept grant if it still counts and is not the `refused` one, else a
    /// new grant.
    async fn grant(
        &self,
        call: &Call<'_>,
        challenge: &Challenge,
        refused: Option<&Grant>,
    ) -> Result<Result<Option<Grant>, Refusal>, Kind> {
        let slot = self.grants.slot(call.host, &call.scope);
        let mut held = slot.lock().await;
        if let Some((grant, until)) = held.as_ref()
            && Some(grant) != refused
            && Instant::now() < *until
        {
            return Ok(Ok(Some(grant.clone())));
        }
        let login = self.logins.find(call.host).await?;
        let (grant, life) = match (challenge, login) {
            (_, Some(Login::RegistryToken(token))) => (Grant::Bearer { token }, PASSWORD_LIFE),
            (Challenge::Basic, Some(Login::Password { username, password })) => {
                (Grant::Basic { user: username, password }, PASSWORD_LIFE)
            }
            (Challenge::Basic, _) => return Ok(Ok(None)),
            (Challenge::Bearer { realm, service }, login) => {
                match self.fetch_token(call, realm, service.as_deref(), login.as_ref()).await? {
                    Ok(fetched) => fetched,
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
        };
        *held = Some((grant.clone(), Instant::now() + life));
        Ok(Ok(Some(grant)))
    }

    async fn fetch_token(
        &self,
        call: &Call<'_>,
        realm: &Url,
        service: Option<&str>,
        login: Option<&Login>,
    ) -> Result<Result<(Grant, Duration), Refusal>, Kind> {
        let role = Role::TokenServer(authority(realm).into());
        let peer = Peer { role, ..Peer::registry(&call.host.name) };
        let invalid = |reason: &str| Kind::Invalid { peer: peer.clone(), reason: reason.to_owned() };
        if !self.client.plain().accept(realm) {
            return Err(invalid("its address is one without TLS"));
        }
        let request = token::request(realm, service, &call.scope, login);
        let answer = self.client.send(&request).await;
        let answer = answer.map_err(|error| Kind::from_http(peer.clone(), error))?;
        match answer.status {
            StatusCode::UNAUTHORIZED => Ok(Err(self.refusal(call, &answer, false).await)),
            // The server knows the user, or needs no user, and gives no token for this repository.
            StatusCode::FORBIDDEN => Ok(Err(self.refusal(call, &answer, true).await)),
            status if !status.is_success() => {
                Err(Kind::from_status(peer, status, said(&answer.body), retry_after(&answer.headers)))
            }
            _ => {
                let (token, life) =
                    token::read(&answer.body).ok_or_else(|| invalid("there is no token in it"))?;
                Ok(Ok((Grant::Bearer { token }, life)))
            }
        }
    }
}

/// The reply of a registry that asks for credentials that dtbuild does not have.
fn unauthorized(call: &Call<'_>) -> Reply {
    let kind = Kind::Unauthorized { host: call.host.name.clone() };
    Reply::Refused(Refusal { kind, may_hide: false })
}

/// The reply that an answer's status means.
fn reply(call: &Call<'_>, answer: Answer) -> Reply {
    let peer = Peer::registry(&call.host.name);
    match answer.status {
        StatusCode::NOT_FOUND => Reply::Missing,
        status if status.is_redirection() => {
            Reply::Failed(Kind::invalid(&call.host.name, "it redirects, but not to where a request can go"))
        }
        status if status.as_u16() < 400 => Reply::Answer(answer),
        status => {
            let after = retry_after(&answer.headers);
            let kind = Kind::from_status(peer, status, said(&answer.body), after);
            match status {
                StatusCode::FORBIDDEN => Reply::Refused(Refusal { kind, may_hide: true }),
                _ => Reply::Failed(kind),
            }
        }
    }
}

/// The error message in the body of an answer; none where the body has no message that can be read. The format
/// is that of <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.
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
        #[serde(default)]
        detail: serde_json::Value,
    }
    let said: Said = serde_json::from_slice(body).ok()?;
    let item = said.errors.into_iter().next()?;
    let message = if item.message.is_empty() { item.code } else { item.message };
    let detail = item.detail.as_str().map_or_else(String::new, |detail| format!(": {detail}"));
    Some(legible(&(message + &detail), 200))
}
