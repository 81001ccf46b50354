use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::memory::{Item, Memory, blob, folders};
use super::*;
use crate::ignore::Rules;

fn rules(text: &str) -> Rules {
    Rules::parse(text.as_bytes()).unwrap()
}

/// Asserts that `rules` leave exactly `left` of `paths`, which are files and, with a slash at the end,
/// folders.
fn check(paths: &[&str], text: &str, left: &[&str]) {
    let rules = rules(text);
    let expected = digest(&Memory::of(left), &Everything).unwrap();
    assert_eq!(digest(&Memory::of(paths), &rules).unwrap(), expected, "read, by {text:?}");
    assert_eq!(digest(&Memory::of(paths).with_ids(), &rules).unwrap(), expected, "by ids, by {text:?}");
    assert_eq!(Memory::of(paths).walked(&rules), Memory::of(left).walked(&Everything), "walked, by {text:?}");
}

#[test]
fn folder_without_anything_is_the_empty_tree() {
    let empty = ContentId::empty_tree(gix_hash::Kind::Sha1);
    assert_eq!(digest(&Memory::of(&[]), &Everything).unwrap(), empty);
    assert_eq!(digest(&Memory::of(&["a", "b/c"]), &rules("*")).unwrap(), empty);
    assert_eq!(empty.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
}

#[test]
fn emptied_folder_stays_and_excluded_folder_goes() {
    check(&["a/b", "c"], "a/b", &["a/", "c"]);
    check(&["a/b", "c"], "a/**", &["a/", "c"]);
    check(&["a/b/c", "d"], "**/c", &["a/b/", "d"]);
    check(&["a/b", "c"], "a", &["c"]);
    check(&["a/b/c", "d"], "a/b", &["a/", "d"]);
}

#[test]
fn excluded_folder_is_there_for_what_is_included_again() {
    check(&["a/b", "a/c", "d"], "a\n!a/b", &["a/b", "d"]);
    check(&["a/b/c", "a/b/d", "a/e"], "a\n!a/b/c", &["a/b/c"]);
    check(&["a/b/c", "d"], "*\n!a/b\na/b/c", &["a/b/"]);
    check(&["a/b", "c"], "*\n!a/d", &[]);
    check(&["a/b/c.go", "a/b/c.md", "a/d.md"], "*\n!**/*.go", &["a/b/c.go"]);
}

#[test]
fn folder_that_no_rule_reaches_is_not_read() {
    let tree = Memory::of(&["a/b/c", "a/d", "e/f", "node_modules/g/h"]).with_ids();
    digest(&tree, &rules("node_modules\ne/f\nx/**\n*.md")).unwrap();
    assert_eq!(tree.listed.take(), ["", "e"]);
    digest(&tree, &Everything).unwrap();
    assert_eq!(tree.listed.take(), [""]);
}

#[test]
fn submodule_counts_if_a_rule_reaches_into_it() {
    let tree = || {
        let submodule = Item::Leaf(Kind::Submodule, vec![7; 20]);
        Memory::new(Item::Folder([("sub".into(), submodule)].into()))
    };
    let whole = digest(&tree(), &Everything).unwrap();
    assert_eq!(digest(&tree(), &rules("sub\n!sub/a")).unwrap(), whole);
    assert_eq!(digest(&tree(), &rules("sub/a")).unwrap(), whole);
    assert_eq!(tree().walked(&rules("sub\n!sub/a")), ["sub"]);
    assert_eq!(digest(&tree(), &rules("sub")).unwrap(), ContentId::empty_tree(gix_hash::Kind::Sha1));
}

#[test]
fn both_filters_must_include() {
    let both = Both(rules("a\n!a/b"), rules("a/c\n**/x"));
    let tree = Memory::of(&["a/b/x", "a/b/y", "a/c", "d/x", "e"]);
    assert_eq!(tree.walked(&both), ["a/", "a/b/", "a/b/y", "d/", "e"]);
    let both = Both(rules("*\n!a/b"), rules("*\n!a/c"));
    assert_eq!(tree.walked(&both), Vec::<String>::new());
    assert_eq!(digest(&tree, &both).unwrap(), ContentId::empty_tree(gix_hash::Kind::Sha1));
}

/// A folder `a` with the file `a/b`, and ids that no hash function gave them.
struct Marked;

impl Tree for Marked {
    type Error = std::convert::Infallible;

    fn hash_kind(&self) -> gix_hash::Kind {
        gix_hash::Kind::Sha1
    }

    fn list(&self, path: &BStr, _id: Option<ContentId>) -> Result<Vec<Node>, Self::Error> {
        let (name, kind) = if path.is_empty() { ("a", Kind::Folder) } else { ("b", Kind::File) };
        Ok(vec![Node { name: name.into(), kind, id: Some(ContentId::from([7; 20])) }])
    }

    fn identify(&self, _path: &BStr, node: &Node) -> Result<ContentId, Self::Error> {
        Ok(node.id.unwrap())
    }

    fn link(&self, _path: &BStr, _node: &Node) -> Result<BString, Self::Error> {
        Ok(BString::default())
    }
}

#[test]
fn folder_of_which_all_is_left_keeps_its_id() {
    let whole = digest(&Marked, &Everything).unwrap();
    assert_eq!(digest(&Marked, &rules("a/c")).unwrap(), whole, "`a` was looked at");
    assert_ne!(digest(&Marked, &rules("a/b")).unwrap(), whole);
}

/// One folder in another, so deep that recursion would overflow the stack.
struct Deep(usize);

impl Tree for Deep {
    type Error = std::convert::Infallible;

    fn hash_kind(&self) -> gix_hash::Kind {
        gix_hash::Kind::Sha1
    }

    fn list(&self, path: &BStr, _id: Option<ContentId>) -> Result<Vec<Node>, Self::Error> {
        let kind = if path.len() < 2 * self.0 { Kind::Folder } else { Kind::File };
        Ok(vec![Node { name: "d".into(), kind, id: None }])
    }

    fn identify(&self, _path: &BStr, _node: &Node) -> Result<ContentId, Self::Error> {
        Ok(blob(b"", self.hash_kind()))
    }

    fn link(&self, _path: &BStr, _node: &Node) -> Result<BString, Self::Error> {
        Ok(BString::default())
    }
}

#[test]
fn depth_is_not_limited() {
    let tree = Deep(20_000);
    digest(&tree, &Everything).unwrap();
    digest(&tree, &rules("**/x")).unwrap();
    let mut visits = 0;
    let count = |_: &BStr, _: &Node| {
        visits += 1;
        Ok(())
    };
    walk(&tree, &rules("d\n!**/d/d/d"), count).unwrap();
    assert_eq!(visits, 20_002);
}

/// A tree that lists these names in its root.
struct Names(&'static [&'static str]);

