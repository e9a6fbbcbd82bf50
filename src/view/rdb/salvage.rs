//! `rdb salvage`: what was kept and what was lost.

use serde_json::{Value, json};

use super::super::amount::{count, size};
use super::super::terminal;
use super::{bytes_value, checksum_word};
use crate::bounds::MAX_LOSSES_LISTED;
use crate::rdb::{Checksum, Loss, Salvaged};

/// Losses that text lists one by one.
const SHOWN: usize = 100;

/// Bytes of a lost key's name that are shown.
const NAME: usize = 256;

/// Collects losses, [`MAX_LOSSES_LISTED`] at most.
#[derive(Debug, Default)]
pub struct Losses(Vec<Loss>);

impl Losses {
    /// One more.
    pub fn add(&mut self, mut loss: Loss) {
        if self.0.len() < MAX_LOSSES_LISTED {
            if let Some(key) = &mut loss.key {
                key.truncate(NAME);
            }
            self.0.push(loss);
        }
    }

    /// Whether anything was lost, or may be other than it was.
    #[must_use]
    pub fn verdict(told: &Salvaged) -> bool {
        told.losses > 0 || told.header_assumed || matches!(told.checksum, Some(Checksum::Bad { .. }))
    }

    /// The object of `-f json`.
    #[must_use]
    pub fn to_json(&self, told: &Salvaged, output: &str) -> Value {
        json!({
            "schema": 1,
            "output": output,
            "header": told.header.to_string(),
            "header_assumed": told.header_assumed,
            "keys": told.keys,
            "records": told.records,
            "bytes": told.bytes,
            "checksum": told.checksum.map(checksum_word),
            "lost": self.0.iter().map(|loss| json!({
                "offset": loss.offset,
                "bytes": loss.bytes,
                "record": loss.record,
                "key": loss.key.as_deref().map(bytes_value),
                "reason": loss.reason,
            })).collect::<Vec<_>>(),
            "losses": told.losses,
            "lost_bytes": told.lost_bytes,
            "uncertain_keys": told.uncertain_keys,
            "trailing_bytes": told.trailing,
            "gave_up": told.gave_up,
        })
    }

    /// The same for people.
    #[must_use]
    pub fn to_text(&self, told: &Salvaged, input: &str, output: &str) -> String {
        let name = |name: &str| terminal::safe(name.as_bytes());
        let lost = match told.losses {
            0 => "nothing was lost".to_owned(),
            1 => format!("lost: {}", count(told.lost_bytes, "byte")),
            places => format!("lost: {} in {places} places", count(told.lost_bytes, "byte")),
        };
        let mut text = format!("{}: {lost}\n", name(input));
        for loss in self.0.iter().take(SHOWN) {
            let place = match loss.bytes {
                0 => format!("at byte {}", loss.offset),
                bytes => format!("{} from byte {} on", count(bytes, "byte"), loss.offset),
            };
            let record = loss.record.map_or_else(String::new, |record| format!(", {record} record"));
            let key = loss.key.as_ref().map_or_else(String::new, |key| {
                let mut quoted = Vec::new();
                terminal::push_word(&mut quoted, key, false);
                format!(", key {}", String::from_utf8_lossy(&quoted))
            });
            text += &format!("  {place}{record}{key}: {}\n", loss.reason);
        }
        let more = told.losses.saturating_sub(self.0.len().min(SHOWN) as u64);
        if more > 0 {
            text += &format!("  and {} more (-f json lists {MAX_LOSSES_LISTED})\n", count(more, "place"));
        }
        if told.header_assumed {
            text += &format!("The header could not be read; {} was taken for it.\n", told.header);
        }
        if let Some(Checksum::Bad { stored, computed }) = told.checksum {
            text += &format!(
                "The checksum was {stored:016x}, the bytes give {computed:016x}: all records are sound, but some byte of \
                 some value may be altered.\n"
            );
        }
        if told.uncertain_keys > 0 {
            text += &format!(
                "If a SELECTDB was lost, {} behind a loss may be of another database.\n",
                count(told.uncertain_keys, "key")
            );
        }
        if told.gave_up {
            text += "The search was given up for its cost; there may be more to find.\n";
        }
        text += &format!("{}: {}, {} in {}\n", name(output), told.header, count(told.keys, "key"), size(told.bytes));
        text
    }
}
