//! The walk over the folders of a working tree that a filter lets in, by several threads where there are many. Start
//! with [`walk`].

use std::sync::Arc;

use bstr::{BString, ByteSlice as _};
use dtbuild_content::tree::{Filter, Kind, Verdict};

use super::folder::Folder;
use super::folders::DiskFolders;
use super::identify::Unidentified;
use crate::git::GitError;
use crate::git::path::join;
use crate::parallel;

/// The number of folders that one thread reads before other threads take part: fewer folders are read before another
/// thread has started.
const SHARE: usize = 256;

/// The result of a walk.
#[derive(Default)]
pub(super) struct Walked {
    /// The files that the filter lets in and whose content ids are not known.
    pub(super) unidentified: Vec<Unidentified>,
    /// The submodules of which the filter may let something in.
    pub(super) submodules: Vec<BString>,
    /// The folders that were read, in any order.
    pub(super) folders: Vec<(BString, Arc<Folder>)>,
}

/// The path of a folder to read, and the filter's state for the paths in the folder.
type Waiting<S> = (BString, S);

/// Reads all folders that `filter` lets in.
pub(super) fn walk<F: Filter>(disk: &DiskFolders, filter: &F) -> Result<Walked, GitError> {
    let root = vec![(BString::default(), filter.root())];
    let read = |next, open: &mut _, found: &mut _| read(disk, filter, next, open, found);
    let mut found = Walked::default();
    for Walked { unidentified, submodules, folders } in parallel::explore(root, SHARE, read)? {
        found.unidentified.extend(unidentified);
        found.submodules.extend(submodules);
        found.folders.extend(folders);
    }
    Ok(found)
}

/// Reads one folder; the folders in it are added to `open`.
fn read<F: Filter>(
    disk: &DiskFolders,
    filter: &F,
    (path, state): Waiting<F::State>,
    open: &mut Vec<Waiting<F::State>>,
    found: &mut Walked,
) -> Result<(), GitError> {
    let folder = disk.folder(path.as_bstr())?;
    let inside_another = folder.is_repository && !path.is_empty();
    if inside_another && disk.kind(path.as_bstr())? == Some(Kind::Submodule) {
        found.submodules.push(path);
        return Ok(());
    }
    for (number, file) in folder.files.iter().enumerate().filter(|(_, file)| file.id.get().is_none()) {
        let place = join(path.as_bstr(), folder.name(file));
        if filter.enter(&state, place.as_bstr(), file.kind).0 == Verdict::Included {
            found.unidentified.push(Unidentified::new(disk, &folder, number, place)?);
        }
    }
    for name in &folder.folders {
        let place = join(path.as_bstr(), name.as_bstr());
        let (_, inside) = filter.enter(&state, place.as_bstr(), Kind::Folder);
        if filter.below(&inside) != Some(false) {
            open.push((place, inside));
        }
    }
    found.folders.push((path, folder));
    Ok(())
}
