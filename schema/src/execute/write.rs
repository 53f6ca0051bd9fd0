//! The answer's JSON, in one pass over what was read.
//!
//! A null where the type allows none takes its nearest nullable ancestor with it, exactly as the specification says.

use super::connection::Page;
use super::family::FamilyLevel;
use super::level::{Child, ConnectionLevel, Level};
use super::roots::RootLevel;
use super::sort::SortKeys;
use crate::catalog::Collection;
use crate::filter::Record;
use crate::plan::bind::Bound;
use crate::plan::cursor::Cursor;
use crate::plan::order::Order;
use crate::plan::tree::*;
use crate::{Code, Failure, GlobalId, PathItem, filter, scalar};
use vivarium_consensus::Transaction;
use vivarium_storage::value::RecordRef;
use vivarium_storage::{CollectionId, Document, DocumentId, FieldId, ValueRef, Version, runtime};

/// What is known only after the commit, at a place of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patch {
    Version,
    Time,
}

/// An answer's data, perhaps with places that the commit fills in.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) data: Vec<u8>,
    /// Ascending places, each with what belongs there.
    pub(crate) patches: Vec<(usize, Patch)>,
    pub(crate) failures: Vec<Failure>,
}

/// A null that its parent has to take the place of.
#[derive(Debug)]
pub(crate) struct Null;

pub(super) type Written = Result<(), Null>;

/// Writes one answer.
pub(crate) struct Writing<'a> {
    pub(crate) answer: Answer,
    pub(crate) bound: &'a Bound,
    /// The snapshot that was read, for cursors.
    pub(crate) version: Version,
    /// What `__schema` and `__type` answer, by response key.
    pub(crate) introspection: &'a [(String, Vec<u8>)],
    pub(crate) bytes_max: usize,
    pub(crate) too_large: bool,
}

/// Where a field's value comes from.
#[derive(Clone, Copy)]
struct Scope<'a> {
    source: Source<'a>,
    /// What was planned and read below the record, for references in embedded values too.
    plans: &'a [ChildPlan],
    children: &'a [Child],
}

#[derive(Clone, Copy)]
enum Source<'a> {
    /// A record, and its place in its level.
    Record {
        record: &'a Record,
        document: Document<'a>,
        at: usize,
        collection: CollectionId,
    },
    Embedded(RecordRef<'a>),
}

impl<'a> Scope<'a> {
    fn field(&self, field: FieldId) -> ValueRef<'a> {
        match &self.source {
            Source::Record { document, .. } => document.field(field),
            Source::Embedded(value) => value.field(field),
        }
    }
    fn within(&self, value: RecordRef<'a>) -> Scope<'a> {
        Scope { source: Source::Embedded(value), ..*self }
    }
}

