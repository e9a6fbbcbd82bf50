//! The `repltool` program: see the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    repltool::cli::main()
}
