//! What a plan is compared with, where there is nothing to compare with, and the kinds of checkouts.

use std::fs;
use std::io::Read as _;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, image, project, reasons};
use crate::support::registry::tags;
use crate::support::repo::TestRepo;

/// A project whose deployment is a program that does nothing.
fn deployable() -> TestRepo {
    project().file("build.toml", format!("{CONFIG}deploy = {{ command = [\"true\"] }}\n"))
}

/// Two images, deployed, and a commit since then that changes the inputs of `app`; with the commit that is deployed.
fn changed_since_it_was_deployed() -> (TestRepo, Dtbuild, String) {
    let more = format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n");
    let repo = project().file("build.toml", more).file("lib/Dockerfile", "FROM scratch\nCOPY . /\n");
    let repo = repo.commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    let deployed = repo.head();
    (repo.file("app/greeting.txt", "good day\n").commit("second"), dtbuild, deployed)
}

/// Whether a commit is in a clone.
fn has(clone: &TestRepo, commit: &str) -> bool {
    let found = clone.git_bytes(["cat-file", "--batch-check"], format!("{commit}\n").as_bytes());
    !String::from_utf8(found).unwrap().ends_with("missing\n")
}

#[test]
fn the_first_deployment_has_no_base() {
    let repo = deployable().commit("first");
    let plan = Dtbuild::new(&repo).plan("staging");
    assert_eq!(plan["base"]["state"], "none");
    assert_eq!(plan["head"]["id"], repo.head());
    assert_eq!(decisions(&plan), ["app build"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["not-deployed", "not-in-cache"]);
    assert_eq!(reasons(&plan["deploy"]["reasons"]), ["not-deployed"]);
}

#[test]
fn without_a_record_a_hit_is_still_a_hit() {
    let repo = deployable().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    fs::remove_file(dtbuild.record()).unwrap();
    let plan = dtbuild.plan("staging");
    assert_eq!(plan["base"]["state"], "none");
    assert_eq!(decisions(&plan), ["app reuse"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["not-deployed", "in-cache"]);
    let before = tags(&format!("{}/app", dtbuild.registry()));
    dtbuild.run(["--env", "staging"]).succeeds();
    assert_eq!(tags(&format!("{}/app", dtbuild.registry())), before);
    assert_eq!(decisions(&dtbuild.plan("staging")), ["app keep"]);
}

#[test]
fn a_clone_of_depth_one_keeps_what_runs_and_builds_what_changed() {
    let (repo, dtbuild, deployed) = changed_since_it_was_deployed();
    let clone = repo.cloned(&["--depth=1"]);
    let dtbuild = dtbuild.at(clone.root());
    let plan = dtbuild.run(["plan", "--env", "staging", "--offline", "--json"]).json();
    assert_eq!(
        (&plan["base"]["state"], &plan["base"]["commit"]),
        (&"missing".into(), &deployed.as_str().into())
    );
    let reason = plan["base"]["reason"].as_str().unwrap();
    assert!(reason.contains("shallow") && reason.contains("git fetch --unshallow"), "{reason}");
    assert_eq!(decisions(&plan), ["app build", "lib keep"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["inputs-changed", "not-in-cache"]);
    let shown = dtbuild.run(["plan", "--env", "staging", "--offline"]).succeeds().stdout;
    assert!(shown.contains("is not in this clone: the clone is shallow"), "{shown}");
    // Nobody reads why a run builds.
    dtbuild.run(["--env", "staging"]).succeeds();
    assert!(!has(&clone, &deployed));
}

#[test]
fn a_preview_fetches_the_base_that_the_clone_lacks() {
    let (repo, dtbuild, deployed) = changed_since_it_was_deployed();
    for command in [&["plan"][..], &["--dry-run"], &["explain", "app"]] {
        let clone = repo.cloned(&["--depth=1"]);
        let dtbuild = dtbuild.at(clone.root());
        let shown = dtbuild.run([command, &["--env", "staging"]].concat()).succeeds().stdout;
        assert!(shown.contains("app/greeting.txt modified"), "{command:?}: {shown}");
        assert!(has(&clone, &deployed));
        // Once is enough.
        clone.git(["remote", "remove", "origin"]);
        assert_eq!(dtbuild.plan("staging")["base"], json!({ "state": "known", "commit": deployed }));
    }
}

#[test]
fn a_preview_fetches_the_base_that_it_is_given() {
    let (repo, dtbuild, deployed) = changed_since_it_was_deployed();
    let repo = repo.file("app/more.txt", "more\n").commit("third");
    let second = repo.git(["rev-parse", "HEAD~1"]);
    let clone = repo.cloned(&["--depth=1"]);
    let plan = dtbuild.at(clone.root()).run(["plan", "--env", "staging", "--base", &second, "--json"]).json();
    assert_eq!(plan["base"], json!({ "state": "known", "commit": second }));
    assert_eq!(image(&plan, "app")["reasons"][0]["path"], "app/more.txt");
    assert!(!has(&clone, &deployed));
}

#[test]
fn a_preview_in_which_nothing_changed_fetches_nothing() {
    let (repo, dtbuild, _) = changed_since_it_was_deployed();
    dtbuild.run(["--env", "staging"]).succeeds();
    let deployed = repo.head();
    let repo = repo.file("README", "nothing reads it\n").commit("third");
    let clone = repo.cloned(&["--depth=1"]);
    let plan = dtbuild.at(clone.root()).plan("staging");
    assert_eq!(plan["base"]["state"], "missing");
    assert_eq!(decisions(&plan), ["app keep", "lib keep"]);
    assert!(!has(&clone, &deployed));
}

#[test]
fn where_the_base_cannot_be_fetched_the_plan_says_why() {
    let (repo, dtbuild, deployed) = changed_since_it_was_deployed();
    let clone = repo.cloned(&["--depth=1", "--config=protocol.version=0"]);
    let dtbuild = dtbuild.at(clone.root());
    let reason = |plan: &Value| plan["base"]["reason"].as_str().unwrap().to_owned();
    let plan = dtbuild.plan("staging");
    let refused =
        "the clone is shallow, and `git fetch` from `origin` failed: Server does not allow request for";
    assert_eq!(reason(&plan), format!("{refused} unadvertised object {deployed}"));
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["inputs-changed", "not-in-cache"]);
    clone.git(["remote", "remove", "origin"]);
    let plan = dtbuild.plan("staging");
    assert_eq!(reason(&plan), "the clone is shallow, and there is no remote to fetch it from");
    let dtbuild = dtbuild.variable("PATH", "");
    clone.git(["remote", "add", "origin", "file:///nowhere"]);
    let told = reason(&dtbuild.plan("staging"));
    assert!(told.starts_with("the clone is shallow, and `git` cannot be run: No such file"), "{told}");
}

#[test]
fn a_signal_ends_the_preview_and_its_fetch() {
    let (repo, dtbuild, _) = changed_since_it_was_deployed();
    for signal in [Signal::INT, Signal::TERM] {
        let clone = repo.cloned(&["--depth=1"]);
        // A server that says nothing, and has the pipe open as long as it lives.
        let pipe = clone.path(".git/pipe");
        mkfifoat(CWD, &pipe, Mode::from(0o600)).unwrap();
        let ssh = format!("exec tail -f /dev/null > {}; :", pipe.display());
        clone.git(["config", "core.sshCommand", &ssh]);
        clone.git(["remote", "set-url", "origin", "ssh://git.example.com/repo"]);
        let run = dtbuild.at(clone.root()).start(["plan", "--env", "staging"]);
        let mut server = fs::File::open(&pipe).unwrap();
        kill_process(Pid::from_child(&run), signal).unwrap();
        let ended = run.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130), "{ended:?}");
        assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), 0);
    }
}

