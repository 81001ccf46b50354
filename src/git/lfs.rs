//! Git LFS: the pointers that git stores in place of files, and the store of the files. Start with [`Pointer`].
//!
//! The pointer's blob id identifies the file, in a commit and in the working tree alike, also where only pointers were
//! fetched; the pointer names the content by its SHA-256. Formats are those of `docs/spec.md` and
//! `docs/man/git-lfs-config.adoc` of `github.com/git-lfs/git-lfs`; no `git-lfs` program is run.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};
use sha2::{Digest as _, Sha256};

/// The name of the filter in `.gitattributes`.
pub(super) const FILTER: &str = "lfs";

/// Pointers have fewer bytes than this, by the specification.
const LIMIT: u64 = 1024;

const VERSION: &str = "version https://git-lfs.github.com/spec/v1";

/// The text that git stores in place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// The SHA-256 of the file's bytes, in hexadecimal digits.
    pub(super) oid: String,
    /// The number of the file's bytes.
    pub(super) size: u64,
    /// True if LFS extensions (programs of the user) take part, so that the stored content is not the file's.
    pub(super) extended: bool,
}

impl Pointer {
    /// True if a file of `size` bytes can be a pointer.
    pub(super) fn may_have(size: u64) -> bool {
        (100..LIMIT).contains(&size)
    }

    /// The pointer in the content of a file; none where the content is no pointer.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let text = Self::may_have(content.len() as u64).then(|| content.to_str().ok())??;
        let mut lines = text.lines();
        if lines.next()?.trim_end() != VERSION {
            return None;
        }
        let (mut oid, mut size, mut extended) = (None, None, false);
        for line in lines {
            match line.trim_end().split_once(' ')? {
                ("oid", value) => oid = Some(value.strip_prefix("sha256:")?),
                ("size", value) => size = Some(value.parse().ok()?),
                (name, _) => extended |= name.starts_with("ext-"),
            }
        }
        let oid = oid.filter(|oid| oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        Some(Self { oid: oid.to_ascii_lowercase(), size: size?, extended })
    }

    /// The pointer to the content of `size` bytes that `hasher` was given.
    pub(super) fn to(hasher: Sha256, size: u64) -> Self {
        Self { oid: hex::encode(hasher.finalize()), size, extended: false }
    }

    /// The pointer's text, which git stores in place of the file.
    pub(super) fn text(&self) -> String {
        format!("{VERSION}\noid sha256:{}\nsize {}\n", self.oid, self.size)
    }
}

/// The folder of the contents that Git LFS fetched.
#[derive(Clone, Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of a repository, one for all of its work trees.
    pub(super) fn of(repository: &gix::Repository) -> Self {
        let git_folder = repository.common_dir();
        let named = repository.config_snapshot().string("lfs.storage").filter(|path| !path.is_empty());
        let named = named.map_or_else(|| PathBuf::from("lfs"), |path| path.to_path_lossy().into_owned());
        Self { folder: git_folder.join(named) }
    }

    /// The file of the pointer's content, once the content is fetched.
    pub(super) fn file(&self, pointer: &Pointer) -> PathBuf {
        let oid = &pointer.oid;
        self.folder.join("objects").join(&oid[..2]).join(&oid[2..4]).join(oid)
    }
}

/// A content in a [`Store`]: its pointer, and its file on the disk.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) pointer: Pointer,
    pub(super) file: PathBuf,
}

impl Stored {
    /// Opens the content of the file at `path`. The reader verifies the content, and fails with the last byte unless
    /// the content's SHA-256 is the pointer's.
    pub(super) fn open(&self, path: &BString) -> io::Result<Box<dyn Read + Send>> {
        let mut reader = StoredReader {
            file: File::open(&self.file)?,
            path: path.clone(),
            pointer: self.pointer.clone(),
            left: self.pointer.size,
            hasher: Some(Sha256::new()),
        };
        if reader.left == 0 {
            reader.finish()?;
        }
        Ok(Box::new(reader))
    }
}

struct StoredReader {
    file: File,
    path: BString,
    pointer: Pointer,
    left: u64,
    /// The hasher of the bytes that were read; none once the content is verified.
    hasher: Option<Sha256>,
}

impl StoredReader {
    fn finish(&mut self) -> io::Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        let grown = self.file.read(&mut [0])? > 0;
        if grown || hex::encode(hasher.finalize()) != self.pointer.oid { Err(self.damaged()) } else { Ok(()) }
    }

    fn damaged(&self) -> io::Error {
        io::Error::other(format!(
            "what Git LFS keeps of `{}` is damaged; `git lfs fsck` removes it, `git lfs fetch` brings it again",
            self.path
        ))
    }
}

impl Read for StoredReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let limit = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read(&mut buffer[..limit])?;
        let Some(hasher) = self.hasher.as_mut().filter(|_| count > 0) else {
            return Err(self.damaged());
        };
        hasher.update(&buffer[..count]);
        self.left -= count as u64;
        if self.left == 0 {
            self.finish()?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    #[test]
    fn pointers_are_told_by_their_text() {
        let text = format!("{VERSION}\noid sha256:{OID}\nsize 12345\n");
        let pointer = Pointer::parse(text.as_bytes()).unwrap();
        assert_eq!(pointer, Pointer { oid: OID.to_owned(), size: 12345, extended: false });
        assert_eq!(pointer.text(), text);
        let windows = text.replace('\n', "\r\n");
        assert_eq!(Pointer::parse(windows.as_bytes()), Some(pointer));
        let extended = format!("{VERSION}\next-0-foo sha256:{OID}\noid sha256:{OID}\nsize 1\n");
        assert!(Pointer::parse(extended.as_bytes()).unwrap().extended);
    }

    #[test]
    fn what_is_no_pointer_is_a_file() {
        let cases = [
            format!("{VERSION}\noid sha256:{OID}\nsize many\n"),
            format!("{VERSION}\noid sha256:{}\nsize 1\n", &OID[..62]),
            format!("{VERSION}\noid md5:{OID}\nsize 1\n"),
            format!("{VERSION}0\noid sha256:{OID}\nsize 1\n"),
            format!("{VERSION}\noid sha256:{OID}\n\nsize 1\n"),
            format!("{VERSION}\noid sha256:{OID}\nsize 1\n{}", "x y\n".repeat(300)),
            String::new(),
        ];
        for text in cases {
            assert_eq!(Pointer::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn pointer_is_made_of_the_content() {
        let mut hasher = Sha256::new();
        hasher.update(b"abc");
        let pointer = Pointer::to(hasher, 3);
        assert!(pointer.oid.starts_with("ba7816bf") && pointer.size == 3);
        assert_eq!(Pointer::parse(pointer.text().as_bytes()), Some(pointer));
    }
}
