//! Applies a schema, step by step, each step a transaction that can be repeated:
//! 1. the catalog as it is served meanwhile, and the work written down; 2. documents and entries, in batches;
//! 3. the catalog as declared, and its place in history; 4. what is gone is cleared away.
//!
//! A crash between two steps leaves the work written down: [`resume`] goes on with it.

use super::backfill::{self, Backfill, Stop, deadline};
use super::cells::{self, Build, Work};
use super::progress::Board;
use super::work::{self, Restoration};
use super::{Applied, ApplyOptions, Change, Error, Safety, difference};
use crate::{Catalog, sdl};
use vivarium_consensus::{CommitOptions, Consistency, Node};
use vivarium_storage::runtime::{mutant, sometimes};
use vivarium_storage::{DatabaseId, Version};

/// Tries against others who change the schema at the same time.
const TRIES_MAX: usize = 8;
/// Breaking changes that a refusal lists.
const LISTED_MAX: usize = 10;

/// How one try ends.
enum Try {
    Done(Applied),
    /// Somebody else was faster, or nobody knows: look again.
    Again,
}

/// As [`crate::Database::apply_schema`], without a database that serves it.
///
/// # Errors
/// As [`crate::Database::apply_schema`].
pub async fn apply(
    node: &Node,
    database: DatabaseId,
    board: &Board,
    sdl: &str,
    options: ApplyOptions,
) -> Result<Applied, Error> {
    let mut announced: Option<Vec<Change>> = None;
    for _ in 0..TRIES_MAX {
        resume(node, database, board).await?;
        match try_apply((node, database, board), sdl, &options, &mut announced).await? {
            Try::Done(applied) => return Ok(applied),
            Try::Again => {}
        }
    }
    Err(Error::Consensus(vivarium_consensus::Error::Conflict))
}

async fn try_apply(
    (node, database, board): (&Node, DatabaseId, &Board),
    sdl: &str,
    options: &ApplyOptions,
    announced: &mut Option<Vec<Change>>,
) -> Result<Try, Error> {
    let deadline = deadline();
    let mut transaction = node.begin(Consistency::Strong, deadline).await?;
    let stored = cells::catalog(&mut transaction, database).await?;
    if cells::work(&mut transaction, database).await?.is_some() {
        return Ok(Try::Again);
    }
    let previous = stored.clone().unwrap_or_default();
    let found = previous.version;
    let gone = options.expected_version.filter(|expected| *expected != found);
    // After an outcome that nobody knew, the version that the caller expects may be gone because of us.
    if let (Some(expected), None) = (gone, &announced) {
        return Err(Error::VersionMismatch { expected, found });
    }
    let target = sdl::declare(sdl, stored.as_ref()).map_err(Error::Schema)?;
    let changes = difference::between(&previous, &target);
    if changes.is_empty() {
        let changes = announced.take().unwrap_or_default();
        return Ok(Try::Done(Applied { version: previous.version, changes, backfilled: 0 }));
    }
    // It is gone because of somebody else, whose schema must not be undone.
    if let Some(expected) = gone {
        return Err(Error::VersionMismatch { expected, found });
    }
    refuse_breaking(&changes, options)?;
    let conform = work::tightened(&previous, &target);
    let look = Backfill { node, database, board, target: &target, work: Version(0) };
    for id in &conform {
        let collection = target.collection(*id).expect("what is tightened is in the target");
        look.look(collection).await.map_err(|stop| refused(stop, &changes))?;
    }
    if options.dry_run {
        for collection in &target.collections {
            if collection.indexes.iter().any(|index| index.unique && !index.ready) {
                look.look_for_twins(collection).await.map_err(|stop| refused(stop, &changes))?;
            }
        }
        return Ok(Try::Done(Applied { version: target.version, changes, backfilled: 0 }));
    }
    let drop_collections = work::dropped_collections(&previous, &target);
    let drop_indexes = work::dropped_indexes(&previous, &target);
    let builds =
        !conform.is_empty() || target.collections.iter().flat_map(|each| &each.indexes).any(|index| !index.ready);
    let build = builds.then(|| Build { target: target.clone(), previous: previous.clone(), conform, restores: false });
    let work = Work { build, drop_collections, drop_indexes, runner: Some(node.status().node) };
    if builds {
        cells::put_catalog(&mut transaction, database, &work::meanwhile(&previous, &target));
    } else {
        cells::put_catalog(&mut transaction, database, &target);
        cells::put_history(&mut transaction, database, &target, node.runtime().now_micros());
    }
    cells::put_work(&mut transaction, database, &work);
    match transaction.commit(CommitOptions::default(), deadline).await {
        Ok(_) => {}
        Err(vivarium_consensus::Error::Conflict) => return Ok(Try::Again),
        Err(vivarium_consensus::Error::UnknownOutcome) => {
            *announced = Some(changes);
            return Ok(Try::Again);
        }
        Err(other) => return Err(other.into()),
    }
    match finish(node, database, board).await? {
        Finished::Built(backfilled) if is_applied(node, database, &target).await? => {
            Ok(Try::Done(Applied { version: target.version, changes, backfilled }))
        }
        // Somebody else worked on it too, and took it back: the next try finds why.
        Finished::Built(_) => Ok(Try::Again),
        Finished::TakenBack(sentence) => Err(Error::Refused(sentence)),
    }
}

