//! In which order collections are imported: what is referred to comes first.

use vivarium_schema::Catalog;
use vivarium_schema::catalog::{Collection, Field, FieldKind};
use vivarium_storage::CollectionId;

/// All collections, each after those that it refers to. In a ring the one whose required references are there comes
/// first; else the one that was declared first.
pub fn in_import_order(catalog: &Catalog) -> Vec<&Collection> {
    let mut waiting: Vec<&Collection> = catalog.collections.iter().collect();
    let mut ordered: Vec<&Collection> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_there = |id: CollectionId| ordered.iter().any(|collection| collection.id == id);
        let ready = |required_only: bool| {
            waiting.iter().position(|collection| {
                let needs = collection.fields.iter().filter(|field| field.required || !required_only);
                needs.filter_map(refers_to).all(|target| target == collection.id || is_there(target))
            })
        };
        let next = ready(false).or_else(|| ready(true)).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}

/// The collection that a field's value names, where the line carries it.
fn refers_to(field: &Field) -> Option<CollectionId> {
    match field.kind {
        FieldKind::ToOne { target, .. } => Some(target),
        FieldKind::ManyToMany { target, inverse: None, .. } => Some(target),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_first() {
        let sdl = r#"
            type Line @collection { id: ID! order: Order! @relation(inverse: "lines") product: Product! @relation }
            type Order @collection { id: ID! lines: [Line!]! @relation(inverse: "order") next: Order @relation buyer: Buyer @relation }
            type Product @collection { id: ID! name: String! }
            type Buyer @collection { id: ID! home: Town! @relation favourite: Order @relation }
            type Town @collection { id: ID! name: String! }
        "#;
        let catalog = vivarium_schema::sdl::declare(sdl, None).unwrap();
        let names: Vec<&str> = in_import_order(&catalog).iter().map(|collection| collection.name.as_str()).collect();
        assert_eq!(names, ["Product", "Town", "Order", "Line", "Buyer"]);
    }
}
