//! The smallest case that still shows what a case shows. Start with [`smallest`].

use super::case::{Base, Case, Instruction};
use super::mutation::Mutation;

/// How many smaller cases are tried.
const ATTEMPTS: usize = 150;

/// Makes `case` smaller for as long as `shows` says that it shows the same.
pub(super) async fn smallest(
    mut case: Case,
    mutation: &Mutation,
    shows: impl AsyncFn(&Case, &Case) -> bool,
) -> Case {
    let mut attempts = 0;
    'smaller: loop {
        for smaller in smaller(&case) {
            let Some(after) = mutation.applied(&smaller) else { continue };
            attempts += 1;
            if attempts > ATTEMPTS {
                return case;
            }
            if shows(&smaller, &after).await {
                case = smaller;
                continue 'smaller;
            }
        }
        return case;
    }
}

/// `case` with one thing less: the large things first.
fn smaller(case: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        let builds = |instruction: &Instruction| {
            !matches!(
                instruction,
                Instruction::Argument { .. } | Instruction::Variable { .. } | Instruction::Line(_)
            )
        };
        let whole = smaller.stages.iter().all(|stage| stage.instructions.iter().any(builds));
        if whole && !smaller.stages.is_empty() && !smaller.tree.is_empty() {
            cases.push(smaller);
        }
    };
    for number in (0..case.stages.len()).filter(|number| case.stages.len() > 1 && !is_used(case, *number)) {
        with(&|case| drop_stage(case, number));
    }
    for (number, stage) in case.stages.iter().enumerate() {
        for index in 0..stage.instructions.len() {
            with(&|case| drop(case.stages[number].instructions.remove(index)));
        }
        if stage.base != Base::Scratch {
            with(&|case| case.stages[number].base = Base::Scratch);
        }
    }
    for path in case.tree.keys() {
        with(&|case| drop(case.tree.remove(path)));
    }
    for line in 0..case.ignore.len() {
        with(&|case| drop(case.ignore.remove(line)));
    }
    for (number, stage) in case.stages.iter().enumerate() {
        for (index, instruction) in stage.instructions.iter().enumerate() {
            for simpler in simpler(instruction) {
                with(&|case| case.stages[number].instructions[index] = simpler.clone());
            }
        }
    }
    for line in 0..case.globals.len() {
        with(&|case| drop(case.globals.remove(line)));
    }
    for name in case.arguments.keys() {
        with(&|case| drop(case.arguments.remove(name)));
    }
    cases
}

fn is_used(case: &Case, number: usize) -> bool {
    let last = case.stages.len() - 1;
    let copies = |instruction: &Instruction| *instruction == Instruction::CopyStage { stage: number };
    case.target.unwrap_or(last) == number
        || case
            .stages
            .iter()
            .any(|stage| stage.base == Base::Stage(number) || stage.instructions.iter().any(copies))
}

fn drop_stage(case: &mut Case, number: usize) {
    case.stages.remove(number);
    let lower = |stage: &mut usize| {
        if *stage > number {
            *stage -= 1;
        }
    };
    case.target.iter_mut().for_each(lower);
    for stage in &mut case.stages {
        if let Base::Stage(base) = &mut stage.base {
            lower(base);
        }
        for instruction in &mut stage.instructions {
            if let Instruction::CopyStage { stage } = instruction {
                lower(stage);
            }
        }
    }
}

/// The instruction with one source, flag or mount less.
fn simpler(instruction: &Instruction) -> Vec<Instruction> {
    match instruction {
        Instruction::Copy { keyword, flags, sources, folder } => {
            let copy = |flags: Vec<String>, sources: Vec<String>| Instruction::Copy {
                keyword,
                flags,
                sources,
                folder: *folder,
            };
            let fewer_flags = without_one(flags).map(|flags| copy(flags, sources.clone()));
            let fewer_sources = without_one(sources).filter(|sources| !sources.is_empty());
            fewer_flags.chain(fewer_sources.map(|sources| copy(flags.clone(), sources))).collect()
        }
        Instruction::Run { mounts } => {
            let fewer = without_one(mounts).filter(|mounts| !mounts.is_empty());
            fewer.map(|mounts| Instruction::Run { mounts }).collect()
        }
        _ => Vec::new(),
    }
}

fn without_one<T: Clone>(all: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..all.len()).map(|place| {
        let mut fewer = all.to_vec();
        fewer.remove(place);
        fewer
    })
}
