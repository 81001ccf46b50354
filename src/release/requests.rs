//! The scheduler's jobs for a plan: snapshots, pinned Dockerfiles, names and labels. Start with [`jobs`].

use std::collections::{BTreeMap, BTreeSet};

use bstr::ByteSlice;
use dtbuild_content::key::ImageKey;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::named::Named;
use crate::config::{BuildOptions, Config, ContextOrigin, Image, ImageName, Platform};
use crate::engine::{BuildRequest, Output};
use crate::error::Result;
use crate::execute::scheduler::Job;
use crate::gather::{Gathered, Source};
use crate::plan::{Plan, PlannedImage};
use crate::reference::{Digest, LOCAL_TAG, Reference};
use crate::workspace::Files;
use crate::workspace::Workspace;

/// The purpose of a plan's builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Images for the registry.
    Publish,
    /// Images for the engine's own store, which they do not leave.
    Local,
    /// Images of a release that is not published: they stay where they are built.
    Trial,
}

/// The jobs for the images that a plan decided to build.
pub(crate) fn jobs(
    workspace: &Workspace,
    gathered: &Gathered,
    plan: &Plan,
    purpose: Purpose,
    no_cache: bool,
) -> Result<Vec<Job>> {
    // Images with the same key share one job, which has the name of the first image.
    let (mut same, mut order) = (BTreeMap::<ImageKey, Vec<&PlannedImage>>::new(), Vec::new());
    for image in plan.builds() {
        let images = same.entry(image.key).or_default();
        if images.is_empty() {
            order.push(image);
        }
        images.push(image);
    }
    let job_of: BTreeMap<&ImageName, &ImageName> = order
        .iter()
        .flat_map(|first| same[&first.key].iter().map(|image| (&image.name, &first.name)))
        .collect();
    let digests = digests(gathered, plan);
    let mut jobs: Vec<Job> = Vec::with_capacity(order.len());
    for image in order {
        let images = &same[&image.key];
        let twins = &images[1..];
        let mut request = request(workspace, (gathered, &digests), image, purpose, no_cache)?;
        for twin in twins {
            request.names.extend(names(twin, purpose)?);
        }
        let needs = &gathered.source(&image.name)?.dependencies;
        let needs: BTreeSet<ImageName> =
            needs.iter().filter_map(|need| job_of.get(need).copied().cloned()).collect();
        let pushed = images.iter().filter(|_| purpose == Purpose::Publish);
        jobs.push(Job {
            request,
            twins: twins.iter().map(|twin| twin.name.clone()).collect(),
            needs,
            push: pushed.map(|image| (image.name.clone(), image.key_reference())).collect(),
        });
    }
    keep_needed(&mut jobs);
    Ok(jobs)
}

/// Keeps images in the engine's store that others are built from, and those others, which need the same store: the
/// build cache of an engine without a store is no source of images.
fn keep_needed(jobs: &mut [Job]) {
    let needed: BTreeSet<ImageName> = jobs.iter().flat_map(|job| &job.needs).cloned().collect();
    for Job { request, needs, .. } in jobs {
        if request.output == Output::Stay && (!needs.is_empty() || needed.contains(&request.image)) {
            request.output = Output::Load;
        }
    }
}

/// The digests of images that exist already, by their references by key.
pub(crate) type Digests = BTreeMap<Reference, Digest>;

/// The digests of the plan's images that are not built in this run.
pub(crate) fn digests(gathered: &Gathered, plan: &Plan) -> Digests {
    let known = plan.images.iter().filter(|image| gathered.key(&image.name) == Some(image.key));
    known.filter_map(|image| Some((image.key_reference(), image.digest.clone()?))).collect()
}

/// A name for a context and the paths that a Dockerfile reads from the context. The engine fetches the files
/// that it needs, so builds that need the same files can share one copy, and builds that need others would undo
/// each other's copy.
fn context_name(config: &Config, source: &Source, image: &Image) -> String {
    let reads: Vec<&str> = source.contexts.main.reads().into_iter().collect();
    format!("{}\0{}\0{}", config.project, image.context, reads.join("\0"))
}

/// The references that a build of the image gets.
fn names(image: &PlannedImage, purpose: Purpose) -> Result<Vec<Reference>> {
    let mut names = vec![image.key_reference()];
    if purpose != Purpose::Publish {
        names.push(image.repository.tagged(LOCAL_TAG)?);
    }
    Ok(names)
}

