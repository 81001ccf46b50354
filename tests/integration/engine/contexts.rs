//! Named contexts, on engines that have them and on those that have none.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dtbuild::engine::{BuildRequest, ContextFolder, Contexts, Engine, EngineError, NamedContext};
use dtbuild_content::tree::Kind;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::fixture::{Files, build, docker, has_buildkit, logs, noise, request, unique};

const START: &str = "FROM scratch AS replaced\nCOPY missing /\n\nFROM scratch\nCOPY busybox /bin/busybox\n";

/// A request whose context `name` is a folder, as a caller makes it: the Dockerfile in both forms.
fn with_folder(text: &str, name: &str, folder: &Files) -> BuildRequest {
    let mut request = request("contexts", text, &Files::with_busybox());
    let folder = ContextFolder::new(folder.snapshot().0, &[]).unwrap();
    let plain = text
        .replace(&format!("--from={name}"), &format!("--from={}", folder.image))
        .replace(&format!("from={name},"), &format!("from={},", folder.image))
        .replace(&format!("FROM {name}"), &format!("FROM {}", folder.image));
    request.contexts = Contexts {
        named: [(name.to_owned(), NamedContext::Folder(folder))].into(),
        dockerfile: Some(Arc::from(plain.as_bytes())),
    };
    request
}

#[tokio::test]
async fn a_folder_is_copied_and_mounted_from_alike_on_every_engine() {
    let docker = docker().await;
    let run = unique("contexts").tag().unwrap().to_owned();
    let folder = Files::default()
        .file("src/a.txt", format!("a of {run}"))
        .add("bin/run", Kind::Executable, "#!/bin/sh\n")
        .add("link", Kind::Symlink, "src/a.txt")
        .file(".dockerignore", "nothing\n");
    let check = "b=/bin/busybox; $b cat /l/src/a.txt; echo; cd /l; $b find . | $b sort; $b cat /m/link; echo;
        $b stat -c '%a %u:%g %Y' bin/run";
    let text = format!(
        "{START}COPY --from=lib . /l/\nRUN --mount=from=lib,target=/m [\"/bin/busybox\", \"sh\", \"-c\", {}]\n",
        serde_json::to_string(check).unwrap()
    );
    let request = with_folder(&text, "lib", &folder);
    let (result, events) = build(&docker, &request).await;
    result.unwrap();
    let a = format!("a of {run}");
    let told = logs(&events);
    let expected = [&a, ".", "./.dockerignore", "./bin", "./bin/run", "./link", "./src", "./src/a.txt", &a];
    assert_eq!(told[..expected.len()], expected);
    assert!(told[expected.len()].starts_with("755 0:0 1"), "{told:?}");
}

#[tokio::test]
async fn a_stage_stands_on_a_folder_or_is_replaced_by_one() {
    let docker = docker().await;
    let folder = Files::with_busybox().file("a", "in the folder");
    let run = "RUN [\"/busybox\", \"cat\", \"/a\"]\n";
    for text in [
        format!("FROM lib\n{run}"),
        format!("FROM scratch AS lib\nCOPY missing /\nFROM scratch\nCOPY --from=lib . /\n{run}"),
    ] {
        let mut request = with_folder(&text, "lib", &folder);
        request.no_cache = true;
        let (result, events) = build(&docker, &request).await;
        result.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(logs(&events), ["in the folder"], "{text}");
    }
}

#[tokio::test]
async fn only_what_changed_of_a_folder_is_sent_again() {
    let docker = docker().await;
    let run = unique("contexts").tag().unwrap().to_owned();
    let text = format!("{START}COPY --from=lib . /l/\n");
    for (version, fetched_at_least, fetched_at_most) in [("1", 4 << 20, u64::MAX), ("2", 1, 1 << 10)] {
        let folder = Files::default().file("large", noise(4 << 20)).file("small", format!("{version} {run}"));
        let mut request = with_folder(&text, "lib", &folder);
        request.dockerfile_path = run.as_str().into();
        let (snapshot, fetched) = folder.snapshot();
        if let Some(NamedContext::Folder(folder)) = request.contexts.named.get_mut("lib") {
            folder.files = snapshot;
        }
        build(&docker, &request).await.0.unwrap();
        let fetched = fetched.load(Ordering::Relaxed);
        // Without BuildKit, all of it is sent every time.
        let fetched_at_most = if has_buildkit(&docker).await { fetched_at_most } else { u64::MAX };
        assert!((fetched_at_least..=fetched_at_most).contains(&fetched), "{version}: {fetched}");
    }
}

#[tokio::test]
async fn a_repository_is_fetched_by_the_engine_or_refused() {
    let docker = docker().await;
    let (url, _server, _folder) = served_repository().await;
    let text = format!("{START}COPY --from=src /sub/a /a\nRUN [\"/bin/busybox\", \"cat\", \"/a\"]\n");
    let mut request = request("contexts", &text, &Files::with_busybox());
    request.contexts.named.insert("src".to_owned(), NamedContext::Remote(url));
    request.no_cache = true;
    let (result, events) = build(&docker, &request).await;
    match result {
        Ok(_) => assert_eq!(logs(&events).last(), Some(&"committed")),
        Err(EngineError::Unsupported { feature, .. }) => {
            assert_eq!(feature, "the context `src` of `contexts`");
            assert!(!docker.holds(&request.names[0]).await.unwrap());
        }
        Err(other) => panic!("{other}"),
    }
}

/// A repository on loopback with one commit: its address, and what serves it.
async fn served_repository() -> (String, Child, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repo.git");
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-C"])
            .arg(&repository)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    std::fs::create_dir_all(repository.join("sub")).unwrap();
    std::fs::write(repository.join("sub/a"), "committed").unwrap();
    git(&["init", "-q", "-b", "main"]);
    git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The program itself: `git` would start it and, when killed, leave it behind.
    let daemon = std::path::Path::new(&git(&["--exec-path"])).join("git-daemon");
    let server = Command::new(daemon)
        .args(["--export-all", "--listen=127.0.0.1", "--reuseaddr"])
        .arg(format!("--port={port}"))
        .arg(format!("--base-path={}", folder.path().display()))
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let answers = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answers).await.expect("git daemon listens");
    (format!("git://127.0.0.1:{port}/repo.git#{commit}"), server, folder)
}
