//! The flags of instructions: `--from=a --link`. Start with [`Flags`].
//!
//! The splitting follows BuildKit's `frontend/dockerfile/parser/split_command.go`, the checks
//! `frontend/dockerfile/instructions/bflag.go`. A flag that is not known is kept and reported, not refused:
//! a newer frontend may know it.

use std::ops::Range;

use super::error::ParseReason;

/// The flags of one instruction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    flags: Vec<Flag>,
    /// The names of flags that the instruction does not have, as far as is known here.
    pub unknown: Vec<String>,
}

/// One flag.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// The flag's name, without the dashes.
    pub name: String,
    /// The flag's value, quotes and escapes taken off.
    pub value: Option<Value>,
}

/// A flag's value, each character with its place in the line.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    chars: Vec<Cooked>,
    /// The place in the line of the value as it is written.
    raw: Range<usize>,
    /// True if a quote is open where the value starts.
    quoted: bool,
}

#[derive(Clone, Debug)]
struct Cooked {
    c: char,
    raw: Range<usize>,
    quoted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Boolean,
    Texts,
}

impl Value {
    /// The text of the value.
    pub(crate) fn text(&self) -> String {
        self.chars.iter().map(|cooked| cooked.c).collect()
    }

    /// The characters of the value's text.
    pub(crate) fn chars(&self) -> Vec<char> {
        self.chars.iter().map(|cooked| cooked.c).collect()
    }

    /// The place of the whole value in the line, if the value can be replaced there.
    pub(crate) fn written(&self) -> Option<Range<usize>> {
        (!self.quoted).then(|| self.raw.clone())
    }

    /// The place in the line of `part` of the characters, if the part can be replaced there: no quote opens or closes
    /// in one half only.
    pub(crate) fn written_part(&self, part: Range<usize>) -> Option<Range<usize>> {
        let (first, last) = (self.chars.get(part.start)?, self.chars.get(part.end.checked_sub(1)?)?);
        (first.quoted == last.quoted).then_some(first.raw.start..last.raw.end)
    }
}

impl Flags {
    /// Takes the flags off `line` from `start`; returns them with the offset at which the rest begins.
    pub(crate) fn split(line: &str, start: usize, escape: char) -> (Self, usize) {
        let mut flags = Vec::new();
        let mut at = start;
        loop {
            let rest = &line[at..];
            at += rest.len() - rest.trim_start().len();
            if !line[at..].starts_with("--") {
                return (Self { flags, unknown: Vec::new() }, at);
            }
            let (word, end) = word(line, at, escape);
            at = end;
            if word.iter().map(|cooked| cooked.c).eq("--".chars()) {
                return (Self { flags, unknown: Vec::new() }, at);
            }
            flags.push(Flag::new(&word, end));
        }
    }

    /// Checks the flags against those that the instruction `keyword` has.
    pub(crate) fn check(&mut self, keyword: &str) -> Result<(), ParseReason> {
        let Some(known) = known(keyword) else { return Ok(()) };
        let mut seen: Vec<&str> = Vec::new();
        for flag in &self.flags {
            let name = flag.name.as_str();
            let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
                self.unknown.push(name.to_owned());
                continue;
            };
            if *kind != Kind::Texts && seen.contains(&name) {
                return Err(ParseReason::RepeatedFlag(name.to_owned()));
            }
            seen.push(name);
            match (&flag.value, kind) {
                (None, Kind::Boolean) => {}
                (None, _) => return Err(ParseReason::FlagValue(name.to_owned())),
                (Some(value), Kind::Boolean) => check_boolean(name, &value.text())?,
                (Some(_), _) => {}
            }
        }
        Ok(())
    }

    /// The first value of the flag `name`.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.values(name).next()
    }

    /// The values of the flag `name`, which may be given more than once.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.flags.iter().filter(move |flag| flag.name == name).filter_map(|flag| flag.value.as_ref())
    }

    /// True if the flag `name` is given, and not as `false`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| {
            let denied = flag.value.as_ref().is_some_and(|v| v.text().eq_ignore_ascii_case("false"));
            flag.name == name && !denied
        })
    }
}

impl Flag {
    fn new(word: &[Cooked], end: usize) -> Self {
        let equals = word.iter().position(|cooked| cooked.c == '=');
        let name = word.iter().take(equals.unwrap_or(word.len())).skip(2).map(|cooked| cooked.c).collect();
        let value = equals.and_then(|at| word.get(at)).map(|sign| Value {
            chars: word.iter().skip_while(|cooked| cooked.raw.start <= sign.raw.start).cloned().collect(),
            raw: sign.raw.end..end,
            quoted: sign.quoted,
        });
        Self { name, value }
    }
}

