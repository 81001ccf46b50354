//! Opening repositories, and facts about them: head, revisions, remote, times.

use bstr::BStr;
use dtbuild::error::Failure as _;
use dtbuild::git::{CommitId, GitError, Head, MissingReason, Presence, Repository};

use crate::support::repo::{TestRepo, code};

fn open(repo: &TestRepo) -> Repository {
    Repository::discover(repo.root(), code()).unwrap()
}

fn id(text: &str) -> CommitId {
    text.parse().unwrap()
}

#[test]
fn folder_outside_of_any_repository_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = Repository::discover(folder.path(), code()).err().unwrap();
    assert!(matches!(error, GitError::NotARepository { .. }), "{error:?}");
}

#[test]
fn missing_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Repository::discover(&folder.path().join("none"), code()).is_err());
}

#[test]
fn repository_without_commits_has_no_head() {
    let repo = TestRepo::new();
    assert_eq!(open(&repo).head().unwrap(), None);
    let error = open(&repo).resolve("HEAD").unwrap_err();
    assert_eq!(error.advice(), "`HEAD` names no commit; the repository has no commits yet");
}

#[test]
fn sub_folder_finds_the_root_and_its_prefix() {
    let repo = TestRepo::new().file("containers/api/main.js", "").commit("first");
    let opened = Repository::discover(&repo.path("containers/api"), code()).unwrap();
    assert_eq!(opened.root().unwrap(), repo.root());
    let prefix = |folder: &str| opened.prefix(&repo.path(folder));
    assert_eq!(prefix("containers/api").unwrap(), "containers/api");
    assert_eq!(prefix("containers/../containers/none/").unwrap(), "containers/none");
    assert_eq!(prefix("").unwrap(), "");
    assert!(matches!(prefix("../elsewhere"), Err(GitError::OutsideRepository { .. })));
}

#[test]
fn head_names_the_branch_or_is_detached() {
    let repo = TestRepo::new().file("a", "1").commit("first");
    let commit = id(&repo.head());
    assert_eq!(open(&repo).head().unwrap(), Some(Head { commit, branch: Some("main".to_owned()) }));
    repo.git(["checkout", "--quiet", "--detach"]);
    assert_eq!(open(&repo).head().unwrap(), Some(Head { commit, branch: None }));
}

#[test]
fn revisions_resolve_as_git_resolves_them() {
    let repo = TestRepo::new().file("a", "1").commit("first").file("a", "2").commit("second");
    repo.git(["tag", "--annotate", "--message", "release", "v1", "HEAD~1"]);
    repo.git(["update-ref", "refs/remotes/origin/staging", "HEAD"]);
    repo.git(["branch", "feature/x", "HEAD~1"]);
    let opened = open(&repo);
    let short = &repo.head()[..9];
    for revision in ["HEAD", "HEAD~1", "v1", "main", "origin/staging", "feature/x", "refs/heads/main", short]
    {
        let expected = repo.git(["rev-parse", &format!("{revision}^{{commit}}")]);
        assert_eq!(opened.resolve(revision).unwrap(), id(&expected), "{revision}");
    }
}

#[test]
fn unknown_revision_says_what_to_do() {
    let repo = TestRepo::new().file("a", "1").commit("first");
    repo.git(["remote", "add", "origin", "https://example.com/a.git"]);
    let error = |revision: &str| open(&repo).resolve(revision).unwrap_err().advice();
    assert_eq!(error("origin/x"), "`origin/x` names no commit; fetch it with `git fetch origin x`");
    assert!(error("typo").contains("check the spelling"), "{}", error("typo"));
    assert!(error("main..HEAD").ends_with("name one commit, not a range"), "{}", error("main..HEAD"));
    assert!(
        error("main~5").ends_with("the history of `main` does not go back so far"),
        "{}",
        error("main~5")
    );
    for revision in ["typo", "origin/x", "main~5", "HEAD^{tree}x", "1234567", "@{upstream}"] {
        let error = open(&repo).resolve(revision).unwrap_err();
        assert!(std::error::Error::source(&error).is_none(), "{revision}: {error:?}");
    }
    for revision in ["", "HEAD:a", "HEAD~5", "main..HEAD", &"0".repeat(40)] {
        assert!(matches!(open(&repo).resolve(revision), Err(GitError::UnknownRevision { .. })), "{revision}");
    }
}

#[test]
fn missing_commits_are_told_apart() {
    let repo = TestRepo::new().file("a", "1").commit("first").file("a", "2").commit("second");
    let first = id(&repo.git(["rev-parse", "HEAD~1"]));
    let shallow = repo.cloned(&["--depth=1"]);
    let opened = open(&shallow);
    assert!(opened.is_shallow() && !open(&repo).is_shallow());
    let missing = Presence::Missing { reason: MissingReason::Shallow };
    assert_eq!(opened.has_commit(first).unwrap(), missing);
    assert_eq!(opened.has_commit(id(&repo.head())).unwrap(), Presence::Known);
    assert!(opened.resolve("HEAD~1").unwrap_err().advice().contains("shallow"));

    let never = id(&"1".repeat(40));
    let missing = Presence::Missing { reason: MissingReason::NotFetched };
    assert_eq!(open(&repo).has_commit(never).unwrap(), missing);
    assert_eq!(open(&repo).has_commit(id(&"1".repeat(64))).unwrap(), missing);
}

