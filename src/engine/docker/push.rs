//! Pushes through dockerd's API. Start with [`push`].
//!
//! bollard has a `push_image`, but its answers lack the digest and the layer that a progress belongs to. So
//! the request is made here; the answer is one JSON object per line (`PushImageInfo` of the Engine API).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;

use crate::config::ImageName;
use crate::credentials::{Login, stored_login};
use crate::engine::EngineError;
use crate::engine::endpoint::{Answer, Endpoint};
use crate::engine::patience::Patience;
use crate::events::{Event, EventSink};
use crate::loopback::is_loopback;
use crate::reference::{Digest, Reference};

/// The longest line of an answer, in bytes; a longer one is not Docker's.
const LINE_LIMIT: usize = 256 * 1024;
/// The number of layers that are told apart in the progress; further layers are counted together.
const LAYER_LIMIT: usize = 256;
/// The least time between two progress events.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// A line of the engine's answer to a push.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    id: Option<String>,
    status: Option<String>,
    #[serde(rename = "progressDetail")]
    progress: Option<Amount>,
    error: Option<String>,
    aux: Option<Aux>,
}

/// The progress of a layer, in bytes. Docker sends an empty object if there is nothing to say.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Amount {
    current: u64,
    total: u64,
}

#[derive(Debug, Deserialize)]
struct Aux {
    #[serde(rename = "Digest")]
    digest: Option<String>,
}

/// The follower of one push.
struct Follower<'a> {
    image: &'a ImageName,
    events: &'a EventSink,
    layers: BTreeMap<String, Amount>,
    told: Option<Instant>,
    digest: Option<Digest>,
    /// The number of times that the engine sent layers again of its own accord.
    again: u32,
    /// The last countdown until the engine sends a layer again, in seconds, by layer.
    countdowns: BTreeMap<String, u64>,
}

/// Pushes the image `reference` of the store, and returns the manifest's digest at the registry.
pub(super) async fn push(
    endpoint: &Endpoint,
    image: &ImageName,
    reference: &Reference,
    events: &EventSink,
) -> Result<Digest, EngineError> {
    let failed = |reason: String| EngineError::refused(reference, &reason);
    let tag = reference.tag().ok_or_else(|| failed("only tags can be pushed; give it one".to_owned()))?;
    let login = stored_login(reference.repository().registry()).await;
    let login = login.map_err(|error| failed(error.with_hint()))?;
    let repository = reference.repository();
    // Docker speaks to registries of this machine without TLS; podman does when it is told so.
    let plain = if is_loopback(repository.registry()) { "&tlsVerify=false" } else { "" };
    let request = Request::post(format!("/images/{repository}/push?tag={tag}{plain}"))
        .header("X-Registry-Auth", registry_auth(login.as_ref()))
        .body(Full::<Bytes>::default())
        .map_err(|error| failed(error.to_string()))?;
    let mut answer = endpoint.send(request).await?;
    if !answer.response.status().is_success() {
        return Err(failed(answer.error_text().await));
    }
    let mut follower = Follower::new(image, events);
    let ended = follower.follow(&mut answer, endpoint.patience()).await;
    ended.map_err(|reason| match failed(reason) {
        // The engine tried several times, minutes apart, so the push is not tried several times more.
        EngineError::Push { reference, reason, hint, .. } if follower.again > 0 => {
            EngineError::Push { reference, reason, hint, transient: false }
        }
        error => error,
    })?;
    follower.tell();
    follower.digest.ok_or_else(|| failed("the engine did not tell the digest".to_owned()))
}

/// The value of the header that carries a login: URL-safe base64 of JSON, `{}` to push anonymously.
fn registry_auth(login: Option<&Login>) -> String {
    let value = match login {
        None => serde_json::json!({}),
        Some(Login::Password { username, password }) => {
            serde_json::json!({ "username": username, "password": password })
        }
        Some(Login::IdentityToken(token)) => serde_json::json!({ "identitytoken": token }),
        Some(Login::RegistryToken(token)) => serde_json::json!({ "registrytoken": token }),
    };
    URL_SAFE.encode(value.to_string())
}

impl<'a> Follower<'a> {
    fn new(image: &'a ImageName, events: &'a EventSink) -> Self {
        Self {
            image,
            events,
            layers: BTreeMap::new(),
            told: None,
            digest: None,
            again: 0,
            countdowns: BTreeMap::new(),
        }
    }

