//! `dtbuild build`: from the disk into the engine's store; and what builds are made from.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::bench::{Bench, registry_address, text, unique, variable};

#[test]
fn what_is_on_the_disk_is_built_once() {
    let bench = Bench::new();
    let build = || bench.run(&["build", "--progress", "rawjson"]).ok().images("image-started");
    let page = || Bench::file_in(&format!("{}/site:local", bench.registry), "/page");
    assert_eq!(build(), ["api", "site"]);
    assert!(bench.tags("api").is_empty() && bench.tags("site").is_empty());
    assert_eq!(build(), [""; 0]);
    bench.write("site/page", "draft\n");
    assert_eq!(build(), ["site"]);
    assert_eq!(page(), "draft\n");
    bench.write("site/page", "hello\n");
    assert_eq!(build(), [""; 0]);
    assert_eq!(page(), "hello\n");
}

#[test]
fn an_image_is_built_after_the_one_it_is_built_from() {
    let bench = Bench::new();
    bench.write("site/Dockerfile", "FROM api\nCOPY page /page\nRUN cat /upper /page > /both\n");
    let ran = bench.run(&["build", "site", "--progress", "rawjson"]).ok();
    let events = ran.events();
    let at = |event: &str, image: &str| {
        events.iter().position(|line| line["event"] == event && line["image"] == image).unwrap()
    };
    assert!(at("image-finished", "api") < at("image-started", "site"));
    let both = || Bench::file_in(&format!("{}/site:local", bench.registry), "/both");
    assert_eq!(both(), "REGIONS\nhello\n");
    bench.write("api/data", "categories\n");
    assert_eq!(
        bench.run(&["build", "site", "--progress", "rawjson"]).ok().images("image-started"),
        ["api", "site"]
    );
    assert_eq!(both(), "CATEGORIES\nhello\n");

    bench.commit("built on each other");
    let release = bench.run(&["--env", "staging", "--json"]).ok().json();
    assert_eq!(Bench::file_in(text(&release["images"]["site"]), "/both"), "CATEGORIES\nhello\n");
}

#[test]
fn an_image_is_built_on_what_is_built_and_not_on_what_a_registry_has_under_its_names() {
    let bench = Bench::new();
    let deployed = |tag: &str| {
        let site =
            format!("FROM registry.invalid/shop/api:{tag}\nCOPY page /page\nRUN cat /upper /page > /both\n");
        bench.write("site/Dockerfile", &site);
        bench.write("site/page", tag);
        bench.commit(tag);
        let ran = bench.run(&["--env", "staging", "--progress", "rawjson", "--json"]).ok();
        let both = Bench::file_in(text(&ran.json()["images"]["site"]), "/both");
        (
            both,
            ran.events().iter().any(|event| {
                event["image"] == "site"
                    && event["step"].as_str().is_some_and(|step| step.contains("/api@sha256:"))
            }),
        )
    };
    // Built in the same run: by its key. There already: by its digest.
    assert_eq!(deployed("latest"), ("REGIONS\nlatest".to_owned(), false));
    assert_eq!(deployed("staging"), ("REGIONS\nstaging".to_owned(), true));
    bench.write("api/data", "categories\n");
    assert_eq!(deployed("local").0, "CATEGORIES\nlocal");
}

#[test]
fn builds_are_made_from_the_base_that_was_locked() {
    let bench = Bench::new();
    let base = format!("{}/{}/os:1", registry_address(), unique());
    publish(&base, "one");
    bench.write("site/Dockerfile", &format!("FROM {base}\nCOPY page /page\n"));
    bench.run(&["lock"]).ok();
    publish(&base, "two");
    let which = || Bench::file_in(&format!("{}/site:local", bench.registry), "/which");
    bench.run(&["build", "site"]).ok();
    assert_eq!(which(), "one\n");
    assert!(bench.run(&["build", "--progress", "rawjson"]).ok().images("image-started") == ["api"]);
    bench.run(&["lock", "--check"]).code(10);
    bench.run(&["lock", "--update", &base]).ok();
    bench.run(&["lock", "--check"]).ok();
    bench.run(&["build", "site"]).ok();
    assert_eq!(which(), "two\n");
}

#[test]
fn a_base_that_only_the_engine_has_is_built_on_as_it_was_hashed() {
    let bench = Bench::new();
    // Nobody serves this name.
    let base = format!("127.0.0.1:9/{}/os:1", unique());
    make(&base, "one");
    bench.write("site/Dockerfile", &format!("FROM {base}\nCOPY page /page\n"));
    let which = || Bench::file_in(&format!("{}/site:local", bench.registry), "/which");
    bench.run(&["build", "site"]).ok();
    assert_eq!(which(), "one\n");
    assert_eq!(bench.run(&["build", "--progress", "rawjson"]).ok().images("image-started"), ["api"]);
    let told = bench.run(&["build", "--dry-run", "--json"]).ok().json();
    let site = told["images"].as_array().unwrap().iter().find(|image| image["name"] == "site").unwrap();
    let note = site["notes"][0].as_str().unwrap();
    assert!(
        note.contains(&format!("site/Dockerfile:1: the base image `{base}` is taken as sha256:")),
        "{note}"
    );
    assert!(note.ends_with("which the engine alone has"), "{note}");
    make(&base, "two");
    bench.run(&["build", "site"]).ok();
    assert_eq!(which(), "two\n");
    // A commit is released from what a registry has.
    bench.commit("on the engine's own");
    bench.run(&["--env", "staging"]).code(3);
    assert!(bench.tags("site").is_empty());
}

/// Publishes a base image that says which one it is.
pub(super) fn publish(name: &str, which: &str) {
    make(name, which);
    assert!(Bench::docker(&["push", name]).status.success());
}

/// Makes a base image that says which one it is, in the engine's own store.
fn make(name: &str, which: &str) {
    let mut docker = Command::new("docker");
    docker.args(["build", "--quiet", "--tag", name, "-"]).env("DOCKER_HOST", variable("DOCKER_HOST"));
    let mut build = docker.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let dockerfile = format!("FROM busybox:1.36\nRUN echo {which} > /which\n");
    build.stdin.take().unwrap().write_all(dockerfile.as_bytes()).unwrap();
    assert!(build.wait().unwrap().success());
}
