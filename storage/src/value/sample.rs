//! Values for tests: every type, with the numbers and texts where codecs go wrong.

use super::*;
use crate::{Document, DocumentBuilder};
use proptest::prelude::*;
use proptest::string::string_regex;
use std::collections::BTreeMap;

/// Integers of every size, around powers of two and around zero.
pub(crate) fn int() -> impl Strategy<Value = i64> {
    let near_power = (0..64u32, -2..=2i64).prop_map(|(bit, off)| (1i64 << bit).wrapping_add(off));
    prop_oneof![any::<i64>(), -300..300i64, near_power.clone(), near_power.prop_map(i64::wrapping_neg)]
}

/// Finite floats: any bits, integers past 2^53, short decimals, subnormals, both zeros.
pub(crate) fn float() -> impl Strategy<Value = f64> {
    let finite = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |float| float.is_finite());
    let short = (-10_000..10_000i64, 0..6i32).prop_map(|(digits, places)| digits as f64 / 10f64.powi(places));
    let near = (int(), -2..=2i64).prop_map(|(int, ulps)| {
        let near = f64::from_bits((int as f64).to_bits().wrapping_add_signed(ulps));
        if near.is_finite() { near } else { 0.0 }
    });
    let least = any::<u16>().prop_map(|bits| f64::from_bits(u64::from(bits)));
    let ends = prop_oneof![Just(0.0), Just(-0.0), Just(f64::MAX), Just(f64::MIN), Just(f64::MIN_POSITIVE), Just(1e23)];
    prop_oneof![finite, short, near, int().prop_map(|int| int as f64), least, ends]
}

/// Decimals of every scale, with many that equal an integer or a float.
pub(crate) fn decimal() -> impl Strategy<Value = Decimal> {
    let past = 1i128 << 96;
    let exact = |(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale);
    prop_oneof![
        (1 - past..past, 0..=28u32).prop_map(exact),
        (-10_000..10_000i128, 0..=28u32).prop_map(exact),
        (int(), 0..=28u32).prop_map(move |(int, scale)| exact((i128::from(int), scale))),
        (-1000..1000i128, 0..25u32).prop_map(move |(int, scale)| exact((int * 10i128.pow(scale), scale))),
        Just(Decimal::MAX),
        Just(Decimal::MIN),
    ]
}

/// Numbers of the three types.
pub(crate) fn number() -> impl Strategy<Value = Value> {
    let two_types = int().prop_flat_map(|int| {
        prop_oneof![Just(Value::Int(int)), Just(Value::Float(int as f64)), Just(Value::Decimal(Decimal::from(int)))]
    });
    prop_oneof![
        int().prop_map(Value::Int),
        float().prop_map(Value::Float),
        decimal().prop_map(Value::Decimal),
        two_types
    ]
}

/// Texts, with bytes that keys escape.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let awkward = string_regex("[\u{0}\u{1}\u{2}a\u{ff}\u{10ffff}]{0,4}").expect("the pattern is valid");
    prop_oneof![awkward, ".{0,12}", "[a-z]{0,3}"]
}

/// Everything that is no container.
pub(crate) fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        6 => number(),
        3 => text().prop_map(Value::String),
        2 => prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..6).prop_map(Value::Bytes),
        1 => int().prop_map(Value::DateTime),
        1 => any::<i32>().prop_map(Value::Date),
        1 => int().prop_map(Value::Duration),
        1 => any::<[u8; 16]>().prop_map(|id| Value::Uuid(DocumentId(id))),
    ]
}

/// Any value, containers in containers included.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        let fields = prop::collection::btree_map(0..40u16, inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            fields.prop_map(record),
            prop::collection::vec((text(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

/// The fields of a document, nulls included.
pub(crate) fn fields() -> impl Strategy<Value = BTreeMap<u16, Value>> {
    let id = prop_oneof![0..12u16, any::<u16>()];
    prop::collection::btree_map(id, value(), 0..8)
}

fn record(fields: BTreeMap<u16, Value>) -> Value {
    let present = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Record(present.map(|(field, value)| (FieldId(field), value)).collect())
}

/// The bytes of a document with one field, from which a borrowed view can be had.
pub(crate) fn stored(value: &Value) -> Vec<u8> {
    let mut builder = DocumentBuilder::new();
    builder.set(FieldId(1), value.clone());
    builder.finish(1, None).expect("samples are small")
}

/// The borrowed view of what [`stored`] wrote.
pub(crate) fn view(bytes: &[u8]) -> ValueRef<'_> {
    Document::trusted(bytes).field(FieldId(1))
}

/// What one call costs, on the best of many short runs: other work on the machine only adds.
#[allow(clippy::disallowed_methods)]
pub(crate) fn nanoseconds<T>(mut act: impl FnMut() -> T) -> f64 {
    const CALLS: u32 = 1000;
    let run = |_| {
        let start = std::time::Instant::now();
        (0..CALLS).for_each(|_| drop(std::hint::black_box(act())));
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..1000).map(run).fold(f64::INFINITY, f64::min)
}
