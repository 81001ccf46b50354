//! The files of the disk, compared with a commit of the same files.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use bstr::{BStr, BString};
use dtbuild::error::Failure as _;
use dtbuild::git::{GitError, Repository};
use dtbuild_content::snapshot::Snapshot;
use dtbuild_content::tree::{ContentId, Everything, Filter, Kind};

use super::filters::{Only, Without};
use crate::support::repo::{TestRepo, code};

/// All that a snapshot says of its files.
pub(super) type Listing = Vec<(BString, Kind, ContentId, u64, Option<BString>)>;

fn listing(snapshot: &Snapshot) -> Listing {
    let entries = snapshot.entries.iter().cloned();
    entries.map(|entry| (entry.path, entry.kind, entry.id, entry.size, entry.link)).collect()
}

fn paths(snapshot: &Snapshot) -> Vec<String> {
    snapshot.entries.iter().map(|entry| entry.path.to_string()).collect()
}

fn disk(repo: &TestRepo, folder: &str, filter: &impl Filter) -> Result<Snapshot, GitError> {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    opened.working_tree(BStr::new(folder)).unwrap().unwrap().snapshot(filter)
}

/// The digest of all files, and what a snapshot says of them.
pub(super) fn on_disk(repo: &TestRepo) -> (ContentId, Listing) {
    on_disk_with(repo, &Everything)
}

pub(super) fn on_disk_with(repo: &TestRepo, filter: &impl Filter) -> (ContentId, Listing) {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let tree = opened.working_tree(BStr::new("")).unwrap().unwrap();
    (tree.digest(filter).unwrap(), listing(&tree.snapshot(filter).unwrap()))
}

pub(super) fn committed(repo: &TestRepo, revision: &str) -> (ContentId, Listing) {
    committed_with(repo, revision, &Everything)
}

fn committed_with(repo: &TestRepo, revision: &str, filter: &impl Filter) -> (ContentId, Listing) {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let commit = opened.resolve(revision).unwrap();
    let tree = opened.commit_tree(commit, BStr::new("")).unwrap().unwrap();
    (tree.digest(filter).unwrap(), listing(&tree.snapshot(filter).unwrap()))
}

/// The id of the file at `path`, found on the disk.
fn id_on_disk(repo: &TestRepo, path: &str) -> String {
    let (_, files) = on_disk(repo);
    files.iter().find(|entry| entry.0 == path).unwrap().2.to_string()
}

/// A repository with one of everything, its files settled in git's index.
pub(super) fn sample() -> TestRepo {
    let repo = TestRepo::new()
        .file("a", "1\n")
        .file("empty", "")
        .executable("bin/run", "#!/bin/sh\n")
        .link("bin/link", "../a")
        .link("dangling", "/nowhere")
        .file("deep/er/est/b", "2\n")
        .file(b"caf\xe9/\xff", "3")
        .commit("first");
    settle(&repo);
    repo
}

/// Has git look at the files again once they are older than the index it writes.
fn settle(repo: &TestRepo) {
    std::thread::sleep(Duration::from_millis(80));
    repo.git(["update-index", "--really-refresh"]);
    // Git writes an unchanged index only when told to.
    repo.git(["update-index", "--force-write-index"]);
}

#[test]
fn clean_checkout_equals_its_commit() {
    let repo = sample();
    assert_eq!(on_disk(&repo), committed(&repo, "HEAD"));
    let clone = repo.cloned(&[]);
    assert_eq!(on_disk(&clone), committed(&repo, "HEAD"));
    assert_eq!(on_disk(&repo).0.to_string(), repo.git(["rev-parse", "HEAD^{tree}"]));
}

