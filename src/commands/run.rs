//! The CD step: plan, build, push, tag, deploy, record.

use std::time::Duration;

use time::OffsetDateTime;

use super::plan;
use super::print_release;
use crate::cli::{Building, Global, RunArgs};
use crate::clients::Clients;
use crate::config::{Environment, EnvironmentName};
use crate::deploy::{self, Release};
use crate::error::Result;
use crate::gather::{self, Gathered, Query};
use crate::plan::Plan;
use crate::record::{Lease, Store, Stored};
use crate::release::ReleaseRun;
use crate::release::builds::Builds;
use crate::release::requests::Purpose;
use crate::release::session::Session;
use crate::ui;
use crate::workspace::Workspace;

/// How long a lease lasts from its last renewal on: a run that is killed on another machine blocks the
/// environment for so long.
const LEASE_LIFE: Duration = Duration::from_mins(2);

/// A plan with the state of the record that it was made from.
pub(super) struct Prepared {
    stored: Stored,
    gathered: Gathered,
    pub(super) plan: Plan,
}

/// Runs the CD step.
pub(super) fn run(global: &Global, args: &RunArgs) -> Result<u8> {
    if args.dry_run {
        return plan::preview(global, &args.selection, args.detailed_exitcode, args.offline);
    }
    let clients = Clients::default().for_building(&args.building);
    let workspace = Workspace::at_commit(global, &args.selection.head)?;
    let mut query = Query::release(&workspace, &args.selection)?;
    query.explained = false;
    if args.no_push {
        query.request.no_deploy = Some("`--no-push` was given".to_owned());
    } else if args.no_deploy {
        query.request.no_deploy = Some("`--no-deploy` was given".to_owned());
    }
    let step =
        Step { global, clients: &clients, workspace: &workspace, query: &query, building: &args.building };
    let prepared = step.prepare()?;
    if args.no_push {
        return step.build_only(&prepared);
    }
    // With `--no-deploy` the tags are to name this release, even when nothing is to be built.
    if prepared.plan.is_nothing() && !args.no_deploy {
        return plan::show(global, &prepared.plan, false);
    }
    step.execute(prepared)
}

/// One execution of the CD step, or of a part of it.
pub(super) struct Step<'a> {
    pub(super) global: &'a Global,
    pub(super) clients: &'a Clients,
    pub(super) workspace: &'a Workspace,
    pub(super) query: &'a Query,
    pub(super) building: &'a Building,
}

impl Step<'_> {
    /// Reads the record and decides.
    pub(super) fn prepare(&self) -> Result<Prepared> {
        let store = self.clients.records(self.workspace)?;
        self.prepare_from(self.read(&*store)?)
    }

    fn prepare_from(&self, stored: Stored) -> Result<Prepared> {
        let gathered = gather::gather(self.clients, self.workspace, self.query, Some(&stored.record))?;
        let plan = Plan::decide(&gathered.facts)?;
        Ok(Prepared { stored, gathered, plan })
    }

    fn read(&self, store: &dyn Store) -> Result<Stored> {
        let (name, _) = self.environment()?;
        self.clients.block_on(async { Ok(store.read(name).await?) })
    }

    fn environment(&self) -> Result<(&EnvironmentName, &Environment)> {
        self.query.environment(self.workspace)
    }

    /// Takes the lease and carries the plan out; makes it anew if somebody deployed in between.
    pub(super) fn execute(&self, prepared: Prepared) -> Result<u8> {
        let store = self.clients.records(self.workspace)?;
        self.check_before_work(&*store)?;
        let (name, _) = self.environment()?;
        let mut lease = self.clients.block_on(async { Ok(store.acquire(name, LEASE_LIFE).await?) })?;
        let result = self.under_lease(prepared, &*store, &mut lease);
        let released = self.clients.block_on(async { Ok(store.release(lease).await?) });
        let release = result?;
        released?;
        self.show(&release)?;
        Ok(0)
    }

    /// What is missing is found before anything is built.
    fn check_before_work(&self, store: &dyn Store) -> Result<()> {
        self.clients.block_on(async { Ok(store.check_writable().await?) })?;
        let (_, environment) = self.environment()?;
        if let (Some(deploy), None) = (&environment.deploy, &self.query.request.no_deploy) {
            deploy::open(&deploy.trigger).check(self.workspace.repository.root()?)?;
        }
        Ok(())
    }

    fn under_lease(&self, mut prepared: Prepared, store: &dyn Store, lease: &mut Lease) -> Result<Release> {
        let started = OffsetDateTime::now_utc();
        let now = self.read(store)?;
        if now.revision != prepared.stored.revision {
            prepared = self.prepare_from(now)?;
        }
        let Prepared { stored, gathered, plan } = prepared;
        let purpose = (Purpose::Publish, self.building);
        let builds = Builds::prepare(self.clients, self.workspace, &gathered, &plan, purpose)?;
        let (environment, registry) = (self.environment()?, self.clients.registry()?);
        let session = Session::start(self.clients, self.global, self.workspace)?;
        session.announce(&plan);
        let run = ReleaseRun {
            workspace: self.workspace,
            environment,
            plan: &plan,
            builds,
            registry,
            store,
            session: &session,
            started,
        };
        let result = self.clients.block_on(run.execute(stored, lease));
        session.finish(result)
    }

    /// Builds into the engine's store and stops.
    fn build_only(&self, prepared: &Prepared) -> Result<u8> {
        let Prepared { gathered, plan, .. } = prepared;
        if plan.builds().next().is_none() {
            return plan::show(self.global, plan, false);
        }
        let purpose = (Purpose::Local, self.building);
        let builds = Builds::prepare(self.clients, self.workspace, gathered, plan, purpose)?;
        let session = Session::start(self.clients, self.global, self.workspace)?;
        session.announce(plan);
        let result = self.clients.block_on(builds.run(plan, &session));
        session.finish(result)?;
        super::build::show(self.global, plan)
    }

    fn show(&self, release: &Release) -> Result<()> {
        let outcome = if self.query.request.no_deploy.is_some() { "pushed" } else { "deployed" };
        let view = ui::release::ReleaseView {
            environment: Some(&release.environment),
            commit: release.commit.as_deref(),
            outcome,
            images: &release.images,
        };
        print_release(self.global, &view)
    }
}
