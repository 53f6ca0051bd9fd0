//! Documents come back as what they were, damage is told, and nothing that opens can panic.

use super::*;
use crate::value::sample;
use crate::{DocumentId, value::Decimal};
use insta::assert_snapshot;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::hint::black_box;

fn written(fields: &BTreeMap<u16, Value>) -> Vec<u8> {
    let mut builder = DocumentBuilder::new();
    fields.iter().for_each(|(field, value)| builder.set(FieldId(*field), value.clone()));
    builder.finish(7, Some(Version(9))).expect("samples are small")
}

fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() >= CHECKSUM_BYTES {
        let body = bytes.len() - CHECKSUM_BYTES;
        let checksum = crc32c::crc32c(&bytes[..body]);
        bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

/// Looks at all that can be looked at.
fn read_everything(document: Document<'_>) {
    let _ = (document.created(), document.schema());
    for (field, value) in document.iter() {
        read_value(value);
        assert_eq!(document.field(field).compare(&value), std::cmp::Ordering::Equal);
        document.field(FieldId(field.0.wrapping_add(1)));
    }
}

fn read_value(value: ValueRef<'_>) {
    let _ = value.to_value();
    match value {
        ValueRef::List(list) => {
            assert_eq!(list.iter().count(), list.len());
            list.iter().for_each(read_value);
        }
        ValueRef::Record(record) => record.iter().for_each(|(field, value)| {
            read_value(record.field(field));
            read_value(value);
        }),
        ValueRef::Map(map) => map.iter().for_each(|(key, value)| {
            assert!(map.get(key).is_some());
            read_value(value);
        }),
        _ => {}
    }
}

/// A document with every type in it.
fn specimen() -> BTreeMap<u16, Value> {
    let inner = vec![(FieldId(1), Value::Int(1)), (FieldId(300), Value::Date(1))];
    let map = vec![("k".to_owned(), Value::Null), ("é".to_owned(), Value::List(vec![Value::Bool(false)]))];
    BTreeMap::from([
        (1, Value::Bool(true)),
        (2, Value::Int(-1)),
        (3, Value::Int(i64::MAX)),
        (5, Value::Float(0.5)),
        (6, Value::Decimal(Decimal::new(-1999, 2))),
        (7, Value::String("héllo".to_owned())),
        (8, Value::Bytes(vec![0, 255])),
        (9, Value::DateTime(1)),
        (10, Value::Date(-1)),
        (11, Value::Duration(2)),
        (12, Value::Uuid(DocumentId([0x11; 16]))),
        (13, Value::List(vec![Value::Int(1), Value::Null, Value::String(String::new())])),
        (14, Value::Record(inner)),
        (900, Value::Map(map)),
    ])
}

proptest! {
    #[test]
    fn documents_come_back(fields in sample::fields(), absent: u16) {
        let bytes = written(&fields);
        let document = Document::open(&bytes).unwrap();
        prop_assert_eq!((document.schema(), document.created()), (7, Some(Version(9))));
        for (field, value) in &fields {
            prop_assert_eq!(&document.field(FieldId(*field)).to_value(), value);
            prop_assert!(value.compare_ref(&document.field(FieldId(*field))).is_eq());
        }
        if !fields.contains_key(&absent) {
            prop_assert!(document.field(FieldId(absent)).is_null());
        }
        let present: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
        let read: Vec<_> = document.iter().map(|(field, value)| (field.0, value.to_value())).collect();
        prop_assert!(read.iter().map(|(field, value)| (field, value)).eq(present));
        prop_assert_eq!(DocumentBuilder::from_document(document).finish(7, Some(Version(9))).unwrap(), bytes);
    }

    #[test]
    fn the_order_of_setting_does_not_show(fields in sample::fields().prop_shuffle_pairs(), replaced in sample::value()) {
        let mut builder = DocumentBuilder::new();
        for (field, value) in &fields {
            builder.set(FieldId(*field), replaced.clone());
            builder.set(FieldId(*field), value.clone());
        }
        prop_assert_eq!(builder.finish(7, Some(Version(9))).unwrap(), written(&fields.into_iter().collect()));
    }

    #[test]
    fn a_flipped_bit_is_told(fields in sample::fields(), at: prop::sample::Index, bit in 0..8u32) {
        let mut bytes = written(&fields);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Document::open(&bytes).is_err());
    }

    #[test]
    fn damage_under_a_fitting_checksum_never_panics(
        fields in sample::fields(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), 0..20u8]), 1..4),
    ) {
        let mut bytes = written(&fields);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(document) = Document::open(&with_checksum(bytes)) {
            read_everything(document);
        }
    }

    #[test]
    fn made_up_bytes_never_panic(body in prop::collection::vec(prop_oneof![0..20u8, any::<u8>()], 0..80), count in 0..4u8) {
        let mut bytes = vec![FORMAT, 0, count, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(body);
        bytes.extend([0; CHECKSUM_BYTES]);
        if let Ok(document) = Document::open(&with_checksum(bytes)) {
            read_everything(document);
        }
    }
}

