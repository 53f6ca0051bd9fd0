//! Root fields of a mutation: one after the other in one transaction, each payload read right after its write.

use super::reader::Reader;
use super::roots::{RootLevel, read_roots};
use super::write::{Null, Writing};
use crate::catalog::{Catalog, Collection};
use crate::filter::{Filter, Record};
use crate::plan::bind::Bound;
use crate::plan::tree::*;
use crate::record_key::RecordKey;
use crate::write::{Conflict, Edit, Sequences, Writer};
use crate::{Abort, Code, Failure, GlobalId, Input, PathItem, fetch, scalar};
use serde_json::Value;
use vivarium_consensus::Transaction;
use vivarium_storage::runtime::{Instant, Runtime};
use vivarium_storage::{DatabaseId, DocumentId, Version};

use super::level::{Child, Level};

/// A root field of a mutation with its arguments bound: what each attempt begins with.
#[derive(Debug)]
pub(crate) struct BoundWrite {
    /// Of a create of several, one for each; of a create, one.
    pub(crate) data: Vec<Input>,
    pub(crate) edit: Edit,
    /// What a create of several does with records that are there.
    pub(crate) conflict: Option<Conflict>,
    pub(crate) by: Option<RecordKey>,
    /// `by` as it was given, for messages.
    pub(crate) key: Value,
    pub(crate) condition: Option<Filter>,
    pub(crate) version: Option<Version>,
}

/// What writing needs beyond reading.
pub(crate) struct Attempt<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) database: DatabaseId,
    pub(crate) transaction: &'a mut Transaction,
    pub(crate) runtime: &'a Runtime,
    pub(crate) sequences: &'a Sequences,
    pub(crate) now_micros: i64,
    pub(crate) bound: &'a Bound,
    pub(crate) deadline: Instant,
}

