//! Tests of the record as a document: its limits, its format and its damage.

use std::collections::BTreeMap;

use dtbuild_content::key::{ImageKey, KeyFields};

use super::*;
use crate::error::Failure as _;

fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

fn deployment(id: usize, outcome: Outcome) -> Deployment {
    let fields = KeyFields {
        schema: 1,
        dockerfile: "d".repeat(64),
        target: None,
        platforms: Vec::new(),
        network: None,
        args: BTreeMap::new(),
        bases: BTreeMap::new(),
        secrets: BTreeMap::new(),
        contexts: BTreeMap::new(),
        paths: None,
        attestations: BTreeMap::new(),
        images: BTreeMap::new(),
    };
    let image = DeployedImage {
        reference: format!("localhost:5000/a@sha256:{}", "0f".repeat(32)).parse().unwrap(),
        key: ImageKey::from_bytes([7; 32]),
        fields: Some(fields.into()),
        commit: None,
    };
    Deployment {
        id: format!("d{id}"),
        generation: 0,
        commit: Some("c".repeat(40)),
        started: OffsetDateTime::UNIX_EPOCH,
        finished: None,
        outcome,
        images: BTreeMap::from([("a".parse().unwrap(), image)]),
        deploy: None,
        deploy_inputs: None,
        deploy_settings: None,
        again: None,
        by: "0.1.0".to_owned(),
    }
}

fn failed() -> Outcome {
    Outcome::Failed { reason: "no\u{1b}[2J".to_owned() }
}

/// The bytes of a record, and the ids of the deployments that it has no room for.
fn encoded(record: &mut Record) -> (Vec<u8>, Vec<String>) {
    let (bytes, past) = record.encode("here").unwrap();
    (bytes, past.into_iter().map(|deployment| deployment.id).collect())
}

fn decoded(bytes: &[u8]) -> Result<Record, RecordError> {
    Record::decode(bytes, ("shop", &staging()), "here")
}

fn newest(bytes: &[u8]) -> Result<Record, RecordError> {
    Record::decode_newest(bytes, ("shop", &staging()), "here")
}

#[test]
fn a_record_keeps_twenty_deployments_and_the_one_that_runs() {
    let mut record = Record::new("shop", staging());
    record.add(deployment(0, Outcome::Succeeded));
    (1..23).for_each(|id| record.add(deployment(id, failed())));
    assert_eq!(encoded(&mut record).1, ["d1", "d2", "d3"]);
    assert_eq!(record.deployments().len(), 20);
    assert_eq!((record.current().unwrap().id.as_str(), record.last().unwrap().id.as_str()), ("d0", "d22"));
}

#[test]
fn a_run_that_touched_nothing_does_not_make_the_environment_sure_again() {
    let not_built = || Outcome::NotBuilt { reason: "a step failed".to_owned() };
    let outcomes = [Outcome::Succeeded, not_built(), failed(), not_built(), Outcome::Succeeded];
    let mut record = Record::new("shop", staging());
    let unsure = outcomes.into_iter().enumerate().map(|(id, outcome)| {
        record.add(deployment(id, outcome));
        record.is_unsure()
    });
    assert_eq!(unsure.collect::<Vec<_>>(), [false, false, true, true, false]);
}

