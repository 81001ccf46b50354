//! Digests of the working tree that earlier runs took of the same files.
//!
//! Once all that a filter lets in was looked at, what the digest will be depends on nothing else: on the names, kinds and
//! ids in the folders that were entered, and on the filter. To hash that much is a tenth of the work of filtering every
//! path and making the trees anew.

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::memo::{Asking, Question};
use dtbuild_content::tree::{ContentId, Identified, Kind};

use super::diff::join;
use super::survey::Survey;
use super::{GitError, WorkingTree};

/// To be raised when the same files come to have another digest.
const CONTEXT: &str = "dtbuild working tree v1";

impl WorkingTree {
    /// [`digest`](Self::digest), with what earlier runs found out about the same files.
    ///
    /// # Errors
    /// When a file cannot be read, or changed meanwhile.
    pub fn remembered_digest<F: Identified>(&self, filter: &F) -> Result<ContentId, GitError> {
        let mut found = self.prepare(filter)?;
        let Some(question) = self.question(filter, &mut found)? else {
            return self.fold(filter, BStr::new(""));
        };
        let memo = self.objects.memo();
        let known = memo.recall(&question).and_then(|id| ContentId::try_from(id.as_slice()).ok());
        if let Some(id) = known {
            return Ok(id);
        }
        let id = self.fold(filter, BStr::new(""))?;
        // What git has of a path is not among what was asked about.
        if !self.asked_git.get() {
            memo.note(question, id.as_bytes().to_vec());
        }
        Ok(id)
    }

    /// The question of what `filter` leaves of the folders that were found. None where a submodule has a say.
    fn question<F: Identified>(&self, filter: &F, found: &mut Survey) -> Result<Option<Question>, GitError> {
        let mut asking = Asking::new(CONTEXT);
        filter.identify(asking.on_number(self.objects.hash().len_in_bytes()));
        found.folders.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut text = Vec::new();
        for (path, folder) in &found.folders {
            text.clear();
            for file in &folder.files {
                text.extend_from_slice(folder.name(file));
                // No name holds a zero byte. What has no id is not let in.
                let id = file.id.get().map(|id| id.as_bytes()).unwrap_or_default();
                text.extend([0, code(file.kind), u8::from(!id.is_empty())]);
                text.extend_from_slice(id);
            }
            for name in &folder.folders {
                let kind = self.listing.kind(join(path.as_bstr(), name.as_bstr()).as_bstr())?;
                if kind == Some(Kind::Submodule) {
                    return Ok(None);
                }
                text.extend_from_slice(name);
                text.extend([0, kind.map_or(0, code)]);
            }
            asking.on(path).on_number(folder.files.len()).on(&text);
        }
        Ok(Some(asking.question()))
    }
}

/// The number that stands for what a name is.
fn code(kind: Kind) -> u8 {
    match kind {
        Kind::File => 1,
        Kind::Executable => 2,
        Kind::Symlink => 3,
        Kind::Folder => 4,
        Kind::Submodule => 5,
    }
}
