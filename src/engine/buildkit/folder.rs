//! Folders as BuildKit's file sync sees them: lists of stats. Start with [`stat`] and [`Selection`].
//!
//! The engine keeps the copy of a folder that the last build sent, and asks only for files whose stat differs
//! from the copy's: type, permissions, owner, size, modification time, link. *Equal stats with different
//! contents would build stale files.* A [`Snapshot`] has no times, so each file gets a time that is made from
//! its content id ([`time_of`]): different contents have different times, and equal contents have equal times
//! on every machine. BuildKit's own cache leaves times out of its checksums, so they cannot cause a rebuild.

use std::sync::Arc;

use bollard_buildkit_proto::fsutil::types::Stat;
use bstr::{BStr, BString, ByteSlice};
use dtbuild_content::snapshot::{Contents, Snapshot, SnapshotEntry};
use dtbuild_content::tree::{ContentId, Kind};

/// Go's `fs.ModeDir`: the protocol carries the bits of Go's `FileMode`, not those of Unix.
const GO_FOLDER: u32 = 1 << 31;
/// Go's `fs.ModeSymlink`.
const GO_SYMLINK: u32 = 1 << 27;

/// The earliest modification time, in seconds since 1970: 2000-01-01T00:00:00Z, after the epochs of zip and
/// tar, before any clock that could call it the future.
const EPOCH: i64 = 946_684_800;
/// The range of the modification times, in seconds: 2^28, eight and a half years.
const SECONDS: u64 = 1 << 28;
const NANOSECONDS: i64 = 1_000_000_000;

/// The name that the engine always has for the main context.
pub(super) const CONTEXT: &str = "context";
/// The name under which the Dockerfile is sent, whatever the user calls it.
pub(super) const DOCKERFILE: &str = "Dockerfile";

/// The part of a folder that is sent: indices into the snapshot's entries, in the snapshot's order.
pub(super) struct Selection {
    snapshot: Snapshot,
    indices: Vec<usize>,
}

impl Selection {
    /// The part of `snapshot` that a build needs which follows `paths`; all of `snapshot` if there are no
    /// paths.
    ///
    /// The engine asks for the paths that the Dockerfile copies. Sending more is always right and sending
    /// less never is, so a wildcard selects the folder that it is in, and where links are involved everything
    /// is sent.
    pub(super) fn new(snapshot: Snapshot, paths: &[BString]) -> Self {
        let roots: Option<Vec<Vec<u8>>> = paths.iter().map(|path| literal_root(path.as_bstr())).collect();
        let everything: Vec<usize> = (0..snapshot.entries.len()).collect();
        let roots = match roots {
            Some(roots) if !roots.is_empty() => roots,
            _ => return Self { snapshot, indices: everything },
        };
        let chosen = |&index: &usize| {
            let path: &[u8] = &snapshot.entries[index].path;
            roots.iter().any(|root| is_below(path, root) || is_below(root, path))
        };
        let indices: Vec<usize> = everything.iter().copied().filter(chosen).collect();
        let has_link = indices.iter().any(|&index| snapshot.entries[index].kind == Kind::Symlink);
        Self { indices: if has_link { everything } else { indices }, snapshot }
    }

    /// The entries in the order in which they are sent; the place of an entry is the file's id in the
    /// protocol.
    pub(super) fn entries(&self) -> impl Iterator<Item = &SnapshotEntry> {
        self.indices.iter().map(|&index| &self.snapshot.entries[index])
    }

    /// The regular file with the id `id`; none if that entry is no regular file.
    pub(super) fn file(&self, id: u32) -> Option<&SnapshotEntry> {
        let index = *self.indices.get(usize::try_from(id).ok()?)?;
        Some(&self.snapshot.entries[index])
            .filter(|entry| matches!(entry.kind, Kind::File | Kind::Executable))
    }

    /// The number of entries that are sent.
    pub(super) fn len(&self) -> usize {
        self.indices.len()
    }

    /// The source of the files' bytes.
    pub(super) fn contents(&self) -> &dyn Contents {
        self.snapshot.contents.as_ref()
    }
}