impl Tree for Names {
    type Error = std::io::Error;

    fn hash_kind(&self) -> gix_hash::Kind {
        gix_hash::Kind::Sha1
    }

    fn list(&self, path: &BStr, _id: Option<ContentId>) -> Result<Vec<Node>, Self::Error> {
        assert_eq!(path, "");
        let node = |name: &&str| Node { name: (*name).into(), kind: Kind::File, id: None };
        Ok(self.0.iter().map(node).collect())
    }

    fn identify(&self, _path: &BStr, _node: &Node) -> Result<ContentId, Self::Error> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn link(&self, _path: &BStr, _node: &Node) -> Result<BString, Self::Error> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

#[test]
fn names_that_no_file_can_have_are_errors() {
    for names in [&[""][..], &["."], &[".."], &["a/b"], &["a\0"], &["a", "b", "a"]] {
        assert!(matches!(digest(&Names(names), &Everything), Err(Error::Name { .. })), "{names:?}");
        assert!(
            matches!(walk(&Names(names), &Everything, |_, _| Ok(())), Err(Error::Name { .. })),
            "{names:?}"
        );
    }
    let error = digest(&Names(&["a"]), &Everything).unwrap_err();
    assert_eq!(error.to_string(), "failed to read `a` of the input tree");
}

/// The tree id that `git write-tree` gives for the paths that a walk finds.
fn written_by_git(tree: &Memory) -> String {
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new("git");
        command.args(arguments).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("GIT_DIR", folder.path().join("git")).env("GIT_CONFIG_NOSYSTEM", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut index = Vec::new();
    walk(tree, &Everything, |path, node| {
        let mode = match node.kind {
            Kind::File => "100644",
            Kind::Executable => "100755",
            Kind::Symlink => "120000",
            Kind::Submodule => "160000",
            Kind::Folder => return Ok(()),
        };
        let id = tree.identify(path, node)?;
        index.extend_from_slice(format!("{mode} {id}\t").as_bytes());
        index.extend_from_slice(path);
        index.push(0);
        Ok(())
    })
    .unwrap();
    git(&["init", "-q", "--bare", &format!("--object-format={}", tree.hash_kind)], b"");
    git(&["update-index", "-z", "--index-info"], &index);
    git(&["write-tree", "--missing-ok"], b"")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn digest_is_what_git_writes(tree in folders(), sha256: bool, submodule: bool) {
        let mut tree = tree;
        if sha256 {
            tree.hash_kind = gix_hash::Kind::Sha256;
        }
        if let (Item::Folder(items), true) = (&mut tree.root, submodule) {
            items.insert("a\u{7f}".into(), Item::Leaf(Kind::Submodule, vec![5; 20]));
        }
        prop_assert_eq!(digest(&tree, &Everything).unwrap().to_string(), written_by_git(&tree));
    }
}

/// Rules over the names of [`folders`].
fn any_rules() -> impl Strategy<Value = Rules> {
    let name = prop::sample::select(vec!["a", "b", "*", "**", "a*", "a.b", "?b", ".a"]);
    let pattern = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let line = (prop::bool::weighted(0.4), pattern)
        .prop_map(|(not, pattern)| (if not { "!" } else { "" }).to_owned() + &pattern);
    prop::collection::vec(line, 0..5).prop_map(|lines| rules(&lines.join("\n")))
}

proptest! {
    #[test]
    fn order_of_listing_does_not_matter(tree in folders(), rules in any_rules()) {
        let forwards = (digest(&tree, &rules).unwrap(), tree.walked(&rules));
        let tree = Memory { backwards: true, ..tree };
        prop_assert_eq!((digest(&tree, &rules).unwrap(), tree.walked(&rules)), forwards);
    }

    #[test]
    fn digest_is_that_of_the_filtered_tree(tree in folders(), rules in any_rules()) {
        let left = tree.filtered(&rules).unwrap();
        let expected = digest(&left, &Everything).unwrap();
        prop_assert_eq!(digest(&tree, &rules).unwrap(), expected);
        prop_assert_eq!(tree.walked(&rules), left.walked(&Everything));
        let tree = tree.with_ids();
        prop_assert_eq!(digest(&tree, &rules).unwrap(), expected);
    }

    #[test]
    fn rule_that_matches_nothing_changes_nothing(tree in folders(), rules in any_rules()) {
        let more = Both(rules, self::rules("none\n**/none/*\n!none\n[z]/**"));
        prop_assert_eq!(digest(&tree, &more).unwrap(), digest(&tree, &more.0).unwrap());
    }

    #[test]
    fn both_leaves_what_one_leaves_of_the_other(tree in folders(), left in any_rules(), right in any_rules()) {
        let both = Both(left, right);
        let files = |paths: Vec<String>| paths.into_iter().filter(|path| !path.ends_with('/')).collect::<Vec<_>>();
        let one_by_one = tree.filtered(&both.0).map(|tree| files(tree.walked(&both.1)));
        prop_assert_eq!(Some(files(tree.walked(&both))), one_by_one);
    }
}
