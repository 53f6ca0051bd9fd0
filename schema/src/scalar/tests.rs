//! Tables of good and bad inputs, and round trips.

use super::*;
use insta::assert_snapshot;
use proptest::prelude::*;
use vivarium_storage::{Document, DocumentBuilder, FieldId};

const CENTS: Option<Precision> = Some(Precision { digits: 6, scale: 2 });

fn string(text: &str) -> Input {
    Input::String(text.to_owned())
}

fn number(digits: &str) -> Input {
    Input::Number(digits.to_owned())
}

/// What a client reads after writing `input`, through a stored document.
fn read_back(scalar: Scalar, precision: Option<Precision>, input: &Input) -> Result<String, String> {
    let value = coerce(scalar, precision, input)?;
    let mut document = DocumentBuilder::new();
    document.set(FieldId(1), value);
    let bytes = document.finish(1, None);
    let mut out = Vec::new();
    write_json(scalar, Document::trusted(&bytes).field(FieldId(1)), &mut out);
    Ok(String::from_utf8(out).unwrap())
}

/// One line a case: input, then what is read back or why it is refused.
fn table(scalar: Scalar, precision: Option<Precision>, inputs: &[Input]) -> String {
    inputs
        .iter()
        .map(|input| match read_back(scalar, precision, input) {
            Ok(json) => format!("{} -> {json}\n", found(input)),
            Err(message) => format!("{} -> {message}\n", found(input)),
        })
        .collect()
}

fn strings(scalar: Scalar, texts: &[&str]) -> String {
    table(scalar, None, &texts.iter().map(|text| string(text)).collect::<Vec<_>>())
}

#[test]
fn integers() {
    let inputs = [
        Input::Int(0),
        Input::Int(-2_147_483_648),
        Input::Int(2_147_483_648),
        number("3.0"),
        number("1e3"),
        number("1.5"),
        string("1"),
        Input::Bool(true),
    ];
    assert_snapshot!(table(Scalar::Int, None, &inputs), @"");
    let inputs = [
        Input::Int(i64::MIN),
        string("9223372036854775807"),
        string("9223372036854775808"),
        number("9223372036854775808"),
        string("-7"),
        string("+7"),
        string("1_0"),
        string(""),
        string("1.0"),
        Input::List(vec![]),
    ];
    assert_snapshot!(table(Scalar::BigInt, None, &inputs), @"");
}

#[test]
fn floats() {
    let inputs = [Input::Int(3), number("-0.0"), number("1e400"), number("1e-7"), number("2145041.0215053763"), string("1.5")];
    assert_snapshot!(table(Scalar::Float, None, &inputs), @"");
}

#[test]
fn decimals_keep_their_digits() {
    let inputs = [
        string("0.99"),
        string("1.50"),
        number("2.50"),
        Input::Int(-7),
        string("1e3"),
        string("12.5e-3"),
        string("-0.0"),
        string("79228162514264337593543950335"),
        string("79228162514264337593543950336"),
        string("0.00000000000000000000000000001"),
        string("1_000"),
        string("12,50"),
        string("1."),
        string(".5"),
        string("NaN"),
        Input::Bool(false),
    ];
    assert_snapshot!(table(Scalar::Decimal, None, &inputs), @"");
    let inputs = [
        string("0.9"),
        string("0.990"),
        string("0.999"),
        Input::Int(9999),
        Input::Int(10_000),
        string("-9999.99"),
        string("1e-2"),
        string("0"),
    ];
    assert_snapshot!(table(Scalar::Decimal, CENTS, &inputs), @"");
}

#[test]
fn instants() {
    assert_snapshot!(strings(Scalar::DateTime, &[
        "2026-01-31T12:30:00Z",
        "2026-01-31t12:30:00z",
        "2026-01-31 12:30:00Z",
        "2026-01-31T14:30:00.25+02:00",
        "2026-01-31T12:30:00.000001Z",
        "2026-01-31T12:30:00.0000010Z",
        "2026-01-31T12:30:00.0000001Z",
        "2026-01-31T12:30:00.Z",
        "2026-01-31T12:30:00",
        "2026-01-31T12:30Z",
        "2026-01-31",
        "2026-02-29T00:00:00Z",
        "2024-02-29T00:00:00-00:00",
        "2016-12-31T23:59:60Z",
        "2026-01-31T24:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        "2026-01-31T12:30:00+24:00",
        "2026-01-31T12:30:00+0200",
        "2026-01-31T12:30:00\u{e9}",
        "",
    ]), @"");
    assert_snapshot!(table(Scalar::DateTime, None, &[Input::Int(0)]), @"");
}