/// The longest part of `path` without wildcards; none if the path may lead anywhere.
fn literal_root(path: &BStr) -> Option<Vec<u8>> {
    let mut root = Vec::new();
    for component in path.split_str("/") {
        match component {
            b"" | b"." => {}
            b".." => return None,
            component if component.find_byteset(r"*?[\").is_some() => break,
            component => root.push(component),
        }
    }
    if root.is_empty() { None } else { Some(root.join(&b'/')) }
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The stat of `entry` in the protocol; the error is the reason for which `entry` cannot have one.
pub(super) fn stat(entry: &SnapshotEntry) -> Result<Stat, String> {
    // Protobuf strings are UTF-8, so such a name cannot be told to the engine.
    let utf8 = |bytes: &BString| {
        String::from_utf8(bytes.to_vec()).map_err(|_| format!("`{}` is not named in UTF-8", entry.path))
    };
    let mut stat = Stat { path: utf8(&entry.path)?, ..Stat::default() };
    match entry.kind {
        Kind::File => stat.mode = 0o644,
        Kind::Executable => stat.mode = 0o755,
        Kind::Folder => stat.mode = GO_FOLDER | 0o755,
        Kind::Symlink => {
            stat.mode = GO_SYMLINK | 0o777;
            let link =
                entry.link.as_ref().ok_or_else(|| format!("the link `{}` has no target", entry.path))?;
            stat.linkname = utf8(link)?;
        }
        Kind::Submodule => return Err(format!("`{}` is a submodule", entry.path)),
    }
    stat.size = match entry.kind {
        Kind::Folder => 0,
        Kind::Symlink => i64::try_from(stat.linkname.len()).unwrap_or(i64::MAX),
        _ => i64::try_from(entry.size).map_err(|_| format!("`{}` is too large", entry.path))?,
    };
    stat.mod_time = modified(entry);
    Ok(stat)
}

/// The modification time of an entry in images, in nanoseconds since 1970: the time of a file is made from
/// its content.
pub(in crate::engine) fn modified(entry: &SnapshotEntry) -> i64 {
    if entry.kind == Kind::Folder { EPOCH * NANOSECONDS } else { time_of(&entry.id) }
}

/// The modification time of a file with this content, in nanoseconds since 1970.
///
/// Two contents of the same size share a time with a probability of 2^-57. The seconds take part because
/// image layers keep no more, and servers in an image (nginx, for one) tell browsers by size and second
/// whether a file changed: with one constant time, a same-size change would never reach a visitor.
/// Nanoseconds are never 0, which file sync takes for "rounded".
fn time_of(id: &ContentId) -> i64 {
    let digest = blake3::hash(id.as_bytes());
    let mut words = digest
        .as_bytes()
        .chunks_exact(8)
        .map(|word| word.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)));
    let mut below = |limit: u64| i64::try_from(words.next().unwrap_or(0) % limit).unwrap_or(0);
    (EPOCH + below(SECONDS)) * NANOSECONDS + 1 + below(999_999_999)
}

/// The folder that holds the Dockerfile, with ignore rules that ignore nothing.
///
/// A context arrives with `.dockerignore` applied. BuildKit reads `Dockerfile.dockerignore` instead, if there
/// is one. So this folder has one that ignores nothing: files are not filtered twice, and a `.dockerignore`
/// that the Dockerfile copies is not mistaken for rules.
pub(super) fn dockerfile(text: Arc<[u8]>) -> Snapshot {
    let ignore: Arc<[u8]> = Arc::from(&b"# applied before the context was sent\n"[..]);
    let files = vec![(DOCKERFILE.to_owned(), text), (format!("{DOCKERFILE}.dockerignore"), ignore)];
    let entries = files.iter().map(|(name, bytes)| SnapshotEntry {
        path: name.as_str().into(),
        kind: Kind::File,
        id: id_of(bytes),
        size: bytes.len() as u64,
        link: None,
    });
    Snapshot { entries: entries.collect(), contents: Arc::new(Memory(files)) }
}

/// The id of content that git does not know.
fn id_of(bytes: &[u8]) -> ContentId {
    let mut id = [0; 20];
    id.copy_from_slice(&blake3::hash(bytes).as_bytes()[..20]);
    ContentId::Sha1(id)
}

/// The contents of files that are held in memory.
struct Memory(Vec<(String, Arc<[u8]>)>);

