//! What records are folded to: aggregates, groups, and what has to hold of them.

use super::collection::value_type;
use super::definition::{Definition, Form, Member};
use super::filter;
use crate::catalog::{Catalog, Collection, Field, Measure};

/// Groups of a page when nothing is said.
const GROUPS_DEFAULT: usize = 100;

/// The fields of a connection that fold its records.
pub(super) fn members(collection: &Collection) -> Vec<Member> {
    if !collection.operations.aggregate {
        return Vec::new();
    }
    let aggregate = Member::new("aggregate", format!("{}!", collection.aggregate_type()))
        .described("Of all records that the filter lets through, whatever the page.");
    let mut members = vec![aggregate];
    if keys(collection).next().is_some() {
        let arguments = vec![
            Member::new("by", format!("[{}!]!", collection.group_key_type())),
            Member::new("having", collection.having_type()),
            Member::new("orderBy", format!("[{}!]", collection.group_order_type())),
            Member::new("first", "Int").or(GROUPS_DEFAULT.to_string()),
            Member::new("offset", "Int"),
        ];
        members.push(Member::new("groups", format!("[{}!]!", collection.group_type())).with(arguments));
    }
    members
}

/// The types that the records of a collection are folded to.
pub(super) fn definitions(catalog: &Catalog, collection: &Collection) -> Vec<Definition> {
    if !collection.operations.aggregate {
        return Vec::new();
    }
    let by = |definition: Definition| definition.by(&collection.name);
    let aggregate = || Member::new("aggregate", format!("{}!", collection.aggregate_type()));
    let key = |field: &Field| Some(Member::new(&field.name, field.key_form()?.type_name()));
    let group = vec![Member::new("key", format!("{}!", collection.group_values_type())), aggregate()];
    let value = |field: &Field| Member::new(&field.name, value_type(catalog, field));
    let values = keys(collection).map(value).collect();
    let mut definitions = vec![
        by(Definition::new(Form::Object(&[]), collection.aggregate_type(), aggregated(collection))),
        by(Definition::new(Form::Object(&[]), collection.group_type(), group)),
        by(Definition::new(Form::Object(&[]), collection.group_values_type(), values)
            .described("What the records of a group have in common; null where it is not grouped by that.")),
    ];
    definitions.extend([
        by(Definition::new(Form::OneOf, collection.group_key_type(), keys(collection).filter_map(key).collect())),
        by(Definition::new(Form::Input, collection.having_type(), having(collection))),
        by(Definition::new(Form::OneOf, collection.group_order_type(), order(collection))),
    ]);
    definitions
}

/// The types that do not depend on the catalog.
pub(super) fn types() -> Vec<Definition> {
    let values = |names: &[&str]| names.iter().map(|name| Member::new(*name, "")).collect::<Vec<_>>();
    let buckets = ["HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];
    let mut types: Vec<Definition> = Measure::ALL.into_iter().map(of_measure).collect();
    types.extend(Measure::ALL.into_iter().filter_map(filter_of));
    types.push(
        Definition::new(Form::Enum, "DateTimeBucket", values(&buckets)).described(
            "A part of the calendar, in UTC. Weeks begin on Monday; a bucket is named by its first instant.",
        ),
    );
    types.push(
        Definition::new(Form::Enum, "DateBucket", values(&buckets[1..]))
            .described("A part of the calendar. Weeks begin on Monday; a bucket is named by its first day."),
    );
    types
}

fn of_measure(measure: Measure) -> Definition {
    let mut members = vec![Member::new("count", "Int!").described("Values that are not null.")];
    members.push(Member::new("countDistinct", "Int!"));
    members.extend(measure.sum().map(|sum| Member::new("sum", sum.name())));
    members.extend(measure.average().map(|average| Member::new("avg", average.name())));
    if let Some(extreme) = measure.extreme() {
        members.extend([Member::new("min", extreme.name()), Member::new("max", extreme.name())]);
    }
    Definition::new(Form::Object(&[]), measure.type_name(), members)
}

fn filter_of(measure: Measure) -> Option<Definition> {
    let name = measure.filter_type()?;
    let sum = filter::single_type(measure.sum()?);
    // An average of whole numbers is compared with digits behind the point.
    let average = match measure {
        Measure::Float => filter::single_type(crate::catalog::Scalar::Float),
        _ => filter::single_type(crate::catalog::Scalar::Decimal),
    };
    let extreme = filter::single_type(measure.extreme()?);
    let members = vec![
        Member::new("sum", sum),
        Member::new("avg", average),
        Member::new("min", &extreme),
        Member::new("max", &extreme),
    ];
    Some(Definition::new(Form::Input, name, members))
}

fn aggregated(collection: &Collection) -> Vec<Member> {
    let field = |field: &Field| Some(Member::new(&field.name, format!("{}!", field.measure()?.type_name())));
    let mut members = vec![Member::new("count", "Int!"), Member::new("id", "CountAggregate!")];
    members.extend(collection.fields.iter().filter_map(field));
    members
}

fn keys(collection: &Collection) -> impl Iterator<Item = &Field> {
    collection.fields.iter().filter(|field| field.key_form().is_some())
}

fn having(collection: &Collection) -> Vec<Member> {
    let mut members = super::collection::logic(&collection.having_type());
    members.push(Member::new("count", "IntFilter"));
    let taken: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    let free = collection.fields.iter().filter(|field| !taken.contains(&field.name));
    members.extend(free.filter_map(|field| Some(Member::new(&field.name, field.measure()?.filter_type()?))));
    members
}

fn order(collection: &Collection) -> Vec<Member> {
    let mut names = vec!["count".to_owned()];
    names.extend(collection.fields.iter().filter(|field| field.orders_groups()).map(|field| field.name.clone()));
    for sum in collection.fields.iter().filter_map(Field::sum_order) {
        // A field that has the name already is ordered by itself.
        if !names.contains(&sum) {
            names.push(sum);
        }
    }
    names.into_iter().map(|name| Member::new(name, "SortDirection")).collect()
}
