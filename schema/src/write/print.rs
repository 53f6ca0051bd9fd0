//! Stored values as JSON trees, for messages and extensions. Answers are written by `execute`, straight into the buffer.

use crate::catalog::{Catalog, Field, FieldKind};
use crate::{GlobalId, scalar};
use serde_json::Value as Json;
use vivarium_storage::ValueRef;

/// The value of a field as clients see it.
pub(super) fn json(catalog: &Catalog, field: &Field, value: ValueRef<'_>) -> Json {
    match (field.kind, value) {
        (_, ValueRef::Null) => Json::Null,
        (FieldKind::Enum(id), ValueRef::Int(number)) => catalog
            .enum_type(id)
            .and_then(|enum_type| enum_type.value(number))
            .map_or(Json::from(number), |value| Json::String(value.name.clone())),
        (FieldKind::ToOne { target, .. }, ValueRef::Uuid(document)) => {
            Json::String(GlobalId { collection: target, document }.to_string())
        }
        (FieldKind::Scalar(scalar), value) => {
            let mut bytes = Vec::new();
            scalar::write_json(scalar, value, &mut bytes);
            serde_json::from_slice(&bytes).unwrap_or(Json::Null)
        }
        _ => Json::Null,
    }
}
