//! Input to predicate: every name resolved, every operand given its stored type, every mistake located.

use super::json::JsonTest;
use super::predicate::{Condition, ListTest, Predicate, Quantifier, Relation, RelationKind};
use super::test::{Operator, Test, TextOperator, folded, folded_text, sorted};
use super::{Filter, json};
use crate::catalog::{Catalog, Collection, Embedded, Field, FieldKind, Scalar};
use crate::{Code, Failure, GlobalId, Input, PathItem, scalar};
use regex::RegexBuilder;
use vivarium_storage::{CollectionId, Value};

/// Objects within objects. Deeper ones would cost stack for nothing that a person writes.
const DEPTH_MAX: usize = 32;
/// Bytes that a compiled regex may take: linear in its text unless repetitions are nested.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// Characters of a regex.
const REGEX_LENGTH_MAX: usize = 1000;
/// Regexes of one filter: together they take no more than some megabytes.
const REGEXES_MAX: usize = 16;
/// Operands of one list.
const OPERANDS_MAX: usize = 10_000;

/// Compiles one predicate, and remembers where in the input it is.
pub(super) struct Compiler<'a> {
    catalog: &'a Catalog,
    path: Vec<PathItem>,
    relations: Vec<Relation>,
    depth: usize,
    regexes: usize,
}

type Compiled<T> = Result<T, Failure>;
type Fields = [(String, Input)];

