use proptest::prelude::*;

use super::*;
use crate::ignore::Rules;
use crate::tree::memory::{Memory, folders};
use crate::tree::{Both, Everything, digest};

fn globs(globs: &[&str]) -> Globs {
    Globs::new(globs).unwrap()
}

#[test]
fn glob_takes_what_is_below_the_folder_it_matches() {
    for (glob, matched, others) in [
        ("openapi", vec!["openapi", "openapi/a", "openapi/a/b"], vec!["open", "a/openapi", "openapis"]),
        ("openapi/", vec!["openapi/a"], vec!["a"]),
        ("./openapi/**", vec!["openapi/a", "openapi/a/b"], vec!["a/openapi/b"]),
        ("*.md", vec!["a.md", "a.md/b"], vec!["a/b.md"]),
        ("**/*.md", vec!["a.md", "a/b.md", "a/b/c.md"], vec!["a.mdx"]),
        ("a/*/c", vec!["a/b/c", "a/b/c/d"], vec!["a/c", "a/b/b/c"]),
        ("{a,b/c}/d", vec!["a/d", "b/c/d"], vec!["b/d"]),
        ("a/b[0-9]", vec!["a/b1"], vec!["a/b"]),
        (".", vec!["a", "a/b"], vec![]),
    ] {
        let globs = globs(&[glob]);
        for (paths, expected) in [(matched, true), (others, false)] {
            for path in paths {
                assert_eq!(globs.matches(BStr::new(path)), expected, "`{path}` by `{glob}`");
            }
        }
    }
    assert!(globs(&["*.md"]).matches(BStr::new(b"\xC3\xA9.md")));
    assert!(!globs(&[]).matches(BStr::new("a")));
}

#[test]
fn wrong_globs_are_errors() {
    let message = |glob: &str| Globs::new([glob]).unwrap_err().to_string();
    assert_eq!(
        message("a["),
        "`a[` is not a valid glob: unclosed character class; missing ']'; \
         write `\\` before a special character to take it as it is"
    );
    for glob in ["/a", "../a", "a/.."] {
        assert_eq!(
            message(glob),
            format!(
                "the glob `{glob}` leads out of the repository; write it relative to the repository's root"
            )
        );
    }
}

#[test]
fn including_leaves_no_folder_without_a_match() {
    let tree = Memory::of(&["a/b/c.md", "a/d", "e/f", "openapi/g/h", "z"]);
    let including = |patterns: &[&str]| tree.walked(&GlobFilter::including(globs(patterns), ""));
    assert_eq!(including(&["openapi/**"]), ["openapi/", "openapi/g/", "openapi/g/h"]);
    assert_eq!(including(&["openapi"]), ["openapi/", "openapi/g/", "openapi/g/h"]);
    assert_eq!(including(&["**/*.md", "z"]), ["a/", "a/b/", "a/b/c.md", "z"]);
    assert_eq!(including(&["none/**", "e/none"]), [""; 0]);
}

#[test]
fn excluding_leaves_no_folder_that_it_empties() {
    let tree = Memory::of(&["a/b.md", "c/d.md", "c/e", "f/g/h.md"]);
    let excluding = |patterns: &[&str]| tree.walked(&GlobFilter::excluding(globs(patterns), ""));
    assert_eq!(excluding(&["**/*.md"]), ["c/", "c/e"]);
    assert_eq!(excluding(&["a", "f/**"]), ["c/", "c/d.md", "c/e"]);
    assert_eq!(excluding(&["none"]), tree.walked(&Everything));
    // A folder that `.dockerignore` empties is still there, as long as it holds more than forgotten paths.
    let both = |rules: &str, glob: &str| {
        tree.walked(&Both(Rules::parse(rules.as_bytes()).unwrap(), GlobFilter::excluding(globs(&[glob]), "")))
    };
    assert_eq!(both("c/e", "**/*.md"), ["c/"]);
    assert_eq!(both("c/e\nc/d.md", "a"), ["c/", "f/", "f/g/", "f/g/h.md"]);
}