#[test]
fn linked_work_tree_opens() {
    let repo = TestRepo::new().file("a", "1").commit("first");
    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    repo.git(["worktree", "add", "--quiet", "-b", "other", linked.to_str().unwrap()]);
    let opened = Repository::discover(&linked, code()).unwrap();
    assert_eq!(opened.root().unwrap(), linked);
    assert_eq!(opened.head().unwrap().unwrap().branch.unwrap(), "other");
}

#[test]
fn bare_repository_opens_and_its_work_tree_too() {
    let repo = TestRepo::new().file("a", "1").commit("first");
    let bare = repo.cloned(&["--bare"]);
    let opened = Repository::discover(bare.root(), code()).unwrap();
    assert_eq!(opened.resolve("main").unwrap(), id(&repo.head()));
    let error = opened.root().unwrap_err().advice();
    assert!(error.ends_with("has no work tree; make one with `git worktree add`"), "{error}");

    let place = tempfile::tempdir().unwrap();
    let linked = place.path().canonicalize().unwrap().join("linked");
    bare.git(["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    let opened = Repository::discover(&linked, code()).unwrap();
    assert_eq!(opened.root().unwrap(), linked);
    assert_eq!(opened.head().unwrap().unwrap().commit, id(&repo.head()));
}

#[test]
fn sha256_repository_opens() {
    let repo = TestRepo::init(&["--object-format=sha256"]).file("a", "1").commit("first");
    assert_eq!(open(&repo).head().unwrap().unwrap().commit.to_string(), repo.head());
}

#[test]
fn reftable_and_unknown_extensions_are_refused() {
    let repo = TestRepo::init(&["--ref-format=reftable"]).file("a", "1").commit("first");
    let error = Repository::discover(repo.root(), code()).err().unwrap().advice();
    assert!(error.contains("`reftable`") && error.contains("git refs migrate"), "{error}");

    let repo = TestRepo::new().file("a", "1").commit("first");
    repo.git(["config", "core.repositoryFormatVersion", "1"]);
    assert!(Repository::discover(repo.root(), code()).is_ok());
    repo.git(["config", "extensions.shinyThing", "true"]);
    let error = Repository::discover(repo.root(), code()).err().unwrap().advice();
    assert!(error.to_lowercase().contains("the extension `shinything`"), "{error}");
}

#[test]
fn repository_of_another_user_is_refused() {
    let repo = TestRepo::new().file("a", "1").commit("first");
    // Only root can give a folder away; for anybody else there is nothing to check.
    if std::os::unix::fs::chown(repo.root(), Some(12345), None).is_err() {
        return;
    }
    let error = Repository::discover(repo.root(), code()).err().unwrap();
    assert!(matches!(error, GitError::ForeignOwner { .. }), "{error:?}");
}

#[test]
fn commit_says_when_and_what() {
    let repo = TestRepo::new().file("a", "1").commit("first\nline\n\nbody");
    let (opened, commit) = (open(&repo), id(&repo.head()));
    assert_eq!(opened.commit_time(commit).unwrap(), 1_700_000_000);
    assert_eq!(opened.subject(commit).unwrap(), "first line");
    assert_eq!(commit.short(), &repo.head()[..10]);
}

#[test]
fn remote_url_has_no_credentials() {
    let repo = TestRepo::new();
    let url = |address: &str| {
        repo.git(["config", "remote.origin.url", address]);
        open(&repo).remote_url()
    };
    assert_eq!(url("https://me:token@example.com/a/b.git").unwrap(), "https://example.com/a/b.git");
    assert_eq!(url("https://token@example.com/a/b.git").unwrap(), "https://example.com/a/b.git");
    assert_eq!(url("git@example.com:a/b.git").unwrap(), "git@example.com:a/b.git");
    assert_eq!(url("file:///srv/git/a.git"), None);
    assert_eq!(url("../a.git"), None);
}

#[test]
fn paths_are_bytes() {
    let repo = TestRepo::new().file(b"caf\xe9/a", "1").commit("first");
    let opened = Repository::discover(&repo.path(b"caf\xe9"), code()).unwrap();
    assert_eq!(opened.prefix(&repo.path(b"caf\xe9")).unwrap(), BStr::new(b"caf\xe9"));
}

#[test]
fn what_git_gives_goes_to_other_threads() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    sent::<Repository>();
    sent::<dtbuild::git::WorkingTree>();
    shared::<dtbuild_content::snapshot::Snapshot>();
    shared::<GitError>();
}
