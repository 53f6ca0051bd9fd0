//! Parts of a plan in words for people, whatever they hold: names and numbers with their units.

use serde_json::Value;

/// What goes wrong: its kind, and the rest in words. `leader` led then.
pub fn trouble(what: &Value, leader: Option<u64>) -> (String, String) {
    let (kind, inner) = match what {
        Value::Object(fields) if fields.len() == 1 => {
            let (kind, inner) = fields.iter().next().expect("it has one field");
            (spaced(kind), words(inner, leader))
        }
        other => (words(other, leader), String::new()),
    };
    (kind, inner)
}

/// The nodes that are named anywhere below, by number.
pub fn nodes(what: &Value, leader: Option<u64>) -> Vec<u64> {
    let mut found = match what {
        Value::String(word) if word == "leader" || word == "leader-with-minority" => leader.into_iter().collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, inner)| match (name.as_str(), inner) {
                ("nodes", Value::Array(numbers)) => numbers.iter().filter_map(Value::as_u64).collect(),
                ("node", Value::Number(number)) => number.as_u64().into_iter().collect(),
                _ => nodes(inner, leader),
            })
            .collect(),
        _ => Vec::new(),
    };
    found.sort_unstable();
    found.dedup();
    found
}

fn words(value: &Value, leader: Option<u64>) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::String(word) if word == "leader" => {
            leader.map_or_else(|| "leader".into(), |node| format!("leader n{node}"))
        }
        Value::String(word) => spaced(word),
        Value::Array(values) => values.iter().map(|value| words(value, leader)).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, inner)| field(name, inner, leader));
            each.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn field(name: &str, inner: &Value, leader: Option<u64>) -> String {
    if let (Some(name), Some(micros)) = (name.strip_suffix("_micros"), inner.as_i64()) {
        return format!("{} {}", spaced(name), time(micros));
    }
    if let (Some(name), Some(ms)) = (name.strip_suffix("_ms"), inner.as_i64()) {
        return format!("{} {}", spaced(name), time(ms.saturating_mul(1000)));
    }
    match (name, inner) {
        (_, Value::Null) => String::new(),
        ("who" | "shape" | "fault", inner) => words(inner, leader),
        ("nodes", Value::Array(numbers)) => {
            numbers.iter().map(|number| format!("n{number}")).collect::<Vec<_>>().join(" ")
        }
        ("node", number) => format!("n{number}"),
        (_, Value::Bool(true)) => spaced(name),
        (_, Value::Bool(false)) => String::new(),
        (_, Value::Object(_) | Value::String(_)) => format!("{}: {}", spaced(name), words(inner, leader)),
        _ => format!("{} {}", spaced(name), words(inner, leader)),
    }
}

fn spaced(name: &str) -> String {
    name.replace(['-', '_'], " ")
}

/// A span of time in the greatest unit that keeps it short.
pub fn time(micros: i64) -> String {
    let (size, unit) = match micros.unsigned_abs() {
        0 => return "0".into(),
        1..1_000 => (1, "µs"),
        1_000..1_000_000 => (1_000, "ms"),
        1_000_000..3_600_000_000 => (1_000_000, "s"),
        _ => (3_600_000_000_u32, "h"),
    };
    let text = format!("{:.1}", micros as f64 / f64::from(size));
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}
