//! The decisions of a plan. Start with [`Plan::decide`].

use std::collections::{BTreeMap, BTreeSet};

use super::cause::causes;
use super::facts::{DeployedImage, Deploying, Facts, ImageFacts, NoDeploy};
use super::{Decision, DeployDecision, Plan, PlannedImage, Reason, UnknownImage};
use crate::config::ImageName;
use crate::error::{Code, Failure};

/// The reason why no plan can be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The release would lack an image that `--only` leaves out.
    #[error("`--only` leaves out `{image}`, which `{environment}` does not run yet")]
    Incomplete {
        /// The image's name.
        image: ImageName,
        /// The environment's name.
        environment: String,
    },
}

impl Failure for PlanError {
    fn code(&self) -> Code {
        Code::ReleaseIncomplete
    }

    fn hint(&self) -> Option<String> {
        Some("deploy all of its images once, or add `--no-deploy`".to_owned())
    }
}

impl Plan {
    /// Decides the plan from the facts: which images are built, and if the environment is deployed.
    ///
    /// An image is built if and only if its key is not in the cache, or does not cover all that the build
    /// fetches (or `--force` was given); the changed paths only name causes. An image that is there only for others is part of the plan
    /// when one that is built needs it. An image whose key is not known is decided in no way, and keeps none of the others
    /// from being decided.
    ///
    /// # Errors
    /// Fails when the release would lack an image.
    pub fn decide(facts: &Facts) -> Result<Self, PlanError> {
        let stale = stale(facts);
        let mut images: Vec<PlannedImage> = Vec::new();
        let mut unknown: Vec<UnknownImage> = Vec::new();
        let mut needed: BTreeSet<&ImageName> = BTreeSet::new();
        let mut built: BTreeSet<&ImageName> = BTreeSet::new();
        // Dependents come after the images that they need, so a walk backwards knows every need in time.
        for image in facts.images.iter().rev() {
            let wanted = image.released && facts.request.includes(&image.name);
            if let Some(image) = undecided(facts, image, wanted) {
                unknown.push(image);
                continue;
            }
            let planned = if wanted || needed.contains(&image.name) {
                Some(decide_image(facts, image, stale.get(&image.name).map_or(&[], Vec::as_slice)))
            } else if image.released {
                left_out(facts, image)?
            } else {
                None
            };
            let Some(planned) = planned else { continue };
            if planned.decision == Decision::Build {
                built.insert(&image.name);
                needed.extend(&image.dependencies);
            }
            images.push(planned);
        }
        images.reverse();
        unknown.reverse();
        for image in &mut images {
            image.dependencies.retain(|needed| built.contains(needed));
        }
        let deploy = if unknown.is_empty() {
            decide_deploy(facts, &images)
        } else {
            let reason =
                if let Deploying::No(asked) = facts.request.deploying { asked } else { NoDeploy::Undecided };
            DeployDecision::Nothing { reason }
        };
        let (base, head) = (facts.base.clone(), facts.head.clone());
        let environment = facts.environment.clone();
        let (deploy_inputs, notes) = (facts.deploy_inputs.clone(), facts.notes.clone());
        let deploy_settings = facts.deploy_settings.clone();
        let removed = facts.removed.clone();
        Ok(Self {
            environment,
            base,
            head,
            images,
            unknown,
            removed,
            deploy,
            deploy_inputs,
            deploy_settings,
            notes,
        })
    }

    /// The plan where the environment runs a newer commit: nothing is done.
    #[must_use]
    pub fn superseded(self) -> Self {
        let deploy = DeployDecision::Nothing { reason: NoDeploy::Superseded };
        Self { images: Vec::new(), unknown: Vec::new(), removed: Vec::new(), deploy, ..self }
    }

    /// The images to build, each after the images that it is built from.
    pub fn builds(&self) -> impl Iterator<Item = &PlannedImage> {
        self.images.iter().filter(|image| image.decision == Decision::Build)
    }

    /// True if there is nothing to build and nothing to deploy.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.unknown.is_empty()
            && self.builds().next().is_none()
            && matches!(self.deploy, DeployDecision::Nothing { .. })
    }
}

fn running<'a>(facts: &'a Facts, image: &ImageFacts) -> Option<&'a DeployedImage> {
    facts.current.as_ref()?.images.get(&image.name)
}

/// An image whose key is not known, unless nobody needs to know: what `--only` leaves out stays as it runs.
fn undecided(facts: &Facts, image: &ImageFacts, wanted: bool) -> Option<UnknownImage> {
    let no_matter = running(facts, image).is_some() || matches!(facts.request.deploying, Deploying::No(_));
    if image.lost.is_empty() || !image.released || (!wanted && no_matter) {
        return None;
    }
    let mut reasons = image.lost.clone();
    if !wanted {
        reasons.push(Reason::LeftOut);
    }
    let (name, repository) = (image.name.clone(), image.repository.clone());
    Some(UnknownImage { name, reasons, notes: image.notes.clone(), repository })
}

