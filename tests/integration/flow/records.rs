//! Records at the registry: runners that keep nothing agree.

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
