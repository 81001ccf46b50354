//! The reference stack: which changes give which of its images another key.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::support::dtbuild::Dtbuild;
use crate::support::repo::TestRepo;

/// The stack as this repository holds it, its base images locked as the mirror serves them.
fn stack() -> (TestRepo, Dtbuild) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--", "build.toml", "containers"])
        .current_dir(root)
        .output();
    let mut repo = TestRepo::new();
    for path in String::from_utf8(listed.unwrap().stdout).unwrap().split_terminator('\0') {
        repo = repo.file(path, std::fs::read(root.join(path)).unwrap());
    }
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["lock"]).succeeds();
    (repo.commit("first"), dtbuild)
}

fn keys(dtbuild: &Dtbuild) -> BTreeMap<String, String> {
    let plan = dtbuild.plan("staging");
    let text = |image: &serde_json::Value, field: &str| image[field].as_str().unwrap().to_owned();
    let images = plan["images"].as_array().unwrap().iter();
    images.map(|image| (text(image, "name"), text(image, "key"))).collect()
}

/// The images whose keys differ.
fn altered(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let differs = |(name, key): &(&String, &String)| before[*name] != **key;
    after.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}

#[test]
fn only_what_an_image_reads_rebuilds_it() {
    let (mut repo, dtbuild) = stack();
    let mut before = keys(&dtbuild);
    let table: [(&[&str], &[&str]); 8] = [
        (&["containers/client/README.md", "containers/api/README.md", "containers/db/README.md"], &[]),
        (&["containers/api/test/routes.test.js", "containers/db/tests/new.sql", "README.md"], &[]),
        (&["containers/client/.dockerignore", "docker-compose.yml", "ansible/site.yml"], &[]),
        (&["containers/client/site/index.html"], &["client"]),
        (&["containers/api/src/main.js"], &["api"]),
        (&["containers/db/initdb/20-seed.sql"], &["db"]),
        (&["containers/api/package-lock.json", "containers/client/default.conf"], &["api", "client"]),
        (&["containers/db/Dockerfile"], &["db"]),
    ];
    for (paths, expected) in table {
        for path in paths {
            let old = std::fs::read_to_string(repo.path(path)).unwrap_or_default();
            repo = repo.file(path, old + "\n# Another line.\n");
        }
        repo = repo.commit("change");
        let after = keys(&dtbuild);
        assert_eq!(altered(&before, &after), expected, "{paths:?}");
        before = after;
    }
}

#[test]
fn a_shared_file_rebuilds_exactly_its_users() {
    let (mut repo, dtbuild) = stack();
    let read = |repo: &TestRepo, path: &str| std::fs::read_to_string(repo.path(path)).unwrap();
    let mut config = read(&repo, "build.toml");
    for image in ["client", "api"] {
        let context = format!("context = \"containers/{image}\"\n");
        config =
            config.replace(&context, &format!("{context}contexts = {{ shared = \"containers/shared\" }}\n"));
        let dockerfile = format!("containers/{image}/Dockerfile");
        let text = read(&repo, &dockerfile) + "\nCOPY --from=shared regions.json /regions.json\n";
        repo = repo.file(&dockerfile, text);
    }
    repo = repo.file("build.toml", config).file("containers/shared/regions.json", "[]\n").commit("share");
    let before = keys(&dtbuild);
    repo = repo.file("containers/shared/regions.json", "[\"north\"]\n").commit("north");
    let after = keys(&dtbuild);
    assert_eq!(altered(&before, &after), ["api", "client"]);
    let _described = repo.file("containers/shared/README.md", "what is shared\n").commit("describe");
    assert_eq!(keys(&dtbuild), after, "nothing copies it");
}
