//! Submodules: a commit in the key, a folder of files in the build.

use dtbuild::error::Failure as _;
use dtbuild::git::GitError;
use dtbuild_content::ignore::Rules;
use dtbuild_content::tree::{Everything, Kind};

use super::filters::Without;
use super::input_trees::{agree, commit_digest, commit_snapshot, disk_digest, disk_snapshot, files, sent};
use crate::support::dtbuild::{Dtbuild, project};
use crate::support::repo::{TestRepo, code};

/// A library with another library in it.
fn library() -> (TestRepo, TestRepo) {
    let inner = TestRepo::new().file("deep.c", "deep").executable("bin/tool", "#!/bin/sh\n").commit("first");
    let outer = TestRepo::new().file("lib.c", "1").file("docs/manual", "long").link("link", "lib.c");
    let outer = outer.commit("first");
    add(&outer, &inner, "inner");
    (outer.commit("second"), inner)
}

fn add(repo: &TestRepo, library: &TestRepo, path: &str) {
    let source = format!("file://{}", library.root().display());
    repo.git(["submodule", "--quiet", "add", &source, path]);
}

/// A repository with the library at `vendor/lib`, checked out with all that is in it.
fn sample() -> TestRepo {
    let (library, _inner) = library();
    with(&library)
}

fn with(library: &TestRepo) -> TestRepo {
    let repo = TestRepo::new().file("a", "1").commit("first");
    add(&repo, library, "vendor/lib");
    repo.git(["submodule", "--quiet", "update", "--init", "--recursive"]);
    repo.commit("second")
}

const FILES: [&str; 8] = [
    ".gitmodules",
    "a",
    "vendor/lib/.gitmodules",
    "vendor/lib/docs/manual",
    "vendor/lib/inner/bin/tool",
    "vendor/lib/inner/deep.c",
    "vendor/lib/lib.c",
    "vendor/lib/link",
];

#[test]
fn build_is_sent_what_is_in_submodules() {
    let repo = sample();
    let sent = agree(&repo, &Everything);
    assert_eq!(files(&sent), FILES);
    assert_eq!(sent[&b"vendor/lib/inner/bin/tool"[..]], (Kind::Executable, b"#!/bin/sh\n".to_vec()));
    assert_eq!(commit_digest(&repo, &Everything).to_string(), repo.git(["rev-parse", "HEAD^{tree}"]));
}

#[test]
fn dockerignore_applies_inside_submodules() {
    let repo = sample();
    let rules = Rules::parse(b"**/docs\n**/*.c\n!vendor/lib/inner/deep.c\n").unwrap();
    let sent = agree(&repo, &rules);
    let expected: Vec<&str> =
        FILES.into_iter().filter(|path| !path.contains("docs") && !path.ends_with("lib.c")).collect();
    assert_eq!(files(&sent), expected);
    assert_eq!(files(&agree(&repo, &Without(&["lib"]))), [".gitmodules", "a"]);
}

#[test]
fn key_is_the_same_where_nothing_is_checked_out_and_the_build_says_what_to_do() {
    let (library, _inner) = library();
    let repo = with(&library);
    let clone = repo.cloned(&[]);
    for digest in [commit_digest(&clone, &Everything), disk_digest(&clone, &Everything)] {
        assert_eq!(digest, commit_digest(&repo, &Everything));
    }
    for result in [commit_snapshot(&clone, &Everything), disk_snapshot(&clone, &Everything)] {
        let error = result.err().unwrap().advice();
        assert!(error.contains("of the submodule `vendor/lib` is not on this machine"), "{error}");
        assert!(error.contains("run `git submodule update --init vendor/lib`,"), "{error}");
    }
    assert_eq!(files(&agree(&clone, &Without(&["vendor"]))), [".gitmodules", "a"]);

    clone.git(["submodule", "--quiet", "update", "--init"]);
    for result in [commit_snapshot(&clone, &Everything), disk_snapshot(&clone, &Everything)] {
        let error = result.err().unwrap().advice();
        assert!(error.contains("run `git -C vendor/lib submodule update --init inner`,"), "{error}");
    }
    clone.git(["submodule", "--quiet", "update", "--init", "--recursive"]);
    assert_eq!(files(&agree(&clone, &Everything)), FILES);
}

