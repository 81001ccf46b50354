//! What is known of the working tree's files without reading them: from git's index, and from earlier runs.

use std::fs;
use std::sync::PoisonError;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::tree::ContentId;

use super::conversion::Conversion;
use super::disk::Stat;
use super::lfs::Pointer;
use super::{GitError, WorkingTree};

/// What the stat cache calls files that Git LFS keeps after their path: their id is not that of their bytes.
const AS_POINTER: &[u8] = b"\0lfs";

impl WorkingTree {
    pub(super) fn conversion(&self, path: &BStr) -> Result<Conversion, GitError> {
        // A panic in a look-up leaves at most a stack of folders that the next one sets right.
        let mut conversions = self.conversions.lock().unwrap_or_else(PoisonError::into_inner);
        conversions.of_file(self.listing.place(path).as_bstr())
    }

    /// The content id of the file or link at `path`, where it is known without reading it.
    pub(super) fn known(&self, path: &BStr) -> Result<Option<ContentId>, GitError> {
        if let Some(id) = self.ids.borrow().get(path) {
            return Ok(Some(*id));
        }
        let (_, stat) = self.listing.file(path)?;
        // The stat cache first: of git's index it is not known at once whether git stores the bytes of the disk.
        let note = self.note(path)?;
        let mut known = self.stats.lookup(note.as_bstr(), &stat.noted);
        if known.is_none()
            && let Some(id) = self.stored(path, &stat)?
        {
            self.stats.record(note.as_bstr(), stat.noted, id);
            known = Some(id);
        }
        if let Some(id) = known {
            self.ids.borrow_mut().insert(path.to_owned(), id);
        }
        Ok(known)
    }

    /// The blob of git's index for a file that nobody touched, where it holds the very bytes of the disk, or the
    /// pointer to them.
    fn stored(&self, path: &BStr, stat: &Stat) -> Result<Option<ContentId>, GitError> {
        let place = self.listing.place(path);
        let Some(id) = self.listing.index.clean(place.as_bstr(), stat) else { return Ok(None) };
        let Ok(size) = self.objects.size(&id, place.as_bstr()) else { return Ok(None) };
        // Git stores another form of what it converts, and what was converted may be told by no attribute
        // any more; but converted line endings show in the size.
        let is_stored = match self.conversion(path)? {
            Conversion::None => size == stat.size,
            Conversion::Lfs => size == stat.size || Pointer::may_have(size) && self.points_to(id, stat.size),
            Conversion::Other => false,
        };
        Ok(is_stored.then_some(id))
    }

    /// Whether a blob is a pointer to a file of `size` bytes.
    fn points_to(&self, id: ContentId, size: u64) -> bool {
        let mut buffer = Vec::new();
        let text = self.objects.read(&id, gix::objs::Kind::Blob, BStr::new(""), &mut buffer);
        text.is_ok_and(|text| Pointer::parse(text).is_some_and(|pointer| pointer.size == size))
    }

    /// What the stat cache calls the file at `path`.
    pub(super) fn note(&self, path: &BStr) -> Result<BString, GitError> {
        let mut place = self.listing.place(path);
        if self.conversion(path)? == Conversion::Lfs {
            place.extend_from_slice(AS_POINTER);
        }
        Ok(place)
    }

    pub(super) fn refuse_pointer(&self, path: &BStr, size: u64) -> Result<(), GitError> {
        if !Pointer::may_have(size) {
            return Ok(());
        }
        let file = self.listing.disk_path(path);
        match fs::read(&file) {
            Ok(content) if Pointer::parse(&content).is_some() => {
                let (path, repository) = (self.listing.shown(path), self.listing.prefix.clone());
                Err(GitError::LfsPointer { path, repository })
            }
            Ok(_) => Ok(()),
            Err(source) => Err(GitError::Unreadable { path: file, source }),
        }
    }
}
