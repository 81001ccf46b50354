//! The command line, as clap reads it. Nothing is decided here.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use dtbuild_content::fingerprint::Fingerprint;

use crate::config::{EnvironmentName, ImageName};
use crate::engine::{Archive, SILENCE_LIMIT};
use crate::ui::{Format, ProgressMode};

mod environments;
mod values;

pub use environments::{
    HistoryArgs, PromoteArgs, RollbackArgs, StatusArgs, SuperviseArgs, UnlockArgs, Waiting,
};
use values::archive;

/// Builds, pushes and deploys only the container images that a commit really changed.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  dtbuild --env staging              the CD step: build, push and deploy what HEAD changed for staging
  dtbuild --env staging --dry-run    say what that would do, and why
  dtbuild                            the same for the environment that follows this branch
  dtbuild build api                  build one image from the files on the disk, for this machine
  dtbuild status                     what every environment runs
  dtbuild explain api --env staging  why api is built: the path that changed, the line that reads it
  dtbuild inputs api                 the files that api is built from

Exit codes:
  0 done or nothing to do, 1 an image failed, 2 usage or configuration, 3 engine, registry or git not usable,
  4 the deployment failed, 5 the environment's lease is held, or it is on hold,
  130 interrupted.
  With --dry-run --detailed-exitcode: 0 nothing to build, 10 something to build."
)]
pub struct Cli {
    /// What every command has.
    #[command(flatten)]
    pub global: Global,
    /// The CD step's options, when no command is named.
    #[command(flatten)]
    pub run: RunArgs,
    /// The command; the CD step when none is named.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Reads the command line for a program of this `code`; ends the program where that asks for help, or is wrong.
    #[must_use]
    pub fn read(code: Fingerprint) -> Self {
        let mut command = Self::command();
        let matches = command.get_matches_mut();
        if let (Some(name), Some(option)) = (matches.subcommand_name(), of_the_cd_step(&matches)) {
            let message =
                format!("`--{option}` stands before `{name}`; write the options of `{name}` after it");
            command.error(ErrorKind::ArgumentConflict, message).exit();
        }
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        cli.global.code = code;
        cli
    }
}

/// An option of the CD step that was given. Before a command it would have no effect, which clap can refuse
/// only together with the options that every command has.
fn of_the_cd_step(matches: &ArgMatches) -> Option<String> {
    let options = RunArgs::augment_args(clap::Command::new("run"));
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let option = options.get_arguments().find(|option| given(option.get_id().as_str()))?;
    option.get_long().map(str::to_owned)
}

/// The commands besides the CD step.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what would be built, reused and deployed, and why (the same as --dry-run)
    Plan(PlanArgs),
    /// Build images from the files on the disk into the engine's store; nothing is pushed
    Build(BuildArgs),
    /// Deploy the images of a commit that were built and pushed before
    Deploy(DeployArgs),
    /// Show what the environments run
    Status(StatusArgs),
    /// List the deployments of an environment
    History(HistoryArgs),
    /// Apply an earlier release again, by its digests; nothing is built
    Rollback(RollbackArgs),
    /// Deploy to one environment what another one runs, by the same digests
    Promote(PromoteArgs),
    /// Take the right to deploy away from a run that hangs
    Unlock(UnlockArgs),
    /// Say why an image is built, reused or kept, or which images a file is an input of
    Explain(ExplainArgs),
    /// List the files that an image is built from
    Inputs(InputsArgs),
    /// Write the digests of the base images into build.lock
    Lock(LockArgs),
    /// Look at what a run needs: engine, registries, credentials, git, build.toml; say what will not work
    Doctor(DoctorArgs),
    /// Run a trigger, and end it with the run that started this process
    #[command(hide = true)]
    Supervise(SuperviseArgs),
}

/// What every command has.
#[derive(Debug, Args)]
pub struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// Push to and look in this registry instead of `[project] registry`
    #[arg(long, env = "DTBUILD_REGISTRY", value_name = "REGISTRY", global = true)]
    pub registry: Option<String>,
    /// How to show progress (on stderr)
    #[arg(long, value_enum, default_value_t, value_name = "HOW", global = true)]
    pub progress: ProgressMode,
    /// Print the result as JSON (on stdout)
    #[arg(long, global = true)]
    pub json: bool,
    /// Of a preview: print where the time went, and the peak memory (on stderr)
    #[arg(long, global = true)]
    pub timings: bool,
    /// The code that earlier runs have to be of, for what they found out to count.
    #[arg(skip = Fingerprint::of(""))]
    pub code: Fingerprint,
}

