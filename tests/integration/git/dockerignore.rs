//! Commit and disk under random `.dockerignore` files: equal digests, and equal snapshots.

use std::collections::BTreeMap;

use bstr::BStr;
use dtbuild::git::Repository;
use dtbuild_content::ignore::Rules;
use proptest::prelude::*;

use crate::support::repo::{TestRepo, code};

/// Paths of few names, so that rules meet them; a file has the executable bit or not.
fn files() -> impl Strategy<Value = BTreeMap<String, (bool, u8)>> {
    let path = proptest::collection::vec("[abc]|a\\.b", 1..4).prop_map(|names| names.join("/"));
    proptest::collection::btree_map(path, (any::<bool>(), 0_u8..3), 1..12)
}

fn rules() -> impl Strategy<Value = String> {
    let rule = prop_oneof!["!?[abc*]", "!?[ab]/[abc*]", "!?\\*\\*/[abc]", "\\*", "!?[abc]/[abc]/[abc]"];
    proptest::collection::vec(rule, 0..4).prop_map(|rules| rules.join("\n"))
}

/// Writes the files, those left out that would lie below another.
fn written(repo: TestRepo, files: &BTreeMap<String, (bool, u8)>) -> TestRepo {
    let taken = |path: &str| path.match_indices('/').any(|(end, _)| files.contains_key(&path[..end]));
    files.iter().filter(|(path, _)| !taken(path)).fold(repo, |repo, (path, (executable, content))| {
        let content = [*content];
        if *executable { repo.executable(path, content) } else { repo.file(path, content) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commit_and_disk_agree(files in files(), untracked in files(), rules in rules()) {
        let rules = Rules::parse(rules.as_bytes()).unwrap();
        let repo = written(TestRepo::new(), &files).commit("first");
        let opened = Repository::discover(repo.root(), code()).unwrap();
        let commit = |revision| {
            let id = opened.resolve(revision).unwrap();
            let tree = opened.commit_tree(id, BStr::new("")).unwrap().unwrap();
            (tree.digest(&rules).unwrap(), tree.snapshot(&rules).unwrap().entries)
        };
        let disk = || {
            let tree = opened.working_tree(BStr::new("")).unwrap().unwrap();
            (tree.digest(&rules).unwrap(), tree.snapshot(&rules).unwrap().entries)
        };
        prop_assert_eq!(disk(), commit("HEAD"));

        // All that was there goes, something else comes: what is untracked counts as when it is committed.
        repo.git(["rm", "--quiet", "-r", "."]);
        let repo = written(repo, &untracked);
        let (digest, before) = disk();
        let repo = repo.commit("second");
        let (committed, after) = commit("HEAD");
        let sent = |entries: &[dtbuild_content::snapshot::SnapshotEntry]| {
            entries.iter().filter(|entry| entry.size > 0).cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(sent(&before), sent(&after));
        if before == after {
            prop_assert_eq!(digest, committed);
        }
        prop_assert_eq!(disk(), commit("HEAD"), "{}", repo.head());
    }
}
