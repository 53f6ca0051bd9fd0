//! Interfaces and unions: their types, and lists of all their records with filters and sort keys of what these share.

use super::collection::*;
use super::definition::{Definition, Form, Member};
use crate::catalog::{Catalog, Family, Field};

/// The root field that lists the records of a family.
pub(super) fn root(family: &Family) -> Member {
    let of = format!("{}!", family.connection_type());
    let arguments = list_arguments(family.where_type(), &family.order_type());
    Member::new(&family.plural, of).with(arguments).by(&family.name)
}

/// The types of a family.
pub(super) fn definitions(catalog: &Catalog, family: &Family) -> Vec<Definition> {
    let declared = |form, name: String, members| Definition::new(form, name, members).by(&family.name);
    let mut filters = logic(&family.where_type());
    filters.push(Member::new("id", "IDFilter"));
    filters.extend(shared(catalog, family).filter_map(|field| field_filter(catalog, field)));
    let mut keys = vec![Member::new("id", "SortDirection")];
    keys.extend(shared(catalog, family).filter_map(|field| field_order(catalog, field)));
    vec![
        itself(catalog, family),
        declared(Form::Object(&[]), family.connection_type(), connection_members(&family.name, &family.edge_type())),
        declared(Form::Object(&[]), family.edge_type(), edge_members(&family.name)),
        declared(Form::Input, family.where_type(), filters),
        declared(Form::OneOf, family.order_type(), keys)
            .described("One key per list element, so the order of keys is never ambiguous."),
    ]
}

fn itself(catalog: &Catalog, family: &Family) -> Definition {
    let mut definition = if family.interface {
        let mut members = vec![Member::new("id", "ID!")];
        members.extend(shared(catalog, family).zip(&family.fields).map(|(field, declared)| {
            let mut member = output_field(catalog, field);
            member.description.clone_from(&declared.description);
            member
        }));
        Definition::new(Form::Interface, &family.name, members).of_types(vec!["Node".to_owned()])
    } else {
        let members = catalog.members(family).map(|collection| collection.name.clone()).collect();
        Definition::new(Form::Union, &family.name, Vec::new()).of_types(members)
    };
    definition.description.clone_from(&family.description);
    definition.by(&family.name)
}

/// The fields that all members share, as the first of them has them: only their types are asked for.
fn shared<'a>(catalog: &'a Catalog, family: &'a Family) -> impl Iterator<Item = &'a Field> {
    let first = catalog.members(family).next().expect("a family has members");
    family.fields.iter().map(|field| first.field_named(&field.name).expect("all members have the family's fields"))
}
