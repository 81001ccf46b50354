//! The renderer for GitHub Actions: plain lines, in groups that fold, and annotations. Start with [`GitHub`].
//!
//! The lines of an image are held back until the image is done, because groups cannot interleave; the lines are then
//! one group. A failed step and a warning become annotations of the Dockerfile's line. Commands and their escaping:
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

use std::collections::BTreeMap;
use std::io::Write;

use crate::config::ImageName;
use crate::events::Event;
use crate::inert;

use super::Renderer;
use super::clock::Clock;
use super::failure::Failure;
use super::lines::{Line, Lines, Subject};
use super::style::Palette;
use super::tally::{Dockerfiles, Tally};
use super::text;
use super::warning::Warning;

/// Writes groups, annotations and, last, the failures.
pub(super) struct GitHub<W> {
    out: W,
    lines: Lines,
    tally: Tally,
    /// The lines of the images under way, held back until the image is done.
    held: BTreeMap<ImageName, Vec<String>>,
    group_open: bool,
    reported: usize,
}

impl<W: Write> GitHub<W> {
    pub(super) fn new(out: W, clock: Clock, dockerfiles: Dockerfiles) -> Self {
        let tally = Tally::new(dockerfiles);
        Self { out, lines: Lines::new(clock), tally, held: BTreeMap::new(), group_open: false, reported: 0 }
    }

    fn command(&mut self, command: &str) {
        let _ = writeln!(self.out, "{command}");
    }

    fn write(&mut self, line: &str) {
        let _ = writeln!(self.out, "{}", inert::line(line));
    }

    fn open_group(&mut self, title: &str) {
        self.close_group();
        self.command(&format!("::group::{}", escape_data(title)));
        self.group_open = true;
    }

    fn close_group(&mut self) {
        if std::mem::take(&mut self.group_open) {
            self.command("::endgroup::");
        }
    }

    fn show(&mut self, line: Line) {
        let text = format!("{} | {}", line.subject.label(), line.text);
        match line.subject {
            Subject::Image(image) if self.held.contains_key(&image) => {
                self.held.entry(image).or_default().push(line.text);
            }
            _ => self.write(&text),
        }
    }

    /// Writes the lines that were held back for `image`, as a group.
    fn release(&mut self, image: &ImageName) {
        let Some(lines) = self.held.remove(image) else { return };
        self.open_group(&format!("{image}: {}", lines.last().map_or("", String::as_str)));
        for line in &lines {
            self.write(&format!("{image} | {line}"));
        }
        self.close_group();
    }

    fn report_failures(&mut self) {
        let reports: Vec<String> = self.tally.failures()[self.reported..]
            .iter()
            .map(|failure| failure.report(Palette::new(false)))
            .collect();
        self.reported = self.tally.failures().len();
        for report in reports {
            self.write("");
            report.lines().for_each(|line| self.write(line));
        }
    }
}

impl<W: Write> Renderer for GitHub<W> {
    fn event(&mut self, event: &Event) {
        let mut annotation = self.tally.follow(event).map(of_failure);
        if let Some(warning) = self.tally.warning(event) {
            let line = Line { subject: Subject::Image(warning.image.clone()), text: warning.line() };
            annotation = Some(of_warning(warning));
            self.show(line);
        }
        if let Event::DeployStarted { environment, .. } = event {
            self.open_group(&format!("deploy: {environment}"));
        }
        for line in self.lines.of(event) {
            self.show(line);
        }
        match event {
            Event::ImageStarted { image, .. } => {
                // Lines of an earlier attempt stay.
                self.held.entry(image.clone()).or_default();
            }
            Event::ImageFinished { image, .. } => self.release(image),
            Event::DeployFinished { .. } => self.close_group(),
            Event::RunFinished { exit_code, milliseconds } => {
                let summary = self.tally.summary(*exit_code, *milliseconds);
                self.write(&format!("run | {summary}"));
                self.report_failures();
            }
            _ => {}
        }
        if let Some(annotation) = annotation {
            self.command(&annotation);
        }
        let _ = self.out.flush();
    }

    fn finish(&mut self) {
        for image in self.held.keys().cloned().collect::<Vec<_>>() {
            self.release(&image);
        }
        self.close_group();
        self.report_failures();
        let _ = self.out.flush();
    }
}

/// The `error` command for a failure, at the Dockerfile's line where that is known.
fn of_failure(failure: &Failure) -> String {
    let title = failure.title();
    let log: Vec<String> = failure.log().iter().map(|line| text::log_line(line)).collect();
    let message = if log.is_empty() { title.clone() } else { log.join("\n") };
    annotation("error", failure.place(), &title, &message)
}