impl<'a> Compiler<'a> {
    pub(super) fn new(catalog: &'a Catalog, path: &[PathItem]) -> Compiler<'a> {
        Compiler { catalog, path: path.to_vec(), relations: Vec::new(), depth: 0, regexes: 0 }
    }

    /// A filter of a collection, with relations of its own.
    pub(super) fn filter(&mut self, collection: &Collection, input: &Input) -> Compiled<Filter> {
        let outer = std::mem::take(&mut self.relations);
        let root = self.predicate(&Owner::Collection(collection), input);
        let relations = std::mem::replace(&mut self.relations, outer);
        Ok(Filter { collection: collection.id, root: root?, relations })
    }

    pub(super) fn embedded(&mut self, embedded: &Embedded, input: &Input) -> Compiled<Predicate> {
        self.predicate(&Owner::Embedded(embedded), input)
    }

    pub(super) fn into_relations(self) -> Vec<Relation> {
        self.relations
    }

    fn predicate(&mut self, owner: &Owner<'_>, input: &Input) -> Compiled<Predicate> {
        if self.depth == DEPTH_MAX {
            return Err(self.failure(format!("The filter is nested deeper than {DEPTH_MAX} levels.")));
        }
        self.depth += 1;
        let parts = self.each_field(input, |compiler, name, value| compiler.member(owner, name, value)).map(all);
        self.depth -= 1;
        parts
    }

    /// One field of a Where object.
    fn member(&mut self, owner: &Owner<'_>, name: &str, value: &Input) -> Compiled<Predicate> {
        match (name, owner) {
            ("and", _) => Ok(Predicate::All(self.predicates(owner, value)?)),
            ("or", _) => Ok(Predicate::Any(self.predicates(owner, value)?)),
            ("not", _) => Ok(Predicate::Not(Box::new(self.predicate(owner, value)?))),
            ("id", Owner::Collection(collection)) => self.id(collection.id, value),
            ("isNull", _) if owner.field(name).is_none() => match owner {
                Owner::Embedded(_) => Ok(Predicate::Absent(self.boolean(value)?)),
                Owner::Collection(_) => {
                    let message = "isNull stands directly under a relation: a record that is here is never null.";
                    Err(self.failure(message))
                }
            },
            _ => {
                let Some(field) = owner.field(name) else {
                    return Err(self.failure(format!("{} has no field \"{name}\".", owner.name())));
                };
                self.field(field, value)
            }
        }
    }

    fn predicates(&mut self, owner: &Owner<'_>, input: &Input) -> Compiled<Vec<Predicate>> {
        let one = std::slice::from_ref(input);
        let list = if let Input::List(list) = input { list.as_slice() } else { one };
        if list.is_empty() {
            return Err(self.failure("The list is empty: give at least one condition, or leave it out."));
        }
        let mut parts = Vec::with_capacity(list.len());
        for (at, element) in list.iter().enumerate() {
            parts.push(self.within(PathItem::Index(at), |compiler| compiler.predicate(owner, element))?);
        }
        Ok(parts)
    }

    fn field(&mut self, field: &Field, input: &Input) -> Compiled<Predicate> {
        let id = field.id;
        match (&field.kind, field.list.is_some()) {
            (FieldKind::Scalar(Scalar::Json), false) => self.json(field, input),
            (FieldKind::Scalar(_) | FieldKind::Enum(_), false) => {
                Ok(Predicate::Value { field: id, test: self.test(&Operand::Field(field), input)? })
            }
            (FieldKind::Scalar(_) | FieldKind::Enum(_), true) => self.list(field, input),
            (FieldKind::Embedded(type_id), list) => {
                let catalog = self.catalog;
                let embedded = catalog.embedded(*type_id).expect("a catalog resolves its own types");
                if list { self.elements(field, embedded, input) } else { self.embedded_value(field, embedded, input) }
            }
            (FieldKind::ToOne { target, index, .. }, _) => {
                self.one_related(RelationKind::Reference { field: id, index: *index }, *target, input)
            }
            (FieldKind::OneToOne { target, field, index }, _) => {
                self.one_related(RelationKind::Unique { index: *index, field: *field }, *target, input)
            }
            (FieldKind::OneToMany { target, field, index }, _) => {
                self.many_related(RelationKind::Many { index: *index, field: *field }, *target, input)
            }
            (FieldKind::ManyToMany { target, links, inverse_links, .. }, _) => {
                self.many_related(RelationKind::Links { index: *links, inverse: *inverse_links }, *target, input)
            }
        }
    }

    fn id(&mut self, collection: CollectionId, input: &Input) -> Compiled<Predicate> {
        // An id of something else is an id that no record here has.
        let own = |text: &str| GlobalId::parse(text).filter(|id| id.collection == collection).map(|id| id.document);
        let parts = self.each_field(input, |compiler, name, value| {
            let among = matches!(name, "eq" | "in");
            let values = match name {
                "eq" | "ne" => std::slice::from_ref(value),
                "in" | "notIn" => compiler.operands(value)?,
                "isNull" => {
                    let wanted = compiler.boolean(value)?;
                    return Ok(if wanted { Predicate::Any(Vec::new()) } else { Predicate::All(Vec::new()) });
                }
                _ => return Err(compiler.unknown_operator(name)),
            };
            let mut ids = Vec::with_capacity(values.len());
            for value in values {
                let text = match value {
                    Input::String(text) => own(text),
                    Input::Int(_) => None,
                    other => return Err(compiler.failure(format!("Expected an ID, found {}.", kind(other)))),
                };
                ids.extend(text);
            }
            ids.sort_unstable();
            ids.dedup();
            Ok(Predicate::Id { ids, among })
        })?;
        Ok(all(parts))
    }

    /// The operators of a scalar's or an enum's filter.
    fn test(&mut self, operand: &Operand<'_>, input: &Input) -> Compiled<Test> {
        let fold = match input.field("ignoreCase") {
            None => false,
            Some(Input::Bool(fold)) => *fold,
            Some(_) => {
                return self
                    .within_name("ignoreCase", |compiler| Err(compiler.failure("ignoreCase is true or false.")));
            }
        };
        let mut operators = self.each_field(input, |compiler, name, value| {
            if name == "ignoreCase" { Ok(None) } else { compiler.operator(operand, name, value, fold).map(Some) }
        })?;
        operators.retain(Option::is_some);
        if operators.is_empty() {
            return Err(self.failure("The filter has no operator: give one, or leave the filter out."));
        }
        Ok(Test { operators: operators.into_iter().flatten().collect(), folded: fold })
    }

    fn operator(&mut self, operand: &Operand<'_>, name: &str, value: &Input, fold: bool) -> Compiled<Operator> {
        let one = |compiler: &Self| Ok::<_, Failure>(folded(compiler.operand(operand, value)?, fold));
        Ok(match name {
            "eq" => Operator::Equal(one(self)?),
            "ne" => Operator::NotEqual(one(self)?),
            "lt" => Operator::Less(one(self)?),
            "lte" => Operator::LessOrEqual(one(self)?),
            "gt" => Operator::Greater(one(self)?),
            "gte" => Operator::GreaterOrEqual(one(self)?),
            "in" | "notIn" => {
                let values = self.values(operand, value)?;
                let values = sorted(values.into_iter().map(|value| folded(value, fold)).collect());
                if name == "in" { Operator::In(values) } else { Operator::NotIn(values) }
            }
            "isNull" => Operator::IsNull(self.boolean(value)?),
            "contains" | "startsWith" | "endsWith" | "regex" => Operator::Text(self.text(name, value, fold)?),
            _ => return Err(self.unknown_operator(name)),
        })
    }

    fn text(&mut self, name: &str, value: &Input, fold: bool) -> Compiled<TextOperator> {
        let Input::String(text) = value else {
            return Err(self.failure(format!("Expected a String, found {}.", kind(value))));
        };
        let part = folded_text(text, fold).into_owned();
        Ok(match name {
            "contains" => TextOperator::Contains(part),
            "startsWith" => TextOperator::StartsWith(part),
            "endsWith" => TextOperator::EndsWith(part),
            _ => {
                if text.chars().count() > REGEX_LENGTH_MAX {
                    return Err(self.failure(format!("The regex is longer than {REGEX_LENGTH_MAX} characters.")));
                }
                self.regexes += 1;
                if self.regexes > REGEXES_MAX {
                    return Err(self.failure(format!("The filter has more than {REGEXES_MAX} regexes.")));
                }
                let mut builder = RegexBuilder::new(text);
                let limited = builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX);
                let regex = limited.case_insensitive(fold).build();
                TextOperator::Matches(
                    regex.map_err(|error| self.failure(format!("The regex cannot be compiled: {error}")))?,
                )
            }
        })
    }

