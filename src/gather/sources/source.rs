//! An image as its Dockerfile describes it. Start with [`Source`].

use std::collections::{BTreeMap, BTreeSet};

use super::bases::Bases;
use super::written::{Written, declared};
use crate::config::{BasePolicy, Config, Image, ImageName};
use crate::dockerfile::{Analysis, Dockerfile, Entitlement, Note, NoteKind, familiar};
use crate::error::{Code, Error, Result};
use crate::gather::inputs::{Contexts, Selections};
use crate::plan::Reason;
use crate::workspace::Files;
use crate::workspace::Workspace;

/// The parts of an image, as far as its Dockerfile and `.dockerignore` tell.
pub(crate) struct Source {
    /// The image's name.
    name: ImageName,
    /// The commit or the disk that the files are read from; always the disk for `source = "worktree"`.
    pub(crate) files: Files,
    /// The contexts that the image is built from.
    pub(crate) contexts: Contexts,
    /// The images of `build.toml` that this image is built from.
    pub(crate) dependencies: BTreeSet<ImageName>,
    /// The build arguments of `build.toml` that the Dockerfile declares.
    pub(crate) args: BTreeMap<String, String>,
    /// The platforms that the image is built for; never empty.
    pub(crate) platforms: Vec<String>,
    /// The BLAKE3 digest of the Dockerfile's bytes, in hexadecimal.
    pub(crate) dockerfile_digest: String,
    dockerfile: Dockerfile,
    /// The Dockerfile's path, from the repository's root.
    path: String,
    /// One analysis per platform.
    analyses: Vec<Analysis>,
    /// The words of the Dockerfile that stand for images of `build.toml`.
    words: BTreeMap<String, ImageName>,
    /// The remarks on base images in repositories of this project.
    external: Vec<String>,
    /// True if no registry is asked for base images (`bases = "name"`).
    by_name: bool,
    /// The base images that cannot be had.
    lost: Vec<Reason>,
    /// The remarks on base images that neither build.lock nor a registry told of.
    stand_ins: Vec<String>,
}

