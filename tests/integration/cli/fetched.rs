//! What ADD fetches from the network: fixed by a checksum, or built at every run.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, image, project, reasons};

/// A server of one file, which can change.
struct Served {
    url: String,
    content: Arc<Mutex<&'static str>>,
}

impl Served {
    fn new(content: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let content = Arc::new(Mutex::new(content));
        let served = Arc::clone(&content);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let _ = stream.read(&mut [0; 4096]);
                let content = *served.lock().unwrap();
                let length = content.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all((head + content).as_bytes());
            }
        });
        Self { url, content }
    }
}

#[test]
fn what_nothing_fixes_is_built_at_every_run_and_deployed_when_it_changed() {
    let served = Served::new("one");
    let config = format!("{CONFIG}deploy = {{ command = [\"sh\", \"-c\", \"echo >> deployments\"] }}\n");
    let dockerfile = format!("FROM scratch\nADD {} /\n", served.url);
    let repo = project().file("build.toml", config).file("app/Dockerfile", dockerfile).commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let deployments = || std::fs::read_to_string(repo.path("deployments")).unwrap().lines().count();
    let released = || dtbuild.run(["--env", "staging"]).succeeds().stdout;
    let first = released();
    let plan = dtbuild.plan("staging");
    assert_eq!(decisions(&plan), ["app build"]);
    let reason = json!({"reason": "stale-remote", "file": "app/Dockerfile", "line": 2, "url": served.url});
    assert_eq!(image(&plan, "app")["reasons"], json!([reason]));
    let shown = dtbuild.run(["explain", "app", "--env", "staging"]).succeeds().stdout;
    assert!(
        shown.contains("app/Dockerfile:2 adds `") && shown.contains("add `--checksum=sha256:...`"),
        "{shown}"
    );

    assert_eq!((released(), deployments()), (first.clone(), 1), "the same was built");
    *served.content.lock().unwrap() = "two";
    let second = released();
    assert_ne!(second, first);
    assert_eq!(deployments(), 2);
    dtbuild.run(["deploy", "--env", "staging"]).succeeds();
    assert_eq!(deployments(), 3, "it is asked for, and builds nothing");
}

#[test]
fn what_a_checksum_fixes_is_built_once() {
    let sum = format!("sha256:{}", "0f".repeat(32));
    let dockerfile = format!("FROM scratch\nADD --checksum={sum} https://a.invalid/b /\n");
    let commit = "0f".repeat(20);
    let repo =
        project().file("app/Dockerfile", format!("{dockerfile}ADD https://a.invalid/c.git#{commit} /\n"));
    let repo = repo.commit("first");
    let plan = Dtbuild::new(&repo).plan("staging");
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["not-deployed", "not-in-cache"]);
}
