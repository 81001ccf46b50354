//! dtbuild builds, pushes and deploys only the container images that a commit really changed.
//!
//! # The map
//!
//! The rooms from the top floor down. Imports run downwards alone, and `tests/house` checks it. CONTRIBUTING.md says
//! where to add what.
//!
//! | room | what it holds |
//! | --- | --- |
//! | [`commands`] | one file per command: options, one call into the rooms below, one view |
//! | [`cli`] | the command line, as clap reads it |
//! | `doctor` | checks of all that a run needs, made before the run |
//! | [`ui`] | views of results on stdout, renderers of events on stderr |
//! | [`release`] | acting: the steps from a plan to the record |
//! | [`gather`] | finding out: base, changed paths, Dockerfiles, keys, hits |
//! | [`execute`] | the scheduler of builds and pushes |
//! | [`clients`] | the registry, the engine and the records of a run, each made when it is first asked for |
//! | [`workspace`] | a repository with its `build.toml` and `build.lock`, at a commit or on the disk |
//! | [`git`] | edge: commits, diffs, trees, the working tree |
//! | [`engine`] | edge: BuildKit and Docker's API, behind a trait |
//! | [`registry`] | edge: digests, tags, artifacts, base images |
//! | [`record`] | edge: the images that environments run, the lease on each, and the storages |
//! | [`deploy`] | edge: the triggers that bring a release to its environment |
//! | `http`, `credentials`, `docker_config` | one HTTP client; the logins of `docker login`; docker's `config.json` |
//! | [`process`] | the parts of a process: runtime, signals, child programs, timings |
//! | [`events`] | the events of a run while it is under way |
//! | [`plan`] | core, pure: build, reuse or keep, and why |
//! | [`config`] | core, pure: `build.toml` and `build.lock`, validated |
//! | [`dockerfile`] | core, pure: the files that a Dockerfile reads and the images that it is built from |
//! | [`changed`], [`reference`](mod@reference) | core: changed paths; names of things in registries |
//! | `inert`, `loopback`, `parallel`, `platform`, `random`, `suggestion`, `text` | small things of which there is one each |
//! | [`error`] | failures with their codes, hints and exit codes |
//! | [`dtbuild_content`] | the crate below all rooms: `.dockerignore`, input trees, content keys, the memo |
//!
//! Data flows from [`gather::gather`] through [`plan::Plan::decide`] to [`release::CdStep`]. Start with [`plan::Plan`], which
//! everything before it prepares and everything after it carries out.

pub mod changed;
pub mod cli;
pub mod clients;
pub mod commands;
pub mod config;
mod credentials;
pub mod deploy;
mod docker_config;
pub mod dockerfile;
mod doctor;
pub mod engine;
pub mod error;
pub mod events;
pub mod execute;
pub mod gather;
pub mod git;
mod http;
mod inert;
mod loopback;
mod parallel;
pub mod plan;
mod platform;
pub mod process;
mod random;
pub mod record;
pub mod reference;
pub mod registry;
pub mod release;
mod suggestion;
mod text;
pub mod ui;
pub mod workspace;
