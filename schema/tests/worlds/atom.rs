//! Values of scalars and enums: how each is written, how it is answered, and where it stands among the others.
//!
//! The ways to write and to answer a value are tables written by hand: nothing here is computed as the server does.

use super::chance::Chance;
use super::literal::Literal;
use super::model::Model;
use serde_json::{Value as Json, json};
use std::cmp::Ordering;

/// A value that is not null.
#[derive(Clone, Debug)]
pub struct Atom {
    pub rank: Rank,
    /// What an answer shows.
    pub json: Json,
    /// What a client may write, one or several ways.
    pub forms: Vec<Literal>,
}

/// What values are compared by.
#[derive(Clone, Debug, PartialEq)]
pub enum Rank {
    Whole(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Decimal(String),
    /// A JSON document, which has no order.
    Document,
}

impl Rank {
    pub fn compare(&self, other: &Rank) -> Ordering {
        match (self, other) {
            (Rank::Whole(one), Rank::Whole(other)) => one.cmp(other),
            (Rank::Float(one), Rank::Float(other)) => one.partial_cmp(other).unwrap(),
            (Rank::Text(one), Rank::Text(other)) => one.chars().cmp(other.chars()),
            (Rank::Bytes(one), Rank::Bytes(other)) => one.cmp(other),
            (Rank::Decimal(one), Rank::Decimal(other)) => decimals(one, other),
            _ => panic!("{self:?} and {other:?} are not of one type"),
        }
    }
}

/// Compares by digits, as one does on paper.
fn decimals(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits = format!("{whole:0>40}{fraction:0<40}");
        (negative && digits.contains(|digit| digit != '0'), digits)
    };
    match (parts(one), parts(other)) {
        ((false, one), (false, other)) => one.cmp(&other),
        ((true, one), (true, other)) => other.cmp(&one),
        ((true, _), (false, _)) => Ordering::Less,
        ((false, _), (true, _)) => Ordering::Greater,
    }
}

/// Pieces of strings. Every letter that has a case is in [`FOLDS`] or in ASCII.
const PIECES: [&str; 26] = [
    "", "a", "A", "b", "B", "ab", "aB", "z", " ", "ä", "Ä", "ß", "ẞ", "ss", "Σ", "σ", "ς", "Ж", "ж", "日", "😀",
    "\u{FFFD}", "\u{212A}", "İ", "\"\\\n\t", "%_.*",
];

/// Letters that differ in case only, by Unicode's simple folding.
const FOLDS: [(char, char); 6] = [('Ä', 'ä'), ('ẞ', 'ß'), ('Σ', 'σ'), ('ς', 'σ'), ('Ж', 'ж'), ('\u{212A}', 'k')];

/// A text without its case.
pub fn fold(text: &str) -> String {
    let fold = |letter: char| {
        let found = FOLDS.iter().find(|(upper, _)| *upper == letter);
        found.map_or(letter.to_ascii_lowercase(), |(_, lower)| *lower)
    };
    text.chars().map(fold).collect()
}

pub fn text(text: &str) -> Atom {
    Atom { rank: Rank::Text(text.to_owned()), json: json!(text), forms: vec![Literal::text(text)] }
}

/// A string of a few pieces.
pub fn draw_text(chance: &mut Chance) -> String {
    (0..chance.between(1, 3)).map(|_| *chance.pick(&PIECES)).collect()
}

pub fn whole(number: i64) -> Atom {
    Atom { rank: Rank::Whole(number), json: json!(number), forms: vec![Literal::number(number)] }
}

/// A BigInt.
pub fn big(number: i64) -> Atom {
    let forms = vec![Literal::text(number.to_string()), Literal::number(number)];
    Atom { rank: Rank::Whole(number), json: json!(number.to_string()), forms }
}

