//! The files of a commit, and the snapshot that a build of the commit is sent.

use std::io::Read as _;

use bstr::BStr;
use dtbuild::error::Failure as _;
use dtbuild::git::{CommitTree, GitError, Repository};
use dtbuild_content::snapshot::Snapshot;
use dtbuild_content::tree::{Everything, Filter, Kind, Tree as _};

use super::filters::{Only, Without};
use crate::support::repo::{TestRepo, code};

/// What `ask` finds out about a folder of HEAD; none where there is no such folder.
fn of_tree<T>(repo: &TestRepo, folder: &str, ask: impl FnOnce(&CommitTree<'_>) -> T) -> Option<T> {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let head = opened.resolve("HEAD").unwrap();
    opened.commit_tree(head, BStr::new(folder)).unwrap().as_ref().map(ask)
}

fn id(repo: &TestRepo, folder: &str) -> Option<String> {
    of_tree(repo, folder, |tree| tree.id().to_string())
}

fn snapshot(repo: &TestRepo, folder: &str, filter: &impl Filter) -> Result<Snapshot, GitError> {
    of_tree(repo, folder, |tree| tree.snapshot(filter)).unwrap()
}

fn refusal(repo: &TestRepo, folder: &str) -> String {
    snapshot(repo, folder, &Everything).err().unwrap().advice()
}

fn read_file(repo: &TestRepo, path: &str) -> Result<Option<Vec<u8>>, GitError> {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    opened.read_file(opened.resolve("HEAD").unwrap(), BStr::new(path))
}

fn paths(snapshot: &Snapshot) -> Vec<String> {
    snapshot.entries.iter().map(|entry| entry.path.to_string()).collect()
}

#[test]
fn folder_is_listed_as_git_has_it() {
    let repo = TestRepo::new()
        .file("app/a", "1")
        .executable("app/run", "2")
        .link("app/link", "a")
        .file("app/sub/b", "3")
        .file("other", "4")
        .commit("first");
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let tree = opened.commit_tree(opened.resolve("HEAD").unwrap(), BStr::new("./app/")).unwrap().unwrap();
    assert_eq!(tree.id().to_string(), repo.git(["rev-parse", "HEAD:app"]));
    let mut nodes = tree.list(BStr::new(""), None).unwrap();
    nodes.sort_by(|left, right| left.name.cmp(&right.name));
    let kinds: Vec<_> = nodes.iter().map(|node| (node.name.to_string(), node.kind)).collect();
    let expected =
        [("a", Kind::File), ("link", Kind::Symlink), ("run", Kind::Executable), ("sub", Kind::Folder)];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
    let below = tree.list(BStr::new("sub"), None).unwrap();
    assert_eq!(below, tree.list(BStr::new("sub"), nodes[3].id).unwrap());
    assert_eq!(below[0].id.unwrap().to_string(), repo.git(["rev-parse", "HEAD:app/sub/b"]));
}

#[test]
fn missing_folder_is_none() {
    let repo = TestRepo::new().file("app/a", "1").commit("first");
    assert!(id(&repo, "none").is_none() && id(&repo, "app/a").is_none() && id(&repo, "").is_some());
}

#[test]
fn snapshot_holds_what_the_filter_lets_through() {
    let repo = TestRepo::new()
        .file("app/a", "12345")
        .file("app/dist/c", "")
        .link("app/link", "a")
        .file("app/sub/b", "3")
        .commit("first");
    let everything = snapshot(&repo, "app", &Everything).unwrap();
    assert_eq!(paths(&everything), ["a", "dist", "dist/c", "link", "sub", "sub/b"]);
    let entry = everything.get(BStr::new("a")).unwrap();
    let mut content = String::new();
    everything.contents.open(entry).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!((content.as_str(), entry.size), ("12345", 5));
    let link = everything.get(BStr::new("link")).unwrap();
    assert_eq!((link.link.as_ref(), link.size), (Some(&"a".into()), 1));

    let without = snapshot(&repo, "app", &Without(&["dist", "b"])).unwrap();
    assert_eq!(paths(&without), ["a", "link", "sub"]);
    let only = snapshot(&repo, "app", &Only("sub/b")).unwrap();
    assert_eq!(paths(&only), ["sub", "sub/b"]);
}

#[test]
fn snapshot_is_read_by_many_threads() {
    let repo = (0..20).fold(TestRepo::new(), |repo, n| repo.file(format!("f{n}"), "x".repeat(n)));
    let repo = repo.commit("first");
    repo.git(["gc", "--quiet"]);
    let snapshot = snapshot(&repo, "", &Everything).unwrap();
    std::thread::scope(|scope| {
        for entry in snapshot.entries.iter() {
            scope.spawn(|| {
                let mut content = Vec::new();
                snapshot.contents.open(entry).unwrap().read_to_end(&mut content).unwrap();
                assert_eq!(content.len() as u64, entry.size);
            });
        }
    });
}

#[test]
fn lfs_pointer_without_an_attribute_is_refused() {
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n",
        "0123456789abcdef".repeat(4)
    );
    let repo = TestRepo::new().file("app/model.bin", pointer).commit("first");
    let error = refusal(&repo, "app");
    assert!(error.contains("`app/model.bin` is a Git LFS pointer") && error.contains("worktree"), "{error}");
    assert!(snapshot(&repo, "app", &Without(&["model.bin"])).is_ok());
}

