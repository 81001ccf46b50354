//! Sample values for the tests of this folder.

use std::collections::BTreeMap;

use dtbuild_content::key::{ImageKey, KeyFields};

use crate::changed::{ChangeStatus, ChangedPath};
use crate::config::{EnvironmentName, ImageName};
use crate::events::{BuildFailure, BuildWarning, StepCount};
use crate::events::{Event, ImageOutcome, ImageOutline, StepState};
use crate::plan::{Decision, PlannedImage, Reason};
use crate::reference::{Digest, Reference};

use super::tally::Dockerfiles;

pub(super) fn image(name: &str) -> ImageName {
    name.parse().unwrap()
}

pub(super) fn key(byte: u8) -> ImageKey {
    ImageKey::from_bytes([byte; 32])
}

pub(super) fn changed(path: &str) -> ChangedPath {
    ChangedPath { path: path.into(), status: ChangeStatus::Modified }
}

pub(super) fn build_failure() -> BuildFailure {
    BuildFailure {
        passing: false,
        message: "process `npm ci` did not complete".into(),
        step: Some("[build 2/4] RUN npm ci".into()),
        line: Some(12),
        exit_code: Some(1),
        log: vec![
            "npm error code EUSAGE".into(),
            "\u{1b}[31mnpm error\u{1b}[0m the lock file is out of date".into(),
        ],
    }
}

pub(super) fn dockerfiles() -> Dockerfiles {
    ["client", "api", "db"].map(|name| (image(name), format!("containers/{name}/Dockerfile"))).into()
}

fn outline(name: &str, decision: Decision, byte: u8) -> ImageOutline {
    ImageOutline { image: image(name), decision, key: key(byte), reasons: Vec::new() }
}

/// Nearly every variant, in the order of a run in which an image and the deployment fail.
pub(super) fn run() -> Vec<Event> {
    let client = || image("client");
    let reference =
        |name: &str| -> Reference { format!("registry.example.com/datatube/{name}").parse().unwrap() };
    let digest: Digest = format!("sha256:{}", "0f".repeat(32)).parse().unwrap();
    let environment: EnvironmentName = "staging".parse().unwrap();
    let step =
        |name: &str, step: &str, state| Event::ImageStep { image: image(name), step: step.into(), state };
    let log = |name: &str, step: &str, line: &str| Event::ImageLog {
        image: image(name),
        step: step.into(),
        line: line.into(),
    };
    vec![
        Event::RunStarted {
            environment: Some(environment.clone()),
            commit: Some("a1b2c3d4e5f60718293a4b5c6d7e8f9001122334".into()),
            images: [("client", Decision::Build, 1), ("api", Decision::Build, 2), ("db", Decision::Keep, 3)]
                .map(|(name, decision, byte)| outline(name, decision, byte))
                .into(),
        },
        Event::ImageFinished { image: image("db"), outcome: ImageOutcome::Kept, milliseconds: 0 },
        Event::ImageStarted { image: client(), builder: None },
        Event::ImageStarted { image: image("api"), builder: None },
        step("client", "[build 1/4] FROM node:22", StepState::Cached),
        step("client", "[build 2/4] RUN npm ci", StepState::Started),
        step("api", "[1/2] RUN make", StepState::Started),
        log("client", "[build 2/4] RUN npm ci", "npm error code EUSAGE"),
        log("api", "[1/2] RUN make", "::set-output name=x::\u{1b}[2Jy"),
        log("client", "[build 2/4] RUN npm ci", "npm error ##[error]the lock file"),
        step("api", "[1/2] RUN make", StepState::Done),
        step("client", "[build 2/4] RUN npm ci", StepState::Failed),
        Event::ImageFinished {
            image: client(),
            outcome: ImageOutcome::Failed {
                error: "process `npm ci` did not complete".into(),
                failure: Some(build_failure()),
            },
            milliseconds: 3_200,
        },
        Event::PushStarted { image: image("api"), reference: reference("api:key-02") },
        Event::PushProgress { image: image("api"), sent: 1_000_000, total: 2_500_000 },
        Event::Retrying { image: image("api"), reason: "connection reset".into(), attempt: 2 },
        Event::PushFinished { image: image("api"), digest: digest.clone(), milliseconds: 900 },
        Event::ImageFinished {
            image: image("api"),
            outcome: ImageOutcome::Built { steps: StepCount { total: 2, cached: 1 } },
            milliseconds: 5_100,
        },
        Event::Notice { text: "podman 4.3.1 has no BuildKit".into() },
        Event::TagMoved { image: image("api"), reference: reference("api:staging"), digest },
        Event::DeployStarted { environment, trigger: "ansible".into() },
        Event::DeployLog { line: "TASK [sites : render]".into() },
        Event::DeployFinished {
            error: Some("`ansible-playbook` ended with exit code 2".into()),
            milliseconds: 700,
        },
        Event::RunFinished { exit_code: 1, milliseconds: 6_400 },
    ]
}

/// Events of the variants that [`run`] lacks: a builder is lost and comes back, another one warns again, and a push fails.
pub(super) fn trouble() -> Vec<Event> {
    let api = || image("api");
    let warning = || Event::ImageWarning {
        image: api(),
        warning: BuildWarning {
            rule: Some("FromAsCasing".into()),
            message: "'as' and 'FROM' keywords' casing do not match".into(),
            detail: vec!["The 'as' keyword should match the case of the 'from' keyword".into()],
            line: Some(1),
            url: Some("https://docs.example/rule/".into()),
        },
    };
    vec![
        Event::ImageStarted { image: api(), builder: Some("big".into()) },
        warning(),
        Event::BuilderLost { builder: "big".into(), reason: "connection reset".into() },
        Event::ImageStarted { image: api(), builder: Some("small".into()) },
        warning(),
        Event::BuilderBack { builder: "big".into() },
        Event::ImageFinished {
            image: api(),
            outcome: ImageOutcome::Built { steps: StepCount { total: 2, cached: 0 } },
            milliseconds: 5_100,
        },
        Event::PushFailed { image: api(), error: "failed to push `r/api:key`: denied".into() },
        Event::RunFinished { exit_code: 1, milliseconds: 6_400 },
    ]
}

pub(super) fn planned(name: &str, decision: Decision, reasons: Vec<Reason>) -> PlannedImage {
    let fields = KeyFields {
        schema: 1,
        dockerfile: String::new(),
        target: None,
        platforms: Vec::new(),
        network: None,
        args: BTreeMap::new(),
        bases: BTreeMap::new(),
        secrets: BTreeMap::new(),
        contexts: BTreeMap::new(),
        paths: None,
        attestations: BTreeMap::new(),
        images: BTreeMap::new(),
    };
    PlannedImage {
        name: image(name),
        decision,
        reasons,
        notes: Vec::new(),
        unknown_triggers: Vec::new(),
        key: key(1),
        fields: fields.into(),
        repository: format!("registry.example.com/datatube/{name}").parse().unwrap(),
        digest: None,
        dependencies: Vec::new(),
        released: true,
    }
}
