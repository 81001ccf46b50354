//! A Dockerfile whose images are pinned: the same lines, other names. Start with [`Pinned`].
//!
//! A build of such a file takes exactly the images whose digests its key was made from, on engines that cannot be told
//! the digests in another way.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::analysis::Analysis;
use super::file::Dockerfile;

/// The parts of a word, as offsets that can be ordered.
type Place = Vec<(usize, usize)>;

/// The names that a word stands for, each with true if the name is that of a settled stage.
type Names<'a> = BTreeSet<(&'a str, bool)>;

/// The result of pinning a file's images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The file's bytes, with as many lines as before.
    pub source: Vec<u8>,
    /// The names that were to be replaced, and could not be.
    pub unpinned: Vec<Unpinned>,
}

/// A name that could not be replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unpinned {
    /// The line of the instruction.
    pub line: usize,
    /// The names that the word stands for: one, or one per platform.
    pub names: Vec<String>,
    /// The reason of the failure.
    pub reason: String,
}

/// The error for a replacement that no Dockerfile can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{reference}` cannot stand for `{name}` in a Dockerfile; give a name with a digest or a tag")]
pub struct PinError {
    /// The image's name.
    pub name: String,
    /// The reference that was to replace the name.
    pub reference: String,
}

impl Dockerfile {
    /// Replaces the images that the analysed stages use, in FROM, `--from` and mounts.
    ///
    /// `analyses` are those of this file, one per platform; `replacements` go from the expanded name, as
    /// [`Base::name`](super::Base::name) has it (or, for a dependency, as the file writes it, and for a context, its
    /// [`context_word`]), to a reference.
    /// A name without a replacement stays as it is, and so does every other byte.
    pub fn pinned(
        &self,
        analyses: &[&Analysis],
        replacements: &BTreeMap<String, String>,
    ) -> Result<Pinned, PinError> {
        let mut words: BTreeMap<(usize, Place), Names<'_>> = BTreeMap::new();
        for word in analyses.iter().flat_map(|analysis| &analysis.words) {
            let place = word.place.iter().map(|part| (part.start, part.end)).collect();
            words.entry((word.line, place)).or_default().insert((&word.name, word.settled));
        }
        let mut edits = BTreeMap::new();
        let mut unpinned = Vec::new();
        for ((line, place), names) in words {
            match decide(&names, &place, replacements)? {
                Decision::Keep => {}
                Decision::Replace(reference) => edit(&place, reference, &mut edits),
                Decision::Refuse(reason) => {
                    let names = names.into_iter().map(|(name, _)| name.to_owned()).collect();
                    unpinned.push(Unpinned { line, names, reason: reason.to_owned() });
                }
            }
        }
        Ok(Pinned { source: self.apply(&edits), unpinned })
    }

    fn apply(&self, edits: &BTreeMap<(usize, usize), &str>) -> Vec<u8> {
        let mut source = Vec::with_capacity(self.source.len() + 80 * edits.len());
        let mut copied = 0;
        for ((start, end), text) in edits {
            source.extend_from_slice(&self.source[copied..*start]);
            source.extend_from_slice(text.as_bytes());
            copied = *end;
        }
        source.extend_from_slice(&self.source[copied..]);
        source
    }
}

/// Adds the edits that replace a word. The word's last part takes the reference, because a line that is left empty
/// would end its continuation.
fn edit<'r>(place: &[(usize, usize)], reference: &'r str, edits: &mut BTreeMap<(usize, usize), &'r str>) {
    for (number, part) in place.iter().enumerate() {
        edits.insert(*part, if number + 1 == place.len() { reference } else { "" });
    }
}

enum Decision<'r> {
    Keep,
    Replace(&'r str),
    Refuse(&'static str),
}

fn decide<'r>(
    names: &Names<'r>,
    place: &[(usize, usize)],
    replacements: &'r BTreeMap<String, String>,
) -> Result<Decision<'r>, PinError> {
    let mut wanted: BTreeSet<Option<&str>> = BTreeSet::new();
    // Stages that differ by platform stay words with variables.
    let settled = names.iter().all(|(_, settled)| *settled);
    for (name, is_stage) in names {
        let reference = if *is_stage { Some(*name) } else { replacements.get(*name).map(String::as_str) };
        if let Some(reference) = reference.filter(|reference| !is_writable(reference)) {
            return Err(PinError { name: (*name).to_owned(), reference: reference.to_owned() });
        }
        wanted.insert(reference);
    }
    if settled && (wanted.len() > 1 || place.is_empty()) {
        return Ok(Decision::Keep);
    }
    Ok(match (wanted.len(), wanted.pop_first().flatten()) {
        (1, None) => Decision::Keep,
        (1, Some(_)) if place.is_empty() => {
            Decision::Refuse("its place in the file cannot be told, or it stands in a base image's ONBUILD")
        }
        (1, Some(reference)) => Decision::Replace(reference),
        _ => Decision::Refuse("it stands for several images, one per platform"),
    })
}

/// True if `reference` is read as it is written, wherever it stands.
fn is_writable(reference: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:/@[]+".contains(c);
    !reference.is_empty() && !reference.starts_with('-') && reference.chars().all(allowed)
}
