//! Records at the registry: runners that keep nothing agree.

use serde_json::{Value, json};

use super::bench::Bench;

pub(super) const RECORDS: &str = "\n[records]\nstore = \"registry\"\n";

#[test]
fn a_fresh_clone_knows_what_the_environment_runs() {
    let bench = Bench::new();
    bench.configure(RECORDS);
    bench.commit("records at the registry");
    bench.run(&["--env", "staging"]).ok();
    assert!(!bench.repo.path(".dtbuild").exists());

    let other = bench.cloned(&["--depth=1"]);
    let ran = other.run(&["--env", "staging"]).ok();
    assert!(ran.stdout.contains("nothing to do"), "{}", ran.stdout);
    assert_eq!(other.outcome(), "succeeded");

    other.write("api/data", "categories\n");
    other.commit("from another machine");
    let ran = other.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    assert_eq!(ran.images("image-started"), ["api"]);
    bench.repo.git(["pull", "--quiet", other.repo.root().to_str().unwrap(), "main"]);
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}

#[test]
fn two_checkouts_of_a_machine_share_what_the_environment_runs() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    let first = bench.digest("site", "staging");
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second");
    bench.repo.git(["clone", "--quiet", ".", second.to_str().unwrap()]);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let mut git = std::process::Command::new("git");
        assert!(git.args(identity).args(arguments).current_dir(&second).status().unwrap().success());
    };
    std::fs::write(second.join("site/page"), "another page\n").unwrap();
    git(&["commit", "--quiet", "--all", "--message", "another page"]);
    let deployed = bench.command(&["--env", "staging"]).current_dir(&second).output().unwrap();
    assert!(deployed.status.success(), "{deployed:?}");
    assert_ne!(bench.digest("site", "staging"), first);
    // The first checkout's branch is still at the first commit, and has no remote that is further.
    bench.run(&["--env", "staging"]).ok();
    assert_eq!(bench.digest("site", "staging"), first);
    assert_eq!(bench.deployed().len(), 3);
}

#[test]
fn two_projects_with_one_place_for_records_keep_them_apart() {
    let bench = Bench::new();
    bench.configure(RECORDS);
    bench.commit("records at the registry");
    bench.run(&["--env", "staging"]).ok();
    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    bench.write("build.toml", &config.replace("name = \"shop\"", "name = \"bank\""));
    bench.commit("another project");
    assert_eq!(bench.outcome(), "none");
    assert_eq!(bench.decisions(), ["api reuse", "site reuse"]);
}

#[test]
fn a_record_of_the_version_before_is_carried_over_and_the_run_says_so() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    let deployments = bench.record()["deployments"].clone();
    let older = json!({ "version": 1, "environment": "staging", "deployments": deployments });
    let clone = bench.cloned(&[]);
    clone.write(".dtbuild/records/staging.json", &older.to_string());
    assert!(clone.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
    assert_eq!((clone.outcome().as_str(), clone.record()), ("succeeded", Value::Null), "nothing is written");
    clone.write("site/page", "another page\n");
    clone.commit("another page");
    let ran = clone.run(&["--env", "staging", "--progress", "plain"]).ok();
    assert!(ran.stderr.contains(".dtbuild/records/staging.json` were carried over"), "{}", ran.stderr);
    assert_eq!(clone.record()["deployments"].as_array().unwrap().len(), 2);
    clone.write(".dtbuild/records/staging.json", "{}");
    assert!(clone.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"), "it is not read again");
    // What a commit brings along says nothing of this machine.
    let committed = bench.cloned(&[]);
    committed.write(".dtbuild/records/staging.json", &older.to_string());
    committed.repo.git(["add", "--force", ".dtbuild"]);
    committed.commit("a record");
    assert_eq!(committed.outcome(), "none");
}

#[test]
fn runners_that_keep_nothing_agree_through_references_of_the_remote() {
    let bench = Bench::new();
    bench.configure("\n[records]\nstore = \"git\"\n");
    bench.commit("records at the remote");
    let (one, other) = (bench.cloned(&["--depth=1"]), bench.cloned(&["--depth=1"]));
    one.run(&["--env", "staging"]).ok();
    let listed = bench.repo.git(["for-each-ref", "--format=%(refname)"]);
    assert!(listed.contains("refs/dtbuild/shop/staging"), "{listed}");
    assert!(other.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
    other.write("site/page", "another page\n");
    other.commit("from another machine");
    other.run(&["--env", "staging"]).ok();
    let history = one.run(&["history", "staging", "--json"]).ok().json();
    assert_eq!(history["deployments"].as_array().unwrap().len(), 2);
    // The first lease; then the entry of each deployment, begun and completed. A lease that is taken again or renewed adds
    // nothing.
    assert_eq!(bench.repo.git(["rev-list", "--count", "refs/dtbuild/shop/staging"]), "5");
    assert_eq!(one.repo.git(["rev-list", "--count", "--all"]), "1", "no clone sees the records");
}
