//! Tests of the lines of a terminal at chosen moments of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::InMemoryTerm;

use super::*;
use crate::events::StepCount;
use crate::plan::Decision;
use crate::ui::samples::{dockerfiles, image, key, run, trouble};

struct Stage {
    terminal: InMemoryTerm,
    renderer: Tty,
    millis: Arc<AtomicU64>,
}

impl Stage {
    fn new(rows: u16, columns: u16) -> Self {
        let terminal = InMemoryTerm::new(rows, columns);
        let millis = Arc::new(AtomicU64::new(0));
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let clock = Clock::showing(Arc::clone(&millis));
        let screen = Screen { target, size: (rows, columns), out: Box::new(io::sink()), live: false };
        let renderer = Tty::new(screen, Palette::new(false), clock, dockerfiles());
        Self { terminal, renderer, millis }
    }

    fn play(&mut self, events: &[Event]) {
        for event in events {
            self.renderer.event(event);
            self.millis.fetch_add(100, Ordering::Relaxed);
        }
    }
}

#[test]
fn images_under_way_show_their_step_and_last_line() {
    let mut stage = Stage::new(24, 72);
    stage.play(&run()[..10]);
    insta::assert_snapshot!(stage.terminal.contents(), @r"
    staging at a1b2c3d: 2 to build, 1 kept
    ⠋ client [build 2/4] RUN npm ci  npm error ## [error]the lock file  0.7s
    ⠋ api    [1/2] RUN make  ::set-output name=x::y                     0.5s
    · db     kept
    ");
}

#[test]
fn failures_stand_above_the_lines_at_the_end() {
    let mut stage = Stage::new(30, 72);
    stage.play(&run());
    stage.renderer.finish();
    insta::assert_snapshot!(stage.terminal.contents(), @r"
    staging at a1b2c3d: 2 to build, 1 kept
    client failed: process `npm ci` did not complete
      step      [build 2/4] RUN npm ci
      at        containers/client/Dockerfile:12
      exit code 1
      last lines
      | npm error code EUSAGE
      | npm error the lock file is out of date
      hint      run `dtbuild build client` to reproduce it locally
    note: podman 4.3.1 has no BuildKit
    deployment to staging failed: `ansible-playbook` ended with exit code 2
      last lines
      | TASK [sites : render]
      hint      run `dtbuild deploy --env staging` to try it again; nothing
    is built again
    ✘ client failed                                                     3.2s
    ✔ api    built: 2 steps, 1 cached                                   5.1s
    · db     kept
    ✘ deploy failed                                                     0.7s
    ✘ run    failed after 6.4s: 1 failed, 1 built, 1 kept
    ");
}

#[test]
fn a_narrow_terminal_truncates() {
    let mut stage = Stage::new(24, 24);
    stage.play(&run()[..10]);
    insta::assert_snapshot!(stage.terminal.contents(), @r"
    staging at a1b2c3d: 2 to
     build, 1 kept
    ⠋ client [build 2/4 0.7s
    ⠋ api    [1/2] RUN  0.5s
    · db     kept
    ");
}

#[test]
fn a_warning_stands_above_the_lines_once() {
    let mut stage = Stage::new(24, 160);
    stage.play(&trouble()[..5]);
    let shown = stage.terminal.contents();
    let warning = "warning: containers/api/Dockerfile:1: FromAsCasing: 'as' and 'FROM'";
    assert!(shown.starts_with(warning) && shown.matches("FromAsCasing").count() == 1, "{shown}");
}

#[test]
fn an_interrupted_run_says_what_stopped() {
    let mut stage = Stage::new(24, 72);
    stage.play(&run()[..8]);
    stage.renderer.finish();
    insta::assert_snapshot!(stage.terminal.contents(), @r"
    staging at a1b2c3d: 2 to build, 1 kept
    - client stopped
    - api    stopped
    · db     kept
    ");
    assert!(!stage.terminal.moves_since_last_check().contains("[?25"), "the cursor stays visible");
}

#[test]
fn a_crowd_shows_who_works_and_counts_the_rest() {
    let mut stage = Stage::new(10, 48);
    let name = |number: usize| image(&format!("image-{number}"));
    let images = (0..100).map(|number| ImageOutline {
        image: name(number),
        decision: Decision::Build,
        key: key(0),
        reasons: Vec::new(),
    });
    stage.play(&[Event::RunStarted { environment: None, commit: None, images: images.collect() }]);
    for number in 0..4 {
        stage.play(&[Event::ImageStarted { image: name(number), builder: None }]);
    }
    let built = ImageOutcome::Built { steps: StepCount { total: 4, cached: 1 } };
    stage.play(&[
        Event::ImageFinished { image: name(1), outcome: built, milliseconds: 1_200 },
        Event::ImageFinished { image: name(50), outcome: ImageOutcome::Reused, milliseconds: 0 },
    ]);
    insta::assert_snapshot!(stage.terminal.contents(), @r"
    the working tree: 100 to build
    ✔ image-1  built: 4 steps, 1 cached (1.2s)
    ⠋ image-0  starting                         0.0s
    ⠋ image-2  starting                         0.0s
    ⠋ image-3  starting                         0.0s
      images   2 of 100 done
    ");
}
