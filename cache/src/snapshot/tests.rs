use proptest::prelude::*;

use super::*;

struct Nothing;

impl Contents for Nothing {
    fn open(&self, _entry: &SnapshotEntry) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(io::empty()))
    }
}

fn snapshot(paths: &[&str]) -> Snapshot {
    let entry = |path: &&str| SnapshotEntry {
        path: (*path).into(),
        kind: Kind::File,
        id: ContentId::null(gix_hash::Kind::Sha1),
        size: 0,
        link: None,
    };
    Snapshot::new(paths.iter().map(entry).collect::<Vec<_>>(), Arc::new(Nothing))
}

#[test]
fn folder_comes_before_what_is_in_it_and_that_before_what_follows() {
    let paths = ["a", "a/b", "a/b/c", "a/b\u{1}", "a/bc", "a\u{1}", "a-b", "a.b", "a.b/c", "a0", "b"];
    let snapshot = snapshot(&paths);
    for path in paths {
        assert_eq!(snapshot.get(path.into()).unwrap().path, path);
    }
    for path in ["", "a/", "a/b/", "a/b/d", "c", "/a"] {
        assert_eq!(snapshot.get(path.into()), None, "{path}");
    }
}

#[test]
fn what_is_below_a_folder_is_one_piece() {
    let snapshot = snapshot(&["a", "a/b", "a/b/c", "a/bc", "a.b", "b"]);
    let below = |path: &str| {
        snapshot.below(path.into()).iter().map(|entry| entry.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(below("a"), ["a/b", "a/b/c", "a/bc"]);
    assert_eq!(below("a/b"), ["a/b/c"]);
    assert_eq!(below("b"), [""; 0]);
    assert_eq!(below("none"), [""; 0]);
    assert_eq!(below("").len(), 6);
}

#[test]
#[should_panic(expected = "order")]
#[cfg(debug_assertions)]
fn order_is_verified() {
    snapshot(&["a", "a.b", "a/b"]);
}

proptest! {
    #[test]
    fn order_is_that_of_the_components(left in "[a.-]{1,2}(/[a.-]{1,2}){0,2}", right in "[a.-]{1,2}(/[a.-]{1,2}){0,2}") {
        let components = left.split('/').collect::<Vec<_>>().cmp(&right.split('/').collect());
        prop_assert_eq!(by_component(left.as_str().into(), right.as_str().into()), components);
    }
}
