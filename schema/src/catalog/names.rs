//! The names that the API derives from a catalog: types, root fields, arguments.
//!
//! The generator, the planner and the writer all take them from here, so that they cannot disagree.

use super::{Catalog, Collection, Embedded, EnumType, Family, Field, FieldKind, Index, Scalar};
use std::collections::BTreeSet;
use vivarium_storage::{CollectionId, FieldId, IndexId};

/// `customer` to `Customer`.
pub fn capitalize(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// `customerNo` to `CUSTOMER_NO`, and `URLPattern` to `URL_PATTERN`.
fn shout(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut shouted = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let ends_capitals = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let begins_word = before.is_some_and(|before| {
            before.is_ascii_lowercase() || before.is_ascii_digit() || (before.is_ascii_uppercase() && ends_capitals)
        });
        if letter.is_ascii_uppercase() && begins_word {
            shouted.push('_');
        }
        shouted.push(letter.to_ascii_uppercase());
    }
    shouted
}

/// Names as values of an enum. Where two are alike the later one gets a number.
fn shouted<T>(names: impl Iterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut taken = BTreeSet::new();
    let distinct = |(name, what): (String, T)| {
        let first = shout(&name);
        let mut value = first.clone();
        let mut number = 2;
        while !taken.insert(value.clone()) {
            value = format!("{first}_{number}");
            number += 1;
        }
        (value, what)
    };
    names.map(distinct).collect()
}

/// True where the writer knows the defaults of an input's fields, and whether they were given: those of records and values
/// that are made.
pub(crate) fn is_made_whole(type_name: &str) -> bool {
    type_name.ends_with("Create") || type_name.ends_with("Input") || type_name.contains("CreateWithout")
}

impl Scalar {
    /// Every scalar, in the order in which the API lists them.
    pub const ALL: [Scalar; 15] = [
        Scalar::Id,
        Scalar::String,
        Scalar::Int,
        Scalar::Float,
        Scalar::Boolean,
        Scalar::BigInt,
        Scalar::Decimal,
        Scalar::DateTime,
        Scalar::Date,
        Scalar::Duration,
        Scalar::Uuid,
        Scalar::Bytes,
        Scalar::Json,
        Scalar::Email,
        Scalar::CountryCode,
    ];

    /// The GraphQL scalar's name.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Id => "ID",
            Scalar::String => "String",
            Scalar::Int => "Int",
            Scalar::Float => "Float",
            Scalar::Boolean => "Boolean",
            Scalar::BigInt => "BigInt",
            Scalar::Decimal => "Decimal",
            Scalar::DateTime => "DateTime",
            Scalar::Date => "Date",
            Scalar::Duration => "Duration",
            Scalar::Uuid => "UUID",
            Scalar::Bytes => "Bytes",
            Scalar::Json => "JSON",
            Scalar::Email => "Email",
            Scalar::CountryCode => "CountryCode",
        }
    }

    /// The scalar with this GraphQL name.
    pub fn named(name: &str) -> Option<Scalar> {
        Scalar::ALL.into_iter().find(|scalar| scalar.name() == name)
    }

    /// The scalar whose filter this one uses: an Email is searched like any string.
    pub fn filtered_as(self) -> Scalar {
        match self {
            Scalar::Email | Scalar::CountryCode => Scalar::String,
            other => other,
        }
    }
}

