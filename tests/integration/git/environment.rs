//! The variables of git's environment, as hooks and `git -c` set them.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::support::dtbuild::{Dtbuild, project};
use crate::support::repo::TestRepo;

/// A repository whose second commit is in a quarantine, as before a push is accepted: its id, and the variables of a hook.
fn quarantined(repo: TestRepo, packed: bool) -> (TestRepo, String, Vec<(&'static str, OsString)>) {
    let clone = repo.cloned(&[]).file("app/greeting.txt", "good bye\n").commit("second");
    let (commit, place) = (clone.head(), repo.path(".git/objects/tmp_objdir-incoming-1"));
    fs::create_dir(&place).unwrap();
    if packed {
        fs::create_dir(place.join("pack")).unwrap();
        let pack = place.join("pack/pack");
        let list = format!("{commit}\n^{commit}~1\n");
        clone.git_bytes(["pack-objects", "--revs", "--quiet", pack.to_str().unwrap()], list.as_bytes());
    } else {
        for object in clone.git(["rev-list", "--objects", "--no-object-names", "HEAD~1..HEAD"]).lines() {
            let (folder, file) = object.split_at(2);
            fs::create_dir_all(place.join(folder)).unwrap();
            let from = clone.path(format!(".git/objects/{folder}/{file}"));
            fs::copy(from, place.join(folder).join(file)).unwrap();
        }
    }
    let objects = repo.path(".git/objects");
    let variables = vec![
        ("GIT_OBJECT_DIRECTORY", place.clone().into_os_string()),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects.into_os_string()),
        ("GIT_QUARANTINE_PATH", place.into_os_string()),
    ];
    (repo, commit, variables)
}

fn machine(repo: &TestRepo, variables: &[(&'static str, OsString)]) -> Dtbuild {
    variables.iter().fold(Dtbuild::new(repo), |machine, (name, value)| machine.variable(name, value.clone()))
}

#[test]
fn objects_of_a_push_are_seen_before_it_is_accepted() {
    for packed in [false, true] {
        let (repo, commit, variables) = quarantined(project().commit("first"), packed);
        let plan = |machine: &Dtbuild, head: &str| {
            let ended = machine.run(["plan", "--env", "staging", "--json", "--head", head]);
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            ended.json()["images"][0]["key"].to_string()
        };
        let hook = machine(&repo, &variables);
        let first = plan(&hook, &repo.head());
        assert_eq!(first, plan(&Dtbuild::new(&repo), &repo.head()));
        for revision in [&commit[..], &commit[..12], &format!("{commit}^{{commit}}")] {
            assert_ne!(first, plan(&hook, revision), "{revision}");
        }
        assert_eq!(first, plan(&hook, &format!("{commit}~1")));
        // Without the repository's own folder of objects git sees none of them.
        let alone = machine(&repo, &variables[..1]);
        assert_ne!(alone.run(["plan", "--env", "staging", "--head", &commit]).code, Some(0));
        assert!(
            Dtbuild::new(&repo)
                .run(["plan", "--env", "staging", "--head", &commit])
                .stderr
                .contains("names no commit")
        );
    }
}

#[test]
fn index_and_work_tree_of_the_environment_are_not_those_of_a_submodule() {
    let library = TestRepo::new().file("lib.txt", "1").commit("library");
    let repo = project();
    repo.git(["submodule", "--quiet", "add", library.root().to_str().unwrap(), "app/lib"]);
    let repo = repo.commit("first");
    let key = |machine: &Dtbuild| {
        let ended = machine.run(["build", "--dry-run", "--json"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.json()["images"][0]["key"].to_string()
    };
    let expected = key(&Dtbuild::new(&repo));
    let index = repo.path(".git/next-index");
    fs::copy(repo.path(".git/index"), &index).unwrap();
    let hook = [
        ("GIT_INDEX_FILE", index.into_os_string()),
        ("GIT_DIR", repo.path(".git").into_os_string()),
        ("GIT_WORK_TREE", repo.root().as_os_str().to_owned()),
    ];
    assert_eq!(key(&machine(&repo, &hook)), expected);
}

#[test]
fn settings_of_a_command_reach_what_reads_them() {
    // An attribute file that only `git -c` names: a file of Git LFS by it.
    let repo = project().commit("first").file("app/greeting.txt", "changed\n");
    let attributes = repo.path(".git/other-attributes");
    fs::write(&attributes, "greeting.txt filter=lfs\n").unwrap();
    let key = |machine: &Dtbuild| {
        machine.run(["build", "--dry-run", "--json"]).json()["images"][0]["key"].to_string()
    };
    let quoted = |command: &str| {
        // What `git` itself hands to the programs that it starts.
        let setting = format!("core.attributesFile={}", attributes.display());
        let mut git = Command::new("git");
        git.current_dir(repo.root()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = git.args(["-c", &setting, "-c", "alias.variables=!env", command]).output().unwrap();
        let variables = String::from_utf8(output.stdout).unwrap();
        let line =
            variables.lines().find(|line| line.starts_with("GIT_CONFIG_PARAMETERS=")).unwrap().to_owned();
        line.split_once('=').unwrap().1.to_owned()
    };
    let plain = key(&Dtbuild::new(&repo));
    let with_setting = Dtbuild::new(&repo).variable("GIT_CONFIG_PARAMETERS", quoted("variables"));
    assert_ne!(key(&with_setting), plain);
}