/// The build request for one image of a plan.
pub(crate) fn request(
    workspace: &Workspace,
    (gathered, digests): (&Gathered, &Digests),
    planned: &PlannedImage,
    purpose: Purpose,
    no_cache: bool,
) -> Result<BuildRequest> {
    let source = gathered.source(&planned.name)?;
    let image = source.declared(&workspace.config)?;
    let files = source.files;
    let selections = gathered.selections(&planned.name);
    let context = source.contexts.sent(&workspace.repository, files, selections)?;
    // The platforms of the key are always passed, since another machine's engine would build for itself.
    let platforms: Vec<Platform> = source.platforms.iter().cloned().map(Platform).collect();
    let named = Named::of(workspace, (gathered, digests), (source, selections), &platforms)?;
    let replacements = replacements(source, (gathered, digests), &workspace.config);
    let dockerfile = source.pin(&named.known(replacements.clone()))?;
    let source_date_epoch = source_date_epoch(workspace, (source, &dockerfile), files)?;
    Ok(BuildRequest {
        image: planned.name.clone(),
        context,
        context_name: Some(context_name(&workspace.config, source, image)),
        dockerfile: dockerfile.into(),
        dockerfile_path: image.dockerfile.clone(),
        target: image.target.clone(),
        args: source.args.clone(),
        platforms,
        labels: labels(workspace, planned, files)?,
        secrets: image.secrets.clone(),
        options: options(workspace, image),
        entitlements: source.entitlements(),
        source_date_epoch,
        tells_base_layers: source.tells_base_layers(),
        no_cache,
        names: names(planned, purpose)?,
        output: match purpose {
            Purpose::Publish => Output::Push,
            Purpose::Local => Output::Load,
            Purpose::Trial => Output::Stay,
        },
        contexts: named.contexts(source, replacements),
    })
}

/// The build options of an image, with the folders of its caches below the repository's root.
fn options(workspace: &Workspace, image: &Image) -> BuildOptions {
    match workspace.repository.root() {
        Ok(root) => image.options.clone().below(root),
        Err(_) => image.options.clone(),
    }
}

/// The replacements in the Dockerfile: each base image by the digest that entered the key, and each image of
/// `build.toml` by its digest, or by its key if the image is built in this run. Replacements work on every engine,
/// unlike named contexts and source policies.
fn replacements(
    source: &Source,
    (gathered, digests): (&Gathered, &Digests),
    config: &Config,
) -> BTreeMap<String, String> {
    let mut replacements: BTreeMap<String, String> = BTreeMap::new();
    for name in source.bases() {
        if let Some(pinned) = gathered.pinned(name) {
            replacements.insert(name.to_owned(), pinned);
        }
    }
    for (word, dependency) in source.images() {
        let image = config.images.get(dependency).zip(gathered.key(dependency));
        let reference: Option<Reference> = image.map(|(image, key)| image.repository.keyed(&key));
        if let Some(reference) = reference {
            replacements.insert(word.to_owned(), exact(reference, digests).to_string());
        }
    }
    for (_, origin) in source.contexts.others() {
        if let ContextOrigin::External(name) = origin {
            // The Dockerfile has the context's name in this place.
            replacements.entry(name.clone()).or_insert_with(|| name.clone());
        }
    }
    replacements
}

/// The reference by digest of an image that exists already; the given reference of any other image.
pub(super) fn exact(reference: Reference, digests: &Digests) -> Reference {
    match digests.get(&reference) {
        Some(digest) => reference.repository().pinned(digest),
        None => reference,
    }
}

/// The commit's time in seconds, so that two builds of a commit have equal times in the image.
///
/// None for files on the disk, and where `build.toml` gives the time as the argument `SOURCE_DATE_EPOCH`. None also for
/// a Dockerfile that reads this argument: the time would enter the image but not its key.
fn source_date_epoch(
    workspace: &Workspace,
    (source, dockerfile): (&Source, &[u8]),
    files: Files,
) -> Result<Option<i64>> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    match files {
        Files::Commit(commit) if !source.args.contains_key(NAME) && !dockerfile.contains_str(NAME) => {
            Ok(Some(workspace.repository.commit_time(commit)?))
        }
        _ => Ok(None),
    }
}

/// The OCI's labels for a commit. A working tree has none, as a commit's labels would not describe its content.
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>
fn labels(workspace: &Workspace, planned: &PlannedImage, files: Files) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::from([("dev.dtbuild.key".to_owned(), planned.key.to_string())]);
    if let Files::Commit(commit) = files {
        labels.insert("org.opencontainers.image.revision".to_owned(), commit.to_string());
        let seconds = workspace.repository.commit_time(commit)?;
        if let Some(created) = rfc3339(seconds) {
            labels.insert("org.opencontainers.image.created".to_owned(), created);
        }
        if let Some(url) = workspace.repository.remote_url() {
            labels.insert("org.opencontainers.image.source".to_owned(), url);
        }
    }
    Ok(labels)
}

fn rfc3339(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}
