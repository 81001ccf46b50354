//! What an image takes from the image that it stands on: variables, and the ONBUILD instructions.

use serde_json::{Value, json};

use crate::support::base::BaseTag;
use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, image, project, reasons};
use crate::support::registry::{OwnRegistry, address, fresh_repository};
use crate::support::repo::TestRepo;

/// A project whose `app` is built for these platforms.
fn project_for(platforms: &[&str], dockerfile: impl AsRef<[u8]>) -> TestRepo {
    let platforms = format!("context = \"app\"\nplatforms = {platforms:?}");
    let repo = project().file("build.toml", CONFIG.replace("context = \"app\"", &platforms));
    let repo = repo.file("app/Dockerfile", dockerfile).file("app/README.md", "read me\n");
    repo.file("app/a", "1").file("app/b", "1").file("app/dist/c", "1").commit("first")
}

fn amd64(dockerfile: impl AsRef<[u8]>) -> TestRepo {
    project_for(&["linux/amd64"], dockerfile)
}

/// The paths of the inputs of `app`.
#[track_caller]
fn inputs(dtbuild: &Dtbuild) -> Vec<String> {
    let inputs = dtbuild.run(["inputs", "app", "--json"]).json();
    let paths = inputs["inputs"].as_array().unwrap().iter();
    paths.map(|input| input["path"].as_str().unwrap().to_owned()).collect()
}

fn key(plan: &Value) -> String {
    image(plan, "app")["key"].as_str().unwrap().to_owned()
}

fn lock_of(repo: &TestRepo) -> String {
    std::fs::read_to_string(repo.path("build.lock")).unwrap()
}

const ALL: [&str; 6] = ["Dockerfile", "README.md", "a", "b", "dist/c", "greeting.txt"];

#[test]
fn a_base_image_without_triggers_leaves_what_the_dockerfile_reads() {
    let base = BaseTag::new(&address());
    base.serves(&json!({"Env": ["PATH=/bin"]}));
    let repo = amd64(format!("FROM {base}\nCOPY a /\n"));
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(inputs(&dtbuild), ["app/a"]);
    let before = key(&dtbuild.plan("staging"));
    let repo = repo.file("app/README.md", "other").file("app/test", "new").commit("second");
    let after = dtbuild.plan("staging");
    assert_eq!((key(&after), image(&after, "app")["notes"].clone()), (before.clone(), json!([])));
    let _repo = repo.file("app/a", "2").commit("third");
    assert_ne!(key(&dtbuild.plan("staging")), before);
}

#[test]
fn triggers_and_variables_of_a_base_image_are_read() {
    let base = BaseTag::new(&address());
    base.serves(&json!({"Env": ["DIST=dist"], "OnBuild": ["COPY b /", "ARG MODE"]}));
    let repo = amd64(format!("FROM {base}\nCOPY $DIST /srv\n"));
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(inputs(&dtbuild), ["app/b", "app/dist/c"]);
    let before = key(&dtbuild.plan("staging"));
    let args = CONFIG.replace("context = \"app\"", "context = \"app\"\nargs = { MODE = \"x\" }");
    let _repo = repo.file("build.toml", args).commit("second");
    let after = dtbuild.plan("staging");
    assert_ne!(key(&after), before, "a trigger declares the argument");
    assert_eq!(image(&after, "app")["notes"], json!([]));
}

#[test]
fn what_a_trigger_needs_and_is_not_there_is_an_error_on_the_line_that_names_the_image() {
    let base = BaseTag::new(&address());
    base.serves(&json!({"OnBuild": ["COPY package.json /"]}));
    let repo = amd64(format!("\nFROM {base}\n"));
    let texts = ["app/Dockerfile:2: ONBUILD package.json: not in the context `app`"];
    Dtbuild::new(&repo).run(["plan", "--env", "staging"]).fails(2, &texts);
}

#[test]
fn a_trigger_can_name_further_images() {
    let (base, tools) = (BaseTag::new(&address()), BaseTag::new(&address()));
    base.serves(&json!({"OnBuild": [format!("COPY --from={tools} /x /"), "COPY --from=lib /y /"]}));
    let served = tools.serves(&json!({}));
    let config = format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n");
    let repo = project().file("build.toml", config).file("lib/Dockerfile", "FROM scratch\nCOPY y /\n");
    let repo = repo.file("lib/y", "1").file("app/Dockerfile", format!("FROM {base}\n")).commit("first");
    let plan = Dtbuild::new(&repo).plan("staging");
    assert_eq!(image(&plan, "app")["fields"]["bases"][tools.to_string()], served.as_str());
    assert_eq!(image(&plan, "app")["dependencies"], json!(["lib"]));
}

