//! The output of builds on engines without BuildKit, told as events. Start with [`Output`].
//!
//! The output is one stream of text: `STEP 2/5: COPY . /app` begins a step (`[1/2] STEP 2/5: ...` with
//! several stages, `Step 2/5 : ...` on old engines), `--> Using cache 1f8a...` says that the step came from
//! the engine's cache, and all other lines are those that the step printed.

use crate::config::ImageName;
use crate::engine::buildkit::line_of_instruction;
use crate::engine::lines::Lines;
use crate::engine::telling::{NAME_LIMIT, Tail, Teller};
use crate::engine::transient::is_transient;
use crate::engine::{BuildFailure, BuildRequest, StepCount};
use crate::events::{EventSink, StepState};
use crate::inert;

/// The longest message of a failure, in characters; a message can contain an inlined script.
const MESSAGE_LIMIT: usize = 600;
/// The instructions that make a layer; BuildKit counts these alone as steps.
const COUNTED: [&str; 4] = ["RUN", "COPY", "ADD", "WORKDIR"];

/// The output of one build, followed line by line.
pub(super) struct Output {
    teller: Teller,
    lines: Lines,
    step: Option<Step>,
    count: StepCount,
    tail: Tail,
}

/// A step that is running.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    command: String,
    /// The number of the step's stage, from 1.
    stage: usize,
    /// The step's number in the stage, and the number of steps in the stage.
    number: (usize, usize),
    cached: bool,
}

/// The meaning of a line of the engine for the running step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Cached,
    Done,
}

impl Output {
    /// The output of a build that has not begun.
    pub(super) fn new(image: ImageName, events: EventSink) -> Self {
        let (teller, lines, tail) = (Teller::new(image, events), Lines::default(), Tail::default());
        Self { teller, lines, step: None, count: StepCount::default(), tail }
    }

    /// Takes the next text that the engine printed.
    pub(super) fn take(&mut self, text: &str) {
        // A line of the engine's own begins a new line, even if the last line of a step has no line end.
        let first = text.lines().next().unwrap_or_default();
        if Step::of(first).is_some() || is_commit(first) || marker(first).is_some() {
            self.end_line();
        }
        let mut done = Vec::new();
        self.lines.push(text.as_bytes(), |line| done.push(line));
        for line in done {
            self.line(line);
        }
    }

    /// Ends a build that succeeded, and returns the count of its steps.
    pub(super) fn finish(mut self) -> StepCount {
        self.end_line();
        self.end_step(StepState::Done);
        self.count
    }

    /// Ends a build that failed, and returns the failure; `error` is the engine's message.
    pub(super) fn fail(mut self, error: &str, request: &BuildRequest) -> BuildFailure {
        self.end_line();
        let step = self.step.clone();
        self.end_step(StepState::Failed);
        let text = inert::plain(&error.lines().collect::<Vec<_>>().join(" ")).into_owned();
        let cause = cause(text.trim(), step.as_ref());
        let exit_code = cause.rsplit_once("exit status ").and_then(|(_, code)| code.trim().parse().ok());
        let line = step.as_ref().and_then(|step| {
            let (number, total) = step.number;
            // Labels are instructions at the end of the last stage.
            let totals = [total, total.saturating_sub(request.labels.len())];
            line_of_instruction(&request.dockerfile, step.stage, number, totals, &step.command)
        });
        let place = match line {
            Some(line) => format!("{}:{line}", request.dockerfile_path),
            None => request.dockerfile_path.to_string(),
        };
        let what = match (&step, exit_code) {
            (Some(step), Some(code)) => format!("`{}` exited with code {code}", step.command),
            (Some(step), None) => format!("`{}` failed: {cause}", step.command),
            (None, _) => cause,
        };
        let fetching = step.as_ref().is_some_and(|step| step.command.starts_with("FROM "));
        let passing = fetching && exit_code.is_none() && is_transient(&text);
        let message = format!("{place}: {what}").chars().take(MESSAGE_LIMIT).collect();
        let log = self.tail.lines();
        BuildFailure { message, step: step.map(|step| step.name), line, exit_code, log, passing }
    }

