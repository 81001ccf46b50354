//! What is wrong gets one error with its place and what to do, and changes nothing.

use std::fs;
use std::net::TcpListener;

use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, project};
use crate::support::registry::{OwnRegistry, tags};
use crate::support::repo::TestRepo;

/// Runs the CD step, which must fail with the code and the texts and leave no trace.
#[track_caller]
fn refused(dtbuild: &Dtbuild, repo: &TestRepo, code: i32, texts: &[&str]) {
    refused_with(&["--env", "staging"], dtbuild, repo, code, texts);
}

#[track_caller]
fn refused_with(arguments: &[&str], dtbuild: &Dtbuild, repo: &TestRepo, code: i32, texts: &[&str]) {
    let before = state(dtbuild, repo);
    dtbuild.run(arguments.iter().copied()).fails(code, texts);
    assert_eq!(before, state(dtbuild, repo));
}

/// The files, and the records with their content; a lease that was taken and given back is none.
fn state(dtbuild: &Dtbuild, repo: &TestRepo) -> (String, Vec<(String, Vec<u8>)>) {
    let folder = dtbuild.record().parent().unwrap().to_owned();
    let files = fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    let records = files.filter(|file| file.file_name().to_string_lossy().ends_with(".json"));
    let mut records: Vec<_> = records
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect();
    let deploys = |record: &[u8]| {
        serde_json::from_slice(record)
            .map_or(true, |record: serde_json::Value| record["deployments"] != serde_json::json!([]))
    };
    records.retain(|(_, record)| deploys(record));
    records.sort();
    (repo.git(["status", "--porcelain"]), records)
}

/// A committed project with this `build.toml` is refused: exit code 2.
#[track_caller]
fn refused_config(config: &str, texts: &[&str]) {
    refused_files(project().file("build.toml", config), texts);
}

/// What is committed is refused, as the CD step and as the preview: exit code 2.
#[track_caller]
fn refused_files(repo: TestRepo, texts: &[&str]) {
    let repo = repo.commit("first");
    let dtbuild = Dtbuild::new(&repo);
    refused(&dtbuild, &repo, 2, texts);
    refused_with(&["plan", "--env", "staging"], &dtbuild, &repo, 2, texts);
    refused_with(&["build"], &dtbuild, &repo, 2, texts);
    assert!(tags(&format!("{}/app", dtbuild.registry())).is_empty());
}

#[test]
fn an_unknown_key() {
    let config = CONFIG.replace("context", "contxt");
    refused_config(
        &config,
        &["error: build.toml:6: unknown field `contxt`", "hint: did you mean `context`?"],
    );
}

#[test]
fn a_text_that_is_no_toml() {
    refused_config(&format!("{CONFIG}branch\n"), &["error: build.toml:10: "]);
}

#[test]
fn a_missing_context() {
    let config = CONFIG.replace("\"app\"", "\"apps\"");
    let texts = [
        "error: build.toml:6: the context of `app`, `apps`, is not a folder of ",
        "hint: paths are from the repository's root; is the folder committed?",
    ];
    refused_config(&config, &texts);
    refused_config(&config.replace("\"apps\"", "\"apps\"\ndockerfile = \"app/Dockerfile\""), &texts);
}

#[test]
fn a_missing_dockerfile() {
    let texts = [
        "error: build.toml:6: the Dockerfile of `app`, `app/Dockerfile`, is not in ",
        "hint: write one, or name it with `dockerfile`; is it committed?",
    ];
    refused_files(project().remove("app/Dockerfile"), &texts);
}

#[test]
fn a_dockerfile_that_is_named_from_the_context() {
    let config = CONFIG.replace("\"app\"", "\"app\"\ndockerfile = \"docker/Dockerfile\"");
    let repo = project().file("build.toml", config).file("app/docker/Dockerfile", "FROM scratch\n");
    let texts = [
        "error: build.toml:7: the Dockerfile of `app`, `docker/Dockerfile`, is not in ",
        "hint: paths are from the repository's root: write `app/docker/Dockerfile`",
    ];
    refused_files(repo, &texts);
}

#[test]
fn two_images_with_one_repository() {
    let config = CONFIG.replace("\"app\"", "\"app\"\nrepository = \"r.example.com/x\"");
    let config = format!("{config}\n[images.lib]\ncontext = \"app\"\nrepository = \"r.example.com/x\"\n");
    let texts = [
        "error: build.toml:12: images `app` and `lib` have one repository, `r.example.com/x`",
        "hint: give one of them another `repository`",
    ];
    refused_config(&config, &texts);
}