#[test]
fn each_platform_has_the_triggers_of_its_own_image() {
    let base = BaseTag::new(&address());
    base.serves_each(&[
        ("linux/amd64", json!({"OnBuild": ["COPY a /"]})),
        ("linux/arm64/v8", json!({"OnBuild": ["COPY b /"]})),
    ]);
    let from = format!("FROM {base}\n");
    let of = |platforms: &[&str]| {
        let repo = project_for(platforms, &from);
        let dtbuild = Dtbuild::new(&repo);
        let before = (inputs(&dtbuild), key(&dtbuild.plan("staging")));
        dtbuild.run(["lock"]).succeeds();
        let after = (inputs(&dtbuild.clone()), key(&dtbuild.plan_of_disk()));
        assert_eq!(before, after, "{}", lock_of(&repo));
        before.0
    };
    assert_eq!(of(&["linux/amd64"]), ["app/a"]);
    assert_eq!(of(&["linux/arm64"]), ["app/b"]);
    assert_eq!(of(&["linux/amd64", "linux/arm64"]), ["app/a", "app/b"]);
    // What an engine falls back to is not guessed at.
    let repo = project_for(&["linux/s390x"], &from);
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(inputs(&dtbuild), ALL.map(|path| format!("app/{path}")));
    let note =
        format!("app/Dockerfile:1: the ONBUILD instructions of `{base}`, if it has any, are not known");
    assert_eq!(image(&dtbuild.plan("staging"), "app")["notes"], json!([note]));
}

#[test]
fn a_locked_base_image_needs_no_registry() {
    let own = OwnRegistry::start(|_| String::new());
    let (plain, telling) = (BaseTag::new(&own.host), BaseTag::new(&own.host));
    let plain_digest = plain.serves(&json!({"Env": ["V=1"]}));
    let digest = telling.serves_each(&[
        ("linux/amd64", json!({"Env": ["PATH=/bin", "DIST=dist"], "OnBuild": ["COPY b /"]})),
        ("linux/arm64", json!({"Env": ["PATH=/bin", "DIST=dist"], "OnBuild": ["COPY b /"]})),
    ]);
    let pinned = format!("{telling}@{digest}");
    let dockerfile = format!(
        "FROM {plain} AS x\nCOPY a /\nFROM {telling}\nCOPY $DIST /\nCOPY --from=x / /\nFROM {pinned}\n"
    );
    let repo = project_for(&["linux/amd64", "linux/arm64"], dockerfile + "COPY --from=1 / /\n");
    let dtbuild = Dtbuild::new(&repo);
    let (before, read) = (key(&dtbuild.plan_of_disk()), inputs(&dtbuild));
    assert_eq!(read, ["app/a", "app/b", "app/dist/c"]);
    dtbuild.run(["lock"]).succeeds();
    let lock = lock_of(&repo);
    for line in [
        "version = 2\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n".to_owned(),
        format!("\"{plain}\" = \"{plain_digest}\"\n"),
        format!(
            "\"{telling}\" = {{ digest = \"{digest}\", env = {{ DIST = \"dist\" }}, onbuild = [\"COPY b /\"] }}\n"
        ),
        format!("\"{pinned}\" = {{ digest = \"{digest}\", onbuild = [\"COPY b /\"] }}\n"),
    ] {
        assert!(lock.contains(&line), "{line}{lock}");
    }
    assert_eq!(dtbuild.run(["lock"]).succeeds().stdout, "", "nothing to add");
    drop(own);
    // Another machine, which was never told anything.
    assert_eq!(key(&Dtbuild::new(&repo).plan_of_disk()), before);
}

#[test]
fn a_registry_that_is_gone_is_told_with_the_name_of_the_base_image() {
    let own = OwnRegistry::start(|_| String::new());
    let base = BaseTag::new(&own.host);
    let digest = base.serves(&json!({}));
    let repo = amd64(format!("FROM {base}\nCOPY a /\n"));
    let lock = format!("version = 1\n\n[bases]\n\"{base}\" = \"{digest}\"\n");
    let repo = repo.file("build.lock", lock).commit("lock");
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(inputs(&dtbuild), ["app/a"], "what the lock does not tell, the registry does");
    drop(own);
    assert_eq!(inputs(&dtbuild), ["app/a"], "a configuration counts for ever");
    // Another machine, which was never told anything: all files may count, and nothing is decided.
    let nobody = Dtbuild::new(&repo);
    let told = nobody.run(["inputs", "app"]).succeeds().stdout;
    let why =
        format!("app/Dockerfile:1: the base image `{base}` cannot be had: failed to read the configuration");
    for text in [&*why, "is the registry running?", "app/README.md"] {
        assert!(told.contains(text), "no `{text}` in:\n{told}");
    }
    assert_eq!(nobody.run(["plan", "--env", "staging"]).code, Some(3));
}