#[test]
fn file_behind_a_filter_is_refused() {
    let repo = TestRepo::new()
        .file(".gitattributes", "*.key filter=crypt\n[attr]secret filter=crypt")
        .file("app/sub/.gitattributes", "hidden secret\n*.txt -filter filter=unknown")
        .file("app/sub/a.txt", "1")
        .file("app/sub/hidden", "1")
        .file("app/z.key", "1")
        .commit("first");
    assert!(snapshot(&repo, "app", &Everything).is_ok(), "nothing is filtered where nothing is set up");
    repo.git(["config", "filter.crypt.smudge", "tr a-z A-Z"]);
    let error = refusal(&repo, "app");
    assert!(error.starts_with("`app/sub/hidden` goes through the filter `crypt`"), "{error}");
    let error = snapshot(&repo, "app", &Without(&["hidden"])).err().unwrap();
    assert!(matches!(error, GitError::Filtered { path, .. } if path == "app/z.key"));
    assert!(snapshot(&repo, "app", &Without(&["hidden", "z.key"])).is_ok());
}

#[test]
fn submodule_is_refused_where_it_counts() {
    let repo = TestRepo::new().file("app/a", "1").commit("first");
    repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{},app/lib", "1".repeat(40))]);
    repo.git(["commit", "--quiet", "--message", "second"]);
    let error = refusal(&repo, "app");
    assert!(error.contains("of the submodule `app/lib` is not on this machine"), "{error}");
    assert_eq!(paths(&snapshot(&repo, "app", &Without(&["lib"])).unwrap()), ["a"]);
}

#[test]
fn missing_blob_of_a_partial_clone_is_named() {
    let repo = TestRepo::new().file("app/a", "1").commit("first");
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    let clone = repo.cloned(&["--filter=blob:none", "--no-checkout"]);
    let error = refusal(&clone, "app");
    assert!(error.contains("`app/a` needs it; complete a partial clone"), "{error}");
}

#[test]
fn file_is_read_through_links_that_stay_inside() {
    let repo = TestRepo::new()
        .file("shared/Dockerfile", "FROM scratch")
        .link("app/Dockerfile", "../docker/Dockerfile")
        .link("docker", "./shared")
        .link("out", "../etc/passwd")
        .link("absolute", "/etc/passwd")
        .link("loop", "loop")
        .commit("first");
    let from_scratch = Some(b"FROM scratch".to_vec());
    assert_eq!(read_file(&repo, "shared/Dockerfile").unwrap(), from_scratch);
    assert_eq!(read_file(&repo, "app/Dockerfile").unwrap(), from_scratch);
    assert_eq!(id(&repo, "docker"), id(&repo, "shared"));
    for missing in ["none", "shared", "shared/Dockerfile/x", "none/Dockerfile"] {
        assert_eq!(read_file(&repo, missing).unwrap(), None, "{missing}");
    }
    assert!(matches!(read_file(&repo, "out"), Err(GitError::LeavesRepository { .. })));
    assert!(matches!(read_file(&repo, "absolute"), Err(GitError::LeavesRepository { .. })));
    assert!(matches!(read_file(&repo, "loop"), Err(GitError::LinkLoop { .. })));
}

#[test]
fn large_file_is_not_read_as_a_dockerfile() {
    let repo = TestRepo::new().file("Dockerfile", vec![b'#'; 16 * 1024 * 1024 + 1]).commit("first");
    assert!(matches!(read_file(&repo, "Dockerfile"), Err(GitError::TooLarge { .. })));
}
