//! `dtbuild supervise`, the process between a run and its trigger. Runs alone start it.

use std::time::Duration;

use crate::cli::SuperviseArgs;
use crate::error::{Code, Error, Result};
use crate::process::supervisor::{self, Supervision};

/// Runs the trigger to its end, or to the end of the run that started this process.
pub(super) async fn supervise(args: &SuperviseArgs) -> Result<u8> {
    let Some((program, rest)) = args.trigger.split_first() else {
        return Err(Error::new(Code::Usage, "no program is named"));
    };
    let supervision = Supervision {
        program: program.into(),
        args: rest.to_vec(),
        lock: args.lock.clone(),
        patience: Duration::from_millis(args.patience),
    };
    let failed =
        |error| Error::new(Code::DeployFailed, format!("cannot run `{}`: {error}", program.display()));
    supervisor::supervise(&supervision).await.map_err(failed)
}
