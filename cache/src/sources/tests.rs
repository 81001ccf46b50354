//! Selections against tables, and against the definition.

use std::collections::BTreeMap;

use bstr::ByteSlice as _;
use proptest::prelude::*;

use super::*;
use crate::ignore::Rules;
use crate::tree::memory::{Item, Memory, folders};
use crate::tree::{Both, ContentId, Everything, digest};

fn source(path: &str, reading: Reading) -> Source {
    Source { path: path.to_owned(), reading }
}

fn copy(path: &str) -> Source {
    source(path, Reading::Wildcards)
}

fn find(tree: &Memory, sources: &[Source]) -> Selection {
    Selection::find(tree, sources).unwrap()
}

fn walked(tree: &Memory, sources: &[Source]) -> String {
    tree.walked(&find(tree, sources)).join(" ")
}

/// A tree of these files, and of links `name -> text`.
fn linked(paths: &[&str]) -> Memory {
    let split = |path: &&str| path.split_once(" -> ").map(|(name, text)| (name.to_owned(), text.to_owned()));
    let links: Vec<_> = paths.iter().filter_map(split).collect();
    let mut tree =
        Memory::of(&paths.iter().map(|path| path.split(" -> ").next().unwrap()).collect::<Vec<_>>());
    for (name, text) in links {
        let mut item = &mut tree.root;
        for part in name.split('/') {
            let Item::Folder(items) = item else { panic!("{name}") };
            item = items.get_mut(part.as_bytes().as_bstr()).unwrap();
        }
        *item = Item::Leaf(Kind::Symlink, text.into_bytes());
    }
    tree
}

#[test]
fn sources_take_what_they_name() {
    let tree = Memory::of(&["a/b/c", "a/b/d.rs", "a/e.rs", "f.rs", "g", "h/", "[x]"]);
    let table = [
        ("a/b", "a/ a/b/ a/b/c a/b/d.rs"),
        ("a/b/c", "a/ a/b/ a/b/c"),
        ("*.rs", "f.rs"),
        ("*/*.rs", "a/ a/e.rs"),
        ("a/*", "a/ a/b/ a/b/c a/b/d.rs a/e.rs"),
        ("a*/b/?", "a/ a/b/ a/b/c"),
        ("**/c", ""),
        ("h", "h/"),
        ("none", ""),
        ("none*", ""),
        ("g/below", ""),
        ("[fg]*", "f.rs g"),
        ("[[]x]", "[x]"),
        ("\\[x\\]", "[x]"),
        (".", "[x] a/ a/b/ a/b/c a/b/d.rs a/e.rs f.rs g h/"),
    ];
    for (path, expected) in table {
        assert_eq!(walked(&tree, &[copy(path)]), expected, "{path}");
    }
    let parents = [
        ("**/*.rs", "a/ a/b/ a/b/d.rs a/e.rs f.rs"),
        ("a/**/c", "a/ a/b/ a/b/c"),
        ("a/**", "a/ a/b/ a/b/c a/b/d.rs a/e.rs"),
        ("a/x**", "a/ a/b/ a/b/c a/b/d.rs a/e.rs"),
        ("g", "g"),
    ];
    for (path, expected) in parents {
        assert_eq!(walked(&tree, &[source(path, Reading::Parents)]), expected, "{path}");
    }
    assert_eq!(walked(&tree, &[source("[x]", Reading::Literal)]), "[x]");
    assert_eq!(walked(&tree, &[copy("g"), copy("a/b/c")]), "a/ a/b/ a/b/c g");
    assert_eq!(walked(&tree, &[]), "");
}

#[test]
fn links_bring_what_they_lead_to() {
    let table: [(&[&str], &str, &str); 16] = [
        (&["l -> a", "a", "b"], "l", "a l"),
        (&["d/l -> ../a", "a", "b"], "d/l", "a d/ d/l"),
        (&["d/l -> /a", "a", "b"], "d/l", "a d/ d/l"),
        (&["d/l -> ../../../a", "a", "b"], "d/l", "a d/ d/l"),
        (&["l -> d", "d/a", "d/b"], "l/a", "d/ d/a l"),
        (&["l -> m", "m -> a", "a", "b"], "l", "a l m"),
        (&["l -> d", "d/m -> ../e", "e/x", "e/y", "d/z"], "l/m/x", "d/ d/m e/ e/x l"),
        (&["l1 -> a", "l2 -> b", "a", "b", "c"], "l*", "a b l1 l2"),
        (&["d1 -> e", "d2/x", "e/x", "e/y"], "d*/x", "d1 d2/ d2/x e/ e/x"),
        (&["l -> none", "a"], "l", "l"),
        (&["l -> l", "a"], "l", "l"),
        (&["l -> d", "d/a", "d/b"], "*/none", ""),
        (&["l -> l", "d/a", "b"], "*/a", "d/ d/a"),
        (&["d/l -> .", "d/a", "b"], "d/l/l/l/a", "d/ d/a d/l"),
        // In a folder that is copied, links are copied as they are.
        (&["d/l -> ../a", "a"], "d", "d/ d/l"),
        (&["l -> d/x/../y", "d/y", "a"], "l", "a d/ d/x/ d/x/z d/y l"),
    ];
    for (paths, path, expected) in table {
        let mut paths = paths.to_vec();
        if path == "l" && expected.contains("d/x/z") {
            paths.push("d/x/z");
        }
        assert_eq!(walked(&linked(&paths), &[copy(path)]), expected, "{paths:?} {path}");
    }
}