    fn list(&mut self, field: &Field, input: &Input) -> Compiled<Predicate> {
        let operand = Operand::Field(field);
        let id = field.id;
        let parts = self.each_field(input, |compiler, name, value| {
            let test = match name {
                "has" => ListTest::HasAll(vec![compiler.operand(&operand, value)?]),
                "hasAny" => ListTest::HasAny(compiler.values(&operand, value)?),
                "hasAll" => ListTest::HasAll(compiler.values(&operand, value)?),
                "containedIn" => ListTest::ContainedIn(sorted(compiler.values(&operand, value)?)),
                "isEmpty" => ListTest::IsEmpty(compiler.boolean(value)?),
                "length" => ListTest::Length(compiler.test(&Operand::Scalar(Scalar::Int), value)?),
                "isNull" => ListTest::IsNull(compiler.boolean(value)?),
                _ => return Err(compiler.unknown_operator(name)),
            };
            Ok(Predicate::List { field: id, test })
        })?;
        Ok(all(parts))
    }

    fn embedded_value(&mut self, field: &Field, embedded: &Embedded, input: &Input) -> Compiled<Predicate> {
        let predicate = Box::new(self.predicate(&Owner::Embedded(embedded), input)?);
        Ok(Predicate::Embedded { field: field.id, predicate })
    }

    fn elements(&mut self, field: &Field, embedded: &Embedded, input: &Input) -> Compiled<Predicate> {
        let id = field.id;
        let owner = Owner::Embedded(embedded);
        let parts = self.each_field(input, |compiler, name, value| {
            let quantifier = match name {
                "some" => Quantifier::Some,
                "every" => Quantifier::Every,
                "none" => Quantifier::None,
                "count" | "length" => {
                    let test = ListTest::Length(compiler.test(&Operand::Scalar(Scalar::Int), value)?);
                    return Ok(Predicate::List { field: id, test });
                }
                "isEmpty" => {
                    return Ok(Predicate::List { field: id, test: ListTest::IsEmpty(compiler.boolean(value)?) });
                }
                "isNull" => {
                    return Ok(Predicate::List { field: id, test: ListTest::IsNull(compiler.boolean(value)?) });
                }
                _ => return Err(compiler.unknown_operator(name)),
            };
            let predicate = Box::new(compiler.predicate(&owner, value)?);
            Ok(Predicate::Elements { field: id, quantifier, predicate })
        })?;
        Ok(all(parts))
    }

    fn json(&mut self, field: &Field, input: &Input) -> Compiled<Predicate> {
        let path = match input.field("path") {
            None => Vec::new(),
            Some(path) => self.within_name("path", |compiler| compiler.names(path))?,
        };
        let operand = Operand::Scalar(Scalar::Json);
        let id = field.id;
        let mut parts = self.each_field(input, |compiler, name, value| {
            let compare = |operator| JsonTest::Compare(Test::of(operator));
            let test = match name {
                "path" => return Ok(None),
                "eq" => JsonTest::Equal(compiler.operand(&operand, value)?),
                "ne" => JsonTest::NotEqual(compiler.operand(&operand, value)?),
                "contains" => JsonTest::Contains(compiler.operand(&operand, value)?),
                "hasKey" => match value {
                    Input::String(key) => JsonTest::HasKey(key.clone()),
                    other => return Err(compiler.failure(format!("Expected a String, found {}.", kind(other)))),
                },
                "lt" => compare(Operator::Less(compiler.operand(&operand, value)?)),
                "lte" => compare(Operator::LessOrEqual(compiler.operand(&operand, value)?)),
                "gt" => compare(Operator::Greater(compiler.operand(&operand, value)?)),
                "gte" => compare(Operator::GreaterOrEqual(compiler.operand(&operand, value)?)),
                "isNull" => JsonTest::IsNull(compiler.boolean(value)?),
                _ => return Err(compiler.unknown_operator(name)),
            };
            Ok(Some(test))
        })?;
        parts.retain(Option::is_some);
        if parts.is_empty() {
            return Err(self.failure("The filter has no operator: give one, or leave the filter out."));
        }
        let part = |test: json::JsonTest| Predicate::Json { field: id, path: path.clone(), test };
        Ok(all(parts.into_iter().flatten().map(part).collect()))
    }

