//! What is read: records, connections, filters and sort keys of collections, embedded values and enums.

use super::definition::{Definition, Form, Member};
use super::filter;
use crate::catalog::{Catalog, Collection, Embedded, EnumType, Field, FieldKind, Scalar};

/// The arguments of every list of records.
pub(super) fn page_arguments(target: &Collection) -> Vec<Member> {
    list_arguments(target.where_type(), &target.order_type())
}

/// As [`page_arguments`], for any type of filter and of sort keys.
pub(super) fn list_arguments(where_type: String, order_type: &str) -> Vec<Member> {
    vec![
        Member::new("where", where_type),
        Member::new("orderBy", format!("[{order_type}!]")),
        Member::new("first", "Int"),
        Member::new("after", "String"),
        Member::new("last", "Int"),
        Member::new("before", "String"),
        Member::new("offset", "Int"),
    ]
}

/// The types that a collection is read with.
pub(super) fn definitions(catalog: &Catalog, collection: &Collection) -> Vec<Definition> {
    vec![
        record(catalog, collection),
        connection(collection),
        edge(collection),
        predicate(catalog, collection),
        list_filter(&collection.list_filter_type(), &collection.where_type(), &collection.name, None),
        order(catalog, collection),
    ]
}

/// The types that an embedded value is read with.
pub(super) fn embedded(catalog: &Catalog, embedded: &Embedded) -> Vec<Definition> {
    let fields =
        embedded.fields.iter().filter(|field| !field.hidden).map(|field| output_field(catalog, field)).collect();
    let mut value = Definition::new(Form::Object(&[]), &embedded.name, fields).by(&embedded.name);
    value.description.clone_from(&embedded.description);
    let mut members = logic(&embedded.where_type());
    members.extend(embedded.fields.iter().filter_map(|field| field_filter(catalog, field)));
    members.push(filter::is_null());
    let mut definitions = vec![
        value,
        Definition::new(Form::Input, embedded.where_type(), members).by(&embedded.name),
        list_filter(&embedded.list_filter_type(), &embedded.where_type(), &embedded.name, Some(filter::is_null())),
    ];
    let keys: Vec<Member> = embedded.fields.iter().filter_map(|field| field_order(catalog, field)).collect();
    if !keys.is_empty() {
        definitions.push(Definition::new(Form::OneOf, embedded.order_type(), keys).by(&embedded.name));
    }
    definitions
}

/// An enum and its filters.
pub(super) fn enumeration(each: &EnumType) -> Vec<Definition> {
    let values = each
        .values
        .iter()
        .map(|value| Member { description: value.description.clone(), ..Member::new(&value.name, "") });
    let mut definition = Definition::new(Form::Enum, &each.name, values.collect()).by(&each.name);
    definition.description.clone_from(&each.description);
    let mut definitions = vec![definition];
    definitions.extend(filter::of_enum(each));
    definitions
}

fn record(catalog: &Catalog, collection: &Collection) -> Definition {
    let mut members = vec![Member::new("id", "ID!")];
    members.extend(collection.fields.iter().filter(|field| !field.hidden).map(|field| output_field(catalog, field)));
    members.push(Member::new("_meta", "RecordMeta!"));
    let families = catalog.families.iter().filter(|family| family.interface && family.members.contains(&collection.id));
    let interfaces = families.map(|family| family.name.clone()).collect();
    let mut record = Definition::new(Form::Object(&["Node"]), &collection.name, members);
    record = record.by(&collection.name).of_types(interfaces);
    record.description.clone_from(&collection.description);
    record
}

pub(super) fn output_field(catalog: &Catalog, field: &Field) -> Member {
    let required = if field.required { "!" } else { "" };
    let of = match &field.list {
        _ if field.is_to_many() => format!("{}!", target(catalog, field).connection_type()),
        Some(list) => {
            let element = if list.element_required { "!" } else { "" };
            format!("[{}{element}]{required}", value_type(catalog, field))
        }
        None => format!("{}{required}", value_type(catalog, field)),
    };
    let mut member = Member::new(&field.name, of);
    member.description.clone_from(&field.description);
    if field.is_to_many() {
        member.arguments = page_arguments(target(catalog, field));
    } else if field.kind == FieldKind::Scalar(Scalar::Json) && field.list.is_none() {
        member.arguments = vec![Member::new("path", "[String!]")];
    }
    member
}

/// The name of what a field holds: a scalar, an enum, an embedded type, a collection.
pub(super) fn value_type<'a>(catalog: &'a Catalog, field: &Field) -> &'a str {
    match field.kind {
        FieldKind::Scalar(scalar) => scalar.name(),
        FieldKind::Enum(id) => &catalog.enum_type(id).expect("a catalog resolves its own types").name,
        FieldKind::Embedded(id) => &catalog.embedded(id).expect("a catalog resolves its own types").name,
        _ => &target(catalog, field).name,
    }
}

/// The collection that a relation leads to.
pub(super) fn target<'a>(catalog: &'a Catalog, field: &Field) -> &'a Collection {
    match field.kind {
        FieldKind::ToOne { target, .. }
        | FieldKind::OneToOne { target, .. }
        | FieldKind::OneToMany { target, .. }
        | FieldKind::ManyToMany { target, .. } => {
            catalog.collection(target).expect("a catalog resolves its own relations")
        }
        FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_) => unreachable!("a value leads nowhere"),
    }
}

