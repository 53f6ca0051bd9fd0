//! What changes between two catalogs, in sentences, each with what it costs.

use super::{Change, Safety};
use crate::catalog::{Catalog, Check, Collection, Embedded, EnumType, FamilyField, Field, FieldKind, Index, OnDelete};

/// All differences: types that go, then types in order of their numbers. Empty when the text is the same.
pub(super) fn between(previous: &Catalog, next: &Catalog) -> Vec<Change> {
    if previous.sdl == next.sdl && previous.version == next.version {
        return Vec::new();
    }
    let mut differ = Differ { previous, next, changes: Vec::new() };
    differ.collections();
    differ.embedded();
    differ.enums();
    differ.families();
    if differ.changes.is_empty() {
        let same = previous.collections == next.collections
            && previous.embedded == next.embedded
            && previous.enums == next.enums
            && previous.families == next.families;
        let what = if same {
            "The text changes, its meaning does not."
        } else {
            "Descriptions or the order of declarations change."
        };
        differ.add("schema", Safety::Safe, what);
    }
    differ.changes
}

struct Differ<'a> {
    previous: &'a Catalog,
    next: &'a Catalog,
    changes: Vec<Change>,
}

/// A type with fields, of either catalog.
#[derive(Clone, Copy)]
struct Owner<'a> {
    name: &'a str,
    fields: &'a [Field],
    checks: &'a [Check],
}

impl<'a> Owner<'a> {
    fn of(embedded: &'a Embedded) -> Owner<'a> {
        Owner { name: &embedded.name, fields: &embedded.fields, checks: &embedded.checks }
    }
}

impl Differ<'_> {
    fn add(&mut self, coordinate: impl Into<String>, safety: Safety, description: impl Into<String>) {
        self.changes.push(Change { coordinate: coordinate.into(), description: description.into(), safety });
    }

    fn collections(&mut self) {
        let (previous, next) = (self.previous, self.next);
        for known in previous.collections.iter().filter(|known| next.collection(known.id).is_none()) {
            self.add(&known.name, Safety::Breaking, "The collection and all its records are removed.");
        }
        for collection in &next.collections {
            match previous.collection(collection.id) {
                None => self.add(&collection.name, Safety::Safe, "The collection is added."),
                Some(known) => self.collection(known, collection),
            }
        }
    }

    fn collection(&mut self, known: &Collection, collection: &Collection) {
        let name = &collection.name;
        self.renamed(&known.name, name, "Its records stay; every operation that names the type has to change.");
        if (&known.singular, &known.plural) != (&collection.singular, &collection.plural) {
            let text = format!(
                "The root fields {} and {} become {} and {}.",
                known.singular, known.plural, collection.singular, collection.plural
            );
            self.add(name, Safety::Breaking, text);
        }
        self.operations(known, collection);
        let before = Owner { name: &known.name, fields: &known.fields, checks: &known.checks };
        let after = Owner { name, fields: &collection.fields, checks: &collection.checks };
        self.fields(before, after);
        self.indexes(known, collection);
        self.checks(before, after);
    }

    fn operations(&mut self, known: &Collection, collection: &Collection) {
        let named = |each: &Collection| {
            let operations = each.operations;
            [
                ("GET", operations.get),
                ("LIST", operations.list),
                ("AGGREGATE", operations.aggregate),
                ("CREATE", operations.create),
                ("UPDATE", operations.update),
                ("UPSERT", operations.upsert),
                ("DELETE", operations.delete),
                ("SUBSCRIBE", operations.subscribe),
            ]
        };
        for ((operation, before), (_, after)) in named(known).into_iter().zip(named(collection)) {
            match (before, after) {
                (true, false) => {
                    self.add(
                        &collection.name,
                        Safety::Breaking,
                        format!("The operation {operation} is no longer offered."),
                    );
                }
                (false, true) => {
                    self.add(&collection.name, Safety::Safe, format!("The operation {operation} is offered."))
                }
                _ => {}
            }
        }
    }

    fn embedded(&mut self) {
        let (previous, next) = (self.previous, self.next);
        for known in previous.embedded.iter().filter(|known| next.embedded(known.id).is_none()) {
            self.add(&known.name, Safety::Breaking, "The type is removed.");
        }
        for embedded in &next.embedded {
            let Some(known) = previous.embedded(embedded.id) else {
                self.add(&embedded.name, Safety::Safe, "The type is added.");
                continue;
            };
            self.renamed(
                &known.name,
                &embedded.name,
                "Values stay; every operation that names the type has to change.",
            );
            self.fields(Owner::of(known), Owner::of(embedded));
            self.checks(Owner::of(known), Owner::of(embedded));
        }
    }

