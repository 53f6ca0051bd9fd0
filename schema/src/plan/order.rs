//! orderBy: the keys that records are sorted by, compiled, and the bytes that sort like them.
//!
//! A record's sort key is the encoding of all its values and then its id, so that no two are equal.

use crate::catalog::{Catalog, Collection, Field, FieldKind};
use crate::{Code, Failure, Input, PathItem};
use sha2::{Digest, Sha256};
use vivarium_storage::key::{self, Direction};
use vivarium_storage::{CollectionId, DocumentId, FieldId, IndexId, Value, ValueRef};

/// Keys of one order: more say nothing that anybody reads.
const KEYS_MAX: usize = 16;
/// Relations that one key may follow.
const STEPS_MAX: usize = 8;

/// A compiled order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) keys: Vec<OrderKey>,
    /// Equal records follow each other by id: in the direction of the first key, if nothing is said.
    pub(crate) ids: Direction,
    /// Of all that decides the order: what a cursor is held against.
    pub(crate) hash: u64,
}

/// One key.
#[derive(Clone, Debug)]
pub(crate) struct OrderKey {
    /// From the record to where the leaf is.
    pub(crate) steps: Vec<Step>,
    pub(crate) leaf: OrderLeaf,
    pub(crate) direction: Direction,
    /// Nulls stand where the encoding puts them: before all when ascending, after all when descending.
    pub(crate) natural_nulls: bool,
}

/// A step towards the value that is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Embedded(FieldId),
    Reference { field: FieldId, target: CollectionId },
    OneToOne { index: IndexId, target: CollectionId },
}

/// What is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderLeaf {
    Field(FieldId),
    Id,
    /// The number of entries under the record's id.
    Count(IndexId),
}

impl Order {
    /// Compiles the elements of an `orderBy` argument.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath`.
    pub(crate) fn compile(catalog: &Catalog, collection: &Collection, input: Option<&Input>) -> Result<Order, Failure> {
        let elements = match input {
            None | Some(Input::Null) => &[],
            Some(Input::List(elements)) => elements.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        if elements.len() > KEYS_MAX {
            return Err(failure(&[], format!("The order has more than {KEYS_MAX} keys.")));
        }
        let mut keys = Vec::with_capacity(elements.len());
        for (at, element) in elements.iter().enumerate() {
            let mut compiler = Compiler { catalog, path: vec![PathItem::Index(at)], steps: Vec::new(), required: true };
            keys.push(compiler.key(Owner::Collection(collection), element)?);
        }
        let mut ids = keys.first().map_or(Direction::Ascending, |key: &OrderKey| key.direction);
        // What follows the id decides nothing.
        if let Some(at) = keys.iter().position(|key| key.leaf == OrderLeaf::Id && key.steps.is_empty()) {
            ids = keys[at].direction;
            keys.truncate(at);
        }
        let hash = hash(collection, &keys, ids);
        Ok(Order { keys, ids, hash })
    }

    /// The order that holds when nothing is said.
    pub(crate) fn by_ids(collection: &Collection) -> Order {
        let hash = hash(collection, &[], Direction::Ascending);
        Order { keys: Vec::new(), ids: Direction::Ascending, hash }
    }

    /// What a cursor of a merged list is held against: the orders of all its parts.
    pub(crate) fn merged_hash<'o>(orders: impl Iterator<Item = &'o Order>) -> u64 {
        let mut hasher = Sha256::new();
        orders.for_each(|order| hasher.update(order.hash.to_be_bytes()));
        u64::from_be_bytes(*hasher.finalize().first_chunk().expect("a digest has 32 bytes"))
    }

    /// True when records are sorted by their id and nothing else.
    pub(crate) fn by_id(&self) -> bool {
        self.keys.is_empty()
    }

    /// The end of a sort key.
    pub(crate) fn push_id(&self, id: DocumentId, out: &mut Vec<u8>) {
        match self.ids {
            Direction::Ascending => out.extend_from_slice(&id.0),
            Direction::Descending => out.extend(id.0.map(|byte| !byte)),
        }
    }

    /// The values of a sort key and its id, if the bytes are one.
    pub(crate) fn split(&self, mut bytes: &[u8]) -> Option<(Vec<Value>, DocumentId)> {
        let mut values = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            values.push(key.decode(&mut bytes)?);
        }
        let id: [u8; 16] = bytes.try_into().ok()?;
        let id = if self.ids == Direction::Descending { id.map(|byte| !byte) } else { id };
        Some((values, DocumentId(id)))
    }
}

impl OrderKey {
    /// The field that is sorted by, when it lies in the record's own document.
    pub(crate) fn own_path(&self) -> Option<Vec<FieldId>> {
        let OrderLeaf::Field(leaf) = self.leaf else { return None };
        let embedded = |step: &Step| match step {
            Step::Embedded(field) => Some(*field),
            _ => None,
        };
        let mut path = self.steps.iter().map(embedded).collect::<Option<Vec<FieldId>>>()?;
        path.push(leaf);
        Some(path)
    }

    /// Appends a value so that bytes sort as this key wants.
    pub(crate) fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) {
        if !self.natural_nulls {
            let last = self.direction == Direction::Ascending;
            out.push(u8::from(value.is_null() == last));
            if value.is_null() {
                return;
            }
        }
        key::encode(value, self.direction, out);
    }

    fn decode(&self, bytes: &mut &[u8]) -> Option<Value> {
        if !self.natural_nulls {
            let last = self.direction == Direction::Ascending;
            let (marker, rest) = bytes.split_first()?;
            *bytes = rest;
            if (*marker == 1) == last {
                return Some(Value::Null);
            }
        }
        key::decode(bytes, self.direction).ok()
    }
}

