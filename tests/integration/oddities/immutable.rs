//! A registry that lets no tag be moved, as Amazon ECR with `IMMUTABLE` and Harbor with a rule for all tags: whole runs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::flow::bench::Bench;
use crate::support::odd::{Answer, Asked, OddRegistry, Oddity, refuse};
use crate::support::registry::fresh_repository;

/// The manifests that were put under tags, by the tags' addresses.
#[derive(Default)]
struct Immutable(Mutex<BTreeMap<String, Vec<u8>>>);

impl Oddity for Immutable {
    fn answer(&self, asked: &Asked) -> Option<Answer> {
        if asked.method != "PUT" || !asked.is_manifest() || asked.path.contains("/manifests/sha256:") {
            return None;
        }
        let mut tagged = self.0.lock().unwrap();
        let there = tagged.entry(asked.path.clone()).or_insert_with(|| asked.body.to_vec());
        let reason = "The tag already exists and cannot be overwritten because the repository is immutable.";
        (*there != asked.body).then(|| refuse(400, "TAG_INVALID", reason))
    }
}

#[test]
fn a_tag_per_commit_deploys_where_no_tag_can_be_moved() {
    let odd = OddRegistry::new(Immutable::default());
    let mut bench = Bench::new();
    bench.registry = fresh_repository(&odd.host).to_string();
    let change = |page: &str| {
        bench.write("site/page", page);
        bench.commit(page);
        bench.run(&["--env", "staging"])
    };
    change("one\n").ok();
    let refused = change("two\n").code(3);
    assert!(refused.stderr.contains("`tag = \"{environment}-{commit}\"`"), "{}", refused.stderr);

    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    let config =
        config.replace("[environments.staging]", "[environments.staging]\ntag = \"{environment}-{commit}\"");
    bench.write("build.toml", &config);
    let mut pages = Vec::new();
    for page in ["three\n", "four\n"] {
        change(page).ok();
        let tag = format!("staging-{}", bench.repo.head());
        let status = bench.run(&["status", "--env", "staging", "--json"]).ok().json();
        assert_eq!(status["environments"][0]["tag"], tag);
        assert_eq!(bench.digest("api", &tag), bench.digest("api", "staging"), "of what did not change, too");
        pages.push(bench.digest("site", &tag).unwrap());
    }
    assert_ne!(pages[0], pages[1]);
    assert_eq!(bench.deployed().len(), 3);
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}