    fn enums(&mut self) {
        let (previous, next) = (self.previous, self.next);
        for known in previous.enums.iter().filter(|known| next.enum_type(known.id).is_none()) {
            self.add(&known.name, Safety::Breaking, "The enum is removed.");
        }
        for each in &next.enums {
            let Some(known) = previous.enum_type(each.id) else {
                self.add(&each.name, Safety::Safe, "The enum is added.");
                continue;
            };
            self.renamed(&known.name, &each.name, "Values stay; every operation that names the type has to change.");
            self.values(known, each);
        }
    }

    /// Interfaces and unions, which are known by their names.
    fn families(&mut self) {
        let (previous, next) = (self.previous, self.next);
        let named = |catalog: &'_ Catalog, name: &str| catalog.families.iter().position(|each| each.name == name);
        for known in previous.families.iter().filter(|known| named(next, &known.name).is_none()) {
            self.add(&known.name, Safety::Breaking, "It is removed, and with it the list of its records.");
        }
        for family in &next.families {
            let Some(known) = named(previous, &family.name).map(|at| &previous.families[at]) else {
                self.add(&family.name, Safety::Safe, "It is added: its records are listed together.");
                continue;
            };
            if known.plural != family.plural {
                let text = format!("The root field {} becomes {}.", known.plural, family.plural);
                self.add(&family.name, Safety::Breaking, text);
            }
            for id in family.members.iter().filter(|id| !known.members.contains(id)) {
                let name = next.collection(*id).map_or("", |member| &member.name);
                self.add(&family.name, Safety::Safe, format!("{name} belongs to it. Cursors of its lists begin anew."));
            }
            for id in known.members.iter().filter(|id| !family.members.contains(id)) {
                let name = previous.collection(*id).map_or("", |member| &member.name);
                self.add(&family.name, Safety::Breaking, format!("{name} no longer belongs to it."));
            }
            let has = |fields: &[FamilyField], name: &str| fields.iter().any(|field| field.name == name);
            for field in family.fields.iter().filter(|field| !has(&known.fields, &field.name)) {
                self.add(format!("{}.{}", family.name, field.name), Safety::Safe, "The field is added.");
            }
            for field in known.fields.iter().filter(|field| !has(&family.fields, &field.name)) {
                self.add(format!("{}.{}", family.name, field.name), Safety::Breaking, "The field is removed.");
            }
        }
    }

    fn values(&mut self, known: &EnumType, each: &EnumType) {
        for old in known.values.iter().filter(|old| each.value(old.number).is_none()) {
            let text = "The value is removed. Records that hold it are looked for, and the change is refused if there are any.";
            self.add(format!("{}.{}", each.name, old.name), Safety::Breaking, text);
        }
        for value in &each.values {
            let coordinate = format!("{}.{}", each.name, value.name);
            match known.value(value.number) {
                None => self.add(coordinate, Safety::Safe, "The value is added."),
                Some(old) if old.name != value.name => {
                    let text = format!("The value is renamed from {}. Records that hold it keep it.", old.name);
                    self.add(coordinate, Safety::Breaking, text);
                }
                Some(_) => {}
            }
        }
    }

    fn renamed(&mut self, before: &str, after: &str, what: &str) {
        if before != after {
            self.add(after, Safety::Breaking, format!("{before} is renamed to {after}. {what}"));
        }
    }

    fn fields(&mut self, before: Owner<'_>, after: Owner<'_>) {
        for old in before.fields {
            let kept = after.fields.iter().any(|field| field.id == old.id);
            let replaced = after.fields.iter().any(|field| field.name == old.name);
            if !kept && !replaced {
                let text = if old.is_stored() {
                    "The field is removed. Its values can no longer be read."
                } else {
                    "The field is removed."
                };
                self.add(format!("{}.{}", after.name, old.name), Safety::Breaking, text);
            }
        }
        for field in after.fields {
            let coordinate = format!("{}.{}", after.name, field.name);
            if let Some(old) = before.fields.iter().find(|old| old.id == field.id) {
                self.field(&coordinate, old, field);
            } else if field.computed.is_some()
                && before.fields.iter().any(|old| old.name == field.name && old.computed.is_some())
            {
                self.add(coordinate, Safety::NeedsBackfill, "What is computed changes. Records get its new value.");
            } else if let Some(old) = before.fields.iter().find(|old| old.name == field.name) {
                let text = format!(
                    "The type changes from {} to {}. Values are not carried over: they read as null.",
                    written(self.previous, old),
                    written(self.next, field)
                );
                self.add(coordinate, Safety::Breaking, text);
            } else {
                let (safety, text) = added(field);
                self.add(coordinate, safety, text);
            }
        }
    }

