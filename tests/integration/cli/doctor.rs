//! `dtbuild doctor`, where all is well and where nothing is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use crate::support::base::BaseTag;
use crate::support::dtbuild::Dtbuild;
use crate::support::registry::address;
use crate::support::repo::TestRepo;

fn repo() -> TestRepo {
    TestRepo::new()
        .file(
            "build.toml",
            "[project]\nname = \"p\"\nregistry = \"r.invalid/p\"\n\n[images.app]\ncontext = \"app\"\n",
        )
        .file("app/Dockerfile", "FROM scratch\nCOPY a /\n")
        .file("app/a", "a")
        .commit("first")
}

/// What is said of each thing: `engine good`.
fn states(dtbuild: &Dtbuild) -> (Option<i32>, Vec<String>) {
    let ended = dtbuild.run(["doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let findings = json["findings"].as_array().unwrap().iter();
    let states = findings.map(|finding| format!("{} {}", word(&finding["about"]), word(&finding["state"])));
    (
        ended.code,
        states.filter(|state| !state.starts_with("engine") && !state.starts_with("mirrors")).collect(),
    )
}

#[test]
fn a_project_that_works_has_nothing_broken() {
    let repo = repo();
    let dtbuild = Dtbuild::new(&repo);
    let (code, states) = states(&dtbuild);
    let expected = [
        "git good",
        "repository good",
        "commit good",
        "build.toml good",
        "build.lock note",
        "credentials note",
        "registry good",
    ];
    assert_eq!((code, states), (Some(0), expected.map(str::to_owned).to_vec()));
    let told = dtbuild.run(["doctor"]).succeeds().stdout;
    assert!(told.contains("everything that was looked at will do"), "{told}");
}

#[test]
fn without_engine_repository_or_registry_the_rest_is_looked_at() {
    let repo = repo();
    let dtbuild = Dtbuild::new(&repo).variable("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    let ended = dtbuild.clone().pushing_to("127.0.0.1:9/p").run(["doctor"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    for text in ["broken  engine", "cannot reach the engine", "broken  registry", "2 things will not work"] {
        assert!(ended.stdout.contains(text), "no `{text}` in:\n{}", ended.stdout);
    }
    let nowhere = dtbuild.at(Path::new("/")).run(["doctor"]);
    assert_eq!(nowhere.code, Some(3));
    assert!(nowhere.stdout.contains("not in a git repository"), "{}", nowhere.stdout);
    assert!(nowhere.stdout.contains("broken  engine"), "{}", nowhere.stdout);

    let broken = repo.file("build.toml", "[project]\nnme = \"p\"\n");
    let ended = Dtbuild::new(&broken).run(["doctor"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stdout.contains("broken  build.toml"), "{}", ended.stdout);
}

#[test]
fn each_builder_is_looked_at() {
    let engine = std::env::var("DOCKER_HOST").unwrap();
    let builders = format!(
        "[[builders]]\nname = \"here\"\naddress = \"{engine}\"\n\
         [[builders]]\nname = \"gone\"\naddress = \"tcp://127.0.0.1:1\"\n"
    );
    let repo = repo();
    let config = std::fs::read_to_string(repo.path("build.toml")).unwrap();
    repo.write("build.toml", format!("{config}{builders}"), 0o644);
    let dtbuild = Dtbuild::new(&repo);
    let ended = dtbuild.run(["doctor"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    let lost = "`gone`: cannot reach the engine at `tcp://127.0.0.1:1`";
    for text in
        [&*format!("`here` at {engine}: "), lost, "take it out of build.toml", "1 thing will not work"]
    {
        assert!(ended.stdout.contains(text), "no `{text}` in:\n{}", ended.stdout);
    }
    let json: serde_json::Value = serde_json::from_str(&dtbuild.run(["doctor", "--json"]).stdout).unwrap();
    let [own, here, gone] = json["engines"].as_array().unwrap().as_slice() else { panic!("{json:#}") };
    for field in ["engine", "version", "store", "platforms", "features", "cache_from", "cache_to"] {
        assert_eq!(own[field], here[field], "{field}");
    }
    assert_eq!((&own["builder"], &here["builder"]), (&serde_json::Value::Null, &"here".into()));
    assert!(own["version"].as_str().is_some_and(|version| !version.is_empty()), "{own:#}");
    assert_eq!((&gone["state"], &gone["engine"]), (&"broken".into(), &serde_json::Value::Null));

    // What is published does not need the machine's own.
    let only = builders.split("[[builders]]\nname = \"gone\"").next().unwrap();
    repo.write("build.toml", format!("{config}{only}"), 0o644);
    let ended = dtbuild.variable("DOCKER_HOST", "unix:///nonexistent/docker.sock").run(["doctor"]).succeeds();
    assert!(ended.stdout.contains("for `dtbuild build` alone"), "{}", ended.stdout);
}

#[test]
fn registries_of_base_images_and_programs_that_deploy_are_looked_at() {
    let base = BaseTag::new(&address());
    let digest = base.serves(&json!({}));
    let deploy = "[environments.staging]\nbranch = \"staging\"\ndeploy = { command = [\"./deploy.sh\"] }\n\
                  [environments.other]\nbranch = \"other\"\ndeploy = { command = [\"true\"] }\n";
    let repo = repo();
    let config = std::fs::read_to_string(repo.path("build.toml")).unwrap();
    let repo = repo.file("build.toml", format!("{config}{deploy}"));
    let repo =
        repo.file("app/Dockerfile", format!("FROM {base} AS x\nFROM {base}@{digest}\nCOPY --from=x a /\n"));
    let dtbuild = Dtbuild::new(&repo);
    let ended = dtbuild.run(["doctor"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    let answers = format!("{} answers for 2 base images", address());
    for text in
        [&*answers, "broken  deployment", "of `staging`: ", "`./deploy.sh`", "of `other`: what its `command`"]
    {
        assert!(ended.stdout.contains(text), "no `{text}` in:\n{}", ended.stdout);
    }
    let repo = repo.file("app/Dockerfile", "FROM 127.0.0.1:9/gone:1\n");
    let ended = Dtbuild::new(&repo).run(["doctor"]);
    for text in ["broken  base images", "failed to resolve the base image `127.0.0.1:9/gone:1`"] {
        assert!(ended.stdout.contains(text), "no `{text}` in:\n{}", ended.stdout);
    }
}

#[test]
fn credentials_are_named_by_where_they_come_from_and_never_shown() {
    let repo = repo();
    let folder = tempfile::tempdir().unwrap();
    let dtbuild = Dtbuild::new(&repo).variable("DOCKER_CONFIG", folder.path().as_os_str());
    let host = dtbuild.registry().split('/').next().unwrap().to_owned();
    // "me:opensesame"
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"bWU6b3BlbnNlc2FtZQ=="}}}}}}"#);
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    let told = dtbuild.run(["doctor"]).stdout;
    assert!(told.contains(&format!("for {host}: from `")) && told.contains("config.json`"), "{told}");
    assert!(!told.contains("opensesame") && !told.contains("bWU6"), "{told}");
}

#[test]
fn a_credential_helper_is_run_once() {
    let repo = repo();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-counted");
    let script = "#!/bin/sh\ncat > /dev/null\necho asked >> \"$(dirname \"$0\")/asked\"\nexit 1\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"credsStore":"counted"}"#).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let dtbuild = Dtbuild::new(&repo).variable("PATH", path).variable("DOCKER_CONFIG", folder.path());
    let told = dtbuild.run(["doctor"]).stdout;
    assert!(told.contains("`docker-credential-counted` failed"), "{told}");
    assert_eq!(std::fs::read_to_string(folder.path().join("asked")).unwrap(), "asked\n");
}

#[test]
fn mirrors_that_nobody_tells_are_named_where_docker_hub_does_not_answer() {
    let repo = repo().file("app/Dockerfile", "FROM busybox:1.36\n").commit("based on Docker Hub");
    // Nothing listens there, and Docker Hub is not asked.
    let dtbuild = Dtbuild::new(&repo).variable("HTTPS_PROXY", "http://127.0.0.1:9");
    let engine = "buildkit+unix:///nonexistent/buildkitd.sock";
    let told = dtbuild.variable("DTBUILD_ENGINE", engine).run(["doctor"]).stdout;
    assert!(told.contains("a buildkitd does not tell its mirrors"), "{told}");
    assert!(told.contains("run `dtbuild lock` where Docker Hub or such a dockerd answers"), "{told}");
}