#[test]
fn times_umask_and_place_do_not_matter() {
    let repo = sample();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::open(repo.path("a")).unwrap().set_modified(old).unwrap();
    fs::set_permissions(repo.path("a"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(repo.path("bin/run"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(repo.path("deep"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(on_disk(&repo), committed(&repo, "HEAD"));
}

#[test]
fn sha256_checkout_equals_its_commit() {
    let repo = TestRepo::init(&["--object-format=sha256"]).file("a", "1").link("b", "a").commit("first");
    assert_eq!(on_disk(&repo), committed(&repo, "HEAD"));
}

#[test]
fn dirty_tree_equals_the_commit_that_it_becomes() {
    let repo = sample()
        .file("a", "2\n")
        .executable("empty", "")
        .remove("bin/link")
        .link("bin/link", "run")
        .remove("deep")
        .file("new/file", "4");
    let dirty = on_disk(&repo);
    assert_ne!(dirty, committed(&repo, "HEAD"));
    let repo = repo.commit("second");
    assert_eq!(dirty, committed(&repo, "HEAD"));
    assert_eq!(on_disk(&repo), dirty);
}

#[test]
fn whatever_a_build_would_see_changes_the_listing() {
    type Change = fn(TestRepo) -> TestRepo;
    let changes: [(&str, Change); 6] = [
        ("a byte", |repo| repo.file("a", "2\n")),
        ("the executable bit", |repo| repo.executable("a", "1\n")),
        ("a rename", |repo| repo.remove("a").file("A", "1\n")),
        ("a link's text", |repo| repo.remove("bin/link").link("bin/link", "./../a")),
        ("a link that becomes a file", |repo| repo.remove("bin/link").file("bin/link", "1\n")),
        ("an untracked file", |repo| repo.file("untracked", "")),
    ];
    for (what, change) in changes {
        let repo = change(sample());
        assert_ne!(on_disk(&repo), committed(&repo, "HEAD"), "{what}");
    }
}

#[test]
fn ignored_files_count_and_git_folders_do_not() {
    let repo = TestRepo::new().file(".gitignore", "dist/\n").file("nested/x", "1").commit("first");
    let repo = repo.file("dist/app", "built");
    repo.git(["init", "--quiet", "nested"]);
    let listed = paths(&disk(&repo, "", &Everything).unwrap());
    assert_eq!(listed, [".gitignore", "dist", "dist/app", "nested", "nested/x"]);
}

#[test]
fn file_that_changes_right_after_git_add_is_seen() {
    for _ in 0..20 {
        let repo = TestRepo::new().file("a", "1").commit("first").file("a", "2");
        let repo_id = repo.git(["hash-object", "a"]);
        assert_eq!(id_on_disk(&repo, "a"), repo_id);
    }
}

#[test]
fn file_with_a_forged_time_is_seen() {
    let repo = sample();
    let time = fs::metadata(repo.path("a")).unwrap().modified().unwrap();
    repo.write("a", "2\n", 0o644);
    fs::File::open(repo.path("a")).unwrap().set_modified(time).unwrap();
    assert_eq!(id_on_disk(&repo, "a"), repo.git(["hash-object", "a"]));
}

#[test]
fn converted_line_endings_count_as_they_are_on_disk() {
    let repo = TestRepo::new().file(".gitattributes", "*.bat text eol=crlf\n").file("a.bat", "x\r\n");
    let repo = repo.commit("first");
    settle(&repo);
    let raw = repo.git(["hash-object", "--no-filters", "a.bat"]);
    assert_eq!(id_on_disk(&repo, "a.bat"), raw);
    assert_ne!(on_disk(&repo), committed(&repo, "HEAD"));

    // The attributes are gone, and git still takes the file for clean.
    let repo = repo.remove(".gitattributes").commit("second");
    settle(&repo);
    assert_eq!(id_on_disk(&repo, "a.bat"), repo.git(["hash-object", "--no-filters", "a.bat"]));
}

#[test]
fn filtered_file_counts_as_it_is_on_disk() {
    let repo = TestRepo::new().file(".gitattributes", "secret filter=rot\n");
    repo.git(["config", "filter.rot.clean", "tr a-m n-z"]);
    repo.git(["config", "filter.rot.smudge", "tr n-z a-m"]);
    let repo = repo.file("secret", "abc").commit("first");
    settle(&repo);
    assert_eq!(id_on_disk(&repo, "secret"), repo.git(["hash-object", "--no-filters", "secret"]));
}

#[test]
fn executable_bit_comes_from_git_where_the_disk_has_none() {
    let repo = sample();
    repo.git(["config", "core.fileMode", "false"]);
    fs::set_permissions(repo.path("bin/run"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(repo.path("a"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(on_disk(&repo), committed(&repo, "HEAD"));
}

#[test]
fn folders_without_files_do_not_exist() {
    let repo = sample();
    fs::create_dir_all(repo.path("hollow/er/still")).unwrap();
    fs::create_dir_all(repo.path("deep/hollow")).unwrap();
    assert_eq!(on_disk(&repo), committed(&repo, "HEAD"));
}

#[test]
fn folder_that_the_filter_empties_is_kept_as_builds_see_it() {
    let without = Without(&["x.log"]);
    let repo = TestRepo::new().file("logs/x.log", "1").file("a", "1").commit("first");
    let repo = repo.file("more/x.log", "1").file("more/still/x.log", "1");
    fs::create_dir_all(repo.path("hollow/er")).unwrap();
    assert_eq!(paths(&disk(&repo, "", &without).unwrap()), ["a", "logs", "more", "more/still"]);
    let before = on_disk_with(&repo, &without);
    assert_ne!(before, committed_with(&repo, "HEAD", &without));
    let repo = repo.commit("second");
    assert_eq!(before, committed_with(&repo, "HEAD", &without));
    let only = Only("logs/x.log");
    assert_eq!(paths(&disk(&repo, "", &only).unwrap()), ["logs", "logs/x.log"]);
}

#[test]
fn special_files_are_refused_where_they_count() {
    let repo = sample();
    let status = std::process::Command::new("mkfifo").arg(repo.path("pipe")).status();
    assert!(status.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(repo.path("socket")).unwrap();
    let error = disk(&repo, "", &Everything).err().unwrap().advice();
    assert!(error.starts_with("`pipe` is a named pipe"), "{error}");
    assert_eq!(on_disk_with(&repo, &Without(&["pipe"])), committed(&repo, "HEAD"));
}

#[test]
fn lfs_pointer_that_was_not_fetched_is_refused() {
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9\n", "0".repeat(64));
    let repo = TestRepo::new().file("model.bin", &pointer).commit("first");
    assert!(disk(&repo, "", &Everything).is_ok(), "only an attribute makes it a pointer");
    let repo = repo.file(".gitattributes", "*.bin filter=lfs\n");
    let error = disk(&repo, "", &Everything).err().unwrap();
    assert!(matches!(error, GitError::LfsPointer { path, .. } if path == "model.bin"));
}

#[test]
fn folder_may_be_a_link_that_stays_inside() {
    let repo = TestRepo::new().file("real/a", "1").link("app", "real").link("out", "/tmp").commit("first");
    assert_eq!(paths(&disk(&repo, "app", &Everything).unwrap()), ["a"]);
    let opened = Repository::discover(repo.root(), code()).unwrap();
    assert!(matches!(opened.working_tree(BStr::new("out")), Err(GitError::OutsideRepository { .. })));
    for missing in ["none", "real/a", "real/a/b"] {
        assert!(opened.working_tree(BStr::new(missing)).unwrap().is_none(), "{missing}");
    }
}

#[test]
fn many_files_are_identified_at_once() {
    let content = |n: usize| n.to_string().repeat(n * n);
    let repo = (0..200).fold(TestRepo::new(), |repo, n| repo.file(format!("d{}/f{n}", n % 7), content(n)));
    let untracked = on_disk(&repo);
    let repo = repo.commit("first");
    assert_eq!(untracked, committed(&repo, "HEAD"));
}

/// More folders than one thread looks at alone.
fn many_folders() -> TestRepo {
    let path = |n: usize| format!("d{}/e{}/f{n}", n % 30, n % 20);
    (0..900)
        .fold(TestRepo::new(), |repo, n| repo.file(path(n), n.to_string()))
        .file("x.log", "")
        .link("link", "d0")
}

#[test]
fn many_folders_are_looked_at_by_several_threads() {
    let repo = many_folders();
    let untracked = on_disk(&repo);
    let repo = repo.commit("first");
    assert_eq!(untracked, committed(&repo, "HEAD"));
    for filter in [Without(&["e7", "x.log"]), Without(&["d1", "d2", "link"])] {
        assert_eq!(on_disk_with(&repo, &filter), committed_with(&repo, "HEAD", &filter));
    }
}

#[test]
fn what_one_of_several_threads_fails_at_is_told() {
    let repo = many_folders();
    let status = std::process::Command::new("mkfifo").arg(repo.path("d17/e7/pipe")).status();
    assert!(status.unwrap().success());
    let error = disk(&repo, "", &Everything).err().unwrap();
    assert!(matches!(&error, GitError::SpecialFile { path, .. } if path == "d17/e7/pipe"), "{error}");
}

#[test]
fn git_is_not_asked_what_a_file_holds() {
    let repo = sample();
    let before = on_disk(&repo);
    for unneeded in ["objects", "index", "dtbuild"] {
        fs::remove_dir_all(repo.root().join(".git").join(unneeded))
            .or_else(|_| fs::remove_file(repo.root().join(".git").join(unneeded)))
            .unwrap_or_default();
    }
    fs::create_dir(repo.root().join(".git/objects")).unwrap();
    assert_eq!(on_disk(&repo), before);
}

#[test]
fn content_is_read_and_a_change_after_the_snapshot_fails() {
    let repo = sample().file("big", vec![b'x'; 100_000]);
    let snapshot = disk(&repo, "", &Everything).unwrap();
    let read = |path: &str| {
        let mut content = Vec::new();
        let mut reader = snapshot.contents.open(snapshot.get(BStr::new(path)).unwrap())?;
        reader.read_to_end(&mut content).map(|_| content)
    };
    assert_eq!(read("a").unwrap(), b"1\n");
    assert_eq!(read("empty").unwrap(), b"");
    assert_eq!(read("big").unwrap().len(), 100_000);
    let failure = "`a` changed while it was being built; build again when nothing writes to it";
    for content in ["2\n", "1\nmore", "1", ""] {
        repo.write("a", content, 0o644);
        assert_eq!(read("a").unwrap_err().to_string(), failure, "{content:?}");
    }
    repo.write("empty", "not", 0o644);
    assert!(read("empty").is_err());
    let _repo = repo.remove("a").link("a", "/etc/passwd");
    assert_eq!(read("a").unwrap_err().to_string(), failure);
}

#[test]
fn exact_reads_learn_of_a_change_with_the_last_byte() {
    let repo = sample();
    let snapshot = disk(&repo, "", &Everything).unwrap();
    repo.write("a", "2\n", 0o644);
    let mut reader = snapshot.contents.open(snapshot.get(BStr::new("a")).unwrap()).unwrap();
    assert!(reader.read_exact(&mut [0; 2]).is_err());
}

#[test]
fn digest_and_snapshot_speak_of_the_same_files() {
    let repo = sample();
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let tree = opened.working_tree(BStr::new("")).unwrap().unwrap();
    let before = committed(&repo, "HEAD");
    assert_eq!(tree.digest(&Everything).unwrap(), before.0);
    repo.write("a", "2\n", 0o644);
    repo.write("new", "", 0o644);
    assert_eq!(listing(&tree.snapshot(&Everything).unwrap()), before.1);
}

#[test]
fn linked_work_tree_has_its_own_index() {
    let repo = sample();
    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    repo.git(["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    let opened = Repository::discover(&linked, code()).unwrap();
    let tree = opened.working_tree(BStr::new("")).unwrap().unwrap();
    assert_eq!(tree.digest(&Everything).unwrap(), committed(&repo, "HEAD").0);
}

#[test]
fn repository_without_commits_can_be_built() {
    let repo = TestRepo::new().file("a", "1");
    assert_eq!(paths(&disk(&repo, "", &Everything).unwrap()), ["a"]);
}

#[test]
fn sparse_checkout_holds_what_is_on_the_disk() {
    let repo = TestRepo::new().file("a/x", "1").file("b/x", "1").file("top", "1").commit("first");
    repo.git(["sparse-checkout", "set", "--cone", "--sparse-index", "a"]);
    assert_eq!(paths(&disk(&repo, "", &Everything).unwrap()), ["a", "a/x", "top"]);
}
