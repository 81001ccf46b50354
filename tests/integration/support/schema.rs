//! The check that the JSON that the program prints fits the JSON Schemas of `docs/schemas`. Start with [`assert_valid`].

use boon::{Compiler, Schemas};
use serde_json::Value;

/// Fails the test unless the JSON fits `docs/schemas/{name}.schema.json`.
#[track_caller]
pub(crate) fn assert_valid(name: &str, json: &Value) {
    let path = format!("{}/docs/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    let index = compiler.compile(&path, &mut schemas).unwrap();
    if let Err(error) = schemas.validate(json, index) {
        panic!("{name}: {error:#}\n{json:#}");
    }
}
