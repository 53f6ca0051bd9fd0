//! `vivarium serve`.

use super::Failure;
use crate::config::{Flags, Settings};
use crate::schema_file::SchemaFile;
use crate::serve;
use clap::Args;

/// Where data goes when nothing is said.
const DATA_DEFAULT: &str = "./vivarium-data";

/// Serve a data folder.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    /// Serves until a signal.
    ///
    /// # Errors
    /// Wrong settings, and those of [`serve::run`].
    pub fn run(self) -> Result<(), Failure> {
        let settings = Settings::resolve(self.flags, DATA_DEFAULT)?;
        let schema = settings.schema.as_deref().map(SchemaFile::read).transpose()?;
        serve::run(settings, schema, None)
    }
}