#[test]
fn days() {
    assert_snapshot!(strings(Scalar::Date, &[
        "1970-01-01", "0001-01-01", "9999-12-31", "1900-02-29", "2000-02-29", "2026-13-01", "2026-1-1", "10000-01-01", "-001-01-01", "2026-01-01T00:00:00Z", "\u{662}026-01-01",
    ]), @"");
}

#[test]
fn durations() {
    assert_snapshot!(strings(Scalar::Duration, &[
        "PT0S", "P1D", "P1W2D", "PT36H", "PT90.5S", "PT0.000001S", "-P1DT2H3M4.05S", "P1M", "P1Y", "PT1M", "P", "PT", "P1DT", "PT1S1M", "PT1.5H",
        "PT0.0000001S", "P106751991DT4H54.775807S", "P106751991DT4H54.775808S", "PT9999999999999999S", "PT99999999999999999S", "1D", "P-1D", "P1.D",
    ]), @"");
}

#[test]
fn texts() {
    assert_snapshot!(strings(Scalar::Uuid, &[
        "0190163D-8694-739b-aea5-966c26f8ad91", "0190163d8694739baea5966c26f8ad91", "{0190163d-8694-739b-aea5-966c26f8ad91}", "0190163d", "",
    ]), @"");
    assert_snapshot!(strings(Scalar::Bytes, &["", "3q2+7w==", "3q2-7w==", "3q2+7w", "3q2+7w=="]), @"");
    assert_snapshot!(strings(Scalar::Email, &[
        "a@b.c", "ann.o'neill+tag@mail.example.com", "ann@localhost", "ann", "@b.c", "a@", "a@b..c", "a@-b.c", "a b@c.d", "a@b@c.d", "j\u{fc}rgen@example.com", "a@ex\u{e4}mple.com", "a@xn--exmple-cua.com",
    ]), @"");
    assert_snapshot!(strings(Scalar::CountryCode, &["DE", "de", "XX", "DEU", "", "D "]), @"");
    assert_snapshot!(table(Scalar::Id, None, &[string("x"), Input::Int(7), number("1.5"), Input::Bool(true)]), @"");
    assert_snapshot!(table(Scalar::String, None, &[string("a\"\\\n\u{1}\u{7f}\u{e9}\u{1f600}"), Input::Int(7), Input::Enum("RED".into()), Input::Null]), @"");
    assert_snapshot!(table(Scalar::Boolean, None, &[Input::Bool(false), Input::Int(1), string("true")]), @"");
}