#[test]
fn place_of_the_tree_is_part_of_its_paths() {
    let tree = Memory::of(&["a", "b/c", "b/d.md"]);
    let including = |glob: &str| tree.walked(&GlobFilter::including(globs(&[glob]), "containers/api"));
    assert_eq!(including("containers/api/b/c"), ["b/", "b/c"]);
    assert_eq!(including("containers"), tree.walked(&Everything));
    assert_eq!(including("containers/*/*.md"), [""; 0]);
    assert_eq!(including("**/*.md"), ["b/", "b/d.md"]);
    assert_eq!(including("b"), [""; 0]);
}

#[test]
fn folders_that_no_glob_reaches_are_not_read() {
    let tree = Memory::of(&["a/b/c", "a/d/e", "f/g", "h/i"]).with_ids();
    digest(&tree, &GlobFilter::including(globs(&["a/b/*.md", "f"]), "")).unwrap();
    assert_eq!(tree.listed.take(), ["", "a", "a/b"]);
    digest(&tree, &GlobFilter::excluding(globs(&["a/b/*.md", "f"]), "")).unwrap();
    assert_eq!(tree.listed.take(), ["", "a", "a/b"]);
}

fn any_globs() -> impl Strategy<Value = Globs> {
    let name = prop::sample::select(vec!["a", "b", "*", "**", "a*", "a.b", "{a,b}", "?"]);
    let glob = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    prop::collection::vec(glob, 0..4).prop_map(|globs| Globs::new(globs).unwrap())
}

/// True if `globs` match `path` or a folder above it, asked without any short cut.
fn matched(globs: &Globs, path: &str) -> bool {
    path.match_indices('/')
        .map(|(end, _)| end)
        .chain([path.len()])
        .any(|end| globs.0.set.is_match(&path[..end]))
}

proptest! {
    #[test]
    fn files_are_split_by_the_globs(tree in folders(), globs in any_globs(), place in "(a(/b)?)?") {
        let files = |filter: &GlobFilter| {
            tree.walked(filter).into_iter().filter(|path| !path.ends_with('/')).collect::<Vec<_>>()
        };
        let (included, excluded): (Vec<_>, Vec<_>) = tree
            .walked(&Everything)
            .into_iter()
            .filter(|path| !path.ends_with('/'))
            .partition(|path| matched(&globs, format!("{place}/{path}").trim_start_matches('/')));
        prop_assert_eq!(files(&GlobFilter::including(globs.clone(), place.as_str())), included);
        prop_assert_eq!(files(&GlobFilter::excluding(globs.clone(), place.as_str())), excluded);
    }

    #[test]
    fn digest_is_that_of_the_filtered_tree(tree in folders(), globs in any_globs(), include: bool, rules in "(!?[ab*]\n){0,3}") {
        let globs = if include { GlobFilter::including(globs, "") } else { GlobFilter::excluding(globs, "") };
        let filter = Both(globs, Rules::parse(rules.as_bytes()).unwrap());
        let left = tree.filtered(&filter).map(|left| digest(&left, &Everything).unwrap());
        let left = left.unwrap_or_else(|| gix_hash::ObjectId::empty_tree(gix_hash::Kind::Sha1));
        prop_assert_eq!(digest(&tree, &filter).unwrap(), left);
        prop_assert_eq!(digest(&tree.with_ids(), &filter).unwrap(), left);
    }
}

#[test]
fn the_first_match_is_a_file_and_ends_the_walk() {
    let tree = Memory::of(&["a/b/c.md", "a/d", "e/f", "openapi/g/h", "z"]);
    let first = |globs: Globs| {
        let search = FirstMatch::of(globs, "");
        digest(&tree, &search).unwrap();
        search.found().map(|(path, kind)| (path.to_string(), kind))
    };
    assert_eq!(first(globs(&["openapi"])), Some(("openapi/g/h".to_owned(), Kind::File)));
    assert_eq!(first(globs(&["**/*.md", "z"])), Some(("a/b/c.md".to_owned(), Kind::File)));
    assert_eq!(first(globs(&["OPENAPI/**", "nope"])), None);
    let found = first(Globs::of_any_case(["OPENAPI/**"]).unwrap());
    assert_eq!(found, Some(("openapi/g/h".to_owned(), Kind::File)));
}
