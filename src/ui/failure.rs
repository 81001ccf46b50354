//! The report of a failed image or deployment: the failure, the place, the last lines of the log, and a hint. Start
//! with [`Failure`]; every renderer except that of raw JSON shows the report.

use std::io::{self, Write};

use crate::config::{EnvironmentName, ImageName};
use crate::events::BuildFailure;

use super::style::Palette;
use super::text;

/// The number of a step's last lines that are shown: enough for the message of a compiler or a package manager, and
/// few enough that the cause stays on one screen.
pub(super) const LOG_LINES: usize = 20;

/// Something that failed in a run.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// An image could not be built or pushed.
    Image {
        image: ImageName,
        error: String,
        details: Option<BuildFailure>,
        /// The path of the image's Dockerfile from the repository's root, where it is known.
        dockerfile: Option<String>,
        /// True if the image was built from the working tree, on the machine of the reader.
        local: bool,
    },
    /// The deployment failed.
    Deployment { environment: Option<EnvironmentName>, error: String, log: Vec<String> },
}

impl Failure {
    /// The failure and its reason in one line, such as `client failed: exit code 2`.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Image { image, error, .. } => format!("{image} failed: {}", text::one_line(error)),
            Self::Deployment { environment: Some(environment), error, .. } => {
                format!("deployment to {environment} failed: {}", text::one_line(error))
            }
            Self::Deployment { error, .. } => format!("deployment failed: {}", text::one_line(error)),
        }
    }

    /// The last lines of the log of the step or deployment that failed.
    pub(super) fn log(&self) -> &[String] {
        let log = match self {
            Self::Image { details, .. } => details.as_ref().map_or(&[][..], |details| &details.log),
            Self::Deployment { log, .. } => log,
        };
        &log[log.len().saturating_sub(LOG_LINES)..]
    }

    /// The Dockerfile's path and line, where both are known.
    pub(super) fn place(&self) -> Option<(&str, usize)> {
        match self {
            Self::Image { details: Some(details), dockerfile: Some(dockerfile), .. } => {
                Some((dockerfile, details.line?))
            }
            _ => None,
        }
    }

    /// The way out, unless the error's text has it already.
    fn hint(&self) -> Option<String> {
        match self {
            Self::Image { image, details: Some(_), local: true, .. } => {
                Some(format!("mend the step, then run `dtbuild build {image}` again"))
            }
            Self::Image { image, details: Some(_), .. } => {
                Some(format!("run `dtbuild build {image}` to reproduce it locally"))
            }
            Self::Deployment { environment: Some(environment), .. } => Some(format!(
                "run `dtbuild deploy --env {environment}` to try it again; nothing is built again"
            )),
            Self::Image { .. } | Self::Deployment { .. } => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self::Image { details: Some(details), .. } = self else { return Vec::new() };
        let mut facts = Vec::new();
        if let Some(step) = &details.step {
            facts.push(("step", text::one_line(step)));
        }
        match (self.place(), details.line) {
            (Some((dockerfile, line)), _) => facts.push(("at", format!("{}:{line}", text::name(dockerfile)))),
            (None, Some(line)) => facts.push(("at", format!("line {line} of the Dockerfile"))),
            (None, None) => {}
        }
        if let Some(code) = details.exit_code {
            facts.push(("exit code", code.to_string()));
        }
        facts
    }

    /// Writes the report.
    pub(super) fn write(&self, out: &mut (impl Write + ?Sized), palette: Palette) -> io::Result<()> {
        writeln!(out, "{}", palette.bad(self.title()))?;
        for (label, fact) in self.facts() {
            writeln!(out, "  {} {fact}", palette.dim(format_args!("{label:<9}")))?;
        }
        if !self.log().is_empty() {
            writeln!(out, "  {}", palette.dim("last lines"))?;
        }
        for line in self.log() {
            writeln!(out, "  {} {}", palette.dim("|"), text::log_line(line))?;
        }
        match self.hint() {
            Some(hint) => writeln!(out, "  {} {hint}", palette.calm(format_args!("{:<9}", "hint"))),
            None => Ok(()),
        }
    }

    /// The report as one text.
    pub(super) fn report(&self, palette: Palette) -> String {
        let mut report = Vec::new();
        // Writing to memory does not fail.
        let _ = self.write(&mut report, palette);
        String::from_utf8_lossy(&report).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples::{build_failure, image};

    #[test]
    fn a_failed_step_says_where_why_and_what_to_do() {
        let failure = Failure::Image {
            image: image("client"),
            error: "process `npm ci` did not complete".into(),
            details: Some(build_failure()),
            dockerfile: Some("containers/client/Dockerfile".into()),
            local: false,
        };
        insta::assert_snapshot!(failure.report(Palette::new(false)), @r"
        client failed: process `npm ci` did not complete
          step      [build 2/4] RUN npm ci
          at        containers/client/Dockerfile:12
          exit code 1
          last lines
          | npm error code EUSAGE
          | npm error the lock file is out of date
          hint      run `dtbuild build client` to reproduce it locally
        ");
    }

    #[test]
    fn a_failed_push_is_its_message() {
        let failure = Failure::Image {
            image: image("client"),
            error: "failed to push `localhost:5000/client`:\nconnection refused; is the registry running?"
                .into(),
            details: None,
            dockerfile: Some("containers/client/Dockerfile".into()),
            local: false,
        };
        insta::assert_snapshot!(failure.report(Palette::new(false)), @r"client failed: failed to push `localhost:5000/client`: connection refused; is the registry running?");
    }

    #[test]
    fn a_long_log_is_cut_to_its_end() {
        let log = (0..100).map(|number| format!("line {number}")).collect();
        let environment = "staging".parse().ok();
        let failure = Failure::Deployment { environment, error: "exit code 2".into(), log };
        assert_eq!(failure.log().len(), LOG_LINES);
        assert_eq!(failure.log().last().map(String::as_str), Some("line 99"));
        assert!(failure.report(Palette::new(false)).contains("dtbuild deploy --env staging"));
    }
}
