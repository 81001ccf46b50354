//! Thousands of interleavings of runs that deploy to one environment, in simulated time: nothing that a run recorded is
//! lost, and no older commit goes over a newer one. `DTBUILD_SEEDS` tries other seeds: `20000..30000`.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use time::OffsetDateTime;

use super::{Deployment, Memory, Outcome, RecordError, Records};
use crate::config::EnvironmentName;
use world::{MachineClock, Network, World};

mod world;

const LIFE: Duration = Duration::from_mins(2);

/// The seeds that every test run tries.
const SEEDS: std::ops::Range<u64> = 0..10_000;

/// What the writers of one interleaving did, as they know it themselves.
#[derive(Debug, Default)]
struct Told {
    /// The deployments that a writer was told to be recorded, by their ids, with the outcome that it was told last.
    recorded: BTreeMap<String, (u64, Outcome)>,
    /// The commit and the generation of each step that the environment saw, in the order of time.
    steps: Vec<(u64, u64)>,
    ends: BTreeMap<&'static str, usize>,
}

/// A run for a commit. Commits with greater numbers are newer.
struct Writer {
    records: Records,
    world: World,
    commit: u64,
    told: Arc<Mutex<Told>>,
}

fn environment() -> EnvironmentName {
    "staging".parse().unwrap()
}

fn number(deployment: &Deployment) -> u64 {
    deployment.commit.as_deref().unwrap().parse().unwrap()
}

impl Writer {
    async fn run(self) {
        let end = match self.deploy().await {
            Ok(end) => end,
            Err(RecordError::LeaseHeld { .. }) => "held",
            Err(RecordError::LeaseLost { .. }) => "lost",
            Err(_) => "unheard",
        };
        *self.told.lock().unwrap().ends.entry(end).or_default() += 1;
    }

    async fn deploy(&self) -> Result<&'static str, RecordError> {
        let wait = Duration::from_secs(self.world.below(2) * 600);
        let mut lease = self.records.take(&environment(), LIFE, wait, |_| ()).await?;
        let newest = lease.record().newest_touching().map(number);
        if newest.is_some_and(|newest| newest > self.commit) {
            lease.release().await?;
            return Ok("superseded");
        }
        let mut entry = self.entry(Outcome::Started);
        lease.add(&entry).await?;
        self.recorded(&entry, lease.generation());
        let generation = lease.generation();
        let work = async {
            for _ in 0..self.world.below(8) {
                self.world.sleep(Duration::from_millis(self.world.below(30_000))).await;
                self.told.lock().unwrap().steps.push((self.commit, generation));
            }
        };
        lease.hold(work).await?;
        entry.outcome = Outcome::Succeeded;
        lease.finish(|record| record.add(entry.clone())).await?;
        self.recorded(&entry, generation);
        Ok("deployed")
    }

    fn entry(&self, outcome: Outcome) -> Deployment {
        let started = OffsetDateTime::UNIX_EPOCH;
        Deployment {
            id: Deployment::name(started),
            generation: 0,
            commit: Some(self.commit.to_string()),
            started,
            finished: None,
            outcome,
            images: BTreeMap::new(),
            deploy: None,
            deploy_inputs: None,
            deploy_settings: None,
            again: None,
            by: "0.1.0".to_owned(),
        }
    }

    fn recorded(&self, entry: &Deployment, generation: u64) {
        let told = (generation, entry.outcome.clone());
        self.told.lock().unwrap().recorded.insert(entry.id.clone(), told);
    }
}

/// A run under way: its future, and the time until which its machine stalls.
struct Task(Pin<Box<dyn Future<Output = ()>>>, Duration);

