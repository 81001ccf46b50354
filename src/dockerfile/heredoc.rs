//! Heredocs: `<<EOF` and its kin after RUN, COPY and ADD. Start with [`Heredoc`].
//!
//! BuildKit finds heredocs by `^(\d*)<<(-?)\s*([^<]*)$` in the words of the line, split as a shell would split them
//! (`frontend/dockerfile/parser/parser.go`); a line whose words cannot be split has no heredocs.

use super::error::ParseReason;
use super::text::{Rules, Variable};
use super::words::split;

/// The announcement of a heredoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heredoc {
    /// The line that ends the heredoc.
    pub terminator: String,
    /// True if tabs before the terminator do not count: `<<-`.
    pub tabs: bool,
}

impl Heredoc {
    /// The heredoc that a word announces; none if the word announces none.
    pub(crate) fn of_word(word: &str) -> Result<Option<Self>, ParseReason> {
        let word_after_descriptor = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let Some(rest) = word_after_descriptor.strip_prefix("<<") else { return Ok(None) };
        let (tabs, rest) = match rest.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let name = rest.trim_start_matches(['\t', '\n', '\x0c', '\r', ' ']);
        if name.is_empty() || name.contains('<') {
            return Ok(None);
        }
        let rules = Rules { keep_unset: true, ..Rules::expanding('\\') };
        let mut words = split(name, rules, &mut |_| Variable::Unset)
            .map_err(|_| ParseReason::HeredocName(name.to_owned()))?;
        Ok(match (words.pop(), words.is_empty()) {
            (Some(terminator), true) => Some(Self { terminator, tabs }),
            _ => None,
        })
    }

    /// The heredocs that `line` announces, in order.
    pub(crate) fn of_line(line: &str) -> Result<Vec<Self>, ParseReason> {
        if !line.contains("<<") {
            return Ok(Vec::new());
        }
        let rules = Rules { raw_quotes: true, raw_escapes: true, keep_unset: true, ..Rules::expanding('\\') };
        let words = split(line, rules, &mut |_| Variable::Unset).unwrap_or_default();
        words.iter().filter_map(|word| Self::of_word(word).transpose()).collect()
    }

    /// True if `line`, without its line break, ends the heredoc.
    pub(crate) fn ends_at(&self, line: &str) -> bool {
        let line = if self.tabs { line.trim_start_matches('\t') } else { line };
        line == self.terminator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_announce_their_terminator() {
        let table: [(&str, &[(&str, bool)]); 22] = [
            ("RUN <<EOF", &[("EOF", false)]),
            ("RUN <<-EOF", &[("EOF", true)]),
            ("RUN <<'EOF'", &[("EOF", false)]),
            ("RUN <<\"EOF\"", &[("EOF", false)]),
            ("RUN <<-'EOF'", &[("EOF", true)]),
            ("RUN <<-\"EOF\"", &[("EOF", true)]),
            ("RUN << EOF", &[("EOF", false)]),
            ("RUN <<- EOF", &[]),
            ("RUN 3<<EOF", &[("EOF", false)]),
            ("RUN <<E'O'F", &[("EOF", false)]),
            ("RUN cat <<A <<-B > /x", &[("A", false), ("B", true)]),
            ("RUN cat <<A && cat <<\"B\"", &[("A", false), ("B", false)]),
            ("COPY <<a.txt <<b.txt /", &[("a.txt", false), ("b.txt", false)]),
            ("RUN cat <<<EOF", &[]),
            ("RUN a<<EOF", &[]),
            ("RUN echo '<<EOF'", &[]),
            ("RUN echo $((1<<2))", &[]),
            ("RUN echo it's <<EOF", &[]),
            ("RUN echo ${x@Q} <<EOF", &[]),
            ("RUN echo \\<<EOF", &[]),
            ("RUN <<$EOF", &[("$EOF", false)]),
            ("RUN python3 - <<PY | tee log", &[("PY", false)]),
        ];
        for (line, expected) in table {
            let found = Heredoc::of_line(line).unwrap();
            let found: Vec<_> = found.iter().map(|h| (h.terminator.as_str(), h.tabs)).collect();
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn tabs_before_the_terminator_count_unless_chomped() {
        let heredoc = |tabs| Heredoc { terminator: "EOF".to_owned(), tabs };
        assert!(heredoc(false).ends_at("EOF"));
        assert!(!heredoc(false).ends_at("\tEOF"));
        assert!(heredoc(true).ends_at("\t\tEOF"));
        assert!(!heredoc(true).ends_at(" EOF"));
    }
}