#[test]
fn what_cannot_be_told_widens_and_says_so() {
    let table: [(&[&str], Source, Widening); 5] = [
        (&["a"], source("a**b", Reading::Parents), Widening::Pattern),
        (&["a"], copy("[]a]"), Widening::Pattern),
        (&["l -> .", "a"], copy("l"), Widening::Root),
        (&["l -> d/../a", "a"], copy("l"), Widening::Winding),
        (&["l -> l/l", "a"], copy("l"), Widening::Links),
    ];
    for (paths, source, widening) in table {
        let tree = linked(paths);
        let selection = find(&tree, std::slice::from_ref(&source));
        assert_eq!(selection.widened().collect::<Vec<_>>(), [(0, widening)], "{source:?}");
        assert!(selection.is_whole(), "{source:?}");
        assert_eq!(tree.walked(&selection), tree.walked(&Everything), "{source:?}");
    }
}

#[test]
fn only_plain_paths_and_folders_can_be_missing() {
    let tree = linked(&["a/b", "l -> gone"]);
    let sources = [copy("a/c"), copy("c*"), copy("l"), copy("a/b/c"), copy("."), copy("a")];
    assert_eq!(find(&tree, &sources).missing().collect::<Vec<_>>(), [0, 3]);
    // A wildcard needs the folder before it, and nothing in that.
    let wildcards = ["c/*", "a/*.c", "a/b/*", "l/*", "a/c/d*/e", "c*/d", "c/\\*", "c\\d/*", "./*"];
    let selection = find(&tree, &wildcards.map(copy));
    assert_eq!(selection.missing().collect::<Vec<_>>(), [0, 4]);
    let parents =
        [source("c", Reading::Literal), source("c/**", Reading::Parents), source("c/*", Reading::Parents)];
    assert_eq!(find(&tree, &parents).missing().collect::<Vec<_>>(), [0]);
}

#[test]
fn readers_know_what_would_be_read() {
    let tree = linked(&["a/b", "l -> c/d", "c/d/e", "x.rs"]);
    let sources = [copy("a"), copy("l"), copy("*.rs"), copy("gone/file")];
    let selection = find(&tree, &sources);
    let table: [(&str, &[usize]); 8] = [
        ("a/b", &[0]),
        ("a/new/file", &[0]),
        ("l", &[1]),
        ("c/d/new", &[1]),
        ("c/other", &[]),
        ("deleted.rs", &[2]),
        ("gone", &[3]),
        ("README.md", &[]),
    ];
    for (path, expected) in table {
        assert_eq!(selection.readers(path.into()).collect::<Vec<_>>(), expected, "{path}");
        assert_eq!(selection.contains(path.into()), !expected.is_empty(), "{path}");
    }
    let selection = find(&tree, &[source("**/e", Reading::Parents)]);
    for (path, expected) in [("c/d/e", true), ("e/f", true), ("c/d", false), ("c/new/e", true), ("l", false)]
    {
        assert_eq!(selection.contains(path.into()), expected, "{path}");
    }
}

#[test]
fn a_folder_that_is_emptied_by_rules_stays() {
    let tree = Memory::of(&["src/a.o", "src/b", "other"]);
    let rules = Rules::parse(b"src/*").unwrap();
    let selection = find(&tree, &[copy("src")]);
    assert_eq!(tree.walked(&Both(rules, selection)), ["src/"]);
    let rules = Rules::parse(b"src\n!src/b").unwrap();
    assert_eq!(tree.walked(&Both(rules, find(&tree, &[copy("src")]))), ["src/", "src/b"]);
}

