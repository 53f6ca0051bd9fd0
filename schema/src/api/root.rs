//! The root fields and the payloads of mutations.

use super::collection::page_arguments;
use super::definition::{Definition, Form, Member};
use super::{family, input};
use crate::catalog::{Catalog, Collection};

/// What a database without collections says of itself.
const EMPTY: &str = "This database declares no collections yet. Write a schema, for example \
    `type Note @collection { id: ID! text: String! }`, save it as schema.graphql, \
    and apply it: `vivarium schema apply schema.graphql`.";

/// Records that a write of several changes, unless it is told that it may change more or fewer.
const AFFECTED_DEFAULT: usize = 1_000;

/// `Query`, `Mutation` and what mutations answer.
pub(super) fn definitions(catalog: &Catalog) -> Vec<Definition> {
    let mut definitions = vec![query(catalog)];
    if has_mutations(catalog) {
        let members = catalog.collections.iter().flat_map(mutations).collect();
        let all_or_nothing =
            "All root fields of one mutation operation commit in one serializable transaction, or none does.";
        definitions.push(Definition::new(Form::Object(&[]), "Mutation", members).described(all_or_nothing));
    }
    for collection in &catalog.collections {
        definitions.extend(payloads(collection));
    }
    definitions
}

/// True where some collection can be written.
pub(super) fn has_mutations(catalog: &Catalog) -> bool {
    catalog.collections.iter().any(|collection| !mutations(collection).is_empty())
}

fn query(catalog: &Catalog) -> Definition {
    let mut members = vec![
        Member::new("node", "Node").with(vec![Member::new("id", "ID!")]),
        Member::new("nodes", "[Node]!").with(vec![Member::new("ids", "[ID!]!")]),
    ];
    for collection in &catalog.collections {
        if collection.operations.get {
            let by = Member::new("by", format!("{}!", collection.key_type()));
            members.push(Member::new(&collection.singular, &collection.name).with(vec![by]).by(&collection.name));
        }
        if collection.operations.list {
            let of = format!("{}!", collection.connection_type());
            members.push(Member::new(&collection.plural, of).with(page_arguments(collection)).by(&collection.name));
        }
    }
    members.extend(catalog.families.iter().map(family::root));
    let query = Definition::new(Form::Object(&[]), "Query", members);
    if catalog.collections.is_empty() { query.described(EMPTY) } else { query }
}

fn mutations(collection: &Collection) -> Vec<Member> {
    let by = || Member::new("by", format!("{}!", collection.key_type()));
    let conditions = || [Member::new("if", collection.where_type()), Member::new("ifVersion", "CommitVersion")];
    let chosen = || Member::new("where", format!("{}!", collection.where_type()));
    let at_most = || Member::new("maxAffected", "Int!").or(AFFECTED_DEFAULT.to_string());
    let mut members = Vec::new();
    if collection.operations.create {
        let create = collection.create_type();
        let one = Member::new("data", format!("{create}!"));
        let many = Member::new("data", format!("[{create}!]!"));
        members.push(Member::new(collection.create_field(), format!("{}!", collection.payload_type())).with(vec![one]));
        let of = format!("{}!", collection.many_payload_type());
        let conflict = Member::new("onConflict", collection.conflict_type());
        members.push(Member::new(collection.create_many_field(), of).with(vec![many, conflict]));
    }
    if collection.operations.update && input::can_be_updated(collection) {
        let changes = || {
            let data = Member::new("data", collection.update_type());
            std::iter::once(data).chain(input::edits(collection))
        };
        let arguments = std::iter::once(by()).chain(changes()).chain(conditions()).collect();
        members.push(Member::new(collection.update_field(), format!("{}!", collection.payload_type())).with(arguments));
        let arguments = std::iter::once(chosen()).chain(changes()).chain([at_most()]).collect();
        let of = format!("{}!", collection.many_payload_type());
        members.push(Member::new(collection.update_many_field(), of).with(arguments));
    }
    if collection.operations.upsert {
        let mut arguments = vec![by(), Member::new("create", format!("{}!", collection.create_type()))];
        if input::can_be_updated(collection) {
            arguments.push(Member::new("update", collection.update_type()));
        }
        arguments.extend(input::edits(collection).into_iter().filter(|edit| edit.name == "increment"));
        let of = format!("{}!", collection.upsert_payload_type());
        members.push(Member::new(collection.upsert_field(), of).with(arguments));
    }
    if collection.operations.delete {
        let mut arguments = vec![by()];
        arguments.extend(conditions());
        let of = format!("{}!", collection.delete_payload_type());
        members.push(Member::new(collection.delete_field(), of).with(arguments));
        let of = format!("{}!", collection.many_delete_payload_type());
        members.push(Member::new(collection.delete_many_field(), of).with(vec![chosen(), at_most()]));
    }
    members.into_iter().map(|member| member.by(&collection.name)).collect()
}

fn payloads(collection: &Collection) -> Vec<Definition> {
    let one = || Member::new(&collection.singular, format!("{}!", collection.name));
    let end = || [Member::new("commit", "Commit!"), Member::new("query", "Query!")];
    let edge = || {
        Member::new(collection.edge_field(), format!("{}!", collection.edge_type()))
            .described("For Relay @appendEdge / @prependEdge.")
    };
    let created = Member::new("created", "Boolean!").described("False when the record was there and was updated.");
    let deleted = Member::new("deletedId", "ID!").described("For Relay @deleteRecord / @deleteEdge.");
    let affected = || Member::new("affectedCount", "Int!");
    let many = Member::new(&collection.plural, format!("[{}!]!", collection.name));
    let payload = |name: String, members: Vec<Member>| {
        let members = members.into_iter().chain(end()).collect();
        Definition::new(Form::Object(&[]), name, members).by(&collection.name)
    };
    vec![
        payload(collection.payload_type(), vec![one(), edge()]),
        payload(collection.upsert_payload_type(), vec![one(), edge(), created]),
        payload(collection.delete_payload_type(), vec![deleted, one().described("The record as it was.")]),
        payload(collection.many_payload_type(), vec![many, affected()]),
        payload(collection.many_delete_payload_type(), vec![Member::new("deletedIds", "[ID!]!"), affected()]),
    ]
}
