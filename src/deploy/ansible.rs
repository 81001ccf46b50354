//! A deployment by `ansible-playbook`, which gets the release as `dtbuild_*` variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::process::{Program, find};
use super::{DeployError, Deployment, Trigger};

const PROGRAM: &str = "ansible-playbook";
const HINT: &str = "install ansible-core, such as by `pipx install ansible-core`";

/// A playbook with its inventory; both paths are from the repository's root.
pub(super) struct Ansible {
    pub(super) playbook: PathBuf,
    pub(super) inventory: Option<PathBuf>,
    /// More arguments for `ansible-playbook`, after dtbuild's own.
    pub(super) args: Vec<String>,
}

impl Trigger for Ansible {
    fn check(&self, root: &Path) -> Result<(), DeployError> {
        let present = |what, path: &Path| {
            let missing = || DeployError::NoFile { what, path: path.to_owned() };
            if root.join(path).exists() { Ok(()) } else { Err(missing()) }
        };
        present("playbook", &self.playbook)?;
        self.inventory.as_deref().map_or(Ok(()), |inventory| present("inventory", inventory))?;
        installed(root).map(drop)
    }

    fn run<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<(), DeployError>> {
        Box::pin(async move {
            self.check(deployment.root)?;
            let files = deployment.release.write_files(true)?;
            let program = self.program(&files.variables(), deployment.root)?;
            program.deploy(deployment, &files).await
        })
    }
}

impl Ansible {
    /// The program `ansible-playbook [-i INVENTORY] PLAYBOOK --extra-vars @FILE [ARGS]`, where FILE is
    /// `variables`.
    fn program(&self, variables: &Path, root: &Path) -> Result<Program, DeployError> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(inventory) = &self.inventory {
            words.extend(["-i".into(), inventory.into()]);
        }
        let mut extra = OsString::from("@");
        extra.push(variables);
        words.extend([dashless(&self.playbook), "--extra-vars".into(), extra]);
        words.extend(self.args.iter().map(Into::into));
        let settings = [
            ("ANSIBLE_NOCOLOR", "1"),
            ("ANSIBLE_RETRY_FILES_ENABLED", "false"),
            // Without this setting, an unreadable inventory has no hosts, and deploying nowhere succeeds.
            ("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "true"),
        ];
        let mut settings: BTreeMap<String, OsString> =
            settings.map(|(name, value)| (name.to_owned(), value.into())).into();
        settings.extend(own_settings(&self.playbook, root));
        Ok(Program {
            name: PROGRAM.to_owned(),
            path: installed(root)?,
            args: words,
            variables: settings,
            // This variable would win over `ANSIBLE_NOCOLOR`.
            removed: vec!["ANSIBLE_FORCE_COLOR"],
        })
    }
}

fn installed(root: &Path) -> Result<PathBuf, DeployError> {
    let missing = || DeployError::NoProgram { program: PROGRAM.to_owned(), hint: HINT };
    find(Path::new(PROGRAM), root).ok_or_else(missing)
}

/// The variable `ANSIBLE_CONFIG` for the `ansible.cfg` beside the playbook, unless the user named another file.
/// Ansible itself would look for `ansible.cfg` in the current folder alone, which is the repository's root.
fn own_settings(playbook: &Path, root: &Path) -> Option<(String, OsString)> {
    let file = root.join(playbook.parent()?).join("ansible.cfg");
    let named = std::env::var_os("ANSIBLE_CONFIG").is_some();
    (!named && file.is_file()).then(|| ("ANSIBLE_CONFIG".to_owned(), file.into_os_string()))
}

/// The playbook's path in a form that cannot be taken for an option.
fn dashless(path: &Path) -> OsString {
    let dashed = path.as_os_str().as_encoded_bytes().starts_with(b"-");
    if dashed { Path::new(".").join(path).into_os_string() } else { path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playbook(playbook: &str, inventory: Option<&str>) -> Ansible {
        let args = ["--limit".to_owned(), "web".to_owned()].into();
        Ansible { playbook: playbook.into(), inventory: inventory.map(Into::into), args }
    }

    #[test]
    fn the_playbook_gets_inventory_release_and_own_arguments() {
        let playbook = playbook("site.yml", Some("hosts"));
        let program = playbook.program(Path::new("/tmp/variables.json"), Path::new("/")).unwrap();
        assert_eq!(
            program.args,
            ["-i", "hosts", "site.yml", "--extra-vars", "@/tmp/variables.json", "--limit", "web"]
        );
    }

    #[test]
    fn missing_files_are_told_before_anything_runs() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("site.yml"), "").unwrap();
        let no_playbook = playbook("none.yml", None).check(root.path()).unwrap_err();
        assert!(no_playbook.to_string().contains("the playbook `none.yml` does not exist"));
        let no_inventory = playbook("site.yml", Some("hosts")).check(root.path()).unwrap_err();
        assert!(no_inventory.to_string().contains("the inventory `hosts` does not exist"));
    }
}