#[test]
fn images_that_are_built_from_each_other() {
    let repo = project().file("build.toml", format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n"));
    let repo = repo.file("app/Dockerfile", "FROM lib\n").file("lib/Dockerfile", "FROM app\n");
    let texts = [
        "error: images are built from each other in a circle: `app` -> `lib` -> `app`",
        "build one of them from something else",
    ];
    refused_files(repo, &texts);
}

#[test]
fn a_registry_that_is_none() {
    let repo = project().commit("first");
    let hint = "hint: write a host, its port if it has one, and a path in lower case";
    let texts = ["error: --registry or DTBUILD_REGISTRY: `No Registry` is not a registry", hint];
    refused(&Dtbuild::new(&repo).pushing_to("No Registry"), &repo, 2, &texts);
    let repo = repo.file("build.toml", CONFIG.replace("com/demo", "com/Demo")).commit("second");
    let texts = ["error: build.toml:3: `registry.example.com/Demo` is not a registry", hint];
    refused(&Dtbuild::new(&repo).pushing_to(""), &repo, 2, &texts);
}

#[test]
fn a_context_outside_of_the_repository() {
    let config = CONFIG.replace("\"app\"", "\"app/../../other\"");
    refused_config(&config, &["error: build.toml:6: `app/../../other` ", "repository", "hint: "]);
}

#[test]
fn a_link_out_of_the_repository() {
    let repo = project().link("out", "..").file("build.toml", CONFIG.replace("\"app\"", "\"out/other\""));
    let repo = repo.commit("first");
    let texts = ["leads out of the repository by the link `..`", "replace the link with what it names"];
    refused(&Dtbuild::new(&repo), &repo, 3, &texts);
}

#[test]
fn a_dockerfile_with_a_mistake() {
    let repo = project().file("app/Dockerfile", "FROM scratch\n\nCOPY greeting.txt\n");
    refused_files(repo, &["error: app/Dockerfile:3: `COPY` takes "]);
    let repo = project().file("app/Dockerfile", "# Nothing yet.\n");
    refused_files(repo, &["error: app/Dockerfile", "start with `FROM <image>`"]);
}

#[test]
fn a_target_that_is_no_stage() {
    let config = CONFIG.replace("\"app\"", "\"app\"\ntarget = \"relase\"");
    let repo = project().file("build.toml", config).file("app/Dockerfile", "FROM scratch AS release\n");
    refused_files(repo, &["error: app/Dockerfile", "`relase`", "release"]);
}

#[test]
fn a_broken_dockerignore() {
    refused_files(
        project().file("app/.dockerignore", "*.md\n[\n"),
        &["error: app/.dockerignore:2: `[` is not a valid pattern: ", "write `\\["],
    );
}

#[test]
fn a_broken_lock() {
    let repo = project().file("build.lock", "version = 1\n\n[bases]\n\"busybox:1.36\" = \"sha256:12\"\n");
    refused_files(repo, &["error: build.lock:4: "]);
}

#[test]
fn an_unknown_image() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let texts = ["error: build.toml declares no image `apps`", "hint: did you mean `app`?"];
    refused_with(&["--env", "staging", "--only", "apps"], &dtbuild, &repo, 2, &texts);
    refused_with(&["build", "apps"], &dtbuild, &repo, 2, &texts);
}

#[test]
fn an_unknown_environment() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let texts = ["error: build.toml declares no environment `stagging`", "hint: did you mean `staging`?"];
    for command in [&["--env", "stagging"][..], &["status", "-e", "stagging"], &["deploy", "-e", "stagging"]]
    {
        refused_with(command, &dtbuild, &repo, 2, &texts);
    }
    let texts = ["error: build.toml declares no environment `x`", "hint: it declares: staging"];
    refused_with(&["--env", "x"], &dtbuild, &repo, 2, &texts);
}

#[test]
fn an_engine_that_does_not_run() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo).variable("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app build"], "a plan of a release needs no engine");
    let texts = ["cannot reach the engine at `unix:///nonexistent/docker.sock`", "is it running"];
    refused(&dtbuild, &repo, 3, &texts);
    refused_with(&["build"], &dtbuild, &repo, 3, &texts);
    assert!(tags(&format!("{}/app", dtbuild.registry())).is_empty());
}