/// True when a target was applied: whatever came after it, history has it under its version.
async fn is_applied(node: &Node, database: DatabaseId, target: &Catalog) -> Result<bool, Error> {
    let mut transaction = node.begin(Consistency::Strong, deadline()).await?;
    transaction.read_only();
    Ok(cells::remembered(&mut transaction, database, target.version).await?.is_some_and(|sdl| sdl == target.sdl))
}

fn refuse_breaking(changes: &[Change], options: &ApplyOptions) -> Result<(), Error> {
    let breaking: Vec<&Change> = changes.iter().filter(|change| change.safety == Safety::Breaking).collect();
    if breaking.is_empty() || options.force || options.dry_run {
        return Ok(());
    }
    let mut listed: Vec<String> = breaking
        .iter()
        .take(LISTED_MAX)
        .map(|change| format!("{}: {}", change.coordinate, change.description))
        .collect();
    if breaking.len() > LISTED_MAX {
        listed.push(format!("and {} more.", breaking.len() - LISTED_MAX));
    }
    let message = format!(
        "The change is breaking; nothing was applied. Apply it with force if this is meant: {}",
        listed.join(" ")
    );
    Err(Error::Refused(message))
}

fn refused(stop: Stop, changes: &[Change]) -> Error {
    match stop {
        Stop::Misfit(sentence) => {
            Error::Refused(format!("The data does not fit the schema; nothing was applied. {sentence}"))
        }
        Stop::Consensus(error) => error.into(),
        Stop::Superseded => {
            unreachable!("looking at {} changes writes nothing that others could take back", changes.len())
        }
    }
}

/// How the work of a change ends.
enum Finished {
    /// With so many documents written.
    Built(u64),
    /// The previous catalog is back, because of this.
    TakenBack(String),
}

/// Goes on with what a change that was interrupted still has to do. Nothing to do is the rule, and costs one read.
///
/// # Errors
/// Those of the node.
pub async fn resume(node: &Node, database: DatabaseId, board: &Board) -> Result<(), Error> {
    match finish(node, database, board).await? {
        Finished::Built(_) => {}
        Finished::TakenBack(sentence) => tracing::error!(%database, %sentence, "schema change taken back"),
    }
    Ok(())
}

/// Does whatever work is written down.
async fn finish(node: &Node, database: DatabaseId, board: &Board) -> Result<Finished, Error> {
    let mut backfilled = 0;
    let mut misfit = None;
    loop {
        let mut transaction = node.begin(Consistency::Strong, deadline()).await?;
        let Some((work, version)) = cells::work(&mut transaction, database).await? else {
            return Ok(misfit.map_or(Finished::Built(backfilled), Finished::TakenBack));
        };
        drop(transaction);
        let Some(build) = &work.build else {
            clear_away(node, database, &work).await?;
            continue;
        };
        match fill(Backfill { node, database, board, target: &build.target, work: version }, build).await {
            Ok(_) if build.restores => settle(node, database, version, 0, &built(&work, build)).await?,
            Ok(written) => {
                backfilled += written;
                settle(node, database, version, build.target.version, &built(&work, build)).await?;
            }
            Err(Stop::Misfit(sentence)) if build.restores => {
                tracing::error!(%database, %sentence, "a record does not fit the schema that came back");
                settle(node, database, version, 0, &unrestored(&work, build)).await?;
            }
            Err(Stop::Misfit(sentence)) => {
                let back = taken_back(&work, build);
                settle(node, database, version, 0, &back).await?;
                misfit = Some(format!("The data does not fit the schema; nothing was applied. {sentence}"));
            }
            Err(Stop::Superseded) => {}
            Err(Stop::Consensus(error)) => return Err(error.into()),
        }
    }
}

