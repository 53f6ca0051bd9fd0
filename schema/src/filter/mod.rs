//! Where: predicates over records, checked when compiled, evaluated in batches.
//!
//! Truth has three values, as in SQL: what is compared with null is unknown, and only what is true matches.

mod compile;
mod fold;
mod json;
mod predicate;
mod relations;
mod test;

use crate::catalog::{Catalog, Check, Collection, Embedded};
use crate::{Abort, Failure, Input, PathItem};
use compile::Compiler;
use predicate::{Scope, Unresolved};
use vivarium_consensus::Transaction;
use vivarium_storage::value::RecordRef;
use vivarium_storage::{Cell, CollectionId, DatabaseId, Document, DocumentId};

pub(crate) use json::{JsonTest, walk};
pub(crate) use predicate::{Condition, ListTest, Predicate, Quantifier, Relation, RelationKind, Truth};
pub(crate) use test::{Operator, Test, TextOperator};

/// A compiled predicate over the records of one collection.
#[derive(Clone, Debug)]
pub struct Filter {
    pub(crate) collection: CollectionId,
    pub(crate) root: Predicate,
    /// The relations that the predicate follows, as [`Predicate::Related`] numbers them.
    pub(crate) relations: Vec<Relation>,
}

/// A record under evaluation.
#[derive(Clone, Debug)]
pub struct Record {
    /// Which one.
    pub id: DocumentId,
    /// Its stored bytes and version.
    pub cell: Cell,
}

impl Record {
    /// The record's document. Its bytes were checked when they were read.
    pub fn document(&self) -> Document<'_> {
        Document::trusted(&self.cell.value)
    }
}

impl Filter {
    /// Compiles an input of the collection's Where type.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath` (below `path`): empty object, null operator, bad regex, wrong value.
    pub fn compile(
        catalog: &Catalog,
        collection: &Collection,
        predicate: &Input,
        path: &[PathItem],
    ) -> Result<Filter, Failure> {
        Compiler::new(catalog, path).filter(collection, predicate)
    }

    /// Which of the records match. Relations are followed in batches through the transaction.
    ///
    /// # Errors
    /// Those of the transaction.
    pub async fn matches(
        &self,
        catalog: &Catalog,
        database: DatabaseId,
        transaction: &mut Transaction,
        records: &[Record],
    ) -> Result<Vec<bool>, Abort> {
        let first = |record: &Record| self.root.truth(&Scope::document(record), &Unresolved);
        let mut truths: Vec<Truth> = records.iter().map(first).collect();
        if self.relations.is_empty() {
            return Ok(truths.into_iter().map(|truth| truth == Truth::True).collect());
        }
        // What is decided without relations needs none of them read.
        let open: Vec<usize> = (0..records.len()).filter(|at| truths[*at] == Truth::Open).collect();
        if !open.is_empty() {
            let asked: Vec<&Record> = open.iter().map(|at| &records[*at]).collect();
            let resolved = relations::resolve(self, catalog, database, transaction, &asked).await?;
            for (at, record) in open.into_iter().zip(asked) {
                truths[at] = self.root.truth(&Scope::document(record), &resolved);
            }
        }
        Ok(truths.into_iter().map(|truth| truth == Truth::True).collect())
    }
}

/// A compiled `@check` of a collection or an embedded type: needs no transaction.
#[derive(Clone, Debug)]
pub struct CompiledCheck {
    predicate: Predicate,
}

impl CompiledCheck {
    /// Compiles a check of a collection.
    ///
    /// # Errors
    /// A sentence: relations cannot be followed in a check, unknown fields, wrong values.
    pub fn compile(catalog: &Catalog, collection: &Collection, check: &Check) -> Result<CompiledCheck, String> {
        let filter = Filter::compile(catalog, collection, &check.predicate, &[]).map_err(|failure| failure.message)?;
        CompiledCheck::of(filter.root, &filter.relations)
    }

    /// Compiles a check of an embedded type.
    ///
    /// # Errors
    /// As [`CompiledCheck::compile`].
    pub fn compile_embedded(catalog: &Catalog, embedded: &Embedded, check: &Check) -> Result<CompiledCheck, String> {
        let mut compiler = Compiler::new(catalog, &[]);
        let predicate = compiler.embedded(embedded, &check.predicate).map_err(|failure| failure.message)?;
        CompiledCheck::of(predicate, &compiler.into_relations())
    }

    /// True when the document satisfies the check. A predicate over null is satisfied, as in SQL.
    pub fn holds(&self, document: Document<'_>) -> bool {
        self.predicate.truth(&Scope::bare(document), &Unresolved) != Truth::False
    }

    /// True when an embedded value satisfies the check.
    pub fn holds_in(&self, record: RecordRef<'_>) -> bool {
        self.predicate.truth(&Scope::Embedded(record), &Unresolved) != Truth::False
    }

    fn of(predicate: Predicate, relations: &[Relation]) -> Result<CompiledCheck, String> {
        if relations.is_empty() {
            Ok(CompiledCheck { predicate })
        } else {
            Err("A check cannot follow relations: it sees one record only.".to_owned())
        }
    }
}
