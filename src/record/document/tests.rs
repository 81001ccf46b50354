//! Tests of the record as a document: its limits, its format and its damage.

use dtbuild_content::key::KeyFields;

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
        commit: Some("c".repeat(40)),
        started: OffsetDateTime::UNIX_EPOCH,
        finished: OffsetDateTime::UNIX_EPOCH,
        outcome,
        images: BTreeMap::from([("a".parse().unwrap(), image)]),
        deploy: None,
        deploy_inputs: None,
        by: "0.1.0".to_owned(),
    }
}

fn failed() -> Outcome {
    Outcome::Failed { reason: "no\u{1b}[2J".to_owned() }
}

#[test]
fn what_the_environment_runs_survives_a_hundred_failures() {
    let mut record = Record::new(staging());
    record.add(deployment(0, Outcome::Succeeded));
    (1..150).for_each(|id| record.add(deployment(id, failed())));
    assert_eq!(record.deployments().len(), 100);
    assert_eq!(record.current().unwrap().id, "d0");
    assert_eq!(record.last().unwrap().id, "d149");
}

#[test]
fn a_run_that_touched_nothing_does_not_make_the_environment_sure_again() {
    let not_built = || Outcome::NotBuilt { reason: "a step failed".to_owned() };
    let outcomes = [Outcome::Succeeded, not_built(), failed(), not_built(), Outcome::Succeeded];
    let mut record = Record::new(staging());
    let unsure = outcomes.into_iter().enumerate().map(|(id, outcome)| {
        record.add(deployment(id, outcome));
        record.is_unsure()
    });
    assert_eq!(unsure.collect::<Vec<_>>(), [false, false, true, true, false]);
}

#[test]
fn only_the_current_and_the_last_deployment_keep_what_keys_were_taken_from() {
    let mut record = Record::new(staging());
    for (id, outcome) in [Outcome::Succeeded, Outcome::Succeeded, failed(), failed()].into_iter().enumerate()
    {
        record.add(deployment(id, outcome));
    }
    let kept = record.deployments().iter().map(|one| one.images.values().all(|image| image.fields.is_some()));
    assert_eq!(kept.collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
fn a_deployment_that_ended_replaces_its_own_start() {
    let mut record = Record::new(staging());
    record.add(deployment(1, Outcome::Started));
    assert!(record.last().unwrap().outcome.is_unsure() && record.current().is_none());
    record.add(deployment(1, Outcome::Succeeded));
    assert_eq!(record.deployments().len(), 1);
    assert!(!record.current().unwrap().outcome.is_unsure());
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let mut record = Record::new(staging());
    record.add(deployment(0, Outcome::Succeeded));
    record.add(deployment(1, failed()));
    let bytes = record.encode("here").unwrap();
    assert_eq!(Record::decode(&bytes, &staging(), "here").unwrap(), record);
    assert!(!String::from_utf8(bytes).unwrap().contains("\\u001b"));
}

#[test]
fn too_large_a_record_forgets_its_oldest_deployments() {
    let mut record = Record::new(staging());
    let image = deployment(0, Outcome::Succeeded).images.into_values().next().unwrap();
    for id in 0..40 {
        let mut large = deployment(id, Outcome::Succeeded);
        large.images = (0..1500).map(|n| (format!("image-{n}").parse().unwrap(), image.clone())).collect();
        record.add(large);
    }
    let bytes = record.encode("here").unwrap();
    let read = Record::decode(&bytes, &staging(), "here").unwrap();
    assert_eq!(read.last().unwrap().id, "d39");
    assert!(read.deployments().len() < 40);
}

#[test]
fn damage_is_told_with_the_place_and_what_to_do() {
    let mut record = Record::new(staging());
    record.add(deployment(0, Outcome::Succeeded));
    let text = String::from_utf8(record.encode("here").unwrap()).unwrap();
    let newer = text.replacen("\"version\": 1", "\"version\": 7", 1);
    let unpinned = text.replace(&format!("@sha256:{}", "0f".repeat(32)), ":latest");
    let fieldless = text.replace("\"schema\"", "\"scheme\"");
    for (damage, expected) in [
        (newer.as_str(), "`here` has version 7 and this dtbuild reads up to 1; upgrade dtbuild"),
        (&text.replace("staging", "production"), "it is the record of `production`, not of `staging`"),
        (&fieldless, "what the key of image `a` was taken from is not told as it should be"),
        (&unpinned, "image `a` is not pinned by digest: `localhost:5000/a:latest`"),
        (&text[..text.len() / 2], "`here` is damaged"),
        ("", "`here` is damaged"),
    ] {
        let error = Record::decode(damage.as_bytes(), &staging(), "here").unwrap_err().advice();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn who_asks_what_runs_reads_down_to_it_and_no_further() {
    let mut record = Record::new(staging());
    for (id, outcome) in
        [Outcome::Succeeded, Outcome::Succeeded, failed(), Outcome::Started].into_iter().enumerate()
    {
        record.add(deployment(id, outcome));
    }
    let bytes = record.encode("here").unwrap();
    let newest = Record::decode_newest(&bytes, &staging(), "here").unwrap();
    assert_eq!(newest.deployments(), &record.deployments()[..3]);
    assert_eq!((newest.current(), newest.is_unsure()), (record.current(), record.is_unsure()));

    let mut record = Record::new(staging());
    record.add(deployment(0, failed()));
    let bytes = record.encode("here").unwrap();
    assert_eq!(Record::decode_newest(&bytes, &staging(), "here").unwrap(), record, "none succeeded");
}

#[test]
fn who_reads_the_beginning_alone_is_told_of_the_same_damage() {
    let mut record = Record::new(staging());
    record.add(deployment(0, Outcome::Succeeded));
    record.add(deployment(1, Outcome::Succeeded));
    let text = String::from_utf8(record.encode("here").unwrap()).unwrap();
    let long = text.replace("\"version\": 1", "\"version\": 0");
    for damage in [
        text.replacen("\"version\": 1", "\"version\": 7", 1).as_str(),
        &long,
        &text.replace("staging", "production"),
        &text[..text.len() - 4],
        &text[..text.len() / 3],
        "",
    ] {
        let whole = Record::decode(damage.as_bytes(), &staging(), "here").unwrap_err().to_string();
        let newest = Record::decode_newest(damage.as_bytes(), &staging(), "here").unwrap_err().to_string();
        assert_eq!(newest, whole);
    }
}
