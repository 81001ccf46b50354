//! An image as its Dockerfile has it. Start with [`Source`].

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_cache::sources::Selection;

use super::inputs::Inputs;
use super::reads::Reads;
use crate::commands::files::Files;
use crate::commands::workspace::Workspace;
use crate::config::{self, Config, ConfigError, Image, ImageName};
use crate::dockerfile::{Analysis, Dockerfile, Note, NoteKind, Options};
use crate::error::{Error, Kind, Result};

/// What an image is made of, as far as its Dockerfile and `.dockerignore` tell.
pub(crate) struct Source {
    /// Which image.
    name: ImageName,
    /// The commit or the disk; the disk also for `source = "worktree"`.
    pub(crate) files: Files,
    /// What of the repository can alter the image.
    pub(crate) inputs: Inputs,
    /// The images of `build.toml` that it is built from.
    pub(crate) dependencies: BTreeSet<ImageName>,
    /// The given build arguments that the Dockerfile declares.
    pub(crate) args: BTreeMap<String, String>,
    /// The platforms that are built for; never empty.
    pub(crate) platforms: Vec<String>,
    /// BLAKE3 of the Dockerfile's bytes, in hexadecimal.
    pub(crate) dockerfile_digest: String,
    dockerfile: Dockerfile,
    /// The Dockerfile's path.
    path: String,
    /// One analysis per platform.
    analyses: Vec<Analysis>,
    /// The words that stand for images of `build.toml`.
    words: BTreeMap<String, ImageName>,
}

impl Source {
    /// Reads an image's Dockerfile and `.dockerignore`.
    pub(crate) fn read(workspace: &Workspace, name: &ImageName) -> Result<Self> {
        let config = &workspace.config;
        let image = declared(config, name)?;
        let files = if image.source == config::Source::Worktree { Files::Disk } else { workspace.files };
        let text = files
            .read(&workspace.repository, image.dockerfile.as_ref())?
            .ok_or_else(|| no_dockerfile(workspace, files, name, image))?;
        let at =
            |error: &dyn std::fmt::Display| Error::new(Kind::Usage, format!("{}: {error}", image.dockerfile));
        let dockerfile = Dockerfile::parse(&text).map_err(|error| {
            let message = format!("{}:{}: {}", image.dockerfile, error.line, error.reason);
            Error::new(Kind::Usage, message)
        })?;
        let words = words(config, name);
        let platforms = platforms(image);
        let analyses = platforms
            .iter()
            .map(|platform| analyse(&dockerfile, image, platform, &words).map_err(|error| at(&error)))
            .collect::<Result<Vec<_>>>()?;
        let reads = Reads::new(image.dockerfile.to_string(), &analyses);
        let inputs = Inputs::read(&workspace.repository, files, image, &config.records, reads)?;
        let declared: BTreeSet<&String> =
            analyses.iter().flat_map(|analysis| &analysis.declared_args).collect();
        let dependencies = analyses.iter().flat_map(|analysis| &analysis.dependencies);
        Ok(Self {
            name: name.clone(),
            files,
            inputs,
            dependencies: dependencies.filter_map(|needed| words.get(&needed.name).cloned()).collect(),
            args: image.args.iter().filter(|(arg, _)| declared.contains(arg)).map(own).collect(),
            platforms,
            dockerfile_digest: blake3::hash(&text).to_hex().to_string(),
            dockerfile,
            path: image.dockerfile.to_string(),
            analyses,
            words,
        })
    }

