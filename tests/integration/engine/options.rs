//! What a build is told besides its files: agents, network, caches, attestations, the time.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use dtbuild::config::{CacheEntry, Network, Provenance, SshAgent};
use dtbuild::engine::{BuildRequest, EngineError, Output};

use super::fixture::{
    Files, Means, attested, build, docker, engine, has_buildkit, logs, means, request, script, unique,
};
use crate::support::dtbuild::{CONFIG, Dtbuild};
use crate::support::repo::TestRepo;
use dtbuild::error::Failure as _;

const CONTAINERD: &str = "DTBUILD_TEST_ENGINE_28_CONTAINERD";

/// An `ssh-agent` with one key. Dropped, it ends.
pub(super) struct Agent {
    process: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    pub(super) fn start() -> Self {
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

    pub(super) fn socket(&self) -> std::path::PathBuf {
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

#[tokio::test]
async fn a_step_gets_the_agent_that_it_asks_for() {
    let repo = asking();
    let dtbuild = Dtbuild::new(&repo);
    if !has_buildkit(&docker().await).await {
        dtbuild.run(["build"]).fails(3, &["`ssh` of `app` is not supported", "an engine with BuildKit"]);
        return;
    }
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
    for network in [Network::None, Network::Host] {
        let mut request = request("network", &interfaces, &Files::with_busybox());
        request.options.network = Some(network);
        request.no_cache = true;
        let (result, events) = build(&docker, &request).await;
        if network == Network::None && !has_buildkit(&docker).await {
            // It would have the machine's.
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with("`network = \"none\"` of `network` is not supported"), "{error}");
            continue;
        }
        result.unwrap();
        let interfaces = logs(&events).join(" ").trim().to_owned();
        assert_eq!(interfaces == "lo", network == Network::None, "{interfaces}");
    }
}

#[tokio::test]
async fn steps_come_from_a_cache_at_the_registry() {
    let docker = engine(CONTAINERD).await;
    let cache = unique("cache").to_string();
    let entry = |more: &[(&str, &str)]| {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let attributes = more.iter().map(own).chain([("ref".to_owned(), cache.clone())]).collect();
        CacheEntry { kind: "registry".to_owned(), attributes }
    };
    let mark = unique("mark").tag().unwrap().to_owned();
    // The other engine unpacks the layers of the base and of the steps.
    let text = format!("FROM busybox:1.36\nRUN echo {mark} | tee /mark\nCOPY busybox /own\n");
    let mut first = request("cache-to", &text, &Files::with_busybox());
    first.options.cache_to = vec![entry(&[("mode", "max")])];
    let (result, events) = build(&docker, &first).await;
    result.unwrap();
    assert_eq!(logs(&events), [mark.as_str()]);

    // Another engine has the steps only there.
    let other = engine("DTBUILD_TEST_ENGINE_28").await;
    let mut second = request("cache-to", &text, &Files::with_busybox());
    second.options.cache_from = vec![entry(&[])];
    let (result, events) = build(&other, &second).await;
    let steps = result.unwrap().steps;
    // The base is looked up, whoever has its layers.
    assert!(logs(&events).is_empty() && steps.total == 3 && steps.cached >= 2, "{events:?}");
}

#[tokio::test]
async fn a_cache_in_the_repository_is_no_input() {
    let cache = "cache_from = [\"type=local,src=.cache/app\"]\ncache_to = [\"type=local,dest=.cache/app\"]";
    let config = CONFIG.replace("context = \"app\"", &format!("context = \".\"\n{cache}"));
    let repo = TestRepo::new().file("build.toml", config).file("Dockerfile", "FROM scratch\nCOPY . /\n");
    let repo = repo.commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let before = dtbuild.plan_of_disk()["images"][0]["key"].clone();
    let ended = dtbuild.run(["build"]);
    if means(&docker().await).await < Means::Containerd {
        ended.fails(3, &["`cache_to` with `type=local` of `app` is not supported"]);
        assert!(!repo.path(".cache").exists());
        return;
    }
    ended.succeeds();
    assert!(repo.path(".cache/app/index.json").is_file());
    let after = dtbuild.plan_of_disk();
    assert_eq!((&after["images"][0]["decision"], &after["images"][0]["key"]), (&"reuse".into(), &before));
    let again = dtbuild.run(["build", "--force", "--progress", "plain"]).succeeds();
    assert!(again.stderr.contains("exporting cache to client directory"), "{}", again.stderr);
}

#[tokio::test]
async fn attestations_are_pushed_with_the_image() {
    let docker = engine(CONTAINERD).await;
    let mut request = request("attested", &script("true"), &Files::with_busybox());
    request.output = Output::Push;
    request.options.provenance = Some(Provenance::Max);
    let (result, _) = build(&docker, &request).await;
    let digest = result.unwrap().pushed.unwrap();
    let attested = attested(&request.names[0], &digest);
    assert!(attested.iter().any(|kind| kind.starts_with("https://slsa.dev/provenance")), "{attested:?}");
}

/// What makes of a request one that needs something.
type Change<'a> = &'a dyn Fn(&mut BuildRequest);

#[tokio::test]
async fn what_an_engine_would_drop_is_refused_before_the_build() {
    let docker = docker().await;
    let means = means(&docker).await;
    let agent = SshAgent { id: "a".to_owned(), version: None };
    let cache = |kind: &str| CacheEntry { kind: kind.to_owned(), attributes: [].into() };
    let changes: [(Change<'_>, Option<Means>); 4] = [
        (&|request| request.options.provenance = Some(Provenance::Min), Some(Means::Containerd)),
        (&|request| request.options.cache_to.push(cache("inline")), Some(Means::GraphDriver)),
        (&|request| request.options.ssh.push(agent.clone()), Some(Means::GraphDriver)),
        // No dockerd has it.
        (&|request| request.options.cache_to.push(cache("s3")), None),
    ];
    for (change, least) in changes {
        let mut request = request("refused", "FROM scratch\nRUM x\n", &Files::with_busybox());
        change(&mut request);
        let (result, events) = build(&docker, &request).await;
        let error = result.unwrap_err();
        if least.is_some_and(|least| means >= least) {
            // Where the tests run without an agent, that is the error; else it is the Dockerfile's.
            assert!(matches!(error, EngineError::SshAgent { .. } | EngineError::Failed(_)), "{error}");
        } else {
            assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
            assert!(error.advice().contains("; use ") && error.advice().contains("buildkitd"), "{error}");
            assert!(events.is_empty(), "{events:?}");
        }
    }
}

#[tokio::test]
async fn a_later_commit_runs_no_step_again() {
    for name in ["DTBUILD_TEST_ENGINE_28", CONTAINERD] {
        let docker = engine(name).await;
        let ran = unique("ran").to_string();
        let text =
            // Layers of its own: those of others go when their images are removed.
            format!("FROM scratch\nWORKDIR /{ran}\nCOPY busybox /\nRUN [\"/busybox\", \"echo\", \"{ran}\"]\n");
        let mut request = request("later", &text, &Files::with_busybox());
        let mut printed = Vec::new();
        for commit in 0..2 {
            request.source_date_epoch = Some(1_700_000_000 + commit);
            let (built, events) = build(&docker, &request).await;
            built.unwrap();
            printed.extend(logs(&events).into_iter().map(str::to_owned));
        }
        assert_eq!(printed, [ran], "{name}");
    }
}

#[tokio::test]
async fn two_builds_at_one_commit_are_one_image() {
    let docker = engine(CONTAINERD).await;
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
