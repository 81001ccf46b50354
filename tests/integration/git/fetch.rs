//! The fetch of a base that the clone lacks, and the parts of the clone that it must not change.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dtbuild::git::{CommitId, FetchError, Repository};

use crate::support::repo::{TestRepo, code};

/// Four commits, of which the last two change a file each.
fn origin() -> TestRepo {
    let repo = TestRepo::new().file("d/a", "1").commit("first").file("d/same", "s").commit("second");
    let repo = repo.file("d/a", "2").commit("third").file("e/b", "b").commit("fourth");
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    repo
}

async fn changes_within(clone: &Path, base: &str, patience: Duration) -> Result<Vec<String>, FetchError> {
    let opened = Repository::discover(clone, code()).unwrap();
    let (base, head): (CommitId, _) = (base.parse().unwrap(), opened.resolve("HEAD").unwrap());
    let changes = opened.fetched_changes(base, head, patience).await?;
    Ok(changes.into_iter().map(|change| change.path.to_string()).collect())
}

async fn changes(clone: &TestRepo, base: &str) -> Result<Vec<String>, FetchError> {
    changes_within(clone.root(), base, Duration::from_mins(10)).await
}

/// What a user may rely on in a clone: references, settings, histories.
fn state(clone: &TestRepo) -> [String; 4] {
    let settings = fs::read_to_string(clone.root().join(clone.git(["rev-parse", "--git-path", "config"])));
    let fetched = clone.root().join(clone.git(["rev-parse", "--git-path", "FETCH_HEAD"]));
    assert!(!fetched.exists());
    let references = clone.git(["for-each-ref"]);
    [references, settings.unwrap(), clone.git(["log", "--all", "--format=%H"]), clone.git(["status", "-sb"])]
}

fn is_there(clone: &TestRepo, object: &str) -> bool {
    let input = format!("{object}\n");
    let said = clone.git_bytes(["cat-file", "--batch-check"], input.as_bytes());
    !String::from_utf8(said).unwrap().contains("missing")
}

#[tokio::test]
async fn a_shallow_clone_gets_the_commit_without_its_history() {
    let repo = origin();
    let clone = repo.cloned(&["--depth=1"]);
    let (first, second) = (repo.git(["rev-parse", "HEAD~3"]), repo.git(["rev-parse", "HEAD~2"]));
    let before = state(&clone);
    assert_eq!(changes(&clone, &second).await.unwrap(), ["d/a", "e/b"]);
    assert_eq!(state(&clone), before);
    assert!(is_there(&clone, &second) && !is_there(&clone, &first));
    clone.git(["fsck"]);

    clone.git(["fetch", "--quiet", "--unshallow"]);
    assert_eq!(clone.git(["rev-list", "--count", "HEAD"]), "4");
    assert_eq!(clone.git(["rev-parse", "--is-shallow-repository"]), "false");
}

#[tokio::test]
async fn a_shallow_clone_keeps_what_it_has_of_the_history() {
    let repo = origin();
    let clone = repo.cloned(&["--depth=3"]);
    let first = repo.git(["rev-parse", "HEAD~3"]);
    assert_eq!(changes(&clone, &first).await.unwrap(), ["d/a", "d/same", "e/b"]);
    assert_eq!(clone.git(["rev-list", "--count", "HEAD"]), "3");
}

#[tokio::test]
async fn a_complete_clone_stays_complete() {
    let repo = origin();
    let left_behind = repo.head();
    let repo = repo.file("e/b", "2");
    repo.git(["commit", "--quiet", "--all", "--amend", "--message", "rewritten"]);
    let clone = repo.cloned(&[]);
    let before = state(&clone);
    assert_eq!(changes(&clone, &left_behind).await.unwrap(), ["e/b"]);
    assert_eq!(state(&clone), before);
    assert_eq!(clone.git(["rev-parse", "--is-shallow-repository"]), "false");
}

#[tokio::test]
async fn a_blobless_clone_gets_no_contents() {
    let repo = origin();
    let clone = repo.cloned(&["--depth=1", "--filter=blob:none"]);
    let base = repo.git(["rev-parse", "HEAD~2"]);
    let before = state(&clone);
    assert_eq!(changes(&clone, &base).await.unwrap(), ["d/a", "e/b"]);
    assert_eq!(state(&clone), before);
    let missing = clone.git(["rev-list", "--objects", "--missing=print", &base]);
    let old = repo.git(["rev-parse", &format!("{base}:d/a")]);
    assert!(missing.lines().any(|line| line == format!("?{old}")), "{missing}");
}

#[tokio::test]
async fn a_treeless_clone_gets_the_folders() {
    let repo = origin();
    let base = repo.git(["rev-parse", "HEAD~2"]);
    for depth in [&[][..], &["--depth=1"]] {
        let clone = repo.cloned(&[&["--filter=tree:0"], depth].concat());
        let before = state(&clone);
        assert_eq!(changes(&clone, &base).await.unwrap(), ["d/a", "e/b"], "{depth:?}");
        assert_eq!(state(&clone), before, "{depth:?}");
    }
}

