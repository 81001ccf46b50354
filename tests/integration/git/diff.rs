//! The paths that differ between two commits, compared with `git diff --name-status --no-renames`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bstr::{BString, ByteSlice as _};
use dtbuild::changed::{ChangeStatus, ChangedPath};
use dtbuild::git::{GitError, Repository};
use proptest::prelude::*;

use crate::support::repo::{TestRepo, code};

/// What `git` says of the two revisions.
fn expected(repo: &TestRepo, base: &str, head: &str) -> Vec<ChangedPath> {
    let output = repo.git_bytes(["diff", "--name-status", "--no-renames", "-z", base, head], b"");
    let fields: Vec<_> = output.split_str(b"\0").filter(|field| !field.is_empty()).collect();
    let status = |letter: &[u8]| match letter {
        b"A" => ChangeStatus::Added,
        b"M" => ChangeStatus::Modified,
        b"D" => ChangeStatus::Deleted,
        b"T" => ChangeStatus::TypeChanged,
        other => panic!("{}", other.as_bstr()),
    };
    let pairs = fields.chunks(2);
    pairs.map(|pair| ChangedPath { path: BString::from(pair[1]), status: status(pair[0]) }).collect()
}

fn found(repo: &TestRepo, base: &str, head: &str) -> Vec<ChangedPath> {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    opened.changed_paths(opened.resolve(base).unwrap(), opened.resolve(head).unwrap()).unwrap()
}

/// Compares the last two commits in both directions; gives one line per path, for the eye.
fn compared(repo: &TestRepo) -> Vec<String> {
    assert_eq!(found(repo, "HEAD", "HEAD~1"), expected(repo, "HEAD", "HEAD~1"));
    let changes = found(repo, "HEAD~1", "HEAD");
    assert_eq!(changes, expected(repo, "HEAD~1", "HEAD"));
    changes.iter().map(|change| format!("{} {}", change.status, change.path)).collect()
}

#[test]
fn contents_modes_and_kinds_are_told_apart() {
    let repo = TestRepo::new()
        .file("same", "1")
        .file("deep/er/changed", "1")
        .file("becomes-executable", "1")
        .file("becomes-link", "1")
        .file("gone", "1")
        .commit("first")
        .file("deep/er/changed", "2")
        .executable("becomes-executable", "1")
        .remove("becomes-link")
        .link("becomes-link", "same")
        .remove("gone")
        .file("new", "1")
        .commit("second");
    assert_eq!(
        compared(&repo),
        [
            "modified becomes-executable",
            "type changed becomes-link",
            "modified deep/er/changed",
            "deleted gone",
            "added new",
        ]
    );
}

#[test]
fn folder_that_becomes_a_file_is_gone() {
    let repo =
        TestRepo::new().file("a/b", "1").file("a/c/d", "1").file("a.b", "1").file("a0", "1").commit("1");
    let repo = repo.remove("a").file("a", "1").commit("2");
    assert_eq!(compared(&repo), ["added a", "deleted a/b", "deleted a/c/d"]);
}

#[test]
fn submodules_are_paths() {
    let repo = TestRepo::new().file("a", "1").commit("first");
    let cacheinfo = |digit: &str| format!("160000,{},lib", digit.repeat(40));
    repo.git(["update-index", "--add", "--cacheinfo", &cacheinfo("1")]);
    repo.git(["commit", "--quiet", "--message", "second"]);
    assert_eq!(compared(&repo), ["added lib"]);
    repo.git(["update-index", "--add", "--cacheinfo", &cacheinfo("2")]);
    repo.git(["commit", "--quiet", "--message", "third"]);
    assert_eq!(compared(&repo), ["modified lib"]);
    repo.git(["rm", "--quiet", "--cached", "lib"]);
    let repo = repo.file("lib", "1").commit("fourth");
    assert_eq!(compared(&repo), ["type changed lib"]);
}

