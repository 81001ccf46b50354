//! A case that is changed again and again. Start with [`Chain`].
//!
//! What the engine built of a state stays in its cache, so a step that it finds there need not be one of the
//! state just before, and that could hide a difference. It cannot, because no path that is sent to a build and
//! no argument ever is again what it was before: a step that reads what has changed is new to the engine.

use std::collections::{BTreeMap, BTreeSet};

use dtbuild_content::tree::Kind;

use super::case::{Case, Leaf};
use super::context::sent;
use super::generate::{Features, Generator};
use super::mutation::Mutation;
use super::random::Random;

/// How many changes are drawn for one that fits.
const DRAWS: usize = 300;

/// A case, its key, and what it has been.
pub(super) struct Chain {
    pub(super) case: Case,
    pub(super) key: String,
    /// What each path that was ever sent, and each argument, has been; none for what was not there.
    past: BTreeMap<String, BTreeSet<Option<Leaf>>>,
}

impl Chain {
    pub(super) fn new(case: Case, key: String) -> Self {
        let known = |(name, leaf)| (name, BTreeSet::from([Some(leaf)]));
        let past = state(&case).into_iter().map(known).collect();
        Self { case, key, past }
    }

    /// A change of the case, and the case after it, which `fits`; none where there seems to be none.
    pub(super) fn change(
        &mut self,
        random: &mut Random,
        fits: &mut dyn FnMut(&Case) -> bool,
    ) -> Option<(Mutation, Case)> {
        let now = state(&self.case);
        for _ in 0..DRAWS {
            let Some((mutation, after)) = Mutation::draw(&self.case, random) else { continue };
            let next = state(&after);
            if self.was_never(&now, &next) && fits(&after) {
                self.remember(&next);
                return Some((mutation, after));
            }
        }
        None
    }

    /// Whether all that differs is what it never was.
    fn was_never(&self, now: &BTreeMap<String, Leaf>, next: &BTreeMap<String, Leaf>) -> bool {
        let mut names = now.keys().chain(next.keys());
        names.all(|name| {
            let leaf = next.get(name);
            let known = || self.past.get(name).is_some_and(|past| past.contains(&leaf.cloned()));
            now.get(name) == leaf || !known()
        })
    }

    fn remember(&mut self, state: &BTreeMap<String, Leaf>) {
        for name in state.keys() {
            self.past.entry(name.clone()).or_insert_with(|| BTreeSet::from([None]));
        }
        for (name, past) in &mut self.past {
            past.insert(state.get(name).cloned());
        }
    }
}

/// What is sent to a build of the case, and its arguments.
fn state(case: &Case) -> BTreeMap<String, Leaf> {
    // No path holds a NUL.
    let argument = |(name, value): (&String, &String)| (format!("\0{name}"), (Kind::File, value.clone()));
    sent(case).into_iter().chain(case.arguments.iter().map(argument)).collect()
}

#[test]
fn nothing_is_again_what_it_was() {
    let mut random = Random(3);
    let case = loop {
        let mut generator = Generator { random: &mut random, features: Features::default(), blank: false };
        let case = generator.case("k0");
        if case.tree.len() > 5 {
            break case;
        }
    };
    let mut chain = Chain::new(case, String::new());
    let mut states = vec![state(&chain.case)];
    while states.len() < 40
        && let Some((_, after)) = chain.change(&mut random, &mut |_| true)
    {
        states.push(state(&after));
        chain.case = after;
    }
    assert!(states.len() > 20, "{}", states.len());
    for (place, pair) in states.windows(2).enumerate() {
        let names: BTreeSet<&String> = pair.iter().flat_map(BTreeMap::keys).collect();
        for name in names.into_iter().filter(|name| pair[0].get(*name) != pair[1].get(*name)) {
            let again = states[..=place].iter().any(|state| state.get(name) == pair[1].get(name));
            assert!(!again, "{name} at change {place}");
        }
    }
}
