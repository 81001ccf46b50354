//! The view of a release: the references of its images and nothing else, so that another program can take the
//! references from stdout. Start with [`ReleaseView`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::{EnvironmentName, ImageName};
use crate::reference::Reference;

use super::style::Palette;
use super::view::View;

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// The images that a run made.
#[derive(Clone, Copy, Debug)]
pub struct ReleaseView<'a> {
    /// The environment; none for a local build.
    pub environment: Option<&'a EnvironmentName>,
    /// The commit that the images were made from; none for the working tree.
    pub commit: Option<&'a str>,
    /// The outcome: `deployed`, `pushed` or `built`.
    pub outcome: &'a str,
    /// The images with their references.
    pub images: &'a BTreeMap<ImageName, Reference>,
}

/// A release as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Release")]
pub struct ReleaseJson<'a> {
    /// The version of this format.
    version: u32,
    /// The environment; null for a local build.
    environment: Option<&'a EnvironmentName>,
    /// The commit that the images were made from; null for the working tree.
    commit: Option<&'a str>,
    /// The outcome: `deployed`, `pushed` or `built`.
    outcome: &'a str,
    /// The references of the images, by name.
    images: &'a BTreeMap<ImageName, Reference>,
}

/// The text has one line per image, with the image's name and reference.
impl View for ReleaseView<'_> {
    type Json<'v>
        = ReleaseJson<'v>
    where
        Self: 'v;

    const ON_ONE_LINE: bool = true;

    fn text(&self, out: &mut dyn Write, _: Palette) -> io::Result<()> {
        let width = self.images.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
        self.images.iter().try_for_each(|(name, reference)| writeln!(out, "{name:<width$}  {reference}"))
    }

    fn json(&self) -> ReleaseJson<'_> {
        let Self { environment, commit, outcome, images } = *self;
        ReleaseJson { version: VERSION, environment, commit, outcome, images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples::image;
    use crate::ui::schemas::assert_valid;
    use crate::ui::view::{json_of, shown};

    fn images() -> BTreeMap<ImageName, Reference> {
        let digest = "0f".repeat(32);
        let pinned =
            |name: &str| format!("registry.example.com/datatube/{name}@sha256:{digest}").parse().unwrap();
        ["client", "api"].map(|name| (image(name), pinned(name))).into()
    }

    #[test]
    fn references_stand_alone() {
        let images = images();
        let release = ReleaseView { environment: None, commit: None, outcome: "pushed", images: &images };
        insta::assert_snapshot!(shown(&release, false), @r"
        api     registry.example.com/datatube/api@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
        client  registry.example.com/datatube/client@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
        ");
    }

    #[test]
    fn json_is_one_line() {
        let images = images();
        let environment = "staging".parse().unwrap();
        let release = ReleaseView {
            environment: Some(&environment),
            commit: Some("a1b2"),
            outcome: "deployed",
            images: &images,
        };
        assert_valid("release", &serde_json::from_str(&json_of(&release)).unwrap());
        insta::assert_snapshot!(json_of(&release), @r#"{"version":1,"environment":"staging","commit":"a1b2","outcome":"deployed","images":{"api":"registry.example.com/datatube/api@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","client":"registry.example.com/datatube/client@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"}}"#);
    }
}
