//! `rdb info` for people: what a dump holds, in the order of the questions: what is it, what fills it, what expires, which
//! keys are the big ones, how are they named.

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::details::{SIZES, Tally, size_end};
use super::prefixes::Branch;
use super::{Big, Info};
use crate::rdb::Format;
use crate::view::amount::{count, size};
use crate::view::rdb::checksum_word;
use crate::view::report::Look;
use crate::view::report::table::page::Page;
use crate::view::terminal;
use crate::view::time::utc;

/// Cells of a bar for all of it.
const BAR: u64 = 24;

/// Blanks between columns.
const BETWEEN: u16 = 2;

/// The most databases that have a row.
const DATABASES_SHOWN: usize = 16;

/// The most lines of the tree of prefixes.
const LINES: usize = 24;

/// The most branches that are shown below one.
const BRANCHES: usize = 8;

/// How deep the tree is shown.
const DEPTH: usize = 4;

/// The longest name in a table, in columns.
const NAME: usize = 64;

/// Draws all of it. `bytes` are those of the RDB, `trailing` those that follow it.
pub(super) fn draw(info: &Info, name: &str, bytes: u64, trailing: u64, look: Look) -> String {
    let mut page = Page::new(look);
    let version = info.header.map_or_else(|| "no header".to_owned(), |header| header.to_string());
    let functions = match info.functions {
        0 => String::new(),
        1 => ", 1 function library".to_owned(),
        many => format!(", {many} function libraries"),
    };
    page.heading(&format!(
        "{}: {version}, {}, {} in {}{functions}, {}",
        terminal::safe(name.as_bytes()),
        size(bytes),
        count(info.keys, "key"),
        count(info.databases.len() as u64, "database"),
        info.checksum
            .map_or_else(|| "cut or damaged".to_owned(), |checksum| format!("checksum {}", checksum_word(checksum))),
    ));
    facts(&mut page, info);
    expiry(&mut page, info);
    if trailing > 0 {
        page.field("behind it", &format!("{} that are not the RDB's", count(trailing, "byte")));
    }
    if info.keys == 0 {
        return page.finish();
    }
    databases(&mut page, info);
    for (title, named) in [("type", &info.details.types), ("encoding", &info.details.encodings)] {
        shares(&mut page, title, info, named.sorted().iter().map(|(name, tally)| ((*name).to_owned(), *tally)));
    }
    sizes(&mut page, info);
    biggest(&mut page, &info.biggest());
    prefixes(&mut page, info);
    page.finish()
}

/// The AUX fields in words.
fn facts(page: &mut Page, info: &Info) {
    let find = |name: &str| info.aux.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice());
    let number = |name: &str| std::str::from_utf8(find(name)?).ok()?.parse::<i64>().ok();
    let text = |name: &str| find(name).map(terminal::safe);
    let mut written = Vec::new();
    if let Some(time) = info.details.written.and_then(utc) {
        written.push(time);
    }
    if let Some(version) = text("redis-ver").map(|version| format!("by Redis {version}")) {
        written.push(version);
    }
    if let Some(version) = text("valkey-ver").map(|version| format!("by Valkey {version}")) {
        written.push(version);
    }
    if let Some(bits) = text("redis-bits") {
        written.push(format!("of {bits} bits"));
    }
    if let Some(used) = number("used-mem").and_then(|used| u64::try_from(used).ok()) {
        written.push(format!("with {} of memory in use", size(used)));
    }
    if !written.is_empty() {
        page.field("written", &written.join(" "));
    }
    if let Some(id) = text("repl-id") {
        let offset = text("repl-offset").map_or_else(String::new, |offset| format!(", offset {offset}"));
        let db = match number("repl-stream-db") {
            None => String::new(),
            Some(-1) => ", no database selected in the stream".to_owned(),
            Some(db) => format!(", database {db} selected in the stream"),
        };
        page.field("stream", &format!("replid {id}{offset}{db}"));
    }
    if [find("aof-base"), find("aof-preamble")].contains(&Some(b"1")) {
        page.field("AOF", "it is the base of an append-only file");
    }
    let scripts = info.aux.iter().filter(|(key, _)| key == b"lua").count() as u64;
    if scripts > 0 {
        page.field("scripts", &format!("{} for EVALSHA", count(scripts, "Lua script")));
    }
    const KNOWN: [&str; 11] = [
        "redis-ver",
        "valkey-ver",
        "redis-bits",
        "ctime",
        "used-mem",
        "repl-id",
        "repl-offset",
        "repl-stream-db",
        "aof-base",
        "aof-preamble",
        "lua",
    ];
    let slots = info.aux.iter().filter(|(key, _)| key == b"slot-info").count() as u64;
    if slots > 0 {
        page.field("cluster", &format!("sizes of {}", count(slots, "slot")));
    }
    for (key, value) in &info.aux {
        let known = KNOWN.iter().any(|known| known.as_bytes() == key) || key == b"slot-info";
        if !known {
            page.field("aux", &format!("{} = {}", terminal::safe(key), terminal::safe(value)));
        }
    }
}