enum Owner<'a> {
    Collection(&'a Collection),
    Fields(&'a [Field]),
}

struct Compiler<'a> {
    catalog: &'a Catalog,
    path: Vec<PathItem>,
    steps: Vec<Step>,
    /// Nothing on the way here can be null.
    required: bool,
}

impl<'a> Compiler<'a> {
    fn key(&mut self, owner: Owner<'a>, input: &Input) -> Result<OrderKey, Failure> {
        let Input::Object(fields) = input else {
            return Err(failure(&self.path, "Expected an object with one field to sort by.".to_owned()));
        };
        let [(name, value)] = fields.as_slice() else {
            let message = format!("Give one field for each key to sort by, not {}.", fields.len());
            return Err(failure(&self.path, message));
        };
        self.path.push(PathItem::Name(name.clone()));
        if self.steps.len() > STEPS_MAX {
            return Err(failure(&self.path, format!("A sort key follows at most {STEPS_MAX} relations.")));
        }
        let fields = match &owner {
            Owner::Collection(_) if name == "id" => return self.leaf(OrderLeaf::Id, true, value),
            Owner::Collection(collection) => &collection.fields,
            Owner::Fields(fields) => *fields,
        };
        let Some(field) = fields.iter().find(|field| field.name == *name) else {
            return Err(failure(&self.path, format!("There is no field \"{name}\" to sort by.")));
        };
        match field.kind {
            FieldKind::Scalar(_) | FieldKind::Enum(_) => self.leaf(OrderLeaf::Field(field.id), field.required, value),
            FieldKind::Embedded(type_id) => {
                let embedded = self.catalog.embedded(type_id).expect("a catalog resolves its own types");
                self.step(Step::Embedded(field.id), field.required, Owner::Fields(&embedded.fields), value)
            }
            FieldKind::ToOne { target, .. } => {
                let step = Step::Reference { field: field.id, target };
                self.step(step, field.required, Owner::Collection(self.target(target)), value)
            }
            FieldKind::OneToOne { target, index, .. } => {
                let step = Step::OneToOne { index, target };
                self.step(step, field.required, Owner::Collection(self.target(target)), value)
            }
            FieldKind::OneToMany { index, .. } | FieldKind::ManyToMany { links: index, .. } => {
                let Some(direction) = value.field("count") else {
                    return Err(failure(&self.path, "A list is sorted by its count.".to_owned()));
                };
                self.path.push(PathItem::Name("count".to_owned()));
                self.leaf(OrderLeaf::Count(index), true, direction)
            }
        }
    }

    fn step(&mut self, step: Step, required: bool, owner: Owner<'a>, value: &Input) -> Result<OrderKey, Failure> {
        self.steps.push(step);
        self.required &= required;
        self.key(owner, value)
    }

    fn leaf(&mut self, leaf: OrderLeaf, required: bool, value: &Input) -> Result<OrderKey, Failure> {
        let (Input::Enum(name) | Input::String(name)) = value else {
            return Err(failure(&self.path, "Give a direction: ASC or DESC.".to_owned()));
        };
        let (direction, natural) = match name.as_str() {
            "ASC" | "ASC_NULLS_FIRST" => (Direction::Ascending, true),
            "DESC" | "DESC_NULLS_LAST" => (Direction::Descending, true),
            "ASC_NULLS_LAST" => (Direction::Ascending, false),
            "DESC_NULLS_FIRST" => (Direction::Descending, false),
            _ => return Err(failure(&self.path, format!("There is no direction {name}."))),
        };
        // Where nothing is null every placement is the natural one, which indexes have.
        let natural_nulls = natural || (required && self.required);
        Ok(OrderKey { steps: std::mem::take(&mut self.steps), leaf, direction, natural_nulls })
    }

    fn target(&self, id: CollectionId) -> &'a Collection {
        self.catalog.collection(id).expect("a catalog resolves its own relations")
    }
}

/// The same on every node and after every restart: cursors outlive both.
fn hash(collection: &Collection, keys: &[OrderKey], ids: Direction) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(collection.id.0.to_be_bytes());
    hasher.update([u8::from(ids == Direction::Descending)]);
    for key in keys {
        for step in &key.steps {
            match step {
                Step::Embedded(field) => hasher.update([1, (field.0 >> 8) as u8, field.0 as u8]),
                Step::Reference { field, .. } => hasher.update([2, (field.0 >> 8) as u8, field.0 as u8]),
                Step::OneToOne { index, .. } => {
                    hasher.update([3]);
                    hasher.update(index.0.to_be_bytes());
                }
            }
        }
        match key.leaf {
            OrderLeaf::Field(field) => hasher.update([4, (field.0 >> 8) as u8, field.0 as u8]),
            OrderLeaf::Id => hasher.update([5]),
            OrderLeaf::Count(index) => {
                hasher.update([6]);
                hasher.update(index.0.to_be_bytes());
            }
        }
        hasher.update([u8::from(key.direction == Direction::Descending), u8::from(key.natural_nulls)]);
    }
    let digest = hasher.finalize();
    u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}

fn failure(path: &[PathItem], message: String) -> Failure {
    let mut full = vec![PathItem::Name("orderBy".to_owned())];
    full.extend_from_slice(path);
    let path = serde_json::to_value(full).expect("names and numbers are JSON");
    Failure::new(Code::BadUserInput, message).with("inputPath", path)
}
