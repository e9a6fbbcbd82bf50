//! The files in completions/ are what the binary prints, and README's test command is what CI runs.
//!
//! `UPDATE_COMPLETIONS=1 cargo test --test completions` writes the files anew.

use std::fs;
use std::path::Path;
use std::process::Command;

const FILES: [(&str, &str); 5] = [
    ("bash", "repltool.bash"),
    ("zsh", "_repltool"),
    ("fish", "repltool.fish"),
    ("powershell", "_repltool.ps1"),
    ("elvish", "repltool.elv"),
];

fn stdout(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_repltool")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_are_the_binarys() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (shell, name) in FILES {
        let made = stdout(&["completions", shell]);
        let path = folder.join(name);
        if std::env::var_os("UPDATE_COMPLETIONS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &made).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == made,
            "completions/{name} is not what `repltool completions {shell}` prints: UPDATE_COMPLETIONS=1"
        );
    }
}

#[test]
fn every_command_has_a_man_page() {
    for command in [None, Some("sniff"), Some("report"), Some("extract"), Some("rdb"), Some("completions"), Some("man")]
    {
        let mut arguments = vec!["man"];
        arguments.extend(command);
        let page = stdout(&arguments);
        assert!(page.contains(".SH SYNOPSIS"), "{command:?}");
    }
}

#[test]
fn ci_runs_readmes_test_command() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let script = read(".ci/run");
    let command = script.lines().last().unwrap();
    assert!(command.contains("cargo test"));
    assert!(read("README.md").lines().any(|line| line == command), "README.md lacks the line\n{command}");
}
