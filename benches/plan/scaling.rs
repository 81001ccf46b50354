//! How time and memory grow with the repository. Start with [`Scaling`].

use crate::Outcome;
use crate::memory;
use crate::monorepo::{Monorepo, Size};
use crate::options::Options;
use crate::report::Report;
use crate::timing::{Timed, alternate};
use crate::tools::{self, Dtbuild};

/// How often memory is measured: the largest counts.
const RUNS: usize = 3;

/// What is asked of every size.
const QUESTIONS: [&str; 4] =
    ["1 changed", "10,000 changed", "nothing remembered", "working tree, nothing changed"];

/// The figures of all sizes.
#[derive(Default)]
pub(crate) struct Scaling(Vec<Row>);

/// Milliseconds and peaks in KiB, in the order of the questions.
struct Row {
    size: Size,
    figures: Vec<(f64, u64)>,
}

impl Scaling {
    /// Measures one size.
    pub(crate) fn ask(&mut self, options: &Options, monorepo: &Monorepo, dtbuild: &Dtbuild) -> Outcome<()> {
        let mut figures = Vec::new();
        for changes in [1, 10_000] {
            monorepo.checkout(&Monorepo::change(changes))?;
            figures.push(measure(options, dtbuild.plan(monorepo))?);
            if changes == 1 {
                let cold = dtbuild.plan(monorepo).after(tools::forget(monorepo));
                figures.push(measure(options, cold)?);
            }
        }
        figures.swap(1, 2);
        monorepo.checkout(crate::monorepo::BASE)?;
        figures.push(measure(options, dtbuild.disk(monorepo))?);
        self.0.push(Row { size: monorepo.size, figures });
        Ok(())
    }

    /// Shows the table, and by what power of the number of files each figure grows.
    pub(crate) fn show(&self, report: &mut Report) {
        if self.0.is_empty() {
            return;
        }
        report.note(&format!("\nscaling\n\n| | {} |", QUESTIONS.join(" | ")));
        report.note(&format!("| ---{} |", " | ---".repeat(QUESTIONS.len())));
        for row in &self.0 {
            let cells: Vec<String> = row.figures.iter().map(|(time, peak)| cell(*time, *peak)).collect();
            report.note(&format!("| {} | {} |", row.size, cells.join(" | ")));
        }
        let exponents = (0..QUESTIONS.len()).map(|question| match self.exponent(question) {
            Some(exponent) => format!("{exponent:.2}"),
            None => String::new(),
        });
        report.note(&format!(
            "| time grows with files to the power of | {} |",
            exponents.collect::<Vec<_>>().join(" | ")
        ));
    }

    /// The slope of the line through the logarithms, by least squares.
    #[expect(clippy::cast_precision_loss, reason = "numbers of files have far fewer digits than a double")]
    fn exponent(&self, question: usize) -> Option<f64> {
        let points: Vec<(f64, f64)> =
            self.0.iter().map(|row| ((row.size.files as f64).ln(), row.figures[question].0.ln())).collect();
        let count = points.len() as f64;
        let (x, y) =
            points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
        let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
            let offset = point.0 - x;
            (above + offset * (point.1 - y), below + offset * offset)
        });
        (points.len() > 1 && below > 0.0).then(|| above / below)
    }
}

fn measure(options: &Options, command: Timed) -> Outcome<(f64, u64)> {
    let peak = memory::peak(&command, RUNS)?;
    let figures = alternate(&[command], options.rounds)?;
    Ok((figures[0].milliseconds(), peak))
}

#[expect(clippy::cast_precision_loss, reason = "a peak has far fewer digits than a double")]
fn cell(time: f64, peak: u64) -> String {
    format!("{time:.1} ms, {:.0} MB", peak as f64 * 1024.0 / 1e6)
}
