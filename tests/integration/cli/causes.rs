//! True causes: a plan names what changed, or says why it cannot, and never blames a base that is there.

use serde_json::{Value, json};

use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, image, project, reasons};
use crate::support::repo::TestRepo;

/// Two images, `app` and `lib`, with more lines of `build.toml` at the end.
fn two_images(more: &str) -> TestRepo {
    project()
        .file("build.toml", format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n{more}"))
        .file("lib/Dockerfile", "FROM scratch\nCOPY code /\n")
        .file("lib/code", "1\n")
}

fn deployed(repo: &TestRepo) -> Dtbuild {
    let dtbuild = Dtbuild::new(repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    dtbuild
}

/// The reasons of an image, but for the one that every build has.
fn causes(plan: &Value, name: &str) -> Vec<Value> {
    let reasons = image(plan, name)["reasons"].as_array().unwrap().iter();
    reasons.filter(|reason| reason["reason"] != "not-in-cache").cloned().collect()
}

#[test]
fn a_dockerfile_that_is_an_input_itself_is_the_only_cause() {
    let repo = two_images("").commit("first");
    let dtbuild = deployed(&repo);
    let repo = repo.file("app/Dockerfile", "FROM scratch\nCOPY . /here/\n").commit("second");
    let changed = |path: &str| json!({ "reason": "dockerfile-changed", "path": path });
    assert_eq!(causes(&dtbuild.plan("staging"), "app"), [changed("app/Dockerfile")]);
    // Another text of the file reads other files, which did not change.
    let repo = repo.file("lib/other", "1\n").commit("third");
    dtbuild.run(["--env", "staging"]).succeeds();
    let repo = repo.file("lib/Dockerfile", "FROM scratch\nCOPY other /\n").commit("fourth");
    assert_eq!(causes(&dtbuild.plan("staging"), "lib"), [changed("lib/Dockerfile")]);
    drop(repo);
}

#[test]
fn what_only_left_out_is_compared_with_the_commit_that_it_runs() {
    let repo = two_images("").commit("first");
    let dtbuild = deployed(&repo);
    let first = dtbuild.plan("staging");
    let repo = repo.file("app/greeting.txt", "2\n").file("lib/code", "2\n").commit("second");
    dtbuild.run(["--env", "staging", "--only", "lib"]).succeeds();
    // The record has the key that runs.
    let left = dtbuild.run(["plan", "--env", "staging", "--only", "lib", "--json"]).json();
    assert_eq!(image(&left, "app")["key"], image(&first, "app")["key"]);
    let greeting = json!({ "reason": "path-changed", "path": "app/greeting.txt", "status": "modified" });
    for _ in 0..2 {
        let plan = dtbuild.plan("staging");
        assert_eq!(decisions(&plan), ["app build", "lib keep"]);
        assert_eq!(causes(&plan, "app"), std::slice::from_ref(&greeting));
    }
    // However often it is left out.
    let repo = repo.file("lib/code", "3\n").commit("third");
    dtbuild.run(["--env", "staging", "--only", "lib"]).succeeds();
    let repo = repo.file("lib/code", "4\n").commit("fourth");
    let plan = dtbuild.plan("staging");
    assert_eq!(causes(&plan, "app"), [greeting]);
    assert_eq!(causes(&plan, "lib")[0]["path"], "lib/code");
    dtbuild.run(["--env", "staging"]).succeeds();
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app keep", "lib keep"]);
    drop(repo);
}

#[test]
fn a_base_that_is_there_is_not_said_to_be_missing() {
    let repo = two_images("").commit("first");
    let dtbuild = deployed(&repo);
    let repo = repo.file("app/greeting.txt", "2\n").commit("second");
    let base = dtbuild.run(["plan", "--env", "staging", "--base", "HEAD", "--json"]).json();
    assert_eq!(causes(&base, "app"), [json!({ "reason": "inputs-changed", "why": "other-inputs" })]);
    let told = dtbuild.run(["plan", "--env", "staging", "--base", "HEAD"]).succeeds().stdout;
    assert!(!told.contains("only the base commit could tell"), "{told}");

    let lines = std::fs::read_to_string(repo.root().join("build.toml")).unwrap();
    let lines = lines.replace("context = \"lib\"", "context = \"lib\"\nsource = \"worktree\"");
    let repo = repo.file("build.toml", lines).commit("from the disk");
    dtbuild.run(["--env", "staging"]).succeeds();
    repo.write("lib/code", "uncommitted\n", 0o644);
    let plan = dtbuild.plan("staging");
    assert_eq!(causes(&plan, "lib"), [json!({ "reason": "inputs-changed", "why": "disk" })]);
}

#[test]
fn a_plan_of_head_says_what_is_not_committed() {
    let repo = two_images("").commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let uncommitted = |arguments: &[&str]| {
        let plan = dtbuild.run(["plan", "--env", "staging", "--json"].iter().chain(arguments)).json();
        let notes = plan["notes"].as_array().cloned().unwrap_or_default();
        let mut notes = notes.iter().filter_map(Value::as_str).filter(|note| note.contains("uncommitted"));
        notes.next().map(str::to_owned)
    };
    repo.write("app/untracked", "1\n", 0o644);
    assert_eq!(uncommitted(&[]), None);
    repo.write("app/greeting.txt", "another\n", 0o644);
    let one = "1 uncommitted change is not in this plan (`app/greeting.txt`): commit it, or `dtbuild build` builds \
        the files on the disk";
    assert_eq!(uncommitted(&[]).as_deref(), Some(one));
    repo.git(["add", "app/untracked"]);
    assert!(uncommitted(&[]).unwrap().starts_with("2 uncommitted changes are not in this plan"));
    let repo = repo.commit("second");
    assert_eq!(uncommitted(&[]), None);
    repo.write("app/greeting.txt", "a third\n", 0o644);
    assert_eq!(uncommitted(&["--head", "HEAD~1"]), None);
}

#[test]
fn an_environment_of_another_branch_says_whose_branch_this_is() {
    let more = "[environments.testing]\nbranch = \"main\"\n";
    let repo = two_images(more).commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let note = "`staging` follows the branch `staging`; this is `main`, the branch of `testing`";
    assert_eq!(dtbuild.plan("staging")["notes"], json!([note]));
    assert_eq!(dtbuild.plan("testing").get("notes"), None);
    repo.git(["checkout", "--quiet", "-b", "feature"]);
    let note = "`staging` follows the branch `staging`; this is `feature`, a branch of no environment";
    let told = dtbuild.run(["plan", "--env", "staging"]).succeeds().stdout;
    assert!(told.contains(&format!("note: {note}")), "{told}");
    repo.git(["checkout", "--quiet", "--detach"]);
    assert_eq!(dtbuild.plan("staging").get("notes"), None);
}

#[test]
fn images_that_a_commit_adds_or_removes_stand_in_the_plan() {
    let repo = two_images("").commit("first");
    let dtbuild = deployed(&repo);
    let lines = std::fs::read_to_string(repo.root().join("build.toml")).unwrap();
    let lines = lines.replace("[images.lib]\ncontext = \"lib\"", "[images.tool]\ncontext = \"tool\"");
    let repo = repo
        .file("build.toml", lines)
        .file("tool/Dockerfile", "FROM scratch\nCOPY t /\n")
        .file("tool/t", "1");
    let _repo = repo.commit("second");
    let plan = dtbuild.plan("staging");
    assert_eq!(decisions(&plan), ["app keep", "tool build"]);
    assert_eq!(reasons(&image(&plan, "tool")["reasons"])[0], "not-deployed");
    assert_eq!(plan["removed"], json!(["lib"]));
    dtbuild.run(["--env", "staging"]).succeeds();
    assert_eq!(dtbuild.plan("staging").get("removed"), None);
}

#[test]
fn a_renamed_image_keeps_its_history() {
    let repo = two_images("").commit("first");
    let dtbuild = deployed(&repo);
    let lines = std::fs::read_to_string(repo.root().join("build.toml")).unwrap();
    let lines = lines.replace("[images.lib]\n", "[images.library]\nrenamed-from = \"lib\"\n");
    let repo = repo.file("build.toml", lines).file("lib/code", "2\n").commit("second");
    let plan = dtbuild.plan("staging");
    assert_eq!(decisions(&plan), ["app keep", "library build"]);
    let changed = json!({ "reason": "path-changed", "path": "lib/code", "status": "modified" });
    assert_eq!(causes(&plan, "library"), [json!({ "reason": "renamed", "from": "lib" }), changed]);
    assert_eq!(plan.get("removed"), None);
    // Nothing is at the registry under the new name, whatever runs under the old one.
    let _repo = repo.file("lib/code", "1\n").commit("as it was");
    let plan = dtbuild.plan("staging");
    assert_eq!(decisions(&plan), ["app keep", "library build"]);
    assert_eq!(causes(&plan, "library"), [json!({ "reason": "renamed", "from": "lib" })]);
    dtbuild.run(["--env", "staging"]).succeeds();
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app keep", "library keep"]);
}

#[test]
fn a_context_that_moves_keeps_its_key() {
    let repo = two_images("ignore = [\"lib/*.md\"]\n").file("lib/.dockerignore", "*.o\n").commit("first");
    let dtbuild = deployed(&repo);
    repo.git(["mv", "lib", "moved"]);
    let lines = std::fs::read_to_string(repo.root().join("build.toml")).unwrap();
    let lines = lines.replace("context = \"lib\"", "context = \"moved\"").replace("lib/*.md", "moved/*.md");
    let repo = repo.file("build.toml", lines).commit("moved");
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app keep", "lib keep"]);
    drop(repo);
}

#[test]
fn the_log_of_a_run_says_why_each_image_is_built() {
    let repo = two_images("").commit("first");
    let dtbuild = deployed(&repo);
    let _repo = repo.file("lib/code", "2\n").commit("second");
    let log = dtbuild.run(["--env", "staging", "--progress", "plain"]).succeeds().stderr;
    assert!(log.contains("lib    | to be built: lib/code modified\n"), "{log}");
    assert!(!log.contains("app    | to be built"), "{log}");
}
