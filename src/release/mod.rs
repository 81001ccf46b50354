//! Acting: the execution of a plan. Start with [`CdStep`], which goes from the record to the deployment.
//!
//! A release passes through a list of steps, each in a file of [`steps`]: build, check, record, tag, deploy,
//! record. [`local`] builds images into the engine's store instead, and does nothing more.

use std::collections::BTreeSet;
use std::time::Duration;

use time::OffsetDateTime;

use crate::clients::Clients;
use crate::config::{Environment, ImageName};
use crate::deploy::{self, Release};
use crate::error::{Code, Error, Result};
use crate::gather::{self, Base, Gathered, Order, Query};
use crate::plan::{Decision, DeployDecision, Deploying, NoDeploy, Plan};
use crate::process::Timings;
use crate::record::{Deployment, Lease, Record, Records, Stored};
use crate::reference::Reference;
use crate::workspace::Workspace;

pub(crate) mod builders;
mod builds;
mod leasing;
pub mod local;
mod named;
mod observer;
mod promotion;
mod recorded;
mod requests;
mod rollback;
mod steps;

pub use observer::Observer;
pub use promotion::Promotion;
pub use recorded::Recorded;
pub use rollback::Rollback;

use builds::Builds;
use leasing::Leasing;
use requests::Purpose;
use steps::{Act, ReleaseRun};

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
    /// The remark on what nobody knows about the order of releases.
    remark: Option<String>,
}

impl Prepared {
    /// True if the environment runs a newer commit: there is nothing to do.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.plan.deploy == DeployDecision::Nothing { reason: NoDeploy::Superseded }
    }

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
        let (gathered, plan) = self.plan(&stored.record, &BTreeSet::new()).await?;
        let asked = self.query.deploying();
        let acts = asked != Deploying::No(NoDeploy::NoPush)
            && (!plan.is_nothing() || asked == Deploying::No(NoDeploy::NoDeploy));
        if !acts {
            return Ok(Prepared { stored, gathered, plan, remark: None });
        }
        let order = gather::order(self.clients, self.workspace, self.query, &stored.record, true).await?;
        let remark = match order {
            Order::Due => None,
            Order::Unknown(remark) => Some(remark),
            Order::Superseded => {
                return Ok(Prepared { stored, gathered, plan: plan.superseded(), remark: None });
            }
        };
        let vanished = self.vanished(&plan).await?;
        let (gathered, plan) =
            if vanished.is_empty() { (gathered, plan) } else { self.plan(&stored.record, &vanished).await? };
        Ok(Prepared { stored, gathered, plan, remark })
    }

    /// Gathers the facts and decides the plan. The registry does not have the images in `vanished` any more.
    async fn plan(&self, record: &Record, vanished: &BTreeSet<ImageName>) -> Result<(Gathered, Plan)> {
        let base = Base::of(record, &self.workspace.config).without(vanished);
        let gathered = gather::gather(self.clients, self.workspace, self.query, base, self.timings);
        let gathered = Box::pin(gathered).await?;
        let plan = Plan::decide(&gathered.facts)?;
        Ok((gathered, plan))
    }

    /// The images that the plan keeps, and that the registry does not have any more: its clean-up takes what nobody
    /// pushed for long.
    async fn vanished(&self, plan: &Plan) -> Result<BTreeSet<ImageName>> {
        let kept: Vec<(&ImageName, Reference)> = plan
            .images
            .iter()
            .filter(|image| image.decision == Decision::Keep)
            .filter_map(|image| Some((&image.name, image.repository.pinned(image.digest.as_ref()?))))
            .collect();
        if kept.is_empty() {
            return Ok(BTreeSet::new());
        }
        let references: Vec<Reference> = kept.iter().map(|(_, reference)| reference.clone()).collect();
        let served = self.clients.registry()?.digests(&references).await?;
        let gone = kept.into_iter().zip(served).filter(|(_, served)| served.is_none());
        Ok(gone.map(|((name, _), _)| name.clone()).collect())
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
        if let Some(remark) = &prepared.remark {
            observer.notice(remark.clone());
        }
        let mut lease = self.leasing(&store)?.take(observer).await?;
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

    fn leasing<'s>(&'s self, store: &'s Records) -> Result<Leasing<'s>> {
        let environment = &self.environment()?.name;
        Ok(Leasing { clients: self.clients, store, environment, wait: self.wait })
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
            let is_nothing = prepared.plan.is_nothing() && self.query.deploying() == Deploying::AsPlanned;
            if prepared.is_superseded() || is_nothing {
                return Ok(Ended::Nothing(Box::new(prepared.plan)));
            }
        }
        let Prepared { gathered, plan, .. } = &prepared;
        let builds =
            Builds::prepare(self.clients, self.workspace, gathered, plan, Purpose::Publish, self.settings);
        let builds = Box::pin(lease.hold(observer.unless_cancelled(builds))).await??;
        let told = observer.begin(plan);
        let act = Act {
            workspace: self.workspace,
            environment: self.environment()?,
            registry: self.clients.registry()?,
            observer,
            guard: self.leasing(store)?.guard(lease),
            generation: lease.generation(),
        };
        let run = ReleaseRun { act, plan, builds, id: Deployment::name(started), started };
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