impl Global {
    /// The format of the result.
    #[must_use]
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }
}

/// What to plan for.
#[derive(Debug, Default, Args)]
pub struct Selection {
    /// The environment; by default the one that follows the current branch
    #[arg(long = "env", short = 'e', value_name = "ENVIRONMENT")]
    pub environment: Option<EnvironmentName>,
    /// Compare with this commit instead of the one that the environment runs
    #[arg(long, value_name = "COMMIT")]
    pub base: Option<String>,
    /// Build this commit
    #[arg(long, value_name = "COMMIT", default_value = "HEAD")]
    pub head: String,
    /// Look at these images only; the environment keeps the others as they are
    #[arg(long, value_name = "IMAGE", value_delimiter = ',')]
    pub only: Vec<ImageName>,
    /// Build even what the cache has, running every step again
    #[arg(long)]
    pub force: bool,
    /// Deploy even what is older than what the environment runs, or held back by a rollback
    #[arg(long)]
    pub allow_older: bool,
}

/// How to build.
#[derive(Debug, Args)]
pub struct Building {
    /// How many images to build at a time [default: 4, or what the builders of build.toml take together]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// After a failure, still build the images that do not depend on the failed one
    #[arg(long, short = 'k')]
    pub keep_going: bool,
    /// Give up an engine, or a push, of which nothing was heard for so long; a build's command may be silent
    #[arg(long, env = "DTBUILD_SILENCE_LIMIT", value_name = "SECONDS", default_value_t = SILENCE_LIMIT.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub silence_limit: u64,
}

impl Default for Building {
    fn default() -> Self {
        Self { jobs: None, keep_going: false, silence_limit: SILENCE_LIMIT.as_secs() }
    }
}

/// The CD step.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, as clap reads them")]
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to plan for.
    #[command(flatten)]
    pub selection: Selection,
    /// How to build.
    #[command(flatten)]
    pub building: Building,
    /// What to do where another run deploys.
    #[command(flatten)]
    pub waiting: Waiting,
    /// Only say what would be done, and why
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// With --dry-run: exit with 10 when something would be built
    #[arg(long, requires = "dry_run")]
    pub detailed_exitcode: bool,
    /// With --dry-run: ask neither registries nor git's remote; what the environment does not run counts as new
    #[arg(long, requires = "dry_run")]
    pub offline: bool,
    /// Build, but push, tag and deploy nothing
    #[arg(long)]
    pub no_push: bool,
    /// Build, push and tag, but deploy nothing
    #[arg(long)]
    pub no_deploy: bool,
}

/// `dtbuild plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild plan --env staging                   what a push to staging would build, reuse and deploy
  dtbuild plan --since origin/main             what this branch would rebuild, by the keys of both ends
  dtbuild plan --from v1.3 --to v1.4           the same for a range of commits; --from alone: to the disk
  dtbuild plan --env staging --head v1.4       the same for a tag
  dtbuild plan --env staging --json | jq .     for programs; docs/plan.md describes the fields")]
pub struct PlanArgs {
    /// What to plan for.
    #[command(flatten)]
    pub selection: Selection,
    /// Compare the images of this commit with those of `--to`: no environment, record, registry or network is asked
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["environment", "base", "head", "force"])]
    pub from: Option<String>,
    /// With --from: the commit to compare; by default the files on the disk
    #[arg(long, value_name = "COMMIT", requires = "from")]
    pub to: Option<String>,
    /// Compare HEAD with the commit at which it left this branch
    #[arg(long, value_name = "BRANCH", conflicts_with_all = ["from", "environment", "base", "head", "force"])]
    pub since: Option<String>,
    /// Exit with 10 when something would be built
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Ask neither registries nor git's remote; what the environment does not run counts as new
    #[arg(long)]
    pub offline: bool,
}

impl PlanArgs {
    /// Tells whether two ends are named, and no environment.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.from.is_some() || self.since.is_some()
    }
}

/// `dtbuild build`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild build                build every image whose inputs on the disk have not been built yet
  dtbuild build api db         the same for two images and what they are built from
  dtbuild build --dry-run      say what would be built
  dtbuild build api -o type=docker,dest=api.tar
                               the same for one image, and into a file for `docker load`