/// The `warning` command for a warning of the engine.
fn of_warning(warning: Warning<'_>) -> String {
    let more = warning.told.detail.iter().chain(&warning.told.url);
    let lines: Vec<String> =
        std::iter::once(warning.message()).chain(more.map(|line| text::log_line(line))).collect();
    let title = format!("{}: {}", warning.image, warning.told.rule.as_deref().unwrap_or("warning"));
    annotation("warning", warning.place(), &title, &lines.join("\n"))
}

fn annotation(command: &str, place: Option<(&str, usize)>, title: &str, message: &str) -> String {
    let place = place.map(|(file, line)| format!("file={},line={line},", escape_property(file)));
    let (place, title) = (place.unwrap_or_default(), escape_property(title));
    format!("::{command} {place}title={title}::{}", escape_data(message))
}

/// Escapes the message of a command.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a command's property, in which `:` and `,` are escaped as well.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ui::samples::{dockerfiles, run, trouble};

    #[test]
    fn a_run_is_groups_an_annotation_and_the_failures() {
        let mut out = Vec::new();
        let mut github = GitHub::new(&mut out, Clock::stepping(Duration::from_millis(400)), dockerfiles());
        for event in &run() {
            github.event(event);
        }
        github.finish();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        run | staging at a1b2c3d: 2 to build, 1 kept
        db | kept: it runs already
        client | build started
        api | build started
        ::group::client: FAILED after 3.2s
        client | [build 1/4] FROM node:22 (cached)
        client | [build 2/4] RUN npm ci
        client |    0.8s  npm error code EUSAGE
        client |    1.6s  npm error ## [error]the lock file
        client | [build 2/4] RUN npm ci (FAILED in 2.4s)
        client | FAILED after 3.2s
        ::endgroup::
        ::error file=containers/client/Dockerfile,line=12,title=client failed%3A process `npm ci` did not complete::npm error code EUSAGE%0Anpm error the lock file is out of date
        ::group::api: built in 5.1s: 2 steps, 1 cached
        api | [1/2] RUN make
        api |    0.8s  ::set-output name=x::y
        api | [1/2] RUN make (done in 1.6s)
        api | pushing registry.example.com/datatube/api:key-02
        api | attempt 2 follows: connection reset
        api | pushed sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f in 0.9s
        api | built in 5.1s: 2 steps, 1 cached
        ::endgroup::
        run | note: podman 4.3.1 has no BuildKit
        api | registry.example.com/datatube/api:staging is now sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
        ::group::deploy: staging
        deploy | to staging with ansible
        deploy |   TASK [sites : render]
        deploy | FAILED after 0.7s
        ::endgroup::
        ::error title=deployment to staging failed%3A `ansible-playbook` ended with exit code 2::TASK [sites : render]
        run | failed after 6.4s: 1 failed, 1 built, 1 kept

        client failed: process `npm ci` did not complete
          step      [build 2/4] RUN npm ci
          at        containers/client/Dockerfile:12
          exit code 1
          last lines
          | npm error code EUSAGE
          | npm error the lock file is out of date
          hint      run `dtbuild build client` to reproduce it locally

        deployment to staging failed: `ansible-playbook` ended with exit code 2
          last lines
          | TASK [sites : render]
          hint      run `dtbuild deploy --env staging` to try it again; nothing is built again
        ");
    }

    #[test]
    fn a_warning_is_an_annotation_once() {
        let mut out = Vec::new();
        let mut github = GitHub::new(&mut out, Clock::stepping(Duration::ZERO), dockerfiles());
        for event in &trouble() {
            github.event(event);
        }
        github.finish();
        let text = String::from_utf8(out).unwrap();
        let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("::warning")).collect();
        let expected = "::warning file=containers/api/Dockerfile,line=1,title=api%3A FromAsCasing::FromAsCasing: 'as' and \
            'FROM' keywords' casing do not match%0AThe 'as' keyword should match the case of the 'from' keyword%0A\
            https://docs.example/rule/";
        assert_eq!(warnings, [expected]);
        assert_eq!(text.matches("| warning: containers/api/Dockerfile:1: FromAsCasing").count(), 1, "{text}");
    }

    #[test]
    fn what_commands_are_made_of_is_escaped() {
        assert_eq!(escape_data("100%\r\na:b,c"), "100%25%0D%0Aa:b,c");
        assert_eq!(escape_property("a:b,c%"), "a%3Ab%2Cc%25");
    }
}
