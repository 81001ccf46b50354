//! The programs that are compared. Start with [`Tools::find`].
//!
//! Docker's plugins are run directly, without the `docker` program in front of them: that is the quickest that they can
//! be had. Attestations are switched off for them, as dtbuild makes none unless it is asked to.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::options::Options;
use crate::processes::timing::Timed;

/// The names of dtbuild and of its peers in the figures.
pub(crate) const DTBUILD: &str = "dtbuild";
pub(crate) const BAKE: &str = "buildx bake";
pub(crate) const COMPOSE: &str = "compose build";
pub(crate) const BUILDX: &str = "buildx build";

/// The base image of all images that are built.
const BASE: &str = "busybox:1.36";

/// The programs, and the engine that they use.
pub(crate) struct Tools {
    dtbuild: PathBuf,
    buildx: PathBuf,
    compose: PathBuf,
    docker: PathBuf,
    engine: OsString,
    registry: String,
    /// Configuration and caches of all programs: nothing of the user's is read or written.
    home: PathBuf,
}

impl Tools {
    /// The programs that `./dev engine up` has, for the engine that is the benchmark's own.
    pub(crate) fn find(options: &Options) -> Outcome<Self> {
        let named = |name: &str| {
            std::env::var_os(name).ok_or_else(|| format!("`{name}` is not set; run `./dev bench engine`"))
        };
        let tools = Self {
            dtbuild: options.common.dtbuild.clone(),
            buildx: named("DTBUILD_TEST_BUILDX")?.into(),
            compose: named("DTBUILD_TEST_COMPOSE")?.into(),
            docker: named("DTBUILD_TEST_DOCKER")?.into(),
            engine: named("DTBUILD_TEST_ENGINE_28_BENCH")?,
            registry: named("DTBUILD_TEST_REGISTRY")?.to_string_lossy().into_owned(),
            home: options.common.folder.join("home"),
        };
        drop(fs::remove_dir_all(&tools.home));
        // compose hands its builds to buildx where it finds it.
        let plugins = tools.home.join("cli-plugins");
        fs::create_dir_all(&plugins)?;
        std::os::unix::fs::symlink(&tools.buildx, plugins.join("docker-buildx"))?;
        Ok(tools)
    }

    /// The registry that images are pushed to.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The compared programs, in one line.
    pub(crate) fn versions(&self) -> Outcome<String> {
        let here = Path::new(".");
        let docker = self.docker(["version", "--format", "Docker {{.Server.Version}}"]).output()?;
        let driver = self.docker(["info", "--format", "{{.Driver}}"]).output()?;
        let buildx = self.run(BAKE, &self.buildx, here, ["version"]).output()?;
        let compose = self.run(COMPOSE, &self.compose, here, ["version", "--short"]).output()?;
        let buildx = buildx.split_whitespace().nth(1).unwrap_or("?").to_owned();
        Ok(format!("{} ({}); buildx {buildx}; compose {}", docker.trim(), driver.trim(), compose.trim()))
    }

    /// The base image by its digest, so that no program has to ask a registry what it is.
    pub(crate) fn base(&self) -> Outcome<String> {
        self.docker(["pull", "--quiet", BASE]).output()?;
        let digest =
            self.docker(["image", "inspect", "--format", "{{index .RepoDigests 0}}", BASE]).output()?;
        let digest = digest.trim().rsplit_once('@').ok_or("the base image has no digest")?.1;
        Ok(format!("{BASE}@{digest}"))
    }

    /// A command of dtbuild in `folder`.
    pub(crate) fn dtbuild<'a>(&self, folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Timed {
        self.run(DTBUILD, &self.dtbuild, folder, arguments)
    }

    /// `docker buildx bake` of all that `folder` has.
    pub(crate) fn bake(&self, folder: &Path) -> Timed {
        self.run(BAKE, &self.buildx, folder, ["bake"])
    }

    /// `docker compose build` of all that `folder` has.
    pub(crate) fn compose(&self, folder: &Path) -> Timed {
        self.run(COMPOSE, &self.compose, folder, ["build"])
    }

    /// `docker buildx build` of one context.
    pub(crate) fn buildx(&self, folder: &Path, context: &str) -> Timed {
        let tag = format!("{}/bench-buildx", self.registry);
        self.run(BUILDX, &self.buildx, folder, ["build", "--tag", &tag, context])
    }

    /// Leaves nothing in the engine: no image, no step.
    pub(crate) fn forget_all(&self) -> Outcome<()> {
        self.docker(["system", "prune", "--all", "--force"]).output().map(drop)
    }

    fn docker<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Timed {
        self.run("docker", &self.docker, Path::new("."), arguments)
    }

    fn run<'a>(
        &self,
        name: &str,
        program: &Path,
        folder: &Path,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Timed {
        Timed::new(name, program, folder, arguments)
            .with("DOCKER_HOST", &self.engine)
            .with("DOCKER_CONFIG", &self.home)
            .with("XDG_CACHE_HOME", self.home.join("cache"))
            .with("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
    }
}
