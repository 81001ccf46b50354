//! Images of which nothing can be decided, since a base image cannot be had. Start with [`UnknownImage`].

use super::{Plan, Reason};
use crate::config::ImageName;
use crate::error::{Code, Failure};
use crate::reference::Repository;

/// The ways to make a base image known.
pub(crate) const WAYS_OUT: &str = "any of these makes a base image known: `dtbuild lock` where its registry can be reached, and build.lock \
     committed; a mirror that the engine pulls Docker Hub's images from; `bases = \"name\"` in build.toml, which asks nobody; \
     for `dtbuild build`, an image of that name on this machine's engine";

/// An image whose key is not known.
#[derive(Clone, Debug)]
pub struct UnknownImage {
    /// The image.
    pub name: ImageName,
    /// The base images that cannot be had: [`Reason::BaseUnknown`] for each. Last [`Reason::LeftOut`], where `--only` leaves
    /// the image out.
    pub reasons: Vec<Reason>,
    /// The remarks for its author.
    pub notes: Vec<String>,
    /// The repository that its builds are pushed to.
    pub repository: Repository,
}

/// A plan that cannot be carried out, since it does not decide all of its images.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Undecided(Vec<String>);

impl UnknownImage {
    /// Whether `--only` leaves the image out, so that nobody asked for it.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.reasons.contains(&Reason::LeftOut)
    }

    /// The failure of who needs to know all of the image.
    #[must_use]
    pub fn undecided(&self) -> Undecided {
        Undecided(vec![self.told()])
    }

    fn told(&self) -> String {
        let lost = self.reasons.iter().filter_map(|reason| match reason {
            Reason::BaseUnknown(lost) => Some(lost.to_string()),
            _ => None,
        });
        format!("`{}` is unknown: {}", self.name, lost.collect::<Vec<_>>().join("; "))
    }
}

impl Plan {
    /// Whether the plan lacks a decision that was asked for.
    #[must_use]
    pub fn lacks_decisions(&self) -> bool {
        self.unknown.iter().any(|image| !image.is_left_out())
    }

    /// Checks that all images are decided, as acting takes.
    ///
    /// # Errors
    /// When one is unknown.
    pub fn check_decided(&self) -> Result<(), Undecided> {
        let told: Vec<String> = self.unknown.iter().map(UnknownImage::told).collect();
        if told.is_empty() { Ok(()) } else { Err(Undecided(told)) }
    }
}

impl Failure for Undecided {
    fn code(&self) -> Code {
        Code::BaseUnknown
    }

    fn hint(&self) -> Option<String> {
        Some(WAYS_OUT.to_owned())
    }
}