fn connection(collection: &Collection) -> Definition {
    let mut members = connection_members(&collection.name, &collection.edge_type());
    members.extend(super::aggregate::members(collection));
    Definition::new(Form::Object(&[]), collection.connection_type(), members).by(&collection.name)
}

/// What every list of records has.
pub(super) fn connection_members(of: &str, edge_type: &str) -> Vec<Member> {
    vec![
        Member::new("edges", format!("[{edge_type}!]!")),
        Member::new("nodes", format!("[{of}!]!")),
        Member::new("pageInfo", "PageInfo!"),
        Member::new("totalCount", "Int!").described("Counted only when selected."),
    ]
}

fn edge(collection: &Collection) -> Definition {
    Definition::new(Form::Object(&[]), collection.edge_type(), edge_members(&collection.name)).by(&collection.name)
}

/// What every edge has.
pub(super) fn edge_members(of: &str) -> Vec<Member> {
    vec![
        Member::new("cursor", "String!"),
        Member::new("node", format!("{of}!")),
        Member::new("score", "Float").described("Relevance of `matches` / `nearest`; null otherwise."),
    ]
}

pub(super) fn logic(where_type: &str) -> Vec<Member> {
    vec![
        Member::new("and", format!("[{where_type}!]")),
        Member::new("or", format!("[{where_type}!]")),
        Member::new("not", where_type),
    ]
}

fn predicate(catalog: &Catalog, collection: &Collection) -> Definition {
    let mut members = logic(&collection.where_type());
    members.push(Member::new("id", "IDFilter"));
    members.extend(collection.fields.iter().filter_map(|field| field_filter(catalog, field)));
    if is_optional_target(catalog, collection) && collection.field_named("isNull").is_none() {
        members.push(filter::is_null().described("Through a relation only: true where there is no such record."));
    }
    Definition::new(Form::Input, collection.where_type(), members).by(&collection.name)
}

/// True where some relation may lead to no record of this collection.
fn is_optional_target(catalog: &Catalog, collection: &Collection) -> bool {
    let own = catalog.collections.iter().flat_map(|each| &each.fields);
    let inner = catalog.embedded.iter().flat_map(|each| &each.fields);
    own.chain(inner).any(|field| match field.kind {
        FieldKind::ToOne { target, .. } | FieldKind::OneToOne { target, .. } => {
            target == collection.id && !field.required
        }
        _ => false,
    })
}

pub(super) fn field_filter(catalog: &Catalog, field: &Field) -> Option<Member> {
    let many = field.list.is_some();
    let of = match field.kind {
        _ if field.hidden => return None,
        FieldKind::Scalar(scalar) => {
            if many {
                filter::list_type(scalar)
            } else {
                filter::single_type(scalar)
            }
        }
        FieldKind::Enum(id) => {
            let each = catalog.enum_type(id).expect("a catalog resolves its own types");
            if many { each.list_filter_type() } else { each.filter_type() }
        }
        FieldKind::Embedded(id) => {
            let embedded = catalog.embedded(id).expect("a catalog resolves its own types");
            if many { embedded.list_filter_type() } else { embedded.where_type() }
        }
        FieldKind::ToOne { .. } | FieldKind::OneToOne { .. } => target(catalog, field).where_type(),
        FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. } => target(catalog, field).list_filter_type(),
    };
    Some(Member::new(&field.name, of))
}

fn list_filter(name: &str, where_type: &str, declared: &str, more: Option<Member>) -> Definition {
    let mut members: Vec<Member> =
        ["some", "every", "none"].map(|quantifier| Member::new(quantifier, where_type)).to_vec();
    members.push(Member::new("count", "IntFilter"));
    members.extend(more);
    Definition::new(Form::Input, name, members).by(declared)
}

fn order(catalog: &Catalog, collection: &Collection) -> Definition {
    let mut members = vec![Member::new("id", "SortDirection")];
    members.extend(collection.fields.iter().filter_map(|field| field_order(catalog, field)));
    Definition::new(Form::OneOf, collection.order_type(), members)
        .described("One key per list element, so the order of keys is never ambiguous.")
        .by(&collection.name)
}

pub(super) fn field_order(catalog: &Catalog, field: &Field) -> Option<Member> {
    let of = match field.kind {
        _ if field.hidden || field.list.is_some() => return None,
        FieldKind::Scalar(Scalar::Json) => return None,
        FieldKind::Scalar(_) | FieldKind::Enum(_) => "SortDirection".to_owned(),
        FieldKind::Embedded(id) => {
            let embedded = catalog.embedded(id).expect("a catalog resolves its own types");
            if !embedded.fields.iter().any(|field| field_order(catalog, field).is_some()) {
                return None;
            }
            embedded.order_type()
        }
        FieldKind::ToOne { .. } | FieldKind::OneToOne { .. } => target(catalog, field).order_type(),
        FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. } => "CountOrder".to_owned(),
    };
    Some(Member::new(&field.name, of))
}
