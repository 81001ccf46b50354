//! The engines that a run may use. Start with [`Builder`]; [`Pool`] chooses the builder of an image.
//!
//! An image goes to the same builder each time, because that builder has the image's layers in its cache.
//! Each image ranks the builders by a hash of both names (rendezvous hashing), so a builder that comes or
//! goes moves only the images that rank it first. If the first builder is full or lost, the next in rank
//! builds. A lost builder is asked again, and builds again when it answers.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{ImageName, Platform};

/// An engine that a run may use, with its name and its limits.
#[derive(Debug)]
pub struct Builder<E> {
    /// The builder's name, for messages and for the ranking; no other builder of the run has this name.
    pub name: String,
    /// The engine that builds.
    pub engine: Arc<E>,
    /// The platforms that the builder builds for; empty for any platform.
    pub platforms: Vec<Platform>,
    /// The most builds that run on the builder at a time; at least 1.
    pub jobs: usize,
    /// False for a builder that did not answer yet.
    pub answers: bool,
}

/// Not derived, so that `E` need not be `Clone`: an engine is shared, never copied.
impl<E> Clone for Builder<E> {
    fn clone(&self) -> Self {
        let (name, engine) = (self.name.clone(), Arc::clone(&self.engine));
        Self { name, engine, platforms: self.platforms.clone(), jobs: self.jobs, answers: self.answers }
    }
}

/// The number of a builder: its place in the pool.
pub(super) type Number = usize;

/// The place where an image can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This builder, now.
    On(Number),
    /// Some builder, later: those that could build the image are full, or are lost and may come back.
    Later,
    /// No builder, whichever builds end.
    Nowhere,
}

/// The demands of an image on a builder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) image: &'a ImageName,
    pub(super) platforms: &'a [Platform],
    /// The builders that refused the image.
    pub(super) refused: Option<&'a BTreeSet<Number>>,
    /// The builders that were lost while they built the image, which may be the reason of their loss: the image goes
    /// back to them where no other builder answers.
    pub(super) lost_with: &'a [Number],
}

/// The builders of a run, with the number of builds that run on each.
#[derive(Debug)]
pub(super) struct Pool<E> {
    members: Vec<Member<E>>,
}

#[derive(Debug)]
struct Member<E> {
    builder: Builder<E>,
    running: usize,
    lost: bool,
    /// The number of questions to the builder since it was lost.
    asked: u32,
}

/// The number of questions to a lost builder for which images wait that no other builder can build. With the
/// pauses of [`Attempts`](super::Attempts) these take a quarter of a minute, as long as a lone engine is waited for.
const HOPE: u32 = 5;

impl<E> Pool<E> {
    pub(super) fn new(builders: Vec<Builder<E>>) -> Self {
        let member = |builder: Builder<E>| Member { lost: !builder.answers, builder, running: 0, asked: 0 };
        Self { members: builders.into_iter().map(member).collect() }
    }

    /// The place where `wish` can be built; if `among` is given, only that builder counts.
    pub(super) fn place(&self, wish: Wish<'_>, among: Option<Number>) -> Place {
        let mut able: Vec<Number> = self.able(wish).collect();
        if able.is_empty() {
            return if self.may_come_back(wish) { Place::Later } else { Place::Nowhere };
        }
        let is_trusted = |number: &Number| !wish.lost_with.contains(number);
        if able.iter().any(is_trusted) {
            able.retain(is_trusted);
        }
        let free = |number: &&Number| {
            let member = &self.members[**number];
            member.running < member.builder.jobs.max(1) && among.is_none_or(|only| only == **number)
        };
        let first = able.iter().filter(free).max_by_key(|number| self.rank(wish.image, **number));
        first.map_or(Place::Later, |number| Place::On(*number))
    }

    /// True if a builder other than `number` could build the image, now or when it comes back.
    pub(super) fn has_other(&self, wish: Wish<'_>, number: Number) -> bool {
        self.suited(wish).any(|(other, member)| other != number && member.asked <= HOPE)
    }

    /// True if a builder that is lost, but not for long, could build the image.
    pub(super) fn may_come_back(&self, wish: Wish<'_>) -> bool {
        self.suited(wish).any(|(_, member)| member.lost && member.asked <= HOPE)
    }

    fn able(&self, wish: Wish<'_>) -> impl Iterator<Item = Number> {
        self.suited(wish).filter(|(_, member)| !member.lost).map(|(number, _)| number)
    }

    /// The builders that could build the image if they answered.
    fn suited(&self, wish: Wish<'_>) -> impl Iterator<Item = (Number, &Member<E>)> {
        self.members.iter().enumerate().filter(move |(number, member)| {
            let known = &member.builder.platforms;
            let builds_for = known.is_empty() || wish.platforms.iter().all(|asked| known.contains(asked));
            builds_for && wish.refused.is_none_or(|refused| !refused.contains(number))
        })
    }

    /// The rank of a builder for an image; the highest rank is first. Equal hashes do not happen; the order
    /// is fixed all the same.
    fn rank(&self, image: &ImageName, number: Number) -> ([u8; 32], Reverse<Number>) {
        let mut hasher = blake3::Hasher::new_derive_key("dtbuild builder rank v1");
        hasher.update(image.as_str().as_bytes()).update(b"\0");
        hasher.update(self.members[number].builder.name.as_bytes());
        (*hasher.finalize().as_bytes(), Reverse(number))
    }

    pub(super) fn builder(&self, number: Number) -> &Builder<E> {
        &self.members[number].builder
    }

    /// True if the run has several builders, so that an image's builder is worth telling.
    pub(super) fn is_several(&self) -> bool {
        self.members.len() > 1
    }