/// Lets two or three runs go on in an order of chance, with stalls of up to two lives, until all have ended. One of them
/// may be killed.
fn interleave(seed: u64) -> (Told, Memory) {
    let (world, storage, told) = (World::new(seed), Memory::default(), Arc::new(Mutex::new(Told::default())));
    let writers = 2 + seed % 2;
    let mut tasks: Vec<Task> = (0..writers)
        .map(|writer| {
            let network = Network { world: world.clone(), storage: storage.clone() };
            let began = Duration::from_secs(world.below(1_000_000));
            let date = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(3600 * writer + 3600);
            let clock = MachineClock { world: world.clone(), began, date };
            let records = Records::new(Arc::new(network), "shop").with_clock(Arc::new(clock));
            let commit = 1 + world.below(3);
            let run = Writer { records, world: world.clone(), commit, told: Arc::clone(&told) };
            let start = Duration::from_millis(world.below(60_000));
            Task(Box::pin(run.run()), start)
        })
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut kill = (world.below(4) == 0).then(|| Duration::from_millis(world.below(300_000)));
    while !tasks.is_empty() {
        let now = world.now();
        if kill.is_some_and(|at| at <= now) {
            kill = None;
            // A killed process gives nothing back.
            std::mem::forget(tasks.swap_remove(usize::try_from(world.below(tasks.len() as u64)).unwrap()));
            continue;
        }
        let awake: Vec<usize> = (0..tasks.len()).filter(|task| tasks[*task].1 <= now).collect();
        let mut ended = None;
        for _ in 0..awake.len() {
            let task = awake[usize::try_from(world.below(awake.len() as u64)).unwrap()];
            if let Poll::Ready(()) = tasks[task].0.as_mut().poll(&mut context) {
                ended = Some(task);
                break;
            }
            if world.below(60) == 0 {
                tasks[task].1 = now + Duration::from_millis(world.below(240_000));
            }
        }
        if let Some(task) = ended {
            drop(tasks.swap_remove(task));
        } else {
            // Everybody who can go on has been asked, or will be in a later turn of the same instant.
            let stalled = tasks.iter().map(|task| task.1).filter(|until| *until > now).chain(kill);
            world.advance(stalled.min(), &storage);
        }
    }
    drop(tasks);
    let told = Arc::try_unwrap(told)
        .map_or_else(|told| std::mem::take(&mut *told.lock().unwrap()), |told| told.into_inner().unwrap());
    (told, storage)
}

/// Checks an interleaving by what is stored at its end.
fn check(seed: u64, told: &Told, storage: Memory) {
    let records = Records::new(Arc::new(storage), "shop");
    let mut history = records.history(&environment()).now_or_never().unwrap().unwrap();
    history.reverse();
    for (id, (generation, outcome)) in &told.recorded {
        let kept = history.iter().find(|deployment| deployment.id == *id);
        let kept = kept.unwrap_or_else(|| panic!("seed {seed}: {id} of generation {generation} is lost"));
        // The end of a deployment may be recorded though its run did not hear of it.
        let same = kept.outcome == *outcome || *outcome == Outcome::Started;
        assert!(same && kept.generation == *generation, "seed {seed}: {kept:?} was {outcome:?}");
    }
    let in_order = |numbers: &[u64]| numbers.is_sorted();
    let commits: Vec<u64> = history.iter().map(number).collect();
    assert!(in_order(&commits), "seed {seed}: an older commit is recorded over a newer one: {commits:?}");
    let generations: Vec<u64> = history.iter().map(|deployment| deployment.generation).collect();
    let mut different = generations.clone();
    different.dedup();
    assert!(in_order(&generations) && different == generations, "seed {seed}: {generations:?}");
    assert!(
        told.steps.is_sorted_by_key(|(_, generation)| *generation),
        "seed {seed}: a run went on after another had taken its lease: {:?}",
        told.steps
    );
    assert!(told.steps.is_sorted_by_key(|(commit, _)| *commit), "seed {seed}: {:?}", told.steps);
}

#[test]
fn nothing_is_lost_and_no_older_commit_goes_over_a_newer_one() {
    let seeds = std::env::var("DTBUILD_SEEDS").ok().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    let (seeds, mut ends) = (seeds.unwrap_or(SEEDS), BTreeMap::<&str, usize>::new());
    for seed in seeds.clone() {
        let (told, storage) = interleave(seed);
        check(seed, &told, storage);
        for (end, count) in told.ends {
            *ends.entry(end).or_default() += count;
        }
    }
    #[expect(clippy::print_stderr, reason = "the figures of the test")]
    {
        eprintln!(
            "{} interleavings of two and three writers, seeds {seeds:?}: {ends:?}",
            seeds.end - seeds.start
        );
    }
    for end in ["deployed", "superseded", "held", "lost", "unheard"] {
        assert!(ends.contains_key(end), "no run ended so: {end}");
    }
}
