//! Runs that end well: what they build, tag, deploy and record.

use serde_json::json;

use super::bench::{Bench, get, text};
use crate::support::schema::assert_valid;

#[test]
fn a_first_run_does_all_and_a_second_has_nothing_to_do() {
    let mut bench = Bench::new();
    let first = bench.run(&["--env", "staging", "--json", "--progress", "rawjson"]).ok();
    assert_eq!(first.images("image-started"), ["api", "site"]);
    assert_eq!(first.images("push-finished"), ["api", "site"]);
    let release = first.json();
    assert_valid("release", &release);
    let api = text(&release["images"]["api"]);
    assert_eq!(api.split_once('@').unwrap().1, bench.digest("api", "staging").unwrap());
    assert_eq!(Bench::file_in(api, "/upper"), "REGIONS\n");
    let deployed = bench.deployed();
    assert_eq!(deployed.len(), 1);
    assert_eq!(deployed[0]["images"], release["images"]);
    assert_eq!(deployed[0]["commit"], json!(bench.repo.head()));
    let environment = std::fs::read_to_string(bench.out("environment")).unwrap();
    assert!(environment.lines().any(|line| line == format!("DTBUILD_IMAGE_API={api}")), "{environment}");
    assert_eq!(bench.outcome(), "succeeded");
    let engine = std::mem::replace(&mut bench.engine, "tcp://127.0.0.1:1".to_owned());
    let second = bench.run(&["--env", "staging"]).ok();
    assert!(second.stdout.contains("nothing to do"), "{}", second.stdout);
    assert_eq!(bench.deployed().len(), 1);

    bench.engine = engine;
    bench.write("site/page", "hello again\n");
    bench.commit("another page");
    let third = bench.run(&["--env", "staging", "--json", "--progress", "rawjson"]).ok();
    assert_eq!(third.images("image-started"), ["site"]);
    let changed = third.json();
    assert_eq!(changed["images"]["api"], release["images"]["api"]);
    assert_ne!(changed["images"]["site"], release["images"]["site"]);
    assert_eq!(bench.deployed()[1]["images"], changed["images"]);
    assert_eq!(Bench::file_in(text(&changed["images"]["site"]), "/page"), "hello again\n");
}

#[test]
fn moving_to_another_environment_builds_nothing() {
    let bench = Bench::new();
    let staging = bench.run(&["--env", "staging", "--json"]).ok().json();
    let before = bench.run(&["plan", "--env", "production", "--json"]).ok().json();
    let ran = bench.run(&["--env", "production", "--json", "--progress", "rawjson"]).ok();
    assert!(ran.images("image-started").is_empty());
    let production = ran.json();
    assert_eq!(production["images"], staging["images"]);
    for image in before["images"].as_array().unwrap() {
        let name = text(&image["name"]);
        assert_eq!(image["decision"], "reuse");
        let key = bench.tags(name);
        assert_eq!(key.len(), 3, "one key and two environments: {key:?}");
        assert_eq!(bench.digest(name, "production"), bench.digest(name, "staging"));
    }
}

#[test]
fn a_change_of_what_the_deployment_reads_deploys_again_and_builds_nothing() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    bench.write("hosts", "one\ntwo\n");
    bench.commit("another host");
    let ran = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    assert!(ran.images("image-started").is_empty());
    let deployed = bench.deployed();
    assert_eq!(deployed.len(), 2);
    assert_eq!(deployed[0]["images"], deployed[1]["images"]);
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}

#[test]
fn a_change_of_the_deployments_own_settings_deploys_again() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    bench.write("build.toml", &config.replace("[\"./deploy\"]", "[\"./deploy\", \"--replicas=3\"]"));
    bench.commit("another argument");
    assert_eq!(bench.plan()["deploy"]["reasons"][0]["reason"], "deploy-settings-changed");
    bench.run(&["--env", "staging"]).ok();
    assert_eq!(bench.deployed().len(), 2);
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}

#[test]
fn a_move_to_another_repository_deploys_from_there() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    let moved = format!("context = \"site\"\nrepository = \"{}/moved\"", bench.registry);
    bench.write("build.toml", &config.replace("context = \"site\"", &moved));
    bench.commit("another repository");
    let release = bench.run(&["--env", "staging", "--json"]).ok().json();
    assert!(text(&release["images"]["site"]).starts_with(&format!("{}/moved@", bench.registry)));
    assert_eq!(bench.deployed()[1]["images"], release["images"]);
    assert_eq!(bench.tags("moved").len(), 2);
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}

#[test]
fn what_the_registry_does_not_have_any_more_is_built_again_before_a_tag_moves() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    let (_, path) = bench.registry.split_once('/').unwrap();
    let digest = bench.digest("site", "staging").unwrap();
    get(&format!("/v2/{path}/site/manifests/{digest}"), "DELETE");
    assert_eq!(bench.digest("site", "staging"), None);
    bench.write("api/data", "categories\n");
    bench.commit("another image changes");
    let ran = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    assert_eq!(ran.images("image-started"), ["api", "site"]);
    assert!(bench.digest("site", "staging").is_some());
    let started = &ran.events_of("run-started")[0]["images"];
    let site = started.as_array().unwrap().iter().find(|image| image["image"] == "site").unwrap();
    assert_eq!(site["reasons"][0]["reason"], "vanished");
}

#[test]
fn a_playbook_gets_the_release() {
    let bench = Bench::with(
        r#"
[project]
name = "shop"
registry = "registry.invalid/shop"

[images.site]
context = "site"

[environments.staging]
branch = "main"

[environments.staging.deploy]
ansible = { playbook = "site.yml", inventory = "hosts" }
"#,
    );
    bench.write("hosts", "localhost ansible_connection=local\n");
    let playbook = "
- hosts: all
  gather_facts: false
  tasks:
    - copy:
        content: \"{{ dtbuild_images | to_json }}\"
        dest: \"{{ lookup('env', 'BENCH_OUT') }}/images\"
";
    bench.write("site.yml", playbook);
    bench.commit("a playbook");
    let release = bench.run(&["--json"]).ok().json();
    let images = std::fs::read_to_string(bench.out("images")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&images).unwrap(), release["images"]);
    assert_eq!(bench.outcome(), "succeeded");
}
