//! `dtbuild inputs`: the files that an image's key covers. Start with [`inputs`].

use std::sync::Arc;

use bstr::BString;

use super::options;
use crate::cli::{Global, InputsArgs};
use crate::clients::Clients;
use crate::engine::proxies;
use crate::error::Result;
use crate::gather::{self, Part};
use crate::ui;
use crate::ui::inputs::{ContextView, InputsView};

/// Runs `dtbuild inputs`.
pub(super) async fn inputs(global: &Global, args: &InputsArgs) -> Result<u8> {
    let workspace = options::workspace(global, &args.files)?;
    let inputs = gather::ImageInputs::find(&options::asking(args.offline), &workspace, &args.image).await?;
    let context = |part: Part<'_>| ContextView {
        name: part.name.map(str::to_owned),
        folder: part.folder.to_owned(),
        whole: part.whole,
        digest: part.digest.to_owned(),
        entries: Arc::clone(&part.snapshot.entries),
    };
    let view = InputsView {
        image: &args.image,
        files: inputs.files().to_string(),
        contexts: inputs.parts(&workspace)?.into_iter().map(context).collect(),
        paths: inputs.paths(&workspace)?.map(|paths| ContextView {
            name: None,
            folder: BString::default(),
            whole: false,
            digest: String::new(),
            entries: paths.entries,
        }),
        notes: inputs.notes().into_iter().chain(proxies::note(&Clients::engine_name())).collect(),
    };
    ui::print(&view, global.format())?;
    Ok(0)
}
