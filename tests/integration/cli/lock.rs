//! `build.lock`: written, moved and checked.

use crate::support::base::BaseTag;
use crate::support::dtbuild::{Dtbuild, project};
use crate::support::registry::address;
use crate::support::repo::TestRepo;
use serde_json::json;

fn from(base: &BaseTag) -> TestRepo {
    project().file("app/Dockerfile", format!("FROM {base}\nCOPY . /\n")).commit("first")
}

fn lock(repo: &TestRepo) -> String {
    std::fs::read_to_string(repo.root().join("build.lock")).unwrap()
}

#[test]
fn a_lock_holds_what_the_registry_served_until_it_is_told_to_move() {
    let base = BaseTag::new(&address());
    let first = base.serves(&json!({"User": "1"}));
    let repo = from(&base);
    let dtbuild = Dtbuild::new(&repo);
    assert!(dtbuild.run(["lock"]).succeeds().stdout.contains("added"));
    assert!(lock(&repo).contains(&format!("\"{base}\" = \"{first}\"")));
    assert_eq!(dtbuild.run(["lock", "--check"]).succeeds().stdout, "");

    let second = base.serves(&json!({"User": "2"}));
    assert_eq!(dtbuild.run(["lock"]).succeeds().stdout, "", "an entry stays");
    let checked = dtbuild.run(["lock", "--check"]);
    assert_eq!(checked.code, Some(10));
    assert!(checked.stdout.contains("moved") && lock(&repo).contains(first.as_str()), "nothing is written");

    let before = dtbuild.plan_of_disk()["images"][0]["key"].clone();
    dtbuild.run(["lock", "--update"]).succeeds();
    assert!(lock(&repo).contains(second.as_str()));
    assert_ne!(dtbuild.plan_of_disk()["images"][0]["key"], before);
}

#[test]
fn an_entry_that_no_dockerfile_names_is_dropped() {
    let base = BaseTag::new(&address());
    base.serves(&json!({"User": "1"}));
    let repo = from(&base);
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["lock"]).succeeds();
    let repo = repo.file("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    assert!(dtbuild.run(["lock"]).succeeds().stdout.contains("dropped"));
    assert!(!lock(&repo).contains("sha256:"));
}

#[test]
fn a_name_that_no_dockerfile_has_is_refused() {
    let repo = project().commit("first");
    Dtbuild::new(&repo)
        .run(["lock", "--update", "nginx:1"])
        .fails(2, &["no Dockerfile names the base image `nginx:1`"]);
}

#[test]
fn a_base_image_that_is_not_there_is_an_error_that_names_it() {
    let base = BaseTag::new(&address());
    let repo = from(&base);
    Dtbuild::new(&repo).run(["lock"]).fails(3, &[&base.to_string()]);
    assert!(!repo.root().join("build.lock").exists());
}
