use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;

const SHA1: gix_hash::Kind = gix_hash::Kind::Sha1;

fn id(byte: u8) -> ContentId {
    ContentId::try_from(&[byte; 20][..]).unwrap()
}

/// Of a file that was last touched a minute ago.
fn at_rest() -> Stat {
    let folder = tempfile::tempdir().unwrap();
    let stat = Stat::of(&fs::symlink_metadata(folder.path()).unwrap());
    let past = stat.taken - 60 * SECOND - 1;
    Stat { size: 7, mtime: past, ctime: past, inode: 3, mode: 0o100_644, taken: stat.taken }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("new/stat")
    }

    fn load(&self) -> StatCache {
        StatCache::load(self.file(), SHA1)
    }
}

#[test]
fn file_that_did_not_change_is_known_in_the_next_run() {
    let place = Place::new();
    let cache = place.load();
    let stat = at_rest();
    assert_eq!(cache.lookup("a/b".into(), &stat), None);
    cache.record("a/b".into(), stat, id(1));
    cache.record(BStr::new(b"\xFF"), stat, id(2));
    assert_eq!(cache.lookup("a/b".into(), &stat), Some(id(1)), "in the same run");
    cache.save().unwrap();

    let cache = place.load();
    assert_eq!(cache.lookup("a/b".into(), &stat), Some(id(1)));
    assert_eq!(cache.lookup(BStr::new(b"\xFF"), &stat), Some(id(2)));
    assert_eq!(cache.lookup("a".into(), &stat), None);
}

#[test]
fn any_difference_is_a_change() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    cache.record("a".into(), stat, id(1));
    cache.save().unwrap();
    for cache in [cache, place.load()] {
        for (field, other) in [
            ("size", Stat { size: 8, ..stat }),
            ("mtime", Stat { mtime: stat.mtime - 1, ..stat }),
            ("ctime", Stat { ctime: stat.ctime - 1, ..stat }),
            ("inode", Stat { inode: 4, ..stat }),
            ("mode", Stat { mode: 0o100_755, ..stat }),
        ] {
            assert_eq!(cache.lookup("a".into(), &other), None, "{field}");
        }
        assert_eq!(cache.lookup("a".into(), &Stat { taken: 0, ..stat }), Some(id(1)));
    }
}

#[test]
fn racy_file_is_not_noted() {
    let cache = Place::new().load();
    let rest = at_rest();
    let now = rest.taken;
    for (what, stat, noted) in [
        ("at rest", rest, true),
        ("modified within the last ticks", Stat { mtime: now - 1_000_001, ..rest }, false),
        ("changed within the last ticks", Stat { ctime: now - 1_000_001, ..rest }, false),
        ("modified before", Stat { mtime: now - 2 * TICKS, ..rest }, true),
        ("modified in the future", Stat { mtime: now + 60 * SECOND + 1, ..rest }, false),
    ] {
        cache.record(what.into(), stat, id(1));
        assert_eq!(cache.lookup(what.into(), &stat).is_some(), noted, "{what}");
    }
    // Stamps without a fraction may be those of a file system that has none.
    let second = now / SECOND * SECOND;
    let coarse = Stat { mtime: second - SECOND, taken: now, ..rest };
    cache.record("coarse".into(), coarse, id(1));
    assert_eq!(cache.lookup("coarse".into(), &coarse), None);
    let coarse = Stat { mtime: second - 4 * SECOND, ..coarse };
    cache.record("coarse".into(), coarse, id(1));
    assert_eq!(cache.lookup("coarse".into(), &coarse), Some(id(1)));
}

#[test]
fn note_that_is_not_older_than_the_file_is_distrusted() {
    let place = Place::new();
    let cache = place.load();
    let stat = at_rest();
    cache.record("a".into(), stat, id(1));
    cache.save().unwrap();
    let older = UNIX_EPOCH + Duration::from_nanos(u64::try_from(stat.mtime).unwrap());
    fs::File::options().append(true).open(place.file()).unwrap().set_modified(older).unwrap();
    assert_eq!(place.load().lookup("a".into(), &stat), None);
}

