//! Base images that cannot be had: who needs one is unknown, the others are decided.

use serde_json::{Value, json};

use crate::support::base::BaseTag;
use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, image, project, reasons};
use crate::support::registry::{OwnRegistry, address, tags};
use crate::support::repo::TestRepo;

const NOWHERE: &str = "127.0.0.1:9/team/base:1";

/// `app`, which needs no base; `lost`, whose base nobody serves; `above`, which is built from `lost`.
fn three_images() -> TestRepo {
    let more = "[images.lost]\ncontext = \"lost\"\n[images.above]\ncontext = \"above\"\n";
    let repo = project().file("build.toml", format!("{CONFIG}\n{more}"));
    let repo = repo.file("lost/Dockerfile", format!("\nFROM {NOWHERE}\nCOPY x /\n")).file("lost/x", "x");
    let repo = repo.file("above/Dockerfile", "FROM lost\nCOPY y /\n").file("above/y", "y");
    repo.file("build.toml", format!("{CONFIG}\n{more}")).commit("first")
}

/// The plan of a run that could not decide all.
#[track_caller]
fn undecided(dtbuild: &Dtbuild, arguments: &[&str]) -> Value {
    let ended = dtbuild.run(arguments.iter().copied());
    assert_eq!(ended.code, Some(3), "{}{}", ended.stderr, ended.stdout);
    serde_json::from_str(&ended.stdout).unwrap()
}

const PLAN: [&str; 4] = ["plan", "--env", "staging", "--json"];
const OFFLINE: [&str; 5] = ["plan", "--env", "staging", "--json", "--offline"];

#[test]
fn an_image_whose_base_cannot_be_had_is_unknown_and_the_others_are_decided() {
    let repo = three_images();
    let dtbuild = Dtbuild::new(&repo);
    let plan = undecided(&dtbuild, &PLAN);
    assert_eq!(decisions(&plan), ["app build", "lost unknown", "above unknown"]);
    for name in ["lost", "above"] {
        let image = image(&plan, name);
        assert_eq!((&image["key"], &image["released"]), (&Value::Null, &json!(true)));
        let reason = &image["reasons"][0];
        let expected = (&json!("base-unknown"), &json!("lost/Dockerfile"), &json!(2), &json!(NOWHERE));
        assert_eq!((&reason["reason"], &reason["file"], &reason["line"], &reason["name"]), expected);
        let tried = reason["tried"].to_string();
        assert!(tried.contains("build.lock") && tried.contains("cannot reach `127.0.0.1:9`"), "{tried}");
    }
    assert_eq!(plan["deploy"], json!({"decision": "nothing", "reason": "an image is unknown"}));
    let told = dtbuild.run(["plan", "--env", "staging", "--detailed-exitcode"]);
    assert_eq!(told.code, Some(3));
    for text in
        ["  lost   unknown  lost/Dockerfile:2: ", "`dtbuild lock`", "a mirror", "1 to build, 2 unknown"]
    {
        assert!(told.stdout.contains(text), "no `{text}` in:\n{}", told.stdout);
    }
}

#[test]
fn what_does_not_need_the_base_is_told_as_ever() {
    let repo = three_images();
    let dtbuild = Dtbuild::new(&repo);
    let plan = dtbuild.run(["plan", "--env", "staging", "--only", "app", "--json"]).json();
    assert_eq!(decisions(&plan), ["app build", "lost unknown", "above unknown"]);
    assert_eq!(reasons(&image(&plan, "lost")["reasons"]), ["base-unknown", "left-out"]);
    for arguments in
        [&["inputs", "app"][..], &["explain", "app", "--env", "staging"], &["explain", "--path", "lost/x"]]
    {
        dtbuild.run(arguments.iter().copied()).succeeds();
    }
    let told = dtbuild.run(["inputs", "lost"]).succeeds().stdout;
    assert!(told.contains("lost/x") && told.contains("note: lost/Dockerfile:2: the base image"), "{told}");
    let texts =
        ["`lost` is unknown: lost/Dockerfile:2: the base image", "`dtbuild lock`", "`bases = \"name\"`"];
    dtbuild.run(["explain", "lost", "--env", "staging"]).fails(3, &texts);
    dtbuild.run(["build", "app", "--progress", "quiet"]).succeeds();
    dtbuild.run(["build", "lost"]).fails(3, &texts);
}

#[test]
fn a_release_of_an_unknown_image_does_not_begin() {
    let repo = three_images();
    let dtbuild = Dtbuild::new(&repo);
    let texts =
        ["`lost` is unknown: lost/Dockerfile:2: the base image", "`above` is unknown", "hint: any of these"];
    for arguments in
        [&["--env", "staging"][..], &["--env", "staging", "--only", "app"], &["deploy", "--env", "staging"]]
    {
        dtbuild.run(arguments.iter().copied()).fails(3, &texts);
    }
    assert!(tags(&format!("{}/app", dtbuild.registry())).is_empty());
    assert!(!repo.path(".dtbuild").exists());
    // Where nothing is deployed, what is left out need not be known.
    dtbuild.run(["--env", "staging", "--only", "app", "--no-deploy"]).succeeds();
}

