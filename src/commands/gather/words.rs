//! The words by which Dockerfiles name the images of `build.toml`. Start with [`Words`].

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::config::{Config, ImageName};
use crate::dockerfile::ImageNames;

/// The words of all images: an image is meant by its name, or by the repository that it is pushed to.
#[derive(Debug)]
pub(super) struct Words {
    /// Two images where the name of one is the repository of the other.
    images: BTreeMap<String, Vec<ImageName>>,
    words: BTreeMap<ImageName, [String; 2]>,
}

/// The words as one image has them: those for itself are none.
#[derive(Clone, Debug)]
pub(super) struct WordsFor {
    all: Rc<Words>,
    own: ImageName,
}

impl Words {
    pub(super) fn of(config: &Config) -> Rc<Self> {
        let mut all = Self { images: BTreeMap::new(), words: BTreeMap::new() };
        for (name, image) in &config.images {
            let words = [name.to_string(), image.repository.to_string()];
            for word in &words {
                all.images.entry(word.clone()).or_default().push(name.clone());
            }
            all.words.insert(name.clone(), words);
        }
        Rc::new(all)
    }

    pub(super) fn for_image(self: &Rc<Self>, own: &ImageName) -> WordsFor {
        WordsFor { all: Rc::clone(self), own: own.clone() }
    }
}

impl WordsFor {
    /// The image that a word stands for.
    pub(super) fn image(&self, word: &str) -> Option<&ImageName> {
        self.all.images.get(word)?.iter().rev().find(|image| **image != self.own)
    }

    /// The words that stand for an image.
    pub(super) fn of(&self, image: &ImageName) -> impl Iterator<Item = &str> {
        let words = self.all.words.get(image).into_iter().flatten().map(String::as_str);
        words.filter(move |word| self.image(word) == Some(image))
    }
}

impl ImageNames for WordsFor {
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
        let words = Words::of(&Config::parse(text, None).unwrap());
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
