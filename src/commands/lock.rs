//! `dtbuild lock`: the digests of the base images, written into `build.lock`. Start with [`lock()`].

use std::io::Write as _;
use std::path::Path;

use dtbuild_content::draft::Draft;

use super::options;
use crate::cli::{Global, LockArgs};
use crate::config::{Lock, lock};
use crate::error::{Code, Error, Result};
use crate::gather::{self, Renewal};
use crate::ui;
use crate::ui::lock::LockView;
use crate::workspace::Workspace;

/// The exit code of `--check` if the registries serve other digests than the lock has.
const MOVED: u8 = 10;

/// Runs `dtbuild lock`.
pub(super) async fn lock(global: &Global, args: &LockArgs) -> Result<u8> {
    let workspace = Workspace::on_disk(&options::location(global))?;
    let renewal = match &args.update {
        _ if args.check => Renewal::All,
        None => Renewal::Missing,
        Some(names) if names.is_empty() => Renewal::All,
        Some(names) => Renewal::Named(names.clone()),
    };
    let new = gather::relock(&options::asking(false), &workspace, &renewal).await?;
    let mut changes = new.moved_since(&workspace.lock);
    if !args.check {
        changes.extend(new.completed_since(&workspace.lock));
    }
    let view = LockView(changes);
    ui::print(&view, global.format())?;
    match (view.0.is_empty(), args.check) {
        (true, _) => Ok(0),
        (false, true) => Ok(MOVED),
        (false, false) => write(workspace.repository.root()?, &new).map(|()| 0),
    }
}

/// Replaces `build.lock` in the folder `root` as a whole.
fn write(root: &Path, new: &Lock) -> Result<()> {
    let path = root.join(lock::FILE_NAME);
    let attempt = || {
        let mut draft = Draft::shared(root)?;
        draft.write_all(new.to_string().as_bytes())?;
        draft.keep(&path)
    };
    attempt().map_err(|error| {
        Error::new(Code::OutputUnwritable, format!("cannot write {}: {error}", path.display()))
    })
}
