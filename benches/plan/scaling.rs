//! The growth of time and memory: with files, images, history, and changes. Start with [`ask`].
//!
//! Series of monorepos differ in one of these numbers. The slopes of their figures, as powers, tell the cost
//! of a larger monorepo, and one that is as large as a machine can take confirms that or not.

use std::collections::BTreeMap;

use crate::Outcome;
use crate::environment;
use crate::monorepo::{BASE, CHANGES, Monorepo, Size, grouped};
use crate::options::Options;
use crate::processes::report::Report;
use crate::processes::timing::{Timed, alternate};
use crate::tools::{self, Dtbuild};

/// The number of times that memory is measured: the largest counts.
const RUNS: usize = 3;

/// The largest number of times that a command of seconds is measured.
const HUGE_ROUNDS: usize = 5;

/// The questions about every size; the last one only for sizes whose files fit on the disk.
const QUESTIONS: [&str; 5] = [
    "1 changed",
    "100 changed",
    "10,000 changed",
    "1 changed, nothing remembered",
    "working tree, nothing changed",
];

/// The time in milliseconds, and the peak of memory in KiB.
#[derive(Clone, Copy)]
struct Figure {
    time: f64,
    peak: u64,
}

/// The figures of one size, in the order of the questions.
type Row = Vec<Option<Figure>>;

/// Monorepos that differ in one number.
struct Series {
    name: &'static str,
    number: fn(&Size) -> usize,
    sizes: Vec<Size>,
}

/// Measures all series, and shows the tables.
pub(crate) fn ask(options: &Options, report: &mut Report) -> Outcome<()> {
    let dtbuild = Dtbuild::new(&options.common.dtbuild)?;
    let all = series(options.scaled);
    let mut rows: BTreeMap<Size, Row> = BTreeMap::new();
    for size in all.iter().flat_map(|series| &series.sizes) {
        if !rows.contains_key(size) {
            rows.insert(*size, measure(options, &dtbuild, *size)?);
        }
    }
    let mut table = vec![format!("| | {} |", QUESTIONS.join(" | "))];
    table.push(format!("| ---{} |", " | ---".repeat(QUESTIONS.len())));
    let mut powers = Vec::new();
    for series in &all {
        for size in &series.sizes {
            table.push(line(&size.to_string(), &rows[size]));
        }
        let slopes = slopes(series, &rows);
        let shown = slopes.iter().map(|slope| slope.map_or(String::new(), |slope| format!("{slope:.2}")));
        let shown = shown.collect::<Vec<_>>().join(" | ");
        table.push(format!("| *time grows with the {} to the power of* | {shown} |", series.name));
        powers.push(slopes);
    }
    let largest = largest(options.scaled);
    let estimate = estimate(&rows[&options.scaled], &powers, options.scaled, largest);
    table.push(line(&format!("{largest}, as the powers tell"), &estimate));
    table.push(line(&format!("{largest}, measured"), &measure(options, &dtbuild, largest)?));
    report.table("scaling", &table);
    changes(options, &dtbuild, report)
}

fn series(common: Size) -> [Series; 3] {
    let Size { images, files, commits } = common;
    let multiples = |parts: &[(usize, usize)], of: &dyn Fn(usize, usize) -> Size| -> Vec<Size> {
        parts.iter().map(|(up, down)| of(*up, *down)).collect()
    };
    [
        Series {
            name: "files",
            number: |size| size.files,
            sizes: multiples(&[(1, 10), (3, 10), (1, 1), (3, 1)], &|up, down| Size {
                files: files * up / down,
                ..common
            }),
        },
        Series {
            name: "images",
            number: |size| size.images,
            sizes: multiples(&[(1, 10), (1, 2), (1, 1), (5, 1)], &|up, down| Size {
                images: images * up / down,
                ..common
            }),
        },
        Series {
            name: "commits",
            number: |size| size.commits,
            sizes: multiples(&[(1, 100), (1, 10), (1, 1), (10, 1)], &|up, down| Size {
                commits: (commits * up / down).max(1),
                ..common
            }),
        },
    ]
}

/// A monorepo as large as a machine can take: 5,000 images and 5,000,000 files, while the others are
/// multiples of the usual size.
fn largest(common: Size) -> Size {
    Size { images: common.images * 25, files: common.files * 50, commits: 10 }
}

