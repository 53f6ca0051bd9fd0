//! ID, String, UUID, Bytes, Email and CountryCode, and strings as JSON.

use super::{found, quoted};
use crate::Input;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vivarium_storage::{DocumentId, Value};

pub(super) fn coerce_id(input: &Input) -> Result<Value, String> {
    match input {
        Input::String(text) => Ok(Value::String(text.clone())),
        Input::Int(number) => Ok(Value::String(number.to_string())),
        other => Err(format!("An ID is a string or a whole number, not {}.", found(other))),
    }
}

pub(super) fn coerce_string(input: &Input) -> Result<Value, String> {
    string(input, "A String is a string").map(|text| Value::String(text.to_owned()))
}

pub(super) fn coerce_uuid(input: &Input) -> Result<Value, String> {
    const FORM: &str = "A UUID is a string such as \"0190163d-8694-739b-aea5-966c26f8ad91\"";
    let text = string(input, FORM)?;
    match uuid::Uuid::try_parse(text) {
        Ok(uuid) if matches!(text.len(), 32 | 36) => Ok(Value::Uuid(DocumentId(uuid.into_bytes()))),
        _ => Err(format!("{FORM}, not {}.", quoted(text))),
    }
}

pub(super) fn coerce_bytes(input: &Input) -> Result<Value, String> {
    const FORM: &str = "Bytes are a string of base64 with its padding, such as \"3q2+7w==\"";
    let text = string(input, FORM)?;
    STANDARD
        .decode(text)
        .map(Value::Bytes)
        .map_err(|error| format!("{FORM}, not {}: {}.", quoted(text), error.to_string().trim_end_matches('.')))
}

/// The longest address that mail takes (RFC 5321, 4.5.3.1.3, without the angle brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// The rule of HTML's `<input type=email>`: what mail servers take, without comments, quotes and address literals.
pub(super) fn coerce_email(input: &Input) -> Result<Value, String> {
    let text = string(input, "An Email is a string such as \"ann@example.com\"")?;
    let reason = match text.rsplit_once('@') {
        None => "it has no @.",
        _ if !text.is_ascii() => "it is not ASCII. Write the domain in its xn-- form, or declare the field as String.",
        _ if text.len() > EMAIL_BYTES_MAX => "it is longer than 254 characters.",
        Some((local, _)) if local.is_empty() || local.len() > 64 => "what stands before the @ has 1 to 64 characters.",
        Some((local, _)) if !local.bytes().all(is_mailbox_byte) => {
            "what stands before the @ has a character that addresses do not have."
        }
        Some((_, domain)) if !domain.split('.').all(is_domain_label) => "what stands after the @ is no domain.",
        Some(_) => return Ok(Value::String(text.to_owned())),
    };
    Err(format!("{} is no Email: {reason}", quoted(text)))
}

fn is_mailbox_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

fn is_domain_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

pub(super) fn coerce_country_code(input: &Input) -> Result<Value, String> {
    const FORM: &str = "A CountryCode is two capital letters of ISO 3166-1, such as \"DE\"";
    let text = string(input, FORM)?;
    let known = text.len() == 2 && COUNTRY_CODES.split_ascii_whitespace().any(|code| code == text);
    if known { Ok(Value::String(text.to_owned())) } else { Err(format!("{FORM}, which {} is not.", quoted(text))) }
}

/// ISO 3166-1 alpha-2, the officially assigned codes.
const COUNTRY_CODES: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

fn string<'a>(input: &'a Input, form: &str) -> Result<&'a str, String> {
    match input {
        Input::String(text) => Ok(text),
        other => Err(format!("{form}, not {}.", found(other))),
    }
}

/// Appends a UUID in its usual form.
pub(super) fn write_uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + uuid::fmt::Hyphenated::LENGTH, 0);
    uuid::Uuid::from_bytes(bytes).as_hyphenated().encode_lower(&mut out[start..]);
}

/// Appends bytes as base64.
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), true).expect("a document is far smaller than memory");
    out.resize(start + length, 0);
    STANDARD.encode_slice(bytes, &mut out[start..]).expect("the length is base64's own");
}

/// What a byte becomes inside a JSON string: 0 for itself, `u` for `\u00xx`, else the letter after the backslash.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[0x08] = b'b';
    escapes[0x09] = b't';
    escapes[0x0a] = b'n';
    escapes[0x0c] = b'f';
    escapes[0x0d] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

/// Appends a string as JSON: runs that need no escape are copied whole.
pub(super) fn write_json_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}
