//! Git LFS: pointers in keys, files in snapshots. The layout is made by hand, as `git-lfs` makes it.

use std::fs;

use dtbuild::error::Failure as _;
use dtbuild::git::GitError;
use dtbuild_content::tree::Everything;
use sha2::{Digest as _, Sha256};

use super::filters::Without;
use super::input_trees::{
    agree, commit_digest, commit_snapshot, disk_digest, disk_snapshot, sent, until_noted,
};
use crate::support::repo::{TestRepo, code};

fn oid(content: &[u8]) -> String {
    use std::fmt::Write as _;

    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn pointer(content: &[u8]) -> String {
    format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
        oid(content),
        content.len()
    )
}

/// Puts a content where `git lfs fetch` puts it.
fn fetched(repo: TestRepo, store: &str, content: &[u8]) -> TestRepo {
    let oid = oid(content);
    repo.file(format!("{store}/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]), content)
}

const CONTENT: &[u8] = b"a large model\n";
const STORE: &str = ".git/lfs";

/// A commit of pointers to `CONTENT` and to what has the size of its own pointer.
fn sample() -> TestRepo {
    let repo = TestRepo::new().file(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repo.file("model.bin", pointer(CONTENT)).file("empty.bin", "").file("a", "1").commit("first")
}

#[test]
fn pointer_identifies_in_a_commit_in_the_working_tree_and_where_nothing_was_fetched() {
    let repo = sample();
    let pointers = commit_digest(&repo, &Everything);
    assert_eq!(disk_digest(&repo, &Everything), pointers, "a machine with pointers alone");
    let repo = fetched(repo, STORE, CONTENT).file("model.bin", CONTENT);
    assert_eq!(disk_digest(&repo, &Everything), pointers, "the file in its place");
    let sent = agree(&repo, &Everything);
    assert_eq!(sent[&b"model.bin"[..]].1, CONTENT);
    assert_eq!(sent[&b"empty.bin"[..]].1, b"");
}

#[test]
fn dirty_file_has_the_key_of_the_pointer_that_it_becomes() {
    // A file of the same size as its pointer, and a large one.
    for content in [vec![b'x'; 129], vec![b'y'; 3_000_000]] {
        let repo = sample().file("model.bin", &content);
        let dirty = disk_digest(&repo, &Everything);
        assert_ne!(dirty, commit_digest(&repo, &Everything));
        let repo = repo.file("model.bin", pointer(&content)).commit("second");
        assert_eq!(dirty, commit_digest(&repo, &Everything));
        let repo = fetched(repo, STORE, &content).file("model.bin", &content);
        assert_eq!(agree(&repo, &Everything)[&b"model.bin"[..]].1, content);
    }
}

#[test]
fn what_was_committed_before_the_attribute_stays_as_it_is() {
    let repo = TestRepo::new().file("model.bin", CONTENT).commit("first");
    let repo = repo.file(".gitattributes", "*.bin filter=lfs\n").commit("second");
    assert_eq!(agree(&repo, &Everything)[&b"model.bin"[..]].1, CONTENT);
}

#[test]
fn notes_of_earlier_runs_do_not_outlive_the_attribute() {
    let repo = sample().file("model.bin", CONTENT);
    let stats = repo.found_out("stat");
    until_noted(&repo, || disk_digest(&repo, &Everything));
    let repo = repo.file(".gitattributes", "");
    let without = disk_digest(&repo, &Without(&[".gitattributes"]));
    fs::remove_file(&stats).unwrap();
    assert_eq!(disk_digest(&repo, &Without(&[".gitattributes"])), without);
}

#[test]
fn attributes_count_from_wherever_git_takes_them() {
    // The file with the attributes, a path for which they hold, and the context that is asked about.
    for (file, kept, context) in [
        (".gitattributes", "models/deep/a.bin", "models/deep"),
        ("models/.gitattributes", "models/deep/a.bin", "models"),
        ("models/deep/.gitattributes", "models/deep/a.bin", ""),
        (".git/info/attributes", "models/deep/a.bin", "models"),
    ] {
        let repo =
            TestRepo::new().file("models/deep/a.bin", pointer(CONTENT)).file("a.txt", "1").commit("first");
        let repo = repo.file(file, "*.bin filter=lfs\n").file(kept, CONTENT);
        let opened = dtbuild::git::Repository::discover(repo.root(), code()).unwrap();
        let digest = |context: &str| {
            let tree = opened.working_tree(context.into()).unwrap().unwrap();
            tree.digest(&Without(&[".gitattributes"])).unwrap()
        };
        let committed = opened.commit_tree(opened.resolve("HEAD").unwrap(), context.into()).unwrap().unwrap();
        assert_eq!(digest(context), committed.digest(&Everything).unwrap(), "{file}");
    }
}

#[test]
fn nearest_attributes_have_the_last_word_and_a_link_has_none() {
    let repo = sample().file("plain/.gitattributes", "*.bin -filter\n").file("plain/a.bin", CONTENT);
    let repo = repo.file("elsewhere", "*.bin -filter\n").link("linked/.gitattributes", "../elsewhere");
    let repo = repo.file("linked/a.bin", pointer(CONTENT)).commit("second");
    let before = disk_digest(&repo, &Without(&["model.bin", ".gitattributes"]));
    let repo = repo.file("linked/a.bin", CONTENT);
    assert_eq!(disk_digest(&repo, &Without(&["model.bin", ".gitattributes"])), before);
    assert_eq!(before, commit_digest(&repo, &Without(&["model.bin", ".gitattributes"])));
}

#[test]
fn attributes_that_a_sparse_checkout_leaves_out_count() {
    let repo = TestRepo::new().file("models/.gitattributes", "*.bin filter=lfs\n");
    let repo = repo.file("models/deep/a.bin", pointer(CONTENT)).file("a.txt", "1").commit("first");
    repo.git(["sparse-checkout", "set", "--no-cone", "*.bin"]);
    assert!(!repo.path("models/.gitattributes").exists());
    let repo = repo.file("models/deep/a.bin", CONTENT);
    let left = Without(&[".gitattributes", "a.txt"]);
    assert_eq!(disk_digest(&repo, &left), commit_digest(&repo, &left));
}

#[test]
fn content_that_was_not_fetched_is_refused_with_the_way_out() {
    let repo = sample();
    let error = commit_snapshot(&repo, &Everything).err().unwrap();
    assert!(
        error.advice().contains("keeps of `model.bin` is not in this clone; run `git lfs fetch`"),
        "{error}"
    );
    let error = disk_snapshot(&repo, &Everything).err().unwrap();
    assert!(matches!(&error, GitError::LfsPointer { path, .. } if path == "model.bin"), "{error}");
    assert!(error.advice().contains("run `git lfs pull`"), "{error}");
    assert!(agree(&repo, &Without(&["model.bin"])).contains_key(&b"a"[..]));
}

#[test]
fn content_is_verified_while_it_is_sent() {
    let repo = fetched(sample(), STORE, CONTENT);
    let snapshot = commit_snapshot(&repo, &Everything).unwrap();
    let oid = oid(CONTENT);
    let repo = repo.file(format!("{STORE}/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]), "A LARGE MODEL\n");
    let error = sent(&snapshot).unwrap_err().to_string();
    assert!(error.contains("`model.bin` is damaged; `git lfs fsck`"), "{error}");
    let repo = repo.file("model.bin", CONTENT);
    let snapshot = disk_snapshot(&repo, &Everything).unwrap();
    let _repo = repo.file("model.bin", "A LARGE MODEL\n");
    assert!(sent(&snapshot).unwrap_err().to_string().contains("changed while it was being built"));
}

#[test]
fn store_may_be_elsewhere_and_is_shared_by_linked_work_trees() {
    let repo = fetched(sample(), ".git/elsewhere", CONTENT);
    repo.git(["config", "lfs.storage", "elsewhere"]);
    assert!(commit_snapshot(&repo, &Everything).is_ok());
    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    repo.git(["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
    let opened = dtbuild::git::Repository::discover(&linked, code()).unwrap();
    let tree = opened.commit_tree(opened.resolve("HEAD").unwrap(), "".into()).unwrap().unwrap();
    let sent = sent(&tree.snapshot(&Everything).unwrap()).unwrap();
    assert_eq!(sent[&b"model.bin"[..]].1, CONTENT);
    let absolute = repo.path(".git/elsewhere");
    repo.git(["config", "lfs.storage", absolute.to_str().unwrap()]);
    assert!(commit_snapshot(&repo, &Everything).is_ok());
}

#[test]
fn submodules_have_stores_of_their_own() {
    let library = sample();
    let repo = TestRepo::new().file("a", "1").commit("first");
    let source = format!("file://{}", library.root().display());
    repo.git(["submodule", "--quiet", "add", &source, "lib"]);
    let repo = repo.commit("second");
    let error = commit_snapshot(&repo, &Everything).err().unwrap().advice();
    assert!(error.contains("`lib/model.bin`") && error.contains("`git -C lib lfs fetch`"), "{error}");
    let repo = fetched(repo, ".git/modules/lib/lfs", CONTENT).file("lib/model.bin", CONTENT);
    assert_eq!(agree(&repo, &Everything)[&b"lib/model.bin"[..]].1, CONTENT);
}
