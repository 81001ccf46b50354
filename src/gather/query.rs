//! What a command wants to know. Start with [`Query`].

use std::collections::BTreeSet;

use crate::cli::Selection;
use crate::config::{Environment, EnvironmentName, ImageName};
use crate::error::Result;
use crate::plan::Request;
use crate::workspace::Workspace;

/// How much of each image a command wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What a plan says of it.
    Plan,
    /// Besides, all of what is to be built.
    Builds,
    /// All of every image.
    All,
}

/// What a command wants to know.
pub(crate) struct Query {
    /// Where the release is to go; none for a local build.
    pub(crate) environment: Option<EnvironmentName>,
    /// The images in question.
    pub(crate) images: BTreeSet<ImageName>,
    /// The commit to compare with instead of the one that the environment runs.
    pub(crate) base: Option<String>,
    /// What to do with them.
    pub(crate) request: Request,
    /// How much of each image is wanted.
    pub(crate) wanted: Wanted,
    /// Whether the changed paths are to be told among the reasons.
    pub(crate) explained: bool,
}

impl Query {
    /// A release of the head to an environment.
    pub(crate) fn release(workspace: &Workspace, selection: &Selection) -> Result<Self> {
        let (name, environment) = workspace.environment(selection.environment.as_ref())?;
        workspace.check_images(&selection.only)?;
        let only = (!selection.only.is_empty()).then(|| selection.only.iter().cloned().collect());
        Ok(Self {
            images: environment.images.iter().cloned().collect(),
            environment: Some(name.clone()),
            base: selection.base.clone(),
            request: Request { only, force: selection.force, ..Request::default() },
            wanted: Wanted::Builds,
            explained: true,
        })
    }

    /// A local build of `images`, or of all when none are named.
    pub(crate) fn local(workspace: &Workspace, images: &[ImageName], force: bool) -> Result<Self> {
        workspace.check_images(images)?;
        let images = if images.is_empty() {
            workspace.config.images.keys().cloned().collect()
        } else {
            images.iter().cloned().collect()
        };
        let no_deploy = Some("a local build is not deployed".to_owned());
        Ok(Self {
            environment: None,
            images,
            base: None,
            request: Request { force, no_deploy, ..Request::default() },
            wanted: Wanted::Builds,
            explained: true,
        })
    }

    /// Whether every image has to be read, also those that the environment runs.
    pub(crate) fn needs_all(&self) -> bool {
        self.wanted == Wanted::All || self.request.force
    }

    /// The environment that the release is to go to, by its name.
    pub(crate) fn environment<'a>(
        &'a self,
        workspace: &'a Workspace,
    ) -> Result<(&'a EnvironmentName, &'a Environment)> {
        let (name, environment) =
            self.environment.as_ref().zip(self.declared(workspace)).ok_or_else(|| {
                crate::error::Error::new(
                    crate::error::Code::EnvironmentNotNamed,
                    "no environment is named; add `--env`",
                )
            })?;
        Ok((name, environment))
    }

    /// What `build.toml` says of the environment.
    pub(crate) fn declared<'a>(&self, workspace: &'a Workspace) -> Option<&'a Environment> {
        workspace.config.environments.get(self.environment.as_ref()?)
    }
}
