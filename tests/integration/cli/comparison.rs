//! `dtbuild plan --from`: what a range of commits would rebuild, by the keys of both ends. No environment, record,
//! registry or network is asked.

use serde_json::json;

use crate::support::dtbuild::{Dtbuild, decisions, image, reasons};
use crate::support::repo::TestRepo;

/// Two images without an environment; the base of `api` is at a registry that does not exist.
const CONFIG: &str = "[project]\nname = \"shop\"\nregistry = \"registry.invalid/shop\"\n\
    [images.api]\ncontext = \"api\"\n[images.site]\ncontext = \"site\"\n";

fn shop() -> TestRepo {
    TestRepo::new()
        .file("build.toml", CONFIG)
        .file("api/Dockerfile", "FROM nowhere.invalid/base:1\nCOPY data /data\n")
        .file("api/data", "one\n")
        .file("site/Dockerfile", "FROM scratch\nCOPY page /page\n")
        .file("site/page", "hello\n")
        .commit("first")
}

#[test]
fn a_range_names_what_it_rebuilds_and_why_without_asking_anybody() {
    let repo = shop().file("api/data", "two\n").file("README.md", "more\n").commit("second");
    let dtbuild = Dtbuild::new(&repo).variable("DOCKER_HOST", "tcp://127.0.0.1:1");
    let plan = dtbuild.run(["plan", "--from", "HEAD~1", "--to", "HEAD", "--json"]).json();
    assert_eq!(decisions(&plan), ["api build", "site keep"]);
    assert_eq!(plan["base"]["commit"], repo.git(["rev-parse", "HEAD~1"]));
    assert_eq!(reasons(&image(&plan, "api")["reasons"]), ["path-changed", "key-differs"]);
    let shown = dtbuild.run(["plan", "--from", "HEAD~1", "--to", "HEAD"]).succeeds().stdout;
    assert!(shown.contains("api   build  api/data modified"), "{shown}");
    assert!(shown.ends_with("1 to build, 1 kept\n"), "{shown}");
    let detailed = ["plan", "--from", "HEAD~1", "--to", "HEAD", "--detailed-exitcode"];
    assert_eq!(dtbuild.run(detailed).code, Some(10));
    let same = ["plan", "--from", "HEAD", "--to", "HEAD", "--detailed-exitcode"];
    let nothing = dtbuild.run(same).succeeds();
    assert!(nothing.stdout.ends_with("nothing to build: every key is the same\n"), "{}", nothing.stdout);
}

#[test]
fn without_an_end_the_range_reaches_to_the_disk() {
    let repo = shop().file("api/data", "two\n").commit("second").file("site/page", "bye\n");
    let dtbuild = Dtbuild::new(&repo);
    let plan = dtbuild.run(["plan", "--from", "HEAD~1", "--json"]).json();
    assert_eq!(decisions(&plan), ["api build", "site build"]);
    assert_eq!(image(&plan, "site")["reasons"][0]["path"], "site/page");
    let since_head = dtbuild.run(["plan", "--from", "HEAD", "--json"]).json();
    assert_eq!(decisions(&since_head), ["api keep", "site build"]);
}

#[test]
fn a_branch_that_is_behind_is_not_blamed_for_what_others_changed() {
    let repo = shop();
    let main = repo.git(["branch", "--show-current"]);
    repo.git(["checkout", "-q", "-b", "feature"]);
    let repo = repo.file("site/page", "a feature\n").commit("of the feature");
    repo.git(["checkout", "-q", &main]);
    let repo = repo.file("api/data", "two\n").commit("of somebody else");
    repo.git(["checkout", "-q", "feature"]);
    let dtbuild = Dtbuild::new(&repo);
    let plan = dtbuild.run(["plan", "--since", main.as_str(), "--json"]).json();
    assert_eq!(decisions(&plan), ["api keep", "site build"]);
}

#[test]
fn an_image_that_only_the_newer_end_declares_is_new() {
    let more = format!("{CONFIG}[images.db]\ncontext = \"db\"\n");
    let repo = shop().file("build.toml", more).file("db/Dockerfile", "FROM scratch\nCOPY . /\n").commit("db");
    let dtbuild = Dtbuild::new(&repo);
    let plan = dtbuild.run(["plan", "--from", "HEAD~1", "--to", "HEAD", "--json"]).json();
    assert_eq!(decisions(&plan), ["api keep", "db build", "site keep"]);
    assert_eq!(reasons(&image(&plan, "db")["reasons"]), ["new-image", "key-differs"]);
}

#[test]
fn an_image_that_only_the_older_end_declares_is_gone_or_has_another_name() {
    let less = CONFIG.replace("[images.site]\ncontext = \"site\"\n", "");
    let repo = shop().file("build.toml", less).commit("no site");
    let dtbuild = Dtbuild::new(&repo);
    let range = ["plan", "--from", "HEAD~1", "--to", "HEAD"];
    let plan = dtbuild.run(range.into_iter().chain(["--json"])).json();
    assert_eq!((decisions(&plan), &plan["removed"]), (vec!["api keep".to_owned()], &json!(["site"])));
    let shown = dtbuild.run(range).succeeds().stdout;
    assert!(shown.contains("site  drop   declared no more"), "{shown}");

    let renamed = CONFIG.replace("[images.site]\n", "[images.pages]\nrenamed-from = \"site\"\n");
    let _repo = repo.file("build.toml", renamed).commit("pages");
    let plan = dtbuild.run(["plan", "--from", "HEAD~2", "--to", "HEAD", "--json"]).json();
    assert_eq!(decisions(&plan), ["api keep", "pages keep"]);
    assert_eq!(reasons(&image(&plan, "pages")["reasons"]), ["renamed", "unchanged"]);
}

#[test]
fn commits_without_a_common_history_are_told() {
    let repo = shop();
    repo.git(["checkout", "-q", "--orphan", "other"]);
    let repo = repo.commit("unrelated");
    let main = repo.git(["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    let main = main.lines().find(|branch| *branch != "other").unwrap().to_owned();
    let ended = Dtbuild::new(&repo).run(["plan", "--since", main.as_str()]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("no common history"), "{}", ended.stderr);
}