fn expiry(page: &mut Page, info: &Info) {
    let Some((nearest, farthest)) = info.details.expiries else { return };
    let relative = |time: i64| {
        let time_text = utc(time).unwrap_or_else(|| format!("{time} ms since 1970"));
        match info.details.written {
            Some(written) if time > written => format!("{time_text} (in {})", span((time - written).unsigned_abs())),
            Some(written) => format!("{time_text} ({} before the dump)", span(written.abs_diff(time))),
            None => time_text,
        }
    };
    let which = if info.expires == 1 {
        relative(nearest)
    } else {
        format!("nearest {}, farthest {}", relative(nearest), relative(farthest))
    };
    let expired = match info.details.expired {
        0 => String::new(),
        expired => format!("; {expired} had expired already when the dump was written"),
    };
    page.field("expiry", &format!("{} of {}: {which}{expired}", info.expires, count(info.keys, "key")));
}

/// A time's length for people, in its two greatest units.
fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) if days < 1000 => format!("{days} d {hours} h"),
        (days, ..) => format!("{} years", days / 365),
    }
}

fn databases(page: &mut Page, info: &Info) {
    if info.databases.len() < 2 && info.databases.contains_key(&0) {
        return;
    }
    let rows = info.databases.iter().take(DATABASES_SHOWN).map(|(db, (keys, expires))| {
        let expires = if *expires == 0 { String::new() } else { expires.to_string() };
        vec![format!("db{db}"), keys.to_string(), expires, bar(*keys, info.keys)]
    });
    table(page, &[("database", false), ("keys", true), ("expiring", true), ("", false)], rows);
    if info.databases.len() > DATABASES_SHOWN {
        page.line(&format!("and {} more", info.databases.len() - DATABASES_SHOWN));
    }
}

const SHARES: [(&str, bool); 5] = [("keys", true), ("share", true), ("bytes", true), ("share", true), ("", false)];

/// The columns of a tally: keys, their share, bytes, their share, and a bar for it.
fn cells(tally: Tally, all: Tally) -> [String; 5] {
    [
        tally.keys.to_string(),
        percent(tally.keys, all.keys),
        size(tally.bytes),
        percent(tally.bytes, all.bytes),
        bar(tally.bytes, all.bytes),
    ]
}

fn shares(page: &mut Page, title: &str, info: &Info, rows: impl Iterator<Item = (String, Tally)>) {
    let all = info.all();
    let columns: Vec<(&str, bool)> = [(title, false)].into_iter().chain(SHARES).collect();
    table(page, &columns, rows.map(|(name, tally)| [name].into_iter().chain(cells(tally, all)).collect()));
}

fn sizes(page: &mut Page, info: &Info) {
    let used = |tally: &Tally| tally.keys > 0;
    let first = info.details.sizes.iter().position(used).unwrap_or(0);
    let last = info.details.sizes.iter().rposition(used).unwrap_or(0);
    let name = |class: usize| match (class.checked_sub(1).and_then(size_end), size_end(class)) {
        (_, Some(end)) => format!("below {}", size(end)),
        (Some(begin), None) => format!("{} and more", size(begin)),
        (None, None) => "any".to_owned(),
    };
    let classes = (0..SIZES).filter(|class| (first..=last).contains(class));
    shares(page, "size of a key", info, classes.map(|class| (name(class), info.details.sizes[class])));
}

fn biggest(page: &mut Page, biggest: &[&Big]) {
    let rows = biggest.iter().map(|big| {
        let elements = if big.value_type == "string" { String::new() } else { big.elements.to_string() };
        vec![size(big.bytes), big.value_type.to_owned(), elements, format!("db{}", big.db), shortened(&big.name)]
    });
    let columns = [("biggest keys", true), ("type", false), ("elements", true), ("db", false), ("key", false)];
    table(page, &columns, rows);
}