    /// A field that keeps its values.
    fn field(&mut self, coordinate: &str, old: &Field, field: &Field) {
        if old.name != field.name {
            let text = format!(
                "The field is renamed from {}. Its values stay; operations that name it have to change.",
                old.name
            );
            self.add(coordinate, Safety::Breaking, text);
        }
        let (before, after) = (written(self.previous, old), written(self.next, field));
        if before != after && !self.only_renamed(old, field) {
            self.typed(coordinate, old, field, &before, &after);
        }
        if old.default != field.default {
            let text = "The default changes for records that are created from now on.";
            let required = field.required && field.default.is_none();
            let safety = if required && old.required { Safety::Breaking } else { Safety::Safe };
            self.add(
                coordinate,
                safety,
                if safety == Safety::Breaking { "The default goes: creates have to give a value." } else { text },
            );
        }
        self.behaviour(coordinate, old, field);
        self.relation(coordinate, old, field);
    }

    /// True where the type reads differently only because the type it names has another name.
    fn only_renamed(&self, old: &Field, field: &Field) -> bool {
        let shape = |field: &Field| (field.required, field.list.map(|list| list.element_required), field.is_to_many());
        let same_type = match (old.kind, field.kind) {
            (FieldKind::Scalar(old), FieldKind::Scalar(new)) => old == new,
            _ => true,
        };
        same_type && shape(old) == shape(field)
    }

    fn typed(&mut self, coordinate: &str, old: &Field, field: &Field, before: &str, after: &str) {
        let only_required = !old.required && field.required && format!("{before}!") == *after;
        let (safety, what) = if only_required && fills(field) {
            (Safety::NeedsBackfill, "Records without a value get the default.")
        } else if only_required {
            (Safety::Breaking, "Records without a value are looked for, and the change is refused if there are any.")
        } else if old.required && !field.required && format!("{after}!") == *before {
            (Safety::Breaking, "Clients have to expect null.")
        } else {
            (Safety::Breaking, "Values stay as they are.")
        };
        self.add(coordinate, safety, format!("The type changes from {before} to {after}. {what}"));
    }

    fn behaviour(&mut self, coordinate: &str, old: &Field, field: &Field) {
        let switches = [
            ("@hidden", old.hidden, field.hidden, Safety::Breaking),
            ("@readOnly", old.read_only, field.read_only, Safety::Breaking),
            ("@updatedAt", old.updated_at, field.updated_at, Safety::Breaking),
        ];
        for (directive, before, after, cost) in switches {
            match (before, after) {
                (false, true) => self.add(
                    coordinate,
                    cost,
                    format!("{directive} is added: clients can no longer use the field as before."),
                ),
                (true, false) => self.add(coordinate, Safety::Safe, format!("{directive} is removed.")),
                _ => {}
            }
        }
        match (old.auto_increment, field.auto_increment) {
            (None, Some(_)) => self.add(coordinate, Safety::Safe, "@autoIncrement is added."),
            (Some(_), None) if field.required && field.default.is_none() => {
                self.add(coordinate, Safety::Breaking, "@autoIncrement goes: creates have to give a number.");
            }
            (before, after) if before != after => {
                self.add(coordinate, Safety::Safe, "@autoIncrement changes for new records.")
            }
            _ => {}
        }
        if old.precision != field.precision {
            let narrower = field.precision.is_some_and(|new| {
                old.precision.is_none_or(|old| new.scale < old.scale || new.digits - new.scale < old.digits - old.scale)
            });
            let (safety, text) = if narrower {
                (
                    Safety::NeedsBackfill,
                    "The precision becomes narrower. Records are looked through, and the change is refused if one does not fit.",
                )
            } else {
                (Safety::Safe, "The precision becomes wider.")
            };
            self.add(coordinate, safety, text);
        }
    }

    fn relation(&mut self, coordinate: &str, old: &Field, field: &Field) {
        let rule = |field: &Field| match field.kind {
            FieldKind::ToOne { on_delete, .. } | FieldKind::ManyToMany { on_delete, .. } => Some(on_delete),
            _ => None,
        };
        if let (Some(before), Some(after)) = (rule(old), rule(field))
            && before != after
        {
            let text = format!("onDelete changes from {} to {}.", rule_name(before), rule_name(after));
            self.add(coordinate, Safety::Safe, text);
        }
        if let (FieldKind::ToOne { index: Some(before), .. }, FieldKind::ToOne { index: Some(after), .. }) =
            (old.kind, field.kind)
            && before != after
        {
            let text = "The relation changes between one to one and one to many. Its index is built again; \
                        the change is refused if two records refer to the same one where only one may.";
            self.add(coordinate, Safety::NeedsBackfill, text);
        }
    }

