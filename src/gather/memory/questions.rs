//! The memo's questions about images: everything that their keys can depend on. Start with [`Questions`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::key::ImageKey;
use dtbuild_content::memo::{Asking, Question};
use dtbuild_content::tree::{ContentId, Kind};

use crate::changed::{ChangedPath, below, of_path};
use crate::config::{
    self, BasePolicy, BuildOptions, Config, DeclaredGlobs, Image, ImageName, Lock, NamedContext,
    NamedContexts, Network, Provenance, SecretSource, SshAgent,
};
use crate::error::Result;
use crate::gather::keys::Keys;
use crate::gather::sources::Source;
use crate::gather::sources::machine_platform;
use crate::git::CommitId;
use crate::workspace::Files;
use crate::workspace::Workspace;

/// The kinds of questions. A question or an answer that changes its meaning needs no new kind: a memo belongs
/// to one version of the code.
const OWN: &str = "dtbuild image of a commit v2";
const WHOLE: &str = "dtbuild image of a commit with what it is built from v2";
const FIELDS: &str = "dtbuild fields of a key v1";
const DISK: &str = "dtbuild images of the disk as in a commit v1";
const CHANGED: &str = "dtbuild changed inputs of an image of a commit v1";

/// The questions about the images of a commit.
pub(crate) struct Questions<'a> {
    workspace: &'a Workspace,
    commit: CommitId,
    /// The part that all questions have in common.
    common: Asking,
    asked: RefCell<BTreeMap<&'a ImageName, Option<Question>>>,
}

impl<'a> Questions<'a> {
    /// The questions about a commit's images; none about the working tree's.
    pub(crate) fn of(workspace: &'a Workspace) -> Result<Option<Self>> {
        let Files::Commit(commit) = workspace.files else { return Ok(None) };
        // The readable part of a submodule differs between machines.
        if workspace.repository.entry(commit, BStr::new(".gitmodules"))?.is_some() {
            return Ok(None);
        }
        let mut common = Asking::new(OWN);
        common.on(machine_platform().as_bytes());
        project(&workspace.config, &workspace.lock, &mut common);
        common.settle();
        Ok(Some(Self { workspace, commit, common, asked: RefCell::default() }))
    }

    /// The question about an image without the images that it is built from; none where the question would not
    /// cover the key.
    pub(crate) fn own(&self, name: &ImageName) -> Result<Option<Question>> {
        if let Some(known) = self.asked.borrow().get(name) {
            return Ok(*known);
        }
        let Some(image) = self.workspace.config.images.get(name) else { return Ok(None) };
        let question = self.ask(image)?;
        self.asked.borrow_mut().insert(&image.name, question);
        Ok(question)
    }

    fn ask(&self, image: &Image) -> Result<Option<Question>> {
        let mut asking = self.common.clone();
        asking.on(image.name.as_str().as_bytes());
        declared(image, &mut asking);
        // Globs in `paths` can match anywhere in the repository, and named contexts can lie anywhere.
        if image.paths.is_some() || !image.contexts.is_empty() || image.source != config::Source::Commit {
            return Ok(None);
        }
        let Some((Kind::Folder, context)) = self.entry(image.context.as_bstr())? else { return Ok(None) };
        asking.on(context.as_bytes());
        if !is_inside(image.context.as_bstr(), image.dockerfile.as_bstr()) {
            for path in [image.dockerfile.as_bstr(), ignore_file(image).as_bstr()] {
                match self.entry(path)? {
                    Some((Kind::File | Kind::Executable, id)) => asking.on(id.as_bytes()),
                    None => asking.on(b""),
                    Some(_) => return Ok(None),
                };
            }
        }
        Ok(Some(asking.question()))
    }

    /// The question about an image together with all images that it is built from.
    pub(crate) fn whole(&self, own: Question, needs: &BTreeSet<ImageName>) -> Result<Option<Question>> {
        if needs.is_empty() {
            return Ok(Some(own));
        }
        let mut asking = Asking::new(WHOLE);
        asking.on(own.as_bytes());
        for need in needs {
            let Some(question) = self.own(need)? else { return Ok(None) };
            asking.on(need.as_str().as_bytes()).on(question.as_bytes());
        }
        Ok(Some(asking.question()))
    }

    /// True if the image's key depends on nothing but the content of its question.
    pub(crate) fn is_all(&self, source: &Source) -> bool {
        let lock = &self.workspace.lock;
        source.is_known()
            && source.stale().is_empty()
            && source.bases().all(|base| lock.bases.contains_key(base))
    }

    /// True if the Dockerfile and the ignore files are files of the trees and no links: a link could lead out
    /// of the trees.
    pub(crate) fn reads_no_link(&self, name: &ImageName) -> Result<bool> {
        let Some(image) = self.workspace.config.images.get(name) else { return Ok(false) };
        let ignore = ignore_file(image);
        let of_context = dtbuild_content::path::join(image.context.as_bstr(), ".dockerignore".into());
        for path in [ignore.as_bstr(), of_context.as_bstr()] {
            if !matches!(self.entry(path)?, None | Some((Kind::File | Kind::Executable, _))) {
                return Ok(false);
            }
        }
        Ok(matches!(self.entry(image.dockerfile.as_bstr())?, Some((Kind::File | Kind::Executable, _))))
    }

    fn entry(&self, path: &BStr) -> Result<Option<(Kind, ContentId)>> {
        Ok(self.workspace.repository.entry(self.commit, path)?)
    }
}

/// The question about the fields of a key.
pub(crate) fn of_key(key: &ImageKey) -> Question {
    Asking::new(FIELDS).on(key.as_bytes()).question()
}

