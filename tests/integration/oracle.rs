//! Keys against the engine's own idea of what a build reads: random folders, `.dockerignore`s and
//! instructions; one thing is changed, and where the engine does not find a step in its cache again, the key
//! must differ.
//!
//! The engine's cache goes by content, so a change after which nothing at all is copied may look like no
//! change. Everything else is told apart: the contents of the files name their case.
//!
//! `ORACLE_MUTATIONS` says how many changes are tried (100 when not set), `ORACLE_SEED` from where numbers
//! start; with `ORACLE_SHOW`, needless changes and cases that no engine builds are printed.
#![expect(clippy::print_stdout, reason = "the figures are what the test is for")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use dtbuild::engine::docker::Docker;
use dtbuild::execute::events::{Event, StepState};
use dtbuild_cache::ignore::Rules;
use dtbuild_cache::tree::walk;

use self::case::{Case, Random};
use crate::engine::fixture::{Files, build, docker, request, unique};

mod case;

/// How many cases one build holds, each in a stage of its own.
const BATCH: usize = 25;

/// A case before and after a change.
struct Change {
    before: Case,
    after: Case,
    what: String,
}

impl Change {
    fn move_away(&mut self) {
        (self.before, self.after) = (self.before.moved(), self.after.moved());
    }
}

#[derive(Debug, Default)]
struct Tally {
    same: usize,
    different: usize,
    needless: usize,
    failed: usize,
    missed: Vec<String>,
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

#[tokio::test]
async fn oracle_finds_no_missed_rebuild() {
    let (wanted, seed) = (number("ORACLE_MUTATIONS", 100), number("ORACLE_SEED", 1));
    let run = unique("oracle").tag().unwrap().to_owned();
    let mut random = Random(seed);
    let (docker, mut tally) = (docker().await, Tally::default());
    let batches = usize::try_from(wanted).unwrap().div_ceil(BATCH);
    for batch in 0..batches {
        let changes: Vec<Change> =
            (0..BATCH).map(|index| change(&mut random, &format!("k{run}x{batch}x{index}"))).collect();
        // Where a build fails, the halves are tried: a random case may be one that no engine builds.
        let mut open = vec![changes];
        while let Some(mut changes) = open.pop() {
            if compare(&docker, &run, &changes, &mut tally).await.is_some() {
                continue;
            }
            if changes.len() == 1 {
                tally.failed += 1;
                continue;
            }
            // What was built before the failure is in the engine's cache.
            changes.iter_mut().for_each(Change::move_away);
            let right = changes.split_off(changes.len() / 2);
            open.extend([right, changes]);
        }
    }
    let missed = tally.missed.len();
    let (all, needless) = (tally.same + tally.different, tally.needless);
    println!(
        "seed {seed}: {all} changes, {} of them seen by the engine; missed {missed}, needless {needless}; \
         {} cases that no engine builds",
        tally.different, tally.failed
    );
    assert!(tally.missed.is_empty(), "missed rebuilds:\n{}", tally.missed.join("\n"));
    assert!(needless * 20 <= all, "{needless} of {all} key changes were needless");
    assert!(tally.failed * 2 <= all, "too few cases were built");
}

/// A case whose build is not known to fail, neither before the change nor after it.
fn change(random: &mut Random, folder: &str) -> Change {
    loop {
        let before = Case::new(random, folder.to_owned());
        let (after, what) = before.mutated(random);
        if before.digest().is_some() && after.digest().is_some() {
            return Change { before, after, what };
        }
    }
}

/// Builds before and after; none when a build failed.
async fn compare(docker: &Docker, name: &str, changes: &[Change], tally: &mut Tally) -> Option<()> {
    let before: Vec<&Case> = changes.iter().map(|change| &change.before).collect();
    let after: Vec<&Case> = changes.iter().map(|change| &change.after).collect();
    build_cases(docker, name, &before).await?;
    let rebuilt = build_cases(docker, name, &after).await?;
    for (index, change) in changes.iter().enumerate() {
        let seen = rebuilt.contains(&index);
        let key = change.before.digest() != change.after.digest();
        *(if seen { &mut tally.different } else { &mut tally.same }) += 1;
        if key && !seen {
            tally.needless += 1;
            if std::env::var_os("ORACLE_SHOW").is_some() {
                println!("needless: {}: {:?}", change.what, change.before);
            }
        }
        if seen && !key {
            tally.missed.push(format!("{}: {:?}", change.what, change.before));
        }
    }
    Some(())
}

/// Builds all cases at once; the numbers of those that the engine did not have.
async fn build_cases(docker: &Docker, name: &str, cases: &[&Case]) -> Option<BTreeSet<usize>> {
    let mut files = Files::default();
    let (mut stages, mut last) = (String::new(), "FROM scratch\n".to_owned());
    for (index, case) in cases.iter().enumerate() {
        writeln!(stages, "FROM scratch AS c{index}\n{}", case.instructions.join("\n")).unwrap();
        writeln!(last, "COPY --from=c{index} / /{index}/").unwrap();
        let rules = Rules::parse(case.ignore.join("\n").as_bytes()).unwrap();
        let contents: std::collections::BTreeMap<_, _> =
            case.files().map(|(path, _, content)| (path, content.to_vec())).collect();
        walk(*case, &rules, |path, node| {
            let path = path.to_string();
            let content = contents.get(&path).cloned().unwrap_or_default();
            files = std::mem::take(&mut files).add(&path, node.kind, content);
            Ok(())
        })
        .unwrap();
    }
    let mut request = request("oracle", &(stages + &last), &files);
    request.dockerfile_path = name.into();
    let (result, events) = build(docker, &request).await;
    if let Err(error) = result {
        if std::env::var_os("ORACLE_SHOW").is_some() && cases.len() == 1 {
            println!("failed: {error}\n{:?}", cases[0]);
        }
        return None;
    }
    let ran = |event: &Event| match event {
        Event::ImageStep { step, state: StepState::Done, .. } => {
            step.strip_prefix("[c")?.split([' ', ']']).next()?.parse().ok()
        }
        _ => None,
    };
    Some(events.iter().filter_map(ran).collect())
}