#[test]
fn deep_trees_do_not_exhaust_the_stack() {
    let path = |leaf: &str| format!("{}{leaf}", "d/".repeat(1500));
    let mut input = String::new();
    for (number, leaf) in ["a", "b"].iter().enumerate() {
        let who = "A <a@b> 1700000000 +0000";
        write!(input, "commit refs/heads/main\ncommitter {who}\ndata 0\n").unwrap();
        write!(input, "M 100644 inline {}\ndata 1\n{number}\n", path(leaf)).unwrap();
    }
    let repo = TestRepo::new();
    repo.git_bytes(["fast-import", "--quiet"], input.as_bytes());
    let changes = found(&repo, "main~1", "main");
    assert_eq!(changes, [ChangedPath { path: path("b").into(), status: ChangeStatus::Added }]);
}

#[test]
fn missing_base_is_named() {
    let repo = TestRepo::new().file("a", "1").commit("first").file("a", "2").commit("second");
    let shallow = repo.cloned(&["--depth=1"]);
    let opened = Repository::discover(shallow.root(), code()).unwrap();
    let base = repo.git(["rev-parse", "HEAD~1"]).parse().unwrap();
    let head = opened.head().unwrap().unwrap().commit;
    let error = opened.changed_paths(base, head).unwrap_err();
    assert!(matches!(error, GitError::MissingCommit { commit, .. } if commit == base), "{error:?}");
}

#[test]
fn blobless_clones_diff_and_treeless_ones_say_what_is_missing() {
    let repo = TestRepo::new().file("d/a", "1").commit("first").file("d/a", "2").commit("second");
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    let blobless = repo.cloned(&["--filter=blob:none", "--no-checkout"]);
    assert_eq!(found(&blobless, "HEAD~1", "HEAD").len(), 1);
    let treeless = repo.cloned(&["--filter=tree:0", "--no-checkout"]);
    let opened = Repository::discover(treeless.root(), code()).unwrap();
    let (base, head) = (opened.resolve("HEAD~1").unwrap(), opened.resolve("HEAD").unwrap());
    let error = opened.changed_paths(base, head).unwrap_err();
    assert!(matches!(error, GitError::MissingObject { .. }), "{error:?}");
}

/// A file of a random commit: mode and content.
type Entry = (&'static str, u8);

fn commit_strategy() -> impl Strategy<Value = BTreeMap<String, Entry>> {
    // Few names, so that files and folders collide; a dot and a digit sort around the slash.
    let path = proptest::collection::vec(prop_oneof!["[ab]", "a\\.b", "a0", "a\u{e9}"], 1..4);
    let mode =
        prop_oneof![4 => Just("100644"), 1 => Just("100755"), 1 => Just("120000"), 1 => Just("160000")];
    let entry = (path.prop_map(|parts| parts.join("/")), (mode, 0_u8..3));
    proptest::collection::btree_map(
        entry.clone().prop_map(|entry| entry.0),
        entry.prop_map(|entry| entry.1),
        0..16,
    )
    .prop_map(|files| without_collisions(&files))
}

/// Drops what lies below a path that is a file.
fn without_collisions(files: &BTreeMap<String, Entry>) -> BTreeMap<String, Entry> {
    let taken = |path: &str| path.match_indices('/').any(|(end, _)| files.contains_key(&path[..end]));
    files.iter().filter(|(path, _)| !taken(path)).map(|(path, entry)| (path.clone(), *entry)).collect()
}

fn import(commits: &[BTreeMap<String, Entry>]) -> String {
    let mut input = String::new();
    for files in commits {
        input.push_str("commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 0\ndeleteall\n");
        for (path, (mode, content)) in files {
            if *mode == "160000" {
                writeln!(input, "M {mode} {} {path}", format!("{content:x}1").repeat(20)).unwrap();
            } else {
                write!(input, "M {mode} inline {path}\ndata 1\n{content}\n").unwrap();
            }
        }
    }
    input
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_commits_differ_as_git_says(commits in proptest::collection::vec(commit_strategy(), 2)) {
        let repo = TestRepo::new();
        repo.git_bytes(["fast-import", "--quiet"], import(&commits).as_bytes());
        let changes = found(&repo, "main~1", "main");
        prop_assert_eq!(changes, expected(&repo, "main~1", "main"));
    }
}