/// The question about the disk: do the images read nothing but the files of `commit`? None where the question
/// would not cover all inputs.
pub(crate) fn of_disk(
    workspace: &Workspace,
    commit: CommitId,
    sources: &BTreeMap<ImageName, Source>,
    keys: &Keys,
) -> Result<Option<Question>> {
    // The readable part of a submodule differs between machines.
    if workspace.repository.entry(commit, BStr::new(".gitmodules"))?.is_some() {
        return Ok(None);
    }
    let mut asking = Asking::new(DISK);
    asking.on(commit.to_string().as_bytes());
    project(&workspace.config, &workspace.lock, &mut asking);
    for (name, source) in sources {
        let Some(keyed) = keys.get(name) else { return Ok(None) };
        asking.on(name.as_str().as_bytes()).on(keyed.key.as_bytes());
        declared(source.declared(&workspace.config)?, &mut asking);
        source.contexts.identify_rules(&mut asking);
    }
    Ok(Some(asking.question()))
}

/// The question about changed paths: which of them are inputs of the image that the question `image` asks
/// about?
pub(crate) fn of_changes(image: &Question, nearby: &[&ChangedPath]) -> Question {
    let mut asking = Asking::new(CHANGED);
    asking.on(image.as_bytes());
    for change in nearby {
        asking.on(&change.path);
    }
    asking.question()
}

/// The changed paths in the places where a remembered image can have inputs. `changes` are sorted.
pub(crate) fn nearby<'c>(image: &Image, changes: &'c [ChangedPath]) -> Vec<&'c ChangedPath> {
    let mut nearby: Vec<&ChangedPath> = below(changes, image.context.as_bstr()).iter().collect();
    if !is_inside(image.context.as_bstr(), image.dockerfile.as_bstr()) {
        nearby.extend(of_path(changes, image.dockerfile.as_bstr()));
        nearby.extend(of_path(changes, ignore_file(image).as_bstr()));
    }
    nearby
}

/// The path of the ignore file that belongs to an image's Dockerfile; the file need not exist.
fn ignore_file(image: &Image) -> BString {
    [image.dockerfile.as_slice(), b".dockerignore"].concat().into()
}

/// Adds the settings of the project that any image's key can depend on. Each list is preceded by its length and
/// each choice by its number, so that no two projects add the same bytes.
fn project(config: &Config, lock: &Lock, asking: &mut Asking) {
    // The struct is taken apart by name, so that a new field cannot be forgotten here.
    let Config { project: _, bases, records: _, written, builders: _, images, environments } = config;
    let bases = match bases {
        BasePolicy::Resolve => 0,
        BasePolicy::Name => 1,
    };
    asking.on_number(bases).on(lock.to_string().as_bytes()).on_number(written.len());
    for folder in written {
        asking.on(folder.as_os_str().as_encoded_bytes());
    }
    // A Dockerfile can name other images by their names and repositories, with the tags that runs move.
    asking.on_number(images.len());
    for (name, image) in images {
        asking.on(name.as_str().as_bytes()).on(image.repository.as_str().as_bytes());
        asking.on_option(image.written_repository.as_deref());
    }
    asking.on_number(environments.len());
    for environment in environments.values() {
        asking.on(environment.tag.as_str().as_bytes());
    }
}

/// Adds the settings of an image in `build.toml`, in the manner of [`project`].
fn declared(image: &Image, asking: &mut Asking) {
    // The struct is taken apart by name, so that a new field cannot be forgotten here. Two lines serve messages
    // alone.
    let Image {
        name: _,
        renamed_from: _,
        repository: _,
        written_repository: _,
        context,
        dockerfile,
        target,
        args,
        platforms,
        paths,
        ignore,
        secrets,
        options,
        contexts,
        source,
        context_line: _,
        dockerfile_line: _,
    } = image;
    asking.on(context).on(dockerfile).on_option(target.as_ref()).on_number(args.len());
    for (name, value) in args {
        asking.on(name.as_bytes()).on(value.as_bytes());
    }
    asking.on_number(platforms.len());
    for platform in platforms {
        asking.on(platform.as_str().as_bytes());
    }
    for globs in [paths, ignore] {
        asking.on_number(usize::from(globs.is_some()));
        if let Some(DeclaredGlobs { globs, lines }) = globs {
            globs.identify(asking);
            // Notes on globs name their lines.
            for line in lines {
                asking.on_number(*line);
            }
        }
    }
    asking.on_number(secrets.len());
    for SecretSource { id, version, value: _ } in secrets {
        asking.on(id.as_bytes()).on_option(version.as_ref());
    }
    build_options(options, asking);
    named_contexts(contexts, asking);
    asking.on_number(match source {
        config::Source::Commit => 0,
        config::Source::Worktree => 1,
    });
}

fn build_options(options: &BuildOptions, asking: &mut Asking) {
    // Caches are places to look for steps, which are part of no key.
    let BuildOptions { ssh, network, cache_from: _, cache_to: _, provenance, sbom } = options;
    asking.on_number(ssh.len());
    for SshAgent { id, version } in ssh {
        asking.on(id.as_bytes()).on_option(version.as_ref());
    }
    asking
        .on_option(network.map(Network::as_str))
        .on_option(provenance.map(Provenance::as_str))
        .on_option(sbom.as_ref());
}

fn named_contexts(contexts: &NamedContexts, asking: &mut Asking) {
    asking.on_number(contexts.len());
    // The origin follows from the written text alone.
    for (name, NamedContext { written, origin: _, line: _ }) in contexts {
        asking.on(name.as_bytes()).on(written.as_bytes());
    }
}

/// True if `path` is in the folder; every path is in the root folder.
fn is_inside(folder: &BStr, path: &BStr) -> bool {
    folder.is_empty() || path.strip_prefix(&**folder).is_some_and(|rest| rest.starts_with(b"/"))
}
