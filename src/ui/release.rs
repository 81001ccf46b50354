//! A release, shown: the references of a run's images on stdout, nothing else, so that another program
//! can take them from there. Start with [`ReleaseView`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::config::{EnvironmentName, ImageName};
use crate::reference::Reference;

/// The JSON form's version: it changes when a reader of the last one would be misled.
const VERSION: u32 = 1;

/// What a run made.
#[derive(Clone, Copy, Debug)]
pub struct ReleaseView<'a> {
    /// Where it went; none for a local build.
    pub environment: Option<&'a EnvironmentName>,
    /// The commit it was made from; none for the working tree.
    pub commit: Option<&'a str>,
    /// What became of it, such as `deployed`, `pushed` or `nothing-to-do`.
    pub outcome: &'a str,
    /// The images with their references.
    pub images: &'a BTreeMap<ImageName, Reference>,
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    environment: Option<&'a EnvironmentName>,
    commit: Option<&'a str>,
    outcome: &'a str,
    images: &'a BTreeMap<ImageName, Reference>,
}

/// Writes one line per image: its name and its reference.
pub fn write_release(out: &mut impl Write, release: &ReleaseView<'_>) -> io::Result<()> {
    let width = release.images.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
    release.images.iter().try_for_each(|(name, reference)| writeln!(out, "{name:<width$}  {reference}"))
}

/// Writes the release as one JSON object on one line.
pub fn write_release_json(out: &mut impl Write, release: &ReleaseView<'_>) -> io::Result<()> {
    let ReleaseView { environment, commit, outcome, images } = *release;
    serde_json::to_writer(&mut *out, &Json { version: VERSION, environment, commit, outcome, images })?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples::image;

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
        let mut out = Vec::new();
        write_release(&mut out, &release).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
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
        let mut out = Vec::new();
        write_release_json(&mut out, &release).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"{"version":1,"environment":"staging","commit":"a1b2","outcome":"deployed","images":{"api":"registry.example.com/datatube/api@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","client":"registry.example.com/datatube/client@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"}}"#);
    }
}