#[test]
fn commit_is_built_from_git_objects_whatever_the_checkout_holds() {
    let repo = sample();
    let before = sent(&commit_snapshot(&repo, &Everything).unwrap()).unwrap();
    let repo = repo.file("vendor/lib/lib.c", "2").file("vendor/lib/inner/new", "1");
    assert_eq!(sent(&commit_snapshot(&repo, &Everything).unwrap()).unwrap(), before);
    repo.git(["submodule", "--quiet", "deinit", "--force", "--all"]);
    assert_eq!(sent(&commit_snapshot(&repo, &Everything).unwrap()).unwrap(), before);
}

#[test]
fn what_differs_in_a_submodule_is_another_key_and_the_same_one_twice() {
    type Change = fn(TestRepo) -> TestRepo;
    let changes: [(&str, Change); 5] = [
        ("a byte", |repo| repo.file("vendor/lib/lib.c", "2")),
        ("an untracked file", |repo| repo.file("vendor/lib/new", "1")),
        ("a deleted file", |repo| repo.remove("vendor/lib/docs")),
        ("a byte of a nested one", |repo| repo.file("vendor/lib/inner/deep.c", "?")),
        ("another commit", |repo| {
            repo.write("vendor/lib/lib.c", "2", 0o644);
            repo.git(["-C", "vendor/lib", "commit", "--quiet", "--all", "--message", "third"]);
            repo
        }),
    ];
    for (what, change) in changes {
        let repo = sample();
        let clean = disk_digest(&repo, &Everything);
        let repo = change(repo);
        let digest = disk_digest(&repo, &Everything);
        assert_ne!(digest, clean, "{what}");
        assert_eq!(digest, disk_digest(&repo, &Everything), "{what}");
        // What no build is sent makes no difference.
        let rules = Rules::parse(b"vendor/lib\n").unwrap();
        assert_eq!(disk_digest(&repo, &rules), commit_digest(&repo, &rules), "{what}");
    }
    // Another clone, in which only the places differ that `.gitmodules` names.
    let dirty = || disk_digest(&sample().file("vendor/lib/lib.c", "2"), &Without(&[".gitmodules"]));
    assert_eq!(dirty(), dirty());
    let repo = sample().file("vendor/lib/new", "1");
    assert_eq!(sent(&disk_snapshot(&repo, &Everything).unwrap()).unwrap()[&b"vendor/lib/new"[..]].1, b"1");
    assert_eq!(disk_digest(&repo, &Without(&["new"])), commit_digest(&repo, &Without(&["new"])));
}

#[test]
fn moved_submodule_has_the_key_of_the_commit_that_it_becomes() {
    let repo = sample().file("vendor/lib/lib.c", "2");
    repo.git(["-C", "vendor/lib", "commit", "--quiet", "--all", "--message", "third"]);
    let moved = disk_digest(&repo, &Everything);
    let repo = repo.commit("third");
    assert_eq!(moved, commit_digest(&repo, &Everything));
    agree(&repo, &Everything);
}

#[test]
fn commit_that_was_not_fetched_is_named() {
    let repo = sample();
    let id = "1".repeat(40);
    repo.git(["update-index", "--cacheinfo", &format!("160000,{id},vendor/lib")]);
    repo.git(["commit", "--quiet", "--message", "third"]);
    let error = commit_snapshot(&repo, &Everything).err().unwrap();
    assert!(matches!(&error, GitError::Submodule { cloned: true, .. }), "{error}");
    assert!(error.advice().contains(&format!("`git -C vendor/lib fetch origin {id}`")), "{error}");
}

