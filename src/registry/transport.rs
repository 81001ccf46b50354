//! Requests to registries: [`Transport`] sends a [`Call`], authorized, bounded and with a second chance.

use std::error::Error;
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::Deserialize;

use super::auth::{Challenge, Grant, Grants, Logins, Scope};
use super::error::{Kind, legible};
use super::host::{Host, Hosts, authority, is_loopback, may_be_plain};
use crate::credentials::Login;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a request may take, its answer included.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// The pauses before the second and third attempt of a request that may be made twice.
const PAUSES: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(600)];

/// The longest pause that a registry may ask for; who asks for more is told so instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The largest answer of a token server, and the largest report of an error, in bytes.
const SMALL_ANSWER: usize = 256 * 1024;

/// How long a token counts that does not say so, by the token protocol.
const TOKEN_LIFE: u64 = 60;

/// The connections to all registries, and who asks them.
#[derive(Debug)]
pub(super) struct Transport {
    /// For other machines: through the proxy that the environment names.
    remote: Client,
    /// For this machine, which no proxy can reach.
    local: Client,
    /// Hosts that may be spoken to without TLS.
    pub(super) insecure: Vec<String>,
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
    pub(super) accept: Option<&'a str>,
    /// The media type and the bytes to send.
    pub(super) body: Option<(&'a str, Vec<u8>)>,
    /// The largest answer, in bytes.
    pub(super) limit: usize,
}

/// An answer with a status below 400, or 404.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where the answer came from, after redirections.
    pub(super) url: Url,
}

impl Call<'_> {
    /// Whether making it twice does what making it once does: asking, and putting a manifest where it belongs.
    fn is_repeatable(&self) -> bool {
        match self.method {
            Method::GET | Method::HEAD => true,
            Method::PUT => self.url.path().contains("/manifests/"),
            _ => false,
        }
    }
}

impl Transport {
    pub(super) fn new(insecure: Vec<String>, docker_config: Option<PathBuf>) -> Result<Self, Kind> {
        let tls = super::tls::config().map_err(|error| Kind::Setup(error.to_string()))?;
        let build = |local: bool| {
            let insecure = insecure.clone();
            // A registry may send elsewhere for a blob, but never from TLS to none.
            let policy = reqwest::redirect::Policy::custom(move |attempt| {
                if attempt.previous().len() > 5 {
                    attempt.error("too many redirections")
                } else if attempt.url().scheme() != "https"
                    && !may_be_plain(&authority(attempt.url()), &insecure)
                {
                    attempt.error("it redirects to an address without TLS")
                } else {
                    attempt.follow()
                }
            });
            let builder = Client::builder()
                .user_agent(concat!("dtbuild/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_LIMIT)
                .timeout(REQUEST_LIMIT)
                .referer(false)
                .tls_backend_preconfigured(tls.clone())
                .redirect(policy);
            let builder = if local { builder.no_proxy() } else { builder };
            builder.build().map_err(|error| Kind::Setup(innermost(&error)))
        };
        Ok(Self {
            remote: build(false)?,
            local: build(true)?,
            insecure,
            hosts: Hosts::default(),
            logins: Logins::new(docker_config),
            grants: Grants::default(),
        })
    }

    /// Sends a request. It gets two more chances when the failure may pass and nothing can be done twice.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, Kind> {
        for pause in PAUSES {
            let result = self.attempt(call).await;
            tokio::time::sleep(match &result {
                // It says that it did nothing.
                Err(Kind::RateLimited { after, .. }) => match after.unwrap_or(pause) {
                    asked if asked <= LONGEST_PAUSE => asked,
                    _ => return result,
                },
                Err(kind) if call.is_repeatable() && kind.is_transient() && !kind.is_refused() => pause,
                _ => return result,
            })
            .await;
        }
        self.attempt(call).await
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Answer, Kind> {
        let grant = match self.grants.challenge(call.host) {
            Some(challenge) => self.grant(call, &challenge, None).await?,
            None => None,
        };
        let first = self.exchange(call, grant.as_ref()).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return finish(call, first).await;
        }
        let asked = first.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let unauthorized = || Kind::Unauthorized { host: call.host.name.clone() };
        let challenge = Challenge::parse(asked).ok_or_else(unauthorized)?;
        self.grants.remember(call.host, challenge.clone());
        let next = self.grant(call, &challenge, grant.as_ref()).await?.ok_or_else(unauthorized)?;
        if Some(&next) == grant.as_ref() {
            return Err(self.refusal(call, &answered(first).await).await);
        }
        let second = self.exchange(call, Some(&next)).await?;
        if second.status() == StatusCode::UNAUTHORIZED {
            return Err(self.refusal(call, &answered(second).await).await);
        }
        finish(call, second).await
    }

    /// What "401" means: log in, or log in as somebody else.
    async fn refusal(&self, call: &Call<'_>, said: &str) -> Kind {
        let host = call.host.name.clone();
        match self.logins.find(call.host).await {
            Ok(None) => Kind::Unauthorized { host },
            _ => Kind::Denied { host, reason: format!("the stored credentials are not accepted{said}") },
        }
    }

    async fn exchange(&self, call: &Call<'_>, grant: Option<&Grant>) -> Result<Response, Kind> {
        let mut request = self.client(&call.url).request(call.method.clone(), call.url.clone());
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some((media_type, body)) = &call.body {
            request = request.header(CONTENT_TYPE, *media_type).body(body.clone());
        }
        // An upload may be sent on to another host, which the grant does not concern.
        if let Some(grant) = grant.filter(|_| authority(&call.url) == authority(&call.host.root)) {
            request = grant.apply(request);
        }
        request.send().await.map_err(|error| Kind::from_transport(&call.host.name, error))
    }

    fn client(&self, url: &Url) -> &Client {
        if url.host_str().is_some_and(is_loopback) { &self.local } else { &self.remote }
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
                (Grant::Basic { user: username, password }, REQUEST_LIMIT * 1000)
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
        let host = &call.host.name;
        let invalid = |reason: &str| Kind::Invalid { host: host.clone(), reason: reason.to_owned() };
        if realm.scheme() != "https" && !may_be_plain(&authority(realm), &self.insecure) {
            return Err(invalid("its token server has an address without TLS"));
        }
        let request = token_request(self.client(realm), realm, service, &call.scope, login);
        let answer = request.send().await.map_err(|error| Kind::from_transport(host, error))?;
        let status = answer.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let said = answered(answer).await;
            return Err(self.refusal(call, &said).await);
        }
        if !status.is_success() {
            return Err(failure(host, status, &answered(answer).await));
        }
        let body = bounded(answer, SMALL_ANSWER, host).await?;
        let token: Token =
            serde_json::from_slice(&body).map_err(|_| invalid("its token server sent no token"))?;
        let text = token.docker.or(token.oauth).ok_or_else(|| invalid("its token server sent no token"))?;
        // A tenth less: the token must still count when the request arrives.
        let life = Duration::from_secs(token.expires_in.unwrap_or(TOKEN_LIFE).clamp(1, 3600)) * 9 / 10;
        Ok((Grant::Bearer { token: text }, life))
    }
}

