//! What runs remember saves time, and can never change what a plan says; and the preview that asks nobody.

use serde_json::Value;

use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, image, project};
use crate::support::registry::OwnRegistry;
use crate::support::repo::TestRepo;

/// `app`, which is built from `lib`; `outside`, whose Dockerfile is not in its context; `other`.
fn images() -> TestRepo {
    let more = "[images.lib]\ncontext = \"lib\"\n[images.other]\ncontext = \"other\"\n\
                [images.outside]\ncontext = \"data\"\ndockerfile = \"files/outside\"\n";
    project()
        .file("build.toml", format!("{CONFIG}\n{more}"))
        .file("app/Dockerfile", "FROM lib\nCOPY . /\n")
        .file("lib/Dockerfile", "FROM scratch\nCOPY code /\n")
        .file("lib/code", "1\n")
        .file("other/Dockerfile", "FROM scratch\nARG WORD\nCOPY a* /\n")
        .file("other/a/b/c", "1\n")
        .file("data/file", "1\n")
        .file("files/outside", "FROM scratch\nCOPY . /\n")
}

/// The plan, which must be the one that is made without anything remembered.
#[track_caller]
fn plan(repo: &TestRepo, dtbuild: &Dtbuild) -> Value {
    plan_of(repo, dtbuild, "staging")
}

#[track_caller]
fn plan_of(repo: &TestRepo, dtbuild: &Dtbuild, environment: &str) -> Value {
    let remembering = [dtbuild.plan(environment), dtbuild.plan(environment)];
    let (memory, aside) = (repo.root().join(".git/dtbuild"), repo.root().join(".git/aside"));
    std::fs::rename(&memory, &aside).unwrap();
    let anew = dtbuild.plan(environment);
    std::fs::remove_dir_all(&memory).unwrap();
    std::fs::rename(&aside, &memory).unwrap();
    assert_eq!(remembering[0], anew);
    assert_eq!(remembering[1], anew);
    anew
}

#[test]
fn what_is_remembered_changes_no_plan() {
    let mut repo = images().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    let all_kept = ["lib keep", "app keep", "other keep", "outside keep"];
    let with = |more: &str| {
        let text = std::fs::read_to_string(repo.root().join("build.toml")).unwrap();
        text.replace("context = \"other\"\n", &format!("context = \"other\"\n{more}\n"))
    };
    let (argument, ignore) = (with("args = { WORD = \"a\" }"), with("ignore = [\"other/a/b/**\"]"));
    assert_eq!(sorted(&plan(&repo, &dtbuild)), sorted_names(&all_kept));
    let steps: [(&str, &str, &[&str]); 9] = [
        ("lib/code", "2\n", &["app", "lib"]),
        ("lib/unread", "2\n", &["app", "lib"]),
        ("lib/code", "1\n", &[]),
        ("files/outside", "FROM scratch\nCOPY file /\n", &["outside"]),
        ("other/Dockerfile", "FROM lib\nARG WORD\nCOPY a* /\n", &["other", "outside"]),
        ("other/.dockerignore", "a/b\n", &["other", "outside"]),
        ("other/a/b/d", "new\n", &["other", "outside"]),
        ("build.toml", &argument, &["other", "outside"]),
        ("build.toml", &ignore, &["other", "outside"]),
    ];
    for (path, text, built) in steps {
        repo = repo.file(path, text).commit(path);
        let plan = plan(&repo, &dtbuild);
        let builds = plan["images"].as_array().unwrap().iter().filter(|image| image["decision"] == "build");
        let mut builds: Vec<&str> = builds.map(|image| image["name"].as_str().unwrap()).collect();
        builds.sort_unstable();
        assert_eq!(builds, built, "after {path}: {text}");
    }
}

