//! The catalog itself, from what the stages before found: fields, indexes with their numbers, defaults, checks.

use super::default;
use super::directive::Use;
use super::family::FamilyShape;
use super::index::{self, Element};
use super::number::Numbers;
use super::relation::Relation;
use super::report::Report;
use super::shape::{FieldAt, FieldShape, ObjectAt, ObjectShape, Shape, Shapes};
use crate::Input;
use crate::catalog::{
    Catalog, Check, Collection, Embedded, EnumType, EnumValue, Family, Field, FieldKind, Index, IndexElement, OnDelete,
};
use crate::filter::CompiledCheck;
use apollo_compiler::Node;
use apollo_compiler::ast::Value;
use std::collections::BTreeMap;
use vivarium_storage::key::Direction;
use vivarium_storage::{CollectionId, FieldId, IndexId};

/// Where `@autoIncrement` begins when nothing is said.
const AUTO_INCREMENT_START: i64 = 1;

struct Builder<'a, 'b> {
    shapes: &'b Shapes<'a>,
    relations: &'b BTreeMap<FieldAt, Relation>,
    numbers: &'b Numbers,
    previous: Option<&'b Catalog>,
    next_index: u32,
    /// The index over each reference of a collection.
    references: BTreeMap<FieldAt, IndexId>,
    /// The entries of each side of links.
    links: BTreeMap<FieldAt, (IndexId, IndexId)>,
}

/// Builds the catalog that follows `previous`.
pub(super) fn catalog(
    sdl: &str,
    shapes: &Shapes<'_>,
    relations: &BTreeMap<FieldAt, Relation>,
    numbers: &Numbers,
    previous: Option<&Catalog>,
    report: &mut Report<'_>,
) -> Catalog {
    let next_index = previous.map_or(1, |previous| previous.next_index.max(1));
    let mut builder = Builder {
        shapes,
        relations,
        numbers,
        previous,
        next_index,
        references: BTreeMap::new(),
        links: BTreeMap::new(),
    };
    let mut indexes: BTreeMap<ObjectAt, Vec<Index>> = BTreeMap::new();
    for (at, shape) in shapes.objects.iter().enumerate() {
        if shape.collection.is_some() {
            indexes.insert(at, builder.indexes(at, report));
        }
    }
    builder.number_links();
    let mut catalog = Catalog {
        version: previous.map_or(0, |previous| previous.version) + 1,
        sdl: sdl.to_owned(),
        collections: Vec::new(),
        embedded: Vec::new(),
        enums: builder.enums(),
        families: builder.families(),
        next_collection: numbers.next_collection,
        next_type: numbers.next_type,
        next_index: builder.next_index,
    };
    for (at, shape) in shapes.objects.iter().enumerate() {
        let description = shape.object.definition.description.as_ref().map(|text| text.to_string());
        let fields = builder.fields(at, report);
        let checks = builder.checks(at);
        let name = shape.name.to_string();
        let next_field = numbers.objects[at].next_field;
        match &shape.collection {
            Some(collection) => catalog.collections.push(Collection {
                id: numbers.collection(at),
                name,
                singular: collection.singular.clone(),
                plural: collection.plural.clone(),
                description,
                operations: collection.operations,
                fields,
                indexes: indexes.remove(&at).expect("every collection's indexes were made above"),
                checks,
                next_field,
            }),
            None => {
                let id = numbers.objects[at].id;
                catalog.embedded.push(Embedded { id, name, description, fields, checks, next_field });
            }
        }
    }
    catalog.collections.sort_by_key(|collection| collection.id);
    catalog.embedded.sort_by_key(|embedded| embedded.id);
    catalog.enums.sort_by_key(|each| each.id);
    check_api_names(&catalog, shapes, report);
    check_predicates(&catalog, shapes, numbers, report);
    catalog
}

