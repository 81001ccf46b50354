//! A Dockerfile as it is written, and its analysis. Start with [`Written`].

use std::collections::BTreeSet;
use std::sync::Arc;

use super::words::{Words, WordsFor};
use crate::config::{self, Config, ConfigError, Image, ImageName};
use crate::dockerfile::{Analysis, Configs, Dockerfile, Options, PlatformImage};
use crate::error::{Code, Error, Result};
use crate::gather::inputs::for_analysis;
use crate::git::Repository;
use crate::workspace::Files;

/// An image's Dockerfile, read but not yet analysed.
pub(crate) struct Written<'a> {
    /// The image as `build.toml` declares it.
    pub(crate) image: &'a Image,
    /// The commit or the disk that the files are read from; always the disk for `source = "worktree"`.
    pub(crate) files: Files,
    pub(crate) dockerfile: Dockerfile,
    /// The BLAKE3 digest of the Dockerfile's bytes, in hexadecimal.
    pub(crate) digest: String,
    /// The platforms that the image is built for; never empty.
    pub(crate) platforms: Vec<String>,
    /// The words that stand for images of `build.toml`.
    pub(crate) words: WordsFor<'a>,
}

impl<'a> Written<'a> {
    /// Reads an image's Dockerfile from `files`, or from the disk for `source = "worktree"`.
    pub(crate) fn read(
        repository: &Repository,
        files: Files,
        (config, words): (&'a Config, &Arc<Words<'a>>),
        name: &ImageName,
    ) -> Result<Self> {
        let image = declared(config, name)?;
        let files = if image.source == config::Source::Worktree { Files::Disk } else { files };
        let text = files
            .read(repository, image.dockerfile.as_ref())?
            .ok_or_else(|| no_dockerfile(repository, files, image))?;
        let dockerfile = Dockerfile::parse(&text).map_err(|error| {
            let message = format!("{}:{}: {}", image.dockerfile, error.line, error.reason);
            Error::new(Code::DockerfileInvalid, message)
        })?;
        Ok(Self {
            image,
            files,
            dockerfile,
            digest: blake3::hash(&text).to_hex().to_string(),
            platforms: platforms(image),
            words: words.for_image(&image.name),
        })
    }

    /// Analyses the Dockerfile for each platform, with the known configurations of base images and of images of
    /// `build.toml`.
    pub(crate) fn analyse(&self, bases: &Configs, built: &Configs) -> Result<Vec<Analysis>> {
        let analyse = |platform: &String| {
            let options = Options {
                target: self.image.target.as_deref(),
                args: &self.image.args,
                platform,
                build_platform: &machine_platform(),
                images: &self.words,
                contexts: &for_analysis(&self.image.contexts),
                bases,
                built,
            };
            let at = |error: &dyn std::fmt::Display| format!("{}: {error}", self.image.dockerfile);
            self.dockerfile.analyse(&options).map_err(|error| Error::new(Code::DockerfileInvalid, at(&error)))
        };
        self.platforms.iter().map(analyse).collect()
    }

    /// The images of `build.toml` that the analyses found.
    pub(crate) fn dependencies(&self, analyses: &[Analysis]) -> BTreeSet<ImageName> {
        let found = analyses.iter().flat_map(|analysis| &analysis.dependencies);
        found.filter_map(|needed| self.words.image(&needed.name).cloned()).collect()
    }

    /// The configurations of the images that this image is built from, by the words that stand for them in its
    /// Dockerfile.
    pub(crate) fn configs<'d>(
        &self,
        dependencies: &BTreeSet<ImageName>,
        analyses_of: impl Fn(&ImageName) -> Option<(&'d Self, &'d [Analysis])>,
    ) -> Configs
    where
        'a: 'd,
    {
        let mut configs = Configs::new();
        let words = dependencies
            .iter()
            .flat_map(|need| self.words.of(need).into_iter().map(move |word| (word, need)));
        for (word, need) in words {
            let Some((written, analyses)) = analyses_of(need) else { continue };
            let each = written.platforms.iter().zip(analyses);
            for (platform, config) in each.filter_map(|(of, analysis)| Some((of, analysis.config.as_ref()?)))
            {
                // An image of one platform is used whatever platform is asked for.
                let machine = machine_platform();
                let any = self.platforms.iter().chain([&machine]).filter(|_| analyses.len() == 1);
                for platform in any.chain([platform]).filter_map(|platform| crate::platform::normal(platform))
                {
                    let image = PlatformImage { name: word.clone(), platform };
                    configs.insert(image, config.clone());
                }
            }
        }
        configs
    }
}

/// The image as `build.toml` declares it.
pub(crate) fn declared<'a>(config: &'a Config, name: &ImageName) -> Result<&'a Image> {
    let missing = || Error::new(Code::NotDeclared, format!("build.toml declares no image `{name}`"));
    config.images.get(name).ok_or_else(missing)
}

/// The declared platforms of an image, else this machine's platform: images for different machines are
/// different images.
fn platforms(image: &Image) -> Vec<String> {
    if image.platforms.is_empty() {
        return vec![machine_platform()];
    }
    image.platforms.iter().map(|platform| platform.as_str().to_owned()).collect()
}

/// This machine's platform as the OCI writes it, such as `linux/amd64`.
pub(crate) fn machine_platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    };
    format!("linux/{architecture}")
}

fn no_dockerfile(repository: &Repository, files: Files, image: &Image) -> Error {
    // A missing context is the fault to report first.
    let context = files.folder(repository, image.context.as_ref());
    if matches!(context, Ok(None)) {
        return super::super::inputs::no_context(files, image).into();
    }
    let message = format!("the Dockerfile of `{}`, `{}`, is not in {files}", image.name, image.dockerfile);
    let error = ConfigError::on_line(config::FILE_NAME, image.dockerfile_line, message);
    let inside = dtbuild_content::path::join(image.context.as_ref(), image.dockerfile.as_ref());
    let hint = match files.read(repository, inside.as_ref()) {
        Ok(Some(_)) => format!("paths are from the repository's root: write `{inside}`"),
        _ => "write one, or name it with `dockerfile`; is it committed?".to_owned(),
    };
    error.hint(hint).into()
}