#[tokio::test]
async fn a_server_gives_what_its_settings_allow() {
    let repo = origin();
    let left_behind = repo.head();
    let repo = repo.file("e/b", "2");
    repo.git(["commit", "--quiet", "--all", "--amend", "--message", "rewritten"]);
    let reachable = repo.git(["rev-parse", "HEAD~2"]);
    // With the second version of its protocol, git serves whatever it has.
    let clone = repo.cloned(&["--depth=1", "--config=protocol.version=0"]);
    let error = changes(&clone, &reachable).await.unwrap_err().to_string();
    let refused = format!(
        "`git fetch` from `origin` failed: Server does not allow request for unadvertised object {reachable}"
    );
    assert_eq!(error, refused);
    repo.git(["config", "uploadpack.allowReachableSHA1InWant", "true"]);
    assert_eq!(changes(&clone, &reachable).await.unwrap(), ["d/a", "e/b"]);
    let error = changes(&clone, &left_behind).await.unwrap_err().to_string();
    assert!(error.contains(&format!("not our ref {left_behind}")), "{error}");
    repo.git(["config", "uploadpack.allowAnySHA1InWant", "true"]);
    assert_eq!(changes(&clone, &left_behind).await.unwrap(), ["e/b"]);
}

#[tokio::test]
async fn the_remote_is_that_of_the_branch_or_the_one_that_there_is() {
    let repo = origin();
    let base = repo.git(["rev-parse", "HEAD~2"]);
    let clone = repo.cloned(&["--depth=1", "--origin=upstream"]);
    assert_eq!(changes(&clone, &base).await.unwrap(), ["d/a", "e/b"]);

    let clone = repo.cloned(&["--depth=1", "--origin=upstream"]);
    clone.git(["remote", "add", "origin", "file:///nowhere"]);
    assert_eq!(changes(&clone, &base).await.unwrap(), ["d/a", "e/b"]);

    let clone = repo.cloned(&["--depth=1", "--origin=upstream"]);
    clone.git(["remote", "add", "fork", "file:///nowhere"]);
    clone.git(["checkout", "--quiet", "--detach"]);
    let error = changes(&clone, &base).await.unwrap_err();
    assert!(matches!(error, FetchError::NoRemote), "{error}");
    clone.git(["remote", "rename", "fork", "origin"]);
    let error = changes(&clone, &base).await.unwrap_err().to_string();
    assert!(error.starts_with("`git fetch` from `origin` failed: '/nowhere' does not appear"), "{error}");
}

#[tokio::test]
async fn git_reaches_the_remote_as_the_clone_s_settings_say() {
    let repo = origin();
    let base = repo.git(["rev-parse", "HEAD~2"]);
    repo.git(["config", "uploadpack.allowAnySHA1InWant", "true"]);
    // Stands in for ssh: keeps the host's name, and runs here what it is asked to run there.
    let ssh = "#!/bin/sh\necho \"$1\" > \"$0.host\"\nshift\nexec sh -c \"$*\"\n";
    let clone = repo.cloned(&["--depth=1"]).executable(".git/ssh", ssh);
    clone.git(["config", "core.sshCommand", clone.path(".git/ssh").to_str().unwrap()]);
    clone.git(["config", "ssh.variant", "simple"]);
    let address = format!("ssh://git.invalid{}", repo.root().display());
    clone.git(["config", "remote.origin.url", &address]);
    assert_eq!(changes(&clone, &base).await.unwrap(), ["d/a", "e/b"]);
    assert_eq!(std::fs::read_to_string(clone.path(".git/ssh.host")).unwrap(), "git.invalid\n");

    let clone = repo.cloned(&["--depth=1"]);
    clone.git(["config", "protocol.file.allow", "never"]);
    let error = changes(&clone, &base).await.unwrap_err().to_string();
    assert!(error.contains("transport 'file' not allowed"), "{error}");
}

#[tokio::test]
async fn bare_clones_and_linked_work_trees_do_too() {
    let repo = origin();
    let base = repo.git(["rev-parse", "HEAD~2"]);
    let without_files = repo.cloned(&["--depth=1", "--bare"]);
    assert_eq!(changes(&without_files, &base).await.unwrap(), ["d/a", "e/b"]);

    let clone = repo.cloned(&["--depth=1"]);
    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    clone.git(["worktree", "add", "--quiet", "-b", "other", linked.to_str().unwrap()]);
    let found = changes_within(&linked, &base, Duration::from_mins(10)).await;
    assert_eq!(found.unwrap(), ["d/a", "e/b"]);
}

#[tokio::test]
async fn a_remote_that_takes_too_long_is_given_up() {
    let repo = origin();
    let clone = repo.cloned(&["--depth=1"]);
    let base = repo.git(["rev-parse", "HEAD~2"]);
    let error = changes_within(clone.root(), &base, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "`git fetch` from `origin` was given up after 0 seconds");
    assert_eq!(changes(&clone, &base).await.unwrap(), ["d/a", "e/b"]);
}

#[tokio::test]
async fn fetch_is_refused_where_git_refuses_the_repository() {
    let repo = origin();
    let clone = repo.cloned(&["--depth=1"]);
    let second = repo.git(["rev-parse", "HEAD~2"]);
    let mark = clone.path(".git/mark");
    // The address is what the repository says; the program that serves it is, too.
    clone.git(["config", "remote.origin.url", &format!("ext::touch {}", mark.display())]);
    let error = changes(&clone, &second).await.unwrap_err().to_string();
    assert!(error.contains("transport 'ext' not allowed"), "{error}");

    let opened = Repository::discover(clone.root(), code()).unwrap();
    clone.git(["config", "remote.origin.url", repo.root().to_str().unwrap()]);
    clone.git(["config", "remote.origin.uploadpack", &format!("touch {}; git-upload-pack", mark.display())]);
    // Somebody else's from one moment to the next: git looks for itself.
    if std::os::unix::fs::chown(clone.path(".git"), Some(12345), None).is_ok() {
        let (base, head) = (second.parse().unwrap(), opened.resolve("HEAD").unwrap());
        let error = opened.fetched_changes(base, head, Duration::from_mins(10)).await.unwrap_err();
        assert!(error.to_string().contains("dubious ownership"), "{error}");
    }
    assert!(!mark.exists());
}
