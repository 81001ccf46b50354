//! Globs of `build.toml` that take in nothing, or less than they seem to: told by `plan`, `inputs` and `doctor`.

use serde_json::Value;

use crate::support::dtbuild::Dtbuild;
use crate::support::repo::TestRepo;

/// A repository whose image `app` has these lines in `build.toml`, from line 7; `libs/shared/x` is outside of its context, and
/// `shared` a link to `libs/shared`.
fn repo(lines: &str) -> TestRepo {
    let repo = TestRepo::new().file("build.toml", build_toml(lines)).link("shared", "libs/shared");
    let repo = repo.file("app/Dockerfile", "FROM scratch\nCOPY a* /\n").file("app/a", "a");
    repo.file("app/deep/b.md", "b").file("libs/shared/x", "1").commit("first")
}

fn build_toml(lines: &str) -> String {
    format!(
        "[project]\nname = \"p\"\nregistry = \"r.invalid/p\"\n\n[images.app]\ncontext = \"app\"\n{lines}\n\
         [environments.staging]\nbranch = \"main\"\n"
    )
}

/// The notes of the image `app` in a plan.
fn notes(dtbuild: &Dtbuild) -> Vec<String> {
    let plan = dtbuild.plan("staging");
    let notes = plan["images"][0]["notes"].as_array().unwrap();
    notes.iter().map(|note| note.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_glob_that_matches_nothing_is_told_with_its_line_and_its_fault() {
    let repo = repo("");
    let dtbuild = Dtbuild::new(&repo);
    let table = [
        ("paths", "nope/**", "matches nothing"),
        ("paths", "!libs/**", "matches nothing: a `!` does not negate a glob; `ignore` leaves files out"),
        ("paths", "shared/**", "matches nothing: `shared` is a link; name what it leads to"),
        ("paths", "libs//shared/x", "matches nothing: write it as `libs/shared/x`"),
        ("paths", "./libs/./shared", "matches nothing: write it as `libs/shared`"),
        ("paths", "LIBS/**", "matches nothing: `libs/shared/x` differs from it in upper and lower case"),
        ("paths", "**/*.MD", "matches nothing: `app/deep/b.md` differs from it in upper and lower case"),
        ("paths", "shared", "names a link: what the link leads to is another path, and does not count"),
        // What is ignored is ignored of the context.
        ("ignore", "libs/**", "matches nothing"),
        ("ignore", "!app/a", "matches nothing: a `!` does not negate a glob; name what counts"),
        ("ignore", "App/**/*.md", "matches nothing: `app/deep/b.md` differs from it in upper and lower case"),
    ];
    for (key, glob, fault) in table {
        repo.write("build.toml", build_toml(&format!("{key} = [\"app/**\",\n  \"{glob}\"]")), 0o644);
        repo.git(["commit", "--quiet", "--all", "--message", glob]);
        let expected = format!("build.toml:8: `{glob}` in `{key}` {fault}");
        assert_eq!(notes(&dtbuild), [expected.as_str()]);
        for arguments in [&["plan", "--env", "staging"][..], &["inputs", "app"], &["inputs", "app", "--disk"]]
        {
            let told = dtbuild.run(arguments).succeeds().stdout;
            assert_eq!(told.matches(&expected).count(), 1, "{arguments:?}: {told}");
        }
        let told = dtbuild.run(["doctor", "--offline"]).stdout;
        assert!(told.contains(&format!("note    build.toml   {expected}")), "{told}");
    }
}

#[test]
fn globs_that_match_are_not_spoken_of() {
    let lines = "paths = [\"libs\", \"libs/**\", \"./libs/shared/\", \"**/x\", \"{libs,nope}/**\", \".\"]\n\
                 ignore = [\"app\", \"**/*.md\", \"libs/shared/x\"]";
    let repo = repo(lines);
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(notes(&dtbuild), [""; 0]);
    let told = dtbuild.run(["doctor", "--offline"]).stdout;
    assert!(!told.contains("matches nothing"), "{told}");
}

#[test]
fn a_remembered_note_names_the_line_of_today() {
    let repo = repo("ignore = [\"nope\"]");
    let dtbuild = Dtbuild::new(&repo);
    for _ in 0..2 {
        assert_eq!(notes(&dtbuild), ["build.toml:7: `nope` in `ignore` matches nothing"]);
    }
    repo.write("build.toml", format!("# above\n{}", build_toml("ignore = [\"nope\"]")), 0o644);
    repo.git(["commit", "--quiet", "--all", "--message", "below"]);
    for _ in 0..2 {
        assert_eq!(notes(&dtbuild), ["build.toml:8: `nope` in `ignore` matches nothing"]);
    }
}

#[test]
fn the_globs_of_a_deployment_are_told_too() {
    let deploy = "deploy = { command = [\"true\"], paths = [\"nope/**\", \"libs/**\"] }\n";
    let repo = repo("").file("build.toml", build_toml("") + deploy).commit("deploys");
    let dtbuild = Dtbuild::new(&repo);
    let expected = "build.toml:10: `nope/**` in `deploy.paths` matches nothing";
    assert_eq!(dtbuild.plan("staging")["notes"], serde_json::json!([expected]));
    for arguments in [&["plan", "--env", "staging"][..], &["doctor", "--offline"]] {
        let told = dtbuild.run(arguments).stdout;
        assert_eq!(told.matches(expected).count(), 1, "{arguments:?}: {told}");
    }
}

#[test]
fn inputs_lists_what_paths_take_in() {
    let repo = repo("paths = [\"libs/**\"]");
    let dtbuild = Dtbuild::new(&repo);
    for disk in [None, Some("--disk")] {
        let told = dtbuild.run(["inputs", "app"].into_iter().chain(disk)).succeeds().stdout;
        let files =
            if disk.is_some() { "the working tree".into() } else { format!("commit {}", &repo.head()[..10]) };
        insta::allow_duplicates! {
            insta::assert_snapshot!(told.replace(&files, "FILES"), @r"
            app: the inputs in FILES
              file             1 B  2e65efe2a145  app/a
            from `paths`
              file             1 B  56a6051ca2b0  libs/shared/x
            2 inputs, 2 B
            ");
        }
    }
    let json: Value =
        serde_json::from_str(&dtbuild.run(["inputs", "app", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(json["inputs"][0].get("paths"), None);
    assert_eq!(json["inputs"][1]["path"], "libs/shared/x");
    assert_eq!(json["inputs"][1]["paths"], true);
}
