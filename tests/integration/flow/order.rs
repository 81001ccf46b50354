//! The order of releases: what is older than what runs waits for nobody, unless it is asked for by name.

use super::bench::Bench;

/// A bench whose second commit is deployed; returns the digest of `site` in it.
fn second_deployed() -> (Bench, String) {
    let bench = Bench::new();
    bench.write("site/page", "second\n");
    bench.commit("second");
    bench.run(&["--env", "staging"]).ok();
    let digest = bench.digest("site", "staging").unwrap();
    (bench, digest)
}

#[test]
fn an_older_commit_that_comes_late_is_superseded() {
    let (bench, second) = second_deployed();
    let older = ["--env", "staging", "--head", "HEAD~1"];
    for command in [&[][..], &["--no-deploy"], &["--dry-run"]] {
        let ran = bench.run(&[&older[..], command].concat()).ok();
        assert!(
            ran.stdout.contains("superseded: staging runs a newer commit"),
            "{command:?}: {}",
            ran.stdout
        );
    }
    let ran = bench.run(&[&["deploy"], &older[..]].concat()).ok();
    assert!(ran.stdout.contains("superseded"), "{}", ran.stdout);
    assert_eq!((bench.digest("site", "staging").unwrap(), bench.deployed().len()), (second.clone(), 1));
    bench.run(&[&older[..], &["--allow-older"]].concat()).ok();
    assert_ne!(bench.digest("site", "staging").unwrap(), second);
}

#[test]
fn a_clone_that_is_too_shallow_to_tell_asks_for_the_commits_alone() {
    let (bench, second) = second_deployed();
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let git = |arguments: &[&str]| {
        let output =
            std::process::Command::new("git").args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let url = format!("file://{}", bench.repo.root().display());
    git(&["init", "--quiet", "clone"]);
    let first = bench.repo.git(["rev-parse", "HEAD~1"]);
    for arguments in [
        &["remote", "add", "origin", &url][..],
        &["fetch", "--quiet", "--depth=1", "origin", &first],
        &["checkout", "--quiet", &first],
    ] {
        git(&[&["-C", "clone"], arguments].concat());
    }
    let run = |bench: &Bench| bench.command(&["--env", "staging"]).current_dir(&clone).output().unwrap();
    let ran = run(&bench);
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success() && shown.contains("superseded"), "{shown}");
    assert_eq!(bench.digest("site", "staging").unwrap(), second);
    let commits = |range: &str| bench.repo.git(["-C", clone.to_str().unwrap(), "rev-list", "--count", range]);
    assert_eq!(commits("HEAD"), "1", "the clone's history is what it was");

    // The branch is set back: its newest commit is deployed, though an older one.
    bench.repo.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    assert!(run(&bench).status.success());
    assert_ne!(bench.digest("site", "staging").unwrap(), second);
}

#[test]
fn a_commit_that_takes_back_what_was_rolled_back_builds_nothing() {
    let (bench, second) = second_deployed();
    bench.write("site/page", "bad\n");
    bench.commit("bad");
    bench.run(&["--env", "staging"]).ok();
    bench.run(&["rollback", "staging"]).ok();
    let status = bench.run(&["status", "--env", "staging"]).ok().stdout;
    assert!(status.contains("on hold: rolled back from "), "{status}");
    bench.repo.git(["revert", "--no-edit", "--quiet", "HEAD"]);
    assert_eq!(bench.decisions(), ["api keep", "site keep"]);
    bench.run(&["--env", "staging"]).ok();
    assert_eq!(bench.digest("site", "staging").unwrap(), second);
    // What changes later is still told by its path.
    bench.write("site/page", "fourth\n");
    bench.commit("fourth");
    assert_eq!(bench.decisions(), ["api keep", "site build"]);
}

#[test]
fn a_second_rollback_leads_further_back() {
    let bench = Bench::new();
    let pages: Vec<_> = ["first\n", "second\n", "third\n"]
        .map(|page| {
            bench.write("site/page", page);
            bench.commit(page.trim());
            bench.run(&["--env", "staging"]).ok();
            bench.digest("site", "staging")
        })
        .into();
    for page in [&pages[1], &pages[0]] {
        bench.run(&["rollback", "staging"]).ok();
        assert_eq!(bench.digest("site", "staging"), *page);
    }
    let refused = bench.run(&["rollback", "staging"]).code(2);
    assert!(refused.stderr.contains("`staging` ran no other release before"), "{}", refused.stderr);
    let third = bench.repo.git(["rev-parse", "HEAD"]);
    bench.run(&["rollback", "staging", "--to", &third[..9]]).ok();
    assert_eq!(bench.digest("site", "staging"), pages[2]);
    let refused = bench.run(&["rollback", "staging", "--to", "nosuch"]).code(2);
    assert!(
        refused.stderr.contains("`nosuch` is no deployment or commit of `staging`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_rollback_goes_back_one_release_and_holds_the_environment_there() {
    let bench = Bench::new();
    let first = bench.run(&["--env", "staging", "--json"]).ok().json();
    bench.write("site/page", "second\n");
    bench.commit("second");
    bench.run(&["--env", "staging"]).ok();
    bench.write("README.md", "read me\n");
    bench.commit("nothing that runs");
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));

    let back = bench.run(&["rollback", "staging", "--json"]).ok().json();
    assert_eq!(back["images"], first["images"]);
    assert_eq!(bench.deployed()[2]["images"], first["images"]);
    let held = bench.run(&["--env", "staging"]).code(5);
    for told in ["`staging` is on hold", "rolled back from", "--allow-older"] {
        assert!(held.stderr.contains(told), "no `{told}`: {}", held.stderr);
    }
    let history = bench.run(&["history", "staging", "--json"]).ok().json();
    assert_eq!(history["deployments"].as_array().unwrap().len(), 3);

    bench.write("site/page", "third\n");
    bench.commit("third");
    bench.run(&["--env", "staging"]).ok();
    assert!(bench.record().get("hold").is_none(), "what is newer ends the hold");
    let to = history["deployments"][2]["id"].as_str().unwrap();
    assert_eq!(
        bench.run(&["rollback", "staging", "--to", to, "--json"]).ok().json()["images"],
        first["images"]
    );
    let nowhere = bench.run(&["rollback", "staging", "--to", "never"]).code(2);
    assert!(nowhere.stderr.contains("`never` is no deployment or commit of `staging`"), "{}", nowhere.stderr);
}
