//! The questions about large contexts, of which a byte changes. Start with [`ask`].

use std::rc::Rc;

use crate::Outcome;
use crate::builds::before_each;
use crate::context::{Context, FOLDER, Size};
use crate::memory;
use crate::options::Options;
use crate::processes::report::Report;
use crate::processes::timing::{Timed, alternate};
use crate::table::{Costs, Goal, Table};
use crate::tools::{BUILDX, Tools};

/// A context of 200 MB.
const LARGE: Size = Size { files: 20_000, bytes: 10_000 };
/// A context of 2 GB.
const HUGE: Size = Size { files: 20_000, bytes: 100_000 };

/// The step that copies the whole context into the image: the engine's work, whoever asks for it.
const COPIES: &str = "COPY . /context";
/// The step for which the whole context is sent and read, and nothing of it kept: most of it is the client's
/// work.
const READS: &str = "RUN --mount=target=/context find /context -type f | wc -l >/files";

/// Asks all questions of large contexts.
pub(crate) fn ask(options: &Options, tools: &Tools, report: &mut Report, table: &mut Table) -> Outcome<()> {
    for (name, steps) in [("copied", COPIES), ("read", READS)] {
        let case = format!("200 MB in 20,000 files, all {name}, one byte changed");
        if !options.common.wants(&case) {
            continue;
        }
        tools.forget_all()?;
        let commands = one_byte(options, tools, (name, LARGE), steps)?;
        let figures = alternate(&commands, options.common.rounds)?;
        report.compare("large context", &case, &figures, 0);
        table.row(&case, &Costs::times(&figures), Goal::Of(BUILDX, 1.0));
        if steps == READS {
            table.row(&format!("{case}: memory"), &peaks(&commands, 3)?, Goal::Of(BUILDX, 0.1));
        }
    }
    // The first run sends all of it, the second what changed.
    let huge = ["2 GB in 20,000 files, all of it sent: memory", "2 GB, one byte changed: memory"];
    if huge.iter().all(|case| options.common.wants(case)) {
        tools.forget_all()?;
        let commands = one_byte(options, tools, ("huge", HUGE), READS)?;
        for case in huge {
            table.row(case, &peaks(&commands, 1)?, Goal::Megabytes(100.0));
        }
    }
    tools.forget_all()
}

fn peaks(commands: &[Timed], runs: usize) -> Outcome<Costs> {
    let peak = |command: &Timed| Ok((command.name.clone(), memory::peak(command, runs)?));
    Ok(Costs::peaks(commands.iter().map(peak).collect::<Outcome<Vec<_>>>()?))
}

/// dtbuild and buildx, each after another byte of the same file.
fn one_byte(
    options: &Options,
    tools: &Tools,
    (name, size): (&str, Size),
    steps: &str,
) -> Outcome<Vec<Timed>> {
    let context = Rc::new(Context::make(&options.common.folder, name, size, steps, tools)?);
    let mut buildx = tools.buildx(&context.path, FOLDER);
    buildx.arguments.extend(["--file".into(), "Dockerfile".into()]);
    let commands = [tools.dtbuild(&context.path, ["build"]), buildx];
    Ok(before_each(commands, move || context.edit()))
}
