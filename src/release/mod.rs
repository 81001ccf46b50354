//! Acting: a plan is carried out. Start with [`CdStep`], which goes from the record to the deployment.
//!
//! A release passes through a list of steps, each in a file of [`steps`]: build, check, record, tag, deploy, record.
//! [`local`] builds into the engine's store instead, and stops.

use std::time::Duration;

use time::OffsetDateTime;

use crate::clients::Clients;
use crate::config::Environment;
use crate::deploy::{self, Release};
use crate::error::{Code, Error, Result};
use crate::gather::{self, Base, Gathered, Query};
use crate::plan::{Deploying, Plan};
use crate::process::Timings;
use crate::record::{Lease, Records, Stored};
use crate::workspace::Workspace;

pub(crate) mod builders;
mod builds;
pub mod local;
mod named;
mod observer;
mod requests;
mod steps;

pub use observer::Observer;

use builds::Builds;
use requests::Purpose;
use steps::ReleaseRun;

/// The life of a lease from its last renewal on: a run that is killed on another machine blocks the environment for
/// so long.
const LEASE_LIFE: Duration = Duration::from_mins(2);

/// How images are built.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildSettings {
    /// The number of builds at a time; four, or what the builders of `build.toml` take together, where none is given.
    pub jobs: Option<u16>,
    /// Whether images that do not depend on a failed one are built still.
    pub keep_going: bool,
}

/// The CD step of one environment: plan, build, push, tag, deploy, record.
pub struct CdStep<'a> {
    /// The registry, the engine, the records.
    pub clients: &'a Clients,
    /// The repository at the commit that is to run.
    pub workspace: &'a Workspace,
    /// The release: [`Query::Release`].
    pub query: &'a Query,
    /// How images are built.
    pub settings: BuildSettings,
    /// Where the time goes.
    pub timings: &'a Timings,
}

/// A plan with the state of the record that it was made from.
pub struct Prepared {
    stored: Stored,
    gathered: Gathered,
    /// The plan.
    pub plan: Plan,
}

impl Prepared {
    /// Checks that all images of the plan are known, and were built before.
    ///
    /// # Errors
    /// When one is not, or was not.
    pub fn check_built(&self, workspace: &Workspace) -> Result<()> {
        self.plan.check_decided()?;
        let missing: Vec<String> = self.plan.builds().map(|image| format!("`{}`", image.name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("not built yet for {}: {}", workspace.files, missing.join(", "));
        Err(Error::new(Code::ImageNotBuilt, message)
            .hint("run `dtbuild` for the environment, which builds and deploys"))
    }
}

impl CdStep<'_> {
    /// Reads the record and decides.
    ///
    /// # Errors
    /// When the record, git, a registry or the engine cannot be read.
    pub async fn prepare(&self) -> Result<Prepared> {
        let store = self.clients.records(self.workspace)?;
        self.prepare_from(self.read(&store).await?).await
    }

    async fn prepare_from(&self, stored: Stored) -> Result<Prepared> {
        let base = Base::of(&stored.record, &self.workspace.config);
        let gathered = gather::gather(self.clients, self.workspace, self.query, base, self.timings);
        let gathered = Box::pin(gathered).await?;
        let plan = Plan::decide(&gathered.facts)?;
        Ok(Prepared { stored, gathered, plan })
    }

    async fn read(&self, store: &Records) -> Result<Stored> {
        Ok(store.read(&self.environment()?.name).await?)
    }

    fn environment(&self) -> Result<&Environment> {
        self.query
            .declared(self.workspace)
            .ok_or_else(|| Error::new(Code::EnvironmentNotNamed, "no environment is named; add `--env`"))
    }

    /// Takes the lease and carries the plan out; makes it anew if somebody deployed in between.
    ///
    /// # Errors
    /// When an image cannot be built, a tag not be moved, or the deployment fails; the record says so.
    pub async fn execute(&self, prepared: Prepared, observer: &Observer) -> Result<Release> {
        prepared.plan.check_decided()?;
        let store = self.clients.records(self.workspace)?;
        self.check_before_work(&store).await?;
        let mut lease = store.acquire(&self.environment()?.name, LEASE_LIFE).await?;
        let result = Box::pin(self.under_lease(prepared, &store, &mut lease, observer)).await;
        let released = store.release(lease).await;
        let release = result?;
        released?;
        Ok(release)
    }

    /// What is missing is found before anything is built.
    async fn check_before_work(&self, store: &Records) -> Result<()> {
        store.check_writable().await?;
        let asked = !matches!(self.query.deploying(), Deploying::No(_));
        if let Some(deploy) = self.environment()?.deploy.as_ref().filter(|_| asked) {
            deploy::open(&deploy.trigger).check(self.workspace.repository.root()?)?;
        }
        Ok(())
    }

    async fn under_lease(
        &self,
        mut prepared: Prepared,
        store: &Records,
        lease: &mut Lease,
        observer: &Observer,
    ) -> Result<Release> {
        let started = OffsetDateTime::now_utc();
        let renewed = async {
            let now = self.read(store).await?;
            if now.revision != prepared.stored.revision {
                prepared = self.prepare_from(now).await?;
            }
            let Prepared { gathered, plan, .. } = &prepared;
            Builds::prepare(self.clients, self.workspace, gathered, plan, Purpose::Publish, self.settings)
                .await
        };
        let builds = observer.unless_cancelled(renewed).await?;
        let told = observer.begin(&prepared.plan);
        let run = ReleaseRun {
            workspace: self.workspace,
            environment: self.environment()?,
            plan: &prepared.plan,
            builds,
            registry: self.clients.registry()?,
            store,
            observer,
            started,
        };
        told.end(Box::pin(run.execute(prepared.stored, lease)).await)
    }

    /// Builds into the engine's store and stops: nothing is pushed, tagged or deployed.
    ///
    /// # Errors
    /// When an image cannot be built.
    pub async fn build_only(&self, prepared: &Prepared, observer: &Observer) -> Result<()> {
        let Prepared { gathered, plan, .. } = prepared;
        let prepare =
            Builds::prepare(self.clients, self.workspace, gathered, plan, Purpose::Local, self.settings);
        let builds = observer.unless_cancelled(prepare).await?;
        let told = observer.begin(plan);
        told.end(builds.run(plan, observer).await.map(drop))
    }
}
