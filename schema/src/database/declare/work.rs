//! What a change means for documents that are there: which must be looked at, what is cleared away, and how the
//! catalog reads until that is done.

use crate::catalog::{Collection, Embedded, Field, FieldKind, IndexElement, TypeId};
use crate::{Catalog, Input, api};
use std::collections::{BTreeMap, BTreeSet};
use vivarium_storage::{CollectionId, IndexId};

/// Collections with rules that documents may break which obeyed the old ones.
pub(super) fn tightened(previous: &Catalog, target: &Catalog) -> Vec<CollectionId> {
    let mut embedded = BTreeMap::new();
    let is_tighter = |collection: &&Collection| {
        previous.collection(collection.id).is_some_and(|known| {
            let computed = collection.fields.iter().filter(|field| field.computed.is_some());
            collection.checks.iter().any(|check| !known.checks.contains(check))
                || computed.into_iter().any(|field| known.field(field.id).is_none())
                || fields_tighter(previous, target, &known.fields, &collection.fields, &mut embedded)
        })
    };
    target.collections.iter().filter(is_tighter).map(|collection| collection.id).collect()
}

/// True where a document of the old fields may not fit the new ones.
fn fields_tighter(
    previous: &Catalog,
    target: &Catalog,
    known: &[Field],
    fields: &[Field],
    embedded: &mut BTreeMap<TypeId, bool>,
) -> bool {
    fields.iter().filter(|field| field.is_stored()).any(|field| {
        let Some(old) = known.iter().find(|old| old.id == field.id) else { return field.required };
        let elements = |field: &Field| field.list.is_some_and(|list| list.element_required);
        let narrower = field.precision.is_some_and(|new| {
            old.precision.is_none_or(|old| new.scale < old.scale || new.digits - new.scale < old.digits - old.scale)
        });
        let inside = match field.kind {
            FieldKind::Enum(id) => {
                let (old, new) = (previous.enum_type(id), target.enum_type(id));
                let gone = |old: &crate::catalog::EnumType| {
                    old.values.iter().any(|value| new.is_none_or(|new| new.value(value.number).is_none()))
                };
                old.is_some_and(gone)
            }
            FieldKind::Embedded(id) => embedded_tighter(previous, target, id, embedded),
            _ => false,
        };
        (field.required && !old.required) || (elements(field) && !elements(old)) || narrower || inside
    })
}

fn embedded_tighter(previous: &Catalog, target: &Catalog, id: TypeId, seen: &mut BTreeMap<TypeId, bool>) -> bool {
    if let Some(known) = seen.get(&id) {
        return *known;
    }
    let tighter = match (previous.embedded(id), target.embedded(id)) {
        (Some(known), Some(embedded)) => {
            embedded.checks.iter().any(|check| !known.checks.contains(check))
                || fields_tighter(previous, target, &known.fields, &embedded.fields, seen)
        }
        _ => false,
    };
    seen.insert(id, tighter);
    tighter
}

/// Collections that are gone.
pub(super) fn dropped_collections(previous: &Catalog, target: &Catalog) -> Vec<CollectionId> {
    previous.collections.iter().map(|known| known.id).filter(|id| target.collection(*id).is_none()).collect()
}

/// Indexes and links that are gone.
pub(super) fn dropped_indexes(previous: &Catalog, target: &Catalog) -> Vec<IndexId> {
    let kept = entry_owners(target);
    entry_owners(previous).into_iter().filter(|id| !kept.contains(id)).collect()
}

/// The numbers under which a catalog keeps entries.
fn entry_owners(catalog: &Catalog) -> BTreeSet<IndexId> {
    let mut owners = BTreeSet::new();
    for collection in &catalog.collections {
        owners.extend(collection.indexes.iter().map(|index| index.id));
        for field in &collection.fields {
            if let FieldKind::ManyToMany { links, inverse_links, .. } = field.kind {
                owners.extend([links, inverse_links]);
            }
        }
    }
    owners
}

/// The target as it is served while documents are still being looked at: what is not true of all of them yet
/// cannot be seen, and what goes is still kept up, so that the previous catalog can come back.
pub(super) fn meanwhile(previous: &Catalog, target: &Catalog) -> Catalog {
    let mut meanwhile = with_dropped(previous, target);
    veil(previous, target, &mut meanwhile);
    meanwhile
}