impl Writing<'_> {
    /// Writes the fields of `Query` as an object.
    pub(crate) fn query(&mut self, roots: &[Selected<Root>], levels: &[RootLevel]) -> Written {
        self.object(roots, |writing, at, root| writing.root(root, &levels[at]))
    }

    fn root(&mut self, root: &Selected<Root>, level: &RootLevel) -> Written {
        match (&root.kind, level) {
            (Root::Typename(name), _) => self.raw(name),
            (Root::Introspection, _) => {
                let introspection = self.introspection;
                let found = introspection.iter().find(|(key, _)| **key == *root.key);
                self.raw(found.map_or(b"null", |(_, json)| json.as_slice()))
            }
            (Root::Family(plan), RootLevel::Family(level)) => self.family(plan, level),
            (Root::Get { record, .. }, RootLevel::Get(level)) => match level.records.first() {
                Some(found) => self.nullable(|writing| writing.record(record, found, &level.children, 0)),
                None => self.null(),
            },
            (Root::List(connection), RootLevel::List(level)) => self.connection(connection, level, 0),
            (Root::Node { variants, .. }, RootLevel::Nodes { places, variants: levels }) => {
                self.node(variants, levels, places.first().copied().flatten())
            }
            (Root::Nodes { variants, .. }, RootLevel::Nodes { places, variants: levels }) => {
                self.list(places.iter(), |writing, place| writing.node(variants, levels, *place))
            }
            _ => unreachable!("each root has its own level"),
        }
    }

    fn node(&mut self, variants: &[RecordPlan], levels: &[Level], place: Option<(usize, usize)>) -> Written {
        let Some((variant, at)) = place else { return self.null() };
        let level = &levels[variant];
        self.nullable(|writing| writing.record(&variants[variant], &level.records[at], &level.children, at))
    }

    /// Writes a record as an object. `at` is its place in its level.
    pub(super) fn record(&mut self, plan: &RecordPlan, record: &Record, children: &[Child], at: usize) -> Written {
        if self.answer.data.len() > self.bytes_max {
            self.too_large = true;
            return Err(Null);
        }
        let source = Source::Record { record, document: record.document(), at, collection: plan.collection };
        let scope = Scope { source, plans: &plan.children, children };
        self.object(&plan.fields, |writing, _, field| writing.field(field, &scope))
    }

    fn field(&mut self, selected: &Selected<RecordField>, scope: &Scope<'_>) -> Written {
        match &selected.kind {
            RecordField::Leaf { field, leaf, required } => match scope.field(*field) {
                ValueRef::Null => self.absent(*required, selected),
                value => {
                    self.leaf(leaf, value);
                    Ok(())
                }
            },
            RecordField::Id => {
                let Source::Record { record, collection, .. } = scope.source else {
                    unreachable!("only records have an id")
                };
                self.id(collection, record.id)
            }
            RecordField::Typename(name) => self.raw(name),
            RecordField::Leaves { field, leaf, required, element_required } => match scope.field(*field) {
                ValueRef::List(list) => self.nullable_unless(*required, |writing| {
                    writing.list(list.iter(), |writing, value| match value {
                        ValueRef::Null => writing.absent(*element_required, selected),
                        value => {
                            writing.leaf(leaf, value);
                            Ok(())
                        }
                    })
                }),
                _ => self.absent(*required, selected),
            },
            RecordField::Json { field, slot, required } => {
                let bound = self.bound;
                match filter::walk(scope.field(*field), bound.path(*slot)) {
                    ValueRef::Null => self.absent(*required, selected),
                    value => {
                        scalar::write_json(crate::catalog::Scalar::Json, value, &mut self.answer.data);
                        Ok(())
                    }
                }
            }
            RecordField::Embedded { field, fields, required } => match scope.field(*field) {
                ValueRef::Record(value) => {
                    let inner = scope.within(value);
                    self.nullable_unless(*required, |writing| {
                        writing.object(fields, |writing, _, field| writing.field(field, &inner))
                    })
                }
                _ => self.absent(*required, selected),
            },
            RecordField::Elements { field, fields, required, element_required } => match scope.field(*field) {
                ValueRef::List(list) => self.nullable_unless(*required, |writing| {
                    writing.list(list.iter(), |writing, value| match value {
                        ValueRef::Record(value) => {
                            let inner = scope.within(value);
                            writing.nullable_unless(*element_required, |writing| {
                                writing.object(fields, |writing, _, field| writing.field(field, &inner))
                            })
                        }
                        _ => writing.absent(*element_required, selected),
                    })
                }),
                _ => self.absent(*required, selected),
            },
            RecordField::ToOne { .. } | RecordField::OneToOne { .. } | RecordField::Connection { .. } => {
                self.related(selected, scope)
            }
            RecordField::Meta(fields) => {
                let Source::Record { record, .. } = scope.source else { unreachable!("only records have a version") };
                self.meta(fields, record)
            }
        }
    }

    fn related(&mut self, selected: &Selected<RecordField>, scope: &Scope<'_>) -> Written {
        match selected.kind {
            RecordField::ToOne { field, child, required } => {
                let (ChildPlan::Reference { record, .. }, Child::Reference(level)) =
                    (&scope.plans[child], &scope.children[child])
                else {
                    unreachable!("each child was read as it was planned")
                };
                let place = match scope.field(field) {
                    ValueRef::Uuid(id) => level.place(id),
                    _ => None,
                };
                self.one_related(selected, required, record, level, place)
            }
            RecordField::OneToOne { child, required } => {
                let (ChildPlan::OneToOne { record, .. }, Child::OneToOne { level, of }, Source::Record { at, .. }) =
                    (&scope.plans[child], &scope.children[child], scope.source)
                else {
                    unreachable!("each child was read as it was planned")
                };
                self.one_related(selected, required, record, level, of[at])
            }
            RecordField::Connection { child } => {
                let (ChildPlan::Connection(plan), Child::Connection(level), Source::Record { at, .. }) =
                    (&scope.plans[child], &scope.children[child], scope.source)
                else {
                    unreachable!("each child was read as it was planned")
                };
                self.connection(plan, level, at)
            }
            _ => unreachable!("these are all relations"),
        }
    }

    fn one_related(
        &mut self,
        selected: &Selected<RecordField>,
        required: bool,
        plan: &RecordPlan,
        level: &Level,
        place: Option<usize>,
    ) -> Written {
        let Some(at) = place else { return self.absent(required, selected) };
        self.nullable_unless(required, |writing| writing.record(plan, &level.records[at], &level.children, at))
    }

    /// Writes the page of the parent at `parent`.
    fn connection(&mut self, plan: &ConnectionPlan, level: &ConnectionLevel, parent: usize) -> Written {
        let page = level.pages[parent];
        self.object(&plan.fields, |writing, _, field| match &field.kind {
            ConnectionField::Typename(name) => writing.raw(name),
            ConnectionField::Nodes { view } => writing.list(page.start..page.start + page.count, |writing, at| {
                writing.record(&plan.views[*view], &level.records[at], &level.views[*view], at)
            }),
            ConnectionField::Edges(fields) => writing.list(page.start..page.start + page.count, |writing, at| {
                writing.object(fields, |writing, _, field| match &field.kind {
                    EdgeField::Typename(name) => writing.raw(name),
                    EdgeField::Cursor => writing.cursor(&writing.bound.list(plan.slot).order, &level.keys[at]),
                    EdgeField::Score => writing.null(),
                    EdgeField::Node { view } => {
                        writing.record(&plan.views[*view], &level.records[at], &level.views[*view], at)
                    }
                })
            }),
            ConnectionField::PageInfo(fields) => {
                writing.page_info(fields, &writing.bound.list(plan.slot).order, &level.keys, page)
            }
            ConnectionField::TotalCount => writing.raw(page.total.to_string().as_bytes()),
            ConnectionField::Aggregate { fold, fields } => {
                writing.aggregate(&plan.folds[*fold], fields, &level.folds[*fold], parent)
            }
            ConnectionField::Groups { fold, fields } => {
                writing.groups(&plan.folds[*fold], fields, &level.folds[*fold], parent)
            }
        })
    }

    /// Writes a page of records of several collections.
    fn family(&mut self, plan: &FamilyPlan, level: &FamilyLevel) -> Written {
        let order = &self.bound.family(plan.slot).lists[0].order;
        let all = 0..level.order.len();
        let node = |writing: &mut Self, view: usize, at: usize| {
            let (member, place) = level.order[at];
            let record = &level.records[member][place];
            writing.record(&plan.views[view][member], record, &level.views[view][member], place)
        };
        self.object(&plan.fields, |writing, _, field| match &field.kind {
            ConnectionField::Typename(name) => writing.raw(name),
            ConnectionField::Nodes { view } => writing.list(all.clone(), |writing, at| node(writing, *view, at)),
            ConnectionField::Edges(fields) => writing.list(all.clone(), |writing, at| {
                writing.object(fields, |writing, _, field| match &field.kind {
                    EdgeField::Typename(name) => writing.raw(name),
                    EdgeField::Cursor => writing.cursor(order, &level.keys[at]),
                    EdgeField::Score => writing.null(),
                    EdgeField::Node { view } => node(writing, *view, at),
                })
            }),
            ConnectionField::PageInfo(fields) => writing.page_info(fields, order, &level.keys, level.page),
            ConnectionField::TotalCount => writing.raw(level.page.total.to_string().as_bytes()),
            ConnectionField::Aggregate { .. } | ConnectionField::Groups { .. } => {
                unreachable!("a family's records are not folded")
            }
        })
    }

    fn page_info(&mut self, fields: &[Selected<PageInfoField>], order: &Order, keys: &SortKeys, page: Page) -> Written {
        self.object(fields, |writing, _, field| match field.kind {
            PageInfoField::Typename => writing.raw(b"\"PageInfo\""),
            PageInfoField::HasNextPage => writing.boolean(page.next),
            PageInfoField::HasPreviousPage => writing.boolean(page.previous),
            PageInfoField::StartCursor | PageInfoField::EndCursor if page.count == 0 => writing.null(),
            PageInfoField::StartCursor => writing.cursor(order, &keys[page.start]),
            PageInfoField::EndCursor => writing.cursor(order, &keys[page.start + page.count - 1]),
        })
    }

    fn cursor(&mut self, order: &Order, position: &[u8]) -> Written {
        self.answer.data.push(b'"');
        Cursor::write(order, self.version, position, &mut self.answer.data);
        self.answer.data.push(b'"');
        Ok(())
    }

    /// The cursor of a record that no page gave: it stands in the order of ids.
    pub(super) fn id_cursor(&mut self, collection: &Collection, record: &Record) -> Written {
        let order = Order::by_ids(collection);
        self.answer.data.push(b'"');
        Cursor::write(&order, Version(0), &record.id.0, &mut self.answer.data);
        self.answer.data.push(b'"');
        Ok(())
    }

    fn meta(&mut self, fields: &[Selected<MetaField>], record: &Record) -> Written {
        let version = record.cell.version;
        let created = record.document().created().unwrap_or(version);
        self.object(fields, |writing, _, field| match field.kind {
            MetaField::Typename => writing.raw(b"\"RecordMeta\""),
            MetaField::Version => writing.commit_version(version),
            MetaField::CreatedAt => writing.commit_time(created),
            MetaField::UpdatedAt => writing.commit_time(version),
        })
    }

    /// A version as a string; of this transaction's own commit, a place for it.
    pub(super) fn commit_version(&mut self, version: Version) -> Written {
        self.answer.data.push(b'"');
        if version == Transaction::OWN {
            self.answer.patches.push((self.answer.data.len(), Patch::Version));
        } else {
            scalar::write_version(version, &mut self.answer.data);
        }
        self.answer.data.push(b'"');
        Ok(())
    }

    /// A version's time as a string; of this transaction's own commit, a place for it.
    pub(super) fn commit_time(&mut self, version: Version) -> Written {
        self.answer.data.push(b'"');
        if version == Transaction::OWN {
            self.answer.patches.push((self.answer.data.len(), Patch::Time));
        } else {
            scalar::write_date_time(runtime::micros(version), &mut self.answer.data);
        }
        self.answer.data.push(b'"');
        Ok(())
    }

    /// A record's global id.
    pub(super) fn id(&mut self, collection: CollectionId, document: DocumentId) -> Written {
        self.answer.data.push(b'"');
        GlobalId { collection, document }.write(&mut self.answer.data);
        self.answer.data.push(b'"');
        Ok(())
    }

    pub(super) fn leaf(&mut self, leaf: &Leaf, value: ValueRef<'_>) {
        match (leaf, value) {
            (Leaf::Scalar(kind), value) => scalar::write_json(*kind, value, &mut self.answer.data),
            (Leaf::Enum(names), ValueRef::Int(number)) => {
                // A value that the enum has no more cannot be written: the schema change that took it away
                // is refused while documents hold it.
                let found = names.binary_search_by_key(&number, |(number, _)| *number);
                let name = found.map_or(b"null".as_slice(), |at| &names[at].1);
                self.answer.data.extend_from_slice(name);
            }
            (Leaf::Enum(_), _) => self.answer.data.extend_from_slice(b"null"),
        }
    }

    /// A null: an error where the type allows none.
    fn absent(&mut self, required: bool, selected: &Selected<RecordField>) -> Written {
        if !required {
            return self.null();
        }
        let mut failure =
            Failure::new(Code::InternalServerError, format!("the required field {} is null in storage", selected.key));
        failure.locations = vec![selected.location];
        self.answer.failures.push(failure);
        Err(Null)
    }

    /// Writes what may be null: a null that would have to go further up ends here.
    pub(super) fn nullable(&mut self, write: impl FnOnce(&mut Self) -> Written) -> Written {
        let mark = self.answer.data.len();
        match write(self) {
            Ok(()) => Ok(()),
            Err(Null) if self.too_large => Err(Null),
            Err(Null) => {
                self.answer.data.truncate(mark);
                self.answer.patches.retain(|(at, _)| *at < mark);
                self.null()
            }
        }
    }

    fn nullable_unless(&mut self, required: bool, write: impl FnOnce(&mut Self) -> Written) -> Written {
        if required { write(self) } else { self.nullable(write) }
    }

    /// Writes an object. A failure below is given the field's name as its path unwinds.
    pub(super) fn object<T>(
        &mut self,
        fields: &[Selected<T>],
        mut write: impl FnMut(&mut Self, usize, &Selected<T>) -> Written,
    ) -> Written {
        self.answer.data.push(b'{');
        for (at, field) in fields.iter().enumerate() {
            self.answer.data.extend_from_slice(&field.prefix);
            let failures = self.answer.failures.len();
            let written = write(self, at, field);
            if self.answer.failures.len() > failures {
                self.place(failures, || PathItem::Name(field.key.to_string()));
            }
            written?;
        }
        self.answer.data.push(b'}');
        Ok(())
    }

    /// Writes a list.
    pub(super) fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Written,
    ) -> Written {
        self.answer.data.push(b'[');
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.answer.data.push(b',');
            }
            let failures = self.answer.failures.len();
            let written = write(self, item);
            if self.answer.failures.len() > failures {
                self.place(failures, || PathItem::Index(at));
            }
            written?;
        }
        self.answer.data.push(b']');
        Ok(())
    }

    /// Puts a step in front of the paths of all failures since `from`.
    fn place(&mut self, from: usize, item: impl Fn() -> PathItem) {
        for failure in &mut self.answer.failures[from..] {
            failure.path.insert(0, item());
        }
    }

    pub(super) fn boolean(&mut self, value: bool) -> Written {
        self.raw(if value { b"true" } else { b"false" })
    }

    pub(super) fn null(&mut self) -> Written {
        self.raw(b"null")
    }

    pub(super) fn raw(&mut self, json: &[u8]) -> Written {
        self.answer.data.extend_from_slice(json);
        Ok(())
    }
}