    fn indexes(&mut self, known: &Collection, collection: &Collection) {
        let declared = |each: &&Index| !each.relation;
        for old in known.indexes.iter().filter(declared).filter(|old| collection.index(old.id).is_none()) {
            let (safety, text) = if old.unique {
                (
                    Safety::Breaking,
                    format!("The unique key {} is removed: records cannot be named by it any more.", old.name),
                )
            } else {
                (Safety::Safe, format!("The index {} is removed: queries that it served read more records.", old.name))
            };
            self.add(&collection.name, safety, text);
        }
        for index in collection.indexes.iter().filter(declared) {
            match known.index(index.id) {
                None if index.unique => {
                    let text = format!(
                        "The unique key {} is added. Its entries are written; the change is refused if two records have the same.",
                        index.name
                    );
                    self.add(&collection.name, Safety::NeedsBackfill, text);
                }
                None => {
                    let text = format!("The index {} is added. Its entries are written.", index.name);
                    self.add(&collection.name, Safety::NeedsBackfill, text);
                }
                Some(old) if old.name != index.name => {
                    let text = format!("The index {} is now called {}.", old.name, index.name);
                    self.add(&collection.name, Safety::Safe, text);
                }
                Some(_) => {}
            }
        }
    }

    fn checks(&mut self, before: Owner<'_>, after: Owner<'_>) {
        let coordinate = |owner: Owner<'_>, check: &Check| {
            let field = check.field.and_then(|id| owner.fields.iter().find(|field| field.id == id));
            field.map_or_else(|| owner.name.to_owned(), |field| format!("{}.{}", owner.name, field.name))
        };
        for check in before.checks.iter().filter(|check| !after.checks.contains(check)) {
            self.add(coordinate(before, check), Safety::Safe, "A @check is removed.");
        }
        for check in after.checks.iter().filter(|check| !before.checks.contains(check)) {
            let text = "A @check is added. Records are looked through, and the change is refused if one breaks it.";
            self.add(coordinate(after, check), Safety::NeedsBackfill, text);
        }
    }
}

/// What a field that was not there before costs.
fn added(field: &Field) -> (Safety, &'static str) {
    match field.kind {
        FieldKind::OneToOne { .. } | FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. } => {
            (Safety::Safe, "The relation is added.")
        }
        _ if field.computed.is_some() => (
            Safety::NeedsBackfill,
            "The field is added. It is computed for the records that are there, and the change is refused where it cannot be.",
        ),
        _ if field.required && fills(field) => {
            (Safety::NeedsBackfill, "The field is added. Records that are there get the default.")
        }
        _ if field.required => (
            Safety::Breaking,
            "The field is added as required, and nothing fills it: the change is refused if there are records, and creates have to give it.",
        ),
        FieldKind::ToOne { .. } => (Safety::NeedsBackfill, "The relation is added. Its index is written."),
        _ => (Safety::Safe, "The field is added."),
    }
}

/// True where something fills the field of a record that is there.
fn fills(field: &Field) -> bool {
    field.default.is_some() || field.updated_at
}

fn rule_name(rule: OnDelete) -> &'static str {
    match rule {
        OnDelete::Restrict => "RESTRICT",
        OnDelete::Cascade => "CASCADE",
        OnDelete::SetNull => "SET_NULL",
    }
}

/// A field's type as SDL.
fn written(catalog: &Catalog, field: &Field) -> String {
    let name = match field.kind {
        FieldKind::Scalar(scalar) => scalar.name(),
        FieldKind::Enum(id) => catalog.enum_type(id).map_or("", |each| &each.name),
        FieldKind::Embedded(id) => catalog.embedded(id).map_or("", |each| &each.name),
        FieldKind::ToOne { target, .. }
        | FieldKind::OneToOne { target, .. }
        | FieldKind::OneToMany { target, .. }
        | FieldKind::ManyToMany { target, .. } => catalog.collection(target).map_or("", |each| &each.name),
    };
    let required = if field.required { "!" } else { "" };
    match field.list {
        _ if field.is_to_many() => format!("[{name}!]!"),
        Some(list) => format!("[{name}{}]{required}", if list.element_required { "!" } else { "" }),
        None => format!("{name}{required}"),
    }
}
