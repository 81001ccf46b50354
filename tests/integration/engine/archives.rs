//! Images in files.

use std::path::Path;
use std::process::Command;

use dtbuild::engine::buildkitd::Buildkitd;
use dtbuild::engine::endpoint::Endpoint;
use dtbuild::engine::{Archive, ArchiveKind, EngineError, Output};

use super::bridge::{Bridge, Side};
use super::fixture::{Files, Means, build, docker, means, request, script, variable};
use crate::support::dtbuild::{Dtbuild, project};

fn to(kind: ArchiveKind, path: &Path) -> Output {
    Output::File(Archive { kind, path: path.to_owned() })
}

/// What a tar holds.
fn names(path: &Path) -> Vec<String> {
    let output = Command::new("tar").arg("-tf").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn buildkitd_sends_an_image_as_a_file() {
    let bridge = Bridge::to(&variable("DTBUILD_TEST_ENGINE_28_CONTAINERD"), Side::BuildKit, None).await;
    let endpoint = Endpoint::parse(&format!("buildkit+tcp://{}", bridge.address), None).unwrap();
    let engine = Buildkitd::connect(endpoint).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let mut request = request("archived", &script("true"), &Files::with_busybox());
    for (kind, has) in [(ArchiveKind::Oci, "oci-layout"), (ArchiveKind::Docker, "manifest.json")] {
        request.output = to(kind, &path);
        build(&engine, &request).await.0.unwrap();
        let names = names(&path);
        assert!(names.iter().any(|name| name == has), "{names:?}");
    }
    // A build that fails leaves what was there, and nothing beside it.
    let before = std::fs::read(&path).unwrap();
    let mut failing = self::request("archived", &script("exit 1"), &Files::with_busybox());
    failing.output = to(ArchiveKind::Oci, &path);
    assert!(matches!(build(&engine, &failing).await.0, Err(EngineError::Failed(_))));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    failing.output = to(ArchiveKind::Oci, &folder.path().join("missing/image.tar"));
    let error = build(&engine, &failing).await.0.unwrap_err();
    assert!(matches!(error, EngineError::File { .. }), "{error}");
}

#[tokio::test]
async fn every_engine_writes_docker_archives_and_those_with_containerd_layouts() {
    let docker = docker().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let mut request = request("saved", &script("true"), &Files::with_busybox());
    request.output = to(ArchiveKind::Docker, &path);
    build(&docker, &request).await.0.unwrap();
    assert!(names(&path).iter().any(|name| name == "manifest.json"));
    request.output = to(ArchiveKind::Oci, &path);
    let (result, events) = build(&docker, &request).await;
    if means(&docker).await == Means::Containerd {
        result.unwrap();
        assert!(names(&path).iter().any(|name| name == "oci-layout"));
    } else {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("`type=oci`") && events.is_empty(), "{error} {events:?}");
    }
}

#[tokio::test]
async fn a_local_build_goes_into_a_file_besides() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let has = |file: &str| names(&repo.path("app.tar")).iter().any(|name| name == file);
    for _ in ["built", "reused"] {
        dtbuild.run(["build", "app", "--output", "type=docker,dest=app.tar"]).succeeds();
        assert!(has("manifest.json"));
        std::fs::remove_file(repo.path("app.tar")).unwrap();
    }
    repo.write("app/greeting.txt", "changed\n", 0o644);
    let ended = dtbuild.run(["build", "app", "--output", "type=oci,dest=app.tar"]);
    if means(&docker().await).await == Means::Containerd {
        ended.succeeds();
        assert!(has("oci-layout"));
    } else {
        let ended = ended.fails(3, &["`type=oci`", "not supported"]);
        assert!(
            !ended.stderr.contains("build started"),
            "refused before anything is built: {}",
            ended.stderr
        );
    }
    dtbuild.run(["build", "app", "--output", "dest=app.tar"]).fails(2, &["type=oci,dest=FILE"]);
}