impl Collection {
    /// `CustomerKey`: exactly one unique key.
    pub fn key_type(&self) -> String {
        format!("{}Key", self.name)
    }
    /// `CustomerWhere`.
    pub fn where_type(&self) -> String {
        format!("{}Where", self.name)
    }
    /// `CustomerOrder`: one sort key.
    pub fn order_type(&self) -> String {
        format!("{}Order", self.name)
    }
    /// `CustomerListFilter`: the filter of a field that lists these records.
    pub fn list_filter_type(&self) -> String {
        format!("{}ListFilter", self.name)
    }
    /// `CustomerConnection`.
    pub fn connection_type(&self) -> String {
        format!("{}Connection", self.name)
    }
    /// `CustomerEdge`.
    pub fn edge_type(&self) -> String {
        format!("{}Edge", self.name)
    }
    /// `CustomerCreate`.
    pub fn create_type(&self) -> String {
        format!("{}Create", self.name)
    }
    /// `OrderCreateWithoutCustomer`: what is created through the other side of a relation.
    pub fn create_without_type(&self, field: &Field) -> String {
        format!("{}CreateWithout{}", self.name, capitalize(&field.name))
    }
    /// `CustomerUpdateIn`: an update in a list of related records.
    pub fn update_in_type(&self) -> String {
        format!("{}UpdateIn", self.name)
    }
    /// `CustomerConflict`: what `createCustomers` does with records that are there.
    pub fn conflict_type(&self) -> String {
        format!("{}Conflict", self.name)
    }
    /// `CustomerUniqueKey`: the names of its keys.
    pub fn unique_key_type(&self) -> String {
        format!("{}UniqueKey", self.name)
    }
    /// `CustomerField`: the names of what its records store.
    pub fn field_type(&self) -> String {
        format!("{}Field", self.name)
    }
    /// The values of [`Collection::unique_key_type`], each with its index; `ID` has none.
    pub fn key_values(&self, catalog: &Catalog) -> Vec<(String, Option<IndexId>)> {
        let keys = self.keys().map(|index| (self.key_field(catalog, index), Some(index.id)));
        shouted(std::iter::once(("id".to_owned(), None)).chain(keys))
    }
    /// The values of [`Collection::field_type`], each with its field.
    pub fn field_values(&self) -> Vec<(String, FieldId)> {
        let stored = self.fields.iter().filter(|field| field.is_written() && field.is_stored());
        shouted(stored.map(|field| (field.name.clone(), field.id)))
    }
    /// `CustomerUpdate`.
    pub fn update_type(&self) -> String {
        format!("{}Update", self.name)
    }
    /// `CustomerIncrement`: what is added to numbers.
    pub fn increment_type(&self) -> String {
        format!("{}Increment", self.name)
    }
    /// `CustomerListChange`: what is pushed to lists, or pulled out of them.
    pub fn list_change_type(&self) -> String {
        format!("{}ListChange", self.name)
    }
    /// `CustomerMerge`: what is merged into JSON and embedded values.
    pub fn merge_type(&self) -> String {
        format!("{}Merge", self.name)
    }
    /// `CustomerPayload`, of a create or an update of one.
    pub fn payload_type(&self) -> String {
        format!("{}Payload", self.name)
    }
    /// `CustomerUpsertPayload`.
    pub fn upsert_payload_type(&self) -> String {
        format!("{}UpsertPayload", self.name)
    }
    /// `CustomerDeletePayload`.
    pub fn delete_payload_type(&self) -> String {
        format!("{}DeletePayload", self.name)
    }
    /// `CustomersDeletePayload`.
    pub fn many_delete_payload_type(&self) -> String {
        format!("{}DeletePayload", capitalize(&self.plural))
    }
    /// `CustomersPayload`, of a create or an update of several.
    pub fn many_payload_type(&self) -> String {
        format!("{}Payload", capitalize(&self.plural))
    }
    /// `createCustomer`.
    pub fn create_field(&self) -> String {
        format!("create{}", capitalize(&self.singular))
    }
    /// `createCustomers`.
    pub fn create_many_field(&self) -> String {
        format!("create{}", capitalize(&self.plural))
    }
    /// `updateCustomer`.
    pub fn update_field(&self) -> String {
        format!("update{}", capitalize(&self.singular))
    }
    /// `updateCustomers`.
    pub fn update_many_field(&self) -> String {
        format!("update{}", capitalize(&self.plural))
    }
    /// `deleteCustomers`.
    pub fn delete_many_field(&self) -> String {
        format!("delete{}", capitalize(&self.plural))
    }
    /// `upsertCustomer`.
    pub fn upsert_field(&self) -> String {
        format!("upsert{}", capitalize(&self.singular))
    }
    /// `deleteCustomer`.
    pub fn delete_field(&self) -> String {
        format!("delete{}", capitalize(&self.singular))
    }
    /// `customerEdge`, in payloads.
    pub fn edge_field(&self) -> String {
        format!("{}Edge", self.singular)
    }
    /// `CustomerOrdersCreate`: what a relation field takes in `CustomerCreate`.
    pub fn relation_create_type(&self, field: &Field) -> String {
        format!("{}{}Create", self.name, capitalize(&field.name))
    }
    /// `CustomerOrdersUpdate`: what a relation field takes in `CustomerUpdate`.
    pub fn relation_update_type(&self, field: &Field) -> String {
        format!("{}{}Update", self.name, capitalize(&field.name))
    }

    /// The unique indexes that `CustomerKey` offers beside `id`: those that were declared and have all entries.
    pub fn keys(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| index.unique && !index.relation && index.ready)
    }
    /// The unique index that a field of `CustomerKey` names.
    pub fn key_named(&self, catalog: &Catalog, name: &str) -> Option<&Index> {
        self.keys().find(|index| self.key_field(catalog, index) == name)
    }
    /// `email`, or `tenant_customerNo` for a compound key: a unique index's field in `CustomerKey`.
    pub fn key_field(&self, catalog: &Catalog, index: &Index) -> String {
        self.key_parts(catalog, index).join("_")
    }
    /// `CustomerTenantCustomerNoKey`: the input of a compound key.
    pub fn compound_key_type(&self, catalog: &Catalog, index: &Index) -> String {
        let names = index.elements.iter().flat_map(|element| self.path_names(catalog, &element.path));
        let parts: Vec<String> = names.map(capitalize).collect();
        format!("{}{}Key", self.name, parts.concat())
    }
    /// The fields of a unique key, one for each element of its index: `tenant`, `address_zip`.
    pub fn key_parts(&self, catalog: &Catalog, index: &Index) -> Vec<String> {
        index.elements.iter().map(|element| self.path_names(catalog, &element.path).join("_")).collect()
    }
}