/// Hides in a catalog what a change has yet to make true of the documents.
fn veil(previous: &Catalog, target: &Catalog, catalog: &mut Catalog) {
    for collection in &mut catalog.collections {
        let Some(known) = previous.collection(collection.id) else { continue };
        hide_unfilled(&known.fields, &mut collection.fields);
        for field in &mut collection.fields {
            let index = match field.kind {
                FieldKind::OneToOne { target, index, .. } | FieldKind::OneToMany { target, index, .. } => {
                    (target, index)
                }
                _ => continue,
            };
            let ready =
                target.collection(index.0).and_then(|other| other.index(index.1)).is_none_or(|index| index.ready);
            field.hidden |= !ready && known.field(field.id).is_some();
        }
    }
    for embedded in &mut catalog.embedded {
        if let Some(known) = previous.embedded(embedded.id)
            && keeps_a_field(known, embedded)
        {
            hide_unfilled(&known.fields, &mut embedded.fields);
        }
    }
    share_what_is_shared(catalog);
}

/// Takes what not all members of a family show alike for the time being out of the family.
fn share_what_is_shared(catalog: &mut Catalog) {
    let mut families = std::mem::take(&mut catalog.families);
    for family in &mut families {
        let members: Vec<&Collection> = catalog.members(family).collect();
        let shared = |name: &str| {
            let first = members.first().and_then(|member| member.field_named(name));
            first.is_some_and(|first| {
                members.iter().all(|member| member.field_named(name).is_some_and(|field| first.is_shown_like(field)))
            })
        };
        let kept = family.fields.iter().filter(|field| shared(&field.name)).cloned().collect();
        family.fields = kept;
    }
    catalog.families = families;
}

/// The target with what it drops, as far as writes can keep that up: not where something new has taken its name, and
/// nothing at all where that was a relation.
fn with_dropped(previous: &Catalog, target: &Catalog) -> Catalog {
    let mut both = target.clone();
    let mut lost_inside = false;
    for embedded in &mut both.embedded {
        if let Some(known) = previous.embedded(embedded.id) {
            lost_inside |= !keep_fields(&known.fields, &mut embedded.fields).is_empty();
        }
    }
    for collection in &mut both.collections {
        let Some(known) = previous.collection(collection.id) else { continue };
        let lost = keep_fields(&known.fields, &mut collection.fields);
        if lost.iter().any(|field| field.relation().is_some()) {
            return target.clone();
        }
        let is_kept = |element: &IndexElement| {
            let inside = lost_inside && element.path.len() > 1;
            !inside && lost.iter().all(|field| element.path.first() != Some(&field.id))
        };
        let dropped = known.indexes.iter().filter(|index| collection.index(index.id).is_none());
        let kept: Vec<_> = dropped.filter(|index| index.elements.iter().all(is_kept)).cloned().collect();
        collection.indexes.extend(kept);
        collection.indexes.sort_by_key(|index| index.id);
        let loosened = known.checks.iter().filter(|check| !collection.checks.contains(check));
        let kept =
            loosened.filter(|check| !lost_inside && !lost.iter().any(|field| names(&check.predicate, &field.name)));
        let kept: Vec<_> = kept.cloned().collect();
        collection.checks.extend(kept);
    }
    both.collections.extend(previous.collections.iter().filter(|known| target.collection(known.id).is_none()).cloned());
    both.collections.sort_by_key(|collection| collection.id);
    both.embedded.extend(previous.embedded.iter().filter(|known| target.embedded(known.id).is_none()).cloned());
    both.embedded.sort_by_key(|embedded| embedded.id);
    both.enums.extend(previous.enums.iter().filter(|known| target.enum_type(known.id).is_none()).cloned());
    both.enums.sort_by_key(|each| each.id);
    if api::is_valid(&api::generate(&both)) { both } else { target.clone() }
}

