//! The command line: one file a command. Words for people on standard error, data on standard output.

pub mod caret;
mod check;
mod client;
mod cluster;
mod demo;
mod exit;
mod explain;
mod export;
mod import;
pub mod output;
mod schema;
mod serve;
mod status;

pub use client::Client;
pub use exit::{Exit, Failure, sentence};

use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// A GraphQL-first database.
#[derive(Parser)]
#[command(name = "vivarium", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 damage or differences found, 2 wrong usage or configuration, 3 no server \
                          reached, 4 refused by the server, 5 data folder locked, foreign or damaged, 6 address not \
                          available, 7 the node stopped by itself, 8 a local file cannot be read or written.";

#[derive(Subcommand)]
enum Command {
    /// Serve a data folder
    Serve(serve::Serve),
    /// Serve a small shop to try things on, in a folder of its own
    Demo(demo::Demo),
    /// Form a cluster, look at it, and change it
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// Look at and change the schema of a server
    #[command(subcommand)]
    Schema(schema::Schema),
    /// Create records from files, one record a line
    Import(import::Import),
    /// Write records to files, one record a line, as `import` reads them
    Export(export::Export),
    /// Verify a data folder that no server has open: every checksum, every index
    Check(check::Check),
    /// Show how an operation would be executed
    Explain(explain::Explain),
    /// Show what a server's node knows of itself
    Status(status::Status),
}

/// Which server a command speaks to.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// Where the server listens
    #[arg(long, env = "VIVARIUM_URL", value_name = "URL", default_value = "http://127.0.0.1:4000")]
    pub url: String,
}

/// Parses the command line, runs the command, tells what it could not do.
pub fn run() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Cluster(cluster) => cluster.run(),
        Command::Schema(schema) => schema.run(),
        Command::Import(import) => import.run(),
        Command::Export(export) => export.run(),
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Status(status) => status.run(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                output::say(&format!("error: {failure}"));
            }
            failure.exit.into()
        }
    }
}