impl Contents for Memory {
    fn open(&self, entry: &SnapshotEntry) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        let (_, bytes) = self
            .0
            .iter()
            .find(|(name, _)| name.as_bytes() == entry.path)
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))?;
        Ok(Box::new(std::io::Cursor::new(Arc::clone(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind) -> SnapshotEntry {
        let link = (kind == Kind::Symlink).then(|| "target".into());
        SnapshotEntry { path: path.into(), kind, id: id_of(path.as_bytes()), size: 3, link }
    }

    fn selected(entries: &[(&str, Kind)], paths: &[&str]) -> Vec<String> {
        let entries = entries.iter().map(|(path, kind)| entry(path, *kind)).collect();
        let snapshot = Snapshot { entries, contents: Arc::new(Memory(Vec::new())) };
        let paths: Vec<BString> = paths.iter().map(|path| (*path).into()).collect();
        Selection::new(snapshot, &paths).entries().map(|entry| entry.path.to_string()).collect()
    }

    #[test]
    fn stats_carry_go_modes_and_no_owner() {
        let of = |kind| stat(&entry("a", kind)).unwrap();
        assert_eq!((of(Kind::File).mode, of(Kind::File).size), (0o644, 3));
        assert_eq!(of(Kind::Executable).mode, 0o755);
        assert_eq!((of(Kind::Folder).mode, of(Kind::Folder).size), (0x8000_01ed, 0));
        let link = of(Kind::Symlink);
        assert_eq!((link.mode, link.linkname.as_str(), link.size), (0x0800_01ff, "target", 6));
        assert_eq!((link.uid, link.gid), (0, 0));
    }

    #[test]
    fn other_content_has_another_time_in_the_past() {
        let times = (0..1000_u32).map(|number| time_of(&id_of(&number.to_le_bytes())));
        let times: std::collections::BTreeSet<i64> = times.collect();
        assert_eq!(times.len(), 1000);
        let seconds: std::collections::BTreeSet<i64> = times.iter().map(|time| time / NANOSECONDS).collect();
        assert_eq!(seconds.len(), 1000, "a layer keeps whole seconds");
        assert!(seconds.iter().all(|second| (EPOCH..EPOCH + (1 << 28)).contains(second)));
        assert!(times.iter().all(|time| time % NANOSECONDS != 0));
        assert_eq!(time_of(&id_of(b"x")), 1_118_099_223_454_244_637, "the same on every machine");
    }

    #[test]
    fn names_that_are_not_utf8_are_refused() {
        let mut entry = entry("a", Kind::File);
        entry.path = BString::from(&b"caf\xe9"[..]);
        assert!(stat(&entry).unwrap_err().contains("not named in UTF-8"));
    }

    #[test]
    fn what_a_build_copies_is_sent_with_its_parents() {
        let files = [
            ("a", Kind::Folder),
            ("a/b", Kind::Folder),
            ("a/b/c", Kind::File),
            ("a/d", Kind::File),
            ("ab", Kind::File),
            ("z", Kind::File),
        ];
        let all: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        assert_eq!(selected(&files, &[]), all);
        assert_eq!(selected(&files, &["/a/b/", "z"]), ["a", "a/b", "a/b/c", "z"]);
        assert_eq!(selected(&files, &["a/*.txt"]), ["a", "a/b", "a/b/c", "a/d"]);
        assert_eq!(selected(&files, &["missing"]), [""; 0]);
        for everything in ["*.json", ".", "./", "a/../z"] {
            assert_eq!(selected(&files, &[everything]), all, "{everything}");
        }
    }

    #[test]
    fn everything_is_sent_where_a_link_may_lead_elsewhere() {
        let files = [("a", Kind::Symlink), ("b", Kind::Folder), ("b/c", Kind::File)];
        assert_eq!(selected(&files, &["a/c"]), ["a", "b", "b/c"]);
        assert_eq!(selected(&files, &["b"]), ["b", "b/c"]);
    }

    #[test]
    fn nothing_is_ignored_twice() {
        let folder = dockerfile(Arc::from(&b"FROM scratch\n"[..]));
        let names: Vec<String> = folder.entries.iter().map(|entry| entry.path.to_string()).collect();
        assert_eq!(names, ["Dockerfile", "Dockerfile.dockerignore"]);
    }
}
