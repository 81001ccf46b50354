//! Engines on other machines: over TLS, over ssh, and buildkitd.

use std::os::unix::fs::PermissionsExt as _;

use dtbuild::config::{BuildOptions, CacheEntry};
use dtbuild::engine::buildkitd::Buildkitd;
use dtbuild::engine::docker::Docker;
use dtbuild::engine::endpoint::Endpoint;
use dtbuild::engine::{AnyEngine, Engine, EngineError, Output};
use dtbuild::events::EventSink;

use super::bridge::{Bridge, Certificates, Side};
use super::fixture::{
    Files, build, digest_at_registry, docker, failure, has_buildkit, logs, noise, request, script, unique,
    variable,
};
use crate::support::dtbuild::{Dtbuild, project};

#[tokio::test]
async fn dockerd_is_reached_over_tls() {
    let certificates = Certificates::new();
    let bridge = Bridge::to(&variable("DOCKER_HOST"), Side::Docker, Some(&certificates)).await;
    let address = format!("tcp://{}", bridge.address);
    let endpoint = Endpoint::parse(&address, Some(&certificates.client())).unwrap();
    let docker = Docker::at(endpoint).await.unwrap();
    let request = request("over-tls", &script("true"), &Files::with_busybox());
    build(&docker, &request).await.0.unwrap();
    assert!(docker.holds(&request.names[0]).await.unwrap());
}

#[tokio::test]
async fn who_cannot_be_verified_is_not_talked_to() {
    let certificates = Certificates::new();
    let bridge = Bridge::to(&variable("DOCKER_HOST"), Side::Docker, Some(&certificates)).await;
    let address = format!("tcp://{}", bridge.address);
    let another = Certificates::new();
    for folder in [another.client(), certificates.stranger()] {
        let error = Docker::at(Endpoint::parse(&address, Some(&folder)).unwrap()).await.unwrap_err();
        assert!(matches!(error, EngineError::Address { .. }), "{error}");
    }
    assert!(Docker::at(Endpoint::parse(&address, None).unwrap()).await.is_err(), "without TLS");
}

#[tokio::test]
async fn buildkitd_gets_files_over_its_own_session() {
    let certificates = Certificates::new();
    let bridge =
        Bridge::to(&variable("DTBUILD_TEST_ENGINE_28_CONTAINERD"), Side::BuildKit, Some(&certificates)).await;
    let address = format!("buildkit+tcp://{}", bridge.address);
    let endpoint = Endpoint::parse(&address, Some(&certificates.client())).unwrap();
    let engine = Buildkitd::connect(endpoint).await.unwrap();
    assert!(engine.to_string().starts_with("buildkitd"), "{engine}");
    let files = Files::with_busybox().file("large.bin", noise(9 << 20)).file("hello", "there");
    let text = script("/bin/busybox cat /c/hello; exit 3");
    let mut failing = request("over-buildkit", &text, &files);
    failing.output = Output::Push;
    failing.no_cache = true;
    failing.dockerfile_path = unique("over-buildkit").to_string().into();
    let (result, events) = build(&engine, &failing).await;
    let failure = failure(result);
    assert_eq!((failure.line, failure.exit_code), (Some(4), Some(3)), "{failure:?}");
    assert_eq!(logs(&events), ["there"]);

    failing.output = Output::Load;
    let (result, _) = build(&engine, &failing).await;
    assert!(matches!(result, Err(EngineError::Unsupported { .. })), "{result:?}");
}

#[tokio::test]
async fn buildkitd_pushes_what_the_registry_then_serves() {
    let socket = variable("DTBUILD_TEST_ENGINE_28_CONTAINERD");
    let certificates = Certificates::new();
    let bridge = Bridge::to(&socket, Side::BuildKit, Some(&certificates)).await;
    let address = format!("buildkit+tcp://{}", bridge.address);
    let endpoint = Endpoint::parse(&address, Some(&certificates.client())).unwrap();
    let engine = AnyEngine::connect(endpoint).await.unwrap();
    assert!(engine.mirrors().await.unwrap().is_empty());
    let mut request = request("buildkit-pushed", &script("true"), &Files::with_busybox());
    request.output = Output::Push;
    let (result, _) = build(&engine, &request).await;
    let name = &request.names[0];
    assert_eq!(result.unwrap().pushed.unwrap().as_str(), digest_at_registry(name).await);
    assert!(matches!(engine.holds(name).await, Err(EngineError::Unsupported { .. })));
    let pushed = engine.push(&request.image, name, &EventSink::channel().0).await;
    assert!(matches!(pushed, Err(EngineError::Unsupported { .. })));
}

