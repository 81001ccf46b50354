//! Manifests: what registries take, and what they say of it.

use dtbuild::error::Failure as _;
use dtbuild::registry::Kind;

use super::{Headers, TYPE, repository, tagged};
use crate::support::odd::{Answer, Asked, ME, OddRegistry, Oddity, answer, challenge, refuse};
use crate::support::registry::client;

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

#[tokio::test]
async fn a_manifest_that_head_does_not_find_is_asked_for_by_get() {
    let odd = OddRegistry::new(|asked: &Asked| {
        (asked.method == "HEAD" && asked.is_manifest()).then(|| answer(404, ""))
    });
    let repository = repository(&odd);
    let note = tagged(&repository, "note");
    let digest = client().push_artifact(&note, TYPE, b"1").await.unwrap();
    let registry = client();
    odd.asked();
    for _ in 0..3 {
        assert_eq!(registry.digest(&note).await.unwrap(), Some(digest.clone()));
        assert_eq!(registry.digest(&tagged(&repository, "other")).await.unwrap(), None);
    }
    let heads = odd.asked().iter().filter(|asked| asked.starts_with("HEAD")).count();
    assert_eq!(heads, 1, "HEAD is not sent again where it did not find what GET finds");
    assert_eq!(client().resolve_base(&note.to_string(), &[]).await.unwrap(), digest);
}

/// A proxy that answers HEAD from its cache alone, in which `cached` is.
#[tokio::test]
async fn a_404_to_head_counts_where_head_has_found_another_manifest_but_not_for_a_base_image() {
    let odd = OddRegistry::new(|asked: &Asked| {
        let lost = asked.method == "HEAD" && asked.is_manifest() && !asked.path.ends_with("/cached");
        lost.then(|| answer(404, ""))
    });
    let repository = repository(&odd);
    let (cached, base) = (tagged(&repository, "cached"), tagged(&repository, "base"));
    client().push_artifact(&cached, TYPE, b"1").await.unwrap();
    let digest = client().push_artifact(&base, TYPE, b"2").await.unwrap();
    let registry = client();
    registry.digest(&cached).await.unwrap();
    odd.asked();
    assert_eq!(registry.digest(&tagged(&repository, "other")).await.unwrap(), None);
    assert_eq!(odd.asked().len(), 1, "a miss costs one request");
    assert_eq!(registry.resolve_base(&base.to_string(), &[]).await.unwrap(), digest);
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
async fn what_a_registry_says_in_detail_is_told() {
    let odd = OddRegistry::new(|asked: &Asked| {
        let put = asked.method == "PUT" && asked.is_manifest();
        let body = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":"too many layers"}]}"#;
        put.then(|| answer(400, body))
    });
    let error = client().push_artifact(&tagged(&repository(&odd), "note"), TYPE, b"1").await.unwrap_err();
    assert!(error.to_string().ends_with("status 400: manifest invalid: too many layers"), "{error}");
}
