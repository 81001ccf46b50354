//! The words that name images of `build.toml` in a Dockerfile. Start with [`Words`].

use std::sync::Arc;

use crate::config::{Config, ImageName};
use crate::dockerfile::ImageNames;

/// The words of all images. An image has two words: its name, and the repository that it is pushed to.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    config: &'a Config,
    /// The words with their images, sorted. A word stands for two images where one image's name is another's
    /// repository.
    all: Vec<(&'a str, &'a ImageName)>,
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
        let repositories = config.images.iter().map(|(name, image)| (image.repository.as_str(), name));
        let mut all: Vec<_> = names.chain(repositories).collect();
        // Both halves are mostly sorted already.
        all.sort();
        Arc::new(Self { config, all })
    }

    pub(crate) fn for_image(self: &Arc<Self>, own: &'a ImageName) -> WordsFor<'a> {
        WordsFor { all: Arc::clone(self), own }
    }
}

impl<'a> WordsFor<'a> {
    /// The image that a word stands for; none for other words.
    pub(crate) fn image(&self, word: &str) -> Option<&'a ImageName> {
        let all = &self.all.all;
        let end = all.partition_point(|(other, _)| *other <= word);
        let same = all[..end].iter().rev().take_while(|(other, _)| *other == word);
        same.map(|(_, image)| *image).find(|image| *image != self.own)
    }

    /// The words that stand for an image.
    pub(crate) fn of(&self, image: &ImageName) -> impl Iterator<Item = &'a str> {
        let declared = self.all.config.images.get_key_value(image);
        let words = declared.map(|(name, image)| [name.as_str(), image.repository.as_str()]);
        words.into_iter().flatten().filter(move |word| self.image(word) == Some(image))
    }
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
        assert_eq!(of_api.of(&base).collect::<Vec<_>>(), ["base", "localhost:5000/shop/base"]);
        assert_eq!(of_api.of(&api).count(), 0);
    }
}