impl Builder<'_, '_> {
    /// All indexes of a collection: those of its references, those inside its embedded values, those declared.
    fn indexes(&mut self, object: ObjectAt, report: &mut Report<'_>) -> Vec<Index> {
        let mut indexes = Vec::new();
        for (place, field) in self.shapes.objects[object].fields.iter().enumerate() {
            let at = (object, place);
            if let Some(Relation::Reference { unique, .. }) = self.relations.get(&at) {
                let elements = [Element { path: vec![at], json: Vec::new(), each: false }];
                let index = self.index(object, field.name.to_string(), &elements, *unique, true);
                self.references.insert(at, index.id);
                indexes.push(index);
            }
        }
        for element in self.embedded_references(object) {
            let names: Vec<&str> = element.path.iter().map(|at| self.shapes.field(*at).name.as_str()).collect();
            let index = self.index(object, names.join("_"), &[element], false, true);
            indexes.push(index);
        }
        for declared in index::declared(self.shapes, self.relations, object, report) {
            let index = self.index(object, declared.name, &declared.elements, declared.unique, false);
            indexes.push(index);
        }
        indexes.sort_by_key(|index| index.id);
        indexes
    }

    /// Paths to references inside embedded values.
    fn embedded_references(&self, object: ObjectAt) -> Vec<Element> {
        let mut found = Vec::new();
        let mut ahead: Vec<Element> = Vec::new();
        let inside = |at: ObjectAt, outer: &Element| -> Vec<Element> {
            (0..self.shapes.objects[at].fields.len())
                .map(|place| {
                    let mut path = outer.path.clone();
                    path.push((at, place));
                    let each = outer.each || self.shapes.field((at, place)).list.is_some();
                    Element { path, json: Vec::new(), each }
                })
                .collect()
        };
        ahead.extend(inside(object, &Element { path: Vec::new(), json: Vec::new(), each: false }).into_iter().rev());
        while let Some(element) = ahead.pop() {
            let last = *element.path.last().expect("a path has at least the field that it began with");
            match self.shapes.field(last).kind {
                Shape::Embedded(inner) => ahead.extend(inside(inner, &element).into_iter().rev()),
                Shape::Record(_) if element.path.len() > 1 => found.push(element),
                _ => {}
            }
        }
        found
    }

    fn index(&mut self, object: ObjectAt, name: String, elements: &[Element], unique: bool, relation: bool) -> Index {
        let elements: Vec<IndexElement> = elements
            .iter()
            .map(|element| IndexElement {
                path: element.path.iter().map(|at| self.numbers.field(*at)).collect(),
                json: element.json.clone(),
                direction: Direction::Ascending,
                each: element.each,
            })
            .collect();
        let collection = self.previous.and_then(|previous| previous.collection(self.numbers.collection(object)));
        let known = collection.and_then(|known| {
            known
                .indexes
                .iter()
                .find(|each| each.elements == elements && each.unique == unique && each.relation == relation)
        });
        match known {
            Some(known) => Index { id: known.id, name, elements, unique, relation, ready: known.ready },
            // A collection that was not there has no documents to read.
            None => Index { id: self.take_index(), name, elements, unique, relation, ready: collection.is_none() },
        }
    }

    fn take_index(&mut self) -> IndexId {
        let id = IndexId(self.next_index);
        self.next_index += 1;
        id
    }

    /// The entries of links: those that either side had, else new ones.
    fn number_links(&mut self) {
        for (at, relation) in self.relations {
            let Relation::Links { inverse, .. } = relation else { continue };
            if self.links.contains_key(at) {
                continue;
            }
            let own = self.known_links(*at, *inverse);
            let pair = own.or_else(|| {
                let (far, near) = self.known_links((*inverse)?, Some(*at))?;
                Some((near, far))
            });
            let (links, inverse_links) = pair.unwrap_or_else(|| (self.take_index(), self.take_index()));
            self.links.insert(*at, (links, inverse_links));
            if let Some(other) = inverse {
                self.links.insert(*other, (inverse_links, links));
            }
        }
    }

