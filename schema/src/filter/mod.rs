//! Where: predicates over records, checked when compiled, evaluated in batches.

use crate::catalog::{Catalog, Check, Collection};
use crate::{Abort, Failure, Input};
use vivarium_consensus::Transaction;
use vivarium_storage::{Cell, DatabaseId, DocumentId};

/// A compiled predicate over the records of one collection.
#[derive(Clone, Debug)]
pub struct Filter {
    _private: (),
}

/// A record under evaluation.
#[derive(Clone, Debug)]
pub struct Record {
    /// Which one.
    pub id: DocumentId,
    /// Its stored bytes and version.
    pub cell: Cell,
}

impl Filter {
    /// Compiles an input of the collection's Where type.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath` (below `path`): empty object, null operator, bad regex, wrong value.
    pub fn compile(catalog: &Catalog, collection: &Collection, predicate: &Input, path: &[crate::PathItem]) -> Result<Filter, Failure> {
        let _ = (catalog, collection, predicate, path);
        todo!()
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
        let _ = (catalog, database, transaction, records);
        todo!()
    }
}

/// A compiled `@check` of a collection or an embedded type: needs no transaction.
#[derive(Clone, Debug)]
pub struct CompiledCheck {
    _private: (),
}

impl CompiledCheck {
    /// Compiles a check of a collection.
    ///
    /// # Errors
    /// A sentence: relations cannot be followed in a check, unknown fields, wrong values.
    pub fn compile(catalog: &Catalog, collection: &Collection, check: &Check) -> Result<CompiledCheck, String> {
        let _ = (catalog, collection, check);
        todo!()
    }
    /// True when the document satisfies the check. A predicate over null is satisfied, as in SQL.
    pub fn holds(&self, document: vivarium_storage::Document<'_>) -> bool {
        let _ = document;
        todo!()
    }
}