impl Family {
    /// `AuthoredWhere`.
    pub fn where_type(&self) -> String {
        format!("{}Where", self.name)
    }
    /// `AuthoredOrder`: one sort key.
    pub fn order_type(&self) -> String {
        format!("{}Order", self.name)
    }
    /// `AuthoredConnection`.
    pub fn connection_type(&self) -> String {
        format!("{}Connection", self.name)
    }
    /// `AuthoredEdge`.
    pub fn edge_type(&self) -> String {
        format!("{}Edge", self.name)
    }
}

impl Embedded {
    /// `AddressInput`.
    pub fn input_type(&self) -> String {
        format!("{}Input", self.name)
    }
    /// `AddressPatch`: what is merged into a value.
    pub fn patch_type(&self) -> String {
        format!("{}Patch", self.name)
    }
    /// `AddressWhere`.
    pub fn where_type(&self) -> String {
        format!("{}Where", self.name)
    }
    /// `AddressOrder`.
    pub fn order_type(&self) -> String {
        format!("{}Order", self.name)
    }
    /// `AddressListFilter`: the filter of a field that lists these values.
    pub fn list_filter_type(&self) -> String {
        format!("{}ListFilter", self.name)
    }
}

impl EnumType {
    /// `StatusFilter`.
    pub fn filter_type(&self) -> String {
        format!("{}Filter", self.name)
    }
    /// `StatusListFilter`.
    pub fn list_filter_type(&self) -> String {
        format!("{}ListFilter", self.name)
    }
    /// A value by name.
    pub fn value_named(&self, name: &str) -> Option<&super::EnumValue> {
        self.values.iter().find(|value| value.name == name)
    }
    /// A value by its stored number.
    pub fn value(&self, number: i64) -> Option<&super::EnumValue> {
        self.values.iter().find(|value| value.number == number)
    }
}

impl Field {
    /// True where clients write the field: the server does not set it itself.
    pub fn is_written(&self) -> bool {
        !self.read_only && !self.updated_at && self.computed.is_none()
    }
    /// True where `increment` adds to the field.
    pub fn takes_increments(&self) -> bool {
        let number =
            matches!(self.kind, FieldKind::Scalar(Scalar::Int | Scalar::BigInt | Scalar::Float | Scalar::Decimal));
        number && self.list.is_none() && self.is_written()
    }
    /// True where `push` and `pull` change the field.
    pub fn takes_list_changes(&self) -> bool {
        let stored = matches!(self.kind, FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_));
        stored && self.list.is_some() && self.is_written()
    }
    /// True where `merge` changes the field.
    pub fn takes_merges(&self) -> bool {
        let merged = matches!(self.kind, FieldKind::Scalar(Scalar::Json) | FieldKind::Embedded(_));
        merged && self.list.is_none() && self.is_written()
    }
    /// True where the document holds the field: not the far side of a relation, not links, not what is computed when
    /// it is read.
    pub fn is_stored(&self) -> bool {
        !crate::compute::is_virtual(self)
            && matches!(
                self.kind,
                FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_) | FieldKind::ToOne { .. }
            )
    }
    /// Where a relation leads, and the field on the other side, if it was declared.
    pub fn relation(&self) -> Option<(CollectionId, Option<FieldId>)> {
        match self.kind {
            FieldKind::ToOne { target, inverse, .. } | FieldKind::ManyToMany { target, inverse, .. } => {
                Some((target, inverse))
            }
            FieldKind::OneToOne { target, field, .. } | FieldKind::OneToMany { target, field, .. } => {
                Some((target, Some(field)))
            }
            FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_) => None,
        }
    }
    /// True where both are in the output, with the same type.
    pub fn is_shown_like(&self, other: &Field) -> bool {
        let target = |field: &Field| field.relation().map(|(target, _)| target);
        let same_type = match target(self) {
            Some(here) => target(other) == Some(here) && self.is_to_many() == other.is_to_many(),
            None => self.kind == other.kind,
        };
        same_type && self.required == other.required && self.list == other.list && !self.hidden && !other.hidden
    }
    /// True where the API answers with a connection.
    pub fn is_to_many(&self) -> bool {
        matches!(self.kind, FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. })
    }
}
