//! A deployment by a program of the user's own.

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::process::{Program, find};
use super::runnable::obstacle;
use super::{DeployError, Deployment, Trigger};

const HINT: &str = "correct `command` in `build.toml`, or install it";

/// A program with its arguments.
pub(super) struct Command {
    /// The argument vector, the program first.
    pub(super) argv: Vec<String>,
}

impl Trigger for Command {
    fn check(&self, root: &Path) -> Result<(), DeployError> {
        self.program(root).map(drop)
    }

    fn run<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<(), DeployError>> {
        Box::pin(async move {
            let program = self.program(deployment.root)?;
            let files = deployment.release.write_files(false)?;
            program.deploy(deployment, &files).await
        })
    }
}

impl Command {
    /// The program that the first argument names; a relative path is taken from the repository's root.
    fn program(&self, root: &Path) -> Result<Program, DeployError> {
        let Some((name, args)) = self.argv.split_first().filter(|(name, _)| !name.is_empty()) else {
            return Err(DeployError::EmptyCommand);
        };
        let path = find(&PathBuf::from(name), root).ok_or_else(|| {
            let there = name.contains('/').then(|| root.join(name));
            let obstacle = there.and_then(|there| obstacle(name, &there));
            obstacle.unwrap_or_else(|| DeployError::NoProgram { program: name.clone(), hint: HINT })
        })?;
        if let Some(obstacle) = obstacle(name, &path) {
            return Err(obstacle);
        }
        let args = args.iter().map(Into::into).collect();
        Ok(Program { name: name.clone(), path, args, ..Program::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure as _;

    #[test]
    fn a_program_is_found_on_the_path_or_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let check = |argv: &[&str]| {
            Command { argv: argv.iter().map(ToString::to_string).collect() }.check(root.path())
        };
        assert!(check(&["env", "-i"]).is_ok());
        assert!(matches!(check(&[]), Err(DeployError::EmptyCommand)));
        let missing = check(&["./deploy"]).unwrap_err();
        assert_eq!(missing.to_string(), "cannot deploy: there is no program `./deploy`");
        assert_eq!(missing.hint().unwrap(), "correct `command` in `build.toml`, or install it");
    }
}
