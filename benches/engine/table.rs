//! All comparisons in one table, to be put into `docs/performance.md`. Start with [`Table`].

use crate::processes::timing::Figure;
use crate::tools::{BAKE, BUILDX, COMPOSE, DTBUILD};

/// The tools of the table's columns.
const TOOLS: [&str; 4] = [DTBUILD, BAKE, COMPOSE, BUILDX];

/// The most that dtbuild is to need.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// A part, or a multiple, of the need of a peer.
    Of(&'static str, f64),
    /// A number of megabytes.
    Megabytes(f64),
}

/// The costs of one case, by tool.
pub(crate) struct Costs {
    unit: &'static str,
    of: Vec<(String, f64)>,
}

/// The rows of the table.
#[derive(Default)]
pub(crate) struct Table(Vec<String>);

impl Costs {
    /// The costs in time: medians.
    pub(crate) fn times(figures: &[Figure]) -> Self {
        let of = figures.iter().map(|figure| (figure.name.clone(), figure.milliseconds()));
        Self { unit: "ms", of: of.collect() }
    }

    /// The costs in memory: peaks in KiB, by the tools' names.
    #[expect(clippy::cast_precision_loss, reason = "a peak has far fewer digits than a double")]
    pub(crate) fn peaks(peaks: impl IntoIterator<Item = (String, u64)>) -> Self {
        let of = peaks.into_iter().map(|(name, peak)| (name, peak as f64 * 1024.0 / 1e6));
        Self { unit: "MB", of: of.collect() }
    }

    fn get(&self, tool: &str) -> Option<f64> {
        self.of.iter().find(|(name, _)| name == tool).map(|(_, cost)| *cost)
    }

    /// The text of a cell: the tool's cost, and beside it how many times the cost of dtbuild that is.
    fn cell(&self, tool: &str) -> String {
        match (self.get(tool), self.get(DTBUILD)) {
            (Some(cost), Some(own)) if tool != DTBUILD => {
                format!("{cost:.0} {} ({}×)", self.unit, digits(cost / own))
            }
            (Some(cost), _) => format!("{cost:.0} {}", self.unit),
            (None, _) => String::new(),
        }
    }

    fn verdict(&self, goal: Goal) -> String {
        let own = self.get(DTBUILD).unwrap_or(f64::NAN);
        let (is, most, text) = match goal {
            Goal::Of(peer, most) => {
                let is = own / self.get(peer).unwrap_or(f64::NAN);
                (is, most, format!("{} of {peer}: {}", digits(most), digits(is)))
            }
            Goal::Megabytes(most) => (own, most, format!("{most} MB: {}", digits(own))),
        };
        format!("{text}, {}", if is <= most { "met" } else { "**not met**" })
    }
}

impl Table {
    /// Adds a case.
    pub(crate) fn row(&mut self, case: &str, costs: &Costs, goal: Goal) {
        let cells = TOOLS.map(|tool| costs.cell(tool)).join(" | ");
        self.0.push(format!("| {case} | {cells} | {} |", costs.verdict(goal)));
    }

    /// The table as Markdown.
    pub(crate) fn lines(&self) -> Vec<String> {
        let head = format!("| | {} | goal: at most |", TOOLS.join(" | "));
        let rule = format!("| ---{} |", " | ---".repeat(TOOLS.len() + 1));
        [vec![head, rule], self.0.clone()].concat()
    }
}

/// Two significant digits, as far as there are any behind the point.
fn digits(number: f64) -> String {
    if number < 0.1 {
        format!("{number:.3}")
    } else if number < 10.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.0}")
    }
}