/// Fields in an order that has nothing to do with their ids.
trait Shuffled: Strategy<Value = BTreeMap<u16, Value>> + Sized {
    fn prop_shuffle_pairs(self) -> impl Strategy<Value = Vec<(u16, Value)>> {
        self.prop_map(|fields| fields.into_iter().collect::<Vec<_>>()).prop_shuffle()
    }
}
impl<S: Strategy<Value = BTreeMap<u16, Value>>> Shuffled for S {}

#[test]
fn every_single_change_of_a_specimen_is_survived() {
    let bytes = written(&specimen());
    read_everything(Document::open(&bytes).unwrap());
    for end in 0..bytes.len() {
        assert!(Document::open(&bytes[..end]).is_err(), "cut at {end}");
        if let Ok(document) = Document::open(&with_checksum(bytes[..end].to_vec())) {
            read_everything(document);
        }
    }
    for at in 0..bytes.len() {
        for byte in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = byte;
            assert_eq!(Document::open(&changed).is_ok(), changed == bytes, "byte {at} as {byte}");
            if let Ok(document) = Document::open(&with_checksum(changed)) {
                read_everything(document);
            }
        }
    }
}

#[test]
fn null_removes_a_field() {
    let mut builder = DocumentBuilder::new();
    builder.set(FieldId(1), Value::Int(1));
    builder.set(FieldId(2), Value::Int(2));
    builder.set(FieldId(1), Value::Null);
    builder.set(FieldId(3), Value::Null);
    let bytes = builder.finish(1, None).unwrap();
    let document = Document::open(&bytes).unwrap();
    assert!(document.field(FieldId(1)).is_null());
    assert_eq!(document.iter().count(), 1);
    assert_eq!(document.created(), None);
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Int(1), |inner, level| match level % 3 {
        0 => Value::List(vec![inner]),
        1 => Value::Record(vec![(FieldId(1), inner)]),
        _ => Value::Map(vec![("k".to_owned(), inner)]),
    })
}

#[test]
fn depth_is_bounded_on_both_sides() {
    let finish = |value| {
        let mut builder = DocumentBuilder::new();
        builder.set(FieldId(1), value);
        builder.finish(1, None)
    };
    let deepest = finish(nested(DEPTH_MAX)).unwrap();
    assert!(Document::open(&deepest).is_ok());
    assert_snapshot!(finish(nested(DEPTH_MAX + 1)).unwrap_err(), @"value is nested deeper than 64 levels");
    // One list more around the deepest value, by hand.
    let length = |bytes: usize| [bytes as u8, (bytes >> 8) as u8, (bytes >> 16) as u8];
    let end = deepest.len() - CHECKSUM_BYTES;
    let inner = &deepest[HEADER_BYTES + encode::ROW_BYTES..end];
    let list = [&[TAG_LIST], &length(1)[..], &length(inner.len()), inner].concat();
    let header = &deepest[..HEADER_BYTES + 2];
    let deeper = [header, &length(list.len()), &list, &[0; CHECKSUM_BYTES]].concat();
    assert_snapshot!(Document::open(&with_checksum(deeper)).unwrap_err(), @"corrupt document: lists and objects nest too deep");
}

