//! Odd names, and paths that become something else.

use dtbuild::engine::Engine as _;
use dtbuild::git::Repository;
use dtbuild_content::tree::Everything;

use super::input_trees::{agree, commit_digest, commit_snapshot, disk_digest, disk_snapshot};
use crate::engine::fixture::{Files, build, docker, request, unique};
use crate::support::repo::{TestRepo, code};

/// Names that an engine can be told, which are those in UTF-8.
fn names() -> Vec<String> {
    let names =
        ["two\nlines", "\"quoted\" 'twice'", "-rf", "--", "a", "A", "back\\slash", "*", "[x]", "!x", "#x"];
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    names.extend([" ".to_owned(), "tab\t".to_owned(), "\u{e9}".to_owned(), "e\u{301}".to_owned()]);
    names.push("n".repeat(255));
    names.push([&*"f".repeat(250); 8].join("/"));
    names
}

fn sample() -> TestRepo {
    names().iter().fold(TestRepo::new(), |repo, name| repo.file(name, name))
}

#[test]
fn every_name_is_the_same_in_a_commit_and_on_the_disk() {
    let repo = sample().file(b"caf\xe9/\xff\xfe", "latin").link("loop", "loop").link("ping", "pong");
    let repo = repo.link("pong", "ping").link("up", "..").link(b"raw", b"caf\xe9").commit("first");
    let sent = agree(&repo, &Everything);
    for name in names() {
        assert_eq!(sent[name.as_bytes()].1, name.as_bytes());
    }
    assert_eq!(sent[&b"caf\xe9/\xff\xfe"[..]].1, b"latin");
    assert_eq!(sent[&b"raw"[..]].1, b"caf\xe9");
    assert_eq!(commit_digest(&repo, &Everything).to_string(), repo.git(["rev-parse", "HEAD^{tree}"]));
}

#[test]
fn path_that_becomes_something_else_has_another_key() {
    type Change = fn(TestRepo) -> TestRepo;
    let changes: [(&str, Change); 6] = [
        ("another case", |repo| repo.remove("a").file("B", "1").file("A", "1")),
        ("a second case", |repo| repo.file("A", "1")),
        ("a folder that becomes a file", |repo| repo.remove("d").file("d", "1")),
        ("a file that becomes a folder", |repo| repo.remove("a").file("a/a", "1")),
        ("a file that becomes a link to its content", |repo| repo.remove("a").link("a", "same")),
        ("a link that leads elsewhere", |repo| repo.remove("l").link("l", "l")),
    ];
    let sample = || TestRepo::new().file("a", "1").file("same", "1").file("d/x", "1").link("l", "a");
    for (what, change) in changes {
        let repo = sample().commit("first");
        let before = commit_digest(&repo, &Everything);
        let repo = change(repo);
        let dirty = disk_digest(&repo, &Everything);
        let repo = repo.commit("second");
        agree(&repo, &Everything);
        assert_eq!(commit_digest(&repo, &Everything), dirty, "{what}");
        assert_ne!(dirty, before, "{what}");
    }
}

#[test]
fn path_longer_than_a_disk_can_hold_is_in_the_commit_all_the_same() {
    let repo = TestRepo::new().file("a", "1").commit("first");
    let blob = repo.git(["rev-parse", "HEAD:a"]);
    // Forty folders of 250 bytes: more than PATH_MAX, which a checkout could not write.
    let (mut id, mut entry) = (blob, "100644 blob".to_owned());
    for _ in 0..40 {
        let line = format!("{entry} {id}\t{}\n", "f".repeat(250));
        id = String::from_utf8(repo.git_bytes(["mktree"], line.as_bytes())).unwrap().trim().to_owned();
        entry = "040000 tree".to_owned();
    }
    let commit = repo.git(["commit-tree", &id, "-m", "deep"]);
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let tree = opened.commit_tree(opened.resolve(&commit).unwrap(), "".into()).unwrap().unwrap();
    assert_eq!(tree.digest(&Everything).unwrap().to_string(), id);
    let snapshot = tree.snapshot(&Everything).unwrap();
    assert_eq!(snapshot.entries.last().unwrap().path.len(), 40 * 251 - 1);
    assert_eq!(snapshot.entries.len(), 40);
}

#[tokio::test]
async fn engine_gets_every_name_from_a_commit_and_from_the_disk() {
    let docker = docker().await;
    let busybox = std::fs::read("/bin/busybox").unwrap();
    // The names of a text are compared with those of a folder: what the engine wrote is what was sent.
    let script = "/bin/busybox find /c -type f -exec /bin/busybox sh -c \
        'p=\"${1#/c/}\"; [ \"$(/bin/busybox cat \"$1\")\" = \"$p\" ] || { echo \"$p\"; exit 1; }; echo x' _ {} ';' \
        | /bin/busybox wc -l";
    let dockerfile = format!(
        "FROM scratch\nCOPY bin/busybox /bin/busybox\nCOPY names /c\nRUN [\"/bin/busybox\", \"sh\", \"-c\", {}]\n",
        serde_json::to_string(script).unwrap()
    );
    let repo = names().iter().fold(TestRepo::new(), |repo, name| repo.file(format!("names/{name}"), name));
    let repo = repo.executable("bin/busybox", busybox).link("names/loop", "loop").commit("first");
    for snapshot in [commit_snapshot(&repo, &Everything), disk_snapshot(&repo, &Everything)] {
        let mut request = request("odd-paths", &dockerfile, &Files::default());
        request.context = snapshot.unwrap();
        // A folder that the engine has no copy of.
        request.dockerfile_path = unique("odd-paths").to_string().into();
        request.no_cache = true;
        let (result, events) = build(&docker, &request).await;
        assert!(result.is_ok(), "{result:?}\n{events:?}");
        let told = format!("{events:?}");
        assert!(told.contains(&format!("line: \"{}\"", names().len())), "{told}");
        assert!(docker.holds(&request.names[0]).await.unwrap());
    }
}
