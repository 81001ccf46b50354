//! The paths by which the working tree differs from HEAD.

use dtbuild::error::Failure as _;
use dtbuild::git::{GitError, Repository};

use crate::support::repo::{TestRepo, code};

/// One line per path that differs.
fn changes(repo: &TestRepo) -> Vec<String> {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let changes = opened.changed_in_working_tree().unwrap();
    changes.iter().map(|change| format!("{} {}", change.status, change.path)).collect()
}

#[test]
fn clean_tree_has_no_changes() {
    let repo = TestRepo::new().file("a", "1").file("d/b", "1").commit("first");
    assert_eq!(changes(&repo), Vec::<String>::new());
    let repo = repo.file("a", "1");
    assert_eq!(changes(&repo), Vec::<String>::new(), "written again, not changed");
}

#[test]
fn staged_unstaged_and_untracked_paths_are_told() {
    let repo = TestRepo::new()
        .file(".gitignore", "ignored\n")
        .file("staged", "1")
        .file("unstaged", "1")
        .file("both", "1")
        .file("gone", "1")
        .file("link", "1")
        .file("mode", "1")
        .file("folder", "1")
        .commit("first")
        .file("staged", "2")
        .file("both", "2");
    repo.git(["add", "--all"]);
    let repo = repo
        .file("unstaged", "2")
        .file("both", "3")
        .remove("gone")
        .remove("link")
        .link("link", "both")
        .executable("mode", "1")
        .remove("folder")
        .file("folder/in", "1")
        .file("new/er", "1")
        .file("ignored", "1");
    assert_eq!(
        changes(&repo),
        [
            "modified both",
            "deleted folder",
            "added folder/in",
            "deleted gone",
            "type changed link",
            "modified mode",
            "added new/er",
            "modified staged",
            "modified unstaged",
        ]
    );
}

#[test]
fn what_is_back_to_what_it_was_is_no_change() {
    let repo = TestRepo::new().file("a", "1").file("kept", "1").commit("first").file("a", "2").file("b", "1");
    repo.git(["add", "--all"]);
    repo.git(["rm", "--quiet", "--cached", "kept"]);
    let repo = repo.file("a", "1").remove("b");
    assert_eq!(changes(&repo), Vec::<String>::new());
}

#[test]
fn all_is_new_without_commits() {
    let repo = TestRepo::new().file("a", "1").file("d/b", "1");
    repo.git(["add", "a"]);
    assert_eq!(changes(&repo), ["added a", "added d/b"]);
}

#[test]
fn converted_files_are_not_changed() {
    let repo =
        TestRepo::new().file(".gitattributes", "* text=auto eol=crlf\n").file("a", "1\r\n").commit("1");
    assert_eq!(changes(&repo), Vec::<String>::new());
    let repo = repo.file("a", "2\r\n");
    assert_eq!(changes(&repo), ["modified a"]);
}

#[test]
fn moved_submodule_is_a_change() {
    let library = TestRepo::new().file("lib.c", "1").commit("first");
    let repo = TestRepo::new().file("a", "1").commit("first");
    let source = format!("file://{}", library.root().display());
    repo.git(["submodule", "--quiet", "add", &source, "lib"]);
    let repo = repo.commit("second");
    assert_eq!(changes(&repo), Vec::<String>::new());
    repo.git(["-C", "lib", "commit", "--quiet", "--allow-empty", "--message", "second"]);
    assert_eq!(changes(&repo), ["modified lib"]);
}

#[test]
fn bare_repository_has_no_working_tree() {
    let repo = TestRepo::new().file("a", "1").commit("first").cloned(&["--bare"]);
    let error = Repository::discover(repo.root(), code()).unwrap().changed_in_working_tree().unwrap_err();
    assert!(matches!(error, GitError::NoWorkTree { .. }));
}

#[test]
fn sparse_index_is_refused_with_the_way_out() {
    let repo = TestRepo::new().file("a/x", "1").file("b/x", "1").file("top", "1").commit("first");
    repo.git(["sparse-checkout", "set", "--cone", "--sparse-index", "a"]);
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let error = opened.changed_in_working_tree().unwrap_err().advice();
    assert!(error.contains("--no-sparse-index"), "{error}");
}
