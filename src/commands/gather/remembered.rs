//! Keys of images that earlier runs computed: most images of a commit are those of the one before.
//!
//! What is asked about an image holds everything that its key can depend on: the code, what `build.toml` and `build.lock`
//! say, the ids of its trees, and the same of the images that it is built from. Where that is not all (a working tree,
//! links, submodules, other contexts), nothing is remembered. Start with [`Remembered::answer`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, ByteSlice as _};
use dtbuild_cache::key::ImageKey;
use dtbuild_cache::memo::{Asking, Memo, Question};
use dtbuild_cache::tree::Kind;
use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::source::Source;
use super::written::machine_platform;
use crate::commands::files::Files;
use crate::commands::workspace::Workspace;
use crate::config::{self, BuildOptions, Config, Image, ImageName, Lock, SecretSource};
use crate::error::Result;
use crate::git::CommitId;

/// To be raised when a question or an answer comes to mean something else.
const OWN: &str = "dtbuild image of a commit v1";
const WHOLE: &str = "dtbuild image of a commit with what it is built from v1";

/// The code that computes keys.
const CODE: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("DTBUILD_CODE"));

/// What is remembered of the images of a commit.
pub(super) struct Remembered<'a> {
    workspace: &'a Workspace,
    commit: CommitId,
    /// What all questions have in common.
    common: Asking,
    asked: RefCell<BTreeMap<ImageName, Option<Question>>>,
}

/// What an earlier run found out about an image.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) key: ImageKey,
    pub(super) dependencies: BTreeSet<ImageName>,
    pub(super) notes: Vec<String>,
}

impl<'a> Remembered<'a> {
    /// What is remembered of a commit's images; none of the working tree's.
    pub(super) fn of(workspace: &'a Workspace) -> Result<Option<Self>> {
        let Files::Commit(commit) = workspace.files else { return Ok(None) };
        // What of a submodule can be looked into differs between machines.
        if workspace.repository.entry(commit, BStr::new(".gitmodules"))?.is_some() {
            return Ok(None);
        }
        let mut common = Asking::new(OWN);
        common.on(CODE.as_bytes()).on(machine_platform().as_bytes());
        project(&workspace.config, &workspace.lock, &mut common);
        Ok(Some(Self { workspace, commit, common, asked: RefCell::default() }))
    }

    /// What is remembered of an image.
    pub(super) fn answer(&self, image: &ImageName) -> Result<Option<Answer>> {
        let Some(own) = self.own(image)? else { return Ok(None) };
        let memo = self.memo();
        let needs = memo.recall(&own).and_then(|answer| serde_json::from_slice(&answer).ok());
        let Some(needs) = needs else { return Ok(None) };
        let Some(whole) = self.whole(own, &needs)? else { return Ok(None) };
        Ok(memo.recall(&whole).and_then(|answer| serde_json::from_slice(&answer).ok()))
    }

    /// Keeps what was found out about images that were read.
    pub(super) fn note(&self, sources: &BTreeMap<ImageName, Source>, keys: &Keys) -> Result<()> {
        for (image, source) in sources {
            let Some(keyed) = keys.get(image) else { continue };
            let needs = needs(image, sources);
            let of_all = needs.iter().filter_map(|need| sources.get(need));
            if !of_all.chain([source]).all(|source| self.is_all(source)) {
                continue;
            }
            let Some(own) = self.own(image)? else { continue };
            let Some(whole) = self.whole(own, &needs)? else { continue };
            if !self.reads_no_link(image)? {
                continue;
            }
            let (dependencies, notes) = (source.dependencies.clone(), source.notes(&keyed.selections));
            let answer = Answer { key: keyed.key, dependencies, notes };
            for (question, answer) in
                [(own, serde_json::to_vec(&needs)), (whole, serde_json::to_vec(&answer))]
            {
                // A memo that lacks an answer costs time, and nothing else.
                if let (Ok(answer), None) = (answer, self.memo().recall(&question)) {
                    self.memo().note(question, answer);
                }
            }
        }
        Ok(())
    }

    /// The question about an image, but for what it is built from; none where that cannot be asked.
    fn own(&self, name: &ImageName) -> Result<Option<Question>> {
        if let Some(known) = self.asked.borrow().get(name) {
            return Ok(*known);
        }
        let question = match self.workspace.config.images.get(name) {
            Some(image) => self.ask(name, image)?,
            None => None,
        };
        self.asked.borrow_mut().insert(name.clone(), question);
        Ok(question)
    }

