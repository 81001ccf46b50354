//! The path of a source, component by component. Start with [`Pattern`].

use bstr::{BStr, BString, ByteSlice};

use super::wildcard::Wildcard;
use super::{Reading, Source};

/// The path of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    reading: Reading,
    pub(super) components: Vec<Component>,
}

/// One component of a source's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Component {
    /// This name.
    Name(BString),
    /// Any name that matches. The text itself counts too, since not every reader takes a lone `\` for an escape.
    Wildcard(Wildcard, BString),
    /// `**` of `COPY --parents`: any number of components, none included.
    Any,
    /// A component of which it cannot be told what it matches.
    Unknown,
}

impl Component {
    /// True if the component is a plain name to every reader.
    fn is_plain(&self) -> bool {
        matches!(self, Self::Name(name) if name.find_byteset(br"*?[\").is_none())
    }

    pub(super) fn matches(&self, name: &BStr) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Wildcard(wildcard, text) => wildcard.matches(name) || text == name,
            Self::Any | Self::Unknown => true,
        }
    }
}

impl Pattern {
    pub(super) fn new(source: &Source) -> Self {
        let component = match source.reading {
            Reading::Literal => |text: &str| Component::Name(text.into()),
            Reading::Wildcards => wildcard,
            Reading::Parents => parents,
        };
        let names = source.path.split('/').filter(|name| !matches!(*name, "" | "."));
        // A pattern that starts like this is not a path to moby's matcher.
        if source.reading == Reading::Parents && source.path.starts_with(['!', ' ', '\t']) {
            return Self { reading: source.reading, components: vec![Component::Unknown] };
        }
        Self { reading: source.reading, components: names.map(component).collect() }
    }

    /// True if the pattern names one path: no reader finds a wildcard in it.
    pub(super) fn is_plain(&self) -> bool {
        self.components.iter().all(Component::is_plain)
    }

    /// True if the pattern names one folder and then has a wildcard, which every reader looks for in that
    /// folder.
    pub(super) fn needs_folder(&self) -> bool {
        let rest = self.components.iter().find(|component| !component.is_plain());
        let is_wildcard = |text: &BString| text.find_byteset(b"*?[").is_some() && !text.contains(&b'\\');
        self.reading == Reading::Wildcards
            && matches!(rest, Some(Component::Wildcard(_, text)) if is_wildcard(text))
    }

    /// True if the pattern matches `path`, a folder above it, or a path below it.
    pub(super) fn concerns(&self, path: &BStr) -> bool {
        concerns(&self.components, &path.split_str("/").map(BStr::new).collect::<Vec<_>>(), true)
    }
}

/// True if `names` are a path that the components match, or a path below or on the way to one. `above` is
/// true if a path that ends before the components do counts as a path on the way.
fn concerns(components: &[Component], names: &[&BStr], above: bool) -> bool {
    match (components, names) {
        ([] | [Component::Unknown, ..], _) => true,
        ([Component::Any, rest @ ..], _) => {
            concerns(rest, names, false) || (!names.is_empty() && concerns(components, &names[1..], false))
        }
        (_, []) => above,
        ([component, components @ ..], [name, names @ ..]) => {
            component.matches(name) && concerns(components, names, above)
        }
    }
}

fn wildcard(text: &str) -> Component {
    if !text.contains(['*', '?', '[', '\\']) {
        return Component::Name(text.into());
    }
    Wildcard::parse(text).map_or(Component::Unknown, |wildcard| Component::Wildcard(wildcard, text.into()))
}

/// Reads a component that moby's patterns and Go's wildcards read alike; any other is unknown.
fn parents(text: &str) -> Component {
    if text == "**" {
        return Component::Any;
    }
    let special = text.contains(['[', ']', '\\', '{', '}', '|', '^', '(', ')', '+', '$']);
    if special || text.contains("**") || text.trim() != text { Component::Unknown } else { wildcard(text) }
}
