//! A deployment by a program of the user's own.

use std::path::{Path, PathBuf};

use super::DeployError;
use super::process::{Program, find};

const HINT: &str = "correct `command` in `build.toml`, or install it";

pub(super) fn check(command: &[String], root: &Path) -> Result<(), DeployError> {
    program(command, root).map(drop)
}

/// The program of an argument vector; a relative path is taken from the repository's root.
pub(super) fn program(command: &[String], root: &Path) -> Result<Program, DeployError> {
    let Some((name, args)) = command.split_first().filter(|(name, _)| !name.is_empty()) else {
        return Err(DeployError::EmptyCommand);
    };
    let path = find(&PathBuf::from(name), root)
        .ok_or_else(|| DeployError::NoProgram { program: name.clone(), hint: HINT })?;
    let args = args.iter().map(Into::into).collect();
    Ok(Program { name: name.clone(), path, args, ..Program::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path_or_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let words = |argv: &[&str]| argv.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(check(&words(&["env", "-i"]), root.path()).is_ok());
        assert!(matches!(check(&[], root.path()), Err(DeployError::EmptyCommand)));
        let missing = check(&words(&["./deploy"]), root.path()).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "cannot deploy: there is no program `./deploy`; correct `command` in `build.toml`, or install it"
        );
    }
}
