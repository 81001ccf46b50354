//! Images that have the same digest whenever they are built.

use dtbuild::engine::docker::Docker;
use dtbuild::engine::{BuildRequest, Output};
use dtbuild::reference::{Digest, Reference};

use super::fixture::{Files, another_second, build, engine, manifest, request, variable};

const CONTAINERD: &str = "DTBUILD_TEST_ENGINE_28_CONTAINERD";
const RUN: &str = "FROM busybox:1.36\nRUN mkdir /made && echo a > /made/a\n";
const STAGES: &str = "FROM busybox:1.36 AS build\nWORKDIR /work\nCOPY busybox .\nRUN echo made > made\n\
    FROM busybox:1.36\nWORKDIR /srv\nCOPY --from=build /work /srv/\n";

fn dated(text: &str) -> BuildRequest {
    let mut request = request("dated", text, &Files::with_busybox());
    request.args.insert("SOURCE_DATE_EPOCH".to_owned(), "1234567890".to_owned());
    request.output = Output::Push;
    request.no_cache = true;
    request
}

/// The digests of two builds in which every step runs, the second at another time.
async fn digests(docker: &Docker, request: &BuildRequest) -> [Digest; 2] {
    let first = build(docker, request).await.0.unwrap().pushed.unwrap();
    another_second().await;
    [first, build(docker, request).await.0.unwrap().pushed.unwrap()]
}

fn layers(name: &Reference, digest: &str) -> Vec<String> {
    let manifest = manifest(name, digest);
    let layers = manifest["layers"].as_array().unwrap_or_else(|| panic!("{manifest:#}"));
    layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_image_with_a_time_of_its_own_has_one_digest() {
    let docker = engine(CONTAINERD).await;
    for text in ["FROM scratch\nCOPY busybox /\n", RUN, STAGES] {
        let [first, second] = digests(&docker, &dated(text)).await;
        assert_eq!(first, second, "{text}");
    }
}

#[tokio::test]
async fn the_layers_of_the_base_stay_as_they_are() {
    let docker = engine(CONTAINERD).await;
    let base: Reference =
        format!("{}/library/busybox:1.36", variable("DTBUILD_TEST_MIRROR")).parse().unwrap();
    let base = layers(&base, "1.36");
    for text in [RUN, STAGES] {
        let request = dated(text);
        let digest = build(&docker, &request).await.0.unwrap().pushed.unwrap();
        let layers = layers(&request.names[0], digest.as_str());
        assert!(layers.starts_with(&base) && layers.len() > base.len(), "{base:?} {layers:?}");
    }
}

#[tokio::test]
async fn no_time_is_changed_where_the_layers_of_the_base_would_be_too() {
    let docker = engine(CONTAINERD).await;
    let mut request = dated(RUN);
    request.tells_base_layers = false;
    let [first, second] = digests(&docker, &request).await;
    assert_ne!(first, second);
    request.tells_base_layers = true;
    request.args.clear();
    let [first, second] = digests(&docker, &request).await;
    assert_ne!(first, second);
}
