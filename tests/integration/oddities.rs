//! Registries that answer otherwise than the reference implementation does: a test per peculiarity, each against an
//! [`OddRegistry`]. `docs/compatibility.md` lists them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use dtbuild::error::Failure as _;
use dtbuild::reference::{Reference, Repository};
use dtbuild::registry::{Kind, Registry, Settings};
use futures_util::future::join_all;

use crate::support::odd::{
    Answer, Asked, ME, OddRegistry, Oddity, STRANGER, answer, challenge, refuse, with,
};
use crate::support::registry::{client, fresh_repository};

const TYPE: &str = "application/vnd.example.note.v1+json";

/// A repository at an odd registry, which is not there yet.
fn repository(odd: &OddRegistry) -> Repository {
    fresh_repository(&odd.host)
}

fn tagged(repository: &Repository, tag: &str) -> Reference {
    repository.tagged(tag).unwrap()
}

/// An address at which nobody listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

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

/// A registry with a token server, which gives the token `T` by this answer.
fn with_tokens(
    challenge_text: &'static str,
    token: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> OddRegistry {
    OddRegistry::new(move |asked: &Asked| {
        if asked.path.starts_with("/token") {
            return Some(token(asked));
        }
        let known = asked.authorization.as_deref() == Some("Bearer T");
        (!known).then(|| challenge(&challenge_text.replace("REALM", &format!("http://{}/token", asked.host))))
    })
}

const CHALLENGE: &str = r#"Bearer realm="REALM",service="r",scope="repository:x:pull""#;

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

/// Takes the media types of images alone, as GitLab's registry does.
fn knowing_images_alone(asked: &Asked) -> Option<Answer> {
    if asked.method != "PUT" || !asked.is_manifest() {
        return None;
    }
    let known = ["application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"];
    let manifest: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter().map(|layer| &layer["mediaType"]);
    let mut types = layers.chain([&manifest["config"]["mediaType"], &manifest["artifactType"]]);
    let unknown = types.find(|named| named.as_str().is_some_and(|named| !known.contains(&named)))?;
    let detail = format!("unknown media type: {}", unknown.as_str().unwrap());
    let error =
        serde_json::json!({ "code": "MANIFEST_INVALID", "message": "manifest invalid", "detail": detail });
    Some(answer(400, serde_json::json!({ "errors": [error] }).to_string()))
}

#[tokio::test]
async fn an_artifact_is_an_image_where_nothing_else_is_taken() {
    let odd = OddRegistry::new(knowing_images_alone);
    let note = tagged(&repository(&odd), "note");
    let registry = client();
    for content in [&b"1"[..], b"2"] {
        let digest = registry.push_artifact(&note, TYPE, content).await.unwrap();
        let read = client().pull_artifact(&note, TYPE, 100).await.unwrap().unwrap();
        assert_eq!((read.digest, read.content.as_slice()), (digest, content));
    }
    let refused =
        odd.asked().iter().filter(|asked| asked.starts_with("PUT") && asked.contains("/manifests/")).count();
    assert_eq!(refused, 3, "a registry is asked once whether it takes artifacts");
    let other = client().pull_artifact(&note, "application/vnd.other", 100).await.unwrap_err();
    assert!(other.to_string().contains(TYPE), "{other}");
}

#[tokio::test]
async fn get_answers_where_head_is_refused() {
    for status in [401, 403, 405] {
        let odd = OddRegistry::new(move |asked: &Asked| {
            let head = asked.method == "HEAD" && asked.is_manifest();
            match status {
                401 if asked.authorization.is_none() => Some(challenge(r#"Basic realm="r""#)),
                401 => head.then(|| challenge(r#"Basic realm="r""#)),
                status => head.then(|| answer(status, "")),
            }
        });
        let repository = repository(&odd);
        let (registry, note) = (odd.client(ME), tagged(&repository, "note"));
        let digest = registry.push_artifact(&note, TYPE, b"1").await.unwrap();
        odd.asked();
        for _ in 0..2 {
            assert_eq!(registry.digest(&note).await.unwrap(), Some(digest.clone()), "{status}");
        }
        let heads = odd.asked().iter().filter(|asked| asked.starts_with("HEAD")).count();
        assert!(heads <= 2, "HEAD is not sent again where it was refused: {heads}");
        assert_eq!(registry.digest(&tagged(&repository, "other")).await.unwrap(), None, "{status}");
        assert_eq!(registry.move_tag(&note, "moved").await.unwrap(), digest, "{status}");
    }
}

/// Leaves out, or changes, what the real registry says of manifests.
struct Headers(fn(&Asked, &mut Answer));

impl Oddity for Headers {
    fn answer(&self, _: &Asked) -> Option<Answer> {
        None
    }

    fn change(&self, asked: &Asked, answer: &mut Answer) {
        (self.0)(asked, answer);
    }
}

#[tokio::test]
async fn manifests_are_known_by_their_bytes_where_headers_do_not_tell() {
    let changes: [fn(&Asked, &mut Answer); 4] = [
        |_, answer| drop(answer.headers_mut().remove("docker-content-digest")),
        |_, answer| drop(answer.headers_mut().remove("content-type")),
        |_, answer| {
            drop(answer.headers_mut().insert("content-type", "application/octet-stream".parse().unwrap()));
        },
        |_, answer| {
            let stated = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
            let stated = format!("{}; charset=utf-8", stated.unwrap_or_default());
            answer.headers_mut().insert("content-type", stated.parse().unwrap());
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let odd = OddRegistry::new(Headers(change));
        let note = tagged(&repository(&odd), "note");
        let digest = client().push_artifact(&note, TYPE, b"1").await.unwrap();
        assert_eq!(client().digest(&note).await.unwrap(), Some(digest.clone()), "{number}");
        assert_eq!(client().move_tag(&note, "moved").await.unwrap(), digest, "{number}");
        assert!(client().pull_artifact(&note, TYPE, 100).await.unwrap().is_some(), "{number}");
    }
}

#[tokio::test]
async fn a_manifest_is_read_back_where_the_answer_to_it_says_nothing() {
    let page = "<!doctype html><title>Log in</title>";
    let put = |asked: &Asked| asked.method == "PUT" && asked.is_manifest();
    // Took the manifest, and says so in its own way.
    for (status, body) in [(200, page), (200, ""), (201, ""), (202, "")] {
        struct Wordless(u16, &'static str);
        impl Oddity for Wordless {
            fn answer(&self, _: &Asked) -> Option<Answer> {
                None
            }
            fn change(&self, asked: &Asked, real: &mut Answer) {
                if asked.method == "PUT" && asked.is_manifest() {
                    *real = answer(self.0, self.1);
                }
            }
        }
        let odd = OddRegistry::new(Wordless(status, body));
        let note = tagged(&repository(&odd), "note");
        let digest = client().push_artifact(&note, TYPE, b"1").await.unwrap();
        assert_eq!(client().digest(&note).await.unwrap(), Some(digest), "{status}");
    }
    // A page in front of a registry that took nothing.
    for (status, body) in [(200, page), (200, ""), (302, "")] {
        let odd = OddRegistry::new(move |asked: &Asked| put(asked).then(|| answer(status, body)));
        let note = tagged(&repository(&odd), "note");
        let error = client().push_artifact(&note, TYPE, b"1").await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Invalid { .. }), "{status}: {error}");
    }
    let odd = OddRegistry::new(move |asked: &Asked| put(asked).then(|| answer(204, "")));
    client().push_artifact(&tagged(&repository(&odd), "note"), TYPE, b"1").await.unwrap();
}

#[tokio::test]
async fn a_tag_that_cannot_be_moved_is_told_as_that() {
    for (status, code, message) in [
        (
            400,
            "TAG_INVALID",
            "The image tag 'staging' already exists in the 'site' repository and cannot be overwritten because the repository is immutable.",
        ),
        (412, "PRECONDITION", "Failed to process request due to 'site:staging' configured as immutable."),
        (409, "CONFLICT", "tag is immutable"),
        (403, "DENIED", "Repository does not allow updating assets: site"),
    ] {
        let odd = OddRegistry::new(move |asked: &Asked| {
            let moved = asked.method == "PUT" && asked.path.ends_with("/manifests/staging");
            moved.then(|| refuse(status, code, message))
        });
        let note = tagged(&repository(&odd), "key-1");
        let digest = client().push_artifact(&note, TYPE, b"1").await.unwrap();
        let error = client().move_tag(&note, "staging").await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Immutable { tag, .. } if tag == "staging"), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(
            error.hint().unwrap().contains("except `staging` from the registry's rule for immutable tags")
        );
        assert_eq!(client().move_tag(&note, "key-1").await.unwrap(), digest, "it is there already");
    }
}

#[tokio::test]
async fn a_registry_gets_32_connections_whatever_is_asked() {
    // Real registries of this kind fail where one manifest gets hundreds of tags at a time.
    let odd = OddRegistry::new(|asked: &Asked| {
        let tag = asked.is_manifest() && !asked.path.ends_with("/note");
        tag.then(|| answer(if asked.method == "PUT" { 204 } else { 404 }, ""))
    });
    let repository = repository(&odd);
    let (registry, note) = (client(), tagged(&repository, "note"));
    let digest = registry.push_artifact(&note, TYPE, b"1").await.unwrap();
    let tags: Vec<String> = (0..300).map(|number| format!("t{number}")).collect();
    let moved = join_all(tags.iter().map(|tag| registry.move_tag(&note, tag))).await;
    assert!(moved.into_iter().all(|moved| moved.unwrap() == digest));
    assert!(odd.most_connections() <= 32, "{}", odd.most_connections());
}

#[tokio::test]
async fn a_silent_registry_is_given_up_after_the_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let repository = fresh_repository(&silent.local_addr().unwrap().to_string());
    let silence_limit = Some(Duration::from_secs(1));
    let registry = Registry::new(Settings { silence_limit, ..Settings::default() }).unwrap();
    let started = Instant::now();
    let references: Vec<_> = (0..70).map(|number| tagged(&repository, &format!("t{number}"))).collect();
    let error = registry.digests(&references).await.unwrap_err();
    assert!(error.to_string().contains("nothing was heard of it for 1 seconds"), "{error}");
    assert!(error.hint().unwrap().contains("--silence-limit"));
    for _ in 0..5 {
        registry.check_push(&repository).await.unwrap_err();
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
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

/// Sends who asks for a blob elsewhere, and wants to be told who asks.
struct Redirecting(String);

impl Oddity for Redirecting {
    fn answer(&self, asked: &Asked) -> Option<Answer> {
        if !asked.is_me() {
            return Some(challenge(r#"Basic realm="r""#));
        }
        let blob = asked.method == "GET" && asked.path.contains("/blobs/");
        blob.then(|| with(answer(307, ""), "location", &format!("http://{}{}", self.0, asked.path)))
    }
}

#[tokio::test]
async fn blobs_elsewhere_are_fetched_without_the_credentials() {
    let store = OddRegistry::new(|asked: &Asked| {
        asked.authorization.as_ref().map(|_| answer(400, "Only one auth mechanism allowed"))
    });
    let odd = OddRegistry::new(Redirecting(store.host.clone()));
    let (me, note) = (odd.client(ME), tagged(&repository(&odd), "note"));
    me.push_artifact(&note, TYPE, b"1").await.unwrap();
    assert_eq!(me.pull_artifact(&note, TYPE, 100).await.unwrap().unwrap().content, b"1");
    assert_eq!(store.asked().len(), 1);
}

#[tokio::test]
async fn a_dead_redirect_target_is_named_as_that() {
    let dead = closed();
    let odd = OddRegistry::new(Redirecting(dead.clone()));
    let (me, note) = (odd.client(ME), tagged(&repository(&odd), "note"));
    me.push_artifact(&note, TYPE, b"1").await.unwrap();
    let error = me.pull_artifact(&note, TYPE, 100).await.unwrap_err();
    let told = format!("cannot reach the redirect target `{dead}` of `{}`: Connection refused", odd.host);
    assert!(error.to_string().contains(&told), "{error}");
}

#[tokio::test]
async fn an_upload_may_go_on_at_a_relative_address() {
    let odd = OddRegistry::new(Headers(|asked, answer| {
        let location = answer.headers().get("location").map(|location| location.to_str().unwrap().to_owned());
        if let Some(location) = location {
            let relative = location.replace(&format!("http://{}", asked.host), "");
            answer.headers_mut().insert("location", relative.parse().unwrap());
        }
    }));
    client().push_artifact(&tagged(&repository(&odd), "note"), TYPE, b"1").await.unwrap();
}

#[tokio::test]
async fn what_a_registry_says_in_detail_is_told() {
    let odd = OddRegistry::new(|asked: &Asked| {
        let put = asked.method == "PUT" && asked.is_manifest();
        let body = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":"too many layers"}]}"#;
        put.then(|| answer(400, body))
    });
    let error = client().push_artifact(&tagged(&repository(&odd), "note"), TYPE, b"1").await.unwrap_err();
    assert!(error.to_string().ends_with("status 400: manifest invalid: too many layers"), "{error}");
}
