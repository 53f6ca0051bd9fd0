//! The `vivarium` binary: reads the command line, runs one command, exits with that command's code.

mod admin;
mod cli;
mod config;
mod export;
mod http;
mod import;
mod logging;
mod metrics;
mod serve;

/// Requests allocate many small buffers on many threads, which is what mimalloc is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
