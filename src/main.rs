//! The `repltool` program.

fn main() {}
