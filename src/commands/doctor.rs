//! `dtbuild doctor`: a look at all that a run needs, before it is needed. Start with [`doctor()`].

use super::options;
use crate::cli::{DoctorArgs, Global};
use crate::doctor;
use crate::error::{Kind, Result};
use crate::ui;

/// Runs `dtbuild doctor`.
pub(super) async fn doctor(global: &Global, args: &DoctorArgs) -> Result<u8> {
    let view = doctor::look(&options::asking(args.offline), &options::location(global)).await;
    ui::print(&view, global.format())?;
    Ok(if view.is_broken() { Kind::Environment as u8 } else { 0 })
}