/// Adds the fields that go to those that stay. Returns those whose names something new has, and what is computed of them.
fn keep_fields<'a>(known: &'a [Field], fields: &mut Vec<Field>) -> Vec<&'a Field> {
    let mut gone = Vec::new();
    for old in known {
        match fields.iter_mut().find(|field| field.id == old.id) {
            Some(field) if old.required && !field.required => {
                field.required = true;
                field.default = field.default.take().or_else(|| old.default.clone());
            }
            Some(_) => {}
            None => gone.push(old),
        }
    }
    let is_taken = |old: &&Field| fields.iter().any(|field| field.name == old.name);
    let (mut lost, kept): (Vec<_>, Vec<_>) = gone.into_iter().partition(is_taken);
    // What is computed may be made of what is lost, and then has no value for what is written.
    let loses_a_part = lost.iter().any(|field| field.computed.is_none());
    for old in kept {
        if loses_a_part && old.computed.is_some() { lost.push(old) } else { fields.push(old.clone()) }
    }
    lost
}

/// True where a predicate speaks of a field by this name.
fn names(predicate: &Input, name: &str) -> bool {
    match predicate {
        Input::Object(members) => members.iter().any(|(member, inside)| member == name || names(inside, name)),
        Input::List(elements) => elements.iter().any(|element| names(element, name)),
        _ => false,
    }
}

/// A required field that is new, or one that is computed and kept: until every document has its default nobody reads or writes it. What nothing
/// fills is there at once, for it is only applied where there are no documents.
fn hide_unfilled(known: &[Field], fields: &mut [Field]) {
    for field in fields.iter_mut().filter(|field| field.is_stored()) {
        let filled = field.computed.is_some() || field.required && (field.default.is_some() || field.updated_at);
        if filled && !known.iter().any(|old| old.id == field.id) {
            field.hidden = true;
            field.read_only = true;
            field.required = false;
        }
    }
}

/// True where some field of an embedded type can be read and written all along.
fn keeps_a_field(known: &Embedded, embedded: &Embedded) -> bool {
    embedded
        .fields
        .iter()
        .any(|field| known.fields.iter().any(|old| old.id == field.id) && !field.hidden && !field.read_only)
}

/// Every index of the catalog can be read.
pub(super) fn ready(mut catalog: Catalog) -> Catalog {
    catalog.collections.iter_mut().flat_map(|collection| &mut collection.indexes).for_each(|index| index.ready = true);
    catalog
}

/// The previous catalog with the numbers that `target` took marked as taken: a change that failed left entries.
pub(super) fn taken_back(previous: &Catalog, target: &Catalog) -> Catalog {
    let mut catalog = previous.clone();
    catalog.next_collection = target.next_collection;
    catalog.next_type = target.next_type;
    catalog.next_index = target.next_index;
    for collection in &mut catalog.collections {
        if let Some(tried) = target.collection(collection.id) {
            collection.next_field = tried.next_field;
        }
    }
    for embedded in &mut catalog.embedded {
        if let Some(tried) = target.embedded(embedded.id) {
            embedded.next_field = tried.next_field;
        }
    }
    for each in &mut catalog.enums {
        if let Some(tried) = target.enum_type(each.id) {
            each.next_value = tried.next_value;
        }
    }
    catalog
}

/// What has to be made good before the previous catalog is whole again.
pub(super) struct Restoration {
    /// The previous catalog. Indexes that were not kept up have new numbers, and are to be built.
    pub(super) catalog: Catalog,
    /// As it is served until then.
    pub(super) served: Catalog,
    /// Collections whose documents have to be looked at.
    pub(super) conform: Vec<CollectionId>,
}