#[test]
fn what_runs_already_is_kept_by_only_though_its_base_is_gone() {
    let own = OwnRegistry::start(|_| String::new());
    let base = BaseTag::new(&own.host);
    base.serves(&json!({}));
    let repo = project().file("build.toml", format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n"));
    let repo =
        repo.file("lib/Dockerfile", format!("FROM {base}\nCOPY x /\n")).file("lib/x", "1").commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    drop(own);
    let forgetful = dtbuild.clone().variable("XDG_CACHE_HOME", repo.path(".git/nothing"));
    let _repo = repo.file("app/greeting.txt", "good day\n").file("lib/x", "2").commit("second");
    let plan = forgetful.run(["plan", "--env", "staging", "--only", "app", "--json"]).json();
    assert_eq!(decisions(&plan), ["app build", "lib keep"]);
    assert_eq!(reasons(&image(&plan, "lib")["reasons"]), ["left-out"]);
    forgetful.run(["--env", "staging", "--only", "app"]).succeeds();
}

#[test]
fn offline_takes_what_the_record_has_then_what_this_machine_remembers_and_says_which() {
    let base = BaseTag::new(&address());
    let first = base.serves(&json!({"User": "1"}));
    let repo = project()
        .file("app/Dockerfile", format!("FROM {base}\nCOPY a /\n"))
        .file("app/a", "1")
        .commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    let second = base.serves(&json!({"User": "2"}));
    // The hour is over: the registry is asked, and remembered.
    std::fs::remove_file(dtbuild.cache().join("dtbuild/bases.json")).unwrap();
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app build"]);
    let notes = |plan: &Value| image(plan, "app")["notes"][0].as_str().unwrap().to_owned();
    let place = format!("app/Dockerfile:1: the base image `{base}` is taken as");

    let plan = dtbuild.run(OFFLINE).json();
    assert_eq!(decisions(&plan), ["app keep"]);
    assert_eq!(notes(&plan), format!("{place} {first}, which the environment's record has"));

    std::fs::remove_file(dtbuild.record()).unwrap();
    let plan = dtbuild.run(OFFLINE).json();
    assert_eq!(image(&plan, "app")["fields"]["bases"][base.to_string()], second.as_str());
    assert!(
        notes(&plan).starts_with(&format!("{place} {second}, from this machine's memory of 20")),
        "{plan:#}"
    );

    dtbuild.run(["lock"]).succeeds();
    let _repo = repo.commit("lock");
    let plan = dtbuild.run(OFFLINE).json();
    assert_eq!(image(&plan, "app")["notes"], json!([]), "build.lock goes before all");
}

#[test]
fn a_base_that_the_dockerfile_pins_needs_no_registry_where_its_configuration_is_known() {
    let own = OwnRegistry::start(|_| String::new());
    let base = BaseTag::new(&own.host);
    let digest = base.serves(&json!({"OnBuild": ["COPY a /"]}));
    let repo = project()
        .file("app/Dockerfile", format!("FROM {base}@{digest}\n"))
        .file("app/a", "1")
        .commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let before = dtbuild.plan("staging");
    drop(own);
    let after = dtbuild.plan("staging");
    assert_eq!(image(&after, "app")["key"], image(&before, "app")["key"]);
    assert_eq!(image(&dtbuild.run(OFFLINE).json(), "app")["key"], image(&before, "app")["key"]);
    let nobody = Dtbuild::new(&repo);
    assert_eq!(decisions(&undecided(&nobody, &OFFLINE)), ["app unknown"]);
}

#[test]
fn unknown_triggers_of_several_images_are_one_line() {
    let more = "[images.lib]\ncontext = \"app\"\ndockerfile = \"lib.Dockerfile\"\n";
    let config = CONFIG.replace("[images.app]", "bases = \"name\"\n\n[images.app]");
    let repo = project().file("build.toml", format!("{config}\n{more}"));
    let repo = repo.file("app/Dockerfile", "FROM r.invalid/a\n").file("lib.Dockerfile", "FROM r.invalid/b\n");
    let repo = repo.commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let told = dtbuild.run(["plan", "--env", "staging"]).succeeds().stdout;
    assert_eq!(told.matches("ONBUILD").count(), 1, "{told}");
    assert!(told.contains("note: 2 images stand on base images whose ONBUILD"), "{told}");
    assert!(image(&dtbuild.plan("staging"), "lib")["notes"][0].as_str().unwrap().contains("`r.invalid/b`"));
}
