//! What a history showed. Start with [`Tally`].

use std::collections::BTreeMap;
use std::fmt;

/// The figures of a history.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Commits that were compared with the one before.
    pub(super) commits: usize,
    /// Commits by their kind.
    pub(super) kinds: BTreeMap<&'static str, usize>,
    /// Pairs of an image at a commit and at the one before.
    pub(super) pairs: usize,
    /// Pairs of which BuildKit makes two images, or runs a step.
    pub(super) different: usize,
    /// Pairs with two keys and one image, by the commit's kind and the fields of the key.
    pub(super) needless: BTreeMap<String, usize>,
    /// Pairs with two keys and one image because `paths` says so.
    pub(super) declared: usize,
    /// Pairs with one key and two images, whose contents were compared.
    pub(super) suspects: usize,
    /// Missed rebuilds: of those, the ones whose contents differ.
    pub(super) missed: Vec<String>,
    /// Commits that the program refuses, or of which the engine builds not all.
    pub(super) broken: usize,
    /// Of those, commits that the program refuses and the engine builds.
    pub(super) built_though_refused: Vec<String>,
}

/// The fields of a key.
pub(super) type Fields = serde_json::Map<String, serde_json::Value>;

impl Tally {
    /// Counts a pair with two keys and one image.
    pub(super) fn needless(&mut self, kind: &str, image: &str, old: &Fields, new: &Fields) {
        let fields = new.iter().filter(|(field, value)| old.get(*field) != Some(value));
        let fields: Vec<&str> = fields.map(|(field, _)| field.as_str()).collect();
        if fields == ["paths"] {
            self.declared += 1;
        } else {
            *self.needless.entry(format!("{kind}: {image}: {}", fields.join(", "))).or_default() += 1;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, pairs, different, suspects, declared, broken, .. } = self;
        let needless: usize = self.needless.values().sum();
        let hundredths = needless * 10_000 / (*pairs).max(1);
        writeln!(
            formatter,
            "{commits} commits, {pairs} images of them: {different} other than before; missed rebuilds {} ({suspects} images were made \
             again and compared by content), needless ones {needless} ({}.{:02} %), {declared} more by `paths`; {broken} commits that cannot be built, {} of \
             them by dtbuild alone",
            self.missed.len(),
            hundredths / 100,
            hundredths % 100,
            self.built_though_refused.len()
        )?;
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        writeln!(formatter, "  {}", kinds.join(", "))?;
        self.needless
            .iter()
            .try_for_each(|(class, count)| writeln!(formatter, "  needless: {class}: {count}"))?;
        let mut refused = self.built_though_refused.iter();
        refused.try_for_each(|message| writeln!(formatter, "  refused, but built: {message}"))
    }
}