fn prefixes(page: &mut Page, info: &Info) {
    let tree = info.names.tree();
    if tree.below.len() < 2 && tree.below.values().all(|branch| branch.below.is_empty()) {
        return;
    }
    let (mut rows, mut left) = (Vec::new(), LINES);
    branches(&tree, info.all(), 0, &mut left, &mut rows);
    let columns: Vec<(&str, bool)> = [("names", false)].into_iter().chain(SHARES).collect();
    table(page, &columns, rows.into_iter());
}

/// Adds the lines of what is below a branch, the most bytes first; a line for those that are left out.
fn branches(branch: &Branch, all: Tally, depth: usize, left: &mut usize, rows: &mut Vec<Vec<String>>) {
    let mut below: Vec<(&Vec<u8>, &Branch)> = branch.below.iter().collect();
    below.sort_by(|a, b| b.1.tally.bytes.cmp(&a.1.tally.bytes).then_with(|| a.0.cmp(b.0)));
    let mut others = (0, Tally::default());
    for (place, (folded, branch)) in below.iter().enumerate() {
        // Small ones below others, and what has no room, are told together.
        let small = depth > 0 && branch.tally.bytes * 100 < all.bytes;
        if *left == 0 || place >= BRANCHES || (small && below.len() > 1) {
            others.0 += 1;
            others.1.join(branch.tally);
            continue;
        }
        let (mut name, mut branch) = (branch.name(folded).to_vec(), *branch);
        // What has but one branch is one line with it.
        while let (1, Some((folded, only))) = (branch.below.len(), branch.below.iter().next()) {
            name.extend_from_slice(only.name(folded));
            branch = only;
        }
        *left -= 1;
        let label = format!("{}{}", "  ".repeat(depth), shortened(&name));
        rows.push([label].into_iter().chain(cells(branch.tally, all)).collect());
        if depth + 1 < DEPTH {
            branches(branch, all, depth + 1, left, rows);
        }
    }
    if others.0 > 0 {
        let label = format!("{}… {} more", "  ".repeat(depth), others.0);
        rows.push([label].into_iter().chain(cells(others.1, all)).collect());
    }
}

/// A name for a table: safe, and cut where it is long.
fn shortened(name: &[u8]) -> String {
    let mut text = terminal::safe(name).into_bytes();
    terminal::trim(&mut text, 0, NAME);
    if text.is_empty() { "\"\"".to_owned() } else { String::from_utf8_lossy(&text).into_owned() }
}

fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    match tenths {
        0 if part > 0 => "<0.1%".to_owned(),
        _ => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

fn bar(part: u64, whole: u64) -> String {
    let cells = (u128::from(part) * u128::from(BAR)).div_ceil(u128::from(whole.max(1)));
    "#".repeat(usize::try_from(cells).unwrap_or(0))
}

/// A table under a blank line; nothing where it has no rows.
fn table(page: &mut Page, columns: &[(&str, bool)], rows: impl Iterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let cell = |(_, number): &(&str, bool), text: &str| {
        Cell::new(text).set_alignment(if *number { CellAlignment::Right } else { CellAlignment::Left })
    };
    table.set_header(columns.iter().map(|column| cell(column, column.0)));
    let mut empty = true;
    for row in rows {
        empty = false;
        table.add_row(columns.iter().zip(&row).map(|(column, text)| cell(column, text)));
    }
    if empty {
        return;
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, BETWEEN));
    }
    page.blank();
    for (place, line) in table.lines().enumerate() {
        match place {
            0 => page.table_head(line.trim_end()),
            _ => page.cut_line(line.trim_end()),
        }
    }
}

/// The magic's family in the contract's words.
pub(super) fn family(format: Format) -> &'static str {
    match format {
        Format::Redis => "REDIS",
        Format::Valkey => "VALKEY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_spans() {
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(1, 10_000), "<0.1%");
        assert_eq!(percent(0, 0), "0.0%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0%");
        assert_eq!(bar(1, 1_000_000), "#");
        assert_eq!((span(999), span(61_000), span(3_600_000)), ("0 s".into(), "1 min 1 s".into(), "1 h 0 min".into()));
        assert_eq!((span(90_000_000), span(86_400_000 * 3650)), ("1 d 1 h".into(), "10 years".into()));
    }
}
