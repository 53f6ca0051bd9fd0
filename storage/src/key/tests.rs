//! Keys sort as values do, come back as what they were, and stay the bytes they have always been.

use super::*;
use crate::value::sample::{self, stored, view};
use crate::{Value, ValueRef};
use insta::assert_snapshot;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::hint::black_box;

const BOTH: [Direction; 2] = [Direction::Ascending, Direction::Descending];

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)]
}

fn encoded(value: &Value, direction: Direction) -> Vec<u8> {
    let mut out = Vec::new();
    encode_value(value, direction, &mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Two values, often with a common beginning.
fn pair_of(value: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = (Value, Value)> {
    prop_oneof![
        3 => (value.clone(), value.clone()),
        1 => value.prop_map(|value| (value.clone(), value)),
    ]
}

/// The sign, the digits before the point and those behind it, exactly.
fn exact_text(number: &Value) -> (bool, String, String) {
    let text = match number {
        Value::Int(int) => int.to_string(),
        Value::Decimal(decimal) => decimal.to_string(),
        Value::Float(float) if float.fract() == 0.0 => format!("{float:.0}"),
        Value::Float(float) => format!("{float}"),
        other => panic!("{other:?} is no number"),
    };
    let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |text| (true, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    (negative && !(whole.is_empty() && fraction.is_empty()), whole.to_owned(), fraction.to_owned())
}

/// Exact order of two numbers, by no means that the codec uses.
fn exact_order(a: &Value, b: &Value) -> Ordering {
    let ((a_negative, a_whole, a_fraction), (b_negative, b_whole, b_fraction)) = (exact_text(a), exact_text(b));
    let magnitude = a_whole.len().cmp(&b_whole.len()).then_with(|| (a_whole, a_fraction).cmp(&(b_whole, b_fraction)));
    match (a_negative, b_negative) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

proptest! {
    #[test]
    fn numbers_sort_exactly((a, b) in pair_of(sample::number().boxed())) {
        let order = exact_order(&a, &b);
        prop_assert_eq!(encoded(&a, Direction::Ascending).cmp(&encoded(&b, Direction::Ascending)), order);
        prop_assert_eq!(a.compare(&b), order);
    }

    #[test]
    fn neighbouring_floats_sort_as_floats_do(float in sample::float(), ulps in -3..=3i64) {
        let neighbour = f64::from_bits(float.to_bits().wrapping_add_signed(ulps));
        prop_assume!(neighbour.is_finite());
        let (a, b) = (Value::Float(float), Value::Float(neighbour));
        let order = float.partial_cmp(&neighbour).expect("both are finite");
        prop_assert_eq!(encoded(&a, Direction::Ascending).cmp(&encoded(&b, Direction::Ascending)), order);
        prop_assert_eq!(exact_order(&a, &b), order);
    }

    #[test]
    fn a_float_meets_the_decimal_that_it_prints_as(digits in -99_999..99_999i64, places in 0..9u32) {
        let decimal = Decimal::new(digits, places);
        let float: f64 = decimal.to_string().parse().expect("a decimal is a float");
        prop_assert_eq!(Value::Float(float).compare(&Value::Decimal(decimal)), Ordering::Equal);
    }

    #[test]
    fn elements_sort_as_values_do((a, b) in pair_of(sample::value().boxed())) {
        let order = a.compare(&b);
        prop_assert_eq!(encoded(&a, Direction::Ascending).cmp(&encoded(&b, Direction::Ascending)), order);
        prop_assert_eq!(encoded(&a, Direction::Descending).cmp(&encoded(&b, Direction::Descending)), order.reverse());
        let (a_stored, b_stored) = (stored(&a), stored(&b));
        prop_assert_eq!(view(&a_stored).compare(&view(&b_stored)), order);
        prop_assert_eq!(a.compare_ref(&view(&b_stored)), order);
        prop_assert_eq!(b.compare(&a), order.reverse());
    }

    #[test]
    fn owned_and_borrowed_values_have_the_same_bytes(value in sample::value(), direction in direction()) {
        let mut borrowed = Vec::new();
        encode(view(&stored(&value)), direction, &mut borrowed);
        prop_assert_eq!(borrowed, encoded(&value, direction));
    }

    #[test]
    fn short_numbers_are_read_at_once(cents in -9_999_999_999i64..9_999_999_999, scale in 0u32..9, direction in direction()) {
        let value = Value::Decimal(Decimal::from_i128_with_scale(i128::from(cents), scale));
        let (mantissa, places) = short_number(&encoded(&value, direction), direction).unwrap();
        let short = Value::Decimal(Decimal::from_i128_with_scale(i128::from(mantissa), places));
        prop_assert_eq!(short.compare(&value), Ordering::Equal);
        prop_assert_eq!(short_number(&encoded(&Value::Null, direction), direction), None);
    }

    #[test]
    fn elements_come_back(value in sample::value(), direction in direction(), after in any::<[u8; 3]>()) {
        let mut bytes = encoded(&value, direction);
        bytes.extend_from_slice(&after);
        let mut rest = bytes.as_slice();
        let decoded = decode(&mut rest, direction).unwrap();
        prop_assert_eq!(rest, &after);
        prop_assert_eq!(decoded.compare(&value), Ordering::Equal);
        prop_assert_eq!(encoded(&decoded, direction), &bytes[..bytes.len() - 3]);
        if let Some((mantissa, scale)) = short_number(&bytes[..bytes.len() - 3], direction) {
            let short = Value::Decimal(Decimal::from_i128_with_scale(i128::from(mantissa), scale));
            prop_assert_eq!(short.compare(&value), Ordering::Equal);
        }
        let mut passed = bytes.as_slice();
        prop_assert_eq!(split(&mut passed, direction).unwrap(), &bytes[..bytes.len() - 3]);
        prop_assert_eq!(passed, rest);
        if !matches!(value, Value::Float(_) | Value::Decimal(_) | Value::List(_) | Value::Record(_) | Value::Map(_)) {
            prop_assert_eq!(decoded, value);
        }
    }

    #[test]
    fn tuples_sort_element_by_element(
        rows in prop::collection::vec((sample::value(), sample::scalar(), sample::text(), any::<[u8; 2]>()), 2),
        directions in [direction(), direction(), direction()],
    ) {
        let keys: Vec<_> = rows.iter().map(|(first, second, third, end)| {
            let mut key = index(DatabaseId(1), IndexId(2));
            encode_value(first, directions[0], &mut key);
            encode_value(second, directions[1], &mut key);
            encode(ValueRef::String(third), directions[2], &mut key);
            // Any byte may follow an element: ids do, and they begin with whatever they like.
            key.extend_from_slice(end);
            key
        }).collect();
        let turned = |order: Ordering, at: usize| match directions[at] {
            Direction::Ascending => order,
            Direction::Descending => order.reverse(),
        };
        let (a, b) = (&rows[0], &rows[1]);
        let order = turned(a.0.compare(&b.0), 0)
            .then_with(|| turned(a.1.compare(&b.1), 1))
            .then_with(|| turned(a.2.cmp(&b.2), 2))
            .then_with(|| a.3.cmp(&b.3));
        prop_assert_eq!(keys[0].cmp(&keys[1]), order);
        let mut rest = &keys[0][8..];
        prop_assert_eq!(decode(&mut rest, directions[0]).unwrap().compare(&a.0), Ordering::Equal);
        prop_assert_eq!(decode(&mut rest, directions[1]).unwrap().compare(&a.1), Ordering::Equal);
        prop_assert_eq!(decode(&mut rest, directions[2]).unwrap(), Value::String(a.2.clone()));
        prop_assert_eq!(rest, &a.3);
    }

    #[test]
    fn no_element_begins_another((a, b) in pair_of(sample::value().boxed()), direction in direction()) {
        let (a_bytes, b_bytes) = (encoded(&a, direction), encoded(&b, direction));
        prop_assert_eq!(b_bytes.starts_with(&a_bytes), a.compare(&b) == Ordering::Equal);
    }

    #[test]
    fn a_prefix_covers_the_strings_that_begin_so(text in sample::text(), prefix in sample::text(), direction in direction()) {
        let mut beginning = Vec::new();
        encode_prefix(&prefix, direction, &mut beginning);
        let range = KeyRange::prefix(&beginning);
        prop_assert_eq!(range.covers(&encoded(&Value::String(text.clone()), direction)), text.starts_with(&prefix));
        let longer = Value::String(format!("{prefix}{text}"));
        prop_assert!(range.covers(&encoded(&longer, direction)));
    }

    #[test]
    fn a_range_of_a_prefix_covers_what_begins_so(
        prefix in prop::collection::vec(prop_oneof![Just(0u8), Just(254), Just(255)], 0..4),
        key in prop::collection::vec(prop_oneof![Just(0u8), Just(254), Just(255)], 0..6),
    ) {
        prop_assert_eq!(KeyRange::prefix(&prefix).covers(&key), key.starts_with(&prefix));
    }

    #[test]
    fn no_key_lies_between_a_key_and_its_successor(
        key in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..4),
        other in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..6),
    ) {
        prop_assert_eq!(*other >= *successor(&key), other > key);
    }

    #[test]
    fn what_decodes_is_what_would_be_encoded(mut bytes in prop::collection::vec(any::<u8>(), 0..24), tag in 0x00..0x60u8) {
        if let Some(first) = bytes.first_mut() {
            *first = tag;
        }
        let mut rest = bytes.as_slice();
        if let Ok(value) = decode(&mut rest, Direction::Ascending) {
            prop_assert_eq!(encoded(&value, Direction::Ascending), &bytes[..bytes.len() - rest.len()]);
        }
    }

    #[test]
    fn damaged_elements_are_told_or_read_as_others(value in sample::value(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = encoded(&value, Direction::Ascending);
        for end in 0..bytes.len() {
            prop_assert!(decode(&mut &bytes[..end], Direction::Ascending).is_err(), "cut at {}", end);
        }
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut rest = bytes.as_slice();
        if let Ok(value) = decode(&mut rest, Direction::Ascending) {
            prop_assert_eq!(encoded(&value, Direction::Ascending), &bytes[..bytes.len() - rest.len()]);
        }
    }
}

#[test]
fn equal_numbers_are_one_key() {
    let ones = [Value::Int(1), Value::Float(1.0), Value::Decimal(Decimal::new(100, 2))];
    let tenths = [Value::Float(0.1), Value::Decimal(Decimal::new(1, 1)), Value::Decimal(Decimal::new(1000, 4))];
    let zeros = [Value::Int(0), Value::Float(-0.0), Value::Float(0.0), Value::Decimal(Decimal::new(0, 5))];
    for equal in [&ones[..], &tenths, &zeros] {
        for direction in BOTH {
            assert!(equal.iter().all(|number| encoded(number, direction) == encoded(&equal[0], direction)));
        }
    }
}

#[test]
fn a_nested_element_is_bounded() {
    let mut bytes = vec![0x50; 100_000];
    bytes.extend_from_slice(&vec![0x00; 100_000]);
    let error = decode(&mut bytes.as_slice(), Direction::Ascending).unwrap_err();
    assert_snapshot!(error, @"corrupt key: lists and objects nest too deep, 66 bytes into an element");
    let deepest = [vec![0x50; 64], vec![0x00; 64]].concat();
    assert!(decode(&mut deepest.as_slice(), Direction::Ascending).is_ok());
}

#[test]
fn elements_have_the_bytes_that_they_have_always_had() {
    let id = DocumentId([0x11; 16]);
    let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
    let map = vec![("k".to_owned(), Value::Int(1)), ("a".to_owned(), Value::Null)];
    let values = [
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::Float(f64::MIN),
        Value::Int(i64::MIN),
        Value::Int(-1000),
        Value::Float(-5.5),
        Value::Int(-5),
        Value::Float(-5e-324),
        Value::Int(0),
        Value::Float(5e-324),
        decimal("0.0000000000000000000000000001"),
        Value::Float(0.1),
        Value::Int(1),
        Value::Float(5.5),
        Value::Int(127),
        Value::Int(128),
        Value::Int(i64::MAX),
        Value::Float(9_223_372_036_854_775_808.0),
        decimal("79228162514264337593543950335"),
        decimal("-7.9228162514264337593543950335"),
        Value::Float(1e300),
        Value::String(String::new()),
        Value::String("a\0\u{1}é".to_owned()),
        Value::Bytes(vec![0, 1, 2, 255]),
        Value::DateTime(-1),
        Value::DateTime(1_700_000_000_000_000),
        Value::Date(-1),
        Value::Date(i32::MAX),
        Value::Duration(60_000_000),
        Value::Uuid(id),
        Value::List(vec![]),
        Value::List(vec![Value::Int(1), Value::Null, Value::List(vec![])]),
        Value::Record(vec![(FieldId(1), Value::Bool(true)), (FieldId(258), Value::Int(1))]),
        Value::Map(map),
    ];
    let mut drawn = String::new();
    for value in &values {
        let shown = format!("{value:?}");
        let shown = if shown.len() > 60 { format!("{}...", &shown[..57]) } else { shown };
        let bytes = hex(&encoded(value, Direction::Ascending));
        let bytes = if bytes.len() > 60 { format!("{}... ({} bytes)", &bytes[..40], bytes.len() / 2) } else { bytes };
        drawn += &format!("{shown}: {bytes}\n");
    }
    assert_snapshot!(drawn, @r#"
    Null: 02
    Bool(false): 04
    Bool(true): 05
    Float(-1.7976931348623157e308): 107efe0000000000000fffffffffffffffffffff... (131 bytes)
    Int(-9223372036854775808): 10f6feffffffffffffffff
    Int(-1000): 17f82f
    Float(-5.5): 18f400ccff
    Int(-5): 18f5
    Float(-5e-324): 18fea1f9ff
    Int(0): 19
    Float(5e-324): 1a015e0600
    Decimal(0.0000000000000000000000000001): 1a01f20200
    Float(0.1): 1a01ff0b00
    Int(1): 1a02
    Float(5.5): 1a0bff3300
    Int(127): 1afe
    Int(128): 1b0100
    Int(9223372036854775807): 21fffffffffffffffe
    Float(9.223372036854776e18): 2209010000000000000000
    Decimal(79228162514264337593543950335): 220d01fffffffffffffffffffffffe
    Decimal(-7.9228162514264337593543950335): 18f000a2e2eee5f0e4d3d9c3dbd39ffbdbff
    Float(1e300): 227d2fc8791000eb380000000000000000000000... (127 bytes)
    String(""): 3000
    String("a\0\u{1}é"): 306101010102c3a900
    Bytes([0, 1, 2, 255]): 380101010202ff00
    DateTime(-1): 407fffffffffffffff
    DateTime(1700000000000000): 4080060a24181e4000
    Date(-1): 417fffffffffffffff
    Date(2147483647): 41800000007fffffff
    Duration(60000000): 428000000003938700
    Uuid(11111111-1111-1111-1111-111111111111): 4811111111111111111111111111111111
    List([]): 5000
    List([Int(1), Null, List([])]): 501a0202500000
    Record([(FieldId(1), Bool(true)), (FieldId(258), Int(1))]): 58010001050101021a0200
    Map([("k", Int(1)), ("a", Null)]): 59306b001a023061000200
    "#);
    assert_snapshot!(hex(&encoded(&Value::Int(5), Direction::Descending)), @"e5f5");
}

#[test]
fn keys_have_the_bytes_that_they_have_always_had() {
    let id = DocumentId([0xAB; 16]);
    assert_snapshot!(hex(&document(DatabaseId(1), CollectionId(0x0203), id)), @"0000000100000203abababababababababababababababab");
    let range = documents(DatabaseId(1), CollectionId(0xFF));
    assert_snapshot!(format!("{} {}", hex(&range.start), hex(&range.end)), @"00000001000000ff 00000001000001");
    let mut key = index(DatabaseId(1), IndexId(7));
    encode(ValueRef::Int(5), Direction::Ascending, &mut key);
    push_id(&mut key, id);
    assert_snapshot!(hex(&key), @"00000001000000071a0aabababababababababababababababab");
    assert_eq!(document_id(&key).unwrap(), id);
    assert_snapshot!(document_id(&key[..15]).unwrap_err(), @"corrupt key: 15 bytes are too few to end in the id of a document");
    assert_snapshot!(finish(vec![0; KEY_BYTES_MAX + 1]).unwrap_err(), @"key of 4097 bytes is longer than 4096");
    assert_eq!(finish(vec![0; KEY_BYTES_MAX]).unwrap().len(), KEY_BYTES_MAX);
}

/// `cargo test -p vivarium-storage --release costs -- --ignored --nocapture --test-threads 1`
#[test]
#[ignore = "a measure, not a test"]
fn key_costs() {
    let values = [
        Value::Int(5),
        Value::Int(1_234_567_890_123),
        Value::Float(12.5),
        Value::Float(1e9),
        Value::Decimal(Decimal::new(1999, 2)),
        Value::String("ada@example.com".to_owned()),
        Value::Uuid(DocumentId([7; 16])),
    ];
    let mut key = Vec::with_capacity(256);
    for value in &values {
        let encoding = sample::nanoseconds(|| {
            key.clear();
            encode_value(black_box(value), Direction::Ascending, &mut key);
        });
        let decoding = sample::nanoseconds(|| decode(&mut black_box(key.as_slice()), Direction::Ascending));
        println!("{value:?}: {encoding:.1} ns to encode, {decoding:.1} ns to decode, {} bytes", key.len());
    }
}
