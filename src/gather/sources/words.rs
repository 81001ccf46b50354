//! The words that name images of `build.toml` in a Dockerfile. Start with [`Words`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{Config, Image, ImageName};
use crate::dockerfile::{ImageNames, familiar};
use crate::reference::LOCAL_TAG;

/// The words of all images. The words of an image are its name, and its repository at the registry that is pushed to
/// and at the one that `build.toml` names, each without a tag or with a tag that runs move.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    config: &'a Config,
    /// The words with their images, sorted. A word stands for two images where one image's name is another's
    /// repository.
    all: Vec<(&'a str, &'a ImageName)>,
    /// The repositories among them, sorted.
    repositories: Vec<(&'a str, &'a ImageName)>,
    /// The tags that runs move, but `latest`, which names without a tag mean.
    moved: BTreeSet<&'a str>,
}

/// The words as one image's Dockerfile has them: no word stands for the image itself.
#[derive(Clone, Debug)]
pub(crate) struct WordsFor<'a> {
    all: Arc<Words<'a>>,
    own: &'a ImageName,
}

impl<'a> Words<'a> {
    pub(crate) fn of(config: &'a Config) -> Arc<Self> {
        let names = config.images.keys().map(|name| (name.as_str(), name));
        let repositories = config
            .images
            .iter()
            .flat_map(|(name, image)| repositories(image).map(move |repository| (repository, name)));
        let mut repositories: Vec<_> = repositories.collect();
        let mut all: Vec<_> = names.chain(repositories.iter().copied()).collect();
        // Both halves are mostly sorted already.
        all.sort();
        repositories.sort();
        let tags = config.environments.values().filter_map(|environment| environment.tag.moved());
        Arc::new(Self { config, all, repositories, moved: tags.chain([LOCAL_TAG]).collect() })
    }

    pub(crate) fn for_image(self: &Arc<Self>, own: &'a ImageName) -> WordsFor<'a> {
        WordsFor { all: Arc::clone(self), own }
    }
}

impl<'a> WordsFor<'a> {
    /// The image that a word, in its [`familiar`] form, stands for; none for other words.
    pub(crate) fn image(&self, word: &str) -> Option<&'a ImageName> {
        let with_tag = || {
            let (repository, tag) = word.rsplit_once(':')?;
            let is_moved = self.all.moved.contains(tag);
            is_moved.then(|| find(&self.all.repositories, repository, |image| image != self.own))?
        };
        find(&self.all.all, word, |image| image != self.own).or_else(with_tag)
    }

    /// The words that stand for an image.
    pub(crate) fn of(&self, image: &ImageName) -> Vec<String> {
        let declared = self.all.config.images.get(image);
        let repositories: Vec<&str> = declared.into_iter().flat_map(repositories).collect();
        let with_tags = repositories
            .iter()
            .flat_map(|repository| self.all.moved.iter().map(move |tag| format!("{repository}:{tag}")));
        let plain = [image.as_str()].into_iter().chain(repositories.iter().copied()).map(str::to_owned);
        let words: BTreeSet<String> = plain.chain(with_tags).collect();
        words.into_iter().filter(|word| self.image(word) == Some(image)).collect()
    }

    /// The image whose repository a name from elsewhere leads to; the image itself, too.
    pub(crate) fn owner(&self, name: &str) -> Option<&'a ImageName> {
        let name = name.split('@').next().unwrap_or_default();
        let tagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let repository = tagged.map_or(name, |(repository, _)| repository);
        find(&self.all.repositories, familiar(repository), |_| true)
    }
}

/// The repositories of an image, as Dockerfiles write them.
fn repositories(image: &Image) -> impl Iterator<Item = &str> {
    [Some(image.repository.as_str()), image.written_repository.as_deref()].into_iter().flatten().map(familiar)
}

/// The last image of a word that will do.
fn find<'a>(
    sorted: &[(&'a str, &'a ImageName)],
    word: &str,
    will_do: impl Fn(&ImageName) -> bool,
) -> Option<&'a ImageName> {
    let end = sorted.partition_point(|(other, _)| *other <= word);
    let same = sorted[..end].iter().rev().take_while(|(other, _)| *other == word);
    same.map(|(_, image)| *image).find(|image| will_do(image))
}

impl ImageNames for WordsFor<'_> {
    fn contains(&self, name: &str) -> bool {
        self.image(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_meant_by_its_name_and_by_its_repository_but_never_by_itself() {
        let text = "[project]\nname = \"shop\"\nregistry = \"localhost:5000/shop\"\n\
                    [images.base]\ncontext = \"base\"\n[images.api]\ncontext = \"api\"\n";
        let config = Config::parse(text, None).unwrap();
        let words = Words::of(&config);
        let (base, api): (ImageName, ImageName) = ("base".parse().unwrap(), "api".parse().unwrap());
        let of_api = words.for_image(&api);
        for word in ["base", "localhost:5000/shop/base"] {
            assert_eq!(of_api.image(word), Some(&base));
            assert!(of_api.contains(word));
        }
        for word in ["api", "localhost:5000/shop/api", "nginx"] {
            assert_eq!(of_api.image(word), None);
        }
        let words = ["base", "localhost:5000/shop/base", "localhost:5000/shop/base:local"];
        assert_eq!(of_api.of(&base), words);
        assert_eq!(of_api.of(&api), [""; 0]);
    }

    #[test]
    fn an_image_is_meant_by_its_repository_at_either_registry_with_a_tag_that_runs_move() {
        let text = "[project]\nname = \"shop\"\nregistry = \"docker.io/shop\"\n\
                    [images.base]\ncontext = \"base\"\n[images.api]\ncontext = \"api\"\n\
                    [environments.staging]\nbranch = \"main\"\ntag = \"stage\"\n";
        let config = Config::parse(text, Some("localhost:5000/test")).unwrap();
        let (base, api): (ImageName, ImageName) = ("base".parse().unwrap(), "api".parse().unwrap());
        let all = Words::of(&config);
        let words = all.for_image(&api);
        for repository in ["shop/base", "localhost:5000/test/base"] {
            for tag in ["", ":stage", ":local"] {
                assert_eq!(words.image(&format!("{repository}{tag}")), Some(&base), "{repository}{tag}");
            }
            for version in [":staging".to_owned(), ":1".to_owned(), format!("@sha256:{}", "0".repeat(64))] {
                let name = format!("{repository}{version}");
                assert_eq!((words.image(&name), words.owner(&name)), (None, Some(&base)), "{name}");
            }
        }
        assert_eq!(words.image("base:stage"), None, "a name has no tags");
        assert_eq!(words.owner("docker.io/shop/api:1"), Some(&api), "its own earlier builds");
        assert_eq!(words.owner("shop/other"), None);
    }
}
