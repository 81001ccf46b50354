//! The causes of a new key: the differences between its fields and those of the image that runs.
//! Start with [`causes`].

use std::collections::BTreeMap;

use dtbuild_content::key::KeyFields;

use super::facts::{Absence, DeployedImage, Facts, ImageFacts};
use super::{Reason, Unnamed};
use crate::changed::ChangedPath;

/// The reasons why `image` is not the image that runs. Empty when it is, or when no cause can be named.
pub(super) fn causes(facts: &Facts, image: &ImageFacts, current: Option<&DeployedImage>) -> Vec<Reason> {
    let Some(current) = current else {
        if facts.environment.is_some() {
            return vec![Reason::NotDeployed];
        }
        if facts.request.compares() {
            return vec![Reason::NewImage];
        }
        // A local build has no other causes to name than the diff against the commit.
        return image.changes.iter().cloned().map(Reason::PathChanged).collect();
    };
    let mut reasons: Vec<Reason> = current.absent.iter().map(absence).collect();
    if current.key == image.key {
        return reasons;
    }
    let (Some(old), Some(new)) = (current.fields.read(), image.fields.read()) else {
        reasons.push(Reason::InputsChanged { why: image.unnamed });
        return reasons;
    };
    if old.schema != new.schema {
        reasons.push(Reason::SchemaChanged);
    }
    if old.dockerfile != new.dockerfile {
        reasons.push(Reason::DockerfileChanged { path: image.dockerfile.clone() });
    }
    reasons.extend(settings(&old, &new));
    reasons.extend(differing(&old.args, &new.args).map(|(name, old, new)| Reason::ArgumentChanged {
        name: name.clone(),
        old: old.cloned(),
        new: new.cloned(),
    }));
    reasons.extend(differing(&old.bases, &new.bases).map(|(name, old, new)| Reason::BaseMoved {
        name: name.clone(),
        old: old.cloned(),
        new: new.cloned(),
    }));
    let secrets = differing(&old.secrets, &new.secrets);
    reasons.extend(secrets.map(|(id, _, _)| Reason::SecretChanged { id: id.clone() }));
    let images = differing(&old.images, &new.images).filter_map(|(name, _, _)| name.parse().ok());
    reasons.extend(images.map(|image| Reason::DependencyChanged { image }));
    let contexts = || differing(&old.contexts, &new.contexts);
    reasons.extend(contexts().filter_map(|(name, old, new)| context(name, old, new)));
    let is_named =
        |(name, old, new): (&String, Option<&String>, Option<&String>)| context(name, old, new).is_some();
    if contexts().any(|differing| !is_named(differing)) || old.paths != new.paths {
        reasons.extend(inputs(image, old.dockerfile != new.dockerfile));
    }
    reasons
}

/// The reason why an image that runs cannot be kept.
fn absence(absence: &Absence) -> Reason {
    match absence.clone() {
        Absence::Renamed { from } => Reason::Renamed { from },
        Absence::Moved { from } => Reason::Moved { from },
        Absence::Vanished => Reason::Vanished,
    }
}

/// The changed paths of the inputs as reasons. A Dockerfile whose text changed has a reason of its own, which
/// also accounts for other inputs: the Dockerfile chooses the inputs, and can be one.
fn inputs(image: &ImageFacts, other_dockerfile: bool) -> Vec<Reason> {
    let is_told = |change: &&ChangedPath| other_dockerfile && change.path == image.dockerfile.as_str();
    let paths = image.changes.iter().filter(|change| !is_told(change));
    let reasons: Vec<Reason> = paths.cloned().map(Reason::PathChanged).collect();
    if reasons.is_empty() && !(other_dockerfile && image.unnamed == Unnamed::OtherInputs) {
        return vec![Reason::InputsChanged { why: image.unnamed }];
    }
    reasons
}

/// The change of a named context's origin; none where only the content of the context differs.
fn context(name: &str, old: Option<&String>, new: Option<&String>) -> Option<Reason> {
    let is_folder = |id: &String| id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if name.is_empty() || old.zip(new).is_some_and(|(old, new)| is_folder(old) && is_folder(new)) {
        return None;
    }
    let shown = |id: Option<&String>| match id {
        None => String::new(),
        Some(id) if is_folder(id) => "a folder".to_owned(),
        Some(id) => id.clone(),
    };
    Some(Reason::SettingChanged { setting: format!("contexts.{name}"), old: shown(old), new: shown(new) })
}

fn settings(old: &KeyFields, new: &KeyFields) -> Vec<Reason> {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "default".to_owned());
    let attestations = |fields: &KeyFields| {
        let attested =
            fields.attestations.iter().map(|(name, by)| format!("{name} {by}").trim_end().to_owned());
        let attested: Vec<String> = attested.collect();
        if attested.is_empty() { "none".to_owned() } else { attested.join(", ") }
    };
    let platforms = |fields: &KeyFields| fields.platforms.join(", ");
    [
        ("target", shown(&old.target), shown(&new.target)),
        ("platforms", platforms(old), platforms(new)),
        ("network", shown(&old.network), shown(&new.network)),
        ("attestations", attestations(old), attestations(new)),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(setting, old, new)| Reason::SettingChanged { setting: setting.to_owned(), old, new })
    .collect()
}

/// The entries that differ between two maps, each with its old and its new value.
fn differing<'a, K: Ord, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    gone.chain(new.keys()).map(|key| (key, old.get(key), new.get(key))).filter(|(_, old, new)| old != new)
}
