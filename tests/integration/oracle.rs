//! Keys against BuildKit as the oracle: random contexts, `.dockerignore`s, Dockerfiles and build arguments; one
//! thing is changed, and where BuildKit then makes another image, the key must differ.
//!
//! The keys are the program's own, of a repository with an image per case. BuildKit builds many cases at once,
//! each in stages and a folder of its own; a step that it does not have in its cache makes another image. Where
//! key and steps do not agree, and for a sample, the case is built alone, before and after, and the images' ids
//! are compared: they cover the configuration as well.
//!
//! `./dev test oracle` runs it. `ORACLE_MUTATIONS` says how many changes are tried, `ORACLE_SECONDS` for how long
//! at most, `ORACLE_SEED` from where numbers start; with `ORACLE_SHOW`, needless changes and cases that the engine
//! does not build are printed. A missed rebuild is printed as a minimal case. `docs/oracle.md` has the figures.
#![expect(clippy::print_stdout, reason = "the figures are what the test is for")]

use std::time::{Duration, Instant};

use self::case::Case;
use self::context::seems_broken;
use self::engine::Oracle;
use self::generate::{Features, Generator};
use self::keys::{From, Key, Keys};
use self::mutation::Mutation;
use self::random::Random;
use self::tally::Tally;
use crate::engine::fixture::unique;

mod case;
mod context;
mod engine;
mod generate;
mod keys;
mod mutation;
pub(crate) mod random;
mod shrink;
mod tally;

/// How many cases one build holds.
const BATCH: usize = 50;

/// A case before and after a change.
struct Change {
    before: Case,
    /// The key before.
    key: String,
    mutation: Mutation,
    after: Case,
}

/// A run of the test.
struct Trial {
    oracle: Oracle,
    keys: Keys,
    /// What no other run has.
    run: String,
    salts: std::cell::Cell<usize>,
    show: bool,
}

pub(crate) fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

#[tokio::test]
async fn oracle_finds_no_missed_rebuild() {
    let (wanted, seed) = (number("ORACLE_MUTATIONS", 2000), number("ORACLE_SEED", 1));
    let limit = Duration::from_secs(number("ORACLE_SECONDS", 300) as u64);
    let trial = Trial::new().await;
    let features = trial.oracle.features().await;
    let version = trial.oracle.version().await;
    println!("seed {seed}, {wanted} changes, engine {version}, {features:?}");
    let mut random = Random(seed as u64);
    let (mut tally, start) = (Tally::default(), Instant::now());
    let mut batch = 0;
    while tally.all < wanted && start.elapsed() < limit {
        batch += 1;
        let from = if batch % 4 == 0 { From::Commit } else { From::Disk };
        let mut generator = Generator { random: &mut random, features };
        trial.batch(&mut generator, from, &mut tally).await;
        if batch % 20 == 0 {
            println!("after {} s: {tally}", start.elapsed().as_secs());
        }
    }
    println!("seed {seed}, engine {version}, {} s: {tally}", start.elapsed().as_secs());
    assert!(tally.missed.is_empty(), "seed {seed}: missed rebuilds:\n{}", tally.missed.join("\n"));
    // Of few changes, a handful may be.
    assert!(tally.needless() * 50 <= tally.all + 200, "too many key changes were needless");
    assert!(tally.unbuildable * 4 <= tally.all, "too few cases were built");
}

/// What a missed rebuild would look like, were there one: here the key is taken to be blind to a change of content.
#[tokio::test]
async fn missed_rebuild_is_told_as_a_minimal_case() {
    let trial = Trial::new().await;
    let mut random = Random(7);
    let mut generator = Generator { random: &mut random, features: Features::default() };
    let (case, mutation) = loop {
        let case = generator.case("k0");
        if seems_broken(&case) || case.stages.len() < 2 {
            continue;
        }
        let (mutation, after) = Mutation::of(&case, generator.random, &mut |_| true);
        let is_content = matches!(mutation, Mutation::Content { .. });
        if is_content && trial.seen_alone(&case, &after).await {
            break (case, mutation);
        }
    };
    let seen = async |before: &Case, after: &Case| trial.seen_alone(before, after).await;
    let smallest = shrink::smallest(case, &mutation, seen).await;
    let instructions: usize = smallest.stages.iter().map(|stage| stage.instructions.len()).sum();
    let sizes = (smallest.stages.len(), instructions, smallest.ignore.len(), smallest.arguments.len());
    assert_eq!(sizes, (1, 1, 0, 0), "{mutation}\n{smallest}");
    // A link, and what it leads to, at most.
    assert!(smallest.tree.len() <= 2, "{mutation}\n{smallest}");
}

impl Trial {
    async fn new() -> Self {
        let run = unique("oracle").tag().unwrap().to_owned();
        let (oracle, keys) = (Oracle::connect().await, Keys::new());
        let show = std::env::var_os("ORACLE_SHOW").is_some();
        Self { oracle, keys, run, salts: 0.into(), show }
    }