    async fn follow(&mut self, answer: &mut Answer, patience: &Patience) -> Result<(), String> {
        let mut buffer: Vec<u8> = Vec::new();
        loop {
            let frame = patience.wait(answer.response.body_mut().frame()).await;
            let frame = frame.map_err(|silence| {
                let what = "is the registry up, and can the engine reach it?";
                format!(
                    "nothing was heard of it for {silence}; {what} `--silence-limit` sets how long is waited"
                )
            })?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| format!("connection reset: {error}"))?;
            let Ok(data) = frame.into_data() else { continue };
            buffer.extend_from_slice(&data);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                self.line(&line)?;
            }
            if buffer.len() > LINE_LIMIT {
                return Err("the engine's answer is not one of Docker's".to_owned());
            }
        }
        if buffer.is_empty() { Ok(()) } else { self.line(&buffer) }
    }

    /// Takes a line of the answer. The error is the engine's own message.
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { return Ok(()) };
        if let Some(error) = line.error {
            return Err(error);
        }
        let told = line.aux.and_then(|aux| aux.digest);
        let status = line.status.unwrap_or_default();
        // `latest: digest: sha256:... size: 527`, from engines that send no `aux`.
        let told = told.or_else(|| status.split("digest: ").nth(1)?.split(' ').next().map(str::to_owned));
        if let Some(digest) = told.and_then(|digest| digest.parse().ok()) {
            self.digest = Some(digest);
        }
        if let Some(id) = &line.id {
            self.count_down(id, &status);
        }
        if let (Some(id), Some(amount)) = (line.id, line.progress) {
            self.progress(id, &status, amount);
        }
        Ok(())
    }

    /// Tells that the engine is going to send a layer again; the engine counts the seconds until then, line
    /// by line.
    fn count_down(&mut self, id: &str, status: &str) {
        let seconds =
            status.strip_prefix("Retrying in ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let Some(seconds) = seconds else { return };
        let id = if self.countdowns.len() < LAYER_LIMIT { id } else { "" };
        let before = self.countdowns.insert(id.to_owned(), seconds);
        if before.is_none_or(|before| seconds > before) {
            self.again += 1;
            let reason =
                format!("the registry did not take a layer; the engine sends it again in {seconds} seconds");
            let (image, attempt) = (self.image.clone(), self.again + 1);
            self.events.send(Event::Retrying { image, reason, attempt });
        }
    }

    fn progress(&mut self, id: String, status: &str, amount: Amount) {
        let id = if self.layers.len() < LAYER_LIMIT { id } else { String::new() };
        match status {
            // The last report can be short of the end, and the total is an estimate before compression.
            "Pushed" => {
                if let Some(layer) = self.layers.get_mut(&id) {
                    layer.current = layer.total;
                }
            }
            "Pushing" if amount.total > 0 => {
                let current = amount.current.min(amount.total);
                self.layers.insert(id, Amount { current, ..amount });
            }
            _ => return,
        }
        if self.told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if self.layers.is_empty() {
            return;
        }
        self.told = Some(Instant::now());
        let sum = |part: fn(&Amount) -> u64| self.layers.values().map(part).sum();
        self.events.send(Event::PushProgress {
            image: self.image.clone(),
            sent: sum(|layer| layer.current),
            total: sum(|layer| layer.total),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_line_by_line() {
        let (sink, mut events) = EventSink::channel();
        let image = "api".parse().unwrap();
        let mut follower = Follower::new(&image, &sink);
        let digest = format!("sha256:{}", "ab".repeat(32));
        let lines = [
            r#"{"status":"The push refers to repository [x]"}"#.to_owned(),
            r#"{"status":"Preparing","progressDetail":{},"id":"a"}"#.to_owned(),
            r#"{"status":"Layer already exists","progressDetail":{},"id":"b"}"#.to_owned(),
            r#"{"status":"Pushing","progressDetail":{"current":512,"total":1000},"progress":"[=>]","id":"a"}"#.to_owned(),
            r#"{"status":"Pushing","progressDetail":{"current":2048,"total":1000},"id":"a"}"#.to_owned(),
            r#"{"status":"Pushed","progressDetail":{},"id":"a"}"#.to_owned(),
            format!(r#"{{"status":"latest: digest: {digest} size: 527"}}"#),
        ];
        for line in lines {
            follower.line(line.as_bytes()).unwrap();
        }
        follower.tell();
        assert_eq!(follower.digest.unwrap().as_str(), digest);
        let mut told = Vec::new();
        while let Ok(Event::PushProgress { sent, total, .. }) = events.try_recv() {
            told.push((sent, total));
        }
        assert_eq!((told[0], *told.last().unwrap()), ((512, 1000), (1000, 1000)));
    }

    #[test]
    fn layers_that_the_engine_sends_again_are_told_once_for_each_time() {
        let (sink, mut events) = EventSink::channel();
        let image = "api".parse().unwrap();
        let mut follower = Follower::new(&image, &sink);
        for (id, seconds) in [("a", 5), ("a", 4), ("b", 5), ("a", 3), ("b", 4), ("a", 10), ("a", 9), ("b", 3)]
        {
            let line =
                format!(r#"{{"status":"Retrying in {seconds} seconds","progressDetail":{{}},"id":"{id}"}}"#);
            follower.line(line.as_bytes()).unwrap();
            follower.line(br#"{"status":"Waiting","progressDetail":{},"id":"c"}"#).unwrap();
        }
        let mut told = Vec::new();
        while let Ok(Event::Retrying { reason, attempt, .. }) = events.try_recv() {
            told.push((reason.rsplit_once("again in ").unwrap().1.to_owned(), attempt));
        }
        let expected = [("5 seconds", 2), ("5 seconds", 3), ("10 seconds", 4)];
        assert_eq!(told, expected.map(|(time, attempt)| (time.to_owned(), attempt)));
    }

    #[test]
    fn an_error_ends_the_answer() {
        let image = "api".parse().unwrap();
        let sink = EventSink::channel().0;
        let mut follower = Follower::new(&image, &sink);
        let line = br#"{"errorDetail":{"message":"denied"},"error":"denied"}"#;
        assert_eq!(follower.line(line).unwrap_err(), "denied");
    }

    #[test]
    fn a_login_is_one_header() {
        assert_eq!(registry_auth(None), "e30=");
        let login = Login::Password { username: "u".to_owned(), password: "p".to_owned() };
        let json = URL_SAFE.decode(registry_auth(Some(&login))).unwrap();
        assert_eq!(json, br#"{"password":"p","username":"u"}"#);
    }
}
