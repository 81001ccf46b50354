//! Steps and deployments that fail: what is told, what is left alone, and how the next run goes on.

use super::bench::Bench;

const BROKEN: &str =
    "FROM busybox:1.36\nCOPY page /page\nRUN echo checking links && echo /about is dead && exit 3\n";

#[test]
fn a_failing_step_is_told_with_its_place_and_touches_nothing() {
    let bench = Bench::new();
    bench.run(&["--env", "staging"]).ok();
    let tags = |image: &str| (bench.digest(image, "staging"), bench.tags(image).len());
    let (api, site) = (tags("api"), tags("site"));
    bench.write("site/Dockerfile", BROKEN);
    bench.commit("check links");
    let failed = bench.run(&["--env", "staging", "--progress", "plain"]).code(1);
    for told in ["site/Dockerfile:3", "exit 3", "/about is dead", "dtbuild build site"] {
        assert!(failed.stderr.contains(told), "no `{told}`: {}", failed.stderr);
    }
    assert!(failed.stdout.is_empty(), "{}", failed.stdout);
    assert_eq!((tags("api"), tags("site")), (api, site));
    assert_eq!(bench.deployed().len(), 1);
    assert!(bench.outcome().starts_with("not built: "), "{}", bench.outcome());
    assert_eq!(bench.lease(), None);

    bench.write("site/Dockerfile", &BROKEN.replace("exit 3", "true"));
    bench.commit("mend the links");
    let mended = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    assert_eq!(mended.images("image-started"), ["site"]);
    assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (2, "succeeded"));
}

#[test]
fn with_keep_going_the_others_are_pushed_and_nothing_is_tagged() {
    let bench = Bench::new();
    bench.write("site/Dockerfile", BROKEN);
    bench.commit("check links");
    let failed = bench.run(&["--env", "staging", "--keep-going", "-j1", "--progress", "rawjson"]).code(1);
    assert_eq!(failed.images("push-finished"), ["api"]);
    assert_eq!((bench.tags("api").len(), bench.digest("api", "staging")), (1, None));
    assert!(bench.tags("site").is_empty() && bench.deployed().is_empty());
    assert_eq!(bench.decisions(), ["api reuse", "site build"]);
}

#[test]
fn a_failing_deployment_is_recorded_and_tried_again() {
    let bench = Bench::new();
    std::fs::write(bench.out("fail"), "").unwrap();
    let failed = bench.run(&["--env", "staging", "--progress", "plain"]).code(4);
    for told in ["`./deploy` ended with exit code 7", "no route to host"] {
        assert!(failed.stderr.contains(told), "no `{told}`: {}", failed.stderr);
    }
    assert!(bench.outcome().starts_with("failed: "), "{}", bench.outcome());
    assert_eq!(bench.lease(), None);
    std::fs::remove_file(bench.out("fail")).unwrap();
    let again = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    assert!(again.images("image-started").is_empty());
    assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (2, "succeeded"));
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}

#[test]
fn going_back_after_a_failed_deployment_and_a_failed_build_deploys() {
    let bench = Bench::new();
    let first = bench.run(&["--env", "staging", "--json"]).ok().json();
    bench.write("site/page", "second\n");
    bench.commit("second");
    std::fs::write(bench.out("fail"), "").unwrap();
    bench.run(&["--env", "staging"]).code(4);
    std::fs::remove_file(bench.out("fail")).unwrap();
    bench.write("site/Dockerfile", BROKEN);
    bench.commit("third");
    bench.run(&["--env", "staging"]).code(1);
    bench.repo.git(["reset", "--quiet", "--hard", "HEAD~2"]);
    let back = bench.run(&["--env", "staging", "--json"]).ok().json();
    assert_eq!(back["images"], first["images"]);
    let deployed = bench.deployed();
    assert_eq!((deployed.len(), &deployed[2]["images"]), (3, &first["images"]));
}
