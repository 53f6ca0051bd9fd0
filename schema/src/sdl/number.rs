//! Numbers for everything that has a name: those of the previous catalog where a name (or the one that `@rename`
//! gives) is still there and still holds the same kind of value, new ones otherwise. No number is ever used twice.

use super::computed;
use super::directive::Uses;
use super::relation::Relation;
use super::report::Report;
use super::shape::{FieldAt, FieldShape, ObjectAt, Shape, Shapes};
use crate::catalog::{self, Catalog, FieldKind, Scalar};
use crate::compute::Computed;
use std::collections::BTreeMap;
use vivarium_storage::{CollectionId, FieldId};

/// The numbers of a document's types, fields and enum values.
pub(super) struct Numbers {
    /// By place in [`Shapes::objects`]: a collection's or an embedded type's.
    pub(super) objects: Vec<ObjectNumbers>,
    /// By place in [`Shapes::enums`].
    pub(super) enums: Vec<EnumNumbers>,
    pub(super) next_collection: u32,
    pub(super) next_type: u32,
    /// What `@computed` fields are made of.
    pub(super) computed: BTreeMap<FieldAt, Computed>,
}

/// The numbers of one object type.
pub(super) struct ObjectNumbers {
    pub(super) id: u32,
    /// By place in the type's fields.
    pub(super) fields: Vec<FieldId>,
    pub(super) next_field: u16,
}

/// The numbers of one enum.
pub(super) struct EnumNumbers {
    pub(super) id: u32,
    pub(super) values: Vec<i64>,
    pub(super) next_value: i64,
}

impl Numbers {
    pub(super) fn collection(&self, object: ObjectAt) -> CollectionId {
        CollectionId(self.objects[object].id)
    }
    pub(super) fn field(&self, (object, field): FieldAt) -> FieldId {
        self.objects[object].fields[field]
    }
}

/// Assigns all numbers.
pub(super) fn assign(
    shapes: &Shapes<'_>,
    relations: &BTreeMap<FieldAt, Relation>,
    previous: Option<&Catalog>,
    report: &mut Report<'_>,
) -> Numbers {
    let empty = Catalog { next_collection: 1, next_type: 1, ..Catalog::default() };
    let previous = previous.filter(|previous| previous.version > 0).unwrap_or(&empty);
    let mut numbers = Numbers {
        objects: Vec::new(),
        enums: Vec::new(),
        next_collection: previous.next_collection,
        next_type: previous.next_type,
        computed: BTreeMap::new(),
    };
    for shape in &shapes.objects {
        let (known, next) = if shape.collection.is_some() {
            (
                carried(shape.name, &shape.object.uses, |name| previous.collection_named(name).map(|each| each.id.0)),
                &mut numbers.next_collection,
            )
        } else {
            let find = |name: &str| previous.embedded.iter().find(|each| each.name == name).map(|each| each.id);
            (carried(shape.name, &shape.object.uses, find), &mut numbers.next_type)
        };
        let id = known.unwrap_or_else(|| take(next));
        numbers.objects.push(ObjectNumbers { id, fields: Vec::new(), next_field: 1 });
    }
    for each in shapes.enums {
        let name = &each.definition.name;
        let find = |name: &str| previous.enums.iter().find(|each| each.name == name);
        let known = carried(name, &each.uses, find);
        let id = known.map_or_else(|| take(&mut numbers.next_type), |known| known.id);
        let mut next_value = known.map_or(0, |known| known.next_value);
        let mut values = Vec::new();
        for (value, uses) in each.definition.values.iter().zip(&each.value_uses) {
            let number = carried(&value.value, uses, |name| {
                known.and_then(|known| known.value_named(name)).map(|value| value.number)
            });
            values.push(number.unwrap_or_else(|| {
                next_value += 1;
                next_value - 1
            }));
        }
        numbers.enums.push(EnumNumbers { id, values, next_value });
    }
    for at in 0..shapes.objects.len() {
        assign_fields(shapes, relations, at, previous, &mut numbers, report);
    }
    // What they are made of is told by the numbers of the others.
    numbers.computed = computed::resolve(shapes, &numbers, report);
    for at in 0..shapes.objects.len() {
        assign_computed(shapes, at, previous, &mut numbers, report);
    }
    numbers
}

/// The known fields of an object, and the next number.
fn known_fields<'p>(
    shapes: &Shapes<'_>,
    at: ObjectAt,
    numbers: &Numbers,
    previous: &'p Catalog,
) -> (&'p [catalog::Field], u16) {
    let id = numbers.objects[at].id;
    if shapes.objects[at].collection.is_some() {
        previous.collection(CollectionId(id)).map_or((&[][..], 1), |each| (&each.fields[..], each.next_field))
    } else {
        previous.embedded(id).map_or((&[][..], 1), |each| (&each.fields[..], each.next_field))
    }
}

