//! What BuildKit makes of cases. Start with [`Oracle`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use dtbuild::config::Network;
use dtbuild::engine::EngineError;
use dtbuild::engine::docker::Docker;
use dtbuild::error::Failure as _;
use dtbuild::events::{Event, StepState};
use dtbuild_content::tree::Kind;

use super::case::{Case, EPOCH, Leaf};
use super::context::sent;
use super::generate::Features;
use crate::engine::fixture::{Files, build, docker, request};

/// The engine.
pub(super) struct Oracle {
    docker: Docker,
    images: bollard::Docker,
}

/// What became of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Whether a step of it ran.
    pub(super) ran: bool,
    /// Why it could not be built.
    pub(super) failure: Option<String>,
    /// The image's id, where it was built alone: it covers the image's configuration as well.
    pub(super) image: Option<String>,
}

impl Oracle {
    pub(super) async fn connect() -> Self {
        let images = bollard::Docker::connect_with_unix(
            &std::env::var("DOCKER_HOST").unwrap(),
            120,
            bollard::API_DEFAULT_VERSION,
        );
        let images = images.unwrap().negotiate_version().await.unwrap();
        Self { docker: docker().await, images }
    }

    /// The engine's version.
    pub(super) async fn version(&self) -> String {
        self.images.version().await.unwrap().version.unwrap_or_default()
    }

    /// What the engine's frontend can read.
    pub(super) async fn features(&self) -> Features {
        let reads = async |instruction: &str| {
            let text = format!("FROM scratch\n{instruction}\n");
            let request = request("oracle", &text, &Files::default().add("a/b", Kind::File, "1"));
            build(&self.docker, &request).await.0.is_ok()
        };
        Features {
            heredocs: reads("COPY <<a /b/\n1\na").await,
            link: reads("COPY --link a /b/").await,
            exclude: reads("COPY --exclude=c a /b/").await,
            parents: reads("COPY --parents a /b/").await,
            target_stage: reads("ARG TARGETSTAGE\nENV X=${TARGETSTAGE:?unknown}\nCOPY a /b/").await,
        }
    }

    /// Builds many cases at once, each in a folder of its name.
    ///
    /// A case that fails is left out, and the others are built again; what ran until then has run.
    pub(super) async fn build(&self, cases: &[&Case]) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::default(); cases.len()];
        loop {
            let open: Vec<usize> =
                (0..cases.len()).filter(|place| outcomes[*place].failure.is_none()).collect();
            let open_cases: Vec<&Case> = open.iter().map(|place| cases[*place]).collect();
            if open.is_empty() {
                return outcomes;
            }
            let (files, text, arguments) = together(&open_cases);
            let mut request = request("oracle", &text, &files);
            request.args = arguments;
            request.options.network = Some(Network::None);
            let (result, events) = build(&self.docker, &request).await;
            let ran = ran(&events);
            for place in &open {
                outcomes[*place].ran |= ran.contains(cases[*place].name.as_str());
            }
            let Err(error) = result else {
                self.forget(&request.names[0].to_string()).await;
                return outcomes;
            };
            let place = blamed(&error, &open_cases).map(|place| open[place]);
            let place = place.unwrap_or_else(|| panic!("of which case is this told? {error:?}\n{text}"));
            outcomes[place].failure = Some(error.advice());
        }
    }

    /// Builds one case, whose context is the build's own.
    pub(super) async fn build_alone(&self, case: &Case) -> Outcome {
        let files = files_of(case, "", Files::default());
        // Under a name of its own: the engine keeps the files that it was sent last for a name, and the next
        // build of many sends what has changed.
        let mut request = request("oracle-alone", &case.dockerfile(), &files);
        request.args = case.named_arguments();
        request.options.network = Some(Network::None);
        request.target = case.target.map(|_| case.target_name());
        let (result, events) = build(&self.docker, &request).await;
        let ran = ran(&events).contains(case.name.as_str());
        if let Err(error) = result {
            return Outcome { ran, failure: Some(error.advice()), image: None };
        }
        let name = request.names[0].to_string();
        let image = self.images.inspect_image(&name).await.unwrap().id;
        self.forget(&name).await;
        Outcome { ran, failure: None, image }
    }

    async fn forget(&self, name: &str) {
        self.images
            .remove_image(name, None::<bollard::query_parameters::RemoveImageOptions>, None)
            .await
            .unwrap();
    }
}

/// One build of many cases: its context, Dockerfile and arguments.
fn together(cases: &[&Case]) -> (Files, String, BTreeMap<String, String>) {
    let mut files = Files::default();
    let (mut globals, mut stages) = (String::new(), String::new());
    let mut last = "FROM busybox:1.36\nRUN".to_owned();
    for case in cases {
        let folder = format!("{}/", case.name);
        globals.push_str(&case.globals());
        stages.push_str(&case.stages(&folder));
        write!(last, " --mount=from={0},target=/c/{0}", case.target_name()).unwrap();
        files = files_of(case, &folder, files);
    }
    let mut arguments: BTreeMap<String, String> =
        cases.iter().flat_map(|case| case.named_arguments()).collect();
    arguments.remove(EPOCH);
    (files, format!("{globals}{stages}{last} [\"/bin/busybox\", \"true\"]\n"), arguments)
}

/// The files that are sent to a build of the case, below `folder`, besides `files`.
fn files_of(case: &Case, folder: &str, mut files: Files) -> Files {
    if !folder.is_empty() {
        files = files.add(folder.trim_end_matches('/'), Kind::Folder, "");
    }
    let add = |files: Files, (path, (kind, content)): (String, Leaf)| {
        files.add(&format!("{folder}{path}"), kind, content)
    };
    sent(case).into_iter().fold(files, add)
}

/// The cases of which a step ran.
fn ran(events: &[Event]) -> BTreeSet<&str> {
    let mut ran = BTreeSet::new();
    for event in events {
        if let Event::ImageStep { step, state: StepState::Done, .. } = event {
            ran.extend(case_of(step));
        }
    }
    ran
}

/// The case of a step: `[k7s1 2/3] COPY ...`. A base image is no step: it is not always said that it was there.
fn case_of(step: &str) -> Option<&str> {
    let (place, instruction) = step.strip_prefix('[')?.split_once("] ")?;
    if instruction.starts_with("FROM ") {
        return None;
    }
    let (stage, _) = place.split_once(' ').unwrap_or((place, ""));
    let (name, number) = stage.rsplit_once('s')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
}

/// The case that a failure is about.
fn blamed(error: &EngineError, cases: &[&Case]) -> Option<usize> {
    let EngineError::Failed(failure) = error else { panic!("{error}") };
    // Steps of other cases that were cancelled may be reported first; the cause names a path of the context or
    // of the image.
    let (_, cause) = failure.message.split_once("failed: ").unwrap_or(("", &failure.message));
    let told = |case: &&Case| {
        cause.contains(&format!("/{}/", case.name)) || cause.contains(&format!("{}/", case.salt))
    };
    let by_step = failure.step.as_deref().and_then(case_of);
    let by_step = || cases.iter().position(|case| Some(case.name.as_str()) == by_step);
    cases.iter().position(told).or_else(by_step)
}
