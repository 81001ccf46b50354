//! Keys against BuildKit over histories such as public monorepos have: commit by commit, the images of the checkout.
//!
//! A repository with one of the [`Construct`]s goes on for many commits, each one an edit that people make. At each,
//! `dtbuild plan` gives the keys, and Docker's own client builds the checkout on the disk, after its parent's. Where
//! BuildKit then makes another image, the key must differ and `dtbuild plan --from --to` must build.
//!
//! `./dev test histories` runs it: `HISTORIES_COMMITS` says how many commits each construct gets, `HISTORIES_SEED` from
//! where numbers start, `HISTORIES_SHOW` prints needless rebuilds. `docs/oracle.md` has the figures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use self::bake::{Bake, Outcome};
use self::edit::History;
use self::project::{Construct, Setting};
use self::tally::{Fields, Tally};
use crate::engine::fixture::{unique, variable};
use crate::oracle::number;
use crate::oracle::random::Random;
use crate::support::dtbuild::Dtbuild;
use crate::support::registry::client;

mod bake;
mod change;
mod edit;
mod project;
mod tally;

/// The first Docker whose frontend has named contexts.
const NAMED_CONTEXTS: u64 = 23;

/// A commit, with its images by name.
struct State {
    commit: String,
    keys: BTreeMap<String, Key>,
    images: BTreeMap<String, Outcome>,
}

/// The key of an image.
#[derive(PartialEq, Eq)]
struct Key {
    key: String,
    fields: Fields,
}

/// A history under way.
struct Trial {
    history: History,
    dtbuild: Dtbuild,
    bake: Bake,
    _git_folder: TempDir,
}

#[tokio::test]
async fn history_of_one_context_and_many_dockerfiles_misses_no_rebuild() {
    misses_no_rebuild(Construct::OneContext).await;
}

#[tokio::test]
async fn history_of_a_folder_per_service_misses_no_rebuild() {
    misses_no_rebuild(Construct::Folders).await;
}

#[tokio::test]
async fn history_of_a_folder_that_services_share_misses_no_rebuild() {
    misses_no_rebuild(Construct::SharedFolder).await;
}

#[tokio::test]
async fn history_of_images_on_images_of_the_repository_misses_no_rebuild() {
    misses_no_rebuild(Construct::SharedBases).await;
}

async fn misses_no_rebuild(construct: Construct) {
    let (commits, seed) = (number("HISTORIES_COMMITS", 3), number("HISTORIES_SEED", 1));
    let (start, version) = (Instant::now(), engine_version().await);
    let mut random = Random((seed * 8 + construct as usize) as u64);
    let mut trial = Trial::new(construct, &version).await;
    let mut tally = Tally::default();
    let mut before = trial.state().unwrap_or_else(|message| panic!("{message}"));
    while tally.commits < commits {
        let kind = trial.history.next(&mut random);
        tally.commits += 1;
        *tally.kinds.entry(kind).or_default() += 1;
        match trial.state() {
            Ok(after) => {
                trial.compare(kind, &before, &after, &mut tally);
                let is_whole = after.images.values().all(|outcome| outcome.id.is_some());
                before = after;
                if is_whole {
                    continue;
                }
            }
            Err(message) => trial.refused(message, &mut tally),
        }
        // What cannot be built is taken back at once, and what comes then is compared with the state before it.
        tally.broken += 1;
        trial.history.revert();
        if let Ok(after) = trial.state() {
            trial.compare("revert", &before, &after, &mut tally);
            before = after;
        }
    }
    let seconds = start.elapsed().as_secs();
    let figures = format!("histories: {construct:?}, seed {seed}, engine {version}, {seconds} s: {tally}");
    std::io::stderr().write_all(figures.as_bytes()).unwrap();
    assert!(tally.missed.is_empty(), "seed {seed}: missed rebuilds:\n{}", tally.missed.join("\n"));
}

impl Trial {
    async fn new(construct: Construct, version: &str) -> Self {
        let salt = unique("histories").tag().unwrap().to_owned();
        let bake = Bake::new(&salt);
        let mut bases = Vec::new();
        for number in 0..2 {
            let name = unique("histories-base");
            bake.push_base(&name.to_string(), &format!("FROM busybox:1.36\nENV BASE={number}{salt}\n"));
            let digest = client().digest(&name).await.unwrap().unwrap();
            bases.push(name.repository().pinned(&digest).to_string());
        }
        let major: u64 = version.split('.').next().unwrap().parse().unwrap();
        let registry = format!("registry.example.com/histories{salt}");
        let named_contexts = major >= NAMED_CONTEXTS;
        let git_folder = tempfile::tempdir().unwrap();
        let setting = Setting { salt, registry, bases, git_folder, named_contexts };
        let repo = construct.repository(&setting);
        let dtbuild = Dtbuild::new(&repo);
        let Setting { salt, bases, git_folder, .. } = setting;
        Self { history: History { repo, salt, bases, made: 0 }, dtbuild, bake, _git_folder: git_folder }
    }

