//! The `vivarium` binary: reads the command line, runs one command, exits with that command's code.

mod admin;
mod cli;
mod config;
mod ends;
mod export;
mod hosted;
mod http;
mod import;
mod logging;
mod metrics;
mod operations;
mod schema_file;
mod serve;

/// Requests allocate many small buffers on many threads, which is what mimalloc is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
