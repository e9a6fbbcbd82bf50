//! Arbitrary bytes as an RDB; what of it is sound is written again, in the version asked for by the first byte and in
//! the least that loses nothing, and read again: the same content.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repltool::rdb::{
    Checksum, Collector, Decoder, Dedup, Depth, Entry, Format, Header, Needs, Target, Value, Whole, WriteError, Writer,
    dump_payload, restore,
};

fn read(bytes: &[u8]) -> Option<Vec<Whole>> {
    let mut records = Vec::new();
    let mut decoder = Decoder::new(Collector::new(64 << 20, |whole| records.push(whole)), Depth::Full);
    let sound = decoder.push(bytes).is_ok_and(|progress| progress.ended);
    drop(decoder);
    sound.then_some(records)
}

/// The content, without the order that does not count and with what a version without it would have made up.
fn content(entry: &Entry) -> String {
    let mut entry = entry.clone();
    match &mut entry.value {
        Value::Set(members) => members.sort(),
        Value::SortedSet(members) => {
            // As text there is one NaN.
            members.iter_mut().filter(|(_, score)| score.is_nan()).for_each(|(_, score)| *score = f64::NAN);
            members.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        }
        Value::Hash(fields) => {
            for field in fields.iter_mut() {
                // Where no expiry is -1, the millisecond before stands for it.
                field.expires_at_ms = field.expires_at_ms.map(|time| if time == -1 { -2 } else { time });
            }
            fields.sort_by(|a, b| (&a.name, &a.value, a.expires_at_ms).cmp(&(&b.name, &b.value, b.expires_at_ms)));
        }
        Value::Stream(stream) => {
            stream.dedup = stream.dedup.take().filter(|dedup| *dedup != Dedup::default());
            stream.complete();
        }
        _ => {}
    }
    format!("{entry:?}")
}

/// Writes all of it.
fn write(records: &[Whole], target: Target) -> Result<(Vec<u8>, Needs), WriteError> {
    let mut writer = Writer::new(Vec::new(), target)?;
    for record in records {
        match record {
            Whole::Aux(key, value) => writer.aux(key, value)?,
            Whole::Function(code) => writer.function(code)?,
            Whole::Select(db) => writer.select(*db as u32)?,
            Whole::Resize(keys, expires) => writer.resize(*keys, *expires)?,
            Whole::Slot { slot, keys, expires } => writer.slot_info(*slot, *keys, *expires, None)?,
            Whole::ModuleAux { id, when, parts } => writer.module_aux(*id, *when, parts)?,
            Whole::SlotImport { job, ranges } => writer.slot_import(job, ranges)?,
            Whole::Update(arguments) => writer.update(arguments)?,
            Whole::Key(entry) => writer.value(&entry.meta(), &entry.value)?,
            Whole::Header(_) | Whole::TooLarge { .. } | Whole::End(_) => {}
        }
    }
    let lost = writer.lost();
    Ok((writer.finish()?, lost))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rdb)) = bytes.split_first() else { return };
    let Some(records) = read(rdb) else { return };
    let entries = |records: &[Whole]| -> Vec<String> {
        let key = |whole: &Whole| match whole {
            Whole::Key(entry) => Some(content(entry)),
            _ => None,
        };
        records.iter().filter_map(key).collect()
    };
    let chosen = match choice & 0x3f {
        version @ 0..15 => Header { format: Format::Redis, version: u16::from(version) + 1 },
        version => Header { format: Format::Valkey, version: 80 + u16::from(version & 1) },
    };
    let mut needs = Needs::default();
    for record in &records {
        if let Whole::Key(entry) = record {
            needs.merge(entry.needs());
        }
    }
    let lossless = [Format::Redis, Format::Valkey].into_iter().filter_map(|format| needs.lossless(format).ok());
    for header in std::iter::once(chosen).chain(lossless) {
        let target = Target { header, compress: choice & 0x40 == 0, checksum: choice & 0x80 == 0 };
        let Ok((written, lost)) = write(&records, target) else { continue };
        let again = read(&written).expect("what was written is sound");
        let end = if header.version < 5 {
            Checksum::Absent
        } else if target.checksum {
            Checksum::Ok
        } else {
            Checksum::Off
        };
        assert_eq!(again.last(), Some(&Whole::End(end)));
        if needs.missing(header).next().is_none() {
            assert_eq!(entries(&again), entries(&records), "{header}");
        }
        assert!(lost.iter().all(|need| !need.is_hard()));
    }
    for record in &records {
        let Whole::Key(entry) = record else { continue };
        let Ok(payload) = dump_payload(&entry.value, Target::new(chosen)) else { continue };
        let restored = restore(&payload, usize::MAX).expect("what was dumped is restored");
        if entry.value.needs().missing(chosen).next().is_none() {
            let again = Entry { value: restored, ..entry.clone() };
            assert_eq!(content(&again), content(entry), "{chosen}");
        }
    }
});