    fn ask(&self, name: &ImageName, image: &Image) -> Result<Option<Question>> {
        let mut asking = self.common.clone();
        asking.on(name.as_str().as_bytes());
        if !declared(image, &mut asking) {
            return Ok(None);
        }
        let Some((Kind::Folder, context)) = self.entry(image.context.as_bstr())? else { return Ok(None) };
        asking.on(context.as_bytes());
        if !is_inside(image.context.as_bstr(), image.dockerfile.as_bstr()) {
            let ignore = [image.dockerfile.as_slice(), b".dockerignore"].concat();
            for path in [image.dockerfile.as_bstr(), ignore.as_bstr()] {
                match self.entry(path)? {
                    Some((Kind::File | Kind::Executable, id)) => asking.on(id.as_bytes()),
                    None => asking.on(b""),
                    Some(_) => return Ok(None),
                };
            }
        }
        Ok(Some(asking.question()))
    }

    /// The question with all that an image is built from.
    fn whole(&self, own: Question, needs: &BTreeSet<ImageName>) -> Result<Option<Question>> {
        let mut asking = Asking::new(WHOLE);
        asking.on(own.as_bytes());
        for need in needs {
            let Some(question) = self.own(need)? else { return Ok(None) };
            asking.on(need.as_str().as_bytes()).on(question.as_bytes());
        }
        Ok(Some(asking.question()))
    }

    /// Whether nothing but what a question holds was needed for an image's key.
    fn is_all(&self, source: &Source) -> bool {
        let lock = &self.workspace.lock;
        source.is_known()
            && source.stale().is_empty()
            && source.bases().all(|base| lock.bases.contains_key(base))
    }

    /// Whether the Dockerfile and the ignore files are those of the trees: a link could lead out of them.
    fn reads_no_link(&self, name: &ImageName) -> Result<bool> {
        let Some(image) = self.workspace.config.images.get(name) else { return Ok(false) };
        let ignore = [image.dockerfile.as_slice(), b".dockerignore"].concat();
        let of_context = super::inputs::join(&image.context, ".dockerignore");
        for path in [ignore.as_bstr(), of_context.as_bstr()] {
            if !matches!(self.entry(path)?, None | Some((Kind::File | Kind::Executable, _))) {
                return Ok(false);
            }
        }
        Ok(matches!(self.entry(image.dockerfile.as_bstr())?, Some((Kind::File | Kind::Executable, _))))
    }

    fn entry(&self, path: &BStr) -> Result<Option<(Kind, dtbuild_cache::tree::ContentId)>> {
        Ok(self.workspace.repository.entry(self.commit, path)?)
    }

    fn memo(&self) -> &Memo {
        self.workspace.repository.memo()
    }
}

/// All that an image is built from, directly or not.
fn needs(image: &ImageName, sources: &BTreeMap<ImageName, Source>) -> BTreeSet<ImageName> {
    let (mut found, mut open) = (BTreeSet::new(), vec![image]);
    while let Some(next) = open.pop() {
        for need in sources.get(next).into_iter().flat_map(|source| &source.dependencies) {
            if found.insert(need.clone()) {
                open.push(need);
            }
        }
    }
    found
}

/// What of the project any image's key can depend on.
fn project(config: &Config, lock: &Lock, asking: &mut Asking) {
    // Taken apart by name, so that a new field cannot be forgotten here.
    let Config { project: _, bases, records: _, written, builders: _, images, environments: _ } = config;
    asking.on(format!("{bases:?}").as_bytes()).on(lock.to_string().as_bytes());
    asking.on_number(written.len());
    for folder in written {
        asking.on(folder.as_os_str().as_encoded_bytes());
    }
    // Other images are meant by their names and repositories.
    for (name, image) in images {
        asking.on(name.as_str().as_bytes()).on(image.repository.to_string().as_bytes());
    }
}

/// What `build.toml` says of an image; whether that can be put into a question.
fn declared(image: &Image, asking: &mut Asking) -> bool {
    // Taken apart by name, so that a new field cannot be forgotten here. The lines are for messages alone.
    let Image {
        repository: _,
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
    asking.on(context).on(dockerfile).on_number(usize::from(target.is_some()));
    asking.on(target.as_deref().unwrap_or_default().as_bytes());
    asking.on_number(args.len());
    for (name, value) in args {
        asking.on(name.as_bytes()).on(value.as_bytes());
    }
    asking.on_number(platforms.len());
    for platform in platforms {
        asking.on(platform.as_str().as_bytes());
    }
    if let Some(globs) = ignore {
        globs.identify(asking.on(b"ignore"));
    }
    asking.on_number(secrets.len());
    for SecretSource { id, version, .. } in secrets {
        asking.on(id.as_bytes()).on(format!("{version:?}").as_bytes());
    }
    if *options != BuildOptions::default() {
        asking.on(format!("{options:?}").as_bytes());
    }
    // Globs of the repository can match anywhere in it, and other contexts lie anywhere.
    paths.is_none() && contexts.is_empty() && *source == config::Source::Commit
}

/// Whether `path` is in the folder; everything is in the root.
fn is_inside(folder: &BStr, path: &BStr) -> bool {
    folder.is_empty() || path.strip_prefix(&**folder).is_some_and(|rest| rest.starts_with(b"/"))
}