    fn end_line(&mut self) {
        let mut last = None;
        self.lines.finish(|line| last = Some(line));
        if let Some(line) = last {
            self.line(line);
        }
    }

    fn line(&mut self, line: String) {
        if let Some(step) = Step::of(&line) {
            self.end_step(StepState::Done);
            self.tail.clear();
            self.count.total += usize::from(step.is_counted());
            self.teller.step(&step.name, StepState::Started);
            self.step = Some(step);
            return;
        }
        let Some(step) = &mut self.step else { return };
        match marker(&line) {
            Some(Marker::Cached) => {
                step.cached = true;
                self.end_step(StepState::Cached);
            }
            Some(Marker::Done) => self.end_step(StepState::Done),
            // Lines after the last step are the engine's own: they name the image.
            None if is_commit(&line) => self.end_step(StepState::Done),
            None => {
                self.tail.push(line.clone());
                self.teller.line(&step.name, line);
            }
        }
    }

    fn end_step(&mut self, state: StepState) {
        let Some(step) = self.step.take() else { return };
        self.count.cached += usize::from(step.cached && step.is_counted());
        self.teller.step(&step.name, state);
    }
}

impl Step {
    /// The step that a line begins; none for any other line.
    fn of(line: &str) -> Option<Self> {
        let (stages, rest) = staged(line);
        let rest = rest.strip_prefix("STEP ").or_else(|| rest.strip_prefix("Step "))?;
        let (number, command) = rest.split_once(':')?;
        let number = fraction(number.trim())?;
        let command: String = command.trim().chars().take(NAME_LIMIT).collect();
        let place = match stages {
            Some((stage, stages)) => format!("stage {stage} of {stages} {}/{}", number.0, number.1),
            None => format!("{}/{}", number.0, number.1),
        };
        let (name, stage) = (format!("[{place}] {command}"), stages.map_or(1, |(stage, _)| stage));
        Some(Self { name, command, stage, number, cached: false })
    }

    fn is_counted(&self) -> bool {
        let keyword = self.command.split_whitespace().next().unwrap_or_default();
        COUNTED.iter().any(|counted| counted.eq_ignore_ascii_case(keyword))
    }
}

/// The stage of a line such as `[1/2] STEP ...` with the number of stages, and the rest of the line.
fn staged(line: &str) -> (Option<(usize, usize)>, &str) {
    let parts = line.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    match parts.and_then(|(stages, rest)| Some((fraction(stages)?, rest))) {
        Some((stages, rest)) => (Some(stages), rest),
        None => (None, line),
    }
}

/// True if the line says that the last step is over: `COMMIT ...`.
fn is_commit(line: &str) -> bool {
    staged(line).1.starts_with("COMMIT ")
}

/// The two numbers of a fraction such as `2/5`.
fn fraction(text: &str) -> Option<(usize, usize)> {
    let (part, whole) = text.split_once('/')?;
    Some((part.parse().ok()?, whole.parse().ok()?))
}

/// The marker in a line about the running step: `--> Using cache 1f8a...`, or `--> 1f8a...` at the step's
/// end.
fn marker(line: &str) -> Option<Marker> {
    let said = line.trim_start().trim_start_matches('-').strip_prefix("> ")?.trim();
    let is_id = said.len() >= 8 && said.bytes().all(|byte| byte.is_ascii_hexdigit());
    match said {
        _ if said.starts_with("Using cache") => Some(Marker::Cached),
        _ if is_id => Some(Marker::Done),
        _ => None,
    }
}

