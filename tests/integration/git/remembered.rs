//! Notes of earlier runs about the working tree: used as long as they are true, and no longer.

use std::fs;
use std::time::{Duration, SystemTime};

use bstr::BStr;
use dtbuild::git::Repository;
use dtbuild_content::ignore::Rules;
use dtbuild_content::tree::{ContentId, Identified};

use super::input_trees::until_noted;
use super::working_tree::{committed, on_disk, on_disk_with, sample};
use crate::support::repo::{TestRepo, code};

/// Looks until what was found is noted: a file or folder that was changed a moment ago is not.
fn noted(repo: &TestRepo) {
    let notes = || fs::read(repo.found_out("stat")).unwrap_or_default();
    let begin = SystemTime::now();
    let mut known = (notes(), 0);
    // Once nothing is added, nothing is left to note.
    while known.0.is_empty() || known.1 < 3 {
        assert!(begin.elapsed().unwrap() < Duration::from_secs(10), "nothing is ever noted");
        on_disk(repo);
        known = if known.0 == notes() { (known.0, known.1 + 1) } else { (notes(), 0) };
    }
}

#[test]
fn every_change_of_names_is_seen_where_they_were_noted() {
    type Change = fn(TestRepo) -> TestRepo;
    let changes: [(&str, Change); 9] = [
        ("a new file", |repo| repo.file("deep/er/new", "")),
        ("a new folder", |repo| repo.file("deep/new/file", "")),
        ("a file that is gone", |repo| repo.remove("bin/run")),
        ("a folder that is gone", |repo| repo.remove("deep/er")),
        ("a rename", |repo| repo.remove("a").file("b", "1\n")),
        ("a file that becomes a folder", |repo| repo.remove("a").file("a/a", "1\n")),
        ("a folder that becomes a file", |repo| repo.remove("deep").file("deep", "1\n")),
        ("a folder that becomes a link", |repo| repo.remove("deep").link("deep", "bin")),
        ("another content", |repo| repo.file("deep/er/est/b", "3\n")),
    ];
    for (what, change) in changes {
        let repo = sample();
        noted(&repo);
        let repo = change(repo);
        let dirty = on_disk(&repo);
        assert_eq!(dirty, committed(&repo.commit("second"), "HEAD"), "{what}");
    }
}

#[test]
fn folder_that_is_emptied_goes_where_git_has_nothing_in_it_also_when_it_was_noted() {
    let repo = sample().file("other/x", "1");
    noted(&repo);
    let repo = repo.remove("other/x");
    assert!(repo.path("other").exists());
    assert_eq!(on_disk(&repo), committed(&repo, "HEAD"));
}

/// The digest as a preview takes it, with what earlier runs found out.
fn remembered(repo: &TestRepo, filter: &impl Identified) -> ContentId {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let tree = opened.working_tree(BStr::new("")).unwrap().unwrap();
    tree.remembered_digest(filter).unwrap()
}

#[test]
fn digest_that_an_earlier_run_took_is_that_of_the_same_files_and_rules() {
    let repo = sample().file("docs/x.md", "1").file("docs/deep/y.md", "1").commit("second");
    let rules = |text: &str| Rules::parse(text.as_bytes()).unwrap();
    let texts = ["", "**/*.md\n", "docs\n", "*\n!bin\n", "deep/**\n", "a\nempty\nbin/*\n"];
    let check = |repo: &TestRepo, what: &str| {
        for text in texts {
            let expected = on_disk_with(repo, &rules(text)).0;
            for run in ["first", "second"] {
                assert_eq!(remembered(repo, &rules(text)), expected, "{what}, {run} run: {text:?}");
            }
        }
    };
    check(&repo, "clean");
    let repo = repo.file("bin/run", "other").executable("a", "1\n").file("docs/new/z.md", "");
    check(&repo, "dirty");
    // An emptied folder counts where git has something in it, which is not seen in the files.
    repo.git(["rm", "-r", "--quiet", "--cached", "docs"]);
    check(&repo, "not in git any more");
    let repo = repo.remove("docs/x.md").remove("docs/new");
    check(&repo, "removed");
}

#[test]
fn what_was_read_before_is_remembered_and_may_be_forgotten_at_any_time() {
    let repo = TestRepo::new().file("tracked", "1").commit("first").file("untracked", "2");
    let stats = repo.found_out("stat");
    let first = until_noted(&repo, || on_disk(&repo));
    assert_eq!(on_disk(&repo), first, "from the notes");
    fs::write(&stats, "damaged").unwrap();
    assert_eq!(on_disk(&repo), first, "without them");
    let repo = repo.file("untracked", "3");
    assert_ne!(on_disk(&repo), first, "another content of the same size");
}