    pub(super) fn started(&mut self, number: Number) {
        self.members[number].running += 1;
    }

    pub(super) fn ended(&mut self, number: Number) {
        self.members[number].running -= 1;
    }

    /// Gives no image to a builder until it is [found](Self::find); returns true if it was not lost before.
    pub(super) fn lose(&mut self, number: Number) -> bool {
        !std::mem::replace(&mut self.members[number].lost, true)
    }

    /// Gives images to a lost builder again.
    pub(super) fn find(&mut self, number: Number) {
        self.members[number].lost = false;
        self.members[number].asked = 0;
    }

    /// The builders that are lost.
    pub(super) fn lost(&self) -> Vec<Number> {
        (0..self.members.len()).filter(|number| self.members[*number].lost).collect()
    }

    /// Counts a question to a lost builder; returns the number of the questions before.
    pub(super) fn ask(&mut self, number: Number) -> u32 {
        let asked = &mut self.members[number].asked;
        *asked += 1;
        *asked - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(names: &[&str]) -> Pool<()> {
        let builder = |name: &&str| Builder {
            name: (*name).to_owned(),
            engine: Arc::new(()),
            platforms: Vec::new(),
            jobs: 1,
            answers: true,
        };
        Pool::new(names.iter().map(builder).collect())
    }

    fn first(pool: &Pool<()>, image: &ImageName) -> Option<String> {
        match pool.place(Wish { image, platforms: &[], refused: None, lost_with: &[] }, None) {
            Place::On(number) => Some(pool.builder(number).name.clone()),
            Place::Later | Place::Nowhere => None,
        }
    }

    fn images() -> Vec<ImageName> {
        (0..60).map(|number| format!("image-{number}").parse().unwrap()).collect()
    }

    #[test]
    fn an_image_goes_to_the_same_builder_whatever_the_order_of_the_list() {
        let (some, other) = (pool(&["a", "b", "c"]), pool(&["c", "a", "b"]));
        for image in images() {
            assert_eq!(first(&some, &image), first(&other, &image));
        }
    }

    #[test]
    fn images_are_spread_over_the_builders() {
        let pool = pool(&["a", "b", "c"]);
        for name in ["a", "b", "c"] {
            let share = images().iter().filter(|image| first(&pool, image).as_deref() == Some(name)).count();
            assert!((10..=30).contains(&share), "{name} has {share} of 60");
        }
    }

    #[test]
    fn a_builder_that_is_lost_moves_its_own_images_alone() {
        let (before, mut after) = (pool(&["a", "b", "c"]), pool(&["a", "b", "c"]));
        assert!(after.lose(1) && !after.lose(1));
        for image in images() {
            match first(&before, &image).as_deref() {
                Some("b") => assert_ne!(first(&after, &image).as_deref(), Some("b")),
                elsewhere => assert_eq!(first(&after, &image).as_deref(), elsewhere),
            }
        }
    }

    #[test]
    fn a_full_builder_is_passed_over_and_full_ones_are_waited_for() {
        let mut pool = pool(&["a", "b"]);
        let image: ImageName = "api".parse().unwrap();
        let wish = Wish { image: &image, platforms: &[], refused: None, lost_with: &[] };
        let Place::On(favourite) = pool.place(wish, None) else { panic!("a free builder") };
        pool.started(favourite);
        assert_eq!(pool.place(wish, None), Place::On(1 - favourite));
        assert_eq!(pool.place(wish, Some(favourite)), Place::Later);
        pool.started(1 - favourite);
        assert_eq!(pool.place(wish, None), Place::Later);
        pool.ended(favourite);
        assert_eq!(pool.place(wish, None), Place::On(favourite));
    }

    #[test]
    fn a_builder_that_was_lost_with_an_image_gets_it_last() {
        let mut pool = pool(&["a", "b"]);
        let image: ImageName = "api".parse().unwrap();
        let wish = Wish { image: &image, platforms: &[], refused: None, lost_with: &[0] };
        assert_eq!(pool.place(wish, None), Place::On(1));
        pool.started(1);
        assert_eq!(pool.place(wish, None), Place::Later);
        pool.lose(1);
        assert_eq!(pool.place(wish, None), Place::On(0));
    }

    #[test]
    fn only_builders_of_the_platforms_count() {
        let mut pool = pool(&["a", "b"]);
        let platform = |text: &str| Platform(text.to_owned());
        pool.members[0].builder.platforms = vec![platform("linux/amd64")];
        pool.members[1].builder.platforms = vec![platform("linux/amd64"), platform("linux/arm64")];
        let image: ImageName = "api".parse().unwrap();
        let arm = [platform("linux/arm64")];
        let wish = Wish { image: &image, platforms: &arm, refused: None, lost_with: &[] };
        assert_eq!(pool.place(wish, None), Place::On(1));
        let refused = BTreeSet::from([1]);
        assert_eq!(pool.place(Wish { refused: Some(&refused), ..wish }, None), Place::Nowhere);
    }

    #[test]
    fn a_lost_builder_is_waited_for_where_no_other_is_left_but_not_for_ever() {
        let mut pool = pool(&["a"]);
        let image: ImageName = "api".parse().unwrap();
        let wish = Wish { image: &image, platforms: &[], refused: None, lost_with: &[] };
        pool.lose(0);
        for asked in 0..=HOPE {
            assert_eq!(pool.place(wish, None), Place::Later);
            assert_eq!(pool.ask(0), asked);
        }
        assert_eq!(pool.place(wish, None), Place::Nowhere);
        pool.find(0);
        assert_eq!(pool.place(wish, None), Place::On(0));
    }
}
