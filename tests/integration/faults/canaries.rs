//! What is secret, looked for in all that a run shows, keeps and publishes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::flow::bench::{Bench, unique, variable};
use crate::support::registry::OwnRegistry;

/// The login of [`OwnRegistry::with_password`].
const LOGIN: &str = "me:opensesame";

/// Everything that was found, with where it was.
#[derive(Default)]
struct Traces(Vec<(String, Vec<u8>)>);

impl Traces {
    fn keep(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Runs the program, whatever it ends with, and keeps what it says.
    fn run(&mut self, bench: &Bench, arguments: &[&str]) -> Option<i32> {
        let ran = bench.run(arguments);
        self.keep(format!("{arguments:?} on stdout"), ran.stdout);
        self.keep(format!("{arguments:?} on stderr"), ran.stderr);
        ran.code
    }

    /// Keeps every file below a folder.
    fn folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                self.folder(&path);
            } else if let Ok(bytes) = fs::read(&path) {
                self.keep(path.display().to_string(), bytes);
            }
        }
    }

    /// Keeps a manifest and all that it leads to, as the registry serves them.
    fn manifest(&mut self, host: &str, repository: &str, version: &str) {
        let bytes = get(host, &format!("{repository}/manifests/{version}"));
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        self.keep(format!("the manifest {repository}:{version}"), bytes);
        for image in manifest["manifests"].as_array().into_iter().flatten() {
            self.manifest(host, repository, image["digest"].as_str().unwrap());
        }
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for blob in manifest.get("config").into_iter().chain(layers) {
            let digest = blob["digest"].as_str().unwrap();
            let bytes = get(host, &format!("{repository}/blobs/{digest}"));
            let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { unzipped(&bytes) } else { bytes };
            self.keep(format!("the blob {digest} of {repository}"), bytes);
        }
    }

    fn holding(&self, text: &str) -> Vec<&str> {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.0.iter().filter(|(_, bytes)| holds(bytes)).map(|(place, _)| place.as_str()).collect()
    }
}