/// The engine's error text without the step that the text repeats, and without the engine's internals.
fn cause(text: &str, step: Option<&Step>) -> String {
    let text = text.strip_prefix("error ").unwrap_or(text);
    let repeated = step.map(|step| format!("building at STEP \"{}\": ", step.command));
    let rest = repeated.as_deref().and_then(|repeated| text.strip_prefix(repeated));
    let rest =
        rest.or_else(|| text.strip_prefix("building at STEP ")?.split_once("\": ").map(|(_, rest)| rest));
    let rest = rest.unwrap_or(text);
    rest.split_once(" &imagebuilder.").map_or(rest, |(rest, _)| rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;
    use crate::events::Event;

    /// The events of this text, one line per event, with the failure and the count of steps.
    fn told(text: &[&str], end: Option<&str>) -> (Vec<String>, Option<BuildFailure>, StepCount) {
        let (sink, mut events) = EventSink::channel();
        let mut request = fake::request("api");
        request.dockerfile = (*b"# x\nFROM scratch\nCOPY a b\nRUN x\n").into();
        let mut output = Output::new(request.image.clone(), sink);
        for piece in text {
            output.take(piece);
        }
        let (failure, count) = match end {
            None => (None, output.finish()),
            Some(error) => (Some(output.fail(error, &request)), StepCount::default()),
        };
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(match event {
                Event::ImageStep { step, state, .. } => format!("{step} {state:?}"),
                Event::ImageLog { step, line, .. } => format!("{step}> {line}"),
                other => format!("{other:?}"),
            });
        }
        (told, failure, count)
    }

    #[test]
    fn steps_begin_print_and_end() {
        let text = [
            "STEP 1/3: FROM scratch\n",
            "STEP 2/3: COPY a b\n--> Using cache 1229c6db79324a\n--> 1229c6db793\n",
            "STEP 3/3: RUN x\n",
            "one\ntw",
            "o\n--> not an id\nno end",
            "COMMIT r/api:1\n--> ed16c37ca0f\nSuccessfully tagged r/api:1\n",
        ];
        let (told, _, count) = told(&text, None);
        let expected = [
            "[1/3] FROM scratch Started",
            "[1/3] FROM scratch Done",
            "[2/3] COPY a b Started",
            "[2/3] COPY a b Cached",
            "[3/3] RUN x Started",
            "[3/3] RUN x> one",
            "[3/3] RUN x> two",
            "[3/3] RUN x> --> not an id",
            "[3/3] RUN x> no end",
            "[3/3] RUN x Done",
        ];
        assert_eq!(told, expected);
        assert_eq!(count, StepCount { total: 2, cached: 1 });
    }

    #[test]
    fn a_failed_step_names_its_line_and_keeps_its_log() {
        let text = ["STEP 1/3: FROM scratch\nSTEP 2/3: COPY a b\nSTEP 3/3: RUN x\nlast words"];
        let error = "error building at STEP \"RUN x\": while running runtime: exit status 7\n";
        let (told, failure, _) = told(&text, Some(error));
        let failure = failure.unwrap();
        assert_eq!(told.last().unwrap(), "[3/3] RUN x Failed");
        assert_eq!(failure.message, "api/Dockerfile:4: `RUN x` exited with code 7");
        assert_eq!((failure.line, failure.exit_code), (Some(4), Some(7)));
        assert_eq!(
            (failure.step.as_deref(), failure.log),
            (Some("[3/3] RUN x"), vec!["last words".to_owned()])
        );
    }

    #[test]
    fn the_end_of_several_stages_is_not_the_step_s() {
        let text =
            ["[2/2] STEP 1/2: FROM scratch\n[2/2] STEP 2/2: RUN x\n", "no end", "[2/2] COMMIT r/api:1\n"];
        let (told, ..) = told(&text, None);
        assert_eq!(told[3..], ["[stage 2 of 2 2/2] RUN x> no end", "[stage 2 of 2 2/2] RUN x Done"]);
    }

    #[test]
    fn the_insides_of_an_engine_are_not_told() {
        let error =
            "building at STEP \"RUM \": Build error: Unknown instruction: \"RUM\" &imagebuilder.Step{Env:[]}";
        assert_eq!(cause(error, None), "Build error: Unknown instruction: \"RUM\"");
        assert_eq!(cause("no step", None), "no step");
    }

    #[test]
    fn stages_and_old_engines_are_understood() {
        let step = Step::of("[2/3] STEP 1/4: FROM a AS b").unwrap();
        assert_eq!(
            (step.stage, step.number, step.name.as_str()),
            (2, (1, 4), "[stage 2 of 3 1/4] FROM a AS b")
        );
        assert_eq!(Step::of("Step 2/4 : RUN x").unwrap().name, "[2/4] RUN x");
        for other in ["STEP", "STEP x: y", "[x] STEP 1/2: y", "a STEP 1/2: y"] {
            assert_eq!(Step::of(other), None, "{other}");
        }
    }
}
