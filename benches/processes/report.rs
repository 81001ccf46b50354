//! The figures as they are shown and kept. Start with [`Report`].

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::Outcome;
use super::timing::Figure;

/// Rows of all comparisons.
pub(crate) struct Report {
    text: String,
}

impl Report {
    /// Begins with what was measured, and where.
    pub(crate) fn begin(dtbuild: &Path, rounds: usize) -> Outcome<Self> {
        let said = |program: &Path, argument: &str| -> String {
            let output = Command::new(program).arg(argument).output();
            let text =
                output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            text.lines().next().unwrap_or("?").to_owned()
        };
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
        let mut report = Self { text: String::new() };
        report.note(&format!(
            "{} cores,{}; {}; {}; {}; {rounds} rounds",
            std::thread::available_parallelism()?,
            model.trim_start_matches(['\t', ':']),
            said(Path::new("uname"), "-sr"),
            said(Path::new("git"), "--version"),
            said(dtbuild, "--version"),
        ));
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

    fn line(&mut self, line: &str) {
        println!("{line}");
        let _ = writeln!(self.text, "{line}");
    }

    /// Keeps the figures in `folder`.
    pub(crate) fn end(&self, folder: &Path) -> Outcome<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("figures.md"), &self.text)?;
        Ok(())
    }
}
