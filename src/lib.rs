//! dtbuild builds, pushes and deploys only the container images that a commit really changed.
//!
//! # The map
//!
//! In the order in which data flows; dependencies run one way, from `main` to `commands` to `execute`, and the
//! edges are introduced to the core by `commands` alone.
//!
//! | | what it is for | |
//! | --- | --- | --- |
//! | [`cli`] | the command line, as clap reads it | |
//! | [`commands`] | one file per command: gather, decide, act | |
//! | [`config`] | `build.toml` and `build.lock`, validated | core |
//! | [`git`] | commits, diffs, trees, the working tree | edge |
//! | [`dockerfile`] | what a Dockerfile reads and is built from | core, pure |
//! | [`dtbuild_content`] | `.dockerignore`, input trees, content keys | core |
//! | [`registry`] | digests, tags, artifacts, base images | edge |
//! | [`plan`] | build, reuse or keep, and why | core, pure |
//! | [`execute`] | the scheduler and its events | |
//! | [`engine`] | BuildKit, behind a trait | edge |
//! | [`deploy`] | a command or a playbook gets the release | edge |
//! | [`record`] | what environments run; the lease | edge |
//! | [`ui`] | all that is printed: progress on stderr, results on stdout | |
//! | `credentials` | what `docker login` stored, for registries and engines | edge |
//! | `docker_config` | docker's `config.json`, as docker reads it | core |
//! | `process` | a program run with all that it starts | |
//! | `inert` | text from outside, for terminals and CI systems | core |
//! | `loopback` | which addresses are this machine's own | core |
//! | `parallel` | work shared out over the machine's cores | core |
//! | [`error`] | kinds of failure and their exit codes | |
//! | [`reference`](mod@reference) | names of things in registries | core |
//! | `random` | ids that nobody else has | |
//! | `suggestion` | the known word that somebody meant | core |
//! | `text` | types that are strings to everybody else | core |
//!
//! Start with [`plan::Plan`], which everything before it prepares and everything after it carries out.

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
