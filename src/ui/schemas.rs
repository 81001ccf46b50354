//! The JSON Schemas, in `docs/schemas`, of all that dtbuild writes for programs. The schemas are generated from the
//! types; the test here keeps them current, and writes them with `UPDATE_DOCS=1`. Start with [`schemas`].

use std::fs;
use std::path::PathBuf;

use boon::{Compiler, Schemas};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::View;
use super::doctor::DoctorView;
use super::explain::{ImageView, PathView};
use super::history::HistoryView;
use super::inputs::InputsView;
use super::lock::LockView;
use super::rawjson;
use super::release::ReleaseView;
use super::status::StatusView;
use super::unlock::UnlockView;
use crate::error::Error;
use crate::plan::Plan;

/// The schema of a type as the type is written; the schema of the type as it is read may say less.
fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

fn of_view<V: View + 'static>() -> Value {
    schema_of::<V::Json<'static>>()
}

/// All schemas by the names of their files.
fn schemas() -> [(&'static str, Value); 12] {
    [
        ("doctor", of_view::<DoctorView>()),
        ("error", of_view::<Error>()),
        ("event", schema_of::<rawjson::Line<'static>>()),
        ("explain-image", of_view::<ImageView<'static>>()),
        ("explain-path", of_view::<PathView>()),
        ("history", of_view::<HistoryView<'static>>()),
        ("inputs", of_view::<InputsView<'static>>()),
        ("lock", of_view::<LockView>()),
        ("plan", of_view::<Plan>()),
        ("release", of_view::<ReleaseView<'static>>()),
        ("status", of_view::<StatusView>()),
        ("unlock", of_view::<UnlockView<'static>>()),
    ]
}

/// Fails unless the JSON is valid by the schema of this name.
pub(super) fn assert_valid(name: &str, json: &Value) {
    let (_, schema) = schemas().into_iter().find(|(file, _)| *file == name).unwrap();
    let (mut compiler, mut known) = (Compiler::new(), Schemas::new());
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut known).unwrap();
    if let Err(error) = known.validate(json, index) {
        panic!("{name}: {error:#}\n{json:#}");
    }
}

#[test]
fn schemas_are_those_of_the_types() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas"));
    for (name, schema) in schemas() {
        let path = folder.join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        assert!(
            fs::read_to_string(&path).is_ok_and(|written| written == text),
            "run `UPDATE_DOCS=1 cargo test --lib schemas` and commit {}",
            path.display()
        );
    }
    let written = fs::read_dir(&folder).unwrap().count();
    assert_eq!(written, schemas().len(), "docs/schemas has a file that nothing writes any more");
}
