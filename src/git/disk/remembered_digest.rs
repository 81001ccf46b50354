//! The memo of digests of the working tree that earlier runs took. Start with [`WorkingTree::remembered_digest`].
//!
//! A digest depends only on the filter and on the names, kinds and ids in the folders that a walk read. Hashing these
//! is a tenth of the work of filtering every path and making the trees anew.

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::memo::{Asking, Question};
use dtbuild_content::tree::{ContentId, Identified, Kind};

use super::WorkingTree;
use super::walk::Walked;
use crate::git::GitError;
use crate::git::path::join;

/// The kind of the memo's questions about working trees, with its version.
const CONTEXT: &str = "dtbuild working tree v2";

impl WorkingTree {
    /// The [`digest`](Self::digest), taken from the memo if an earlier run took the digest of equal folders.
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
        memo.note(question, id.as_bytes().to_vec());
        Ok(id)
    }

    /// The memo's question for the digest of the folders that were read, by `filter`. None where a submodule is among
    /// them.
    fn question<F: Identified>(&self, filter: &F, found: &mut Walked) -> Result<Option<Question>, GitError> {
        let mut asking = Asking::new(CONTEXT);
        filter.identify(asking.on_number(self.objects.hash().len_in_bytes()));
        found.folders.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut text = Vec::new();
        for (path, folder) in &found.folders {
            text.clear();
            for file in &folder.files {
                text.extend_from_slice(folder.name(file));
                // No name holds a zero byte. Files without a content id are not let in by the filter.
                let id = file.id.get().map(|id| id.as_bytes()).unwrap_or_default();
                text.extend([0, file.kind.code(), u8::from(!id.is_empty())]);
                text.extend_from_slice(id);
            }
            for name in &folder.folders {
                let kind = self.disk.kind(join(path.as_bstr(), name.as_bstr()).as_bstr())?;
                if kind == Some(Kind::Submodule) {
                    return Ok(None);
                }
                text.extend_from_slice(name);
                text.extend([0, kind.map_or(0, Kind::code)]);
            }
            asking.on(path).on_number(folder.files.len()).on(&text);
        }
        Ok(Some(asking.question()))
    }
}
