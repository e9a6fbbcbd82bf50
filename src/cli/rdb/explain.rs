//! `repltool rdb explain`: the record at a byte, or the list of records.

use anyhow::bail;

use super::source::{Taker, feed};
use super::{Exit, finish, output, print};
use crate::cli::args::{Format, RdbExplainArgs};
use crate::rdb::{Explainer, RdbError};
use crate::view::output::Output;
use crate::view::rdb::{Explanation, listed_json, listed_text};

/// So many bytes are taken before the records in them are written.
const PORTION: usize = 16 << 10;

struct Explaining {
    explainer: Explainer,
    error: Option<RdbError>,
    /// Where the list goes, in which form, and how many lines are still wanted.
    list: Option<(Output, Format)>,
    left: u64,
}

impl Explaining {
    fn write_list(&mut self) {
        let Some((output, format)) = &mut self.list else { return };
        for listed in self.explainer.take_list() {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let line = match format {
                Format::Text => listed_text(&listed),
                Format::Json => listed_json(&listed).to_string(),
            };
            output.buffer().extend_from_slice(line.as_bytes());
            output.end_line();
        }
    }
}

impl Taker for Explaining {
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for portion in bytes.chunks(PORTION) {
            if self.is_done() {
                return bytes.len();
            }
            let pushed = self.explainer.push(portion);
            self.write_list();
            match pushed {
                Ok(progress) => {
                    taken += progress.consumed;
                    if progress.ended {
                        return taken;
                    }
                }
                Err(error) => {
                    self.error = Some(error);
                    return bytes.len();
                }
            }
        }
        bytes.len()
    }

    fn keys(&self) -> Option<u64> {
        Some(self.explainer.keys())
    }

    fn prints(&self) -> bool {
        self.list.is_some()
    }

    fn is_done(&self) -> bool {
        self.explainer.is_done() || self.error.is_some() || (self.list.is_some() && self.left == 0)
    }
}

pub(super) fn run(args: &RdbExplainArgs) -> anyhow::Result<Exit> {
    let format = args.format.chosen();
    let mut explaining = match args.offset {
        Some(offset) => {
            if args.limit.is_some() {
                bail!("--limit is about the list of records, which is given without --offset");
            }
            Explaining { explainer: Explainer::new(offset), error: None, list: None, left: 0 }
        }
        None => {
            let mut output = output();
            if format == Format::Text {
                output.buffer().extend_from_slice(b"    offset      bytes  record                db  key");
                output.end_line();
            }
            let list = Some((output, format));
            Explaining { explainer: Explainer::list(), error: None, list, left: args.limit.unwrap_or(u64::MAX) }
        }
    };
    feed(&args.source, &mut explaining)?;
    let name = args.source.file.display().to_string();
    let Explaining { explainer, error, list, left } = explaining;
    let damage = match &error {
        Some(error) => Some((error.offset, error.fault.to_string())),
        None if explainer.ended() || explainer.is_done() || (list.is_some() && left == 0) => None,
        None => Some((explainer.offset(), "the input ends before the RDB does".to_owned())),
    };
    let record = explainer.explained();
    let explanation = Explanation {
        file: &name,
        offset: args.offset,
        bytes: explainer.offset(),
        ended: explainer.ended(),
        record: &record,
        damage: damage.clone(),
    };
    match list {
        Some((mut output, _)) => {
            finish(&mut output)?;
            if let Some((offset, reason)) = damage {
                bail!("{name}: corrupt at byte {offset}: {reason}; --offset {offset} shows what is there");
            }
        }
        None => {
            match format {
                Format::Text => print(explanation.to_text().trim_end())?,
                Format::Json => print(&explanation.to_json().to_string())?,
            }
            // Damage is in the answer; it counts as everywhere.
            if !explanation.is_found() || explanation.damage.is_some() {
                return Ok(Exit::Trouble);
            }
        }
    }
    Ok(Exit::Fine)
}
