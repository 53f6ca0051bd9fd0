//! From bytes or a query string to a GraphQL request, with a named refusal for every way that it can be wrong.

use super::outcome::Refusal;
use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use vivarium_schema::Code;

/// The members of a GraphQL-over-HTTP request, each of the right JSON type.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// The document.
    pub query: String,
    /// Which of its operations.
    pub operation_name: Option<String>,
    /// A JSON object as text, or nothing.
    pub variables: Option<String>,
    /// `extensions.version: true`: the client cannot see headers.
    pub want_version: bool,
}

/// The members as they stand in the body: borrowed, and each of any type, so that a wrong one can be named.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow)]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
}

/// The parameters of a GET, all text.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Parameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Extensions<'a> {
    #[serde(borrow)]
    persisted_query: Option<&'a RawValue>,
    version: Option<bool>,
}

impl Operation {
    /// Reads the body of a POST.
    ///
    /// # Errors
    /// A refusal with status 400 that names the member that is wrong.
    pub fn from_body(body: &[u8]) -> Result<Operation, Refusal> {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => return Err(wrong("The body is empty. Send {\"query\": \"...\"} as JSON.")),
            Some(b'[') => {
                return Err(wrong(
                    "Batches are not served. Send one operation a request; one operation may have several root fields.",
                ));
            }
            Some(b'{') => {}
            Some(_) => return Err(wrong("The body must be a JSON object with a \"query\".")),
        }
        let members: Members<'_> = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("The body is not the JSON of a GraphQL request: {error}.")))?;
        let extensions = members.extensions.map(|raw| object("extensions", raw.get())).transpose()?;
        let want_version = read_extensions(extensions)?;
        let Some(query) = members.query else { return Err(missing_query()) };
        Ok(Operation {
            query: string("query", query)?,
            operation_name: name(members.operation_name.map(|raw| string("operationName", raw)).transpose()?),
            variables: members.variables.map(|raw| object("variables", raw.get()).map(str::to_owned)).transpose()?,
            want_version,
        })
    }

    /// Reads the query string of a GET.
    ///
    /// # Errors
    /// As [`Operation::from_body`].
    pub fn from_request(request: &poem::Request) -> Result<Operation, Refusal> {
        let parameters: Parameters =
            request.params().map_err(|error| wrong(format!("The query string cannot be read: {error}.")))?;
        let extensions = json_parameter("extensions", parameters.extensions)?;
        let want_version = read_extensions(extensions.as_deref())?;
        let Some(query) = parameters.query.filter(|query| !query.is_empty()) else { return Err(missing_query()) };
        Ok(Operation {
            query,
            operation_name: name(parameters.operation_name),
            variables: json_parameter("variables", parameters.variables)?,
            want_version,
        })
    }
}

fn wrong(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
}

fn missing_query() -> Refusal {
    wrong("There is no \"query\". Send the text of a GraphQL document in it.")
}

/// Clients without an operation name send an empty one.
fn name(name: Option<String>) -> Option<String> {
    name.filter(|name| !name.is_empty())
}

fn string(member: &str, raw: &RawValue) -> Result<String, Refusal> {
    if !raw.get().starts_with('"') {
        return Err(wrong(format!("\"{member}\" must be a string.")));
    }
    serde_json::from_str(raw.get()).map_err(|error| wrong(format!("\"{member}\" is not a JSON string: {error}.")))
}

fn object<'a>(member: &str, raw: &'a str) -> Result<&'a str, Refusal> {
    if raw.starts_with('{') { Ok(raw) } else { Err(wrong(format!("\"{member}\" must be a JSON object."))) }
}

/// A parameter that holds a JSON object; `null` and nothing mean the same.
fn json_parameter(name: &str, text: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let raw: &RawValue = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("The parameter \"{name}\" is not JSON: {error}.")))?;
    if raw.get() == "null" {
        return Ok(None);
    }
    object(name, raw.get()).map(|object| Some(object.to_owned()))
}