/// What each image fetches that nothing fixes, or has from the images that it is built from.
fn stale(facts: &Facts) -> BTreeMap<&ImageName, Vec<Reason>> {
    let mut stale: BTreeMap<&ImageName, Vec<Reason>> = BTreeMap::new();
    for image in &facts.images {
        let mut reasons = image.stale.clone();
        for reason in image.dependencies.iter().filter_map(|need| stale.get(need)).flatten() {
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        if !reasons.is_empty() {
            stale.insert(&image.name, reasons);
        }
    }
    stale
}

fn decide_image(facts: &Facts, image: &ImageFacts, stale: &[Reason]) -> PlannedImage {
    let current = running(facts, image);
    let mut reasons = causes(facts, image, current);
    if !stale.is_empty() && !facts.request.force && facts.request.deploying != Deploying::Anyway {
        reasons.extend_from_slice(stale);
        return planned(image, Decision::Build, reasons, None);
    }
    // The running image of unpinned content may be older than the image that was last built under the same key.
    let same = current.filter(|current| current.key == image.key && stale.is_empty());
    // The registry has nothing under a new name or in a new place that could be kept.
    let same = same.filter(|current| current.absent.is_none() || facts.request.compares());
    let (decision, last, digest) = match (facts.request.force, same) {
        (true, _) => (Decision::Build, Reason::Forced, None),
        (false, Some(current)) => (Decision::Keep, Reason::Unchanged, current.digest.clone()),
        (false, None) if image.cached => (Decision::Reuse, Reason::InCache, image.digest.clone()),
        (false, None) if facts.request.compares() => (Decision::Build, Reason::KeyDiffers, None),
        (false, None) => (Decision::Build, Reason::NotInCache, None),
    };
    // Most images have no other reason, and there are many images.
    reasons.reserve_exact(1);
    reasons.push(last);
    planned(image, decision, reasons, digest)
}

/// The plan for an image that `--only` leaves out: the environment keeps the image that it runs.
fn left_out(facts: &Facts, image: &ImageFacts) -> Result<Option<PlannedImage>, PlanError> {
    // The registry has nothing under a new name or in a new place that could be kept.
    let current = running(facts, image).filter(|current| current.absent.is_none());
    match (current, &facts.environment) {
        (Some(current), _) => {
            let kept = ImageFacts { key: current.key, fields: current.fields.clone(), ..image.clone() };
            Ok(Some(planned(&kept, Decision::Keep, vec![Reason::LeftOut], current.digest.clone())))
        }
        (None, Some(environment)) if !matches!(facts.request.deploying, Deploying::No(_)) => {
            Err(PlanError::Incomplete { image: image.name.clone(), environment: environment.to_string() })
        }
        (None, _) => Ok(None),
    }
}

fn planned(
    image: &ImageFacts,
    decision: Decision,
    reasons: Vec<Reason>,
    digest: Option<crate::reference::Digest>,
) -> PlannedImage {
    PlannedImage {
        name: image.name.clone(),
        decision,
        reasons,
        notes: image.notes.clone(),
        unknown_triggers: image.unknown_triggers.clone(),
        key: image.key,
        fields: image.fields.clone(),
        repository: image.repository.clone(),
        digest,
        dependencies: image.dependencies.iter().cloned().collect(),
        released: image.released,
    }
}

fn decide_deploy(facts: &Facts, images: &[PlannedImage]) -> DeployDecision {
    if let Deploying::No(reason) = facts.request.deploying {
        return DeployDecision::Nothing { reason };
    }
    let mut reasons = Vec::new();
    if facts.request.deploying == Deploying::Anyway {
        reasons.push(Reason::Requested);
    }
    if facts.last_failed {
        reasons.push(Reason::LastDeploymentFailed);
    }
    match &facts.current {
        None => reasons.push(Reason::NotDeployed),
        Some(current) => {
            let released = images.iter().filter(|image| image.released);
            for image in released.clone() {
                let running = current.images.get(&image.name);
                let running = running.filter(|running| running.absent.is_none());
                let running = running.and_then(|running| running.digest.as_ref());
                if image.digest.is_none() || running != image.digest.as_ref() {
                    reasons.push(Reason::ReleaseChanged { image: image.name.clone() });
                }
            }
            let names: BTreeSet<_> = released.map(|image| &image.name).collect();
            let dropped = current.images.keys().filter(|name| !names.contains(name));
            reasons.extend(dropped.map(|name| Reason::ReleaseChanged { image: name.clone() }));
            if current.deploy_inputs != facts.deploy_inputs {
                reasons.extend(facts.deploy_changes.iter().cloned().map(Reason::DeployPathChanged));
                if facts.deploy_changes.is_empty() {
                    reasons.push(Reason::DeployInputsChanged);
                }
            }
            if current.deploy_settings.is_some() && current.deploy_settings != facts.deploy_settings {
                reasons.push(Reason::DeploySettingsChanged);
            }
        }
    }
    if reasons.is_empty() {
        return DeployDecision::Nothing { reason: NoDeploy::Unchanged };
    }
    DeployDecision::Deploy { reasons }
}