/// Asks the registry as the one who may.
fn get(host: &str, path: &str) -> Vec<u8> {
    let accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, \
                  application/vnd.oci.image.index.v1+json";
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let login = STANDARD.encode(LOGIN);
    write!(
        stream,
        "GET /v2/{path} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}\r\nAuthorization: Basic {login}\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(answer.starts_with(b"HTTP/1.0 200"), "{path}: {}", String::from_utf8_lossy(&answer[..end]));
    answer.split_off(end + 4)
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    gzip.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut gzip = gzip.spawn().unwrap();
    let (mut input, bytes) = (gzip.stdin.take().unwrap(), bytes.to_owned());
    let writing = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = gzip.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Lets docker's configuration name a program that knows the login.
fn with_helper(bench: &mut Bench, host: &str) {
    let folder = bench.out("helper");
    fs::create_dir(&folder).unwrap();
    let (user, password) = LOGIN.split_once(':').unwrap();
    let answer = format!(r#"{{"ServerURL":"{host}","Username":"{user}","Secret":"{password}"}}"#);
    let program = folder.join("docker-credential-test");
    fs::write(&program, format!("#!/bin/sh\ncat > /dev/null\necho '{answer}'\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("config.json"), r#"{"credsStore":"test"}"#).unwrap();
    bench.set("DOCKER_CONFIG", folder.to_str().unwrap());
    bench.set("PATH", &format!("{}:{}", folder.display(), variable("PATH")));
}

/// A bench whose `site` is built with two secrets, prints them, and keeps what is no secret.
fn with_secrets(env: &str, file: &str, seen: &str) -> Bench {
    let mut bench = Bench::new();
    let path = bench.out("secret");
    fs::write(&path, file).unwrap();
    bench.set("TOKEN", env);
    let secrets = format!(
        "context = \"site\"\nsecrets = [{{ id = \"a\", env = \"TOKEN\" }}, {{ id = \"b\", file = \"{}\" }}]",
        path.display()
    );
    let config = fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    bench.write("build.toml", &config.replace("context = \"site\"", &secrets));
    let step =
        format!("cat /run/secrets/a /run/secrets/b; wc -c /run/secrets/* > /size; echo {seen} > /seen");
    let mounts = "--mount=type=secret,id=a --mount=type=secret,id=b";
    bench.write("site/Dockerfile", &format!("FROM busybox:1.36\nCOPY page /page\nRUN {mounts} {step}\n"));
    bench.commit("secrets");
    bench
}

/// All that a run, and what is asked around it, leaves to be read.
fn traces(bench: &Bench, host: &str, repository: &str) -> Traces {
    let mut traces = Traces::default();
    for arguments in [
        &["--env", "staging", "--dry-run", "--timings"][..],
        &["plan", "--env", "staging", "--json"],
        &["explain", "site", "--env", "staging", "--json"],
        &["inputs", "site", "--json"],
        &["--env", "staging", "--json", "--progress", "rawjson"],
        &["--env", "staging", "--force", "--progress", "plain"],
        &["status", "--json"],
    ] {
        assert_eq!(traces.run(bench, arguments), Some(0), "{arguments:?}: {:?}", traces.0.last());
    }
    traces.run(bench, &["doctor"]);
    for image in ["api", "site"] {
        traces.manifest(host, &format!("{repository}/{image}"), "staging");
    }
    // A step that fails is told at length.
    let dockerfile = fs::read_to_string(bench.repo.path("site/Dockerfile")).unwrap();
    bench.write(
        "site/Dockerfile",
        &dockerfile.replace("wc -c", "false && wc -c").replace("; echo", " && echo"),
    );
    bench.commit("a failing step");
    for progress in ["plain", "rawjson"] {
        assert_eq!(traces.run(bench, &["--env", "staging", "--progress", progress]), Some(1));
    }
    // Records, and what is remembered between runs.
    traces.folder(bench.repo.root());
    traces.folder(&bench.out("../cache"));
    traces
}

#[test]
fn secrets_and_logins_are_nowhere_to_be_seen() {
    let registry = OwnRegistry::with_password();
    let host = &registry.host;
    // Each way of pushing, and each way of keeping a login.
    for (engine, helped) in [("DOCKER_HOST", false), ("DTBUILD_TEST_ENGINE_28_CONTAINERD", true)] {
        let [env, file, seen] = [unique(), unique(), unique()];
        let mut bench = with_secrets(&env, &file, &seen);
        let repository = if helped { "helped" } else { "stored" };
        bench.engine = variable(engine);
        bench.registry = format!("{host}/{repository}");
        if helped {
            with_helper(&mut bench, host);
        } else {
            let folder = registry.docker_config(&STANDARD.encode(LOGIN));
            bench.set("DOCKER_CONFIG", folder.to_str().unwrap());
        }
        let traces = traces(&bench, host, repository);
        let (_, password) = LOGIN.split_once(':').unwrap();
        for secret in [&env, &file, password, &STANDARD.encode(LOGIN)] {
            assert_eq!(traces.holding(secret), [""; 0], "{secret}");
            assert_eq!(traces.holding(&STANDARD.encode(secret)), [""; 0], "{secret}, as base64");
        }
        // What is no secret is seen: in the Dockerfile, in the image's configuration and in a layer.
        let found = traces.holding(&seen);
        let in_blobs = found.iter().filter(|place| place.starts_with("the blob")).count();
        assert!(in_blobs >= 2, "{found:?}");
        assert!(!traces.holding("***").is_empty(), "what steps print of secrets is blacked out");
    }
}

#[test]
fn a_login_that_is_refused_is_not_repeated() {
    let registry = OwnRegistry::with_password();
    let mut bench = Bench::new();
    bench.registry = format!("{}/shop", registry.host);
    let wrong = unique();
    let auth = STANDARD.encode(format!("me:{wrong}"));
    bench.set("DOCKER_CONFIG", registry.docker_config(&auth).to_str().unwrap());
    let mut traces = Traces::default();
    for progress in ["plain", "rawjson"] {
        assert_eq!(traces.run(&bench, &["--env", "staging", "--progress", progress]), Some(3));
    }
    traces.run(&bench, &["doctor"]);
    assert!(!traces.holding("docker login").is_empty());
    assert_eq!((traces.holding(&wrong), traces.holding(&auth)), (Vec::new(), Vec::new()));
}
