use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn fields() -> KeyFields {
    KeyFields {
        schema: SCHEMA,
        dockerfile: "d0".repeat(32),
        target: Some("runtime".to_owned()),
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
        network: None,
        args: map(&[("NODE_ENV", "production")]),
        bases: map(&[("alpine:3.20", "sha256:aa"), ("node:22", "")]),
        secrets: map(&[("npm", "2026-11")]),
        contexts: map(&[("", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")]),
        paths: None,
        attestations: BTreeMap::new(),
        images: BTreeMap::from([("base".to_owned(), ImageKey::from_bytes([7; 32]))]),
    }
}

#[test]
fn encoding_is_pinned() {
    // If this test fails, either undo the change or raise `SCHEMA`: every image would be built again.
    let expected = "2c6d713179f6c427350d6245c2c7ed7e81e8da9d4b5e31afa1e6bb4c05dcb6da";
    assert_eq!(fields().key().to_string(), expected);
}

#[test]
fn every_field_alters_the_key() {
    type Change = fn(&mut KeyFields);
    let cases: &[(&str, Change)] = &[
        ("schema", |fields| fields.schema += 1),
        ("dockerfile", |fields| fields.dockerfile.push('0')),
        ("target", |fields| fields.target = None),
        ("empty target", |fields| fields.target = Some(String::new())),
        ("platforms", |fields| fields.platforms.truncate(1)),
        ("network", |fields| fields.network = Some("none".to_owned())),
        ("argument's value", |fields| fields.args = map(&[("NODE_ENV", "development")])),
        ("argument's name", |fields| fields.args = map(&[("ENV", "production")])),
        ("no arguments", |fields| fields.args.clear()),
        ("base", |fields| fields.bases = map(&[("alpine:3.20", "sha256:bb"), ("node:22", "")])),
        ("secret", |fields| fields.secrets = map(&[("npm", "2026-12")])),
        ("context", |fields| fields.contexts = map(&[("", "00")])),
        ("named context", |fields| {
            fields.contexts.insert("shared".to_owned(), "00".to_owned());
        }),
        ("paths", |fields| fields.paths = Some(String::new())),
        ("attestation", |fields| fields.attestations = map(&[("provenance", "min")])),
        ("attestation's mode", |fields| fields.attestations = map(&[("provenance", "max")])),
        ("image's key", |fields| {
            fields.images.insert("base".to_owned(), ImageKey::from_bytes([8; 32]));
        }),
        ("image's name", |fields| {
            fields.images = BTreeMap::from([("other".to_owned(), ImageKey::from_bytes([7; 32]))]);
        }),
        ("field of the same shape", |fields| std::mem::swap(&mut fields.args, &mut fields.secrets)),
    ];
    let mut seen = BTreeMap::from([(fields().key(), "nothing")]);
    for (name, change) in cases {
        let mut changed = fields();
        change(&mut changed);
        if let Some(other) = seen.insert(changed.key(), name) {
            panic!("changing {name} gives the key of changing {other}");
        }
    }
}

#[test]
fn order_of_platforms_does_not_matter() {
    let mut reversed = fields();
    reversed.platforms.reverse();
    assert_eq!(reversed.key(), fields().key());
}

#[test]
fn key_is_64_lower_case_hexadecimal_digits() {
    let key = ImageKey::from_bytes([0xab; 32]);
    assert_eq!(key.to_string(), "ab".repeat(32));
    assert_eq!(key.to_string().parse::<ImageKey>().unwrap(), key);
    for wrong in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"zz".repeat(32)] {
        let error = wrong.parse::<ImageKey>().unwrap_err().to_string();
        assert_eq!(
            error,
            format!("`{wrong}` is not a content key: expected 64 lower-case hexadecimal digits")
        );
    }
}

#[test]
fn key_is_a_string_to_serde() {
    use serde::de::value::{Error, StrDeserializer};
    use serde::de::{Deserialize, IntoDeserializer};

    let key = fields().key();
    let text = key.to_string();
    let input: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
    assert_eq!(ImageKey::deserialize(input).unwrap(), key);
    let input: StrDeserializer<'_, Error> = "no key".into_deserializer();
    ImageKey::deserialize(input).unwrap_err();
}

/// Short texts over few letters: the texts that most likely collide by concatenation.
fn text() -> impl Strategy<Value = String> {
    "[ab=\\x00]{0,3}"
}

prop_compose! {
    fn any_fields()(
        (dockerfile, target, network, paths) in (text(), option::of(text()), option::of(text()), option::of(text())),
        platforms in vec(text(), 0..3),
        (args, bases, secrets, contexts, attestations) in (
            btree_map(text(), text(), 0..3),
            btree_map(text(), text(), 0..3),
            btree_map(text(), text(), 0..3),
            btree_map(text(), text(), 0..3),
            btree_map(text(), text(), 0..3),
        ),
        images in btree_map(text(), (0u8..3).prop_map(|byte| ImageKey::from_bytes([byte; 32])), 0..3),
    ) -> KeyFields {
        let platforms = platforms.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        KeyFields {
            schema: SCHEMA, dockerfile, target, platforms, network, args, bases, secrets, contexts, paths,
            attestations, images,
        }
    }
}

proptest! {
    #[test]
    fn different_fields_have_different_keys(left in any_fields(), right in any_fields()) {
        prop_assert_eq!(left == right, left.key() == right.key());
    }

    #[test]
    fn a_value_cannot_move_into_the_next_field(left in text(), middle in text(), right in text()) {
        let with = |dockerfile: String, target: String| KeyFields { dockerfile, target: Some(target), ..fields() };
        let one = with(format!("{left}{middle}"), right.clone());
        let other = with(left.clone(), format!("{middle}{right}"));
        prop_assert_eq!(one == other, one.key() == other.key());
    }
}
