//! What somebody meant who wrote a word that is not known. Start with [`nearest`].

/// The candidate that is most like `word`, if any is like it at all.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let words = ["FROM", "RUN", "COPY", "WORKDIR", "production"];
        for (word, meant) in [
            ("FORM", Some("FROM")),
            ("COPPY", Some("COPY")),
            ("WORKDR", Some("WORKDIR")),
            ("prod", Some("production")),
            ("SHIP", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words.into_iter()), meant, "{word}");
        }
        assert_eq!(nearest("a", std::iter::empty()), None);
    }
}
