//! Content ids of large files from git's index: used only where the index is sure to have the bytes of the disk.
//!
//! A false entry shows whether the index was used: it has another blob of the same size in the file's place.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use dtbuild_content::tree::Everything;

use super::input_trees::{disk_digest, disk_snapshot, until_noted};
use crate::support::repo::{TestRepo, code};

const SIZE: usize = 100_000;

fn content(byte: u8) -> Vec<u8> {
    vec![byte; SIZE]
}

/// A repository with a large file.
fn sample() -> TestRepo {
    TestRepo::new().file("f", content(b'1')).commit("first")
}

/// What the file at `path` is taken for.
fn taken_for(repo: &TestRepo, path: &str) -> String {
    let snapshot = disk_snapshot(repo, &Everything).unwrap();
    snapshot.get(path.into()).unwrap().id.to_string()
}

/// What the file at `path` is.
fn held(repo: &TestRepo, path: &str) -> String {
    repo.git(["hash-object", "--no-filters", path])
}

fn index(repo: &TestRepo) -> PathBuf {
    repo.path(repo.git(["rev-parse", "--git-path", "index"]))
}

/// Has the index be one that was written at `time`.
fn date(index: &Path, time: SystemTime) {
    fs::File::open(index).unwrap().set_modified(time).unwrap();
}

/// Has the index be one that was written long after all files.
fn settle(index: &Path) {
    date(index, SystemTime::now() + Duration::from_mins(1));
}

/// Has the index say that the file at `path` holds a blob of `lie`, and that it was written long after the file.
fn lie(repo: &TestRepo, path: &str, lie: &[u8]) -> String {
    let stored = repo.git_bytes(["hash-object", "-w", "--stdin"], lie);
    let stored = String::from_utf8(stored).unwrap().trim().to_owned();
    say(repo, path, &stored);
    stored
}

fn say(repo: &TestRepo, path: &str, id: &str) {
    let bytes = |id: &str| gix::ObjectId::from_hex(id.as_bytes()).unwrap().as_bytes().to_vec();
    let (before, after) = (bytes(&repo.git(["rev-parse", &format!(":{path}")])), bytes(id));
    let index = index(repo);
    let mut text = fs::read(&index).unwrap();
    let place = text.windows(before.len()).position(|window| window == before).unwrap();
    text[place..place + before.len()].copy_from_slice(&after);
    fs::write(&index, text).unwrap();
    settle(&index);
}

/// Has no earlier look at the disk be remembered.
fn forget(repo: &TestRepo) {
    fs::remove_dir_all(repo.path(".git/dtbuild")).unwrap_or_default();
}

#[test]
fn large_file_that_is_clean_to_git_is_not_read() {
    let repo = sample();
    let stored = lie(&repo, "f", &content(b'2'));
    assert_eq!(taken_for(&repo, "f"), stored);
    // Packed, as in a clone.
    repo.git(["repack", "-adq"]);
    forget(&repo);
    assert_eq!(taken_for(&repo, "f"), stored);
}

#[test]
fn fresh_clone_has_the_digest_of_its_commit() {
    let origin = (b'a'..=b'z').fold(TestRepo::new(), |repo, byte| {
        repo.file(format!("d/{}", char::from(byte)), [content(b'-'), vec![byte]].concat())
    });
    let clone = origin.commit("first").cloned(&[]);
    assert_eq!(disk_digest(&clone, &Everything).to_string(), clone.git(["rev-parse", "HEAD^{tree}"]));
    assert!(held(&clone, "d/a") != held(&clone, "d/b"));
}

