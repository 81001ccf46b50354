//! `dtbuild inputs`: the files that an image's key covers.

use std::collections::BTreeSet;

use super::edges::Edges;
use super::gather::{Bases, Sources};
use super::print;
use super::workspace::Workspace;
use crate::cli::{Global, InputsArgs};
use crate::error::Result;
use crate::ui::inputs::{InputsView, write_inputs, write_inputs_json};

/// Runs `dtbuild inputs`.
pub(super) fn inputs(global: &Global, args: &InputsArgs) -> Result<u8> {
    let workspace = Workspace::at(global, &args.files)?;
    workspace.check_images([&args.image])?;
    let edges = Edges::default();
    let roots = BTreeSet::from([args.image.clone()]);
    let sources = Sources::read(&workspace, &mut Bases::locked(&edges, &workspace), &roots)?;
    let source = &sources.images[&args.image];
    let image = (&args.image, source.declared(&workspace.config)?);
    let selected = source.inputs.select(&workspace.repository, source.files, image)?;
    let snapshot = source.inputs.snapshot(&workspace.repository, source.files, &selected.selection, image)?;
    let mut notes = source.notes(&selected.selection);
    notes.extend(source.stale_notes());
    let view = InputsView {
        image: &args.image,
        context: &image.1.context,
        files: source.files.to_string(),
        whole: selected.selection.is_whole(),
        digest: selected.digest.to_string(),
        entries: &snapshot.entries,
        notes,
    };
    print(
        |out, styled| {
            if global.json { write_inputs_json(out, &view) } else { write_inputs(out, &view, styled) }
        },
    )?;
    Ok(0)
}
