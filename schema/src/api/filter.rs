//! Filters of scalars and of lists of them, as the contract has them.

use super::definition::{Definition, Form, Member};
use crate::catalog::{EnumType, Scalar};

/// The filters of all scalars and of lists of all scalars.
pub(super) fn definitions() -> Vec<Definition> {
    let mut filters = Vec::new();
    for scalar in Scalar::ALL.into_iter().filter(|scalar| scalar.filtered_as() == *scalar) {
        let members = match scalar {
            Scalar::Json => json(),
            scalar => single(scalar.name(), is_ordered(scalar), scalar),
        };
        filters.push(Definition::new(Form::Input, single_type(scalar), members));
        filters.push(Definition::new(Form::Input, list_type(scalar), list(scalar.name())));
    }
    filters
}

/// `StringFilter`: what filters a field of this scalar.
pub(super) fn single_type(scalar: Scalar) -> String {
    format!("{}Filter", scalar.filtered_as().name())
}

/// `StringListFilter`: what filters a list of this scalar.
pub(super) fn list_type(scalar: Scalar) -> String {
    format!("{}ListFilter", scalar.filtered_as().name())
}

/// The filters of an enum and of a list of it.
pub(super) fn of_enum(each: &EnumType) -> [Definition; 2] {
    let mut members = equality(&each.name);
    members.push(is_null());
    [
        Definition::new(Form::Input, each.filter_type(), members).by(&each.name),
        Definition::new(Form::Input, each.list_filter_type(), list(&each.name)).by(&each.name),
    ]
}

pub(super) fn is_null() -> Member {
    Member::new("isNull", "Boolean")
}

fn is_ordered(scalar: Scalar) -> bool {
    !matches!(scalar, Scalar::Id | Scalar::Boolean | Scalar::Uuid | Scalar::Bytes)
}

fn equality(of: &str) -> Vec<Member> {
    let many = format!("[{of}!]");
    vec![Member::new("eq", of), Member::new("ne", of), Member::new("in", &many), Member::new("notIn", &many)]
}

fn comparison(of: &str) -> Vec<Member> {
    ["gt", "gte", "lt", "lte"].map(|name| Member::new(name, of)).to_vec()
}

fn single(of: &str, ordered: bool, scalar: Scalar) -> Vec<Member> {
    let mut members = equality(of);
    if ordered {
        members.extend(comparison(of));
    }
    if scalar == Scalar::String {
        members.extend(["contains", "startsWith", "endsWith", "regex"].map(|name| Member::new(name, "String")));
        members.push(Member::new("ignoreCase", "Boolean").or("false"));
    }
    members.push(is_null());
    members
}

fn json() -> Vec<Member> {
    let mut members = vec![Member::new("path", "[String!]").described("The keys that lead to what is compared.")];
    members.extend(["eq", "ne", "contains"].map(|name| Member::new(name, "JSON")));
    members.push(Member::new("hasKey", "String"));
    members.extend(comparison("JSON"));
    members.push(is_null());
    members
}

fn list(of: &str) -> Vec<Member> {
    let many = format!("[{of}!]");
    vec![
        Member::new("has", of),
        Member::new("hasAny", &many),
        Member::new("hasAll", &many),
        Member::new("containedIn", &many),
        Member::new("isEmpty", "Boolean"),
        Member::new("length", "IntFilter"),
        is_null(),
    ]
}
