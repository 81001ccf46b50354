//! The questions about a project with many images. Start with [`ask`].

use std::rc::Rc;

use crate::Outcome;
use crate::options::Options;
use crate::processes::report::Report;
use crate::processes::timing::{Timed, alternate};
use crate::project::Project;
use crate::table::{Costs, Goal, Table};
use crate::tools::{BAKE, BUILDX, Tools};

/// Asks all questions of a project with so many images.
pub(crate) fn ask(
    options: &Options,
    tools: &Rc<Tools>,
    images: usize,
    report: &mut Report,
    table: &mut Table,
) -> Outcome<()> {
    let project = Rc::new(Project::make(&options.common.folder, images, tools)?);
    let path = project.path.clone();
    let mut compare = |question: &str, commands: Vec<Timed>, goal: Goal| -> Outcome<()> {
        if !options.common.wants(question) {
            return Ok(());
        }
        tools.forget_all()?;
        let case = format!("{images} images, {question}");
        let figures = alternate(&commands, options.common.rounds)?;
        report.compare("builds", &case, &figures, 0);
        table.row(&case, &Costs::times(&figures), goal);
        Ok(())
    };
    let all = || vec![tools.dtbuild(&path, ["build"]), tools.bake(&path), tools.compose(&path)];
    let one = || tools.buildx(&path, &Project::context(0));
    compare("nothing changed", all(), Goal::Of(BAKE, 1.0 / 50.0))?;

    let edited = Rc::clone(&project);
    let commands = before_each(all().into_iter().chain([one()]), move || edited.edit(0));
    compare("one file of one image changed", commands, Goal::Of(BUILDX, 1.15))?;

    let edited = Rc::clone(&project);
    let commands = before_each(all(), move || edited.edit_all());
    compare("one file of all images changed", commands, Goal::Of(BAKE, 1.0))?;

    let forgetful = Rc::clone(tools);
    let commands = before_each(all(), move || forgetful.forget_all());
    compare("cold: the engine empty", commands, Goal::Of(BAKE, 1.0))?;

    // dtbuild moves the environment's tags, and records what it runs.
    let release = || tools.dtbuild(&path, ["--env", "staging"]);
    let pushed = || vec![release(), pushing(tools.bake(&path)), pushing(tools.compose(&path))];
    compare("released: nothing changed", pushed(), Goal::Of(BAKE, 1.0 / 50.0))?;

    let edited = Rc::clone(&project);
    let commands = pushed().into_iter().chain([pushing(one())]);
    let commands = before_each(commands, move || edited.edit_and_commit(0));
    compare("released: one file of one image changed", commands, Goal::Of(BUILDX, 1.15))
}

/// The command `command`, which also pushes what it builds.
fn pushing(mut command: Timed) -> Timed {
    command.arguments.push("--push".into());
    command
}

/// The commands `commands`, each after `work`, which is not timed.
pub(crate) fn before_each(
    commands: impl IntoIterator<Item = Timed>,
    work: impl Fn() -> Outcome<()> + 'static,
) -> Vec<Timed> {
    let work: Rc<dyn Fn() -> Outcome<()>> = Rc::new(work);
    commands.into_iter().map(|command| command.after(Rc::clone(&work))).collect()
}