    /// The keys and images of HEAD; the message with which the program refuses the commit.
    fn state(&self) -> Result<State, String> {
        // With `--force`, nobody is asked which keys there are.
        let ended = self.dtbuild.run(["plan", "--env", "staging", "--json", "--force"]);
        if !matches!(ended.code, Some(0 | 10)) {
            return Err(ended.stderr + &ended.stdout);
        }
        let key = |image: &Value| {
            let text = |name: &str| image[name].as_str().unwrap_or_else(|| panic!("{image:#}")).to_owned();
            (text("name"), Key { key: text("key"), fields: image["fields"].as_object().unwrap().clone() })
        };
        let keys = ended.json()["images"].as_array().unwrap().iter().map(key).collect();
        let images = self.bake.build(self.history.repo.root());
        Ok(State { commit: self.history.repo.head(), keys, images })
    }

    fn compare(&self, kind: &str, before: &State, after: &State, tally: &mut Tally) {
        let decisions = self.decisions(before, after);
        for (name, now) in &after.images {
            let (Some(was), Some(old)) = (before.images.get(name), before.keys.get(name)) else { continue };
            let new = &after.keys[name];
            tally.pairs += 1;
            let differs = now.ran || now.id.is_none() || now.id != was.id;
            tally.different += usize::from(differs);
            let has_both = was.id.is_some();
            let kept = new.key == old.key || decisions[name] != "build";
            let suspect = has_both && differs && kept;
            tally.suspects += usize::from(suspect);
            if suspect && self.differs_in_content(name, before, after) {
                let commits = format!("{}..{}", before.commit, after.commit);
                let shown = self.history.repo.git(["diff", &commits]);
                tally.missed.push(format!("{name}, {kind}, {}: {was:?}, {now:?}\n{shown}", decisions[name]));
            }
            if has_both && !differs && new.key != old.key {
                tally.needless(kind, name, &old.fields, &new.fields);
                self.show(kind, name, before, after);
            }
        }
    }

    fn show(&self, kind: &str, name: &str, before: &State, after: &State) {
        if std::env::var_os("HISTORIES_SHOW").is_some() {
            let diff = self.history.repo.git(["diff", &before.commit, &after.commit]);
            let mut text = String::new();
            writeln!(text, "needless: {kind}: {name}\n{diff}").unwrap();
            std::io::stderr().write_all(text.as_bytes()).unwrap();
        }
    }

    /// What `dtbuild plan --from --to` decides on each image.
    fn decisions(&self, before: &State, after: &State) -> BTreeMap<String, String> {
        let range = ["plan", "--from", &before.commit, "--to", &after.commit, "--json"];
        let plan = self.dtbuild.run(range).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let images = plan["images"].as_array().unwrap().iter();
        images.map(|image| (text(&image["name"]), text(&image["decision"]))).collect()
    }

    /// Whether an image of two commits differs in more than times. An engine that has forgotten a step, or that has
    /// several results of one step, makes or takes another image of the same.
    fn differs_in_content(&self, name: &str, before: &State, after: &State) -> bool {
        let [before, after] = [&before.commit, &after.commit].map(|commit| {
            self.history.repo.git(["checkout", "--quiet", "--detach", commit]);
            self.history.settle();
            self.bake.content(self.history.repo.root(), name)
        });
        self.history.repo.git(["checkout", "--quiet", "main"]);
        self.history.settle();
        before != after
    }

    /// Notes a commit that the program refuses, and whether the engine builds it.
    fn refused(&self, message: String, tally: &mut Tally) {
        let outcomes = self.bake.build(self.history.repo.root());
        if outcomes.values().all(|outcome| outcome.id.is_some()) {
            tally.built_though_refused.push(message);
        }
    }
}

async fn engine_version() -> String {
    let socket = variable("DOCKER_HOST");
    let engine = bollard::Docker::connect_with_unix(&socket, 60, bollard::API_DEFAULT_VERSION).unwrap();
    let engine = engine.negotiate_version().await.unwrap();
    engine.version().await.unwrap().version.unwrap_or_default()
}
