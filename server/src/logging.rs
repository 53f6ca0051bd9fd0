//! Where tracing goes: to standard error, as text for a person or as JSON for a collector.

use crate::cli::{Exit, Failure};
use crate::config::{LogFormat, LogSettings};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Installs the process's one subscriber.
///
/// # Errors
/// A failure when the filter cannot be read.
pub fn install(settings: &LogSettings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| {
        Failure::new(Exit::Usage, format!("The log filter \"{}\" cannot be read: {error}.", settings.filter))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Told on standard error, too: when nobody reads that any more, telling it would be a panic.
        .log_internal_errors(false);
    match settings.format {
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
        LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).init(),
    }
    Ok(())
}
