//! What a preview of the files on the disk names as changed.

use std::fs;

use crate::support::dtbuild::{CONFIG, Dtbuild, image};
use crate::support::repo::TestRepo;

/// Two images; what is in `docs` is read by neither.
fn two() -> TestRepo {
    let more = format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\npaths = [\"shared/**\"]\n");
    crate::support::dtbuild::project()
        .file("build.toml", more)
        .file("app/.dockerignore", "*.md\n")
        .file("app/README.md", "app\n")
        .file("lib/Dockerfile", "FROM scratch\nCOPY . /\n")
        .file("shared/version", "1\n")
        .file("docs/manual.md", "read me\n")
        .commit("first")
}

/// The paths that a preview of the disk names for an image, with what happened to them.
fn named(dtbuild: &Dtbuild, name: &str) -> Vec<String> {
    let plan = dtbuild.run(["build", "--dry-run", "--json", "--offline"]).json();
    assert_eq!(plan["base"]["state"], "known");
    let reasons = image(&plan, name)["reasons"].as_array().unwrap().clone();
    let paths = reasons.iter().filter(|reason| reason["reason"] == "path-changed");
    paths
        .map(|path| format!("{} {}", path["path"].as_str().unwrap(), path["status"].as_str().unwrap()))
        .collect()
}

#[test]
fn nothing_is_named_where_all_that_is_read_is_as_in_head() {
    let repo = two();
    let dtbuild = Dtbuild::new(&repo);
    for path in ["docs/manual.md", "app/README.md", "docs/new.md"] {
        fs::write(repo.path(path), "changed\n").unwrap();
    }
    assert_eq!(named(&dtbuild, "app"), Vec::<String>::new());
    assert_eq!(named(&dtbuild, "lib"), Vec::<String>::new());
}

#[test]
fn every_kind_of_change_to_what_is_read_is_named() {
    type Change = fn(&TestRepo);
    let changes: [(&str, Change, &str, &str); 6] = [
        ("a file", |repo| repo.write("lib/new", "1\n", 0o644), "lib", "lib/new added"),
        (
            "its mode",
            |repo| repo.write("lib/Dockerfile", "FROM scratch\nCOPY . /\n", 0o755),
            "lib",
            "lib/Dockerfile modified",
        ),
        (
            "a further input",
            |repo| repo.write("shared/version", "2\n", 0o644),
            "lib",
            "shared/version modified",
        ),
        (
            "rules",
            |repo| repo.write("app/.dockerignore", "*.md\n*.txt~\n", 0o644),
            "app",
            "app/.dockerignore modified",
        ),
        (
            "the Dockerfile",
            |repo| repo.write("app/Dockerfile", "FROM scratch\nCOPY greeting.txt /b\n", 0o644),
            "app",
            "app/Dockerfile modified",
        ),
        (
            "a file that is gone",
            |repo| fs::remove_file(repo.path("shared/version")).unwrap(),
            "lib",
            "shared/version deleted",
        ),
    ];
    for (what, change, image, expected) in changes {
        let repo = two();
        // That nothing was touched is remembered only for as long as that is so.
        for _ in 0..2 {
            assert_eq!(named(&Dtbuild::new(&repo), image), Vec::<String>::new());
        }
        change(&repo);
        assert_eq!(named(&Dtbuild::new(&repo), image), [expected], "{what}");
    }
}