#[test]
fn only_the_current_and_the_last_deployment_keep_what_keys_were_taken_from() {
    let mut record = Record::new("shop", staging());
    for (id, outcome) in [Outcome::Succeeded, Outcome::Succeeded, failed(), failed()].into_iter().enumerate()
    {
        record.add(deployment(id, outcome));
    }
    let kept = record.deployments().iter().map(|one| one.images.values().all(|image| image.fields.is_some()));
    assert_eq!(kept.collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
fn a_deployment_that_ended_replaces_its_own_start() {
    let mut record = Record::new("shop", staging());
    record.add(deployment(1, Outcome::Started));
    assert!(record.last().unwrap().outcome.is_unsure() && record.current().is_none());
    record.add(deployment(1, Outcome::Succeeded));
    assert_eq!(record.deployments().len(), 1);
    assert!(!record.current().unwrap().outcome.is_unsure());
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let mut record = Record::new("shop", staging());
    record.add(deployment(0, Outcome::Succeeded));
    record.add(deployment(1, failed()));
    let bytes = encoded(&mut record).0;
    assert_eq!(decoded(&bytes).unwrap(), record);
    assert!(!String::from_utf8(bytes).unwrap().contains("\\u001b"));
}

#[test]
fn too_large_a_record_has_no_room_for_its_oldest_deployments() {
    let mut record = Record::new("shop", staging());
    let image = deployment(0, Outcome::Succeeded).images.into_values().next().unwrap();
    for id in 0..5 {
        let mut large = deployment(id, Outcome::Succeeded);
        large.images = (0..9000).map(|n| (format!("image-{n}").parse().unwrap(), image.clone())).collect();
        record.add(large);
    }
    let (bytes, past) = encoded(&mut record);
    let read = decoded(&bytes).unwrap();
    assert_eq!((read.last().unwrap().id.as_str(), past[0].as_str()), ("d4", "d0"));
    assert_eq!(read.deployments().len() + past.len(), 5);
}

#[test]
fn damage_is_told_with_the_place_and_what_to_do() {
    let mut record = Record::new("shop", staging());
    record.add(deployment(0, Outcome::Succeeded));
    let text = String::from_utf8(encoded(&mut record).0).unwrap();
    let newer = text.replacen("\"format\": 2", "\"format\": 7", 1);
    let unpinned = text.replace(&format!("@sha256:{}", "0f".repeat(32)), ":latest");
    let fieldless = text.replace("\"schema\"", "\"scheme\"");
    for (damage, expected) in [
        (newer.as_str(), "`here` has format 7 and this dtbuild reads up to 2; upgrade dtbuild"),
        (
            &text.replace("\"shop\"", "\"bank\""),
            "`here` is the record of the project `bank`, and this is `shop`; keep the records of each project in a place",
        ),
        (&text.replace("staging", "production"), "it is the record of `production`, not of `staging`"),
        (&fieldless, "what the key of image `a` was taken from is not told as it should be"),
        (&unpinned, "image `a` is not pinned by digest: `localhost:5000/a:latest`"),
        (&text[..text.len() / 2], "`here` is damaged"),
        ("", "`here` is damaged"),
    ] {
        let error = decoded(damage.as_bytes()).unwrap_err().advice();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn who_asks_what_runs_reads_down_to_it_and_no_further() {
    let mut record = Record::new("shop", staging());
    for (id, outcome) in
        [Outcome::Succeeded, Outcome::Succeeded, failed(), Outcome::Started].into_iter().enumerate()
    {
        record.add(deployment(id, outcome));
    }
    let bytes = encoded(&mut record).0;
    let read = newest(&bytes).unwrap();
    assert_eq!(read.deployments(), &record.deployments()[..3]);
    assert_eq!((read.current(), read.is_unsure()), (record.current(), record.is_unsure()));

    let mut record = Record::new("shop", staging());
    record.add(deployment(0, failed()));
    let bytes = encoded(&mut record).0;
    assert_eq!(newest(&bytes).unwrap(), record, "none succeeded");
}

#[test]
fn who_reads_the_beginning_alone_is_told_of_the_same_damage() {
    let mut record = Record::new("shop", staging());
    record.add(deployment(0, Outcome::Succeeded));
    record.add(deployment(1, Outcome::Succeeded));
    let text = String::from_utf8(encoded(&mut record).0).unwrap();
    let long = text.replace("\"format\": 2", "\"format\": 0");
    for damage in [
        text.replacen("\"format\": 2", "\"format\": 7", 1).as_str(),
        &long,
        &text.replace("staging", "production"),
        &text[..text.len() - 4],
        &text[..text.len() / 3],
        "",
    ] {
        let whole = decoded(damage.as_bytes()).unwrap_err().to_string();
        let newest = newest(damage.as_bytes()).unwrap_err().to_string();
        assert_eq!(newest, whole);
    }
}

#[test]
fn a_record_of_format_1_carries_over_what_is_of_the_project() {
    let image = |registry: &str| {
        format!(
            "{{\"api\": {{\"reference\": \"{registry}/api@sha256:{}\", \"key\": \"{}\"}}}}",
            "0f".repeat(32),
            "07".repeat(32)
        )
    };
    let entry = |id: &str, outcome: &str, images: &str| {
        format!(
            "{{\"id\": \"{id}\", \"commit\": \"c0ffee\", \"started\": \"2026-01-01T00:00:00Z\", \"finished\": \"2026-01-01T00:01:00Z\", \
             \"outcome\": {{\"result\": {outcome}}}, \"images\": {images}, \"deploy\": null, \"by\": \"0.1.0\"}}"
        )
    };
    let (ours, theirs) = (image("localhost:5000/shop"), image("localhost:5000/bank"));
    let entries = [
        entry("d3", "\"not-built\", \"reason\": \"no\"", "{}"),
        entry("d2", "\"succeeded\"", &theirs),
        entry("d1", "\"succeeded\"", &ours),
    ];
    let older = format!(
        "{{\"version\": 1, \"environment\": \"staging\", \"deployments\": [{}]}}",
        entries.join(", ")
    );
    let repositories = ["localhost:5000/shop/api".parse().unwrap()].into();
    let carried = Older::carry_over(older.as_bytes(), ("shop", &staging()), &repositories, "here");
    let carried = carried.unwrap().unwrap();
    let ids: Vec<_> = carried.deployments().iter().map(|one| (one.id.as_str(), one.generation)).collect();
    assert_eq!(ids, [("d3", 2), ("d1", 1)]);
    assert_eq!((carried.generation(), carried.current().unwrap().id.as_str()), (2, "d1"));
    let others = ["localhost:5000/other/api".parse().unwrap()].into();
    let others = Older::carry_over(older.as_bytes(), ("other", &staging()), &others, "here").unwrap();
    assert_eq!(others, None, "it is another project's");
}