/// A token server's answer; of the two names, the older comes first.
#[derive(Deserialize)]
struct Token {
    #[serde(rename = "token")]
    docker: Option<String>,
    #[serde(rename = "access_token")]
    oauth: Option<String>,
    expires_in: Option<u64>,
}

fn token_request(
    client: &Client,
    realm: &Url,
    service: Option<&str>,
    scope: &Scope,
    login: Option<&Login>,
) -> reqwest::RequestBuilder {
    let mut url = realm.clone();
    let mut fields = vec![("scope", scope.text())];
    fields.extend(service.map(|service| ("service", service.to_owned())));
    let Some(Login::IdentityToken(token)) = login else {
        url.query_pairs_mut().extend_pairs(&fields);
        let request = client.get(url);
        return match login {
            Some(Login::Password { username, password }) => request.basic_auth(username, Some(password)),
            _ => request,
        };
    };
    fields.push(("grant_type", "refresh_token".to_owned()));
    fields.push(("client_id", "dtbuild".to_owned()));
    fields.push(("refresh_token", token.clone()));
    let mut form = realm.clone();
    form.set_query(None);
    form.query_pairs_mut().extend_pairs(&fields);
    let body = form.query().unwrap_or_default().to_owned();
    client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

/// Reads an answer, or turns its status into an error. 404 is an answer: callers know what is missing.
async fn finish(call: &Call<'_>, mut response: Response) -> Result<Answer, Kind> {
    let status = response.status();
    let host = &call.host.name;
    if status.as_u16() >= 400 && status != StatusCode::NOT_FOUND {
        let after = retry_after(response.headers());
        return Err(match failure(host, status, &answered(response).await) {
            Kind::RateLimited { host, .. } => Kind::RateLimited { host, after },
            kind => kind,
        });
    }
    let (headers, url) = (mem::take(response.headers_mut()), response.url().clone());
    let limit = if status.is_success() { call.limit } else { SMALL_ANSWER };
    let body = if call.method == Method::HEAD { Vec::new() } else { bounded(response, limit, host).await? };
    Ok(Answer { status, headers, body, url })
}

/// How long a registry wants to be left alone: seconds, as far as they are said so.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn failure(host: &str, status: StatusCode, said: &str) -> Kind {
    let host = host.to_owned();
    let said = said.trim_start_matches(": ");
    let known = status.canonical_reason().unwrap_or("no reason given");
    let reason = if said.is_empty() { known } else { said }.to_owned();
    match status.as_u16() {
        401 | 403 => Kind::Denied { host, reason },
        429 => Kind::RateLimited { host, after: None },
        status @ 500.. => Kind::Server { host, status, reason },
        status => Kind::Rejected { host, status, reason },
    }
}

/// What a registry said about an error, after `: `; empty when it said nothing that can be read.
/// The format is of <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.
async fn answered(response: Response) -> String {
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
    let body = bounded(response, SMALL_ANSWER, "").await.unwrap_or_default();
    let said: Option<Said> = serde_json::from_slice(&body).ok();
    let first = said.and_then(|said| said.errors.into_iter().next());
    first.map_or_else(String::new, |item| {
        let message = if item.message.is_empty() { item.code } else { item.message };
        format!(": {}", legible(&message, 200))
    })
}

async fn bounded(mut response: Response, limit: usize, host: &str) -> Result<Vec<u8>, Kind> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Kind::from_transport(host, error))? {
        if body.len() + chunk.len() > limit {
            let reason = format!("it is larger than {limit} bytes");
            return Err(Kind::Invalid { host: host.to_owned(), reason });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn innermost(error: &dyn Error) -> String {
    error.source().map_or_else(|| legible(&error.to_string(), 300), innermost)
}
