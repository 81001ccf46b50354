//! The value of `RUN --mount=`: comma-separated fields. Start with [`Fields`].
//!
//! The format is one line of CSV, read as BuildKit's `frontend/dockerfile/instructions/commands_runmount.go`
//! reads it.

use std::ops::Range;

/// The fields of a mount, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields(Vec<Field>);

/// One field: `key=value`, or the key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The key, in lower case.
    pub key: String,
    /// The value, not yet expanded.
    pub value: Option<String>,
    /// The place of the field's value among the characters of the flag's value.
    pub place: Range<usize>,
}

impl Fields {
    /// Splits a flag's value into fields; none if the value is no line of CSV.
    pub(crate) fn new(chars: &[char]) -> Option<Self> {
        let mut fields = Vec::new();
        let mut at = 0;
        if chars.is_empty() {
            return None;
        }
        loop {
            let (text, start, next) = match chars.get(at) {
                Some('"') => quoted(chars, at + 1)?,
                _ => bare(chars, at)?,
            };
            fields.push(Field::new(&text, start));
            match next {
                Some(next) => at = next,
                None => return Some(Self(fields)),
            }
        }
    }

    /// The fields, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// The field that names the origin of the mount: the last `from` with a value.
    pub(crate) fn from(&self) -> Option<&Field> {
        self.0.iter().rfind(|field| field.key == "from" && field.value.is_some())
    }
}

impl Field {
    fn new(text: &[char], start: usize) -> Self {
        let equals = text.iter().position(|c| *c == '=');
        let key: String = text.iter().take(equals.unwrap_or(text.len())).collect();
        let value = equals.map(|at| text[at + 1..].iter().collect());
        let first = start + equals.map_or(text.len(), |at| at + 1);
        Self { key: key.to_lowercase(), value, place: first..start + text.len() }
    }
}

type Part = (Vec<char>, usize, Option<usize>);

fn bare(chars: &[char], at: usize) -> Option<Part> {
    let end = chars[at..].iter().position(|c| *c == ',').map_or(chars.len(), |comma| at + comma);
    let text = chars[at..end].to_vec();
    (!text.contains(&'"')).then_some((text, at, (end < chars.len()).then_some(end + 1)))
}

fn quoted(chars: &[char], start: usize) -> Option<Part> {
    let mut text = Vec::new();
    let mut at = start;
    loop {
        let c = *chars.get(at)?;
        let next = chars.get(at + 1);
        at += 1;
        match (c, next) {
            ('"', Some('"')) => {
                text.push('"');
                at += 1;
            }
            ('"', Some(',')) => return Some((text, start, Some(at + 1))),
            ('"', None) => return Some((text, start, None)),
            ('"', Some(_)) => return None,
            (c, _) => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Option<Vec<(String, Option<String>)>> {
        let chars: Vec<char> = text.chars().collect();
        let fields = Fields::new(&chars)?;
        Some(fields.iter().map(|field| (field.key.clone(), field.value.clone())).collect())
    }

    fn pair(key: &str, value: Option<&str>) -> (String, Option<String>) {
        (key.to_owned(), value.map(str::to_owned))
    }

    #[test]
    fn fields_are_a_line_of_csv() {
        assert_eq!(
            fields("type=bind,Source=a=b,ro"),
            Some(vec![pair("type", Some("bind")), pair("source", Some("a=b")), pair("ro", None)])
        );
        assert_eq!(fields("\"source=a,b\",rw"), Some(vec![pair("source", Some("a,b")), pair("rw", None)]));
        assert_eq!(fields("\"source=a\"\"b\""), Some(vec![pair("source", Some("a\"b"))]));
        assert_eq!(fields("a,"), Some(vec![pair("a", None), pair("", None)]));
        for wrong in ["", "source=\"a\"", "\"source=a", "\"a\"b"] {
            assert_eq!(fields(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_last_from_counts_and_knows_its_place() {
        let text: Vec<char> = "from=a,type=bind,from=bc".chars().collect();
        let fields = Fields::new(&text).unwrap();
        let from = fields.from().unwrap();
        assert_eq!(text[from.place.clone()].iter().collect::<String>(), "bc");
    }
}