    fn known_links(&self, at: FieldAt, inverse: Option<FieldAt>) -> Option<(IndexId, IndexId)> {
        let known = self.previous?.collection(self.numbers.collection(at.0))?.field(self.numbers.field(at))?;
        match known.kind {
            FieldKind::ManyToMany { inverse: known, links, inverse_links, .. }
                if known.is_none() || inverse.is_none() || known == inverse.map(|other| self.numbers.field(other)) =>
            {
                Some((links, inverse_links))
            }
            _ => None,
        }
    }

    fn families(&self) -> Vec<Family> {
        let family = |shape: &FamilyShape<'_>| {
            let mut members: Vec<CollectionId> = shape.members.iter().map(|at| self.numbers.collection(*at)).collect();
            members.sort_unstable();
            Family {
                name: shape.name.to_string(),
                plural: shape.plural.clone(),
                description: shape.description.clone(),
                interface: shape.interface,
                fields: shape.fields.clone(),
                members,
            }
        };
        let mut families: Vec<Family> = self.shapes.families.iter().map(family).collect();
        families.sort_by(|one, other| one.name.cmp(&other.name));
        families
    }

    fn enums(&self) -> Vec<EnumType> {
        let text = |description: &Option<Node<str>>| description.as_ref().map(|text| text.to_string());
        let each = self.shapes.enums.iter().zip(&self.numbers.enums);
        each.map(|(shape, numbers)| EnumType {
            id: numbers.id,
            name: shape.definition.name.to_string(),
            description: text(&shape.definition.description),
            values: shape
                .definition
                .values
                .iter()
                .zip(&numbers.values)
                .map(|(value, number)| EnumValue {
                    number: *number,
                    name: value.value.to_string(),
                    description: text(&value.description),
                })
                .collect(),
            next_value: numbers.next_value,
        })
        .collect()
    }

    fn fields(&self, object: ObjectAt, report: &mut Report<'_>) -> Vec<Field> {
        let fields = self.shapes.objects[object].fields.iter().enumerate();
        fields.map(|(place, field)| self.field((object, place), field, report)).collect()
    }

    fn field(&self, at: FieldAt, field: &FieldShape<'_>, report: &mut Report<'_>) -> Field {
        let uses = field.uses;
        let start = |each: Use<'_>| each.number("start").unwrap_or(AUTO_INCREMENT_START);
        Field {
            id: self.numbers.field(at),
            name: field.name.to_string(),
            description: field.definition.description.as_ref().map(|text| text.to_string()),
            kind: self.kind(at, field),
            required: field.required,
            list: field.list.filter(|_| !matches!(field.kind, Shape::Record(_))),
            default: default::default(self.shapes, at, report),
            updated_at: uses.one("updatedAt").is_some(),
            auto_increment: uses.one("autoIncrement").map(start),
            read_only: uses.one("readOnly").is_some(),
            hidden: uses.one("hidden").is_some(),
            precision: default::precision(field),
            computed: self.numbers.computed.get(&at).cloned(),
        }
    }

    fn kind(&self, at: FieldAt, field: &FieldShape<'_>) -> FieldKind {
        let number = |other: FieldAt| self.numbers.field(other);
        let owned_by = |owner: FieldAt| -> (CollectionId, FieldId, IndexId) {
            (self.numbers.collection(owner.0), number(owner), self.references[&owner])
        };
        let target = match field.kind {
            Shape::Scalar(scalar) => return FieldKind::Scalar(scalar),
            Shape::Enum(place) => return FieldKind::Enum(self.numbers.enums[place].id),
            Shape::Embedded(object) => return FieldKind::Embedded(self.numbers.objects[object].id),
            Shape::Record(object) => self.numbers.collection(object),
        };
        match self.relations[&at] {
            Relation::Reference { inverse, on_delete, .. } => FieldKind::ToOne {
                target,
                inverse: inverse.map(number),
                on_delete,
                index: self.references.get(&at).copied(),
            },
            Relation::One { owner } => {
                let (target, field, index) = owned_by(owner);
                FieldKind::OneToOne { target, field, index }
            }
            Relation::Many { owner } => {
                let (target, field, index) = owned_by(owner);
                FieldKind::OneToMany { target, field, index }
            }
            Relation::Links { inverse, on_delete } => {
                let (links, inverse_links) = self.links[&at];
                debug_assert!(on_delete != OnDelete::Cascade, "links were checked");
                FieldKind::ManyToMany { target, inverse: inverse.map(number), links, inverse_links, on_delete }
            }
        }
    }

    /// `@check` of the type as it stands, of a field as a filter of that field.
    fn checks(&self, object: ObjectAt) -> Vec<Check> {
        let shape = &self.shapes.objects[object];
        let message = |each: Use<'_>| each.text("message").map(str::to_owned);
        let checks = written_checks(shape).into_iter();
        checks
            .map(|(field, each)| {
                let written: &Node<Value> = each.value("expr").expect("@check without \"expr\" was refused");
                let expression = default::input(written);
                let named = |place: usize| vec![(shape.fields[place].name.to_string(), expression.clone())];
                let predicate = field.map_or_else(|| expression.clone(), |place| Input::Object(named(place)));
                Check {
                    predicate,
                    message: message(each),
                    field: field.map(|place| self.numbers.field((object, place))),
                }
            })
            .collect()
    }
}

