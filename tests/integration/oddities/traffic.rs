//! Connections, silence, redirections and uploads.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use dtbuild::error::Failure as _;
use dtbuild::registry::{Registry, Settings};
use futures_util::future::join_all;

use super::{Headers, TYPE, closed, repository, tagged};
use crate::support::odd::{Answer, Asked, ME, OddRegistry, Oddity, answer, challenge, with};
use crate::support::registry::{client, fresh_repository};

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
async fn an_upload_is_looked_for_where_the_answer_to_it_is_not_the_usual_one() {
    let is_upload = |asked: &Asked| asked.method == "PUT" && asked.path.contains("/blobs/uploads/");
    let taken = OddRegistry::new(Headers(|asked, real| {
        if asked.method == "PUT" && asked.path.contains("/blobs/uploads/") {
            *real = answer(200, "");
        }
    }));
    client().push_artifact(&tagged(&repository(&taken), "note"), TYPE, b"1").await.unwrap();
    let lost = OddRegistry::new(move |asked: &Asked| is_upload(asked).then(|| answer(200, "<html>")));
    let error = client().push_artifact(&tagged(&repository(&lost), "note"), TYPE, b"1").await.unwrap_err();
    assert!(error.to_string().contains("an upload that it did not finish"), "{error}");
}