Each image is named {repository}:local, and by its content key.")]
pub struct BuildArgs {
    /// The images; all when none are named
    #[arg(value_name = "IMAGE")]
    pub images: Vec<ImageName>,
    /// How to build.
    #[command(flatten)]
    pub building: Building,
    /// Build even what the engine's store has, running every step again
    #[arg(long)]
    pub force: bool,
    /// Write the one image that is named into a file besides: type=oci,dest=FILE or type=docker,dest=FILE
    #[arg(long, short = 'o', value_name = "WHERE", value_parser = archive, requires = "images", conflicts_with = "dry_run")]
    pub output: Option<Archive>,
    /// Only say what would be built, and why
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// With --dry-run: ask no registry, nor what the engine has built; every image counts as new
    #[arg(long, requires = "dry_run")]
    pub offline: bool,
}

/// `dtbuild deploy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild --env staging --no-deploy && dtbuild deploy --env staging     build in one job, deploy in the next
  dtbuild deploy --env staging --head HEAD~1 --allow-older              go back one commit; nothing is built")]
pub struct DeployArgs {
    /// The environment; by default the one that follows the current branch
    #[arg(long = "env", short = 'e', value_name = "ENVIRONMENT")]
    pub environment: Option<EnvironmentName>,
    /// Deploy the images of this commit
    #[arg(long, value_name = "COMMIT", default_value = "HEAD")]
    pub head: String,
    /// Deploy even what is older than what the environment runs, or held back by a rollback
    #[arg(long)]
    pub allow_older: bool,
    /// What to do where another run deploys.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// Whose files are looked at.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// Look at this commit
    #[arg(long, value_name = "COMMIT", default_value = "HEAD")]
    pub head: String,
    /// Look at the files on the disk, as `dtbuild build` does, instead of a commit
    #[arg(long, conflicts_with = "head")]
    pub disk: bool,
}

/// `dtbuild explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild explain api --env staging         why a push to staging would build api: the path that changed, the
                                            line of the Dockerfile that reads it, what is built from api
  dtbuild explain api --disk                the same for `dtbuild build`, against HEAD
  dtbuild explain --path docs/openapi.yml   which images that file is an input of, and why not of the others
  dtbuild explain api --json | jq .fields   what the key is made of")]
pub struct ExplainArgs {
    /// The image
    #[arg(value_name = "IMAGE", required_unless_present = "path")]
    pub image: Option<ImageName>,
    /// Say which images this file is an input of; from the repository's root
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "environment", "base"])]
    pub path: Option<String>,
    /// The environment; by default the one that follows the current branch
    #[arg(long = "env", short = 'e', value_name = "ENVIRONMENT", conflicts_with = "disk")]
    pub environment: Option<EnvironmentName>,
    /// Compare with this commit instead of the one that the environment runs
    #[arg(long, value_name = "COMMIT", conflicts_with = "disk")]
    pub base: Option<String>,
    /// Whose files are looked at.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Ask neither registries nor git's remote
    #[arg(long)]
    pub offline: bool,
}

/// `dtbuild inputs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild inputs api                  the files of HEAD that api is built from, with sizes and ids
  dtbuild inputs api --disk           the same for the files on the disk
  dtbuild inputs api --json | jq -r '.inputs[].path'

The base images, arguments and the Dockerfile enter the key as well: `dtbuild explain api` shows all of it.")]
pub struct InputsArgs {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub image: ImageName,
    /// Whose files are looked at.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Ask neither registries nor git's remote
    #[arg(long)]
    pub offline: bool,
}

/// `dtbuild lock`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dtbuild lock                       add the base images that have no entry yet, drop those not used any more
  dtbuild lock --update              move every base image to what its registry serves now
  dtbuild lock --update nginx:1.29   move one
  dtbuild lock --check               exit with 10 when a base image moved; for a scheduled job")]
pub struct LockArgs {
    /// Ask for the digests again, of all base images or of the named ones
    #[arg(long, value_name = "NAME", num_args = 0.., conflicts_with = "check")]
    pub update: Option<Vec<String>>,
    /// Change nothing; exit with 10 when build.lock is not what the registries serve
    #[arg(long)]
    pub check: bool,
}

/// `dtbuild doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Ask neither registries nor git's remote
    #[arg(long)]
    pub offline: bool,
}