#[test]
fn damaged_or_foreign_file_is_an_empty_cache() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    cache.record("a".into(), stat, id(1));
    cache.record("b".into(), stat, id(2));
    cache.save().unwrap();
    let whole = fs::read(place.file()).unwrap();
    assert_eq!(StatCache::load(place.file(), gix_hash::Kind::Sha256).lookup("a".into(), &stat), None);
    for place_of_damage in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place_of_damage] ^= 1;
        assert!(Notes::decode(damaged, SHA1).is_none(), "byte {place_of_damage}");
        assert!(Notes::decode(whole[..place_of_damage].to_vec(), SHA1).is_none(), "cut at {place_of_damage}");
    }
    fs::write(place.file(), b"something else").unwrap();
    let cache = place.load();
    assert_eq!(cache.lookup("a".into(), &stat), None);
    cache.record("a".into(), stat, id(3));
    cache.save().unwrap();
    assert_eq!(place.load().lookup("a".into(), &stat), Some(id(3)));
}

#[test]
fn nothing_is_written_unless_something_is_new() {
    let place = Place::new();
    place.load().save().unwrap();
    assert!(!place.file().exists());
    let stat = at_rest();
    let cache = place.load();
    cache.record("a".into(), stat, id(1));
    cache.save().unwrap();
    fs::remove_file(place.file()).unwrap();
    cache.save().unwrap();
    assert!(!place.file().exists());
}

#[test]
fn note_that_is_of_no_use_is_dropped_after_a_while() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    cache.record("unused".into(), stat, id(1));
    cache.record("used".into(), stat, id(2));
    cache.save().unwrap();
    for run in 0..PATIENCE {
        let cache = place.load();
        assert!(cache.notes.find("unused".into()).is_some(), "run {run}");
        assert_eq!(cache.lookup("used".into(), &stat), Some(id(2)));
        cache.record("new".into(), Stat { size: run.into(), ..stat }, id(run));
        cache.save().unwrap();
    }
    let cache = place.load();
    assert_eq!(cache.lookup("unused".into(), &stat), None);
    assert_eq!(cache.lookup("used".into(), &stat), Some(id(2)));
}

#[test]
fn stat_tells_a_change_of_content_and_of_mode() {
    let place = Place::new();
    let path = place.0.path().join("file");
    let stat = || Stat::of(&fs::symlink_metadata(&path).unwrap());
    fs::write(&path, "one").unwrap();
    let first = stat();
    assert!(first.says(&stat()));
    assert_eq!(first.size, 3);
    fs::write(&path, "three").unwrap();
    let second = stat();
    assert!(!first.says(&second));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!second.says(&stat()));
}

#[test]
fn threads_share_a_cache() {
    let cache = Place::new().load();
    let stat = at_rest();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let cache = &cache;
            scope.spawn(move || {
                for number in 0..100u64 {
                    let path = BString::from(format!("{thread}/{number}"));
                    cache.record(path.as_ref(), Stat { size: number, ..stat }, id(thread));
                    assert_eq!(cache.lookup(path.as_ref(), &Stat { size: number, ..stat }), Some(id(thread)));
                }
            });
        }
    });
    assert_eq!(cache.fresh().notes.len(), 400);
}

proptest! {
    #[test]
    fn what_is_written_is_read(notes in btree_map("[a-c/]{0,4}", (any::<u64>(), any::<u32>(), any::<u8>()), 0..20)) {
        let stat = |size: u64, mode: u32| Stat { size, mode, mtime: -1, ctime: i64::MAX, inode: size ^ 1, taken: 0 };
        let given: Vec<(&BStr, Note)> = notes
            .iter()
            .map(|(path, &(size, mode, byte))| (path.as_str().into(), Note { stat: stat(size, mode), id: id(byte), idle: byte }))
            .collect();
        let read = Notes::decode(file::encode(&given, SHA1), SHA1).unwrap();
        prop_assert_eq!(read.len(), given.len());
        for ((path, note), (read_path, read_note)) in given.into_iter().zip(read.iter()) {
            prop_assert_eq!(path, read_path);
            prop_assert!(note.stat.says(&read_note.stat));
            prop_assert_eq!((note.id, note.idle), (read_note.id, read_note.idle));
            prop_assert!(read.find(path).is_some());
        }
    }
}
