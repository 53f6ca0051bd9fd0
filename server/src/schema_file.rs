//! A schema that is applied when the server starts, and again when its file changes.

use crate::cli::{Exit, Failure, caret, output};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vivarium_consensus::Error as NodeError;
use vivarium_schema::Database;
use vivarium_schema::database::{self, ApplyOptions};

/// How often `--dev` looks at its schema file: two looks are as fast as a person expects.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// A schema to apply before serving: a file's or one that is built in.
pub struct SchemaFile {
    /// Its name, for messages.
    pub name: String,
    /// Its text.
    pub sdl: String,
    /// Applied only to a database without a schema: later changes of it are the user's.
    pub only_first: bool,
}

/// Why a start does not go on.
pub enum Hold {
    /// The cluster cannot do it now: it is tried again.
    Wait(NodeError),
    /// It will not do it.
    Fail(Failure),
}

impl Hold {
    /// What waiting may mend, and what it does not.
    pub fn of(error: database::Error, fail: impl FnOnce(&database::Error) -> Failure) -> Hold {
        match error {
            database::Error::Consensus(
                below @ (NodeError::Unavailable { .. }
                | NodeError::Reopened
                | NodeError::DeadlineExceeded
                | NodeError::Conflict
                | NodeError::UnknownOutcome),
            ) => Hold::Wait(below),
            error => Hold::Fail(fail(&error)),
        }
    }
}

impl SchemaFile {
    /// Reads a file.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read(path: &Path) -> Result<SchemaFile, Failure> {
        let sdl = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
        Ok(SchemaFile { name: path.display().to_string(), sdl, only_first: false })
    }

    /// Makes it the schema. One that is there already changes nothing, so that it may be applied again.
    ///
    /// # Errors
    /// [`Hold`].
    pub async fn apply(&self, database: &Database) -> Result<(), Hold> {
        if self.only_first {
            let schema = database.schema().await;
            let (_, version) = schema.map_err(|error| Hold::of(error, |error| self.refused(error)))?;
            if version > 0 {
                return Ok(());
            }
        }
        let applied = database.apply_schema(&self.sdl, ApplyOptions::default()).await;
        let applied = applied.map_err(|error| Hold::of(error, |error| self.refused(error)))?;
        if !applied.changes.is_empty() {
            tracing::info!(schema = self.name, version = applied.version, "schema applied");
        }
        Ok(())
    }

    fn refused(&self, error: &database::Error) -> Failure {
        let message = match error {
            database::Error::Schema(errors) => {
                let places: Vec<_> = errors.iter().map(caret::Place::from).collect();
                caret::render(&self.name, &self.sdl, &places)
            }
            database::Error::Refused(reason) => format!(
                "{}: {reason}\nStart without --schema and make the change with `vivarium schema apply --force` if you \
                 mean it.",
                self.name
            ),
            error => format!("{}: {error}.", self.name),
        };
        Failure::new(Exit::Refused, message)
    }
}

/// Applies the schema file again whenever it says something else than `seen`, what was applied last. A wrong file is told
/// and the old schema stays.
pub async fn watch(path: PathBuf, mut seen: String, database: Database) {
    // What the last look found: a file that is just being written is looked at once more.
    let mut found = None;
    let mut told = None;
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let schema = match SchemaFile::read(&path) {
            Ok(schema) => schema,
            // Some editors take a file away before they put the new one there.
            Err(_) if !path.exists() => continue,
            Err(failure) => {
                if told.as_ref() != Some(&failure.message) {
                    output::say(&failure.message);
                    told = Some(failure.message);
                }
                continue;
            }
        };
        told = None;
        if schema.sdl == seen || found.as_ref() != Some(&schema.sdl) {
            found = Some(schema.sdl);
            continue;
        }
        match schema.apply(&database).await {
            // Not seen yet: the next look tries again.
            Err(Hold::Wait(error)) => {
                tracing::warn!(%error, "the schema cannot be applied now");
                continue;
            }
            Err(Hold::Fail(failure)) => output::say(&failure.message),
            Ok(()) => {}
        }
        seen = schema.sdl;
    }
}
