//! Promotions: one environment gets the very digests that another one runs.

use super::bench::{Bench, unique};

/// A bench whose staging runs a release, and whose production deploys by the same program.
fn staged() -> Bench {
    let bench = Bench::new();
    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    let deploy = "branch = \"production\"\n\n[environments.production.deploy]\ncommand = [\"./deploy\"]\n";
    bench.write("build.toml", &config.replace("branch = \"production\"\n", deploy));
    bench.commit("production deploys");
    bench.run(&["--env", "staging"]).ok();
    bench
}

#[test]
fn a_promotion_deploys_the_digests_that_the_other_environment_runs() {
    let bench = staged();
    let staging = bench.deployed();
    // HEAD went on; staging runs what it ran.
    bench.write("site/page", &unique());
    bench.commit("not deployed anywhere");
    let ran = bench.run(&["promote", "staging", "production", "--json", "--progress", "rawjson"]).ok();
    assert!(ran.images("image-started").is_empty(), "nothing is built");
    let deployed = bench.deployed();
    assert_eq!(deployed.len(), 2);
    assert_eq!(
        (&deployed[1]["environment"], &deployed[1]["images"]),
        (&"production".into(), &staging[0]["images"])
    );
    assert_eq!(deployed[1]["commit"], staging[0]["commit"]);
    for image in ["api", "site"] {
        assert_eq!(bench.digest(image, "production"), bench.digest(image, "staging"));
    }
    let status = bench.run(&["status", "--env", "production", "--json"]).ok().json();
    assert_eq!(status["environments"][0]["outcome"], "succeeded");
}

#[test]
fn what_is_not_sure_to_run_well_is_promoted_by_force_alone() {
    let bench = staged();
    std::fs::write(bench.out("fail"), "").unwrap();
    bench.write("site/page", &unique());
    bench.commit("a deployment that fails");
    bench.run(&["--env", "staging"]).code(4);
    std::fs::remove_file(bench.out("fail")).unwrap();
    let refused = bench.run(&["promote", "staging", "production"]).code(2);
    let told = "the last deployment to `staging` did not succeed, so it is not sure what it runs";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert_eq!(bench.digest("site", "production"), None);
    bench.run(&["promote", "staging", "production", "--force"]).ok();
    assert!(bench.digest("site", "production").is_some());
}

#[test]
fn nothing_older_is_promoted_over_what_is_newer_or_held() {
    let bench = staged();
    bench.run(&["promote", "staging", "production"]).ok();
    bench.write("site/page", &unique());
    bench.commit("newer");
    bench.run(&["--env", "production"]).ok();
    let newer = bench.digest("site", "production");
    let refused = bench.run(&["promote", "staging", "production"]).code(5);
    assert!(
        refused.stderr.contains("`production` runs ") && refused.stderr.contains(", which is newer than ")
    );
    bench.run(&["rollback", "production"]).ok();
    let refused = bench.run(&["promote", "staging", "production"]).code(5);
    assert!(refused.stderr.contains("`production` is on hold"), "{}", refused.stderr);
    bench.run(&["promote", "staging", "production", "--force"]).ok();
    assert_ne!(bench.digest("site", "production"), newer);
}

#[test]
fn an_environment_that_runs_nothing_has_nothing_to_promote() {
    let bench = Bench::new();
    let refused = bench.run(&["promote", "staging", "production"]).code(2);
    assert!(refused.stderr.contains("`staging` runs nothing that could be promoted"), "{}", refused.stderr);
    assert!(refused.stderr.contains("deploy to it first: `dtbuild --env staging`"), "{}", refused.stderr);
    let refused = bench.run(&["promote", "staging", "staging"]).code(2);
    assert!(refused.stderr.contains("an environment cannot be promoted to itself"), "{}", refused.stderr);
}