    fn one_related(&mut self, relation: RelationKind, target: CollectionId, input: &Input) -> Compiled<Predicate> {
        let collection = self.target(target);
        let Input::Object(fields) = input else { return Err(self.not_an_object(input)) };
        let mut parts = Vec::new();
        let mut rest: Vec<(String, Input)> = Vec::new();
        for (name, value) in fields {
            if name == "isNull" && collection.field_named(name).is_none() {
                let absent = self.within_name(name, |compiler| compiler.boolean(value))?;
                parts.push(self.related(relation, target, Condition::Exists(!absent)));
            } else {
                rest.push((name.clone(), value.clone()));
            }
        }
        if !rest.is_empty() || parts.is_empty() {
            let filter = self.filter_one_deeper(collection, &Input::Object(rest))?;
            parts.push(self.related(relation, target, Condition::Matches(Box::new(filter))));
        }
        Ok(all(parts))
    }

    fn many_related(&mut self, relation: RelationKind, target: CollectionId, input: &Input) -> Compiled<Predicate> {
        let collection = self.target(target);
        let parts = self.each_field(input, |compiler, name, value| {
            let quantifier = match name {
                "some" => Quantifier::Some,
                "every" => Quantifier::Every,
                "none" => Quantifier::None,
                "count" => {
                    let test = compiler.test(&Operand::Scalar(Scalar::Int), value)?;
                    return Ok(compiler.related(relation, target, Condition::Count(test)));
                }
                _ => return Err(compiler.unknown_operator(name)),
            };
            let filter = compiler.filter_one_deeper(collection, value)?;
            Ok(compiler.related(relation, target, Condition::Quantified(quantifier, Box::new(filter))))
        })?;
        Ok(all(parts))
    }

    fn filter_one_deeper(&mut self, collection: &Collection, input: &Input) -> Compiled<Filter> {
        self.filter(collection, input)
    }

    fn related(&mut self, kind: RelationKind, target: CollectionId, condition: Condition) -> Predicate {
        self.relations.push(Relation { kind, target, condition });
        Predicate::Related(self.relations.len() - 1)
    }

    fn target(&self, target: CollectionId) -> &'a Collection {
        self.catalog.collection(target).expect("a catalog resolves its own relations")
    }

    fn operand(&self, operand: &Operand<'_>, input: &Input) -> Compiled<Value> {
        operand.coerce(self.catalog, input).map_err(|message| self.failure(message))
    }

    fn values(&mut self, operand: &Operand<'_>, input: &Input) -> Compiled<Vec<Value>> {
        let list = self.operands(input)?;
        let mut values = Vec::with_capacity(list.len());
        for (at, element) in list.iter().enumerate() {
            let one = |compiler: &mut Self| match element {
                Input::Null => Err(compiler.failure("An operand cannot be null.")),
                element => compiler.operand(operand, element),
            };
            values.push(self.within(PathItem::Index(at), one)?);
        }
        Ok(values)
    }

    fn operands<'i>(&self, input: &'i Input) -> Compiled<&'i [Input]> {
        match input {
            Input::List(list) if list.len() > OPERANDS_MAX => {
                Err(self.failure(format!("The list has more than {OPERANDS_MAX} values.")))
            }
            Input::List(list) => Ok(list),
            one => Ok(std::slice::from_ref(one)),
        }
    }

    fn names(&self, input: &Input) -> Compiled<Vec<String>> {
        let name = |step: &Input| match step {
            Input::String(name) => Ok(name.clone()),
            other => Err(self.failure(format!("Expected a String, found {}.", kind(other)))),
        };
        self.operands(input)?.iter().map(name).collect()
    }

    fn boolean(&self, input: &Input) -> Compiled<bool> {
        match input {
            Input::Bool(value) => Ok(*value),
            other => Err(self.failure(format!("Expected true or false, found {}.", kind(other)))),
        }
    }

    /// Compiles each field of an object that has some, none of them null.
    fn each_field<T>(
        &mut self,
        input: &Input,
        mut each: impl FnMut(&mut Self, &str, &Input) -> Compiled<T>,
    ) -> Compiled<Vec<T>> {
        let Input::Object(fields) = input else { return Err(self.not_an_object(input)) };
        let fields: &Fields = fields;
        if fields.is_empty() {
            return Err(self.failure("The filter is empty: give a condition, or leave the filter out."));
        }
        let mut compiled = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let one = |compiler: &mut Self| match value {
                Input::Null => Err(compiler
                    .failure(format!("\"{name}\" is null: leave it out, or test for null with {{ isNull: true }}."))),
                value => each(compiler, name, value),
            };
            compiled.push(self.within_name(name, one)?);
        }
        Ok(compiled)
    }

    fn within<T>(&mut self, item: PathItem, inner: impl FnOnce(&mut Self) -> Compiled<T>) -> Compiled<T> {
        self.path.push(item);
        let result = inner(self);
        self.path.pop();
        result
    }

    fn within_name<T>(&mut self, name: &str, inner: impl FnOnce(&mut Self) -> Compiled<T>) -> Compiled<T> {
        self.within(PathItem::Name(name.to_owned()), inner)
    }

    fn failure(&self, message: impl Into<String>) -> Failure {
        let path = serde_json::to_value(&self.path).expect("names and numbers are JSON");
        Failure::new(Code::BadUserInput, message).with("inputPath", path)
    }

    fn not_an_object(&self, found: &Input) -> Failure {
        self.failure(format!("Expected an object, found {}.", kind(found)))
    }

    fn unknown_operator(&self, name: &str) -> Failure {
        self.failure(format!("There is no operator \"{name}\" here."))
    }
}