    /// What `build.toml` says of the image.
    pub(crate) fn declared<'a>(&self, config: &'a Config) -> Result<&'a Image> {
        declared(config, &self.name)
    }

    /// The names of the base images, as the Dockerfile has them, expanded.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &str> {
        self.analyses.iter().flat_map(|analysis| &analysis.bases).map(|base| base.name.as_str())
    }

    /// What the image's author should know before building it.
    pub(crate) fn notes(&self, selection: &Selection) -> Vec<String> {
        let undeclared: BTreeSet<&String> =
            self.analyses.iter().flat_map(|analysis| &analysis.undeclared_args).collect();
        let note = |name| {
            format!("the build argument `{name}` has no effect: the Dockerfile has no ARG of that name")
        };
        let mut notes: Vec<String> = undeclared.into_iter().map(note).collect();
        notes.extend(self.remarks(|kind| kind.widens() || kind == NoteKind::StaleRemote));
        notes.extend(self.inputs.notes(selection));
        notes
    }

    /// Where the inputs are not exact, or count as a whole, for `explain`.
    pub(crate) fn inexact(&self, selection: &Selection) -> Vec<String> {
        let mut notes = self.remarks(|_| true);
        notes.extend(self.inputs.notes(selection));
        notes
    }

    /// The Dockerfile's notes of some kinds, each with its line.
    fn remarks(&self, wanted: impl Fn(NoteKind) -> bool) -> Vec<String> {
        let mut remarks: Vec<&Note> = Vec::new();
        for note in self.analyses.iter().flat_map(|analysis| &analysis.notes) {
            if wanted(note.kind) && !remarks.contains(&note) {
                remarks.push(note);
            }
        }
        let remark = |note: &Note| match note.line {
            0 => format!("{}: {}", self.path, note.text),
            line => format!("{}:{line}: {}", self.path, note.text),
        };
        remarks.into_iter().map(remark).collect()
    }

    /// The words of the Dockerfile that stand for images of `build.toml`.
    pub(crate) fn images(&self) -> impl Iterator<Item = (&str, &ImageName)> {
        self.words.iter().map(|(word, image)| (word.as_str(), image))
    }

    /// The Dockerfile with names of images replaced.
    pub(crate) fn pin(&self, replacements: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let analyses: Vec<&Analysis> = self.analyses.iter().collect();
        let pinned = self.dockerfile.pinned(&analyses, replacements);
        let pinned = pinned.map_err(|error| Error::new(Kind::Usage, format!("`{}`: {error}", self.name)))?;
        match pinned.unpinned.first() {
            None => Ok(pinned.source),
            Some(word) => Err(Error::new(
                Kind::Usage,
                format!(
                    "the Dockerfile of `{}`, line {}: {} cannot be pinned: {}",
                    self.name,
                    word.line,
                    word.names.join(", "),
                    word.reason
                ),
            )
            .hint(
                "a build takes exactly the base images that its key names; write the name without variables",
            )),
        }
    }
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

fn declared<'a>(config: &'a Config, name: &ImageName) -> Result<&'a Image> {
    let missing = || Error::new(Kind::Usage, format!("build.toml declares no image `{name}`"));
    config.images.get(name).ok_or_else(missing)
}

/// Another image is meant by its name, or by the repository that it is pushed to.
fn words(config: &Config, own: &ImageName) -> BTreeMap<String, ImageName> {
    let others = config.images.iter().filter(|(name, _)| *name != own);
    others
        .flat_map(|(name, image)| {
            [name.to_string(), image.repository.to_string()].map(|word| (word, name.clone()))
        })
        .collect()
}

fn analyse(
    dockerfile: &Dockerfile,
    image: &Image,
    platform: &str,
    words: &BTreeMap<String, ImageName>,
) -> std::result::Result<Analysis, crate::dockerfile::AnalysisError> {
    dockerfile.analyse(&Options {
        target: image.target.as_deref(),
        args: &image.args,
        platform,
        build_platform: &machine_platform(),
        images: &words.keys().cloned().collect(),
        contexts: &BTreeMap::new(),
        bases: &BTreeMap::new(),
    })
}

/// The declared platforms, else that of this machine: images for different machines are different images.
fn platforms(image: &Image) -> Vec<String> {
    if image.platforms.is_empty() {
        return vec![machine_platform()];
    }
    image.platforms.iter().map(|platform| platform.as_str().to_owned()).collect()
}

/// This machine's platform, in the words of the OCI.
fn machine_platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    };
    format!("linux/{architecture}")
}

fn no_dockerfile(workspace: &Workspace, files: Files, name: &ImageName, image: &Image) -> Error {
    // Where the whole context is missing, that is what to mend.
    let context = files.folder(&workspace.repository, image.context.as_ref());
    if matches!(context, Ok(None)) {
        return super::inputs::no_context(files, (name, image)).into();
    }
    let message = format!("the Dockerfile of `{name}`, `{}`, is not in {files}", image.dockerfile);
    let error = ConfigError::on_line(config::FILE_NAME, image.dockerfile_line, message);
    let inside = super::inputs::join(&image.context, &image.dockerfile.to_string());
    let hint = match files.read(&workspace.repository, inside.as_ref()) {
        Ok(Some(_)) => format!("paths are from the repository's root: write `{inside}`"),
        _ => "write one, or name it with `dockerfile`; is it committed?".to_owned(),
    };
    error.hint(hint).into()
}