#[test]
fn a_clone_without_the_folders_of_old_commits_keeps_what_runs_and_builds_what_changed() {
    let (repo, dtbuild, deployed) = changed_since_it_was_deployed();
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    let clone = repo.cloned(&["--filter=tree:0"]);
    let dtbuild = dtbuild.at(clone.root());
    let plan = dtbuild.run(["plan", "--env", "staging", "--offline", "--json"]).json();
    assert_eq!(plan["base"]["state"], "missing");
    let reason = plan["base"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("no folders of older commits") && reason.contains("--filter=blob:none"),
        "{reason}"
    );
    assert_eq!(decisions(&plan), ["app build", "lib keep"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["inputs-changed", "not-in-cache"]);
    let plan = dtbuild.plan("staging");
    assert_eq!(plan["base"], json!({ "state": "known", "commit": deployed }));
    assert_eq!(image(&plan, "app")["reasons"][0]["path"], "app/greeting.txt");
}

#[test]
fn a_base_that_a_force_push_left_behind_is_named_as_missing() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    let deployed = repo.head();
    let repo = repo.file("app/greeting.txt", "good day\n");
    repo.git(["commit", "--quiet", "--all", "--amend", "--message", "rewritten"]);
    let clone = repo.cloned(&[]);
    let dtbuild = dtbuild.at(clone.root());
    let plan = dtbuild.run(["plan", "--env", "staging", "--offline", "--json"]).json();
    assert_eq!(
        (&plan["base"]["state"], &plan["base"]["commit"]),
        (&"missing".into(), &deployed.as_str().into())
    );
    let reason = plan["base"]["reason"].as_str().unwrap();
    assert!(reason.contains("a force-push left it behind"), "{reason}");
    assert_eq!(decisions(&plan), ["app build"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["inputs-changed", "not-in-cache"]);
    // The server may have it still.
    assert_eq!(dtbuild.plan("staging")["base"], json!({ "state": "known", "commit": deployed }));
}

#[test]
fn a_detached_head_is_planned_for_the_environment_that_is_named() {
    let repo = project().commit("first");
    repo.git(["checkout", "--quiet", "--detach"]);
    assert_eq!(decisions(&Dtbuild::new(&repo).plan("staging")), ["app build"]);
}

#[test]
fn a_detached_head_follows_no_environment() {
    let repo = project().commit("first");
    repo.git(["checkout", "--quiet", "--detach"]);
    let texts = ["HEAD is detached, so no environment follows it", "hint: name one with `--env`: staging"];
    Dtbuild::new(&repo).run(["plan"]).fails(2, &texts);
}

#[test]
fn a_branch_is_planned_for_the_environment_that_follows_it() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let texts = ["no environment follows the branch `main`", "hint: name one with `--env`: staging"];
    dtbuild.run(["plan"]).fails(2, &texts);
    repo.git(["checkout", "--quiet", "-b", "staging"]);
    assert_eq!(dtbuild.run(["plan", "--json"]).json()["environment"], "staging");
}