impl Source {
    /// The source of an image whose Dockerfile was analysed; reads the contexts' `.dockerignore` files.
    pub(crate) fn new(
        workspace: &Workspace,
        written: Written<'_>,
        dependencies: BTreeSet<ImageName>,
        (analyses, bases): (Vec<Analysis>, &Bases<'_>),
    ) -> Result<Self> {
        let path = written.image.dockerfile.to_string();
        let (config, image, files) = (&workspace.config, written.image, written.files);
        let contexts = Contexts::read(&workspace.repository, files, image, &config.written, &analyses)?;
        let words = |need: &ImageName| {
            written.words.of(need).into_iter().map(|word| (word, need.clone())).collect::<Vec<_>>()
        };
        // The file may write a name in full that is known by its familiar form.
        let as_written = analyses.iter().flat_map(Analysis::written_names).filter_map(|name| {
            let image = written.words.image(familiar(name)).filter(|image| dependencies.contains(*image))?;
            Some((name.to_owned(), image.clone()))
        });
        let words: BTreeMap<String, ImageName> =
            dependencies.iter().flat_map(words).chain(as_written).collect();
        let external = external(&path, &written, &analyses);
        let declared: BTreeSet<&String> =
            analyses.iter().flat_map(|analysis| &analysis.declared_args).collect();
        // Unknown ONBUILD instructions may declare any argument.
        let any = analyses.iter().any(Analysis::has_unknown_triggers);
        let args = image.args.iter().filter(|(arg, _)| any || declared.contains(arg)).map(own).collect();
        let (lost, stand_ins) = (bases.lost(&path, &analyses), bases.stand_ins(&path, &analyses));
        Ok(Self {
            lost,
            stand_ins,
            words,
            external,
            dependencies,
            name: image.name.clone(),
            files,
            contexts,
            args,
            platforms: written.platforms,
            dockerfile_digest: written.digest,
            dockerfile: written.dockerfile,
            path,
            analyses,
            by_name: config.bases == BasePolicy::Name,
        })
    }

    /// The image as `build.toml` declares it.
    pub(crate) fn declared<'a>(&self, config: &'a Config) -> Result<&'a Image> {
        declared(config, &self.name)
    }

    /// The names of the base images, as the Dockerfile writes them, with variables expanded.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &str> {
        self.analyses.iter().flat_map(|analysis| &analysis.bases).map(|base| base.name.as_str())
    }

    /// The platforms that base images are needed for.
    pub(crate) fn base_platforms(&self) -> impl Iterator<Item = String> {
        let asked = self.analyses.iter().flat_map(|analysis| &analysis.bases);
        let asked = asked.filter_map(|base| base.platform.as_deref());
        self.platforms.iter().map(String::as_str).chain(asked).filter_map(crate::platform::normal)
    }

    /// True if everything is known about the images that this image is built from.
    pub(crate) fn is_known(&self) -> bool {
        self.analyses.iter().all(|analysis| analysis.unread.is_empty())
    }

    /// The remarks that the image's author should read before a build.
    pub(crate) fn notes(&self, selections: &Selections) -> Vec<String> {
        let undeclared = self.analyses.iter().flat_map(|analysis| &analysis.undeclared_args);
        let undeclared: BTreeSet<&String> = undeclared.filter(|arg| !self.args.contains_key(*arg)).collect();
        let note = |name| {
            format!("the build argument `{name}` has no effect: the Dockerfile has no ARG of that name")
        };
        let mut notes: Vec<String> = undeclared.into_iter().map(note).collect();
        notes.extend(self.remarks(|kind| !matches!(kind, NoteKind::WholeContext | NoteKind::StaleRemote)));
        notes.extend(self.external.iter().chain(&self.stand_ins).cloned());
        notes.extend(self.contexts.notes(selections));
        notes
    }

    /// The base images that cannot be had: [`Reason::BaseUnknown`] for each.
    pub(crate) fn lost(&self) -> &[Reason] {
        &self.lost
    }

    /// The base images that cannot be had, as texts.
    pub(crate) fn lost_notes(&self) -> impl Iterator<Item = String> {
        self.lost.iter().filter_map(|reason| match reason {
            Reason::BaseUnknown(lost) => Some(lost.to_string()),
            _ => None,
        })
    }

    /// The remarks on ONBUILD instructions that are not known.
    pub(crate) fn trigger_notes(&self) -> Vec<String> {
        self.remarks(|kind| kind == NoteKind::UnknownTriggers)
    }

    /// What is fetched that nothing fixes.
    pub(crate) fn stale(&self) -> Vec<Reason> {
        let mut stale = Vec::new();
        let remotes = self.analyses.iter().flat_map(|analysis| &analysis.remotes);
        for remote in remotes.filter(|remote| remote.checksum.is_none()) {
            let (file, line, url) = (self.path.clone(), remote.line, remote.url.clone());
            let reason = Reason::StaleRemote { file, line, url };
            if !stale.contains(&reason) {
                stale.push(reason);
            }
        }
        stale.extend(self.contexts.stale().cloned());
        stale
    }

    /// The remarks on unpinned remote content, for the list of inputs.
    pub(crate) fn stale_notes(&self) -> Vec<String> {
        self.remarks(|kind| kind == NoteKind::StaleRemote)
    }

    /// The remarks on inputs that are not exact, or that count as a whole, for `explain`.
    pub(crate) fn inexact(&self, selections: &Selections) -> Vec<String> {
        let mut notes = self.remarks(|_| true);
        notes.extend(self.contexts.notes(selections));
        notes
    }

    /// The Dockerfile's notes of the wanted kinds, each with its line.
    fn remarks(&self, wanted: impl Fn(NoteKind) -> bool) -> Vec<String> {
        let mut remarks: Vec<&Note> = Vec::new();
        for note in self.analyses.iter().flat_map(|analysis| &analysis.notes) {
            if wanted(note.kind) && !remarks.contains(&note) {
                remarks.push(note);
            }
        }
        let remark = |note: &Note| {
            let line = if note.line == 0 { String::new() } else { format!(":{}", note.line) };
            let asks_nobody = note.kind == NoteKind::UnknownTriggers && self.by_name;
            let why = if asks_nobody { ": `bases = \"name\"` asks nobody, `dtbuild lock` does" } else { "" };
            format!("{}{line}: {}{why}", self.path, note.text)
        };
        remarks.into_iter().map(remark).collect()
    }

    /// The permissions that steps need beyond those of every build, by line.
    pub(crate) fn entitlements(&self) -> Vec<Entitlement> {
        let mut found: Vec<Entitlement> = Vec::new();
        for entitlement in self.analyses.iter().flat_map(|analysis| &analysis.entitlements) {
            if !found.contains(entitlement) {
                found.push(entitlement.clone());
            }
        }
        found.sort_by_key(|entitlement| entitlement.line);
        found
    }

    /// True if the frontend tells the exporter the layers of the base image.
    pub(crate) fn tells_base_layers(&self) -> bool {
        self.dockerfile.tells_base_layers(self.args.get("BUILDKIT_SYNTAX").map(String::as_str))
    }

    /// True if the contexts that the Dockerfile uses, and their places in the file, cannot be told.
    pub(crate) fn is_obscure(&self) -> bool {
        self.analyses.iter().any(|analysis| analysis.obscure)
    }

    /// True if a stage of the Dockerfile has this name.
    pub(crate) fn has_stage(&self, name: &str) -> bool {
        self.dockerfile.stage_names().any(|stage| stage == name)
    }

    /// The words of the Dockerfile that stand for images of `build.toml`, each with the image.
    pub(crate) fn images(&self) -> impl Iterator<Item = (&str, &ImageName)> {
        self.words.iter().map(|(word, need)| (word.as_str(), need))
    }

    /// The Dockerfile's bytes with the names of images replaced.
    pub(crate) fn pin(&self, replacements: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let analyses: Vec<&Analysis> = self.analyses.iter().collect();
        let pinned = self.dockerfile.pinned(&analyses, replacements);
        let pinned = pinned
            .map_err(|error| Error::new(Code::DockerfileInvalid, format!("`{}`: {error}", self.name)))?;
        match pinned.unpinned.first() {
            None => Ok(pinned.source),
            Some(word) => Err(Error::new(
                Code::DockerfileInvalid,
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

/// The remarks on base images that are in repositories of this project, and are none of its images as they are built now.
fn external(path: &str, written: &Written<'_>, analyses: &[Analysis]) -> Vec<String> {
    let mut remarks = Vec::new();
    for base in analyses.iter().flat_map(|analysis| &analysis.bases) {
        let Some(owner) = written.words.owner(&base.name) else { continue };
        let line = base.lines.first().copied().unwrap_or_default();
        let remark = format!(
            "{path}:{line}: `{}` is in the repository of `{owner}` and counts as an image from elsewhere; the image that is built \
             here is meant by `{owner}`, and by its repository without a tag or with one that dtbuild moves",
            base.name
        );
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }
    remarks
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}