#[tokio::test]
async fn buildkitd_brings_its_cache_to_a_folder_of_this_machine() {
    let socket = variable("DTBUILD_TEST_ENGINE_28_CONTAINERD");
    let bridge = Bridge::to(&socket, Side::BuildKit, None).await;
    let endpoint = Endpoint::parse(&format!("buildkit+tcp://{}", bridge.address), None).unwrap();
    let engine = Buildkitd::connect(endpoint).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mark = unique("mark").to_string();
    let files = Files::default().file("one", mark.as_str()).file("large", noise(9 << 20));
    let mut request = request("buildkit-cache", "FROM scratch\nCOPY one large /\n", &files);
    request.output = Output::Push;
    let cache = |name: &str| CacheEntry {
        kind: "local".to_owned(),
        attributes: [(name.to_owned(), folder.path().display().to_string())].into(),
    };
    request.options.cache_to = vec![cache("dest")];
    assert_eq!(build(&engine, &request).await.0.unwrap().steps.cached, 0);

    // An engine of another store has the step only there.
    let other = super::fixture::engine("DTBUILD_TEST_ENGINE_28").await;
    request.output = Output::Load;
    request.options = BuildOptions { cache_from: vec![cache("src")], ..BuildOptions::default() };
    let (result, events) = build(&other, &request).await;
    let steps = result.unwrap().steps;
    assert_eq!((steps.total, steps.cached), (1, 1), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_what_a_buildkitd_can_and_builds_for() {
    let bridge = Bridge::to(&variable("DTBUILD_TEST_ENGINE_28_CONTAINERD"), Side::BuildKit, None).await;
    let repo = project().commit("first");
    let dtbuild =
        Dtbuild::new(&repo).variable("DTBUILD_ENGINE", format!("buildkit+tcp://{}", bridge.address));
    let told: serde_json::Value = serde_json::from_str(&dtbuild.run(["doctor", "--json"]).stdout).unwrap();
    let engine = &told["engines"][0];
    assert_eq!((&engine["engine"], &engine["store"]), (&"buildkitd".into(), &serde_json::Value::Null));
    let has = |field: &str, item: &str| engine[field].as_array().unwrap().contains(&item.into());
    assert!(has("platforms", "linux/amd64") && has("features", "indexes"), "{engine:#}");
    assert!(has("cache_to", "s3") && has("cache_from", "local"), "{engine:#}");
    let text = dtbuild.run(["doctor"]).stdout;
    assert!(text.contains("ok      engine") && text.contains("keeps no images"), "{text}");
}

/// A folder for `PATH` with this script as `ssh`.
fn ssh(script: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ssh");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let with = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    (folder, with)
}

#[tokio::test]
async fn dockerd_is_reached_over_ssh() {
    let repo = project().commit("first");
    let host = variable("DOCKER_HOST");
    let (folder, path) = ssh(&format!(
        "echo \"$@\" >> \"$(dirname \"$0\")/asked\"\nexec docker --host {host} system dial-stdio"
    ));
    let dtbuild = Dtbuild::new(&repo).variable("PATH", path).variable("DOCKER_HOST", "ssh://me@build.lan:22");
    dtbuild.run(["build"]).succeeds();
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    let expected = "-o ConnectTimeout=10 -T -l me -p 22 -- build.lan docker system dial-stdio";
    // BuildKit takes two more connections than the API: one on which it is called, and one on which it calls.
    let connections = if has_buildkit(&docker().await).await { 3 } else { 1 };
    assert!(asked.lines().count() >= connections && asked.lines().all(|line| line == expected), "{asked}");
    let plan = dtbuild.plan_of_disk();
    assert_eq!(plan["images"][0]["decision"], "reuse");
}

#[test]
fn what_ssh_says_is_the_reason() {
    let repo = project().commit("first");
    let (_folder, path) = ssh("echo 'me@build.lan: Permission denied (publickey).' >&2; exit 255");
    let dtbuild = Dtbuild::new(&repo).variable("PATH", path).variable("DOCKER_HOST", "ssh://me@build.lan");
    let says = ["cannot reach the engine at `ssh://me@build.lan`", "Permission denied (publickey)"];
    dtbuild.run(["build"]).fails(3, &says);
}

#[test]
fn the_engine_may_be_named_for_dtbuild_alone() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo).variable("DTBUILD_ENGINE", "buildkit+tcp://build.lan:1234");
    dtbuild
        .run(["build"])
        .fails(3, &["`buildkit+tcp://build.lan:1234` does not lead to an engine", "in the clear"]);
    let dtbuild = dtbuild.variable("DTBUILD_ENGINE", "unix:///nonexistent/socket");
    dtbuild.run(["build"]).fails(3, &["cannot reach the engine at `unix:///nonexistent/socket`"]);
}