#[test]
fn a_repository_without_commits_has_no_release() {
    let repo = project();
    let texts = ["the repository has no commits yet", "hint: commit first; `dtbuild build`"];
    for arguments in [["plan", "--env=staging"], ["--env=staging", "--dry-run"], ["deploy", "--env=staging"]]
    {
        Dtbuild::new(&repo).run(arguments).fails(3, &texts);
    }
}

#[test]
fn a_repository_without_commits_is_built_from_the_disk() {
    let repo = project();
    let dtbuild = Dtbuild::new(&repo);
    let plan = dtbuild.plan_of_disk();
    assert_eq!(plan["head"], serde_json::json!({ "kind": "working-tree", "commit": null }));
    let repo = repo.commit("first");
    assert_eq!(image(&dtbuild.plan("staging"), "app")["key"], image(&plan, "app")["key"]);
    assert_eq!(repo.git(["status", "--porcelain"]), "");
}

/// A linked work tree of `repo`, beside it; its HEAD is detached.
fn linked(repo: &TestRepo) -> std::path::PathBuf {
    let path = repo.root().with_file_name("linked");
    repo.git(["worktree", "add", "--quiet", "--detach", path.to_str().unwrap(), "main"]);
    path
}

#[test]
fn a_linked_work_tree_is_a_checkout_like_any() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let linked = dtbuild.at(&linked(&repo));
    let key = image(&dtbuild.plan("staging"), "app")["key"].clone();
    assert_eq!(image(&linked.plan("staging"), "app")["key"], key);
    assert_eq!(image(&linked.plan_of_disk(), "app")["key"], key);
    linked.run(["--env", "staging"]).succeeds();
    assert_eq!(decisions(&linked.plan("staging")), ["app keep"]);
}

#[test]
fn a_work_tree_of_a_bare_repository_is_a_checkout_like_any() {
    let repo = project().commit("first");
    let key = image(&Dtbuild::new(&repo).plan("staging"), "app")["key"].clone();
    let bare = repo.cloned(&["--bare"]);
    let linked = Dtbuild::new(&bare).at(&linked(&bare));
    assert_eq!(image(&linked.plan("staging"), "app")["key"], key);
    assert_eq!(image(&linked.plan_of_disk(), "app")["key"], key);
    linked.run(["--env", "staging"]).succeeds();
    assert_eq!(decisions(&linked.plan("staging")), ["app keep"]);
}

#[test]
fn a_bare_repository_has_no_place_for_a_folder_of_records_below_its_root() {
    let named = project().file("build.toml", format!("{CONFIG}\n[records]\nfolder = \"records\"\n"));
    let bare = named.commit("first").cloned(&["--bare"]);
    let texts = ["has no work tree", "git worktree add", "without `[records] folder`"];
    Dtbuild::new(&bare).run(["plan", "--env", "staging"]).fails(3, &texts);
    Dtbuild::new(&bare).run(["--env", "staging", "--head", "main"]).fails(3, &texts);
}

#[test]
fn a_bare_repository_has_no_files_to_build() {
    let bare = project().commit("first").cloned(&["--bare"]);
    Dtbuild::new(&bare).run(["build"]).fails(3, &["has no work tree", "git worktree add"]);
}

#[test]
fn a_bare_repository_is_released() {
    for records in ["", "\n[records]\nstore = \"registry\"\n"] {
        let repo = project().file("build.toml", format!("{CONFIG}{records}"));
        let bare = repo.commit("first").cloned(&["--bare"]);
        let dtbuild = Dtbuild::new(&bare);
        assert_eq!(decisions(&dtbuild.plan("staging")), ["app build"]);
        dtbuild.run(["--env", "staging"]).succeeds();
        assert_eq!(decisions(&dtbuild.plan("staging")), ["app keep"]);
        assert!(tags(&format!("{}/app", dtbuild.registry())).contains(&"staging".to_owned()));
    }
}
