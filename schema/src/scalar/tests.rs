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
    let bytes = document.finish(1, None).unwrap();
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
    assert_snapshot!(table(Scalar::Int, None, &inputs), @r#"
0 -> 0
-2147483648 -> -2147483648
2147483648 -> An Int lies between -2147483648 and 2147483647, and 2147483648 does not: declare the field as BigInt.
3.0 -> 3
1e3 -> 1000
1.5 -> An Int is a whole number of 32 bits, not 1.5.
"1" -> An Int is a whole number, not "1".
true -> An Int is a whole number, not true.
"#);
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
    assert_snapshot!(table(Scalar::BigInt, None, &inputs), @r#"
-9223372036854775808 -> "-9223372036854775808"
"9223372036854775807" -> "9223372036854775807"
"9223372036854775808" -> A BigInt is a whole number between -9223372036854775808 and 9223372036854775807, which "9223372036854775808" is not.
9223372036854775808 -> A BigInt is a whole number between -9223372036854775808 and 9223372036854775807, which 9223372036854775808 is not.
"-7" -> "-7"
"+7" -> A BigInt is a whole number, or a string of one, not "+7".
"1_0" -> A BigInt is a whole number, or a string of one, not "1_0".
"" -> A BigInt is a whole number, or a string of one, not "".
"1.0" -> A BigInt is a whole number, or a string of one, not "1.0".
a list -> A BigInt is a whole number, or a string of one, not a list.
"#);
}

#[test]
fn floats() {
    let inputs =
        [Input::Int(3), number("-0.0"), number("1e400"), number("1e-7"), number("2145041.0215053763"), string("1.5")];
    assert_snapshot!(table(Scalar::Float, None, &inputs), @r#"
3 -> 3.0
-0.0 -> 0.0
1e400 -> A Float is at most 1.7976931348623157e308 in size, which 1e400 is not.
1e-7 -> 1e-7
2145041.0215053763 -> 2145041.0215053763
"1.5" -> A Float is a number, not "1.5".
"#);
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
    assert_snapshot!(table(Scalar::Decimal, None, &inputs), @r#"
"0.99" -> "0.99"
"1.50" -> "1.50"
2.50 -> "2.50"
-7 -> "-7"
"1e3" -> "1000"
"12.5e-3" -> "0.0125"
"-0.0" -> "0.0"
"79228162514264337593543950335" -> "79228162514264337593543950335"
"79228162514264337593543950336" -> A Decimal has at most 28 digits, and "79228162514264337593543950336" has more or is too large.
"0.00000000000000000000000000001" -> A Decimal has at most 28 digits, and "0.00000000000000000000000000001" has more or is too large.
"1_000" -> A Decimal is a number, or a string of one such as "12.50", not "1_000".
"12,50" -> A Decimal is a number, or a string of one such as "12.50", not "12,50".
"1." -> A Decimal is a number, or a string of one such as "12.50", not "1.".
".5" -> A Decimal is a number, or a string of one such as "12.50", not ".5".
"NaN" -> A Decimal is a number, or a string of one such as "12.50", not "NaN".
false -> A Decimal is a number, or a string of one such as "12.50", not false.
"#);
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
    assert_snapshot!(table(Scalar::Decimal, CENTS, &inputs), @r#"
"0.9" -> "0.90"
"0.990" -> "0.99"
"0.999" -> This Decimal takes 2 digits after the point (@precision), and "0.999" has 3: round it first.
9999 -> "9999.00"
10000 -> This Decimal takes 4 digits before the point (@precision), which is too few for 10000.
"-9999.99" -> "-9999.99"
"1e-2" -> "0.01"
"0" -> "0.00"
"#);
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
    ]), @r#"
"2026-01-31T12:30:00Z" -> "2026-01-31T12:30:00Z"
"2026-01-31t12:30:00z" -> "2026-01-31T12:30:00Z"
"2026-01-31 12:30:00Z" -> "2026-01-31T12:30:00Z"
"2026-01-31T14:30:00.25+02:00" -> "2026-01-31T12:30:00.250000Z"
"2026-01-31T12:30:00.000001Z" -> "2026-01-31T12:30:00.000001Z"
"2026-01-31T12:30:00.0000010Z" -> "2026-01-31T12:30:00.000001Z"
"2026-01-31T12:30:00.0000001Z" -> "2026-01-31T12:30:00.0000001Z" is no DateTime: it has more than microseconds, or no digits after the point.
"2026-01-31T12:30:00.Z" -> "2026-01-31T12:30:00.Z" is no DateTime: it has more than microseconds, or no digits after the point.
"2026-01-31T12:30:00" -> "2026-01-31T12:30:00" is no DateTime: write it as RFC 3339, such as "2026-01-31T12:30:00Z" or "2026-01-31T14:30:00.25+02:00".
"2026-01-31T12:30Z" -> "2026-01-31T12:30Z" is no DateTime: write it as RFC 3339, such as "2026-01-31T12:30:00Z" or "2026-01-31T14:30:00.25+02:00".
"2026-01-31" -> "2026-01-31" is no DateTime: write it as RFC 3339, such as "2026-01-31T12:30:00Z" or "2026-01-31T14:30:00.25+02:00".
"2026-02-29T00:00:00Z" -> "2026-02-29T00:00:00Z" is no DateTime: the calendar has no such day.
"2024-02-29T00:00:00-00:00" -> "2024-02-29T00:00:00Z"
"2016-12-31T23:59:60Z" -> "2016-12-31T23:59:60Z" is no DateTime: leap seconds have no place in UTC microseconds: use second 59 or the next minute.
"2026-01-31T24:00:00Z" -> "2026-01-31T24:00:00Z" is no DateTime: a day ends at 23:59:59.
"0001-01-01T00:00:00Z" -> "0001-01-01T00:00:00Z"
"0001-01-01T00:00:00+00:01" -> "0001-01-01T00:00:00+00:01" is no DateTime: in UTC it lies outside the years 0001 to 9999.
"9999-12-31T23:59:59.999999Z" -> "9999-12-31T23:59:59.999999Z"
"9999-12-31T23:59:59-00:01" -> "9999-12-31T23:59:59-00:01" is no DateTime: in UTC it lies outside the years 0001 to 9999.
"0000-01-01T00:00:00Z" -> "0000-01-01T00:00:00Z" is no DateTime: years run from 0001 to 9999.
"2026-01-31T12:30:00+24:00" -> "2026-01-31T12:30:00+24:00" is no DateTime: the offset is at most 23:59.
"2026-01-31T12:30:00+0200" -> "2026-01-31T12:30:00+0200" is no DateTime: write it as RFC 3339, such as "2026-01-31T12:30:00Z" or "2026-01-31T14:30:00.25+02:00".
"2026-01-31T12:30:00é" -> "2026-01-31T12:30:00é" is no DateTime: write it as RFC 3339, such as "2026-01-31T12:30:00Z" or "2026-01-31T14:30:00.25+02:00".
"" -> "" is no DateTime: write it as RFC 3339, such as "2026-01-31T12:30:00Z" or "2026-01-31T14:30:00.25+02:00".
"#);
    assert_snapshot!(table(Scalar::DateTime, None, &[Input::Int(0)]), @r#"0 -> A DateTime is a string such as "2026-01-31T12:30:00Z", not 0."#);
}

#[test]
fn days() {
    assert_snapshot!(strings(Scalar::Date, &[
        "1970-01-01", "0001-01-01", "9999-12-31", "1900-02-29", "2000-02-29", "2026-13-01", "2026-1-1", "10000-01-01", "-001-01-01", "2026-01-01T00:00:00Z", "\u{662}026-01-01",
    ]), @r#"
"1970-01-01" -> "1970-01-01"
"0001-01-01" -> "0001-01-01"
"9999-12-31" -> "9999-12-31"
"1900-02-29" -> "1900-02-29" is no Date: the calendar has no such day.
"2000-02-29" -> "2000-02-29"
"2026-13-01" -> "2026-13-01" is no Date: the calendar has no such day.
"2026-1-1" -> "2026-1-1" is no Date: write its day as "2026-01-31".
"10000-01-01" -> "10000-01-01" is no Date: write its day as "2026-01-31".
"-001-01-01" -> "-001-01-01" is no Date: write its day as "2026-01-31".
"2026-01-01T00:00:00Z" -> "2026-01-01T00:00:00Z" is no Date: write its day as "2026-01-31".
"٢026-01-01" -> "٢026-01-01" is no Date: write its day as "2026-01-31".
"#);
}

#[test]
fn durations() {
    assert_snapshot!(strings(Scalar::Duration, &[
        "PT0S", "P1D", "P1W2D", "PT36H", "PT90.5S", "PT0.000001S", "-P1DT2H3M4.05S", "P1M", "P1Y", "PT1M", "P", "PT", "P1DT", "PT1S1M", "PT1.5H",
        "PT0.0000001S", "P106751991DT4H54.775807S", "P106751991DT4H54.775808S", "PT9999999999999999S", "PT99999999999999999S", "1D", "P-1D", "P1.D",
    ]), @r#"
"PT0S" -> "PT0S"
"P1D" -> "P1D"
"P1W2D" -> "P9D"
"PT36H" -> "P1DT12H"
"PT90.5S" -> "PT1M30.5S"
"PT0.000001S" -> "PT0.000001S"
"-P1DT2H3M4.05S" -> "-P1DT2H3M4.05S"
"P1M" -> "P1M" is no Duration: months and years have no fixed length: use days or weeks.
"P1Y" -> "P1Y" is no Duration: months and years have no fixed length: use days or weeks.
"PT1M" -> "PT1M"
"P" -> "P" is no Duration: write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as "P1DT12H" or "PT0.5S".
"PT" -> "PT" is no Duration: write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as "P1DT12H" or "PT0.5S".
"P1DT" -> "P1DT" is no Duration: write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as "P1DT12H" or "PT0.5S".
"PT1S1M" -> "PT1S1M" is no Duration: write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as "P1DT12H" or "PT0.5S".
"PT1.5H" -> "PT1.5H" is no Duration: only seconds take a fraction.
"PT0.0000001S" -> "PT0.0000001S" is no Duration: it has more than microseconds, or no digits after the point.
"P106751991DT4H54.775807S" -> "P106751991DT4H54.775807S"
"P106751991DT4H54.775808S" -> "P106751991DT4H54.775808S" is no Duration: it is longer than 64 bits of microseconds, about 292,000 years.
"PT9999999999999999S" -> "PT9999999999999999S" is no Duration: it is longer than 64 bits of microseconds, about 292,000 years.
"PT99999999999999999S" -> "PT99999999999999999S" is no Duration: write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as "P1DT12H" or "PT0.5S".
"1D" -> "1D" is no Duration: write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as "P1DT12H" or "PT0.5S".
"P-1D" -> "P-1D" is no Duration: write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as "P1DT12H" or "PT0.5S".
"P1.D" -> "P1.D" is no Duration: it has more than microseconds, or no digits after the point.
"#);
}

#[test]
fn texts() {
    assert_snapshot!(strings(Scalar::Uuid, &[
        "0190163D-8694-739b-aea5-966c26f8ad91", "0190163d8694739baea5966c26f8ad91", "{0190163d-8694-739b-aea5-966c26f8ad91}", "0190163d", "",
    ]), @r#"
"0190163D-8694-739b-aea5-966c26f8ad91" -> "0190163d-8694-739b-aea5-966c26f8ad91"
"0190163d8694739baea5966c26f8ad91" -> "0190163d-8694-739b-aea5-966c26f8ad91"
"{0190163d-8694-739b-aea5-966c26f8ad91}" -> A UUID is a string such as "0190163d-8694-739b-aea5-966c26f8ad91", not "{0190163d-8694-739b-aea5-966c26f8ad91}".
"0190163d" -> A UUID is a string such as "0190163d-8694-739b-aea5-966c26f8ad91", not "0190163d".
"" -> A UUID is a string such as "0190163d-8694-739b-aea5-966c26f8ad91", not "".
"#);
    assert_snapshot!(strings(Scalar::Bytes, &["", "3q2+7w==", "3q2-7w==", "3q2+7w", "3q2+7w=="]), @r#"
"" -> ""
"3q2+7w==" -> "3q2+7w=="
"3q2-7w==" -> Bytes are a string of base64 with its padding, such as "3q2+7w==", not "3q2-7w==": Invalid symbol 45, offset 3.
"3q2+7w" -> Bytes are a string of base64 with its padding, such as "3q2+7w==", not "3q2+7w": Invalid padding.
"3q2+7w==" -> "3q2+7w=="
"#);
    assert_snapshot!(strings(Scalar::Email, &[
        "a@b.c", "ann.o'neill+tag@mail.example.com", "ann@localhost", "ann", "@b.c", "a@", "a@b..c", "a@-b.c", "a b@c.d", "a@b@c.d", "j\u{fc}rgen@example.com", "a@ex\u{e4}mple.com", "a@xn--exmple-cua.com",
    ]), @r#"
"a@b.c" -> "a@b.c"
"ann.o'neill+tag@mail.example.com" -> "ann.o'neill+tag@mail.example.com"
"ann@localhost" -> "ann@localhost"
"ann" -> "ann" is no Email: it has no @.
"@b.c" -> "@b.c" is no Email: what stands before the @ has 1 to 64 characters.
"a@" -> "a@" is no Email: what stands after the @ is no domain.
"a@b..c" -> "a@b..c" is no Email: what stands after the @ is no domain.
"a@-b.c" -> "a@-b.c" is no Email: what stands after the @ is no domain.
"a b@c.d" -> "a b@c.d" is no Email: what stands before the @ has a character that addresses do not have.
"a@b@c.d" -> "a@b@c.d" is no Email: what stands before the @ has a character that addresses do not have.
"jürgen@example.com" -> "jürgen@example.com" is no Email: it is not ASCII. Write the domain in its xn-- form, or declare the field as String.
"a@exämple.com" -> "a@exämple.com" is no Email: it is not ASCII. Write the domain in its xn-- form, or declare the field as String.
"a@xn--exmple-cua.com" -> "a@xn--exmple-cua.com"
"#);
    assert_snapshot!(strings(Scalar::CountryCode, &["DE", "de", "XX", "DEU", "", "D "]), @r#"
"DE" -> "DE"
"de" -> A CountryCode is two capital letters of ISO 3166-1, such as "DE", which "de" is not.
"XX" -> A CountryCode is two capital letters of ISO 3166-1, such as "DE", which "XX" is not.
"DEU" -> A CountryCode is two capital letters of ISO 3166-1, such as "DE", which "DEU" is not.
"" -> A CountryCode is two capital letters of ISO 3166-1, such as "DE", which "" is not.
"D " -> A CountryCode is two capital letters of ISO 3166-1, such as "DE", which "D " is not.
"#);
    assert_snapshot!(table(Scalar::Id, None, &[string("x"), Input::Int(7), number("1.5"), Input::Bool(true)]), @r#"
"x" -> "x"
7 -> "7"
1.5 -> An ID is a string or a whole number, not 1.5.
true -> An ID is a string or a whole number, not true.
"#);
    assert_snapshot!(table(Scalar::String, None, &[string("a\"\\\n\u{1}\u{7f}\u{e9}\u{1f600}"), Input::Int(7), Input::Enum("RED".into()), Input::Null]), @r#"
"a\"\\\n\u0001é😀" -> "a\"\\\n\u0001é😀"
7 -> A String is a string, not 7.
the enum value RED -> A String is a string, not the enum value RED.
null -> A String is a string, not null.
"#);
    assert_snapshot!(table(Scalar::Boolean, None, &[Input::Bool(false), Input::Int(1), string("true")]), @r#"
false -> false
1 -> A Boolean is true or false, not 1.
"true" -> A Boolean is true or false, not "true".
"#);
}

#[test]
fn json_is_kept_as_it_was_written() {
    let input = Input::Object(vec![
        (
            "b".into(),
            Input::List(vec![Input::Null, Input::Bool(true), Input::Int(i64::MAX), number("0.10"), number("1e400")]),
        ),
        ("a".into(), Input::Object(vec![])),
    ]);
    assert_eq!(read_back(Scalar::Json, None, &input), Err("JSON has no number 1e400.".into()));
    let input = Input::Object(vec![
        (
            "b".into(),
            Input::List(vec![Input::Null, Input::Bool(true), Input::Int(i64::MAX), number("0.10"), number("1e300")]),
        ),
        ("a".into(), Input::Object(vec![("\"".into(), string("x"))])),
    ]);
    assert_eq!(
        read_back(Scalar::Json, None, &input).unwrap(),
        r#"{"b":[null,true,9223372036854775807,0.10,1e+300],"a":{"\"":"x"}}"#
    );
    let twice = Input::Object(vec![("a".into(), Input::Null), ("a".into(), Input::Null)]);
    assert_eq!(
        read_back(Scalar::Json, None, &twice),
        Err("A JSON object names each field once, and a is there twice.".into())
    );
    let mut deep = Input::Int(1);
    for _ in 0..JSON_DEPTH_MAX {
        deep = Input::List(vec![deep]);
    }
    assert!(read_back(Scalar::Json, None, &deep).is_ok());
    assert_eq!(read_back(Scalar::Json, None, &Input::List(vec![deep])), Err("JSON nests at most 64 deep.".into()));
    let wide = Input::List(vec![Input::Null; JSON_VALUES_MAX]);
    assert_eq!(read_back(Scalar::Json, None, &wide), Err("JSON takes at most 200000 values in one field.".into()));
    assert_eq!(
        read_back(Scalar::Json, None, &Input::Enum("RED".into())),
        Err("JSON has no enum values: write RED as a string.".into())
    );
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
        any::<f64>()
            .prop_filter_map("finite", |value| number::finite(value).map(|value| (Scalar::Float, Value::Float(value)))),
        (any::<[u32; 3]>(), any::<bool>(), 0..=28u32).prop_map(|(parts, negative, scale)| {
            let value = vivarium_storage::value::Decimal::from_parts(parts[0], parts[1], parts[2], negative, scale);
            (Scalar::Decimal, Value::Decimal(value))
        }),
        (-62_135_596_800_000_000..=253_402_300_799_999_999i64)
            .prop_map(|micros| (Scalar::DateTime, Value::DateTime(micros))),
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
