//! The figures as they are shown and kept. Start with [`Report`].

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::Outcome;
use super::timing::Figure;

/// The page that has some of the tables, between `<!-- NAME -->` and `<!-- end -->`.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");

/// The report: the rows of all comparisons, and the tables of the page.
pub(crate) struct Report {
    text: String,
    /// The versions of the measured programs, and the machine.
    machine: String,
    /// Tables of the page, by their names there.
    tables: Vec<(&'static str, String)>,
}

impl Report {
    /// Begins a report with the versions of the measured programs, and the machine.
    pub(crate) fn begin(dtbuild: &Path, rounds: usize) -> Outcome<Self> {
        let said = |program: &Path, argument: &str| -> String {
            let output = Command::new(program).arg(argument).output();
            let text =
                output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            text.lines().next().unwrap_or("?").to_owned()
        };
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
        let machine = format!(
            "{} cores,{}; {}; {}; {}; {rounds} rounds",
            std::thread::available_parallelism()?,
            model.trim_start_matches(['\t', ':']),
            said(Path::new("uname"), "-sr"),
            said(Path::new("git"), "--version"),
            said(dtbuild, "--version"),
        );
        let mut report = Self { text: String::new(), machine, tables: Vec::new() };
        report.note(&report.machine.clone());
        Ok(report)
    }

    /// A sentence among the figures.
    pub(crate) fn note(&mut self, note: &str) {
        self.line(note);
    }

    /// The figures of one comparison, as multiples of the one that is the measure.
    pub(crate) fn compare(&mut self, question: &str, case: &str, figures: &[Figure], measure: usize) {
        self.line(&format!("\n{question}: {case}\n\n| | median | least | |\n| --- | --- | --- | --- |"));
        let one = figures[measure].milliseconds();
        for figure in figures {
            let (median, least) = (figure.milliseconds(), figure.least.as_secs_f64() * 1000.0);
            self.line(&format!("| {} | {median:.2} ms | {least:.2} | {:.2} |", figure.name, median / one));
        }
    }

    /// A table that the page has by this name.
    pub(crate) fn table(&mut self, name: &'static str, lines: &[String]) {
        let table = lines.join("\n");
        self.line(&format!("\n{name}\n\n{table}"));
        self.tables.push((name, table));
    }

    fn line(&mut self, line: &str) {
        println!("{line}");
        let _ = writeln!(self.text, "{line}");
    }

    /// Keeps the figures in `folder`, and with `UPDATE_DOCS=1` in the page.
    pub(crate) fn end(&self, folder: &Path) -> Outcome<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("figures.md"), &self.text)?;
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let mut page = fs::read_to_string(PAGE)?;
            for (name, table) in &self.tables {
                page = self
                    .replaced(&page, name, table)
                    .ok_or_else(|| format!("{PAGE} has no table `{name}`"))?;
            }
            fs::write(PAGE, page)?;
        }
        Ok(())
    }

    /// The page with another table of this name.
    fn replaced(&self, page: &str, name: &str, table: &str) -> Option<String> {
        let (before, rest) = page.split_once(&format!("<!-- {name} -->\n"))?;
        let (_, after) = rest.split_once("<!-- end -->\n")?;
        Some(format!("{before}<!-- {name} -->\n{}.\n\n{table}\n<!-- end -->\n{after}", self.machine))
    }
}
