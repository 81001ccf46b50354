//! Checks that images and environments can be told apart: by repository, by variable, by branch.

use std::collections::{BTreeMap, HashMap};

use super::error::ConfigError;
use super::validate::{Result, Validator};
use super::{Environment, EnvironmentName, Image, ImageName};
use crate::reference::Repository;

impl Validator<'_> {
    /// Checks that no two images have one repository. `places` holds each image's byte offset and name in the
    /// order of the file: of two images, the later one is at fault.
    pub(super) fn repositories_differ(
        &self,
        places: &[(usize, ImageName)],
        images: &BTreeMap<ImageName, Image>,
    ) -> Result<()> {
        let mut seen: HashMap<&Repository, &ImageName> = HashMap::with_capacity(places.len());
        for (place, name) in places {
            let repository = &images[name].repository;
            if let Some(other) = seen.insert(repository, name) {
                let [first, second] = in_order(other, name);
                let message = format!("images `{first}` and `{second}` have one repository, `{repository}`");
                return Err(ConfigError::new(self.file, message)
                    .at(&self.lines, *place)
                    .hint("give one of them another `repository`"));
            }
        }
        Ok(())
    }

    /// Checks that no two images of one deployment have the same variable. `places` holds each image's byte
    /// offset and name in the order of the file.
    pub(super) fn variables_differ(
        &self,
        places: &[(usize, ImageName)],
        environments: &BTreeMap<EnvironmentName, Environment>,
    ) -> Result<()> {
        let mut named: BTreeMap<String, Vec<&(usize, ImageName)>> = BTreeMap::new();
        // Names without a separator differ in their variables as they do in themselves.
        for place in places.iter().filter(|(_, name)| name.as_str().contains(['-', '_', '.'])) {
            named.entry(place.1.variable()).or_default().push(place);
        }
        named.retain(|_, places| places.len() > 1);
        for environment in environments.values().filter(|environment| environment.deploy.is_some()) {
            for (variable, places) in &named {
                let mut told = places.iter().filter(|(_, name)| environment.images.contains(name));
                let (Some((place, one)), Some((later, other))) = (told.next(), told.next()) else { continue };
                let [first, second] = in_order(&(one, *place), &(other, *later))
                    .map(|(name, place)| format!("`{name}` (line {})", self.lines.at(*place)));
                let message = format!(
                    "images {first} and {second} would both be `{variable}` for the deployment of `{}`",
                    environment.name
                );
                return Err(ConfigError::new(self.file, message)
                    .at(&self.lines, *later)
                    .hint("rename one of them, or leave it out of the environment's `images`"));
            }
        }
        Ok(())
    }

    /// Checks that no two environments follow one branch. `branches` holds the byte offset of each branch, its
    /// environment and its name.
    pub(super) fn branches_differ(&self, mut branches: Vec<(usize, EnvironmentName, String)>) -> Result<()> {
        branches.sort_by_key(|branch| branch.0);
        let mut seen: BTreeMap<String, EnvironmentName> = BTreeMap::new();
        for (place, name, branch) in branches {
            if let Some(other) = seen.insert(branch.clone(), name.clone()) {
                let [first, second] = in_order(&other, &name);
                let message = format!("environments `{first}` and `{second}` follow one branch, `{branch}`");
                return Err(ConfigError::new(self.file, message)
                    .at(&self.lines, place)
                    .hint("leave `branch` out of one of them and name it with `--env`"));
            }
        }
        Ok(())
    }

    /// Checks that no two environments move one tag of one image: one would overwrite what the other runs. `tags` holds the
    /// byte offset of each environment.
    pub(super) fn tags_differ(
        &self,
        mut tags: Vec<(usize, EnvironmentName)>,
        environments: &BTreeMap<EnvironmentName, Environment>,
    ) -> Result<()> {
        tags.sort_by_key(|tag| tag.0);
        let mut seen: BTreeMap<(&str, &ImageName), &EnvironmentName> = BTreeMap::new();
        for (place, name) in &tags {
            let Some(environment) = environments.get(name) else { continue };
            let Some(tag) = environment.tag.moved() else { continue };
            for image in &environment.images {
                if let Some(other) = seen.insert((tag, image), name) {
                    let [first, second] = in_order(other, name);
                    let message =
                        format!("environments `{first}` and `{second}` move one tag, `{tag}`, of `{image}`");
                    return Err(ConfigError::new(self.file, message)
                        .at(&self.lines, *place)
                        .hint("give one of them another `tag`, or other `images`"));
                }
            }
        }
        Ok(())
    }
}

fn in_order<'a, T: Ord>(one: &'a T, other: &'a T) -> [&'a T; 2] {
    if one <= other { [one, other] } else { [other, one] }
}