/// The word at `start`, quotes and escapes taken off, and the offset of its end.
fn word(line: &str, start: usize, escape: char) -> (Vec<Cooked>, usize) {
    let mut word = Vec::new();
    let mut quote = None;
    let mut chars = line[start..].char_indices().map(|(at, c)| (start + at, c));
    while let Some((at, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return (word, at),
            None if matches!(c, '\'' | '"') => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {
                // An escape at the very end escapes nothing.
                let escaped = if c == escape { chars.next() } else { Some((at, c)) };
                let Some((last, c)) = escaped else { break };
                let raw = at..last + c.len_utf8();
                let quoted = quote.is_some();
                // BuildKit reads flags byte by byte, and takes each byte for a character.
                let bytes = c.encode_utf8(&mut [0; 4]).bytes().map(char::from).collect::<Vec<_>>();
                word.extend(bytes.into_iter().map(|c| Cooked { c, raw: raw.clone(), quoted }));
            }
        }
    }
    (word, line.len())
}

fn check_boolean(name: &str, value: &str) -> Result<(), ParseReason> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "false" => Ok(()),
        "" => Err(ParseReason::FlagValue(name.to_owned())),
        _ => Err(ParseReason::NotBoolean { name: name.to_owned(), value: value.to_owned() }),
    }
}

/// The flags that the instruction `keyword` has; none where BuildKit does not look at flags.
fn known(keyword: &str) -> Option<&'static [(&'static str, Kind)]> {
    Some(match keyword {
        "ARG" | "STOPSIGNAL" => return None,
        "FROM" => &[("platform", Kind::Text)],
        "COPY" => &[
            ("from", Kind::Text),
            ("chown", Kind::Text),
            ("chmod", Kind::Text),
            ("link", Kind::Boolean),
            ("exclude", Kind::Texts),
            ("parents", Kind::Boolean),
        ],
        "ADD" => &[
            ("chown", Kind::Text),
            ("chmod", Kind::Text),
            ("link", Kind::Boolean),
            ("keep-git-dir", Kind::Boolean),
            ("checksum", Kind::Text),
            ("unpack", Kind::Boolean),
            ("exclude", Kind::Texts),
        ],
        "RUN" => &[
            ("mount", Kind::Texts),
            ("network", Kind::Text),
            ("security", Kind::Text),
            ("device", Kind::Texts),
        ],
        "HEALTHCHECK" => &[
            ("interval", Kind::Text),
            ("timeout", Kind::Text),
            ("start-period", Kind::Text),
            ("start-interval", Kind::Text),
            ("retries", Kind::Text),
        ],
        _ => &[],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> (Vec<(String, Option<String>)>, &str) {
        let (flags, rest) = Flags::split(line, 0, '\\');
        let pairs = flags.flags.iter().map(|f| (f.name.clone(), f.value.as_ref().map(Value::text)));
        (pairs.collect(), &line[rest..])
    }

    #[test]
    fn flags_stand_before_the_words() {
        let (found, rest) = flags("--from=a --link b --c");
        assert_eq!(found, [("from".to_owned(), Some("a".to_owned())), ("link".to_owned(), None)]);
        assert_eq!(rest, "b --c");
        assert_eq!(flags("-- --from=a b"), (vec![], " --from=a b"));
    }

    #[test]
    fn quotes_and_escapes_are_taken_off() {
        let table = [
            ("--from=\"a b\" c", "a b"),
            ("--from='a\"b' c", "a\"b"),
            ("--from=a\\ b c", "a b"),
            ("--from=a\"b\"c d", "abc"),
            ("--from= c", ""),
            ("--from=\u{e9} c", "\u{c3}\u{a9}"),
        ];
        for (line, value) in table {
            assert_eq!(flags(line).0[0].1.as_deref(), Some(value), "{line}");
        }
    }

    #[test]
    fn values_know_where_they_are_written() {
        let line = "--mount=\"type=bind,from=go\" x";
        let (flags, _) = Flags::split(line, 0, '\\');
        let value = flags.value("mount").unwrap();
        assert_eq!(&line[value.written().unwrap()], "\"type=bind,from=go\"");
        assert_eq!(&line[value.written_part(15..17).unwrap()], "go");
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let (mut flags, _) = Flags::split("--new=1 --from=a x", 0, '\\');
        flags.check("COPY").unwrap();
        assert_eq!(flags.unknown, ["new"]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let table = [
            ("--from=a --from=b x", ParseReason::RepeatedFlag("from".to_owned())),
            ("--from x", ParseReason::FlagValue("from".to_owned())),
            ("--link= x", ParseReason::FlagValue("link".to_owned())),
            ("--link=yes x", ParseReason::NotBoolean { name: "link".to_owned(), value: "yes".to_owned() }),
        ];
        for (line, reason) in table {
            assert_eq!(Flags::split(line, 0, '\\').0.check("COPY"), Err(reason), "{line}");
        }
        assert_eq!(Flags::split("--exclude=a --exclude=b x", 0, '\\').0.check("COPY"), Ok(()));
    }
}