/// Numbers the computed fields: one that is made of the same keeps its number, so that what is stored and indexed
/// under it stays right.
fn assign_computed(
    shapes: &Shapes<'_>,
    at: ObjectAt,
    previous: &Catalog,
    numbers: &mut Numbers,
    report: &mut Report<'_>,
) {
    let (known, _) = known_fields(shapes, at, numbers, previous);
    for (place, field) in shapes.objects[at].fields.iter().enumerate() {
        let Some(computed) = numbers.computed.get(&(at, place)) else { continue };
        let same = |known: &&catalog::Field| known.computed.as_ref() == Some(computed) && same_type(field, known);
        let kept = carried(field.name, field.uses, |name| known.iter().find(|known| known.name == name)).filter(same);
        numbers.objects[at].fields[place] = match kept {
            Some(known) => known.id,
            None => take_field(&mut numbers.objects[at].next_field, shapes, (at, place), report),
        };
    }
}

fn same_type(field: &FieldShape<'_>, known: &catalog::Field) -> bool {
    matches!((field.kind, known.kind), (Shape::Scalar(new), FieldKind::Scalar(old)) if new == old)
        && known.precision == super::default::precision(field)
}

fn take_field(next: &mut u16, shapes: &Shapes<'_>, at: FieldAt, report: &mut Report<'_>) -> FieldId {
    let number = FieldId(*next);
    match next.checked_add(1) {
        Some(following) => *next = following,
        None => {
            let message = format!(
                "{} has had 65,535 fields over time, and their numbers are used up: start a new type.",
                shapes.objects[at.0].name
            );
            report.add(shapes.field(at).name.location(), "limit", message);
        }
    }
    number
}

fn assign_fields(
    shapes: &Shapes<'_>,
    relations: &BTreeMap<FieldAt, Relation>,
    at: ObjectAt,
    previous: &Catalog,
    numbers: &mut Numbers,
    report: &mut Report<'_>,
) {
    let shape = &shapes.objects[at];
    let (known, mut next) = known_fields(shapes, at, numbers, previous);
    let mut fields = Vec::new();
    for (place, field) in shape.fields.iter().enumerate() {
        if field.uses.one("computed").is_some() {
            // It gets its number when all others have theirs.
            fields.push(FieldId(0));
            continue;
        }
        let find = |name: &str| known.iter().find(|known| known.name == name && known.computed.is_none());
        let kept = carried(field.name, field.uses, find)
            .filter(|known| holds_the_same(field, relations.get(&(at, place)), known, numbers, previous));
        fields.push(match kept {
            Some(known) => known.id,
            None => take_field(&mut next, shapes, (at, place), report),
        });
    }
    numbers.objects[at].fields = fields;
    numbers.objects[at].next_field = next;
}

/// What the previous catalog knows under this name, or under the name that it was renamed from.
fn carried<T>(name: &str, uses: &Uses<'_>, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    find(name).or_else(|| find(uses.renamed_from()?))
}

fn take(next: &mut u32) -> u32 {
    let number = *next;
    *next += 1;
    number
}

/// True when documents that hold the known field's values can be read as this field's.
fn holds_the_same(
    field: &FieldShape<'_>,
    relation: Option<&Relation>,
    known: &catalog::Field,
    numbers: &Numbers,
    previous: &Catalog,
) -> bool {
    if field.list.is_some() != known.list.is_some() && !matches!(field.kind, Shape::Record(_)) {
        return false;
    }
    match (field.kind, known.kind) {
        (Shape::Scalar(new), FieldKind::Scalar(old)) => same_stored_form(old, new),
        (Shape::Enum(new), FieldKind::Enum(old)) => numbers.enums[new].id == old,
        (Shape::Embedded(new), FieldKind::Embedded(old)) => numbers.objects[new].id == old,
        (Shape::Record(target), kind) => {
            let target = numbers.collection(target);
            let known_target = match kind {
                FieldKind::ToOne { target, .. }
                | FieldKind::OneToOne { target, .. }
                | FieldKind::OneToMany { target, .. }
                | FieldKind::ManyToMany { target, .. } => target,
                _ => return false,
            };
            let same_side = matches!(
                (relation, kind),
                (Some(Relation::Reference { .. }), FieldKind::ToOne { .. })
                    | (Some(Relation::One { .. }), FieldKind::OneToOne { .. })
                    | (Some(Relation::Many { .. }), FieldKind::OneToMany { .. })
                    | (Some(Relation::Links { .. }), FieldKind::ManyToMany { .. })
            );
            same_side && known_target == target && previous.collection(target).is_some()
        }
        _ => false,
    }
}

/// True when a stored value of the old scalar is one of the new.
pub(super) fn same_stored_form(old: Scalar, new: Scalar) -> bool {
    old == new
        || matches!((old, new), (Scalar::Int, Scalar::BigInt) | (Scalar::Email | Scalar::CountryCode, Scalar::String))
}
