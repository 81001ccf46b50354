//! The JSON Schemas of `docs/schemas`, and whether what the program prints is as they say.

use boon::{Compiler, Schemas};
use serde_json::Value;

/// Fails the test unless the JSON is as `docs/schemas/{name}.schema.json` says.
#[track_caller]
pub(crate) fn assert_valid(name: &str, json: &Value) {
    let path = format!("{}/docs/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    let index = compiler.compile(&path, &mut schemas).unwrap();
    if let Err(error) = schemas.validate(json, index) {
        panic!("{name}: {error:#}\n{json:#}");
    }
}
