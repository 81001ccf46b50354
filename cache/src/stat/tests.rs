use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;

const SHA1: gix_hash::Kind = gix_hash::Kind::Sha1;

fn id(byte: u8) -> ContentId {
    ContentId::try_from(&[byte; 20][..]).unwrap()
}

/// The state of a file that was last touched a minute ago.
fn at_rest() -> Stat {
    let folder = tempfile::tempdir().unwrap();
    let stat = Stat::of(&fs::symlink_metadata(folder.path()).unwrap());
    let past = stat.taken - 60 * SECOND - 1;
    Stat { size: 7, mtime: past, ctime: past, inode: 3, mode: 0o100_644, taken: stat.taken }
}

/// A path's folder and name, as the cache is asked about it.
fn split(path: &[u8]) -> (&BStr, &BStr) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(end) => (BStr::new(&path[..end]), BStr::new(&path[end + 1..])),
        None => (BStr::new(""), BStr::new(path)),
    }
}

fn look_up(cache: &StatCache, path: impl AsRef<[u8]>, stat: &Stat) -> Option<ContentId> {
    let (folder, name) = split(path.as_ref());
    cache.folder(folder).lookup(name, Form::Bytes, stat)
}

fn record(cache: &StatCache, path: impl AsRef<[u8]>, stat: Stat, id: ContentId) {
    let (folder, name) = split(path.as_ref());
    cache.record(folder, name, Form::Bytes, stat, id);
}

fn code() -> Fingerprint {
    Fingerprint::of("the code under test")
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("new")
    }

    fn file(&self) -> PathBuf {
        code().folder(&self.folder()).file(FILE)
    }

    fn load(&self) -> StatCache {
        StatCache::load(&self.folder(), &code(), SHA1)
    }
}

#[test]
fn file_that_did_not_change_is_known_in_the_next_run() {
    let place = Place::new();
    let cache = place.load();
    let stat = at_rest();
    assert_eq!(look_up(&cache, "a/b", &stat), None);
    record(&cache, "a/b", stat, id(1));
    record(&cache, b"\xFF", stat, id(2));
    assert_eq!(look_up(&cache, "a/b", &stat), Some(id(1)), "in the same run");
    cache.save().unwrap();

    let cache = place.load();
    assert_eq!(look_up(&cache, "a/b", &stat), Some(id(1)));
    assert_eq!(look_up(&cache, b"\xFF", &stat), Some(id(2)));
    assert_eq!(look_up(&cache, "a", &stat), None);
}

#[test]
fn any_difference_is_a_change() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    record(&cache, "a", stat, id(1));
    cache.save().unwrap();
    for cache in [cache, place.load()] {
        for (field, other) in [
            ("size", Stat { size: 8, ..stat }),
            ("mtime", Stat { mtime: stat.mtime - 1, ..stat }),
            ("ctime", Stat { ctime: stat.ctime - 1, ..stat }),
            ("inode", Stat { inode: 4, ..stat }),
            ("mode", Stat { mode: 0o100_755, ..stat }),
        ] {
            assert_eq!(look_up(&cache, "a", &other), None, "{field}");
        }
        assert_eq!(look_up(&cache, "a", &Stat { taken: 0, ..stat }), Some(id(1)));
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
        record(&cache, what, stat, id(1));
        assert_eq!(look_up(&cache, what, &stat).is_some(), noted, "{what}");
    }
    // Time stamps without a fraction may be those of a file system that has no fractions.
    let second = now / SECOND * SECOND;
    let coarse = Stat { mtime: second - SECOND, taken: now, ..rest };
    record(&cache, "coarse", coarse, id(1));
    assert_eq!(look_up(&cache, "coarse", &coarse), None);
    let coarse = Stat { mtime: second - 4 * SECOND, ..coarse };
    record(&cache, "coarse", coarse, id(1));
    assert_eq!(look_up(&cache, "coarse", &coarse), Some(id(1)));
}

#[test]
fn note_that_is_not_older_than_the_file_is_distrusted() {
    let place = Place::new();
    let cache = place.load();
    let stat = at_rest();
    record(&cache, "a", stat, id(1));
    cache.save().unwrap();
    let older = UNIX_EPOCH + Duration::from_nanos(u64::try_from(stat.mtime).unwrap());
    fs::File::options().append(true).open(place.file()).unwrap().set_modified(older).unwrap();
    assert_eq!(look_up(&place.load(), "a", &stat), None);
}

