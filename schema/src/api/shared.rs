//! What every API has: directives, scalars, the Relay types, and the names that the next releases need.

use super::definition::{Definition, Form, Member};
use crate::Catalog;
use crate::catalog::{Scalar, capitalize};
use std::collections::BTreeMap;

/// Directives of operations, those that are executed.
pub(super) fn directives(catalog: &Catalog) -> Vec<Definition> {
    if catalog.collections.is_empty() {
        return Vec::new();
    }
    let consistency = Definition::new(
        Form::Directive("QUERY"),
        "consistency",
        vec![Member::new("level", "ConsistencyLevel!"), Member::new("maxStaleness", "Duration")],
    )
    .described("STRONG = linearizable read (default). STALE = any replica, at most `maxStaleness` old.");
    let mut directives = vec![consistency];
    if super::root::has_mutations(catalog) {
        directives.push(
            Definition::new(Form::Directive("MUTATION"), "idempotent", vec![Member::new("key", "String!")])
                .described("Makes a retried mutation return the first result."),
        );
    }
    directives
}

/// Types that do not depend on the catalog. What nothing refers to is not written.
pub(super) fn types() -> Vec<Definition> {
    let value = |name: &str| Member::new(name, "");
    let values = |names: &[&str]| names.iter().map(|name| value(name)).collect::<Vec<_>>();
    let mut types: Vec<Definition> = Scalar::ALL.into_iter().filter_map(scalar).collect();
    types.push(
        Definition::new(Form::Scalar(None), "CommitVersion", Vec::new())
            .described("Opaque, totally ordered commit position. Usable as a resume token and for read-your-writes."),
    );
    let id = Member::new("id", "ID!").described("Globally unique, opaque, stable across renames.");
    types.push(Definition::new(Form::Interface, "Node", vec![id]).described("Relay Global Object Identification"));
    types.push(Definition::new(
        Form::Object(&[]),
        "PageInfo",
        vec![
            Member::new("hasNextPage", "Boolean!"),
            Member::new("hasPreviousPage", "Boolean!"),
            Member::new("startCursor", "String"),
            Member::new("endCursor", "String"),
        ],
    ));
    let directions = ["ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST"];
    types.push(Definition::new(Form::Enum, "SortDirection", values(&directions)));
    types.push(Definition::new(Form::Input, "CountOrder", vec![Member::new("count", "SortDirection!")]));
    types.push(Definition::new(
        Form::Object(&[]),
        "RecordMeta",
        vec![
            Member::new("version", "CommitVersion!"),
            Member::new("createdAt", "DateTime!"),
            Member::new("updatedAt", "DateTime!"),
        ],
    ));
    types.push(
        Definition::new(
            Form::Object(&[]),
            "Commit",
            vec![Member::new("version", "CommitVersion!"), Member::new("time", "DateTime!")],
        )
        .described("Where the transaction of this operation committed."),
    );
    types.push(Definition::new(Form::Enum, "ConflictAction", values(&["ERROR", "IGNORE", "UPDATE"])));
    types.push(Definition::new(Form::Enum, "ConsistencyLevel", values(&["STRONG", "SNAPSHOT", "STALE"])));
    types
}

/// A scalar's definition; `None` for those of GraphQL itself.
fn scalar(scalar: Scalar) -> Option<Definition> {
    let (url, description) = match scalar {
        Scalar::Id | Scalar::String | Scalar::Int | Scalar::Float | Scalar::Boolean => return None,
        Scalar::BigInt => (None, "A whole number of 64 bits, as a string; a string or a number is taken."),
        Scalar::Decimal => (None, "An exact decimal number, as a string; a string or a number is taken."),
        Scalar::DateTime => (
            Some("https://scalars.graphql.org/andimarek/date-time.html"),
            "An instant as RFC 3339, always given in UTC, to the microsecond.",
        ),
        Scalar::Date => (Some("https://scalars.graphql.org/andimarek/local-date.html"), "A calendar day: 2026-01-31."),
        Scalar::Duration => (None, "A length of time as ISO 8601: PT1H30M."),
        Scalar::Uuid => (Some("https://www.rfc-editor.org/rfc/rfc9562"), "A UUID in its usual form."),
        Scalar::Bytes => (Some("https://www.rfc-editor.org/rfc/rfc4648#section-4"), "Bytes as base64."),
        Scalar::Json => (Some("https://www.rfc-editor.org/rfc/rfc8259"), "Any JSON value, as JSON."),
        Scalar::Email => (Some("https://html.spec.whatwg.org/#valid-e-mail-address"), "An e-mail address."),
        Scalar::CountryCode => {
            (Some("https://www.iso.org/iso-3166-country-codes.html"), "A country as two letters of ISO 3166: DE.")
        }
    };
    Some(Definition::new(Form::Scalar(url), scalar.name(), Vec::new()).described(description))
}

/// Names of types that the contract has and that later releases bring, with the declared type that each is for
/// (empty for those that every API has). A declared type may not take them, or the next release would break it.
pub(super) fn reserved(catalog: &Catalog) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let shared = [
        "Subscription",
        "ChangeKind",
        "CacheScope",
        "ConflictAction",
        "TextFilter",
        "GeoPoint",
        "GeoShape",
        "Vector",
        "GeoPointFilter",
        "GeoNear",
        "Boolean",
        "String",
        "Int",
        "Float",
        "ID",
        "BooleanAggregate",
        "Commit",
        "Mutation",
    ];
    for name in shared {
        names.insert(name.to_owned(), String::new());
    }
    for collection in &catalog.collections {
        let suffixes = [
            "Increment",
            "ListChange",
            "Merge",
            "Conflict",
            "UniqueKey",
            "Field",
            "UpsertPayload",
            "Change",
            "DistanceOrder",
            "UpdateIn",
        ];
        for suffix in suffixes {
            names.insert(format!("{}{suffix}", collection.name), collection.name.clone());
        }
        names.insert(format!("{}DeletePayload", capitalize(&collection.plural)), collection.name.clone());
    }
    for embedded in &catalog.embedded {
        names.insert(format!("{}Patch", embedded.name), embedded.name.clone());
    }
    names
}