#[test]
fn linked_work_tree_and_submodule_have_an_index_of_their_own() {
    let origin = sample();
    let repo = TestRepo::new();
    let source = format!("file://{}", origin.root().display());
    repo.git(["submodule", "--quiet", "add", &source, "lib"]);
    let inside = repo.git(["-C", "lib", "hash-object", "f"]);
    settle(&repo.path(".git/modules/lib/index"));
    assert_eq!(taken_for(&repo, "lib/f"), inside);

    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    origin.git(["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    lie(&origin, "f", &content(b'2'));
    let opened = dtbuild::git::Repository::discover(&linked, code()).unwrap();
    let tree = opened.working_tree("".into()).unwrap().unwrap();
    let found = tree.digest(&Everything).unwrap().to_string();
    assert_eq!(found, origin.git(["rev-parse", "HEAD^{tree}"]));
}

/// Asserts that the file is read once something was done to a repository where it was not.
#[track_caller]
fn read_with(why: &str, change: impl FnOnce(&TestRepo)) {
    let repo = sample();
    let stored = lie(&repo, "f", &content(b'2'));
    assert_eq!(taken_for(&repo, "f"), stored, "before there is {why}");
    forget(&repo);
    change(&repo);
    assert_eq!(taken_for(&repo, "f"), held(&repo, "f"), "{why}");
}

#[test]
fn what_the_index_says_of_itself_is_respected() {
    read_with("an index that is no newer than the file", |repo| {
        let modified = fs::metadata(repo.path("f")).unwrap().modified().unwrap();
        date(&index(repo), modified);
    });
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        read_with(flag, |repo| {
            repo.git(["update-index", flag, "f"]);
            lie(repo, "f", &content(b'3'));
        });
    }
    read_with("an object of another size", |repo| drop(lie(repo, "f", b"3")));
    read_with("no object", |repo| say(repo, "f", &"1".repeat(40)));
}

#[test]
fn file_is_read_where_git_may_store_other_bytes() {
    type Change = fn(&TestRepo);
    let changes: [(&str, Change); 9] = [
        ("a filter", |repo| repo.write(".gitattributes", "f filter=unknown\n", 0o644)),
        ("a keyword", |repo| repo.write(".gitattributes", "f ident\n", 0o644)),
        ("an encoding", |repo| repo.write(".gitattributes", "f working-tree-encoding=EBCDIC-US\n", 0o644)),
        ("a macro", |repo| repo.write(".gitattributes", "[attr]odd ident\n* odd\n", 0o644)),
        ("an attribute of this clone", |repo| repo.write(".git/info/attributes", "* ident\n", 0o644)),
        ("a filter that attributes may have named", |repo| {
            repo.git(["config", "filter.rot.clean", "tr a-m n-z"]);
        }),
        ("another commit, which was checked out", |repo| {
            let other = repo.git(["commit-tree", "-m", "second", "HEAD^{tree}"]);
            repo.git(["checkout", "--quiet", "--detach", &other]);
            repo.git(["checkout", "--quiet", "main"]);
        }),
        ("a log of HEAD without its beginning", |repo| {
            let log = repo.path(".git/logs/HEAD");
            let text = fs::read_to_string(&log).unwrap();
            fs::write(&log, text.replacen(&"0".repeat(40), &repo.head(), 1)).unwrap();
        }),
        ("an object in the place of another", |repo| {
            let other = repo.git(["rev-parse", ":f"]);
            repo.git(["replace", &repo.git(["rev-parse", "HEAD:f"]), &other]);
        }),
    ];
    for (why, change) in changes {
        read_with(why, |repo| {
            change(repo);
            lie(repo, "f", &content(b'3'));
        });
    }
}

#[test]
fn file_that_changed_is_read_though_its_size_and_time_are_the_same() {
    let repo = sample();
    let before = fs::metadata(repo.path("f")).unwrap();
    // The system's clock for files does not move with each write.
    let begin = Instant::now();
    while fs::metadata(repo.path("f")).unwrap().ctime_nsec() == before.ctime_nsec() {
        assert!(begin.elapsed() < Duration::from_secs(10), "the clock stands still");
        repo.write("f", content(b'2'), 0o644);
        fs::File::open(repo.path("f")).unwrap().set_modified(before.modified().unwrap()).unwrap();
    }
    lie(&repo, "f", &content(b'3'));
    assert_eq!(taken_for(&repo, "f"), held(&repo, "f"));
}

#[test]
fn converted_line_endings_show_when_no_attribute_tells_of_them_any_more() {
    let lines = "x\r\n".repeat(SIZE);
    let repo = TestRepo::new().file(".gitattributes", "f text eol=crlf\n").file("f", lines);
    let repo = repo.commit("first").remove(".gitattributes");
    assert_eq!(repo.git(["status", "--porcelain", "f"]), "", "git takes it for clean");
    settle(&index(&repo));
    assert_eq!(taken_for(&repo, "f"), held(&repo, "f"));
}

#[test]
fn small_file_is_read() {
    let repo = TestRepo::new().file("f", "1").file("g", content(b'1')).commit("first");
    lie(&repo, "f", b"2");
    assert_eq!(taken_for(&repo, "f"), held(&repo, "f"));
}

#[test]
fn index_is_read_once_large_files_are_more_to_read() {
    let name = |n: usize| format!("{}/{n}", "long".repeat(50));
    let repo = TestRepo::new().file("a/f", content(b'a')).file("b/f", content(b'b'));
    let repo = (0..500).fold(repo, |repo, n| repo.file(name(n), "")).commit("first");
    let size = fs::read(index(&repo)).unwrap().len();
    assert!(SIZE < size && size < 2 * SIZE, "{size}");
    lie(&repo, "a/f", &content(b'1'));
    let stored = lie(&repo, "b/f", &content(b'2'));
    let opened = dtbuild::git::Repository::discover(repo.root(), code()).unwrap();
    let found = ["a", "b"].map(|folder| {
        let tree = opened.working_tree(folder.into()).unwrap().unwrap();
        tree.snapshot(&Everything).unwrap().get("f".into()).unwrap().id.to_string()
    });
    assert_eq!(found, [held(&repo, "a/f"), stored]);
}

#[test]
fn git_is_asked_once() {
    let repo = sample();
    let stored = lie(&repo, "f", &content(b'2'));
    assert_eq!(until_noted(&repo, || taken_for(&repo, "f")), stored);
    let opened = dtbuild::git::Repository::discover(repo.root(), code()).unwrap();
    fs::write(index(&repo), "not an index").unwrap();
    let tree = opened.working_tree("".into()).unwrap().unwrap();
    assert_eq!(tree.snapshot(&Everything).unwrap().get("f".into()).unwrap().id.to_string(), stored);
}

#[test]
fn file_is_read_where_the_index_cannot_be() {
    let repo = sample();
    let held = held(&repo, "f");
    fs::write(index(&repo), "not an index").unwrap();
    assert_eq!(taken_for(&repo, "f"), held);
}
