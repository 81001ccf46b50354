//! The renderer for logs: lines, one after the other, each with the image's name in front. Start with [`Plain`].

use std::io::Write;

use crate::events::Event;

use super::Renderer;
use super::clock::Clock;
use super::lines::{Line, Lines, Subject};
use super::style::Palette;
use super::tally::{Dockerfiles, Tally};

/// The widest column of names, in characters; a longer name moves its own lines only.
const WIDEST: usize = 24;

/// Writes lines for a log that is read from the top; the failures come last.
pub(super) struct Plain<W> {
    out: W,
    palette: Palette,
    lines: Lines,
    tally: Tally,
    width: usize,
    /// The number of failures that are written.
    reported: usize,
}

impl<W: Write> Plain<W> {
    pub(super) fn new(out: W, palette: Palette, clock: Clock, dockerfiles: Dockerfiles) -> Self {
        let width = Subject::Deployment.label().len();
        Self { out, palette, lines: Lines::new(clock), tally: Tally::new(dockerfiles), width, reported: 0 }
    }

    fn write(&mut self, line: &Line) {
        let _ = writeln!(self.out, "{}", prefixed(line, self.width, self.palette));
    }

    fn report_failures(&mut self) {
        for failure in &self.tally.failures()[self.reported..] {
            let _ = writeln!(self.out).and_then(|()| failure.write(&mut self.out, self.palette));
        }
        self.reported = self.tally.failures().len();
    }
}

impl<W: Write> Renderer for Plain<W> {
    fn event(&mut self, event: &Event) {
        self.tally.follow(event);
        if let Event::RunStarted { images, .. } = event {
            let widest = images.iter().map(|outline| outline.image.as_str().len()).max();
            self.width = widest.unwrap_or_default().clamp(self.width, WIDEST);
        }
        for line in self.lines.of(event) {
            self.write(&line);
        }
        if let Some(warning) = self.tally.warning(event) {
            let (subject, text) = (Subject::Image(warning.image.clone()), warning.line());
            self.write(&Line { subject, text });
        }
        if let Event::RunFinished { exit_code, milliseconds } = event {
            let text = self.tally.summary(*exit_code, *milliseconds);
            self.write(&Line { subject: Subject::Run, text });
            self.report_failures();
        }
        let _ = self.out.flush();
    }

    fn finish(&mut self) {
        self.report_failures();
        let _ = self.out.flush();
    }
}

/// The line with its label in front: `client | text`.
pub(super) fn prefixed(line: &Line, width: usize, palette: Palette) -> String {
    let label = line.subject.label();
    format!("{} {}", palette.calm(format_args!("{label:<width$} |")), line.text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ui::samples::{dockerfiles, run, trouble};

    #[test]
    fn a_run_with_failures_ends_with_them() {
        let mut out = Vec::new();
        let clock = Clock::stepping(Duration::from_millis(400));
        let mut plain = Plain::new(&mut out, Palette::new(false), clock, dockerfiles());
        for event in &run() {
            plain.event(event);
        }
        plain.finish();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        run    | staging at a1b2c3d: 2 to build, 1 kept
        db     | kept: it runs already
        client | build started
        api    | build started
        client | [build 1/4] FROM node:22 (cached)
        client | [build 2/4] RUN npm ci
        api    | [1/2] RUN make
        client |    0.8s  npm error code EUSAGE
        api    |    0.8s  ::set-output name=x::y
        client |    1.6s  npm error ## [error]the lock file
        api    | [1/2] RUN make (done in 1.6s)
        client | [build 2/4] RUN npm ci (FAILED in 2.4s)
        client | FAILED after 3.2s
        api    | pushing registry.example.com/datatube/api:key-02
        api    | attempt 2 follows: connection reset
        api    | pushed sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f in 0.9s
        api    | built in 5.1s: 2 steps, 1 cached
        run    | note: podman 4.3.1 has no BuildKit
        api    | registry.example.com/datatube/api:staging is now sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
        deploy | to staging with ansible
        deploy |   TASK [sites : render]
        deploy | FAILED after 0.7s
        run    | failed after 6.4s: 1 failed, 1 built, 1 kept

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
    fn a_lost_builder_and_a_failed_push_are_told() {
        let mut out = Vec::new();
        let clock = Clock::stepping(Duration::ZERO);
        let mut plain = Plain::new(&mut out, Palette::new(false), clock, dockerfiles());
        for event in &trouble() {
            plain.event(event);
        }
        plain.finish();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        api    | build started on big
        api    | warning: containers/api/Dockerfile:1: FromAsCasing: 'as' and 'FROM' keywords' casing do not match (https://docs.example/rule/)
        run    | builder big is lost, others take over: connection reset
        api    | build started on small
        run    | builder big is back
        api    | built in 5.1s: 2 steps, 0 cached
        api    | push FAILED
        run    | failed after 6.4s: 1 failed

        api failed: failed to push `r/api:key`: denied
        ");
    }

    #[test]
    fn a_run_cut_short_still_reports_what_failed() {
        let mut out = Vec::new();
        let clock = Clock::stepping(Duration::ZERO);
        let mut plain = Plain::new(&mut out, Palette::new(false), clock, dockerfiles());
        for event in &run()[..13] {
            plain.event(event);
        }
        plain.finish();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("containers/client/Dockerfile:12").count(), 1);
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'));
    }
}
