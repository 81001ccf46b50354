//! The view of the findings of `dtbuild doctor`. Start with [`DoctorView`], a list of [`Finding`]s.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::style::Palette;
use super::text;
use super::view::View;

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// A finding: the state of one thing that `dtbuild doctor` looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The subject: `engine`, `git`, `registry`, ...
    pub about: &'static str,
    /// The state of the subject.
    pub state: State,
    /// The finding in words; never a secret.
    pub found: String,
    /// The way out, where there is something to do.
    pub fix: Option<String>,
}

/// The state of something that `dtbuild doctor` looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The thing works.
    Good,
    /// The thing works, and the user should know something about it.
    Note,
    /// The thing will not work, and the project needs it.
    Broken,
}

/// An engine that was looked at: the machine's own, or one of `[[builders]]`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EngineReport {
    /// The builder's name; none for the machine's own engine.
    pub builder: Option<String>,
    /// The address of the engine.
    pub address: String,
    /// The state of the subject.
    pub state: State,
    /// The kind of engine: `docker`, `podman` or `buildkitd`; none where the engine does not answer.
    pub engine: Option<String>,
    /// The engine's version.
    pub version: Option<String>,
    /// The engine's store of images: the name of a graph driver, or `containerd`.
    pub store: Option<String>,
    /// The platforms that the engine builds for.
    pub platforms: Vec<String>,
    /// The engine's features, of those that not all engines have: `secrets`, `isolation`, `indexes`, `layouts`,
    /// `times`.
    pub features: Vec<&'static str>,
    /// The kinds of cache in which the engine finds steps.
    pub cache_from: Vec<String>,
    /// The kinds of cache to which the engine brings steps.
    pub cache_to: Vec<String>,
}

/// The findings of `dtbuild doctor`, and the engines that were looked at.
pub struct DoctorView {
    /// The findings, in the order in which the things were looked at.
    pub findings: Vec<Finding>,
    /// The engines, which only the JSON has: the findings have all that people need to know of the engines.
    pub engines: Vec<EngineReport>,
}

/// The findings as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Doctor")]
pub struct DoctorJson<'a> {
    /// The version of this format.
    version: u32,
    /// True if something that the project needs will not work.
    broken: bool,
    findings: &'a [Finding],
    /// The engines that were looked at.
    engines: &'a [EngineReport],
}

impl DoctorView {
    /// Tells whether something that the project needs will not work.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.findings.iter().any(|finding| finding.state == State::Broken)
    }
}

impl Finding {
    /// The finding that something is as it should be.
    #[must_use]
    pub fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, state: State::Good, found: found.into(), fix: None }
    }

    /// The finding that something works, with what the user should know.
    #[must_use]
    pub fn note(about: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { about, state: State::Note, found: found.into(), fix: Some(fix.into()) }
    }

    /// The finding that something will not work. Some messages say themselves what to do.
    #[must_use]
    pub fn broken(about: &'static str, found: impl Into<String>, fix: Option<String>) -> Self {
        Self { about, state: State::Broken, found: found.into(), fix }
    }
}

/// The text has one line per finding, with the way out below it, and the outcome.
impl View for DoctorView {
    type Json<'v> = DoctorJson<'v>;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        write_findings(out, &self.findings, palette)
    }

    fn json(&self) -> DoctorJson<'_> {
        let Self { findings, engines } = self;
        DoctorJson { version: VERSION, broken: self.is_broken(), findings, engines }
    }
}

fn write_findings(out: &mut dyn Write, findings: &[Finding], palette: Palette) -> io::Result<()> {
    let width = findings.iter().map(|finding| finding.about.len()).max().unwrap_or_default();
    for finding in findings {
        let mark = match finding.state {
            State::Good => palette.good("ok    "),
            State::Note => palette.busy("note  "),
            State::Broken => palette.bad("broken"),
        };
        writeln!(out, "{mark}  {:<width$}  {}", finding.about, text::one_line(&finding.found))?;
        if let Some(fix) = &finding.fix {
            writeln!(out, "        {:<width$}  {} {}", "", palette.dim("hint:"), text::one_line(fix))?;
        }
    }
    let broken = findings.iter().filter(|finding| finding.state == State::Broken).count();
    match broken {
        0 => writeln!(out, "\neverything that was looked at will do"),
        1 => writeln!(out, "\n1 thing will not work"),
        _ => writeln!(out, "\n{broken} things will not work"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::schemas::assert_valid;
    use crate::ui::view::{json_of, shown};

    fn findings() -> Vec<Finding> {
        vec![
            Finding::good("engine", "docker 28.5.2 (overlay2)"),
            Finding::note("git", "the clone is shallow", "nothing needs to be done"),
            Finding::broken("build.toml", "there is no\u{1b}[2J build.toml", Some("write one".to_owned())),
        ]
    }

    fn engine() -> EngineReport {
        EngineReport {
            builder: Some("big".to_owned()),
            address: "unix:///s".to_owned(),
            state: State::Good,
            engine: Some("docker".to_owned()),
            version: Some("28.5.2".to_owned()),
            store: Some("overlay2".to_owned()),
            platforms: vec!["linux/amd64".to_owned()],
            features: vec!["secrets", "isolation"],
            cache_from: vec!["registry".to_owned()],
            cache_to: Vec::new(),
        }
    }

    fn view() -> DoctorView {
        DoctorView { findings: findings(), engines: vec![engine()] }
    }

    #[test]
    fn findings_are_lines_with_what_to_do() {
        let expected = "\
ok      engine      docker 28.5.2 (overlay2)
note    git         the clone is shallow
                    hint: nothing needs to be done
broken  build.toml  there is no build.toml
                    hint: write one

1 thing will not work
";
        assert_eq!(shown(&view(), false), expected);
    }

    #[test]
    fn json_has_the_same() {
        let json: serde_json::Value = serde_json::from_str(&json_of(&view())).unwrap();
        assert_valid("doctor", &json);
        assert_eq!((&json["version"], &json["broken"]), (&1.into(), &true.into()));
        assert_eq!(json["findings"][1]["state"], "note");
        assert_eq!(json["findings"][0]["fix"], serde_json::Value::Null);
        assert_eq!(json["engines"][0]["features"], serde_json::json!(["secrets", "isolation"]));
        assert_eq!(json["engines"][0]["builder"], "big");
    }
}
