//! What a build is told besides its files: agents, network, caches, attestations, the time.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use dtbuild::config::{CacheEntry, Network, Provenance, SshAgent};
use dtbuild::engine::docker::Docker;
use dtbuild::engine::{EngineError, Output};
use serde_json::Value;

use super::fixture::{Files, build, docker, logs, request, script, unique, variable};
use crate::support::dtbuild::{CONFIG, Dtbuild};
use crate::support::repo::TestRepo;

async fn containerd() -> Docker {
    Docker::connect(Some(&variable("DTBUILD_TEST_ENGINE_28_CONTAINERD"))).await.unwrap()
}

/// An `ssh-agent` with one key. Dropped, it ends.
struct Agent {
    process: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let mut process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests need `ssh-agent`");
        // It prints where it listens once it does.
        let mut told = [0; 1];
        process.stdout.as_mut().unwrap().read_exact(&mut told).unwrap();
        let key = folder.path().join("key");
        let run = |command: &mut Command| {
            let output = command.env("SSH_AUTH_SOCK", &socket).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "the-key", "-f"])
            .arg(&key));
        run(Command::new("ssh-add").arg("-q").arg(&key));
        Self { process, folder }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("agent")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A repository whose image asks for an agent.
fn asking() -> TestRepo {
    // The engine has no such step from an earlier run.
    let mark = unique("agent").tag().unwrap().to_owned();
    let dockerfile = format!(
        "FROM busybox:1.36\n\
         RUN --mount=type=ssh,id=team [ -S \"$SSH_AUTH_SOCK\" ] && echo {mark} is there: $SSH_AUTH_SOCK\n"
    );
    let config =
        CONFIG.replace("context = \"app\"", "context = \"app\"\nssh = [{ id = \"team\", version = \"1\" }]");
    TestRepo::new().file("build.toml", config).file("app/Dockerfile", dockerfile).commit("first")
}

#[test]
fn a_step_gets_the_agent_that_it_asks_for() {
    let repo = asking();
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["build"]).fails(1, &["cannot forward the ssh agent `team`", "`SSH_AUTH_SOCK` is not set"]);
    let agent = Agent::start();
    let ran = dtbuild.clone().variable("SSH_AUTH_SOCK", agent.socket()).run(["build", "--progress", "plain"]);
    let ran = ran.succeeds();
    assert!(ran.stderr.contains(" is there: /"), "{}", ran.stderr);
    assert_eq!(dtbuild.plan_of_disk()["images"][0]["decision"], "reuse");
    repo.write(
        "build.toml",
        CONFIG.replace("\"app\"", "\"app\"\nssh = [{ id = \"team\", version = \"2\" }]"),
        0o644,
    );
    assert_eq!(dtbuild.plan_of_disk()["images"][0]["decision"], "build");
}

#[tokio::test]
async fn steps_have_the_network_that_was_asked_for() {
    let docker = docker().await;
    let interfaces = script("/bin/busybox ls /sys/class/net | /bin/busybox tr '\\n' ' '");
    let mut seen = Vec::new();
    for network in [Network::None, Network::Host] {
        let mut request = request("network", &interfaces, &Files::with_busybox());
        request.options.network = Some(network);
        request.no_cache = true;
        let (result, events) = build(&docker, &request).await;
        result.unwrap();
        seen.push(logs(&events).join(" ").trim().to_owned());
    }
    assert_eq!(seen[0], "lo");
    assert!(seen[1].split(' ').count() > 1, "{seen:?}");
}

#[tokio::test]
async fn steps_come_from_a_cache_at_the_registry() {
    let docker = containerd().await;
    let cache = unique("cache").to_string();
    let entry = |more: &[(&str, &str)]| {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let attributes = more.iter().map(own).chain([("ref".to_owned(), cache.clone())]).collect();
        CacheEntry { kind: "registry".to_owned(), attributes }
    };
    let mark = unique("mark").tag().unwrap().to_owned();
    let text = script(&format!("echo {mark}"));
    let mut first = request("cache-to", &text, &Files::with_busybox());
    first.options.cache_to = vec![entry(&[("mode", "max")])];
    let (result, events) = build(&docker, &first).await;
    result.unwrap();
    assert_eq!(logs(&events), [mark.as_str()]);

    // Another engine has the steps only there.
    let other = Docker::connect(Some(&variable("DTBUILD_TEST_ENGINE_28"))).await.unwrap();
    let mut second = request("cache-to", &text, &Files::with_busybox());
    second.options.cache_from = vec![entry(&[])];
    let (result, events) = build(&other, &second).await;
    let steps = result.unwrap().steps;
    assert_eq!((logs(&events).len(), steps.cached), (0, steps.total), "{events:?}");
}

#[tokio::test]
async fn attestations_are_pushed_with_the_image() {
    let docker = containerd().await;
    let mut request = request("attested", &script("true"), &Files::with_busybox());
    request.output = Output::Push;
    request.options.provenance = Some(Provenance::Max);
    let (result, _) = build(&docker, &request).await;
    let digest = result.unwrap().pushed.unwrap();
    let name = &request.names[0];
    let index = manifest(name.repository().registry(), name.repository().path(), digest.as_str());
    let manifests = index["manifests"].as_array().unwrap_or_else(|| panic!("no index: {index}"));
    let kind = |manifest: &Value| manifest["annotations"]["vnd.docker.reference.type"].clone();
    assert!(manifests.iter().any(|manifest| kind(manifest) == "attestation-manifest"), "{index:#}");
}

#[tokio::test]
async fn what_an_engine_would_drop_is_refused_before_the_build() {
    let docker = docker().await;
    let mut request = request("refused", "FROM scratch\nRUM x\n", &Files::with_busybox());
    request.options.provenance = Some(Provenance::Min);
    let (result, events) = build(&docker, &request).await;
    let error = result.unwrap_err();
    assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("the containerd image store, or a buildkitd"), "{error}");
    assert!(events.is_empty());
    request.options.provenance = None;
    request.options.ssh = vec![SshAgent { id: "a".to_owned(), version: None }];
    let (result, _) = build(&docker, &request).await;
    // Where the tests run without an agent, that is the error; with one, the Dockerfile's.
    assert!(matches!(result, Err(EngineError::SshAgent { .. } | EngineError::Failed(_))), "{result:?}");
}

#[tokio::test]
async fn two_builds_at_one_commit_are_one_image() {
    let docker = containerd().await;
    let mut digests = Vec::new();
    for _ in 0..2 {
        let mut request = request("same-time", "FROM scratch\nCOPY busybox /\n", &Files::with_busybox());
        request.output = Output::Push;
        request.source_date_epoch = Some(1_700_000_000);
        digests.push(build(&docker, &request).await.0.unwrap().pushed.unwrap());
    }
    assert_eq!(digests[0], digests[1]);
    let mut later = request("same-time", "FROM scratch\nCOPY busybox /\n", &Files::with_busybox());
    later.output = Output::Push;
    later.source_date_epoch = Some(1_700_000_001);
    assert_ne!(build(&docker, &later).await.0.unwrap().pushed.unwrap(), digests[0]);
    assert!(docker.describe().await.unwrap().name == "docker");
}

/// A manifest at the registry.
fn manifest(host: &str, path: &str, digest: &str) -> Value {
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                  application/vnd.docker.distribution.manifest.list.v2+json";
    write!(stream, "GET /v2/{path}/manifests/{digest} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}