#[test]
fn linked_work_tree_finds_the_objects() {
    let repo = sample();
    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    repo.git(["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
    let opened = dtbuild::git::Repository::discover(&linked, code()).unwrap();
    let head = opened.resolve("HEAD").unwrap();
    let tree = opened.commit_tree(head, "".into()).unwrap().unwrap();
    assert_eq!(files(&sent(&tree.snapshot(&Everything).unwrap()).unwrap()), FILES);
}

#[test]
fn context_and_dockerfile_may_be_in_a_submodule() {
    let repo = sample();
    let opened = dtbuild::git::Repository::discover(repo.root(), code()).unwrap();
    let head = opened.resolve("HEAD").unwrap();
    for (folder, inside) in [("vendor/lib/inner", "deep.c"), ("vendor/lib", "lib.c"), ("vendor", "lib/lib.c")]
    {
        let commit = opened.commit_tree(head, folder.into()).unwrap().unwrap();
        let disk = opened.working_tree(folder.into()).unwrap().unwrap();
        assert_eq!(commit.digest(&Everything).unwrap(), disk.digest(&Everything).unwrap(), "{folder}");
        let sent = sent(&commit.snapshot(&Everything).unwrap()).unwrap();
        assert!(sent.contains_key(inside.as_bytes()), "{folder}");
    }
    assert_eq!(opened.read_file(head, "vendor/lib/inner/deep.c".into()).unwrap(), Some(b"deep".to_vec()));
    assert_eq!(opened.read_file(head, "vendor/lib/inner".into()).unwrap(), None);
}

#[test]
fn source_in_a_submodule_counts_by_the_commit_and_must_be_there() {
    let (library, _inner) = library();
    let repo = project().commit("first");
    add(&repo, &library, "app/lib");
    repo.git(["submodule", "--quiet", "update", "--init", "--recursive"]);
    let copying = |repo: TestRepo, source: &str| {
        repo.file("app/Dockerfile", format!("FROM scratch\nCOPY {source} /\n")).commit("next")
    };
    let repo = copying(repo, "lib/docs/manual");
    let dtbuild = Dtbuild::new(&repo);
    let inputs = dtbuild.run(["inputs", "app", "--json"]).succeeds().stdout;
    assert!(inputs.contains("lib/docs/manual") && inputs.contains("all of which counts"), "{inputs}");
    let key = |dtbuild: &Dtbuild| dtbuild.plan("staging")["images"][0]["key"].clone();
    let clone = repo.cloned(&[]);
    assert_eq!(key(&dtbuild), key(&dtbuild.at(clone.root())), "where it is not checked out");

    let repo = copying(repo, "lib/none");
    let missing = ["app/Dockerfile:2: COPY lib/none: not in the context `app`"];
    dtbuild.run(["plan", "--env", "staging"]).fails(2, &missing);
    dtbuild.run(["build", "--dry-run"]).fails(2, &missing);
    // Where that cannot be known, there is a key.
    let clone = repo.cloned(&[]);
    key(&dtbuild.at(clone.root()));
}

#[test]
fn hint_for_a_submodule_that_is_not_here_is_one_that_git_can_carry_out() {
    let inner = TestRepo::new().file("lib.c", "1").commit("inner");
    let address = inner.root().display().to_string();
    let embedded = TestRepo::new().file("a", "1");
    embedded.git(["clone", "--quiet", &address, "emb"]);
    let embedded = embedded.commit("a repository inside");
    let errors = |clone: &TestRepo| {
        let results = [commit_snapshot(clone, &Everything), disk_snapshot(clone, &Everything)];
        results.map(|result| result.err().unwrap().advice())
    };

    let clone = embedded.cloned(&[]);
    for error in errors(&clone) {
        assert!(!error.contains("submodule update"), "{error}");
        assert!(error.contains("by `git rm emb` and `git submodule add ADDRESS emb`"), "{error}");
    }
    clone.git(["rm", "--quiet", "emb"]);
    clone.git(["submodule", "--quiet", "add", &address, "emb"]);
    assert_eq!(files(&agree(&clone.commit("named"), &Everything)), [".gitmodules", "a", "emb/lib.c"]);

    // A name without an address is none either.
    let named = embedded.file(".gitmodules", "[submodule \"emb\"]\n\tpath = emb\n").commit("named");
    for error in errors(&named.cloned(&[])) {
        assert!(error.contains("`git submodule add ADDRESS emb`"), "{error}");
    }
    let text = format!("[submodule \"emb\"]\n\tpath = emb\n\turl = {address}\n\tupdate = none\n");
    let skipped = named.file(".gitmodules", text).commit("left alone").cloned(&[]);
    for error in errors(&skipped) {
        assert!(error.contains("run `git submodule update --init --checkout emb`"), "{error}");
    }
    skipped.git(["submodule", "--quiet", "update", "--init", "--checkout", "emb"]);
    assert_eq!(files(&agree(&skipped, &Everything)), [".gitmodules", "a", "emb/lib.c"]);
}