/// A value for a field of this type.
pub fn draw(model: &Model, of: &str, chance: &mut Chance) -> Atom {
    match of {
        "String" => text(&draw_text(chance)),
        "ID" => {
            let name = *chance.pick(&["7", "07", "x", "X", "-1", "äöü"]);
            let mut atom = text(name);
            if name.parse::<i64>().is_ok_and(|number| number.to_string() == name) {
                atom.forms.push(Literal::number(name));
            }
            atom
        }
        "Email" => text(*chance.pick(&["a@b.c", "A@b.c", "z.z@example.com", "a+b@x-y.org"])),
        "CountryCode" => text(*chance.pick(&["DE", "FR", "US", "AD"])),
        "Int" => whole(*chance.pick(&[i64::from(i32::MIN), -7, -1, 0, 1, 2, 3, 20, i64::from(i32::MAX)])),
        "Float" => float(chance.pick(&FLOATS)),
        "BigInt" => {
            let number =
                *chance.pick(&[i64::MIN, i64::MIN + 1, -1, 0, 1, 255, 256, 9_007_199_254_740_993, 1 << 40, i64::MAX]);
            big(number)
        }
        "Decimal" => decimal(*chance.pick(&DECIMALS)),
        "DateTime" => with_forms(chance.pick(&DATE_TIMES)),
        "Duration" => {
            let (micros, answered, forms) = *chance.pick(&DURATIONS);
            Atom {
                rank: Rank::Whole(micros),
                json: json!(answered),
                forms: forms.iter().map(|form| Literal::text(*form)).collect(),
            }
        }
        "Date" => text(*chance.pick(&["0001-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31"])),
        "UUID" => uuid(*chance.pick(&UUIDS)),
        "Bytes" => {
            let (bytes, base64) = *chance.pick(&BYTES);
            Atom { rank: Rank::Bytes(bytes.to_vec()), json: json!(base64), forms: vec![Literal::text(base64)] }
        }
        "Boolean" => {
            let value = chance.percent(50);
            Atom { rank: Rank::Whole(i64::from(value)), json: json!(value), forms: vec![Literal::Bool(value)] }
        }
        "JSON" => document(chance, 2),
        name => {
            let values = model.values(name);
            let at = chance.below(values.len());
            Atom {
                rank: Rank::Whole(i64::try_from(at).unwrap()),
                json: json!(values[at]),
                forms: vec![Literal::Enum(values[at].clone())],
            }
        }
    }
}

/// A Decimal of a field with `@precision(digits: 10, scale: 2)`.
pub fn draw_precise(chance: &mut Chance) -> Atom {
    let (given, kept) = *chance.pick(&[
        ("0", "0.00"),
        ("1", "1.00"),
        ("1.5", "1.50"),
        ("-0.01", "-0.01"),
        ("99999999.99", "99999999.99"),
    ]);
    Atom { json: json!(kept), ..decimal(given) }
}

pub fn uuid(text: &str) -> Atom {
    let forms = vec![Literal::text(text), Literal::text(text.to_uppercase()), Literal::text(text.replace('-', ""))];
    Atom { rank: Rank::Text(text.to_owned()), json: json!(text), forms }
}

pub fn decimal(digits: &str) -> Atom {
    let forms = vec![Literal::text(digits), Literal::number(digits)];
    Atom { rank: Rank::Decimal(digits.to_owned()), json: json!(digits), forms }
}

fn float(&(value, answered, given): &(f64, &str, &str)) -> Atom {
    let json = Json::Number(answered.parse().unwrap());
    Atom { rank: Rank::Float(value), json, forms: vec![Literal::number(answered), Literal::number(given)] }
}

fn with_forms(&(rank, answered, other): &(&str, &str, &str)) -> Atom {
    let forms = vec![Literal::text(answered), Literal::text(other)];
    Atom { rank: Rank::Text(rank.to_owned()), json: json!(answered), forms }
}

/// The number, how it is answered, another way to write it.
const FLOATS: [(f64, &str, &str); 10] = [
    (f64::MIN, "-1.7976931348623157e308", "-1.7976931348623157e308"),
    (-1.5, "-1.5", "-15e-1"),
    (0.0, "0.0", "0"),
    (0.0, "0.0", "-0.0"),
    (5e-324, "5e-324", "5e-324"),
    (0.1, "0.1", "1e-1"),
    (1.0, "1.0", "1"),
    (2.5, "2.5", "25e-1"),
    (1e300, "1e300", "1e300"),
    (f64::MAX, "1.7976931348623157e308", "1.7976931348623157e308"),
];