fn read_extensions(extensions: Option<&str>) -> Result<bool, Refusal> {
    let Some(text) = extensions.filter(|text| *text != "{}") else { return Ok(false) };
    let extensions: Extensions<'_> =
        serde_json::from_str(text).map_err(|error| wrong(format!("\"extensions\" cannot be read: {error}.")))?;
    if extensions.persisted_query.is_some() {
        // Apollo's clients look for exactly this message and then send the whole query.
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            Code::PersistedQueryNotSupported,
            "PersistedQueryNotSupported",
        ));
    }
    Ok(extensions.version.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        let refusal = Operation::from_body(body.as_bytes()).unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{body}");
        refusal.message.into_owned()
    }

    #[test]
    fn a_whole_request_is_read() {
        let body = r#" {"query":"query Q { \u0061 }","operationName":"Q","variables":{"a": [1, {"b": 1.10}]},"extensions":{"version":true},"other":1}"#;
        let operation = Operation::from_body(body.as_bytes()).unwrap();
        assert_eq!(operation.query, "query Q { a }");
        assert_eq!(operation.operation_name.as_deref(), Some("Q"));
        assert_eq!(operation.variables.as_deref(), Some(r#"{"a": [1, {"b": 1.10}]}"#));
        assert!(operation.want_version);
    }

    #[test]
    fn nulls_are_as_if_absent() {
        let operation =
            Operation::from_body(br#"{"query":"{a}","operationName":null,"variables":null,"extensions":null}"#)
                .unwrap();
        assert_eq!(
            operation,
            Operation { query: "{a}".into(), operation_name: None, variables: None, want_version: false }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("").contains("empty"));
        assert!(refused("  ").contains("empty"));
        assert!(refused("[{\"query\":\"{a}\"}]").contains("Batches"));
        assert!(refused("\"query\"").contains("JSON object"));
        assert!(refused("{\"query\": \"not closed").contains("line 1"));
        assert!(refused("{} {}").contains("trailing"));
        assert!(refused("{}").contains("no \"query\""));
        assert!(refused("{\"query\":null}").contains("no \"query\""));
        assert!(refused("{\"query\":\"{a}\",\"query\":\"{b}\"}").contains("duplicate"));
        for value in ["{\"a\":1}", "0", "false", "[\"a\"]"] {
            assert!(refused(&format!("{{\"query\":{value}}}")).contains("\"query\" must be a string"));
            assert!(
                refused(&format!("{{\"query\":\"{{a}}\",\"operationName\":{value}}}")).contains("\"operationName\"")
            );
        }
        for value in ["\"text\"", "0", "false", "[\"a\"]"] {
            for member in ["variables", "extensions"] {
                let message = refused(&format!("{{\"query\":\"{{a}}\",\"{member}\":{value}}}"));
                assert!(message.contains(&format!("\"{member}\" must be a JSON object")), "{message}");
            }
        }
        assert!(Operation::from_body(b"{\"query\":\"\xff\"}").is_err());
    }

    #[test]
    fn deep_json_is_no_danger() {
        let deep =
            format!("{{\"query\":\"{{a}}\",\"variables\":{}1{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(Operation::from_body(deep.as_bytes()).is_ok(), "carried as text; the database bounds its depth");
        assert!(Operation::from_body("[".repeat(500_000).as_bytes()).is_err());
        assert!(Operation::from_body(format!("{{\"extensions\":{}", "[".repeat(500_000)).as_bytes()).is_err());
    }

    #[test]
    fn persisted_queries_are_refused_with_their_own_code() {
        let refusal =
            Operation::from_body(br#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}"#).unwrap_err();
        assert_eq!(refusal.code, Code::PersistedQueryNotSupported);
    }

    #[test]
    fn a_get_is_read_from_its_query_string() {
        let get = |query: &str| {
            Operation::from_request(&poem::Request::builder().uri_str(format!("/graphql?{query}")).finish())
        };
        let operation = get("query=%7Ba%7D&variables=%7B%22a%22%3A1%7D&operationName=&extensions=null").unwrap();
        assert_eq!(operation.query, "{a}");
        assert_eq!(operation.variables.as_deref(), Some("{\"a\":1}"));
        assert_eq!(operation.operation_name, None);
        assert!(get("").is_err());
        assert!(get("query=").is_err());
        assert!(get("query=a&variables=1").is_err());
        assert!(get("query=a&variables=%7B").is_err());
        assert!(get("query=a&query=b").is_err());
    }
}
