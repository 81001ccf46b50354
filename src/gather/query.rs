//! The question that a command asks about images. Start with [`Query`].

use std::collections::BTreeSet;

use crate::config::{Environment, EnvironmentName, ImageName};
use crate::error::Result;
use crate::plan::{Deploying, NoDeploy, Request};
use crate::workspace::Workspace;

/// A question about images: for a local build, for a release, or for a comparison.
#[derive(Clone, Debug)]
pub enum Query {
    /// A build of the files on the disk into the engine's store.
    Local(Scope),
    /// A comparison of the keys of two states of the files: no environment, registry or engine is asked.
    Compare(Scope),
    /// A release of the head to an environment.
    Release {
        /// The name of the environment.
        environment: EnvironmentName,
        /// The revision to compare with instead of the commit that the environment runs.
        base: Option<String>,
        /// The deployment that the user asks for.
        deploying: Deploying,
        /// True if the release is deployed even if it is older than what the environment runs, or held back.
        allow_older: bool,
        /// The images of the release.
        scope: Scope,
    },
}

/// The images of a query, and the details that are gathered about each.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The images of the query.
    pub images: BTreeSet<ImageName>,
    /// The images that are looked at, of `images`; all where none are named. The environment keeps the other
    /// images as they are.
    pub only: Option<BTreeSet<ImageName>>,
    /// True if images are built though the cache has them.
    pub force: bool,
    /// The amount of detail about each image.
    pub detail: Detail,
    /// True if the reasons are to name the changed paths.
    pub explained: bool,
}

/// The amount of detail that a command needs about each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The facts that a plan shows.
    Plan,
    /// The facts that a plan shows, and the build inputs of the images that are to be built.
    Builds,
    /// All details of every image.
    All,
}

/// The options of a release, as a command line or a test gives them.
#[derive(Clone, Debug, Default)]
pub struct ReleaseOptions {
    /// The name of the environment; where none is given, the environment that follows the current branch.
    pub environment: Option<EnvironmentName>,
    /// The revision to compare with instead of the commit that the environment runs.
    pub base: Option<String>,
    /// The images to look at; where none are named, all images of the environment.
    pub only: Vec<ImageName>,
    /// True if images are built though the cache has them.
    pub force: bool,
    /// True if the release is deployed even if it is older than what the environment runs, or held back.
    pub allow_older: bool,
}

impl Query {
    /// A release of the workspace's files to an environment, deployed where the plan says so.
    ///
    /// # Errors
    /// Fails when `build.toml` declares no such environment or image.
    pub fn release(workspace: &Workspace, options: ReleaseOptions) -> Result<Self> {
        let ReleaseOptions { environment, base, only, force, allow_older } = options;
        let environment = workspace.environment(environment.as_ref())?;
        workspace.check_images(&only)?;
        Ok(Self::Release {
            environment: environment.name.clone(),
            base,
            deploying: Deploying::AsPlanned,
            allow_older,
            scope: Scope {
                images: environment.images.iter().cloned().collect(),
                only: (!only.is_empty()).then(|| only.into_iter().collect()),
                force,
                detail: Detail::Builds,
                explained: true,
            },
        })
    }

    /// A local build of `images`, or of all when none are named.
    ///
    /// # Errors
    /// Fails when `build.toml` declares no such image.
    pub fn local(workspace: &Workspace, images: &[ImageName], force: bool) -> Result<Self> {
        Ok(Self::Local(Scope { force, ..Scope::of(workspace, images)? }))
    }

    /// A comparison of `images`, or of all when none are named.
    ///
    /// # Errors
    /// Fails when `build.toml` declares no such image.
    pub fn compare(workspace: &Workspace, images: &[ImageName]) -> Result<Self> {
        Ok(Self::Compare(Scope { detail: Detail::Plan, ..Scope::of(workspace, images)? }))
    }

    /// The query with this amount of detail.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.scope_mut().detail = detail;
        self
    }

    /// The query without changed paths among the reasons: the paths cost time and decide nothing.
    #[must_use]
    pub fn unexplained(mut self) -> Self {
        self.scope_mut().explained = false;
        self
    }

    /// The query with another deployment; a local build is never deployed.
    #[must_use]
    pub fn with_deploying(mut self, asked: Deploying) -> Self {
        if let Self::Release { deploying, .. } = &mut self {
            *deploying = asked;
        }
        self
    }

    /// The deployment that the user asks for.
    #[must_use]
    pub fn deploying(&self) -> Deploying {
        match self {
            Self::Local(_) => Deploying::No(NoDeploy::LocalBuild),
            Self::Compare(_) => Deploying::No(NoDeploy::Comparison),
            Self::Release { deploying, .. } => *deploying,
        }
    }

    /// True if the order of releases is not asked for.
    pub(super) fn allows_older(&self) -> bool {
        matches!(self, Self::Release { allow_older: true, .. })
    }

    /// The images of the query, and the details that are gathered about each.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Local(scope) | Self::Compare(scope) | Self::Release { scope, .. } => scope,
        }
    }

    pub(crate) fn scope_mut(&mut self) -> &mut Scope {
        match self {
            Self::Local(scope) | Self::Compare(scope) | Self::Release { scope, .. } => scope,
        }
    }

    /// The name of the environment that the release goes to; none for a local build or a comparison.
    #[must_use]
    pub fn environment(&self) -> Option<&EnvironmentName> {
        match self {
            Self::Local(_) | Self::Compare(_) => None,
            Self::Release { environment, .. } => Some(environment),
        }
    }

    /// The revision to compare with instead of the commit that the environment runs.
    pub(super) fn base(&self) -> Option<&str> {
        match self {
            Self::Local(_) | Self::Compare(_) => None,
            Self::Release { base, .. } => base.as_deref(),
        }
    }

    /// The environment as `build.toml` declares it; none for a local build or a comparison.
    pub(crate) fn declared<'a>(&self, workspace: &'a Workspace) -> Option<&'a Environment> {
        workspace.config.environments.get(self.environment()?)
    }

    /// True if every image has to be read, even an image that the environment runs.
    pub(super) fn needs_all(&self) -> bool {
        self.scope().detail == Detail::All || self.scope().force
    }

    /// The user's wishes that a plan is decided by.
    pub(super) fn request(&self) -> Request {
        let Scope { only, force, .. } = self.scope();
        Request { only: only.clone(), force: *force, deploying: self.deploying() }
    }
}

impl Scope {
    /// The scope of the named images, or of all images where none are named.
    fn of(workspace: &Workspace, images: &[ImageName]) -> Result<Self> {
        workspace.check_images(images)?;
        let images = if images.is_empty() {
            workspace.config.images.keys().cloned().collect()
        } else {
            images.iter().cloned().collect()
        };
        Ok(Self { images, only: None, force: false, detail: Detail::Builds, explained: true })
    }
}