/// The `@check`s of a type and then of its fields, each with its field's place.
fn written_checks<'a>(shape: &ObjectShape<'a>) -> Vec<(Option<usize>, Use<'a>)> {
    let of_type = shape.object.uses.all("check").map(|each| (None, each));
    let of_fields = shape
        .fields
        .iter()
        .enumerate()
        .flat_map(|(place, field)| field.uses.all("check").map(move |each| (Some(place), each)));
    of_type.chain(of_fields).collect()
}

/// Every `@check` must be a filter that one record can answer.
fn check_predicates(catalog: &Catalog, shapes: &Shapes<'_>, numbers: &Numbers, report: &mut Report<'_>) {
    for (at, shape) in shapes.objects.iter().enumerate() {
        let written = written_checks(shape);
        let compile = |check: &Check| match &shape.collection {
            Some(_) => {
                let collection = catalog.collection(numbers.collection(at)).expect("the catalog has what was declared");
                CompiledCheck::compile(catalog, collection, check)
            }
            None => {
                let embedded = catalog.embedded(numbers.objects[at].id).expect("the catalog has what was declared");
                CompiledCheck::compile_embedded(catalog, embedded, check)
            }
        };
        let checks = match &shape.collection {
            Some(_) => catalog.collection(numbers.collection(at)).map(|collection| &collection.checks),
            None => catalog.embedded(numbers.objects[at].id).map(|embedded| &embedded.checks),
        };
        for (check, (field, each)) in checks.into_iter().flatten().zip(written) {
            if let Err(sentence) = compile(check) {
                let of = field.map_or_else(|| shape.name.to_string(), |field| shapes.coordinate((at, field)));
                report.add(each.place("expr"), "check", format!("The @check of {of} cannot be used: {sentence}"));
            }
        }
    }
}

/// No two things of the API may have one name, and none may have the name of a type that every API has.
fn check_api_names(catalog: &Catalog, shapes: &Shapes<'_>, report: &mut Report<'_>) {
    for clash in crate::api::clashes(catalog) {
        let name = shapes
            .objects
            .iter()
            .map(|shape| shape.name)
            .chain(shapes.enums.iter().map(|each| &each.definition.name))
            .chain(shapes.families.iter().map(|each| each.name))
            .find(|name| name.as_str() == clash.declared_by);
        report.add(name.and_then(|name| name.location()), "generated-name", clash.sentence);
    }
}