impl Attempt<'_> {
    fn reader(&mut self) -> Reader<'_> {
        Reader {
            catalog: self.catalog,
            database: self.database,
            transaction: self.transaction,
            bound: self.bound,
            deadline: self.deadline,
        }
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer {
            catalog: self.catalog,
            database: self.database,
            transaction: self.transaction,
            runtime: self.runtime,
            sequences: self.sequences,
            now_micros: self.now_micros,
        }
    }

    /// Runs every root field in order and writes their payloads.
    ///
    /// # Errors
    /// The first thing that goes wrong, with the path of its root field: nothing is committed then.
    pub(crate) async fn run(
        &mut self,
        roots: &[Selected<Root>],
        writes: &[Option<BoundWrite>],
        writing: &mut Writing<'_>,
    ) -> Result<(), Abort> {
        writing.answer.data.push(b'{');
        for (root, bound) in roots.iter().zip(writes) {
            writing.answer.data.extend_from_slice(&root.prefix);
            let written = match (&root.kind, bound) {
                (Root::Write(plan), Some(bound)) => {
                    self.field(plan, bound, writing).await.map_err(|abort| placed(abort, root))?
                }
                (Root::Typename(name), _) => writing.raw(name),
                _ => writing.null(),
            };
            // Also where only what is read beside the write has no value: any error takes everything back.
            if written.is_err() || !writing.answer.failures.is_empty() {
                let failures = std::mem::take(&mut writing.answer.failures);
                let failure = failures.into_iter().next();
                let failure = failure.unwrap_or_else(|| Failure::new(Code::InternalServerError, "a payload is null"));
                return Err(placed(failure.into(), root));
            }
        }
        writing.answer.data.push(b'}');
        Ok(())
    }

    async fn field(
        &mut self,
        plan: &WritePlan,
        bound: &BoundWrite,
        writing: &mut Writing<'_>,
    ) -> Result<Result<(), Null>, Abort> {
        let collection = self.catalog.collection(plan.collection).expect("a plan is used with its own catalog");
        let path = |argument: &str| [PathItem::Name(argument.to_owned())];
        let ids = |records: &[Record]| records.iter().map(|record| record.id).collect::<Vec<_>>();
        let touched = match plan.action {
            Action::Create => {
                let data = bound.data.first().expect("a create has its data");
                Touched::created(self.writer().create_one(collection, data, &path("data")).await?)
            }
            Action::CreateMany => {
                let conflict = bound.conflict.as_ref();
                let created = self.writer().create_unless(collection, &bound.data, conflict, &path("data")).await?;
                Touched { ids: created.ids, affected: created.affected, created: true }
            }
            Action::Upsert => match self.found(collection, bound).await? {
                Some(record) => {
                    let touched = Touched::found(vec![record.id]);
                    self.writer().update_read(collection, vec![record], &bound.edit).await?;
                    touched
                }
                None => Touched::created(self.create_at(collection, bound).await?),
            },
            Action::Update => {
                let record = self.target(collection, bound).await?;
                let touched = Touched::found(vec![record.id]);
                self.writer().update_read(collection, vec![record], &bound.edit).await?;
                touched
            }
            Action::UpdateMany => {
                let records = self.chosen(plan).await?;
                let touched = Touched::found(ids(&records));
                self.writer().update_read(collection, records, &bound.edit).await?;
                touched
            }
            Action::Delete => {
                let record = self.target(collection, bound).await?;
                let touched = Touched::found(vec![record.id]);
                // What is answered is the record as it was; what is asked beside it sees it gone.
                let before = self.levels(plan, &touched.ids).await?;
                self.writer().delete_read(collection, vec![record], &path("by")).await?;
                return self.rendered(plan, &touched, before, writing).await;
            }
            Action::DeleteMany => {
                let records = self.chosen(plan).await?;
                let touched = Touched::found(ids(&records));
                self.writer().delete_read(collection, records, &path("where")).await?;
                touched
            }
        };
        let levels = self.levels(plan, &touched.ids).await?;
        self.rendered(plan, &touched, levels, writing).await
    }

    /// The record that a write's key names, if there is one.
    async fn found(&mut self, collection: &Collection, bound: &BoundWrite) -> Result<Option<Record>, Abort> {
        let key = bound.by.as_ref().unwrap_or(&RecordKey::Nobody);
        let Some(id) = self.reader().find(key).await? else { return Ok(None) };
        let found = fetch::records(self.transaction, self.catalog, self.database, collection.id, &[id]).await?;
        Ok(found.into_iter().flatten().next())
    }

    /// Creates the record of an upsert, which has to be the one that its key names.
    async fn create_at(&mut self, collection: &Collection, bound: &BoundWrite) -> Result<DocumentId, Abort> {
        let mut data = bound.data.first().expect("an upsert has what it creates").clone();
        if let (Some(RecordKey::Id(id)), Input::Object(fields)) = (&bound.by, &mut data)
            && fields.iter().all(|(name, _)| name != "id")
        {
            let id = GlobalId { collection: collection.id, document: *id }.to_string();
            fields.push(("id".to_owned(), Input::String(id)));
        }
        let id = self.writer().create_one(collection, &data, &[PathItem::Name("create".to_owned())]).await?;
        if self.found(collection, bound).await?.is_some_and(|record| record.id == id) {
            return Ok(id);
        }
        let message =
            format!("What is created is not the {} that \"by\" names: give both the same key.", collection.name);
        Err(Failure::new(Code::BadUserInput, message).with("inputPath", vec!["create"]).into())
    }

    /// The records that a write of several is about, in the order of their ids.
    async fn chosen(&mut self, plan: &WritePlan) -> Result<Vec<Record>, Abort> {
        let bound = self.bound;
        let list = bound.list(plan.chosen.expect("a write of several says which"));
        let found = self.reader().root_page(list, Needs { records: true, ..Needs::default() }).await?;
        let limit = list.paging.count - 1;
        if found.records.len() > limit {
            let message =
                format!("More than {limit} records match, and maxAffected allows no more: nothing was written.");
            let failure = Failure::new(Code::AffectedLimitExceeded, message).with("affected", found.records.len());
            return Err(failure.with("limit", limit).with("inputPath", vec!["maxAffected"]).into());
        }
        Ok(found.records)
    }

    /// The record that a write is about, if it may be written.
    async fn target(&mut self, collection: &Collection, bound: &BoundWrite) -> Result<Record, Abort> {
        let not_found = || {
            let message = format!("There is no {} with this key.", collection.name);
            let failure = Failure::new(Code::NotFound, message).with("type", collection.name.as_str());
            Abort::from(failure.with("key", bound.key.clone()).with("inputPath", vec!["by"]))
        };
        let record = self.found(collection, bound).await?.ok_or_else(not_found)?;
        let failed = |message: &str, name: &str, version: Version| {
            let mut current = Vec::new();
            if version != Transaction::OWN {
                scalar::write_version(version, &mut current);
            }
            let current = String::from_utf8(current).expect("digits are text");
            let failure = Failure::new(Code::PreconditionFailed, message).with("inputPath", vec![name]);
            let current = if current.is_empty() { Value::Null } else { Value::String(current) };
            Abort::from(failure.with("currentVersion", current))
        };
        let version = record.cell.version;
        if bound.version.is_some_and(|wanted| wanted != version) {
            return Err(failed("The record is at another version.", "ifVersion", version));
        }
        if let Some(condition) = &bound.condition {
            let asked = std::slice::from_ref(&record);
            let holds = condition.matches(self.catalog, self.database, self.transaction, asked).await?;
            if holds != [true] {
                return Err(failed("The record does not satisfy the condition.", "if", version));
            }
        }
        Ok(record)
    }

    /// Reads what a payload selects of its records.
    async fn levels(&mut self, plan: &WritePlan, ids: &[DocumentId]) -> Result<Vec<PayloadLevel>, Abort> {
        let mut levels = Vec::with_capacity(plan.payload.len());
        for field in &plan.payload {
            levels.push(match &field.kind {
                PayloadField::Record(record) | PayloadField::Records(record) => {
                    let mut reader = self.reader();
                    let records = reader.records(record.collection, ids).await?;
                    PayloadLevel::Records(reader.level(record, records).await?)
                }
                PayloadField::Edge { views, .. } => {
                    let mut reader = self.reader();
                    let records = reader.records(plan.collection, ids).await?;
                    let mut below = Vec::with_capacity(views.len());
                    for view in views {
                        below.push(reader.level(view, records.clone()).await?.children);
                    }
                    PayloadLevel::Edge { records, views: below }
                }
                _ => PayloadLevel::Plain,
            });
        }
        Ok(levels)
    }

    async fn rendered(
        &mut self,
        plan: &WritePlan,
        Touched { ids, affected, created }: &Touched,
        mut levels: Vec<PayloadLevel>,
        writing: &mut Writing<'_>,
    ) -> Result<Result<(), Null>, Abort> {
        let collection = self.catalog.collection(plan.collection).expect("a plan is used with its own catalog");
        for (field, level) in plan.payload.iter().zip(&mut levels) {
            if let PayloadField::Query(roots) = &field.kind {
                *level = PayloadLevel::Query(read_roots(&mut self.reader(), roots).await?);
            }
        }
        Ok(writing.object(&plan.payload, |writing, at, field| match (&field.kind, &levels[at]) {
            (PayloadField::Typename(name), _) => writing.raw(name),
            (PayloadField::Record(plan), PayloadLevel::Records(level)) => {
                let record = level.records.first().ok_or(Null)?;
                writing.record(plan, record, &level.children, 0)
            }
            (PayloadField::Records(plan), PayloadLevel::Records(level)) => {
                let records = level.records.iter().enumerate();
                writing.list(records, |writing, (at, record)| writing.record(plan, record, &level.children, at))
            }
            (PayloadField::Edge { fields, views }, PayloadLevel::Edge { records, views: below }) => {
                let record = records.first().ok_or(Null)?;
                writing.object(fields, |writing, _, field| match &field.kind {
                    EdgeField::Typename(name) => writing.raw(name),
                    EdgeField::Cursor => writing.id_cursor(collection, record),
                    EdgeField::Score => writing.null(),
                    EdgeField::Node { view } => writing.record(&views[*view], record, &below[*view], 0),
                })
            }
            (PayloadField::Created, _) => writing.boolean(*created),
            (PayloadField::AffectedCount, _) => writing.raw(affected.to_string().as_bytes()),
            (PayloadField::DeletedId, _) => writing.id(plan.collection, ids.first().copied().ok_or(Null)?),
            (PayloadField::DeletedIds, _) => writing.list(ids.iter(), |writing, id| writing.id(plan.collection, *id)),
            (PayloadField::Commit(fields), _) => writing.object(fields, |writing, _, field| match field.kind {
                CommitField::Typename => writing.raw(b"\"Commit\""),
                CommitField::Version => writing.commit_version(Transaction::OWN),
                CommitField::Time => writing.commit_time(Transaction::OWN),
            }),
            (PayloadField::Query(roots), PayloadLevel::Query(levels)) => writing.query(roots, levels),
            _ => unreachable!("each field was read as it was planned"),
        }))
    }
}

/// The records that a write was about.
struct Touched {
    ids: Vec<DocumentId>,
    /// How many of them were written.
    affected: usize,
    /// They were not there before.
    created: bool,
}

impl Touched {
    fn created(id: DocumentId) -> Touched {
        Touched { ids: vec![id], affected: 1, created: true }
    }

    fn found(ids: Vec<DocumentId>) -> Touched {
        Touched { affected: ids.len(), ids, created: false }
    }
}

/// What was read for a field of a payload.
enum PayloadLevel {
    Plain,
    Records(Level),
    Edge { records: Vec<Record>, views: Vec<Vec<Child>> },
    Query(Vec<RootLevel>),
}

/// A failure at a root field.
fn placed(abort: Abort, root: &Selected<Root>) -> Abort {
    match abort {
        Abort::Failed(mut failure) => {
            failure.path.insert(0, PathItem::Name(root.key.to_string()));
            if failure.locations.is_empty() {
                failure.locations.push(root.location);
            }
            Abort::Failed(failure)
        }
        other => other,
    }
}
