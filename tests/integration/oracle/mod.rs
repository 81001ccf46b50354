//! Keys against BuildKit as the oracle: random contexts, `.dockerignore`s, Dockerfiles and build arguments; one
//! thing after the other is changed, and where BuildKit then makes another image, the key must differ.
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

use std::io::Write as _;
use std::time::{Duration, Instant};

use self::case::Case;
use self::chain::Chain;
use self::context::seems_broken;
use self::engine::Oracle;
use self::generate::{Features, Generator};
use self::keys::{From, Key, Keys};
use self::mutation::Mutation;
use self::random::Random;
use self::tally::Tally;
use crate::engine::fixture::unique;

mod case;
mod chain;
mod context;
mod engine;
mod generate;
mod keys;
mod mutation;
pub(crate) mod random;
mod shrink;
mod tally;

/// How many cases one build holds.
const BATCH: usize = 100;

/// How often a case is changed.
const CHANGES: usize = 5;

/// A change, and the case after it.
struct Change {
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
    let (mut rounds, mut chains) = (0, Vec::new());
    while tally.all < wanted && start.elapsed() < limit {
        if rounds % CHANGES == 0 {
            let blank = random.chance(30);
            let mut generator = Generator { random: &mut random, features, blank };
            chains = trial.draw(&mut generator, &mut tally).await;
        }
        rounds += 1;
        let from = if rounds % 4 == 0 { From::Commit } else { From::Disk };
        Box::pin(trial.change(&mut chains, &mut random, from, &mut tally)).await;
        if rounds % 20 == 0 {
            println!("after {} s: {tally}", start.elapsed().as_secs());
        }
    }
    // Past the test runner, which shows what a test prints only where it fails.
    let figures =
        format!("oracle: seed {seed}, engine {version}, {} s: {tally}\n", start.elapsed().as_secs());
    std::io::stderr().write_all(figures.as_bytes()).unwrap();
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
    let mut generator = Generator { random: &mut random, features: Features::default(), blank: false };
    let (case, mutation) = loop {
        let case = generator.case("k0");
        if seems_broken(&case) || case.stages.len() < 2 {
            continue;
        }
        let Some((mutation, after)) = Mutation::draw(&case, generator.random) else { continue };
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

    /// Cases that both the program and the engine build.
    async fn draw(&self, generator: &mut Generator<'_>, tally: &mut Tally) -> Vec<Chain> {
        let mut cases = Vec::new();
        while cases.len() < BATCH {
            let case = generator.case(&format!("k{}", cases.len())).salted(&self.salt());
            if !seems_broken(&case) {
                cases.push(case);
            }
        }
        let all: Vec<&Case> = cases.iter().collect();
        let start = Instant::now();
        let keys = self.keys.of(&all, From::Disk);
        tally.spent("keys", start);
        let accepted = all.into_iter().zip(keys).filter_map(|(case, key)| match key {
            Key::Is(key) => Some((case, key)),
            Key::Refused(_) => None,
        });
        let (accepted, keys): (Vec<&Case>, Vec<String>) = accepted.unzip();
        let start = Instant::now();
        let outcomes = self.oracle.build(&accepted).await;
        tally.spent("first builds", start);
        let mut chains = Vec::new();
        for ((case, key), outcome) in accepted.into_iter().zip(keys).zip(outcomes) {
            match outcome.failure {
                None => chains.push(Chain::new(case.clone(), key)),
                Some(failure) => {
                    tally.unbuildable += 1;
                    if self.show {
                        println!("not built: {failure}\n{case}");
                    }
                }
            }
        }
        chains
    }

    /// Changes each case once. Those that are then built go on from there, the others from where they were.
    async fn change(&self, chains: &mut [Chain], random: &mut Random, from: From, tally: &mut Tally) {
        // One case that cannot be built after its change is enough in a build.
        let mut broken = 0;
        let mut fits = |after: &Case| {
            let breaks = seems_broken(after);
            let fits = !breaks || broken == 0;
            broken += usize::from(breaks && fits);
            fits
        };
        let changed = chains.iter_mut().filter_map(|chain| {
            let (mutation, after) = chain.change(random, &mut fits)?;
            Some((chain, Change { mutation, after }))
        });
        let changed: Vec<(&mut Chain, Change)> = changed.collect();
        let after: Vec<&Case> = changed.iter().map(|(_, change)| &change.after).collect();
        let start = Instant::now();
        let keys = self.keys.of(&after, from);
        tally.spent("keys", start);
        let mut open = Vec::new();
        for ((chain, change), key) in changed.into_iter().zip(keys) {
            match key {
                Key::Is(key) => open.push((chain, change, key)),
                Key::Refused(message) => self.refused(&change.after, &message, tally).await,
            }
        }
        let after: Vec<&Case> = open.iter().map(|(_, change, _)| &change.after).collect();
        let start = Instant::now();
        let outcomes = self.oracle.build(&after).await;
        tally.spent("builds", start);
        let sample = random.below(open.len());
        for (place, ((chain, change, key), outcome)) in open.into_iter().zip(outcomes).enumerate() {
            let (differs, built) = (key != chain.key, outcome.failure.is_none());
            let mut seen = outcome.ran || !built;
            let untold = !seen && change.after.stands_alone();
            if seen != differs || place == sample || untold {
                tally.alone += 1;
                let start = Instant::now();
                seen = self.seen_alone(&chain.case, &change.after).await;
                tally.spent("builds of one", start);
            }
            self.count(&chain.case, &change, (seen, differs), tally).await;
            if built {
                (chain.case, chain.key) = (change.after, key);
            }
        }
    }

    /// Whether what the program refuses to build is what the engine cannot build.
    async fn refused(&self, case: &Case, message: &str, tally: &mut Tally) {
        tally.refused += 1;
        if self.oracle.build_alone(&case.salted(&self.salt())).await.failure.is_none() {
            println!("refused, but built: {message}\n{case}");
            tally.built_though_refused += 1;
        }
    }

    async fn count(&self, before: &Case, change: &Change, (seen, differs): (bool, bool), tally: &mut Tally) {
        let kind = change.mutation.kind();
        tally.all += 1;
        *tally.kinds.entry(kind).or_default() += 1;
        tally.different += usize::from(seen);
        if differs && !seen {
            *tally.needless.entry(kind).or_default() += 1;
            if self.show {
                println!("needless: {}\n{before}", change.mutation);
            }
        }
        if seen && !differs {
            let shows = async |before: &Case, after: &Case| self.is_missed(before, after).await;
            let case = shrink::smallest(before.clone(), &change.mutation, shows).await;
            let missed = format!("{}\n{case}", change.mutation);
            println!("missed: {missed}");
            tally.missed.push(missed);
        }
    }

    /// Whether BuildKit makes another image, or none, where the context is the build's own.
    ///
    /// An engine that is short of space forgets steps, and then makes another image of the same. To it, before and
    /// after are the same if the first, built again, is the image that it made last.
    async fn seen_alone(&self, before: &Case, after: &Case) -> bool {
        let salt = self.salt();
        let (before, after) = (before.salted(&salt), after.salted(&salt));
        let first = self.oracle.build_alone(&before).await;
        if first.failure.is_some() {
            return false;
        }
        let second = self.oracle.build_alone(&after).await;
        if second.failure.is_some() {
            return true;
        }
        let differs = second.ran || first.image != second.image;
        differs && self.oracle.build_alone(&before).await.image != second.image
    }

    /// Whether the key is the same and the image is not.
    async fn is_missed(&self, before: &Case, after: &Case) -> bool {
        let (first, second) = (self.keys.of(&[before], From::Disk), self.keys.of(&[after], From::Disk));
        matches!(first[0], Key::Is(_)) && first == second && self.seen_alone(before, after).await
    }
}