/// Makes a monorepo, and asks all questions about it.
fn measure(options: &Options, dtbuild: &Dtbuild, size: Size) -> Outcome<Row> {
    let monorepo = Monorepo::make(&options.common.folder, size)?;
    environment::deploy_base(&monorepo, dtbuild)?;
    let rounds = if size.is_huge() { options.common.rounds.min(HUGE_ROUNDS) } else { options.common.rounds };
    let mut row = Row::new();
    for changes in [1, 100, 10_000] {
        monorepo.set_head(&Monorepo::change(changes))?;
        row.push(Some(figure(&dtbuild.plan(&monorepo), rounds)?));
    }
    monorepo.set_head(&Monorepo::change(1))?;
    let cold = dtbuild.plan(&monorepo).after(tools::forget(&monorepo));
    row.push(Some(figure(&cold, rounds)?));
    row.push(if size.is_huge() {
        None
    } else {
        monorepo.checkout(BASE)?;
        Some(figure(&dtbuild.disk(&monorepo), rounds)?)
    });
    // The table comes when all of it is there.
    eprintln!("{}", line(&size.to_string(), &row));
    Ok(row)
}

fn figure(command: &Timed, rounds: usize) -> Outcome<Figure> {
    // In this order: the first run of all learns what the others remember, and needs more memory for that.
    let figures = alternate(std::slice::from_ref(command), rounds)?;
    let mut peak = 0;
    for _ in 0..RUNS {
        peak = peak.max(peak_memory(command)?);
    }
    Ok(Figure { time: figures[0].milliseconds(), peak })
}

/// The peak memory that dtbuild itself tells, in KiB: its process ends too soon to be watched.
fn peak_memory(command: &Timed) -> Outcome<u64> {
    command.prepare()?;
    let output = command.command().arg("--timings").output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find_map(|line| line.strip_suffix("KiB       peak memory"));
    let peak = line.and_then(|line| line.trim().parse().ok());
    peak.ok_or_else(|| format!("{} tells no peak memory: {text}", command.name).into())
}

/// The growth of the common size's plan with the number of files that changed.
fn changes(options: &Options, dtbuild: &Dtbuild, report: &mut Report) -> Outcome<()> {
    let monorepo = Monorepo::make(&options.common.folder, options.scaled)?;
    environment::deploy_base(&monorepo, dtbuild)?;
    let mut table = vec![format!("| {} | |", options.scaled), "| --- | --- |".to_owned()];
    let mut points = Vec::new();
    for changes in CHANGES {
        monorepo.set_head(&Monorepo::change(changes))?;
        let figure = figure(&dtbuild.plan(&monorepo), options.common.rounds)?;
        table.push(line(&format!("{} changed", grouped(changes)), &[Some(figure)]));
        points.push((changes, figure.time));
    }
    let slope = slope(&points).unwrap_or(f64::NAN);
    table.push(format!("| *time grows with the changes to the power of* | {slope:.2} |"));
    report.table("scaling of changes", &table);
    Ok(())
}

/// The estimated costs of a larger size, if time and memory grow as they did with files and with images.
#[expect(clippy::cast_precision_loss, reason = "numbers of files have far fewer digits than a double")]
fn estimate(common: &Row, powers: &[Vec<Option<f64>>], from: Size, to: Size) -> Row {
    let grown =
        |number: fn(&Size) -> usize, power: f64| (number(&to) as f64 / number(&from) as f64).powf(power);
    let times = |question: usize, figure: Figure| {
        let (files, images) = (powers[0][question]?, powers[1][question]?);
        let factor = grown(|size| size.files, files) * grown(|size| size.images, images);
        Some(Figure { time: figure.time * factor, peak: 0 })
    };
    common.iter().enumerate().map(|(question, figure)| times(question, (*figure)?)).collect()
}

/// The powers of the series' number with which each question's time grows between the two largest sizes:
/// below them, the fixed cost of every run counts for more.
fn slopes(series: &Series, rows: &BTreeMap<Size, Row>) -> Vec<Option<f64>> {
    let points = |question: usize| -> Vec<(usize, f64)> {
        let point = |size: &Size| Some(((series.number)(size), rows[size][question]?.time));
        series.sizes.iter().rev().take(2).filter_map(point).collect()
    };
    (0..QUESTIONS.len()).map(|question| slope(&points(question))).collect()
}

/// The slope of the line through the logarithms, by least squares.
#[expect(clippy::cast_precision_loss, reason = "numbers of files have far fewer digits than a double")]
fn slope(points: &[(usize, f64)]) -> Option<f64> {
    let points: Vec<(f64, f64)> = points.iter().map(|(x, y)| ((*x as f64).ln(), y.ln())).collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        let offset = point.0 - x;
        (above + offset * (point.1 - y), below + offset * offset)
    });
    (points.len() > 1 && below > 0.0).then(|| above / below)
}

fn line(name: &str, row: &[Option<Figure>]) -> String {
    let cells = row.iter().map(|figure| figure.map_or(String::new(), cell));
    format!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "))
}

#[expect(clippy::cast_precision_loss, reason = "a peak has far fewer digits than a double")]
fn cell(Figure { time, peak }: Figure) -> String {
    let time = if time < 100.0 { format!("{time:.1} ms") } else { format!("{time:.0} ms") };
    if peak == 0 { time } else { format!("{time}, {:.0} MB", peak as f64 * 1024.0 / 1e6) }
}
