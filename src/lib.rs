//! dtbuild builds, pushes and deploys only the container images that a commit really changed.

pub mod config;
pub mod deploy;
pub mod dockerfile;
pub mod engine;
pub mod execute;
pub mod git;
pub mod plan;
pub mod record;
pub mod reference;
pub mod registry;
pub mod ui;
