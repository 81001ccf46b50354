//! Docker's clients, and what a build by one of them gets of a context. Start with [`Client`].

use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use bstr::{BString, ByteSlice as _};

use super::generate::Case;
use crate::engine::fixture::variable;

/// A program that builds on an engine.
pub(super) struct Client {
    name: &'static str,
    program: PathBuf,
    /// The engine's address.
    engine: String,
}

impl Client {
    /// The machine's own `docker`.
    pub(super) fn docker() -> Self {
        // Debian's: another one in PATH may lack the BuildKit plugin.
        let program = Some(PathBuf::from("/usr/bin/docker")).filter(|path| path.exists());
        let program = program.unwrap_or_else(|| "docker".into());
        Self { name: "docker", program, engine: variable("DOCKER_HOST") }
    }

    /// `docker-buildx` of Debian sid, with Docker 28.
    pub(super) fn buildx() -> Self {
        let (program, engine) = (variable("DTBUILD_TEST_BUILDX"), variable("DTBUILD_TEST_ENGINE_28"));
        let program = program.into();
        Self { name: "docker-buildx", program, engine }
    }

    /// The files and folders that arrive in a build of the case; what the client says if it fails.
    pub(super) fn arrives(&self, case: &Case) -> Result<BTreeSet<BString>, String> {
        self.build(case, None)
    }

    /// The same with an ignore file beside the Dockerfile.
    pub(super) fn arrives_beside(&self, ignore: &str, case: &Case) -> Result<BTreeSet<BString>, String> {
        self.build(case, Some(ignore))
    }

    fn build(&self, case: &Case, ignore: Option<&str>) -> Result<BTreeSet<BString>, String> {
        let place = tempfile::tempdir().unwrap();
        let context = place.path().join("context");
        case.write(&context);
        self.build_from(&context, ignore)
    }

    /// The files and folders that arrive in a build of a folder.
    pub(super) fn build_from(
        &self,
        context: &Path,
        ignore: Option<&str>,
    ) -> Result<BTreeSet<BString>, String> {
        let folder = tempfile::tempdir().unwrap();
        let arrived = folder.path().join("arrived");
        let dockerfile = folder.path().join("Dockerfile");
        std::fs::write(&dockerfile, "FROM scratch\nCOPY . /\n").unwrap();
        if let Some(ignore) = ignore {
            std::fs::write(folder.path().join("Dockerfile.dockerignore"), ignore).unwrap();
        }
        let mut output = std::ffi::OsString::from("type=local,dest=");
        output.push(&arrived);
        let built = Command::new(&self.program)
            .args(["build", "--no-cache", "--progress=plain", "--output"])
            .arg(output)
            .arg("--file")
            .arg(&dockerfile)
            .arg(context)
            .env("DOCKER_HOST", &self.engine)
            .env("DOCKER_BUILDKIT", "1")
            .env("DOCKER_CONFIG", folder.path())
            .output()
            .unwrap();
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).trim().to_owned());
        }
        let mut paths = BTreeSet::new();
        list(&arrived, &arrived, &mut paths);
        Ok(paths)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

fn list(root: &Path, folder: &Path, paths: &mut BTreeSet<BString>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let below = path.strip_prefix(root).unwrap().to_owned();
        paths.insert(below.into_os_string().into_vec().into());
        if path.symlink_metadata().unwrap().is_dir() {
            list(root, &path, paths);
        }
    }
}

/// A path below `folder`.
pub(super) fn below(folder: &Path, path: &[u8]) -> PathBuf {
    folder.join(std::ffi::OsStr::from_bytes(path.as_bytes()))
}