/// What is to be done after a change was taken back, where writes that were made meanwhile did not keep up all that goes,
/// see [`with_dropped`]. `None` where they did.
pub(super) fn restoration(previous: &Catalog, target: &Catalog) -> Option<Restoration> {
    let kept = with_dropped(previous, target);
    let mut catalog = taken_back(previous, target);
    let mut renumbered = BTreeMap::new();
    for collection in &mut catalog.collections {
        let Some(kept) = kept.collection(collection.id) else { continue };
        for index in collection.indexes.iter_mut().filter(|index| kept.index(index.id).is_none()) {
            let new = IndexId(catalog.next_index);
            catalog.next_index += 1;
            renumbered.insert(index.id, new);
            (index.id, index.ready) = (new, false);
        }
        collection.indexes.sort_by_key(|index| index.id);
    }
    let conform = tightened(&kept, &catalog);
    if conform.is_empty() && renumbered.is_empty() {
        return None;
    }
    for field in catalog.collections.iter_mut().flat_map(|collection| &mut collection.fields) {
        let index = match &mut field.kind {
            FieldKind::ToOne { index: Some(index), .. }
            | FieldKind::OneToOne { index, .. }
            | FieldKind::OneToMany { index, .. } => index,
            _ => continue,
        };
        *index = renumbered.get(index).copied().unwrap_or(*index);
    }
    let mut served = catalog.clone();
    veil(&kept, &catalog, &mut served);
    Some(Restoration { catalog, served, conform })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sdl;

    const BEFORE: &str = "type A @collection { id: ID! a: Int v: V vs: [V!] b: B @relation(inverse: \"a\") } \
        type V { x: Int } type B @collection { id: ID! a: A @relation(inverse: \"b\") n: Int }";

    fn meanwhile_of(after: &str) -> (Catalog, Catalog) {
        let previous = sdl::declare(BEFORE, None).unwrap();
        let target = sdl::declare(after, Some(&previous)).unwrap();
        (meanwhile(&previous, &target), target)
    }

    #[test]
    fn what_is_served_meanwhile_is_always_a_valid_api() {
        let changes = [
            ("a: Int ", "a: Int! @default(value: 1) c: Int! @default(value: 2) @unique "),
            ("x: Int", "x: Int y: String! @default(value: \"\")"),
            // Every field of the type is new: none can be hidden, or the type would have no fields.
            ("x: Int", "y: String! @default(value: \"\")"),
            ("n: Int", "m: Int! @default(value: 1)"),
            ("a: A @relation(inverse: \"b\")", "a: [A!]! @relation(inverse: \"b\")"),
        ];
        for (from, to) in changes {
            assert!(BEFORE.contains(from), "{from}");
            let (catalog, target) = meanwhile_of(&BEFORE.replace(from, to));
            api::compile(&api::generate(&catalog));
            api::compile(&api::generate(&ready(target)));
        }
    }

    #[test]
    fn a_new_required_field_is_hidden_until_it_is_filled() {
        let (catalog, _) = meanwhile_of(&BEFORE.replace("a: Int ", "a: Int c: Int! @default(value: 2) "));
        let field = catalog.collection_named("A").unwrap().field_named("c").unwrap();
        assert!(field.hidden && field.read_only && !field.required);
    }

    #[test]
    fn what_goes_is_kept_up_until_the_change_is_done() {
        let before = BEFORE.replace("n: Int", "n: Int @index");
        let previous = sdl::declare(&before, None).unwrap();
        let after = before.replace("n: Int @index", "").replace("a: Int ", "a: Int @unique ");
        let target = sdl::declare(&after, Some(&previous)).unwrap();
        let names = |catalog: &Catalog| {
            let collection = catalog.collection_named("B").unwrap();
            (collection.field_named("n").is_some(), collection.indexes.iter().any(|index| index.name == "n"))
        };
        assert_eq!(names(&target), (false, false));
        assert_eq!(names(&meanwhile(&previous, &target)), (true, true));
        api::compile(&api::generate(&meanwhile(&previous, &target)));
    }

    #[test]
    fn only_stricter_rules_make_documents_be_looked_at() {
        let previous = sdl::declare(BEFORE, None).unwrap();
        let names = |after: String| {
            let target = sdl::declare(&after, Some(&previous)).unwrap();
            let ids = tightened(&previous, &target).into_iter();
            ids.map(|id| target.collection(id).unwrap().name.clone()).collect::<Vec<_>>().concat()
        };
        assert_eq!(names(BEFORE.replace("a: Int ", "a: Int z: Int ")), "");
        assert_eq!(names(BEFORE.replace("a: Int ", "a: Int @index ")), "");
        assert_eq!(names(BEFORE.replace("n: Int", "n: Int!")), "B");
        assert_eq!(names(BEFORE.replace("x: Int", "x: Int!")), "A");
        assert_eq!(names(BEFORE.replace("x: Int", "x: Int @check(expr: { gt: 1 })")), "A");
        assert_eq!(names(BEFORE.replace("vs: [V!]", "vs: [V!]!")), "A");
    }
}
