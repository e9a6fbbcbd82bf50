//! What is made from the command line's definition: completions and man pages.

use std::io::Write;

use anyhow::bail;
use clap_complete::Shell;

use super::Exit;
use super::args::command;

pub(super) fn completions(shell: Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "repltool", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Exit::Fine)
}

pub(super) fn man(name: Option<&str>) -> anyhow::Result<Exit> {
    let mut all = command();
    all.build();
    let page = match name {
        None => all,
        Some(name) => {
            let Some(found) = all.find_subcommand(name) else {
                bail!("there is no command \"{name}\"; repltool --help lists those there are");
            };
            found.clone()
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    std::io::stdout().lock().write_all(&text)?;
    Ok(Exit::Fine)
}
