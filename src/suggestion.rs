//! Suggestions for a word that is not known, such as a mistyped name. Start with [`nearest`].

/// The candidate that is most like `word`; none if no candidate is like `word` at all.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    // In short words two letters that changed places leave little alike.
    let one_slip = |candidate: &str| word.len() > 2 && strsim::osa_distance(word, candidate) == 1;
    let likeness = |candidate: &str| {
        let likeness = strsim::jaro_winkler(word, candidate);
        if one_slip(candidate) { likeness.max(ALIKE) } else { likeness }
    };
    candidates
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let words = ["FROM", "RUN", "COPY", "WORKDIR", "production", "src"];
        for (word, meant) in [
            ("FORM", Some("FROM")),
            ("COPPY", Some("COPY")),
            ("WORKDR", Some("WORKDIR")),
            ("prod", Some("production")),
            ("scr", Some("src")),
            ("SHIP", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words.into_iter()), meant, "{word}");
        }
        assert_eq!(nearest("a", std::iter::empty()), None);
    }
}
