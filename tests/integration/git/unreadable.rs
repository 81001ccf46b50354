//! Files and folders that may not be read, and special files: outside of all contexts they are the user's own affair.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::dtbuild::{Dtbuild, Ended, project};
use crate::support::repo::TestRepo;

/// Starts a program without root's right to read everything.
const AS_A_USER: [&str; 5] = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
    "--no-new-privs",
    "--",
];

fn run(repo: &TestRepo, arguments: &[&str]) -> Ended {
    let is_root = rustix::process::geteuid().is_root();
    let through = if is_root { &AS_A_USER[..] } else { &["env"] };
    Dtbuild::new(repo).run_through(through, arguments)
}

fn close(repo: &TestRepo, path: &str, mode: u32) {
    fs::set_permissions(repo.path(path), Permissions::from_mode(mode)).unwrap();
}

/// Lets the folder be removed again.
struct Opened<'a>(&'a TestRepo, &'a [&'a str]);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        for path in self.1 {
            let _ = fs::set_permissions(self.0.path(path), Permissions::from_mode(0o755));
        }
    }
}

#[test]
fn what_cannot_be_read_outside_of_all_contexts_changes_nothing() {
    let repo = project().file("docs/readme", "1").commit("first");
    let repo =
        repo.file("app/new.txt", "1").file("secret/a", "1").file("docs/deep/b", "1").file("half/c", "1");
    let repo = repo.file("id_rsa", "1").link("nowhere", "none");
    assert!(Command::new("mkfifo").arg(repo.path("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(repo.path("socket")).unwrap();
    let _opened = Opened(&repo, &["secret", "docs/deep", "half"]);
    for (path, mode) in [("secret", 0), ("docs/deep", 0), ("half", 0o444), ("id_rsa", 0), ("docs/readme", 0)]
    {
        close(&repo, path, mode);
    }
    let ended = run(&repo, &["explain", "app", "--disk", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let causes = ended.json()["causes"].clone();
    let paths: Vec<&str> =
        causes.as_array().unwrap().iter().filter_map(|cause| cause["path"].as_str()).collect();
    assert_eq!(paths, ["app/new.txt"]);
    let ended = run(&repo, &["build", "--dry-run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_read_in_a_context_is_named_unless_it_is_ignored() {
    let repo = project().commit("first").file("app/private/a", "1").file("app/key", "1");
    let repo = repo.file("ignored", "private\nkey\n");
    let _opened = Opened(&repo, &["app/private"]);
    close(&repo, "app/private", 0);
    close(&repo, "app/key", 0);
    let ended = run(&repo, &["build", "--dry-run"]);
    assert!(ended.code != Some(0) && ended.stderr.contains("make it readable"), "{}", ended.stderr);
    fs::rename(repo.path("ignored"), repo.path("app/.dockerignore")).unwrap();
    let ended = run(&repo, &["build", "--dry-run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
