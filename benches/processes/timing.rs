//! Whole processes, timed. Start with [`alternate`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Outcome;

/// A command that is timed.
#[derive(Clone)]
pub(crate) struct Timed {
    /// The command's name in the figures.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) folder: PathBuf,
    /// The variables of the command's environment.
    pub(crate) variables: Vec<(&'static str, OsString)>,
    /// The work that is done before each run, and not timed.
    before: Option<Before>,
}

/// Work without a result.
pub(crate) type Before = Rc<dyn Fn() -> Outcome<()>>;

impl Timed {
    pub(crate) fn new<A: Into<OsString>>(
        name: &str,
        program: impl Into<PathBuf>,
        folder: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            folder: folder.into(),
            variables: Vec::new(),
            before: None,
        }
    }

    /// The command with `work` before each run.
    pub(crate) fn after(mut self, work: Before) -> Self {
        self.before = Some(work);
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null());
        command
    }

    /// The command's output; an error if the command fails.
    pub(crate) fn output(&self) -> Outcome<String> {
        let output =
            self.command().output().map_err(|error| format!("{}: {error}", self.program.display()))?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(format!("{} failed: {out}{err}", self.name).into())
    }

    /// Does the work that comes before a run.
    pub(crate) fn prepare(&self) -> Outcome<()> {
        self.before.as_ref().map_or(Ok(()), |work| work())
    }

    fn run(&self) -> Outcome<Duration> {
        self.prepare()?;
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status()?;
        let time = start.elapsed();
        if status.success() { Ok(time) } else { Err(format!("{} failed: {status}", self.name).into()) }
    }
}

/// A command's figures.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) median: Duration,
    pub(crate) least: Duration,
}

impl Figure {
    pub(crate) fn milliseconds(&self) -> f64 {
        self.median.as_secs_f64() * 1000.0
    }
}

/// Runs every command once per round, after a round that does not count.
pub(crate) fn alternate(commands: &[Timed], rounds: usize) -> Outcome<Vec<Figure>> {
    let mut times = vec![Vec::with_capacity(rounds); commands.len()];
    for round in 0..=rounds {
        // Each begins a round in its turn: what a command leaves behind meets all others alike.
        for turn in 0..commands.len() {
            let number = (round + turn) % commands.len();
            let time = commands[number].run()?;
            if round > 0 {
                times[number].push(time);
            }
        }
    }
    Ok(commands
        .iter()
        .zip(times)
        .map(|(command, mut times)| {
            times.sort_unstable();
            let (median, least) = (times[times.len() / 2], times[0]);
            Figure { name: command.name.clone(), median, least }
        })
        .collect())
}