async fn fill(backfill: Backfill<'_>, build: &Build) -> Result<u64, Stop> {
    let mut written = 0;
    for collection in &build.target.collections {
        let unready = collection.indexes.iter().any(|index| !index.ready);
        if unready || build.conform.contains(&collection.id) {
            written += backfill.collection(collection).await?;
        }
    }
    Ok(written)
}

/// What is written when the documents fit, or do not.
struct Settlement {
    catalog: Catalog,
    work: Work,
}

fn built(work: &Work, build: &Build) -> Settlement {
    Settlement { catalog: work::ready(build.target.clone()), work: Work { build: None, ..work.clone() } }
}

fn taken_back(work: &Work, build: &Build) -> Settlement {
    let (previous, target) = (&build.previous, &build.target);
    let mut work = Work {
        build: None,
        drop_collections: work::dropped_collections(target, previous),
        drop_indexes: work::dropped_indexes(target, previous),
        runner: work.runner,
    };
    // A planted bug: what writes have left behind is taken for what the previous catalog says.
    let restoration = work::restoration(previous, target).filter(|_| !mutant("comp-04"));
    let Some(Restoration { catalog, served, conform }) = restoration else {
        return Settlement { catalog: work::taken_back(previous, target), work };
    };
    sometimes("what writes did not keep up is made good after a schema change was taken back");
    work.drop_indexes.extend(work::dropped_indexes(previous, &catalog));
    work.build = Some(Build { target: catalog.clone(), previous: catalog, conform, restores: true });
    Settlement { catalog: served, work }
}

/// The previous catalog as far as it came back: indexes that could not be built are not read.
fn unrestored(work: &Work, build: &Build) -> Settlement {
    Settlement { catalog: build.target.clone(), work: Work { build: None, ..work.clone() } }
}

/// Writes a settlement, unless somebody else settled before. `remembered` is the version that goes into history, or 0.
async fn settle(
    node: &Node,
    database: DatabaseId,
    version: Version,
    remembered: u32,
    settlement: &Settlement,
) -> Result<(), Error> {
    for _ in 0..TRIES_MAX {
        let deadline = deadline();
        let mut transaction = node.begin(Consistency::Strong, deadline).await?;
        match cells::work(&mut transaction, database).await? {
            Some((_, found)) if found == version => {}
            _ => return Ok(()),
        }
        cells::put_catalog(&mut transaction, database, &settlement.catalog);
        if remembered > 0 {
            cells::put_history(&mut transaction, database, &settlement.catalog, node.runtime().now_micros());
        }
        cells::put_work(&mut transaction, database, &settlement.work);
        match transaction.commit(CommitOptions::default(), deadline).await {
            Ok(_) => return Ok(()),
            Err(vivarium_consensus::Error::Conflict | vivarium_consensus::Error::UnknownOutcome) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(Error::Consensus(vivarium_consensus::Error::Conflict))
}

/// Removes documents and entries that no catalog speaks of, then forgets the work.
async fn clear_away(node: &Node, database: DatabaseId, work: &Work) -> Result<(), Error> {
    for id in &work.drop_collections {
        backfill::clear_collection(node, database, *id).await?;
    }
    for id in &work.drop_indexes {
        backfill::clear_index(node, database, *id).await?;
    }
    for _ in 0..TRIES_MAX {
        let deadline = deadline();
        let mut transaction = node.begin(Consistency::Strong, deadline).await?;
        // Another change may have begun since only if this work was done by somebody else.
        match cells::work(&mut transaction, database).await? {
            Some((found, _)) if found.build.is_none() && found.drop_indexes == work.drop_indexes => {}
            _ => return Ok(()),
        }
        let done = Work { build: None, drop_collections: Vec::new(), drop_indexes: Vec::new(), runner: None };
        cells::put_work(&mut transaction, database, &done);
        match transaction.commit(CommitOptions::default(), deadline).await {
            Ok(_) => return Ok(()),
            Err(vivarium_consensus::Error::Conflict | vivarium_consensus::Error::UnknownOutcome) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(Error::Consensus(vivarium_consensus::Error::Conflict))
}
