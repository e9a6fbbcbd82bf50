//! `repltool replay --to` and `--listen`: a capture, played with real servers, one after the other.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::args::{Format, PartArg, ReplayArgs};
use super::replay::{out, what_if};
use super::{Exit, say};
use crate::capture::CaptureWriter;
use crate::repl::replica::Credentials;
use crate::replay::{Cut, Director, Partner, Played, RunError, Speed, Story, Target, Verdict, Witness, show};
use crate::view::report::Look;

/// Whether a real server has one of the sides.
///
/// # Errors
/// `--as` names the side that the real server has.
pub(super) fn is_meant(args: &ReplayArgs) -> anyhow::Result<bool> {
    match args.part {
        Some(PartArg::Master) if !args.to.is_empty() => {
            bail!("--to plays the replica's side to a real master: --as replica")
        }
        Some(PartArg::Replica) if !args.listen.is_empty() => {
            bail!("--listen plays the master's side to a real replica: --as master")
        }
        Some(_) if what_if(args).is_of_time() || args.cut_at.iter().any(|cut| matches!(cut, Cut::Rdb(_))) => {
            bail!(
                "--delay, --bandwidth, --repl-timeout, --client-output-buffer-limit and --cut-at rdb: are for embedded servers"
            )
        }
        part => Ok(part.is_some()),
    }
}

/// Plays the story with each of the real servers, and tells what came of it.
pub(super) fn run(
    story: &mut Story,
    writer: Option<CaptureWriter>,
    args: &ReplayArgs,
    stop: &AtomicBool,
    look: Look,
) -> anyhow::Result<Exit> {
    let witness = Witness::new(writer)?;
    let (word, places) = if args.to.is_empty() { ("listen", &args.listen) } else { ("to", &args.to) };
    // Before anybody is kept waiting for a name that does not resolve.
    let listens = args.listen.iter().map(|place| place.address().with_context(|| format!("--listen {place}")));
    let listens = listens.collect::<anyhow::Result<Vec<SocketAddr>>>()?;
    let mut plays = Vec::new();
    for (number, place) in places.iter().enumerate() {
        match play(story, &witness, args, stop, (place, listens.get(number))) {
            Ok(played) => plays.push(Ok(played)),
            // The others are tried all the same.
            Err(RunError::Unreachable(place, error)) if places.len() > 1 => {
                let sentence = RunError::Unreachable(place, error).to_string();
                say(&sentence);
                plays.push(Err(sentence));
            }
            Err(error @ RunError::Unreachable(..)) => return Err(error.into()),
            Err(error) => {
                // What was written until then can be read.
                witness.finish()?;
                return Err(error).with_context(|| args.capture.display().to_string());
            }
        }
    }
    let seen = witness.finish()?;
    let (mut objects, mut text) = (Vec::new(), String::new());
    let (mut reproduced, mut trouble) = (true, false);
    for (place, played) in places.iter().zip(plays) {
        let (server, verdict) = match played {
            Ok(played) => (played.server, Verdict::new(story, played, &seen)),
            Err(sentence) => {
                (reproduced, trouble) = (false, true);
                objects.push(json!({word: place.to_string(), "error": sentence, "reproduced": false}));
                text += &format!("{word} {place}: {sentence}\n");
                continue;
            }
        };
        reproduced &= verdict.reproduced;
        let server = server.map(|server| server.to_string());
        text += &format!("{word} {place}, {}\n", server.as_deref().unwrap_or("a server that does not tell what it is"));
        text += &show::verdict_text(&verdict, look);
        let mut object = show::verdict_json(&verdict);
        if let Value::Object(fields) = &mut object {
            fields.insert(word.to_owned(), place.to_string().into());
            fields.insert("server".to_owned(), server.into());
        }
        objects.push(object);
    }
    let mut out = out(args);
    match (args.format.chosen(), objects.as_slice()) {
        (Format::Json, [only]) => writeln!(out, "{only}")?,
        (Format::Json, _) => {
            writeln!(out, "{}", json!({"schema": 1, "targets": objects, "reproduced": reproduced}))?;
        }
        (Format::Text, _) => out.write_all(text.as_bytes())?,
    }
    Ok(match (trouble, reproduced) {
        (true, _) => Exit::Trouble,
        (false, true) => Exit::Fine,
        (false, false) => Exit::Negative,
    })
}

/// Plays the story with one real server: that at the place, or one that comes to the address.
fn play(
    story: &mut Story,
    witness: &Witness,
    args: &ReplayArgs,
    stop: &AtomicBool,
    (place, address): (&Target, Option<&SocketAddr>),
) -> Result<Played, RunError> {
    let credentials = args.masterauth.clone().map(|password| Credentials { user: args.masteruser.clone(), password });
    let partner = Partner { credentials, place: place.clone() };
    let director = Director::new(story, witness.clone(), args.speed.unwrap_or(Speed::Full), what_if(args), stop);
    let Some(address) = address else { return director.play_to_master(&partner) };
    director.play_to_replica(*address, &partner, |address| {
        let _ = writeln!(std::io::stderr().lock(), "{}", invitation(address));
    })
}

/// What somebody has to do so that the replica comes.
fn invitation(address: SocketAddr) -> String {
    let host = if address.ip().is_unspecified() { "THIS-HOST".to_owned() } else { address.ip().to_string() };
    format!("listening on {address}: tell the replica REPLICAOF {host} {}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_names_what_can_be_connected_to() {
        let said = |address: &str| invitation(address.parse().unwrap());
        assert_eq!(said("127.0.0.1:7000"), "listening on 127.0.0.1:7000: tell the replica REPLICAOF 127.0.0.1 7000");
        assert_eq!(said("0.0.0.0:7000"), "listening on 0.0.0.0:7000: tell the replica REPLICAOF THIS-HOST 7000");
        assert_eq!(said("[::1]:7000"), "listening on [::1]:7000: tell the replica REPLICAOF ::1 7000");
    }
}