#[test]
fn a_document_that_is_too_long_is_refused() {
    let finish = |bytes: usize| {
        let mut builder = DocumentBuilder::new();
        builder.set(FieldId(1), Value::Bytes(vec![0; bytes]));
        builder.finish(1, None)
    };
    let around = HEADER_BYTES + encode::ROW_BYTES + 1 + CHECKSUM_BYTES;
    let longest = finish(DOCUMENT_BYTES_MAX - around).unwrap();
    assert_eq!(longest.len(), DOCUMENT_BYTES_MAX);
    assert!(Document::open(&longest).is_ok());
    assert_snapshot!(finish(DOCUMENT_BYTES_MAX - around + 1).unwrap_err(), @"document is longer than 16777216 bytes");
    assert!(finish(DOCUMENT_BYTES_MAX * 2).is_err());
}

#[test]
fn unknown_formats_and_cuts_are_named() {
    let mut newer = written(&specimen());
    newer[0] = 2;
    assert_snapshot!(Document::open(&newer).unwrap_err(), @"corrupt document: its checksum does not fit its bytes");
    assert_snapshot!(Document::open(&with_checksum(newer)).unwrap_err().within("doc"), @"corrupt document in doc: its format is unknown to this release");
    assert_snapshot!(Document::open(&[]).unwrap_err(), @"corrupt document: its length is that of no document");
}

#[test]
fn documents_have_the_bytes_that_they_have_always_had() {
    let bytes = written(&specimen());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let rows = HEADER_BYTES + specimen().len() * encode::ROW_BYTES;
    let mut drawn = format!("{}\n", hex(&bytes[..HEADER_BYTES]));
    let mut start = rows;
    for row in bytes[HEADER_BYTES..rows].as_chunks().0 {
        let end = rows + view::end(row);
        drawn += &format!("{} {}\n", hex(row), hex(&bytes[start..end]));
        start = end;
    }
    drawn += &hex(&bytes[start..]);
    assert_snapshot!(drawn, @r#"
    01000e00070000000900000000000000
    0100010000 03
    0200030000 04ff
    03000c0000 04ffffffffffffff7f
    0500150000 05000000000000e03f
    06001b0000 0682cf070000
    0700220000 0768c3a96c6c6f
    0800250000 0800ff
    09002e0000 090100000000000000
    0a00330000 0affffffff
    0b003c0000 0b0200000000000000
    0c004d0000 0c11111111111111111111111111111111
    0d005e0000 0d03000002000004010100000101000007
    0e00720000 0e020001000200002c0107000004010a01000000
    84038e0000 0f0200000100006b01000001020000c3a90800000d01000001000002
    2606106a
    "#);
}

/// `cargo test -p vivarium-storage --release costs -- --ignored --nocapture --test-threads 1`
#[test]
#[ignore = "a measure, not a test"]
fn document_costs() {
    let fields = specimen();
    let bytes = written(&fields);
    println!("{} fields in {} bytes", fields.len(), bytes.len());
    println!("nothing: {:.1} ns", sample::nanoseconds(|| black_box(7)));
    println!("open: {:.1} ns", sample::nanoseconds(|| Document::open(black_box(&bytes))));
    for (field, what) in [(2, "int"), (7, "string"), (6, "decimal"), (12, "uuid"), (900, "map"), (4, "absent")] {
        let read = || Document::trusted(black_box(&bytes)).field(black_box(FieldId(field)));
        println!("{what}: {:.1} ns", sample::nanoseconds(read));
    }
    println!("write: {:.1} ns", sample::nanoseconds(|| written(&fields)));
}