#[test]
fn a_registry_that_does_not_run() {
    let repo = project().commit("first");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dtbuild = Dtbuild::new(&repo).pushing_to(format!("{closed}/demo"));
    let reached = format!("cannot reach `{closed}`: Connection refused");
    refused(&dtbuild, &repo, 3, &[&reached, "is the registry running?"]);
}

#[test]
fn a_registry_that_nobody_logged_in_to() {
    let (repo, own) = (project().commit("first"), OwnRegistry::with_password());
    let dtbuild = Dtbuild::new(&repo).pushing_to(format!("{}/demo", own.host));
    let login = format!("run `docker login {}`", own.host);
    refused(&dtbuild, &repo, 3, &["asks for credentials and there are none", &login]);
}

#[test]
fn credentials_that_are_refused() {
    let (repo, own) = (project().commit("first"), OwnRegistry::with_password());
    let dtbuild = Dtbuild::new(&repo).pushing_to(format!("{}/demo", own.host));
    // `me:hunter2`.
    let dtbuild = dtbuild.variable("DOCKER_CONFIG", own.docker_config("bWU6aHVudGVyMg=="));
    let login = format!("run `docker login {}`", own.host);
    refused(&dtbuild, &repo, 3, &["refuses", &login]);
    let told = dtbuild.run(["--env", "staging"]).stderr;
    assert!(!told.contains("hunter2") && !told.contains("aHVudGVyMg"), "{told}");
}

#[test]
fn a_folder_of_records_that_cannot_be_written_to() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let folder = dtbuild.record().parent().unwrap().to_owned();
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(&folder, "in the way\n").unwrap();
    let texts = ["cannot keep records in `", "make it a folder that you may write to", "`[records] folder`"];
    refused(&dtbuild, &repo, 3, &texts);
    refused_with(&["plan", "--env", "staging"], &dtbuild, &repo, 3, &texts);
    assert!(tags(&format!("{}/app", dtbuild.registry())).is_empty());
}

#[test]
fn a_folder_of_records_that_a_commit_brings_along() {
    let named = format!("{CONFIG}\n[records]\nfolder = \"records\"\n");
    let repo = project().file("build.toml", &named).file("records/demo/staging.json", "{}\n").commit("first");
    let texts = ["cannot keep records in `", "git tracks it", "git rm -r --cached records"];
    refused(&Dtbuild::new(&repo), &repo, 3, &texts);
    let repo = project().file("build.toml", named).link("records", "app").commit("first");
    refused(&Dtbuild::new(&repo), &repo, 3, &["a link leads to it"]);
}

#[test]
fn a_damaged_record() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    fs::create_dir_all(dtbuild.record().parent().unwrap()).unwrap();
    fs::write(dtbuild.record(), "{\n").unwrap();
    let texts = ["demo/staging.json` is damaged: ", "restore it, or remove it"];
    refused(&dtbuild, &repo, 3, &texts);
    refused_with(&["status"], &dtbuild, &repo, 3, &texts);
    assert!(tags(&format!("{}/app", dtbuild.registry())).is_empty());
}

#[test]
fn no_configuration() {
    let repo = TestRepo::new().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let texts = ["error: there is no build.toml in commit ", "hint: write one at the repository's root"];
    refused(&dtbuild, &repo, 2, &texts);
    let texts = ["error: there is no build.toml in the working tree", "hint: write one"];
    refused_with(&["build"], &dtbuild, &repo, 2, &texts);
}

#[test]
fn a_configuration_that_is_not_committed() {
    let repo = TestRepo::new().commit("first").file("build.toml", CONFIG);
    let texts = ["error: there is no build.toml in commit ", "hint: it is on the disk: commit it"];
    refused(&Dtbuild::new(&repo), &repo, 2, &texts);
}

#[test]
fn a_folder_that_is_in_no_repository() {
    let (repo, folder) = (TestRepo::new(), tempfile::tempdir().unwrap());
    let dtbuild = Dtbuild::new(&repo).at(folder.path());
    let texts = ["is not in a git repository", "run inside a checkout, or `git init` first"];
    refused(&dtbuild, &repo, 3, &texts);
    let texts = ["nowhere`", "No such file or directory"];
    refused_with(&["-C", "nowhere", "status"], &dtbuild, &repo, 3, &texts);
}
