//! `build.lock`: written, moved and checked.

use crate::support::dtbuild::{Dtbuild, project};
use crate::support::registry::{address, client, fresh_repository};
use crate::support::repo::TestRepo;
use dtbuild::reference::{Digest, Reference};

/// A base image at the registry that can move.
struct Base(Reference);

impl Base {
    fn new() -> Self {
        Self(fresh_repository(&address()).tagged("1").unwrap())
    }

    /// Another image gets the tag.
    fn moves(&self, content: &str) -> Digest {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pushed = async {
            client().push_artifact(&self.0, "application/vnd.example.base", content.as_bytes()).await
        };
        runtime.block_on(pushed).unwrap()
    }
}

fn from(base: &Base) -> TestRepo {
    project().file("app/Dockerfile", format!("FROM {}\nCOPY . /\n", base.0)).commit("first")
}

fn lock(repo: &TestRepo) -> String {
    std::fs::read_to_string(repo.root().join("build.lock")).unwrap()
}

#[test]
fn a_lock_holds_what_the_registry_served_until_it_is_told_to_move() {
    let base = Base::new();
    let first = base.moves("1");
    let repo = from(&base);
    let dtbuild = Dtbuild::new(&repo);
    assert!(dtbuild.run(["lock"]).succeeds().stdout.contains("added"));
    assert!(lock(&repo).contains(&format!("\"{}\" = \"{first}\"", base.0)));
    assert_eq!(dtbuild.run(["lock", "--check"]).succeeds().stdout, "");

    let second = base.moves("2");
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
    let base = Base::new();
    base.moves("1");
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
    let base = Base::new();
    let repo = from(&base);
    Dtbuild::new(&repo).run(["lock"]).fails(3, &[&base.0.to_string()]);
    assert!(!repo.root().join("build.lock").exists());
}