    /// What no other case and no other run has.
    fn salt(&self) -> String {
        self.salts.set(self.salts.get() + 1);
        format!("{}x{}", self.run, self.salts.get())
    }

    /// Tries a batch of changes.
    async fn batch(&self, generator: &mut Generator<'_>, from: From, tally: &mut Tally) {
        let changes = self.draw(generator, tally).await;
        let after: Vec<&Case> = changes.iter().map(|change| &change.after).collect();
        let keys = self.keys.of(&after, from);
        let mut open = Vec::new();
        for (change, key) in changes.iter().zip(keys) {
            match key {
                Key::Is(key) => open.push((change, key)),
                Key::Refused(message) => self.refused(&change.after, &message, tally).await,
            }
        }
        let after: Vec<&Case> = open.iter().map(|(change, _)| &change.after).collect();
        let outcomes = self.oracle.build(&after).await;
        let sample = generator.random.below(open.len());
        for (place, ((change, key), outcome)) in open.into_iter().zip(outcomes).enumerate() {
            let differs = key != change.key;
            let mut seen = outcome.ran || outcome.failure.is_some();
            if seen != differs || place == sample {
                tally.alone += 1;
                seen = self.seen_alone(&change.before, &change.after).await;
            }
            self.count(change, seen, differs, tally).await;
        }
    }

    /// Changes of cases that both the program and the engine build.
    async fn draw(&self, generator: &mut Generator<'_>, tally: &mut Tally) -> Vec<Change> {
        let mut cases = Vec::new();
        while cases.len() < BATCH {
            let case = generator.case(&format!("k{}", cases.len())).salted(&self.salt());
            if !seems_broken(&case) {
                cases.push(case);
            }
        }
        let all: Vec<&Case> = cases.iter().collect();
        let keys = self.keys.of(&all, From::Disk);
        let accepted = all.into_iter().zip(keys).filter_map(|(case, key)| match key {
            Key::Is(key) => Some((case, key)),
            Key::Refused(_) => None,
        });
        let (accepted, keys): (Vec<&Case>, Vec<String>) = accepted.unzip();
        let outcomes = self.oracle.build(&accepted).await;
        let mut changes = Vec::new();
        // One case that cannot be built after its change is enough in a batch.
        let mut broken = 0;
        for ((case, key), outcome) in accepted.into_iter().zip(keys).zip(outcomes) {
            if let Some(failure) = outcome.failure {
                tally.unbuildable += 1;
                if self.show {
                    println!("not built: {failure}\n{case}");
                }
                continue;
            }
            let mut fits = |after: &Case| {
                let breaks = seems_broken(after);
                let fits = !breaks || broken == 0;
                broken += usize::from(breaks && fits);
                fits
            };
            let (mutation, after) = Mutation::of(case, generator.random, &mut fits);
            changes.push(Change { before: case.clone(), key, mutation, after });
        }
        changes
    }

    /// Whether what the program refuses to build is what the engine cannot build.
    async fn refused(&self, case: &Case, message: &str, tally: &mut Tally) {
        tally.refused += 1;
        if self.oracle.build_alone(&case.salted(&self.salt())).await.failure.is_none() {
            println!("refused, but built: {message}\n{case}");
            tally.built_though_refused += 1;
        }
    }

    async fn count(&self, change: &Change, seen: bool, differs: bool, tally: &mut Tally) {
        let kind = change.mutation.kind();
        tally.all += 1;
        *tally.kinds.entry(kind).or_default() += 1;
        tally.different += usize::from(seen);
        if differs && !seen {
            *tally.needless.entry(kind).or_default() += 1;
            if self.show {
                println!("needless: {}\n{}", change.mutation, change.before);
            }
        }
        if seen && !differs {
            let shows = async |before: &Case, after: &Case| self.is_missed(before, after).await;
            let case = shrink::smallest(change.before.clone(), &change.mutation, shows).await;
            let missed = format!("{}\n{case}", change.mutation);
            println!("missed: {missed}");
            tally.missed.push(missed);
        }
    }

    /// Whether BuildKit makes another image, or none, where the context is the build's own.
    async fn seen_alone(&self, before: &Case, after: &Case) -> bool {
        let salt = self.salt();
        let before = self.oracle.build_alone(&before.salted(&salt)).await;
        let after = self.oracle.build_alone(&after.salted(&salt)).await;
        before.failure.is_none() && (after.ran || after.failure.is_some() || before.image != after.image)
    }

    /// Whether the key is the same and the image is not.
    async fn is_missed(&self, before: &Case, after: &Case) -> bool {
        let (first, second) = (self.keys.of(&[before], From::Disk), self.keys.of(&[after], From::Disk));
        matches!(first[0], Key::Is(_)) && first == second && self.seen_alone(before, after).await
    }
}
