//! The files that one image's key covers. Start with [`ImageInputs::find`].

use std::collections::BTreeSet;

use dtbuild_content::snapshot::Snapshot;

use super::{Bases, Part, Selections, Source, Sources, globs};
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::{Code, Error, Result};
use crate::workspace::{Files, Workspace};

/// The inputs of one image.
pub struct ImageInputs {
    source: Source,
    selections: Selections,
    /// The remarks on globs of `build.toml` that match nothing.
    globs: Vec<String>,
}

impl ImageInputs {
    /// Finds the inputs of an image.
    ///
    /// # Errors
    /// Fails when `build.toml` declares no such image, or its Dockerfile cannot be read.
    pub async fn find(clients: &Clients, workspace: &Workspace, image: &ImageName) -> Result<Self> {
        workspace.check_images([image])?;
        let roots = BTreeSet::from([image.clone()]);
        let mut sources = Sources::read(workspace, &mut Bases::locked(clients, workspace), &roots).await?;
        let source = sources.images.remove(image);
        let source = source.ok_or_else(|| {
            Error::new(Code::NotDeclared, format!("build.toml declares no image `{image}`"))
        })?;
        let selections = source.contexts.select(&workspace.repository, source.files)?;
        let image = source.declared(&workspace.config)?;
        let globs = globs::of_image(&workspace.repository, source.files, image)?;
        Ok(Self { source, selections, globs })
    }

    /// The commit or the disk that the files are read from.
    #[must_use]
    pub fn files(&self) -> Files {
        self.source.files
    }

    /// The files of each context, the main one first.
    pub(crate) fn parts(&self, workspace: &Workspace) -> Result<Vec<Part<'_>>> {
        self.source.contexts.parts(&workspace.repository, self.source.files, &self.selections)
    }

    /// The files that match the image's `paths`; none where no `paths` are declared.
    pub(crate) fn paths(&self, workspace: &Workspace) -> Result<Option<Snapshot>> {
        self.source.contexts.main.paths_snapshot(&workspace.repository, self.source.files)
    }

    /// The remarks on inputs that are not exact, on unpinned remote content, and on globs that match nothing.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.source.notes(&self.selections);
        notes.extend(self.source.stale_notes());
        notes.extend_from_slice(&self.globs);
        notes.extend(self.source.lost_notes());
        notes
    }
}
