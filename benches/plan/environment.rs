//! The images that an environment runs: a record of the base, as a deployment leaves it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::monorepo::{BASE, Monorepo};
use crate::tools::Dtbuild;

/// Records that the environment runs the base, every image of it.
pub(crate) fn deploy_base(monorepo: &Monorepo, dtbuild: &Dtbuild) -> Outcome<()> {
    let path = record_path(&monorepo.path);
    drop(fs::remove_file(&path));
    monorepo.set_head(BASE)?;
    let plan: Value = serde_json::from_str(&dtbuild.plan(monorepo).output()?)?;
    let digest = format!("sha256:{}", "7".repeat(64));
    let mut images = Map::new();
    for image in plan["images"].as_array().into_iter().flatten() {
        let name = image["name"].as_str().unwrap_or_default();
        let reference = format!("{}@{digest}", image["repository"].as_str().unwrap_or_default());
        images.insert(
            name.to_owned(),
            json!({ "reference": reference, "key": image["key"], "fields": image["fields"] }),
        );
    }
    let record = json!({
        "version": 1,
        "environment": "staging",
        "deployments": [{
            "id": "20240101T000000Z-bench",
            "commit": monorepo.ask_git(["rev-parse", BASE])?,
            "started": "2024-01-01T00:00:00Z",
            "finished": "2024-01-01T00:01:00Z",
            "outcome": { "result": "succeeded" },
            "images": images,
            "deploy": null,
            "by": "bench",
        }],
    });
    fs::create_dir_all(path.parent().ok_or("records have no folder")?)?;
    fs::write(path, serde_json::to_vec(&record)?)?;
    Ok(())
}

/// The path of the record.
pub(crate) fn record_path(checkout: &Path) -> PathBuf {
    checkout.join(".dtbuild/records/staging.json")
}
