//! Acting: the execution of a plan. Start with [`CdStep`], which goes from the record to the deployment.
//!
//! A release passes through a list of steps, each in a file of [`steps`]: build, check, record, tag, deploy,
//! record. [`local`] builds images into the engine's store instead, and does nothing more.

use std::time::Duration;

use time::OffsetDateTime;

use crate::clients::Clients;
use crate::config::Environment;
use crate::deploy::{self, Release};
use crate::error::{Code, Error, Result};
use crate::gather::{self, Base, Gathered, Query};
use crate::plan::{Deploying, Plan};
use crate::process::Timings;
use crate::record::{Deployment, Holder, Lease, Records, Stored};
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

/// The life of a lease after its last renewal: the longest time for which a run that was killed on another machine
/// blocks the environment, and for which a run observes a lease that is held.
const LEASE_LIFE: Duration = Duration::from_mins(2);

/// The settings of a run's builds.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildSettings {
    /// The number of builds at a time; where none is given, four, or the sum of the `jobs` of the builders in
    /// `build.toml`.
    pub jobs: Option<u16>,
    /// True if images that do not depend on a failed image are still built.
    pub keep_going: bool,
}

/// The CD step of one environment: plan, build, push, tag, deploy, record.
pub struct CdStep<'a> {
    /// The clients of the registry, the engine and the records.
    pub clients: &'a Clients,
    /// The repository at the commit that is deployed.
    pub workspace: &'a Workspace,
    /// The query of the release: [`Query::Release`].
    pub query: &'a Query,
    /// The settings of the builds.
    pub settings: BuildSettings,
    /// The time for which the run waits for another run that deploys to the environment.
    pub wait: Duration,
    /// The measured times of the run's parts.
    pub timings: &'a Timings,
}

/// The end of a run that went well.
#[derive(Debug)]
pub enum Ended {
    /// The release was pushed or deployed.
    Released(Release),
    /// There was nothing to do any more when the lease was taken, by this plan.
    Nothing(Box<Plan>),
}

/// A plan with the state of the record that the plan was made from.
pub struct Prepared {
    stored: Stored,
    gathered: Gathered,
    /// The plan of the release.
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
    /// Reads the environment's record, gathers the facts and decides the plan.
    ///
    /// # Errors
    /// Fails when the record, git, a registry or the engine cannot be read.
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

    /// Takes the lease and carries out the plan. The plan is made anew if somebody deployed in between.
    ///
    /// # Errors
    /// Fails when an image cannot be built, a tag cannot be moved, or the deployment fails; the record has the
    /// reason.
    pub async fn execute(&self, prepared: Prepared, observer: &Observer) -> Result<Ended> {
        prepared.plan.check_decided()?;
        let store = self.clients.records(self.workspace)?;
        self.check_before_work(&store).await?;
        if let Some(text) = store.warning() {
            observer.notice(text);
        }
        let mut lease = self.take_lease(&store, observer).await?;
        if let Some(place) = &prepared.stored.carried_over {
            observer.notice(format!(
                "the deployments recorded in `{place}` were carried over; it is not read any more"
            ));
        }
        let result = Box::pin(self.under_lease(prepared, &store, &mut lease, observer)).await;
        let released = lease.release().await;
        let ended = result?;
        released?;
        Ok(ended)
    }

    async fn take_lease(&self, store: &Records, observer: &Observer) -> Result<Lease> {
        let environment = &self.environment()?.name;
        let observing = |holder: &Holder| {
            let wait = if self.wait.is_zero() { "whether it is still at work" } else { "its end" };
            observer.notice(format!("`{environment}` is being deployed by {holder}: looking for {wait}"));
        };
        let taking = async { Ok(store.take(environment, LEASE_LIFE, self.wait, observing).await?) };
        observer.unless_cancelled(taking).await
    }

    /// Checks, before anything is built, that the records can be written and that the trigger can run.
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
    ) -> Result<Ended> {
        let started = OffsetDateTime::now_utc();
        if !lease.record().agrees_with(&prepared.stored.record) {
            let planned = async { self.prepare_from(self.read(store).await?).await };
            prepared = Box::pin(lease.hold(observer.unless_cancelled(planned))).await??;
            prepared.plan.check_decided()?;
            if prepared.plan.is_nothing() && self.query.deploying() == Deploying::AsPlanned {
                return Ok(Ended::Nothing(Box::new(prepared.plan)));
            }
        }
        let Prepared { gathered, plan, .. } = &prepared;
        let builds =
            Builds::prepare(self.clients, self.workspace, gathered, plan, Purpose::Publish, self.settings);
        let builds = Box::pin(lease.hold(observer.unless_cancelled(builds))).await??;
        let told = observer.begin(plan);
        let run = ReleaseRun {
            workspace: self.workspace,
            environment: self.environment()?,
            plan,
            builds,
            registry: self.clients.registry()?,
            observer,
            id: Deployment::name(started),
            started,
        };
        told.end(Box::pin(run.execute(lease)).await).map(Ended::Released)
    }

    /// Builds the plan's images on the release's builders: nothing is pushed, tagged or deployed. The images stay
    /// in the builders' stores, or in the build cache of a builder without a store.
    ///
    /// # Errors
    /// Fails when an image cannot be built.
    pub async fn build_only(&self, prepared: &Prepared, observer: &Observer) -> Result<()> {
        let Prepared { gathered, plan, .. } = prepared;
        let prepare =
            Builds::prepare(self.clients, self.workspace, gathered, plan, Purpose::Trial, self.settings);
        let builds = observer.unless_cancelled(prepare).await?;
        let told = observer.begin(plan);
        told.end(builds.run(plan, observer).await.map(drop))
    }
}
