//! A [`Release`], and the files and variables by which programs get the release.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use dtbuild_content::draft;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

use super::DeployError;
use crate::config::{EnvironmentName, ImageName};
use crate::reference::Reference;

/// The images that belong to one commit, pinned by digest, and the environment that they go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub environment: EnvironmentName,
    /// The commit's id; none for the working tree.
    pub commit: Option<String>,
    /// The images by name.
    pub images: BTreeMap<ImageName, Reference>,
}

/// The files of a release, in a folder that only this user can open. The folder is removed when this value is
/// dropped.
#[derive(Debug)]
pub(super) struct ReleaseFiles(TempDir);

impl Release {
    /// The release in the format of its JSON file: `{"version": 1, "project": .., "environment": .., "commit":
    /// .., "images": {"client": "registry.example.com/datatube/client@sha256:.."}}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "version": 1,
            "project": self.project,
            "environment": self.environment,
            "commit": self.commit,
            "images": self.images,
        })
    }

    /// The release as variables of a playbook.
    fn to_playbook_variables(&self) -> serde_json::Value {
        json!({
            "dtbuild_project": self.project,
            "dtbuild_environment": self.environment,
            "dtbuild_commit": self.commit,
            "dtbuild_images": self.images,
        })
    }

    /// The release as variables of a program's environment. An error where an image is not pinned by digest, or
    /// two images have the same variable.
    pub(super) fn variables(&self) -> Result<BTreeMap<String, OsString>, DeployError> {
        let mut variables = BTreeMap::new();
        let mut names: BTreeMap<String, &ImageName> = BTreeMap::new();
        for (image, reference) in &self.images {
            if reference.digest().is_none() {
                let (image, reference) = (image.clone(), reference.clone());
                return Err(DeployError::NotPinned { image, reference });
            }
            let variable = image.variable();
            if let Some(first) = names.insert(variable.clone(), image) {
                let (first, second) = (first.clone(), image.clone());
                return Err(DeployError::SameVariable { first, second, variable });
            }
            variables.insert(variable, reference.to_string().into());
        }
        variables.insert("DTBUILD_PROJECT".to_owned(), self.project.clone().into());
        variables.insert("DTBUILD_ENVIRONMENT".to_owned(), self.environment.to_string().into());
        if let Some(commit) = &self.commit {
            variables.insert("DTBUILD_COMMIT".to_owned(), commit.into());
        }
        Ok(variables)
    }

    /// Writes `release.json` and, for a playbook, `variables.json`.
    pub(super) fn write_files(&self, for_playbook: bool) -> Result<ReleaseFiles, DeployError> {
        let write = || {
            let private = std::fs::Permissions::from_mode(0o700);
            let folder =
                tempfile::Builder::new().prefix("dtbuild-release-").permissions(private).tempdir()?;
            let mut documents = vec![("release.json", self.to_json())];
            if for_playbook {
                documents.push(("variables.json", self.to_playbook_variables()));
            }
            for (name, document) in documents {
                draft::replace(&folder.path().join(name), &[&serde_json::to_vec_pretty(&document)?])?;
            }
            Ok(ReleaseFiles(folder))
        };
        write().map_err(|source| DeployError::Io { action: "write the release's file".to_owned(), source })
    }
}

impl ReleaseFiles {
    pub(super) fn release(&self) -> PathBuf {
        self.0.path().join("release.json")
    }

    pub(super) fn variables(&self) -> PathBuf {
        self.0.path().join("variables.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure as _;

    fn release(names: &[&str]) -> Release {
        let reference =
            |name: &str| format!("example.com/{name}@sha256:{}", "0f".repeat(32)).parse().unwrap();
        Release {
            project: "datatube".to_owned(),
            environment: "staging".parse().unwrap(),
            commit: Some("c0ffee".to_owned()),
            images: names.iter().map(|name| (name.parse().unwrap(), reference(name))).collect(),
        }
    }

    #[test]
    fn names_become_variables() {
        let variables = release(&["client", "geo-api.v2"]).variables().unwrap();
        assert_eq!(
            variables.keys().collect::<Vec<_>>(),
            [
                "DTBUILD_COMMIT",
                "DTBUILD_ENVIRONMENT",
                "DTBUILD_IMAGE_CLIENT",
                "DTBUILD_IMAGE_GEO_API_V2",
                "DTBUILD_PROJECT"
            ]
        );
    }

    #[test]
    fn two_images_never_share_a_variable() {
        let error = release(&["a-b", "a.b"]).variables().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot deploy: images `a-b` and `a.b` would both be `DTBUILD_IMAGE_A_B`"
        );
        assert_eq!(error.hint().unwrap(), "rename one of them");
    }

    #[test]
    fn a_tag_is_not_deployed() {
        let mut release = release(&["client"]);
        release.images.insert("api".parse().unwrap(), "example.com/api:latest".parse().unwrap());
        assert!(matches!(release.variables(), Err(DeployError::NotPinned { .. })));
    }

    #[test]
    fn files_are_for_this_user_and_go_with_the_run() {
        let files = release(&["client"]).write_files(true).unwrap();
        for path in [files.release(), files.variables()] {
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let folder = files.0.path().to_owned();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        drop(files);
        assert!(!folder.exists());
    }
}
