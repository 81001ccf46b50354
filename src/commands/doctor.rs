//! `dtbuild doctor`: what a run would need, looked at before it is needed.

use super::{options, print};
use crate::cli::{DoctorArgs, Global};
use crate::doctor;
use crate::error::{Kind, Result};
use crate::ui;
use crate::ui::doctor::State;

/// Runs `dtbuild doctor`.
pub(super) async fn doctor(global: &Global, args: &DoctorArgs) -> Result<u8> {
    let doctor::Report { findings, engines } =
        doctor::look(&options::asking(args.offline), &options::location(global)).await;
    print(|out, styled| {
        if global.json {
            ui::doctor::write_findings_json(out, &findings, &engines)
        } else {
            ui::doctor::write_findings(out, &findings, styled)
        }
    })?;
    let broken = findings.iter().any(|finding| finding.state == State::Broken);
    Ok(if broken { Kind::Environment as u8 } else { 0 })
}