#[test]
fn damaged_or_foreign_file_is_an_empty_cache() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    record(&cache, "a", stat, id(1));
    record(&cache, "b", stat, id(2));
    cache.save().unwrap();
    let whole = fs::read(place.file()).unwrap();
    assert_eq!(look_up(&StatCache::load(&place.folder(), &code(), gix_hash::Kind::Sha256), "a", &stat), None);
    for place_of_damage in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place_of_damage] ^= 1;
        assert!(Notes::decode(damaged, SHA1).is_none(), "byte {place_of_damage}");
        assert!(Notes::decode(whole[..place_of_damage].to_vec(), SHA1).is_none(), "cut at {place_of_damage}");
    }
    fs::write(place.file(), b"something else").unwrap();
    let cache = place.load();
    assert_eq!(look_up(&cache, "a", &stat), None);
    record(&cache, "a", stat, id(3));
    cache.save().unwrap();
    assert_eq!(look_up(&place.load(), "a", &stat), Some(id(3)));
}

#[test]
fn nothing_is_written_unless_something_is_new() {
    let place = Place::new();
    place.load().save().unwrap();
    assert!(!place.file().exists());
    let stat = at_rest();
    let cache = place.load();
    record(&cache, "a", stat, id(1));
    cache.save().unwrap();
    fs::remove_file(place.file()).unwrap();
    cache.save().unwrap();
    assert!(!place.file().exists());
}

/// The paths of the notes that were read from the file.
fn noted(cache: &StatCache) -> impl Iterator<Item = String> {
    let paths = move |folder: usize| {
        let (path, numbers) = (cache.notes.path(folder).unwrap(), cache.notes.numbers(folder).unwrap());
        numbers.map(move |number| format!("{path}/{}", cache.notes.name(number).unwrap()))
    };
    (0..cache.notes.folders()).flat_map(paths).map(|path| path.trim_start_matches('/').to_owned())
}

#[test]
fn note_that_is_of_no_use_is_dropped_after_a_while() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    record(&cache, "unused", stat, id(1));
    record(&cache, "used", stat, id(2));
    cache.save().unwrap();
    for run in 0..PATIENCE {
        let cache = place.load();
        assert!(noted(&cache).any(|name| name == "unused"), "run {run}");
        assert_eq!(look_up(&cache, "used", &stat), Some(id(2)));
        record(&cache, "new", Stat { size: run.into(), ..stat }, id(run));
        cache.save().unwrap();
    }
    let cache = place.load();
    assert_eq!(look_up(&cache, "unused", &stat), None);
    assert_eq!(look_up(&cache, "used", &stat), Some(id(2)));
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
                    record(cache, &path, Stat { size: number, ..stat }, id(thread));
                    assert_eq!(look_up(cache, &path, &Stat { size: number, ..stat }), Some(id(thread)));
                }
            });
        }
    });
    assert_eq!(cache.fresh().notes.values().map(HashMap::len).sum::<usize>(), 400);
}

#[test]
fn pointer_is_not_taken_for_the_bytes() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    cache.record("a".into(), "model".into(), Form::Pointer, stat, id(1));
    cache.save().unwrap();
    for cache in [cache, place.load()] {
        let mut notes = cache.folder("a".into());
        assert_eq!(notes.lookup("model".into(), Form::Bytes, &stat), None);
        assert_eq!(notes.lookup("model".into(), Form::Pointer, &stat), Some(id(1)));
    }
}

#[test]
fn notes_of_other_code_are_none() {
    let place = Place::new();
    let (cache, stat) = (place.load(), at_rest());
    record(&cache, "a", stat, id(1));
    cache.save().unwrap();
    let other = StatCache::load(&place.folder(), &Fingerprint::of("other code"), SHA1);
    assert_eq!(look_up(&other, "a", &stat), None);
    assert_eq!(look_up(&place.load(), "a", &stat), Some(id(1)));
}

#[test]
fn files_of_a_folder_are_found_in_any_order() {
    let place = Place::new();
    let stat = at_rest();
    let cache = place.load();
    let paths = ["a/b/x", "a/b/y", "a/b/z", "a/b.c/x", "a/b0/x", "a/x", "x"];
    for (path, byte) in paths.into_iter().zip(1..) {
        record(&cache, path, stat, id(byte));
    }
    cache.save().unwrap();
    let cache = place.load();
    for (path, byte) in paths.into_iter().zip(1..) {
        assert_eq!(look_up(&cache, path, &stat), Some(id(byte)), "{path}");
    }
    let mut notes = cache.folder("a/b".into());
    for (name, found) in
        [("y", Some(id(2))), ("z", Some(id(3))), ("x", Some(id(1))), ("w", None), ("z", Some(id(3)))]
    {
        assert_eq!(notes.lookup(name.into(), Form::Bytes, &stat), found, "{name}");
    }
}