impl Test {
    /// The operators of a scalar's filter, in an input that stands at `path`.
    ///
    /// # Errors
    /// As [`Filter::compile`].
    pub(crate) fn compile(catalog: &Catalog, scalar: Scalar, input: &Input, path: &[PathItem]) -> Compiled<Test> {
        Compiler::new(catalog, path).test(&Operand::Scalar(scalar), input)
    }
}

/// What a Where object speaks of.
enum Owner<'a> {
    Collection(&'a Collection),
    Embedded(&'a Embedded),
}

impl<'a> Owner<'a> {
    fn name(&self) -> &'a str {
        match self {
            Owner::Collection(collection) => &collection.name,
            Owner::Embedded(embedded) => &embedded.name,
        }
    }
    fn field(&self, name: &str) -> Option<&'a Field> {
        match self {
            Owner::Collection(collection) => collection.field_named(name),
            Owner::Embedded(embedded) => embedded.fields.iter().find(|field| field.name == name),
        }
    }
}

/// What type an operand has.
enum Operand<'a> {
    Field(&'a Field),
    Scalar(Scalar),
}

impl Operand<'_> {
    fn coerce(&self, catalog: &Catalog, input: &Input) -> Result<Value, String> {
        let (kind, precision) = match self {
            Operand::Field(field) => (field.kind, field.precision),
            Operand::Scalar(scalar) => (FieldKind::Scalar(*scalar), None),
        };
        match kind {
            // A filter may compare with more digits than the field stores.
            FieldKind::Scalar(Scalar::Decimal) => scalar::coerce(Scalar::Decimal, None, input),
            // Any text may be looked for in a field of restricted form.
            FieldKind::Scalar(Scalar::Email | Scalar::CountryCode) => scalar::coerce(Scalar::String, None, input),
            FieldKind::Scalar(scalar) => scalar::coerce(scalar, precision, input),
            FieldKind::Enum(type_id) => {
                let enum_type = catalog.enum_type(type_id).expect("a catalog resolves its own types");
                let (Input::Enum(name) | Input::String(name)) = input else {
                    return Err(format!("Expected a value of {}, found {}.", enum_type.name, self::kind(input)));
                };
                let found = enum_type.values.iter().find(|value| value.name == *name);
                found
                    .map(|value| Value::Int(value.number))
                    .ok_or_else(|| format!("{} has no value {name}.", enum_type.name))
            }
            _ => unreachable!("operands are scalars and enums"),
        }
    }
}

fn all(mut parts: Vec<Predicate>) -> Predicate {
    match parts.len() {
        1 => parts.pop().expect("there is one"),
        _ => Predicate::All(parts),
    }
}

fn kind(input: &Input) -> &'static str {
    match input {
        Input::Null => "null",
        Input::Bool(_) => "a Boolean",
        Input::Int(_) | Input::Number(_) => "a number",
        Input::String(_) => "a String",
        Input::Enum(_) => "an enum value",
        Input::List(_) => "a list",
        Input::Object(_) => "an object",
    }
}
