//! Values of options that are more than a word: how clap reads them.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::engine::{Archive, ArchiveKind};
use crate::ui::ProgressMode;

impl ValueEnum for ProgressMode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Tty, Self::Plain, Self::RawJson, Self::Quiet]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Auto => ("auto", "Bars on a terminal, else plain lines"),
            Self::Tty => ("tty", "Bars: one line per image, redrawn"),
            Self::Plain => ("plain", "Lines, one after the other: for CI"),
            Self::RawJson => ("rawjson", "One JSON object per line and event: for programs"),
            Self::Quiet => ("quiet", "Failures only"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// Reads `type=oci,dest=FILE`, as `docker buildx build --output` does.
pub(super) fn archive(text: &str) -> Result<Archive, String> {
    let mut kind = None;
    let mut path = None;
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("type", "oci")) => kind = Some(ArchiveKind::Oci),
            Some(("type", "docker")) => kind = Some(ArchiveKind::Docker),
            Some(("dest", file)) if !file.is_empty() => path = Some(PathBuf::from(file)),
            _ => return Err(format!("`{field}` is neither `type=oci`, `type=docker` nor `dest=FILE`")),
        }
    }
    match (kind, path) {
        (Some(kind), Some(path)) => Ok(Archive { kind, path }),
        _ => Err("expected `type=oci,dest=FILE` or `type=docker,dest=FILE`".to_owned()),
    }
}