fn names(cache: &StatCache, folder: &str, stat: &Stat) -> Option<Vec<(String, bool)>> {
    let notes = cache.folder(folder.into());
    let names = notes.names(stat)?;
    Some(names.map(|(name, is_folder)| (name.to_string(), is_folder)).collect())
}

#[test]
fn names_in_a_folder_that_did_not_change_are_known() {
    let place = Place::new();
    let stat = Stat { mode: 0o40_755, ..at_rest() };
    let cache = place.load();
    let given = [("b", true), ("a.txt", false)];
    cache.record_names("x/y".into(), stat, given.map(|(name, is_folder)| (name.into(), is_folder)));
    cache.record_names("empty".into(), stat, []);
    record(&cache, "x/y/a.txt", stat, id(1));
    cache.save().unwrap();
    let cache = place.load();
    let given = given.map(|(name, is_folder)| (name.to_owned(), is_folder));
    assert_eq!(names(&cache, "x/y", &stat).as_deref(), Some(&given[..]));
    assert_eq!(names(&cache, "empty", &stat), Some(Vec::new()));
    assert_eq!(names(&cache, "x", &stat), None);
    assert_eq!(look_up(&cache, "x/y/a.txt", &stat), Some(id(1)));
    for (field, other) in [
        ("mtime", Stat { mtime: stat.mtime - 1, ..stat }),
        ("ctime", Stat { ctime: stat.ctime - 1, ..stat }),
        ("inode", Stat { inode: 4, ..stat }),
    ] {
        assert_eq!(names(&cache, "x/y", &other), None, "{field}");
    }
}

#[test]
fn names_in_a_folder_that_changed_a_moment_ago_are_not_noted() {
    let place = Place::new();
    let stat = Stat { mode: 0o40_755, ..at_rest() };
    let cache = place.load();
    cache.record_names("racy".into(), Stat { mtime: stat.taken - 1_000_001, ..stat }, []);
    cache.save().unwrap();
    assert!(!place.file().exists());
    // Names are not trusted either if the file that holds them is not newer than the folder.
    cache.record_names("rests".into(), stat, []);
    cache.save().unwrap();
    let older = UNIX_EPOCH + Duration::from_nanos(u64::try_from(stat.mtime).unwrap());
    fs::File::options().append(true).open(place.file()).unwrap().set_modified(older).unwrap();
    assert_eq!(names(&place.load(), "rests", &stat), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read(notes in btree_map(("[a-c/]{0,3}", "[a-c]{1,3}"), (any::<u64>(), any::<u32>(), any::<u8>()), 0..20)) {
        let stat = |size: u64, mode: u32| Stat { size, mode, mtime: -1, ctime: i64::MAX, inode: size ^ 1, taken: 0 };
        let form = |byte: u8| if byte.is_multiple_of(2) { Form::Bytes } else { Form::Pointer };
        let mut given: BTreeMap<&BStr, OfFolder<'_>> = BTreeMap::new();
        for ((folder, name), &(size, mode, byte)) in &notes {
            let note = Note { stat: stat(size, mode), form: form(byte), id: id(byte), idle: byte };
            given.entry(folder.as_str().into()).or_default().notes.insert(name.as_str().into(), note);
        }
        let read = Notes::decode(file::encode(&given, SHA1).unwrap(), SHA1).unwrap();
        prop_assert_eq!((read.len(), read.folders()), (notes.len(), given.len()));
        for (folder, of_folder) in given {
            let found = read.find_folder(folder).unwrap();
            prop_assert!(read.names(found).is_none());
            for (name, note) in of_folder.notes {
                let number = read.find(read.numbers(found).unwrap(), name).unwrap();
                let read_note = read.note(number).unwrap();
                prop_assert_eq!(read.name(number), Some(name));
                prop_assert!(note.stat.says(&read_note.stat));
                prop_assert_eq!((note.form, note.id, note.idle), (read_note.form, read_note.id, read_note.idle));
            }
        }
    }
}
