//! Parts of a run: build alone, push alone, deploy alone, go back.

use serde_json::json;

use super::bench::{Bench, text};

#[test]
fn without_push_nothing_leaves_the_engine() {
    let bench = Bench::new();
    let ran = bench.run(&["--env", "staging", "--no-push", "--progress", "rawjson"]).ok();
    assert_eq!(ran.images("image-started"), ["api", "site"]);
    assert!(bench.tags("api").is_empty() && bench.deployed().is_empty());
    assert_eq!(bench.outcome(), "none");
    assert_eq!(Bench::file_in(&format!("{}/api:local", bench.registry), "/upper"), "REGIONS\n");
}

#[test]
fn without_deployment_the_tags_move_and_deploy_does_the_rest() {
    let bench = Bench::new();
    let early = bench.run(&["deploy", "--env", "staging"]).code(1);
    assert!(early.stderr.contains("not built yet") && early.stderr.contains("`api`, `site`"), "{early:?}");
    let pushed = bench.run(&["--env", "staging", "--no-deploy", "--json"]).ok().json();
    assert_eq!(pushed["outcome"], "pushed");
    assert_eq!(bench.tags("site").len(), 2);
    assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (0, "tagged, not deployed"));
    let ran = bench.run(&["deploy", "--env", "staging", "--json", "--progress", "rawjson"]).ok();
    assert!(ran.images("image-started").is_empty());
    assert_eq!(ran.json()["images"], pushed["images"]);
    assert_eq!(bench.deployed()[0]["images"], pushed["images"]);
    assert_eq!(bench.outcome(), "succeeded");
}

#[test]
fn tags_that_moved_without_a_deployment_come_back_with_the_next_one() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    let first = bench.digest("site", "staging");
    bench.write("site/page", "hello again\n");
    bench.commit("another page");
    bench.run(&["--env", "staging", "--no-deploy"]).ok();
    assert_ne!(bench.digest("site", "staging"), first);
    bench.run(&["--env", "staging", "--head", "HEAD~1", "--allow-older"]).ok();
    assert_eq!(bench.digest("site", "staging"), first);
}

#[test]
fn an_environment_goes_back_to_an_earlier_commit() {
    let bench = Bench::new();
    let (commit, first) = (bench.repo.head(), bench.run(&["--env", "staging", "--json"]).ok().json());
    bench.write("site/page", "hello again\n");
    bench.commit("another page");
    bench.run(&["--env", "staging"]).ok();
    let back = &["deploy", "--env", "staging", "--head", "HEAD~1", "--allow-older", "--json"];
    let back = bench.run(back).ok().json();
    assert_eq!(back["images"], first["images"]);
    assert_eq!(bench.deployed()[2]["images"], first["images"]);
    let site = text(&first["images"]["site"]).split_once('@').unwrap().1;
    assert_eq!(bench.digest("site", "staging").unwrap(), site);
    let status = bench.run(&["status", "--json"]).ok().json();
    let environments = status["environments"].as_array().unwrap();
    assert_eq!(environments.len(), 2);
    let staging = environments.iter().find(|one| one["environment"] == "staging").unwrap();
    assert_eq!((&staging["commit"], &staging["outcome"]), (&json!(commit), &json!("succeeded")));
    let runs = staging["images"].as_array().unwrap().iter().map(|image| image["reference"].clone());
    assert_eq!(json!(runs.collect::<Vec<_>>()), json!([first["images"]["api"], first["images"]["site"]]));
    assert!(bench.run(&["status"]).ok().stdout.contains(&commit[..7]));
}
