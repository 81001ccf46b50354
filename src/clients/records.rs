//! The records of a workspace: the storage that its `build.toml` names, and the place of older records. Start with
//! [`open`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::BStr;

use super::{GitStorage, RegistryStorage};
use crate::config::{OLDER_RECORDS, RecordStore};
use crate::error::{Code, Error, Result};
use crate::record::{Folder, RecordError, Records, Storage};
use crate::registry::Registry;
use crate::workspace::Workspace;

/// The records of a workspace. The registry client is asked for, and an offline run refused, where the storage needs it.
pub(super) fn open<'a>(
    workspace: &Workspace,
    registry: impl Fn() -> Result<&'a Registry>,
    check_online: impl Fn() -> Result<()>,
) -> Result<Records> {
    let config = &workspace.config;
    let (storage, older): (Arc<dyn Storage>, Option<Arc<dyn Storage>>) = match &config.records {
        RecordStore::Machine(path) => (Arc::new(machine_folder(path)?), older_folder(workspace)?),
        RecordStore::Folder(path) => {
            let folder: Arc<dyn Storage> = Arc::new(Folder::new(checkout_folder(workspace, path)?));
            (Arc::clone(&folder), Some(folder))
        }
        RecordStore::Git(remote) => {
            check_online()?;
            (Arc::new(git_storage(workspace, remote.clone())?), older_folder(workspace)?)
        }
        RecordStore::Registry(repository) => {
            let storage: Arc<dyn Storage> =
                Arc::new(RegistryStorage::new(registry()?.clone(), repository.clone()));
            (Arc::clone(&storage), Some(storage))
        }
    };
    let records = Records::new(storage, &config.project);
    let repositories = || config.images.values().map(|image| image.repository.clone()).collect();
    Ok(match older {
        Some(older) => records.with_older(older, repositories()),
        None => records,
    })
}

/// The storage at git's remote: the one that is named, else the one that is fetched from.
fn git_storage(workspace: &Workspace, remote: Option<String>) -> Result<GitStorage> {
    let repository = &workspace.repository;
    let remote = remote.or_else(|| repository.fetch_remote()).ok_or_else(|| {
        Error::new(Code::RecordUnusable, "records belong to git's remote, and this repository has none").hint(
            "add one with `git remote add origin URL`, or name one as `[records] remote` in `build.toml`",
        )
    })?;
    GitStorage::new(repository, remote).map_err(|error| {
        Error::new(Code::System, format!("the folder of the repository cannot be told: {error}"))
    })
}

/// The folder of this machine's records, which all checkouts share; `path` is the registry's.
fn machine_folder(path: &Path) -> Result<Folder> {
    let state = state_folder().ok_or_else(|| {
        Error::new(
            Code::RecordUnusable,
            "there is no folder for records: neither XDG_STATE_HOME nor HOME is set",
        )
        .hint("set one of them, or name a folder as `[records] folder` in `build.toml`")
    })?;
    Ok(Folder::new(state.join(path)))
}

/// The folder in which dtbuild keeps the state of this machine; none where neither `XDG_STATE_HOME` nor `HOME` is set.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        // The XDG base directory specification ignores paths that are not absolute.
        value.filter(|path| path.is_absolute())
    };
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    Some(state?.join("dtbuild"))
}

/// The folder of the checkout in which versions before kept records; none where there is none, or a commit brought it.
fn older_folder(workspace: &Workspace) -> Result<Option<Arc<dyn Storage>>> {
    let path = Path::new(OLDER_RECORDS);
    let exists = workspace.repository.root().is_ok_and(|root| root.join(path).exists());
    match exists.then(|| checkout_folder(workspace, path)) {
        None => Ok(None),
        Some(Ok(folder)) => Ok(Some(Arc::new(Folder::new(folder)))),
        Some(Err(error)) if error.code == Code::RecordUnusable => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

/// The path of a folder of the checkout that no commit brings along: git does not track it, and no link leads to it.
fn checkout_folder(workspace: &Workspace, path: &Path) -> Result<PathBuf> {
    let repository = &workspace.repository;
    let root = repository.root().map_err(|error| {
        Error::from(error)
            .hint("or keep the records elsewhere: without `[records] folder`, they are the machine's own")
    })?;
    let folder = root.join(path);
    let refused = |reason, hint: &str| {
        let (folder, hint) = (folder.clone(), hint.to_owned());
        Err(Error::from(RecordError::Untrusted { folder, reason, hint }))
    };
    let inside = folder.ancestors().take_while(|part| *part != root);
    if inside.into_iter().any(|part| part.symlink_metadata().is_ok_and(|found| found.is_symlink())) {
        return refused("a link leads to it", "name a folder without links, or leave `[records] folder` out");
    }
    let Some(head) = repository.head()? else { return Ok(folder) };
    let name = path.as_os_str().as_encoded_bytes();
    if repository.entry(head.commit, BStr::new(name))?.is_some() {
        let hint = format!(
            "a commit cannot say what an environment runs: take it out with `git rm -r --cached {}` and add it to \
             .gitignore, or leave `[records] folder` out",
            path.display()
        );
        return refused("git tracks it", &hint);
    }
    Ok(folder)
}
