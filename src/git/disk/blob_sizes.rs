//! The sizes of blobs, from the first bytes of their objects. Start with [`BlobSizes`].
//!
//! The first bytes are read from the files of the packs. Memory-mapped packs would be as fast, but keep the pages
//! around each object in the process, which for many large objects is the whole pack.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use dtbuild_content::tree::ContentId;
use gix::objs::Kind;
use gix::odb::loose;
use gix::odb::pack::data::entry::Header;
use gix::odb::pack::{data, index};
use gix::zlib::Inflate;

/// The number of bytes that are read of an object: they hold the object's header, and the start of a delta.
const START: usize = 512;

/// The most packs that are looked through. Git joins 50 packs into one.
const PACKS: usize = 64;

/// The sizes of the blobs of a repository. Threads can share the value.
pub(super) struct BlobSizes {
    hash: gix::hash::Kind,
    packs: Vec<Pack>,
    loose: Vec<loose::Store>,
}

struct Pack {
    index: index::File,
    objects: File,
}

impl BlobSizes {
    /// Opens the packs of a repository and of its alternates. None where a pack cannot be opened, or where there are
    /// more packs than are looked through.
    pub(super) fn of(repository: &gix::Repository) -> Option<Self> {
        let hash = repository.object_hash();
        let store = repository.objects.store_ref();
        let mut folders = vec![store.path().to_owned()];
        folders.extend(store.alternate_db_paths().ok()?);
        let mut packs = Vec::new();
        for folder in &folders {
            packs.extend(Pack::all_in(&folder.join("pack"), hash).ok()?);
        }
        let loose = folders.into_iter().map(|folder| loose::Store::at(folder, hash)).collect();
        (packs.len() <= PACKS).then_some(Self { hash, packs, loose })
    }

    /// The size of the blob `id` in bytes; none where the object's header does not give it.
    pub(super) fn of_blob(&self, id: &ContentId) -> Option<u64> {
        let packed = self.packs.iter().find_map(|pack| Some((pack, pack.index.lookup(id)?)));
        if let Some((pack, place)) = packed {
            return pack.size(pack.index.pack_offset_at_index(place), self.hash);
        }
        let found = self.loose.iter().find_map(|folder| folder.try_header(id).ok()?);
        found.and_then(|(size, kind)| (kind == Kind::Blob).then_some(size))
    }
}

impl Pack {
    fn all_in(folder: &Path, hash: gix::hash::Kind) -> io::Result<Vec<Self>> {
        let mut packs = Vec::new();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(packs),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "idx") || packs.len() > PACKS {
                continue;
            }
            let index = index::File::at(&path, hash).map_err(io::Error::other)?;
            packs.push(Self { index, objects: File::open(path.with_extension("pack"))? });
        }
        Ok(packs)
    }

    /// The size of the blob at `offset`; a delta counts as a blob.
    fn size(&self, offset: u64, hash: gix::hash::Kind) -> Option<u64> {
        let mut buffer = [0; START];
        let length = self.objects.read_at(&mut buffer, offset).ok()?;
        let start = &buffer[..length];
        let entry = data::Entry::from_bytes(start, offset, hash).ok()?;
        match entry.header {
            Header::Blob => Some(entry.decompressed_size),
            Header::OfsDelta { .. } | Header::RefDelta { .. } => result_size(&start[entry.header_size()..]),
            _ => None,
        }
    }
}

/// The size of the result of a delta, from the start of its compressed bytes.
fn result_size(compressed: &[u8]) -> Option<u64> {
    let mut delta = [0; 20];
    let (_, _, length) = Inflate::default().prefix(compressed, &mut delta).ok()?;
    let (_of_base, rest) = number(&delta[..length])?;
    number(rest).map(|(size, _)| size)
}

/// A number in seven bits a byte, the lowest first, and the bytes after the number.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let (digits, rest) = bytes.split_at(end + 1);
    let value = digits
        .iter()
        .rev()
        .try_fold(0u64, |value, byte| value.checked_mul(0x80).map(|value| value | u64::from(byte & 0x7f)));
    Some((value?, rest))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE");
        let output = git.current_dir(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The size of each file on the disk, with the size that [`BlobSizes`] gives.
    fn sizes(folder: &Path) -> Vec<(u64, Option<u64>)> {
        let sizes = BlobSizes::of(&gix::open(folder).unwrap()).unwrap();
        let of_file = |file: fs::DirEntry| {
            let id = git(folder, &["hash-object", file.file_name().to_str().unwrap()]);
            (file.metadata().unwrap().len(), sizes.of_blob(&id.parse().unwrap()))
        };
        let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
        files.filter(|file| file.file_name() != ".git").map(of_file).collect()
    }

    #[test]
    fn sizes_are_those_of_the_files_loose_packed_and_as_deltas() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        git(folder, &["init", "--quiet"]);
        // Git stores similar files as deltas of each other; at 16 and 128, a size takes a byte more.
        let common: Vec<u8> = (0..40_000u32).flat_map(|number| (number * number).to_le_bytes()).collect();
        for length in [0, 1, 15, 16, 127, 128, 16_383, 16_384, 100_000, 100_001, 160_000] {
            fs::write(folder.join(length.to_string()), &common[..length]).unwrap();
        }
        let expect_all = |what: &str| {
            for (size, found) in sizes(folder) {
                assert_eq!(found, Some(size), "{what}");
            }
        };
        git(folder, &["add", "."]);
        expect_all("loose");
        git(folder, &["-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message=first"]);
        git(folder, &["repack", "--quiet", "-ad"]);
        git(folder, &["prune-packed"]);
        expect_all("packed");
        let name = fs::read_dir(folder.join(".git/objects/pack")).unwrap().map(|entry| entry.unwrap().path());
        let index = name.into_iter().find(|path| path.extension().is_some_and(|end| end == "idx")).unwrap();
        let listed = git(folder, &["verify-pack", "-v", index.to_str().unwrap()]);
        assert!(listed.contains("chain length"), "nothing is stored as a delta: {listed}");
    }

    #[test]
    fn of_an_object_that_is_not_there_nothing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "--quiet"]);
        let sizes = BlobSizes::of(&gix::open(folder.path()).unwrap()).unwrap();
        assert_eq!(sizes.of_blob(&ContentId::empty_tree(gix::hash::Kind::Sha1)), None);
    }
}