#[test]
fn what_is_remembered_changes_no_plan_for_another_environment() {
    let more = "[environments.other]\nbranch = \"other\"\n\
                [environments.part]\nbranch = \"part\"\nimages = [\"app\"]\n";
    let repo = images();
    let text = std::fs::read_to_string(repo.root().join("build.toml")).unwrap();
    let repo = repo.file("build.toml", format!("{text}{more}")).commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let builds = ["lib build", "app build", "other build", "outside build"];
    assert_eq!(sorted(&plan_of(&repo, &dtbuild, "other")), sorted_names(&builds));
    assert_eq!(decisions(&plan_of(&repo, &dtbuild, "part")), ["lib build", "app build"]);
    // What is remembered is enough for a plan, and not for a build.
    dtbuild.run(["--env", "staging"]).succeeds();
    let reuses = ["lib reuse", "app reuse", "other reuse", "outside reuse"];
    assert_eq!(sorted(&plan_of(&repo, &dtbuild, "other")), sorted_names(&reuses));
    assert_eq!(decisions(&plan_of(&repo, &dtbuild, "part")), ["app reuse"]);
    let repo = repo.file("lib/code", "2\n").commit("second");
    let some = ["lib build", "app build", "other reuse", "outside reuse"];
    assert_eq!(sorted(&plan_of(&repo, &dtbuild, "other")), sorted_names(&some));
    assert_eq!(decisions(&plan_of(&repo, &dtbuild, "part")), ["lib build", "app build"]);
    dtbuild.run(["--env", "other"]).succeeds();
    assert!(decisions(&plan_of(&repo, &dtbuild, "other")).iter().all(|image| image.ends_with(" keep")));
    assert_eq!(decisions(&plan_of(&repo, &dtbuild, "part")), ["app reuse"]);
}

#[test]
fn a_link_out_of_the_context_is_followed_every_time() {
    let repo = images().link("data/.dockerignore", "../shared/ignore").file("shared/ignore", "nothing\n");
    let repo = repo.commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    assert_eq!(image(&plan(&repo, &dtbuild), "outside")["decision"], "keep");
    let repo = repo.file("shared/ignore", "file\n").commit("second");
    assert_eq!(image(&plan(&repo, &dtbuild), "outside")["decision"], "build");
}

#[test]
fn an_offline_preview_asks_nobody() {
    let repo = images().commit("first");
    let registry = OwnRegistry::start(|_| String::new());
    let dtbuild = Dtbuild::new(&repo).pushing_to(format!("{}/demo", registry.host));
    dtbuild.run(["--env", "staging"]).succeeds();
    let repo = repo.file("other/a/b/c", "2\n").commit("second");
    let host = registry.host.clone();
    drop(registry);
    let nobody = dtbuild.variable("DOCKER_HOST", "tcp://127.0.0.1:1");
    nobody.run(["plan", "--env", "staging"]).fails(3, &[&host]);
    let offline = nobody.run(["plan", "--env", "staging", "--offline", "--json"]).json();
    let [lib, app, other, outside] = ["lib keep", "app keep", "other build", "outside keep"];
    assert_eq!(sorted(&offline), sorted_names(&[lib, app, other, outside]));
    let disk = nobody.run(["build", "--dry-run", "--offline", "--json"]).json();
    assert!(decisions(&disk).iter().all(|decision| decision.ends_with(" build")), "{disk:#}");
    drop(repo);
}

#[test]
fn offline_says_what_it_would_have_to_ask() {
    let repo = images().file("other/Dockerfile", "FROM busybox:1.37\nCOPY a* /\n").commit("first");
    let ended = Dtbuild::new(&repo).run(["plan", "--env", "staging", "--offline"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let other = "other    unknown  other/Dockerfile:1: the base image `busybox:1.37` cannot be had: build.lock does not";
    for text in [other, "no registry was asked, as `--offline` was given", "dtbuild lock", "lib      build"] {
        assert!(ended.stdout.contains(text), "no `{text}` in:\n{}", ended.stdout);
    }
}

fn sorted(plan: &Value) -> Vec<String> {
    let mut decisions = decisions(plan);
    decisions.sort_unstable();
    decisions
}

fn sorted_names(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    names
}
