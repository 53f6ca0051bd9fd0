//! `vivarium-sim`: the driver of simulated runs, and the worker that it starts once per seed.

use std::process::ExitCode;

fn main() -> ExitCode {
    vivarium_simtests::driver::main()
}