#[test]
fn json_is_kept_as_it_was_written() {
    let input = Input::Object(vec![
        ("b".into(), Input::List(vec![Input::Null, Input::Bool(true), Input::Int(i64::MAX), number("0.10"), number("1e400")])),
        ("a".into(), Input::Object(vec![])),
    ]);
    assert_eq!(read_back(Scalar::Json, None, &input), Err("JSON has no number 1e400.".into()));
    let input = Input::Object(vec![
        ("b".into(), Input::List(vec![Input::Null, Input::Bool(true), Input::Int(i64::MAX), number("0.10"), number("1e300")])),
        ("a".into(), Input::Object(vec![("\"".into(), string("x"))])),
    ]);
    assert_eq!(read_back(Scalar::Json, None, &input).unwrap(), r#"{"b":[null,true,9223372036854775807,0.10,1e+300],"a":{"\"":"x"}}"#);
    let twice = Input::Object(vec![("a".into(), Input::Null), ("a".into(), Input::Null)]);
    assert_eq!(read_back(Scalar::Json, None, &twice), Err("A JSON object names each field once, and a is there twice.".into()));
    let mut deep = Input::Int(1);
    for _ in 0..JSON_DEPTH_MAX {
        deep = Input::List(vec![deep]);
    }
    assert!(read_back(Scalar::Json, None, &deep).is_ok());
    assert_eq!(read_back(Scalar::Json, None, &Input::List(vec![deep])), Err("JSON nests at most 64 deep.".into()));
    let wide = Input::List(vec![Input::Null; JSON_VALUES_MAX]);
    assert_eq!(read_back(Scalar::Json, None, &wide), Err("JSON takes at most 200000 values in one field.".into()));
    assert_eq!(read_back(Scalar::Json, None, &Input::Enum("RED".into())), Err("JSON has no enum values: write RED as a string.".into()));
}

#[test]
fn versions() {
    let written = |version| {
        let mut out = Vec::new();
        write_version(Version(version), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(0), "0000000000000000");
    assert_eq!(written(1_763_000_000_000_000), "1763000000000000");
    assert_eq!(written(u64::MAX), "18446744073709551615");
    for text in ["", "1", "01763000000000000", "176300000000000x", "+763000000000000", "18446744073709551616"] {
        assert_eq!(parse_version(text), None, "{text}");
    }
}

/// The calendar that our arithmetic is checked against.
fn jiff_day(days: i32) -> jiff::civil::Date {
    jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(days)
}

#[test]
fn every_day_of_ten_thousand_years_is_the_calendars() {
    for days in (-719_162..=2_932_896).step_by(13) {
        let mut out = Vec::new();
        time::write_date(days, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), jiff_day(days).to_string());
    }
}

/// Any scalar value that can be stored, with its scalar.
fn stored() -> impl Strategy<Value = (Scalar, Value)> {
    prop_oneof![
        any::<i32>().prop_map(|value| (Scalar::Int, Value::Int(value.into()))),
        any::<i64>().prop_map(|value| (Scalar::BigInt, Value::Int(value))),
        any::<f64>().prop_filter_map("finite", |value| number::finite(value).map(|value| (Scalar::Float, Value::Float(value)))),
        (any::<[u32; 3]>(), any::<bool>(), 0..=28u32).prop_map(|(parts, negative, scale)| {
            let value = vivarium_storage::value::Decimal::from_parts(parts[0], parts[1], parts[2], negative, scale);
            (Scalar::Decimal, Value::Decimal(value))
        }),
        (-62_135_596_800_000_000..=253_402_300_799_999_999i64).prop_map(|micros| (Scalar::DateTime, Value::DateTime(micros))),
        (-719_162..=2_932_896).prop_map(|days| (Scalar::Date, Value::Date(days))),
        any::<i64>().prop_map(|micros| (Scalar::Duration, Value::Duration(micros))),
        any::<[u8; 16]>().prop_map(|bytes| (Scalar::Uuid, Value::Uuid(vivarium_storage::DocumentId(bytes)))),
        any::<Vec<u8>>().prop_map(|bytes| (Scalar::Bytes, Value::Bytes(bytes))),
        any::<String>().prop_map(|text| (Scalar::String, Value::String(text))),
    ]
}

fn borrowed(value: &Value) -> ValueRef<'_> {
    match value {
        Value::Int(value) => ValueRef::Int(*value),
        Value::Float(value) => ValueRef::Float(*value),
        Value::Decimal(value) => ValueRef::Decimal(*value),
        Value::DateTime(micros) => ValueRef::DateTime(*micros),
        Value::Date(days) => ValueRef::Date(*days),
        Value::Duration(micros) => ValueRef::Duration(*micros),
        Value::Uuid(id) => ValueRef::Uuid(*id),
        Value::Bytes(bytes) => ValueRef::Bytes(bytes),
        Value::String(text) => ValueRef::String(text),
        other => unreachable!("not generated: {other:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_taken_back((scalar, value) in stored()) {
        let mut out = Vec::new();
        write_json(scalar, borrowed(&value), &mut out);
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let input = match json {
            serde_json::Value::String(text) => Input::String(text),
            serde_json::Value::Number(digits) => match digits.as_i64() {
                Some(value) => Input::Int(value),
                None => Input::Number(digits.to_string()),
            },
            other => unreachable!("{other}"),
        };
        prop_assert_eq!(coerce(scalar, None, &input), Ok(value));
    }

    #[test]
    fn versions_read_back_and_sort_as_text(a in 0..10_000_000_000_000_000u64, b in any::<u64>()) {
        let written = |version| { let mut out = Vec::new(); write_version(Version(version), &mut out); String::from_utf8(out).unwrap() };
        prop_assert_eq!(parse_version(&written(a)), Some(Version(a)));
        prop_assert_eq!(parse_version(&written(b)), Some(Version(b)));
        let b = b % 10_000_000_000_000_000;
        prop_assert_eq!(a.cmp(&b), written(a).cmp(&written(b)));
    }

    #[test]
    fn no_string_makes_coercion_panic(text in ".{0,40}") {
        for scalar in [Scalar::Decimal, Scalar::BigInt, Scalar::DateTime, Scalar::Date, Scalar::Duration, Scalar::Uuid, Scalar::Bytes, Scalar::Email, Scalar::CountryCode] {
            let _ = coerce(scalar, None, &Input::String(text.clone()));
        }
    }

    #[test]
    fn no_likely_string_makes_coercion_panic(text in "[-+PTWDHMSZ0-9:.eE]{0,30}") {
        for scalar in [Scalar::Decimal, Scalar::BigInt, Scalar::DateTime, Scalar::Date, Scalar::Duration] {
            let _ = coerce(scalar, CENTS, &Input::String(text.clone()));
            let _ = coerce(scalar, CENTS, &Input::Number(text.clone()));
        }
    }

    #[test]
    fn strings_are_valid_json(text in any::<String>()) {
        let mut out = Vec::new();
        write_string(&text, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}