#[test]
fn a_lock_of_version_one_is_completed() {
    let base = BaseTag::new(&address());
    let digest = base.serves(&json!({"OnBuild": ["COPY b /"]}));
    let repo = amd64(format!("FROM {base}\nCOPY a /\n"));
    let repo = repo.file("build.lock", format!("version = 1\n\n[bases]\n\"{base}\" = \"{digest}\"\n"));
    let dtbuild = Dtbuild::new(&repo);
    let before = key(&dtbuild.plan_of_disk());
    assert_eq!(dtbuild.run(["lock", "--check"]).succeeds().stdout, "", "the base did not move");
    let said = dtbuild.run(["lock"]).succeeds().stdout;
    assert_eq!(
        said,
        format!("read for  linux/amd64\n{base}  read     its ONBUILD instructions and variables\n")
    );
    assert!(lock_of(&repo).contains("onbuild = [\"COPY b /\"]"), "{}", lock_of(&repo));
    assert_eq!(key(&dtbuild.plan_of_disk()), before);
}

#[test]
fn by_name_alone_everything_counts_and_a_note_says_so() {
    let config = CONFIG.replace("[images.app]", "bases = \"name\"\n\n[images.app]");
    let repo = amd64("FROM registry.invalid/base:1\nCOPY a /\n");
    let repo = repo.file("build.toml", config.replace("\"app\"\n", "\"app\"\nargs = { MODE = \"x\" }\n"));
    let repo = repo.commit("by name");
    let dtbuild = Dtbuild::new(&repo);
    let plan = dtbuild.plan("staging");
    let note = "app/Dockerfile:1: the ONBUILD instructions of `registry.invalid/base:1`, if it has any, are \
                not known: `bases = \"name\"` asks nobody, `dtbuild lock` does";
    assert_eq!(image(&plan, "app")["notes"], json!([note]));
    assert_eq!(image(&plan, "app")["fields"]["args"], json!({"MODE": "x"}), "any argument may count");
    assert_eq!(inputs(&dtbuild), ALL.map(|path| format!("app/{path}")));
}

#[test]
fn an_image_of_the_project_hands_on_its_triggers_and_variables() {
    let base = BaseTag::new(&address());
    base.serves(&json!({"Env": ["DIST=dist"]}));
    let config = format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n");
    let lib = format!("FROM {base}\nARG GONE=a\nENV MORE=$DIST/c\nONBUILD COPY b /\n");
    let repo = amd64("FROM lib\nCOPY $MORE $GONE /\nCOPY ${DIST}* /\n").file("build.toml", config);
    let repo = repo.file("lib/Dockerfile", lib).file("lib/x", "1");
    let repo = repo.file("app/Dockerfile", "FROM lib\nCOPY $MORE /\nCOPY ${DIST}* /\n").commit("second");
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(inputs(&dtbuild), ["app/b", "app/dist/c"]);
    let before = dtbuild.plan("staging");
    let repo = repo.file("app/README.md", "other").file("lib/x", "2").commit("third");
    let after = dtbuild.plan("staging");
    assert_eq!(key(&after), key(&before), "nothing of this is read");
    let lib = format!("FROM {base}\nENV MORE=b\nONBUILD COPY a /\n");
    let _repo = repo.file("lib/Dockerfile", lib).commit("fourth");
    assert_eq!(inputs(&dtbuild), ["app/a", "app/b", "app/dist/c"]);
}

#[test]
fn a_base_image_that_the_engine_made_is_built_on_and_its_move_is_explained() {
    let config = |registry: &str| {
        format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n\n[environments.libs]\nimages = [\"lib\"]\n")
            .replace("branch = \"staging\"", "branch = \"staging\"\nimages = [\"app\"]")
            .replace("[images.lib]", &format!("[images.lib]\nrepository = \"{registry}\""))
    };
    // Another team's repository makes the base image; this one names it by its tag.
    let lib = fresh_repository(&address()).to_string();
    let theirs = project().file("build.toml", config(&lib)).file("lib/b", "1");
    let triggers =
        "FROM busybox:1.36\nENV DIST=dist\nCOPY b /\nONBUILD COPY a /\nONBUILD RUN cp /a /triggered\n";
    let theirs = theirs.file("lib/Dockerfile", triggers).commit("first");
    let make = Dtbuild::new(&theirs);
    make.run(["--env", "libs"]).succeeds();

    let dockerfile =
        format!("FROM {lib}:libs\nCOPY $DIST /dist\nRUN test -e /triggered && test -e /dist/c\n");
    let repo = project().file("app/Dockerfile", dockerfile).file("app/a", "1").file("app/dist/c", "1");
    let repo = repo.file("app/README.md", "read me").commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["lock"]).succeeds();
    let repo = repo.commit("lock");
    dtbuild.run(["--env", "staging"]).succeeds();
    let repo = repo.file("app/README.md", "other").file("app/tests/x", "new").commit("beside");
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app keep"]);

    let _theirs = theirs.file("lib/b", "2").commit("second");
    make.run(["--env", "libs"]).succeeds();
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app keep"], "the lock holds it");
    assert_eq!(dtbuild.run(["lock", "--check"]).code, Some(10));
    dtbuild.run(["lock", "--update"]).succeeds();
    let _repo = repo.commit("move the base");
    let plan = dtbuild.plan("staging");
    assert_eq!(decisions(&plan), ["app build"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["base-moved", "not-in-cache"]);
    dtbuild.run(["--env", "staging"]).succeeds();
}