#[test]
fn folders_that_nothing_is_read_of_are_not_listed() {
    let tree = Memory::of(&["a/b/c", "d/e/f", "g/h"]).with_ids();
    let selection = find(&tree, &[copy("a/b/c"), copy("g")]);
    digest(&tree, &selection).unwrap();
    let listed = tree.listed.borrow();
    assert!(!listed.iter().any(|folder| folder.starts_with(b"d") || folder.starts_with(b"g")), "{listed:?}");
}

/// True if `name` matches `pattern`, by the definition, with recursion and nothing else.
fn naive_name(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            naive_name(rest, name) || (!name.is_empty() && naive_name(pattern, &name[1..]))
        }
        (['?', pattern @ ..], [_, name @ ..]) => naive_name(pattern, name),
        ([own, pattern @ ..], [other, name @ ..]) => own == other && naive_name(pattern, name),
        _ => false,
    }
}

fn naive(pattern: &[&str], names: &[&str], parents: bool) -> bool {
    match (pattern, names) {
        // All paths in a folder, and the folder with them: the folder's path ends in an empty name.
        (["**"], _) if parents => !names.is_empty(),
        // A match takes all paths below it.
        ([], _) => true,
        (["**", rest @ ..], _) if parents => {
            naive(rest, names, true) || (!names.is_empty() && naive(pattern, &names[1..], true))
        }
        ([own, pattern @ ..], [name, names @ ..]) => {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            !name.is_empty()
                && naive_name(&characters(own), &characters(name))
                && naive(pattern, names, parents)
        }
        _ => false,
    }
}

/// The folders of a tree, with a file for every leaf.
fn files(item: &Item) -> Item {
    match item {
        Item::Leaf(_, content) => Item::Leaf(Kind::File, content.clone()),
        Item::Folder(items) => {
            let named = |(name, _): &(&BString, &Item)| name.is_utf8();
            let items = items.iter().filter(named);
            Item::Folder(items.map(|(name, item)| (name.clone(), files(item))).collect::<BTreeMap<_, _>>())
        }
    }
}

fn pattern() -> impl Strategy<Value = Vec<&'static str>> {
    const PARTS: &[&str] = &["a", "a.b", "b", "a?b", "*", "a*", "*b", "?", "**", "\u{e9}"];
    prop::collection::vec(prop::sample::select(PARTS), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn selections_are_what_the_definition_says(tree in folders(), pattern in pattern(), parents: bool) {
        let tree = Memory::new(files(&tree.root));
        let reading = if parents { Reading::Parents } else { Reading::Wildcards };
        let selection = find(&tree, &[source(&pattern.join("/"), reading)]);
        prop_assert!(selection.widened().next().is_none());
        let all = tree.walked(&Everything);
        let read: Vec<&String> = all
            .iter()
            .filter(|path| naive(&pattern, &path.split('/').collect::<Vec<_>>(), parents))
            .collect();
        let expected: Vec<String> = all
            .iter()
            .filter(|path| read.contains(path) || (path.ends_with('/') && read.iter().any(|read| read.starts_with(*path))))
            .cloned()
            .collect();
        prop_assert_eq!(tree.walked(&selection), expected);
        for path in read {
            prop_assert!(selection.contains(path.trim_end_matches('/').into()), "{}", path);
        }
    }

    #[test]
    fn what_is_not_read_is_not_in_the_digest(tree in folders(), pattern in pattern()) {
        let sources = [copy(&pattern.join("/"))];
        let selection = find(&tree, &sources);
        let id = digest(&tree, &selection).unwrap();
        // The rest of the tree is all that a build needs, links and the paths they lead to.
        let Some(left) = tree.filtered(&selection) else {
            prop_assert_eq!(id, ContentId::empty_tree(gix_hash::Kind::Sha1));
            return Ok(());
        };
        prop_assert_eq!(digest(&left, &Everything).unwrap(), id);
        prop_assert_eq!(digest(&left, &find(&left, &sources)).unwrap(), id);
    }
}

#[test]
fn submodule_counts_whole_for_a_source_in_it() {
    let tree = || {
        let submodule = Item::Leaf(Kind::Submodule, vec![7; 20]);
        Memory::new(Item::Folder(
            [("a".into(), Item::Leaf(Kind::File, vec![])), ("sub".into(), submodule)].into(),
        ))
    };
    for (path, widened) in
        [("sub", None), ("sub/x/y", Some(Widening::Submodule)), ("s*/x", Some(Widening::Submodule))]
    {
        let selection = Selection::find(&tree(), &[copy(path)]).unwrap();
        assert_eq!(tree().walked(&selection), ["sub"], "{path}");
        assert_eq!(selection.widened().map(|(_, why)| why).next(), widened, "{path}");
        // The submodule cannot be looked into, so nothing is known to be missing.
        assert_eq!(selection.missing().count(), 0, "{path}");
    }
}
