//! `dtbuild inputs`: the files that an image's key covers.

use std::collections::BTreeSet;

use super::print;
use crate::cli::{Global, InputsArgs};
use crate::clients::Clients;
use crate::error::Result;
use crate::gather::{Bases, Part, Sources};
use crate::ui::inputs::{ContextView, InputsView, write_inputs, write_inputs_json};
use crate::workspace::Workspace;

/// Runs `dtbuild inputs`.
pub(super) fn inputs(global: &Global, args: &InputsArgs) -> Result<u8> {
    let workspace = Workspace::at(global, &args.files)?;
    workspace.check_images([&args.image])?;
    let clients = Clients::default();
    let roots = BTreeSet::from([args.image.clone()]);
    let sources = Sources::read(&workspace, &mut Bases::locked(&clients, &workspace), &roots)?;
    let source = &sources.images[&args.image];
    let selections = source.contexts.select(&workspace.repository, source.files)?;
    let parts = source.contexts.parts(&workspace.repository, source.files, &selections)?;
    let context = |part: &'_ Part<'_>| ContextView {
        name: part.name.map(str::to_owned),
        folder: part.folder.to_owned(),
        whole: part.whole,
        digest: part.digest.to_owned(),
        entries: std::sync::Arc::clone(&part.snapshot.entries),
    };
    let mut notes = source.notes(&selections);
    notes.extend(source.stale_notes());
    let view = InputsView {
        image: &args.image,
        files: source.files.to_string(),
        contexts: parts.iter().map(context).collect(),
        notes,
    };
    print(
        |out, styled| {
            if global.json { write_inputs_json(out, &view) } else { write_inputs(out, &view, styled) }
        },
    )?;
    Ok(0)
}
