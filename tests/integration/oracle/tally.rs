//! What was found. Start with [`Tally`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// The figures of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Changes that engine and key were asked about.
    pub(super) all: usize,
    /// Those after which the engine makes another image, or none.
    pub(super) different: usize,
    /// Those whose key changed though the image is the same, by the kind of change.
    pub(super) needless: BTreeMap<&'static str, usize>,
    /// Those after which the program refuses to build.
    pub(super) refused: usize,
    /// Of those, the ones that were built all the same.
    pub(super) built_though_refused: usize,
    /// Cases that the engine cannot build even before a change.
    pub(super) unbuildable: usize,
    /// Changes that were compared by an image alone in its build.
    pub(super) alone: usize,
    /// The kinds of change.
    pub(super) kinds: BTreeMap<&'static str, usize>,
    /// Missed rebuilds, as minimal cases.
    pub(super) missed: Vec<String>,
    /// How long which part took.
    parts: BTreeMap<&'static str, Duration>,
}

impl Tally {
    pub(super) fn needless(&self) -> usize {
        self.needless.values().sum()
    }

    /// Adds the time since `start` to what a part took.
    pub(super) fn spent(&mut self, part: &'static str, start: Instant) {
        *self.parts.entry(part).or_default() += start.elapsed();
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { all, different, refused, unbuildable, alone, .. } = self;
        let (missed, needless) = (self.missed.len(), self.needless());
        let hundredths = needless * 10_000 / (*all).max(1);
        writeln!(
            formatter,
            "{all} changes: {different} made another image, {} the same; missed rebuilds {missed}, needless \
             ones {needless} ({}.{:02} %)",
            all - different,
            hundredths / 100,
            hundredths % 100
        )?;
        writeln!(
            formatter,
            "{alone} of them compared by the image's id too; {refused} more refused by dtbuild ({} of which the \
             engine builds); {unbuildable} cases that the engine does not build",
            self.built_though_refused
        )?;
        let spent = |(part, spent): (&&str, &Duration)| format!("{part} {} s", spent.as_secs());
        let parts: Vec<String> = self.parts.iter().map(spent).collect();
        writeln!(formatter, "time: {}", parts.join(", "))?;
        for (kind, count) in &self.kinds {
            let needless = self.needless.get(kind).copied().unwrap_or_default();
            writeln!(formatter, "  {kind}: {count}, needless {needless}")?;
        }
        Ok(())
    }
}