const DECIMALS: [&str; 12] = [
    "0",
    "0.00",
    "-0.01",
    "0.01",
    "1",
    "1.0",
    "1.10",
    "-1.5",
    "256",
    "0.0000000000000000000000000001",
    "99999999999999999999999999.99",
    "-7922816251426433759354395033",
];

/// What it sorts by, how it is answered, the same instant elsewhere.
const DATE_TIMES: [(&str, &str, &str); 7] = [
    ("0001-01-01T00:00:00.000000", "0001-01-01T00:00:00Z", "0001-01-01T01:00:00+01:00"),
    ("1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:59:59.999999+01:00"),
    ("1970-01-01T00:00:00.000000", "1970-01-01T00:00:00Z", "1969-12-31T19:30:00-04:30"),
    ("2024-02-29T12:00:00.500000", "2024-02-29T12:00:00.500000Z", "2024-02-29T12:00:00.5Z"),
    ("2024-02-29T12:00:00.500001", "2024-02-29T12:00:00.500001Z", "2024-02-29T13:30:00.500001+01:30"),
    ("2026-07-01T00:00:00.000000", "2026-07-01T00:00:00Z", "2026-06-30T22:00:00-02:00"),
    ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
];

/// Microseconds, how they are answered, how they are written.
const DURATIONS: [(i64, &str, &[&str]); 7] = [
    (-500_000, "-PT0.5S", &["-PT0.5S", "-PT0.500S"]),
    (0, "PT0S", &["PT0S", "P0D", "-PT0S"]),
    (1, "PT0.000001S", &["PT0.000001S"]),
    (1_000_000, "PT1S", &["PT1S"]),
    (5_400_000_000, "PT1H30M", &["PT1H30M", "PT90M", "PT5400S"]),
    (86_400_000_000, "P1D", &["P1D", "PT24H"]),
    (694_861_000_000, "P8DT1H1M1S", &["P8DT1H1M1S", "P1W1DT1H1M1S"]),
];

const UUIDS: [&str; 5] = [
    "00000000-0000-0000-0000-000000000000",
    "0190163d-8694-739b-aea5-966c26f8ad91",
    "0190163d-8694-739b-aea5-966c26f8ad92",
    "7fffffff-ffff-ffff-ffff-ffffffffffff",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

const BYTES: [(&[u8], &str); 7] = [
    (&[], ""),
    (&[0], "AA=="),
    (&[0, 0], "AAA="),
    (&[0, 255], "AP8="),
    (&[1], "AQ=="),
    (&[104, 105], "aGk="),
    (&[255], "/w=="),
];

/// An atom of a JSON document.
pub fn json(json: &Json) -> Atom {
    Atom { rank: Rank::Document, json: json.clone(), forms: vec![literal(json)] }
}

/// A JSON document. Whole numbers and short strings: how numbers compare across their kinds is tested elsewhere.
fn document(chance: &mut Chance, depth: usize) -> Atom {
    json(&draw_json(chance, depth))
}

fn draw_json(chance: &mut Chance, depth: usize) -> Json {
    match chance.below(if depth == 0 { 4 } else { 7 }) {
        0 => json!(chance.percent(50)),
        1 => json!(*chance.pick(&[-1, 0, 1, 2])),
        2 | 3 => json!(*chance.pick(&["", "a", "b"])),
        4 => Json::Array((0..chance.below(3)).map(|_| draw_json(chance, depth - 1)).collect()),
        _ => {
            let names = chance.some(&["a", "b", "c"], 3);
            let member = |name: &&str| {
                let null = chance.percent(15);
                let value = if null { Json::Null } else { draw_json(chance, depth - 1) };
                ((*name).to_owned(), value)
            };
            Json::Object(names.iter().map(member).collect())
        }
    }
}

fn literal(json: &Json) -> Literal {
    match json {
        Json::Null => Literal::Null,
        Json::Bool(value) => Literal::Bool(*value),
        Json::Number(number) => Literal::number(number),
        Json::String(text) => Literal::text(text),
        Json::Array(items) => Literal::List(items.iter().map(literal).collect()),
        Json::Object(fields) => {
            Literal::Object(fields.iter().map(|(name, value)| (name.clone(), literal(value))).collect())
        }
    }
}
