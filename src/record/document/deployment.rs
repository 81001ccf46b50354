//! The entry of one deployment in a record. Start with [`Deployment`].

use std::collections::BTreeMap;
use std::fmt;

use dtbuild_content::key::{ImageKey, SharedFields};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};

use crate::config::ImageName;
use crate::reference::Reference;
use crate::{inert, random};

/// The longest reason that is kept, in characters.
const REASON_LIMIT: usize = 2000;

/// A release that was applied to an environment, or was to be applied. Its entry is begun before anything changes that
/// the environment sees, and completed when the deployment ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The deployment's id, which no other deployment has; see [`Deployment::name`].
    pub id: String,
    /// The generation of the lease under which the entry was written: no other entry of the environment has it.
    #[serde(default)]
    pub generation: u64,
    /// The commit's id; none for the working tree.
    pub commit: Option<String>,
    /// The time at which the run began, by the clock of its machine.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The time at which the deployment ended; none while it goes on, or when its run was killed.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub finished: Option<OffsetDateTime>,
    /// The outcome of the deployment.
    pub outcome: Outcome,
    /// The images of the release by name.
    pub images: BTreeMap<ImageName, DeployedImage>,
    /// The kind of trigger, such as `ansible`; none when only tags were moved.
    pub deploy: Option<String>,
    /// The digest of the files that the deployment itself read, such as the playbook; none when no such files
    /// are declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_inputs: Option<String>,
    /// The digest of the deployment's own settings, such as its arguments; none in a record of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_settings: Option<String>,
    /// The id of the deployment whose release a rollback applied again; none for any other deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
    /// The version of dtbuild that deployed.
    pub by: String,
}

/// The outcome of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// The environment runs the release.
    Succeeded,
    /// The deployment failed. The environment may run the release, the one before, or some of both.
    Failed {
        /// The reason of the failure.
        reason: String,
    },
    /// An image of the release could not be built or pushed. The environment was not touched.
    NotBuilt {
        /// The reason of the failure.
        reason: String,
    },
    /// The tags of the environment were moved, and the deployment was left to another program (`--no-deploy`),
    /// which alone knows what the environment runs.
    Tagged,
    /// The run of the deployment is going on, or was killed: it is as unsure as after a failure what the
    /// environment runs.
    Started,
    /// No deployment: a person took the lease away from its holder.
    Unlocked {
        /// The person's reason.
        reason: String,
        /// The holder that lost the lease.
        holder: String,
    },
}

/// An image of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedImage {
    /// The reference that was deployed, pinned by digest.
    pub reference: Reference,
    /// The image's content key.
    pub key: ImageKey,
    /// The fields that the key was computed from, to explain the next rebuild. The fields are kept for the
    /// current and the last deployment only: twenty deployments of three hundred images would outgrow every
    /// bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<SharedFields>,
    /// The commit that the image was deployed from, where that is not its deployment's commit: `--only` left
    /// the image as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Outcome {
    /// True if the outcome leaves it unsure what the environment runs.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Tagged | Self::Started)
    }
}

/// For people, such as `failed: exit code 2`.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => formatter.write_str("succeeded"),
            Self::Started => formatter.write_str("started"),
            Self::Tagged => formatter.write_str("tagged, not deployed"),
            Self::NotBuilt { reason } => write!(formatter, "not built: {reason}"),
            Self::Failed { reason } => write!(formatter, "failed: {reason}"),
            Self::Unlocked { reason, holder } => write!(formatter, "unlocked, {holder}: {reason}"),
        }
    }
}

impl Deployment {
    /// A new id for a deployment that began at this time: the time in UTC, and a random part that makes the id
    /// unique.
    #[must_use]
    pub fn name(started: OffsetDateTime) -> String {
        let at = started.to_offset(UtcOffset::UTC);
        let (date, time) = (at.date(), at.time());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let unique = random::id();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{}", &unique[..8])
    }

    /// True if the deployment moved a tag of the environment, or may have.
    #[must_use]
    pub fn touched(&self) -> bool {
        self.outcome == Outcome::Succeeded || self.outcome.is_unsure()
    }

    /// The deployment with times in UTC, and reasons cut to their limit and made plain: a reason may quote a
    /// program's output, and no character of it may move a cursor.
    pub(super) fn tidy(&mut self) {
        self.started = self.started.to_offset(UtcOffset::UTC);
        self.finished = self.finished.map(|finished| finished.to_offset(UtcOffset::UTC));
        let plain = |text: &mut String| {
            let lines: Vec<_> = text.split('\n').map(inert::plain).collect();
            *text = lines.join("\n").chars().take(REASON_LIMIT).collect();
        };
        match &mut self.outcome {
            Outcome::Failed { reason } | Outcome::NotBuilt { reason } => plain(reason),
            Outcome::Unlocked { reason, holder } => [reason, holder].into_iter().for_each(plain),
            Outcome::Succeeded | Outcome::Tagged | Outcome::Started => {}
        }
    }

    /// The first fault of the entry; none for an entry that dtbuild may have written.
    pub(super) fn fault(&self) -> Option<String> {
        let texts = [Some(&self.id), self.commit.as_ref(), self.deploy.as_ref(), Some(&self.by)];
        let texts = texts.into_iter().chain(self.images.values().map(|image| image.commit.as_ref()));
        let plain =
            |text: &String| text.len() <= 200 && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if !texts.flatten().all(plain) {
            return Some("a deployment's id, commit, trigger or version is no plain text".to_owned());
        }
        let unpinned = self.images.iter().find(|(_, image)| image.reference.digest().is_none());
        unpinned.map(|(name, image)| format!("image `{name}` is not pinned by digest: `{}`", image.reference))
    }

    /// Reads the fields of the keys, so that only checked fields are written again.
    pub(super) fn read_fields(&mut self) -> Result<(), String> {
        for (name, image) in &mut self.images {
            let Some(fields) = &mut image.fields else { continue };
            let read = fields.read().ok_or_else(|| {
                format!("what the key of image `{name}` was taken from is not told as it should be")
            })?;
            *fields = read.into();
        }
        Ok(())
    }
}
