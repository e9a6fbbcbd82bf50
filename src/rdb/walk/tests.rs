//! Tests of the whole walk. Byte strings marked "seen" are those of real servers, the others are made by hand.

use super::*;
use crate::rdb::{Blame, Format};
use proptest::prelude::*;

/// CRC-64 bit by bit, reflected, from the polynomial as Redis documents it: what the library must agree with.
fn jones(bytes: &[u8]) -> u64 {
    let polynomial = 0xad93_d235_94c9_35a9_u64.reverse_bits();
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc: u64, _| if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 })
    })
}

/// A whole RDB with these records.
fn rdb(magic: &str, records: &[u8]) -> Vec<u8> {
    let mut bytes = [magic.as_bytes(), records, b"\xff"].concat();
    if Header::parse(*bytes.first_chunk().unwrap()).unwrap().has_checksum() {
        let checksum = jones(&bytes);
        bytes.extend(checksum.to_le_bytes());
    }
    bytes
}

/// Walks pieces of these sizes, over and over; gives how many bytes were consumed and whether the end was met, or the
/// error, and the summary.
fn walk(bytes: &[u8], sizes: &[usize]) -> (Result<(usize, bool), RdbError>, Summary) {
    let mut walk = Walk::new();
    let (mut consumed, mut ended, mut rest) = (0, false, bytes);
    for size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        match walk.push(piece) {
            Ok(progress) => (consumed, ended) = (consumed + progress.consumed, progress.ended),
            Err(error) => {
                assert_eq!(walk.push(b"more"), Err(error.clone()), "an error stays");
                return (Err(error), walk.summary().clone());
            }
        }
        rest = after;
        if ended || rest.is_empty() {
            break;
        }
        assert_eq!(walk.summary().bytes as usize, consumed, "all of a piece is consumed before the end");
    }
    (Ok((consumed, ended)), walk.summary().clone())
}

/// Walks the records whole, byte by byte, and cut at every byte; gives the summary.
fn check(magic: &str, records: &[u8]) -> Summary {
    let bytes = rdb(magic, records);
    let (whole, summary) = walk(&bytes, &[usize::MAX]);
    assert_eq!(whole, Ok((bytes.len(), true)), "{magic} {}", records.escape_ascii());
    assert!(summary.complete && summary.bytes == bytes.len() as u64);
    let followed = [&bytes[..], b"*1\r\n$4\r\nPING\r\n"].concat();
    for sizes in [&[1][..], &[2], &[3], &[23], &[1, 40], &[usize::MAX]] {
        assert_eq!(walk(&followed, sizes), (Ok((bytes.len(), true)), summary.clone()), "pieces of {sizes:?}");
    }
    for cut in 0..bytes.len() {
        let (result, part) = walk(&bytes[..cut], &[usize::MAX]);
        assert_eq!(result, Ok((cut, false)), "cut at {cut} of {}", records.escape_ascii());
        assert!(!part.complete && part.checksum.is_none() && part.bytes == cut as u64 && part.keys <= summary.keys);
        assert_eq!(walk(&bytes[..cut], &[1]).1, part, "cut at {cut}, byte by byte");
    }
    summary
}

fn refused(magic: &str, records: &[u8]) -> RdbError {
    let bytes = rdb(magic, records);
    let (result, summary) = walk(&bytes, &[usize::MAX]);
    assert_eq!(walk(&bytes, &[1]), (result.clone(), summary.clone()), "byte by byte");
    let error = result.unwrap_err();
    assert_eq!(summary.bytes, error.offset);
    assert!(!summary.complete);
    error
}

#[test]
fn the_checksum_is_the_jones_polynomial() {
    assert_eq!(jones(b"123456789"), 0xe9c6_d914_c4b8_d9ca, "the check value in crc64.c");
    let long: Vec<u8> = (0..100_000u32).map(|number| (number * 31 % 251) as u8).collect();
    let records = [b"\x00\x01k\x80\x00\x01\x86\xa0", &long[..]].concat();
    assert_eq!(walk(&rdb("REDIS0009", &records), &[777, 1, 65_000]).1.checksum, Some(Checksum::Ok));
    assert_eq!(walk(&rdb("REDIS0009", &records), &[usize::MAX]).1.checksum, Some(Checksum::Ok));
}

#[test]
fn checksum_verdicts() {
    let mut bytes = rdb("REDIS0005", b"\x00\x01k\x01v");
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    let (result, summary) = walk(&bytes, &[usize::MAX]);
    assert_eq!(result, Ok((end, true)));
    assert!(matches!(summary.checksum, Some(Checksum::Bad { stored, computed }) if stored ^ computed == 1 << 56));
    bytes[end - 8..].fill(0);
    assert_eq!(walk(&bytes, &[1]).1.checksum, Some(Checksum::Off));
    assert_eq!(check("REDIS0004", b"\x00\x01k\x01v").checksum, Some(Checksum::Absent));
    assert_eq!(check("REDIS0012", b"").checksum, Some(Checksum::Ok));
}

#[test]
fn strings_in_every_encoding() {
    let long = [b"\x00\x41\x2ckey", &[b'x'; 297][..], b"\x80\x00\x00\x01\x00", &[b'y'; 256][..]].concat();
    check("REDIS0001", &long);
    check("REDIS0001", b"\x00\xc0\x07\xc1\xb8\x0b\x00\x00\xc2\x00\x94\x35\x77");
    // "abcdefgh" twelve times.
    check("REDIS0009", b"\x00\x01k\xc3\x0c\x40\x60\x07abcdefgh\xe0\x4f\x07");
    check("REDIS0009", b"\x00\x01k\x81\x00\x00\x00\x00\x00\x00\x00\x02vv");
}

#[test]
fn every_type_of_all_dialects() {
    let lists: [&[u8]; 14] = [
        b"\x01\x01l\x02\x01a\xc0\x05",
        b"\x02\x01s\x02\x01a\x01b",
        b"\x03\x01z\x05\x01a\x031.5\x01b\xfd\x01c\xfe\x01d\xff\x01e\x00",
        b"\x04\x01h\x02\x01a\x011\x01b\x012",
        b"\x05\x02zs\x02\x01m\x00\x00\x00\x00\x00\x00\xf0\x3f\x01b\x00\x00\x00\x00\x00\x00\xf0\xff",
        b"\x09\x01h\x06\x01\x01a\x01\x001",
        b"\x0a\x01l\x03zip",
        b"\x0b\x01s\x03int",
        b"\x0c\x01z\x03zip",
        b"\x0d\x01h\x03zip",
        b"\x0e\x01l\x02\x03zip\x03zap",
        b"\x10\x01h\x03lpk\x11\x01z\x03lpk",
        b"\x12\x01l\x02\x01\x05plain\x02\x03lpk",
        b"\x14\x01s\x03lpk\x01\x01e\x00",
    ];
    for magic in ["REDIS0001", "REDIS0012", "VALKEY080"] {
        for records in lists {
            let keys = if records[0] == 0x10 || records[0] == 0x14 { 2 } else { 1 };
            assert_eq!(check(magic, records).keys, keys);
        }
    }
}

#[test]
fn hash_field_expiry_in_both_families() {
    // Seen, Valkey 9.1: the expiry behind the value.
    let valkey =
        b"\x16\x02hx\x02\x01a\xc0\x01\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x01b\xc0\x02\xff\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(check("VALKEY080", valkey).keys, 1);
    // Redis 7.4's release candidates: before the field.
    check("REDIS0012", b"\x16\x02hx\x02\x81\x00\x00\x03\xbb\x2c\xc3\xd8\x00\x01a\xc0\x01\x00\x01b\xc0\x02");
    check("REDIS0012", b"\x17\x02hx\x03lpk");
    // After Redis 8.2's bytes.
    check("REDIS0012", b"\x18\x03hxh\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x02\x01\x01b\xc0\x02\x00\x01a\xc0\x01");
    check("REDIS0012", b"\x19\x02hx\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x03lpk");
}

const NODE: &[u8] = b"\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x03lpk";
const COUNTERS: &[u8] = b"\x02\x02\x01\x01\x01\x00\x00\x02";
const PENDING: &[u8] = b"\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x01";
const OWNED: &[u8] = b"\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01";
const TIME: &[u8] = b"\x00\xd8\xc3\x2c\xbb\x03\x00\x00";
const DEDUP: &[u8] = b"\x40\x64\x0a\x01\x08producer\x01\x04iid1\x01\x00\x05\x02";

#[test]
fn streams_of_every_version() {
    let never_read = b"\x81\xff\xff\xff\xff\xff\xff\xff\xff";
    let one = [b"\x0f\x02st", NODE, b"\x02\x02\x01\x01\x01g\x01\x01", PENDING, b"\x01\x05alice", TIME, OWNED].concat();
    check("REDIS0009", &one);
    let two = [b"\x13\x02st", NODE, COUNTERS, b"\x01\x01g\x01\x01", never_read, PENDING, b"\x01\x05alice", TIME, OWNED];
    check("REDIS0010", &two.concat());
    let group = [b"\x01\x01g\x01\x01", &never_read[..], PENDING, b"\x01\x05alice", TIME, TIME, OWNED].concat();
    let three = [b"\x15\x02st", NODE, COUNTERS, &group].concat();
    assert_eq!(check("REDIS0011", &[&three[..], &three].concat()).keys, 2);
    check("REDIS0013", &[b"\x1a\x02st", NODE, COUNTERS, &group, DEDUP].concat());
    check("REDIS0014", &[b"\x1b\x02st", NODE, COUNTERS, &group, OWNED, DEDUP].concat());
    // All entries deleted: no nodes, no groups.
    check("VALKEY080", b"\x15\x02st\x00\x00\x01\x00\x00\x00\x01\x00\x01\x00");
}

#[test]
fn modules_are_walked_by_their_opcodes() {
    // Seen, Redis 8.2: a vector set of one element.
    let vectors =
        b"\x07\x02vs\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\x00\x02\x02\x02\x01\x02\x50\x01\x02\x00\x05\x01e\x05\x02\x3f\x7f\
        \x02\x06\x02\x01\x02\x80\x01\x00\x00\x00\x02\x00\x02\x20\x02\x00\x02\x81\x3f\x64\xf9\x2e\x40\x0f\x1b\xbd\x00";
    assert_eq!(check("REDIS0012", vectors).keys, 1);
    check(
        "REDIS0008",
        b"\x07\x01m\x01\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\xc0\x09\x00",
    );
    assert_eq!(check("REDIS0009", b"\xf7\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\x00\x02\x01\x02\x05\x05\x02ab\x00").keys, 0);
    let error = refused("REDIS0009", b"\xf7\x01\x05\x01\x00");
    assert_eq!((error.offset, error.record), (11, Some((9, "MODULE_AUX"))));
    let error = refused("REDIS0009", b"\x07\x01m\x01\x06\x00");
    assert_eq!(
        error.to_string(),
        "malformed RDB at byte 13, in the MODULE_2 record at byte 9: needed a module opcode from 0 to 5, found 6"
    );
}

#[test]
fn the_newest_types_as_far_as_they_are_public() {
    let array = b"\x1c\x01a\x05\x01\x09\x00\x00\x01v\x01\x01\0\0\0\0\0\0\0\0\x02\x02\0\0\0\0\0\0\0\0\
        \x03\x03\x02vv\x04\x00\xc0\x01";
    check("REDIS0014", array);
    check("REDIS0014", b"\x1c\x01a\x01\x00\x00\x00\x01v");
    let error = refused("REDIS0014", b"\x1c\x01a\x01\x00\x00\x04\x01v");
    assert_eq!(error.fault, Fault::OutOfRange { what: "an array tag", low: 0, high: 3, found: 4 });
    let template = b"\xf2\x07\x02\x01a\x02bb";
    let summary = check(
        "REDIS0015",
        &[&template[..], b"\x20\x01h\x07\x01x\x01y\x20\x01i\x07\xc0\x01\xc0\x02\x1e\x01j\x03lpk"].concat(),
    );
    assert_eq!(summary.keys, 3);
    assert_eq!(refused("REDIS0015", b"\x20\x01h\x07\x01x").fault, Fault::UnknownTemplate(7));
    assert_eq!(refused("REDIS0015", &template.repeat(2)).fault, Fault::RepeatedTemplate(7));
    check("REDIS0015", b"\x21\x01g\x81\0\0\0\0\0\0\0\x09");
    let summary = check("REDIS0013", b"\xfd\x00\x00\x00\x70\xf3\x02cls1\x02\x05\x00cls2\x05\x01s\x00\x00\x01k\x01v");
    assert_eq!((summary.keys, summary.expires), (1, 1));
}

#[test]
fn valkeys_own_opcodes() {
    let job = [b"\xf3\x28", &[b'a'; 40][..], b"\x02\x00\x05\x07\x50\x00"].concat();
    check("VALKEY080", &[&job[..], b"\xf4\x14\x01\x00\x00\x01k\x01v"].concat());
    let error = refused("VALKEY080", b"\xf3\x03abc\x00");
    assert_eq!(error.fault, Fault::StringSize { needed: 40, found: 3 });
    check("VALKEY081", b"\xf2*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n\x00\x01k\x01v");
    assert_eq!(refused("VALKEY081", b"\xf2*1\r\n$3\r\nSETX\r\n").fault.blame(), Blame::Malformed);
    assert_eq!(refused("VALKEY081", b"\xf2:1\r\n").offset, 10);
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let refusals: [(&str, &[u8]); 12] = [
        ("REDIS0012", b"\x06\x01k\x01v"),
        ("REDIS0012", b"\x08\x01k\x01v"),
        ("REDIS0011", b"\x16\x01k\x00"),
        ("REDIS0012", b"\x1a\x01k\x00"),
        ("REDIS0015", b"\x1d\x01k\x00"),
        ("REDIS0015", b"\x1f\x01k\x00"),
        ("REDIS0015", b"\x22\x01k\x00"),
        ("REDIS0012", b"\xf3\x00"),
        ("REDIS0010", b"\xf6\x00"),
        ("VALKEY081", b"\x17\x01k\x00"),
        ("VALKEY080", b"\x18\x01k\x00"),
        ("VALKEY080", b"\xf2*0\r\n"),
    ];
    for (magic, records) in refusals {
        let error = refused(magic, records);
        assert_eq!((error.fault.blame(), error.offset, error.record), (Blame::Unsupported, 9, None), "{error}");
    }
    for (bytes, blame) in [
        (b"REDIS0000", Blame::Unsupported),
        (b"REDIS0016", Blame::Unsupported),
        (b"VALKEY079", Blame::Unsupported),
        (b"VKCS\x01\x01\0\0R", Blame::Unsupported),
        (b"REDIX0011", Blame::Malformed),
    ] {
        let (result, summary) = walk(bytes, &[4]);
        assert_eq!(result.unwrap_err().fault.blame(), blame);
        assert_eq!((summary.header, summary.bytes), (None, 0));
    }
}

#[test]
fn faults_are_located() {
    let error = refused("REDIS0009", b"\xfe\x00\x04\x01h\x02\x01a\x01b\xc5");
    assert_eq!((error.offset, error.record), (19, Some((11, "HASH"))));
    assert_eq!(
        error.to_string(),
        "malformed RDB at byte 19, in the HASH record at byte 11: 0xc5 begins no string: \
         only the encodings 0xc0 to 0xc3 exist"
    );
    for (records, fault) in [
        (&b"\x01\x01l\xa0"[..], Fault::LengthEncoding(0xa0)),
        (b"\x01\x01l\xc0\x01", Fault::NotALength(0xc0)),
        (b"\x01\x01l\x81\xff\0\0\0\0\0\0\0", Fault::LengthTooLarge(0xff << 56)),
        (b"\x00\x01k\xc3\x01\x40\x60\x00", Fault::LzfSizes { compressed: 1, expanded: 96 }),
        (b"\x12\x01l\x01\x03\x01a", Fault::OutOfRange { what: "a quicklist container", low: 1, high: 2, found: 3 }),
        (
            b"\xfe\x80\x80\0\0\0",
            Fault::OutOfRange { what: "a database number", low: 0, high: (1 << 31) - 1, found: 1 << 31 },
        ),
        (b"\x0f\x01s\x01\x03abc\x01a", Fault::StringSize { needed: 16, found: 3 }),
        (b"\xfa\x01a\xc3\x02\x03\x20\x00", Fault::LzfData("copies from before its beginning")),
    ] {
        assert_eq!(refused("REDIS0012", records).fault, fault);
    }
}

#[test]
fn keys_expiries_databases_and_functions_are_counted() {
    // Database 3, then 0, then 3 again; 5 holds nothing.
    let records = b"\xfa\x09redis-ver\x058.2.3\xf5\x04code\xf5\x05code2\xfe\x03\xfb\x02\x01\xf4\x14\x01\x00\
        \xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\xf8\x01\x00\x01a\x01v\xf9\x00\x00\x01b\x01v\
        \xfe\x00\x02\x01s\x01\x01x\xfe\x05\xfe\x03\xfd\x00\x00\x00\x70\x01\x01l\x01\x01x\
        \xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01c\x01v";
    let summary = check("REDIS0012", records);
    assert_eq!(summary.header, Some(Header { format: Format::Redis, version: 12 }));
    assert_eq!((summary.databases, summary.keys, summary.expires, summary.functions), (2, 5, 2, 2));
    assert_eq!(check("REDIS0009", b"\x00\x01k\x01v").databases, 1, "0 is selected from the start");
}

#[test]
fn aux_is_decoded_and_bounded() {
    let lzf = b"\xfa\x03lua\xc3\x0c\x40\x60\x07abcdefgh\xe0\x4f\x07\xfa\x05ctime\xc2\x00\x94\x35\x77";
    let summary = check("REDIS0009", lzf);
    let ctime = (b"ctime".to_vec(), b"2000000000".to_vec());
    assert_eq!(summary.aux, [(b"lua".to_vec(), b"abcdefgh".repeat(12)), ctime]);

    let longest = [b"\xfa\x01a\x50\x00", &[b'x'; MAX_RDB_AUX][..]].concat();
    let longer = [b"\xfa\x01b\x50\x01", &[b'x'; MAX_RDB_AUX + 1][..]].concat();
    let (_, summary) = walk(&rdb("REDIS0009", &[longest, longer].concat()), &[100]);
    assert_eq!((summary.aux.len(), summary.aux_left_out), (1, 1));

    let many = b"\xfa\x01k\x01v".repeat(MAX_RDB_AUX_KEPT + 5);
    let (_, summary) = walk(&rdb("REDIS0009", &many), &[7]);
    assert_eq!((summary.aux.len(), summary.aux_left_out), (MAX_RDB_AUX_KEPT, 5));
}

/// One record of most kinds, for damage.
fn sample() -> Vec<u8> {
    let stream =
        [b"\x15\x02st", NODE, COUNTERS, b"\x01\x01g\x01\x01\x02", PENDING, b"\x01\x05alice", TIME, TIME, OWNED]
            .concat();
    let records = [
        &b"\xfa\x09redis-ver\x058.2.3\xf5\x04code\xfe\x03\xfb\x02\x01"[..],
        b"\xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\xf8\x01\x00\x01a\x01v",
        b"\xfa\x03lua\xc3\x0c\x40\x60\x07abcdefgh\xe0\x4f\x07\x00\xc0\x07\xc1\xb8\x0b",
        b"\x03\x01z\x02\x01a\x031.5\x01b\xfd",
        b"\x05\x02zs\x01\x01m\x00\x00\x00\x00\x00\x00\xf0\x3f\x12\x01l\x02\x01\x05plain\x02\x03lpk",
        b"\x18\x03hxh\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x02\x01\x01b\xc0\x02\x00\x01a\xc0\x01",
        b"\x07\x01m\x01\x01\x05\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\xc0\x09\x00\xf7\x01\x02\x02\x05\x01x\x00",
        &stream,
        b"\x00\x04last\x01v",
    ];
    rdb("REDIS0012", &records.concat())
}

#[test]
fn the_sample_is_sound() {
    let sample = sample();
    check("REDIS0012", &sample[9..sample.len() - 9]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_walk_alike_however_they_are_cut(
        magic in prop::sample::select(vec!["REDIS0001", "REDIS0009", "REDIS0015", "VALKEY080", "VALKEY081"]),
        // Small bytes are types, short lengths and counts: they get furthest.
        records in prop::collection::vec(prop_oneof![0u8..34, 0u8..4, 240u8..=255, any::<u8>()], 0..200),
        sizes in prop::collection::vec(1usize..50, 1..5),
    ) {
        let bytes = [magic.as_bytes(), &records].concat();
        prop_assert_eq!(walk(&bytes, &sizes), walk(&bytes, &[usize::MAX]));
    }

    #[test]
    fn damage_is_met_alike_however_it_is_cut(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u32..8), 1..4),
        sizes in prop::collection::vec(1usize..50, 1..5),
    ) {
        let mut bytes = sample();
        for (index, bit) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        prop_assert_eq!(walk(&bytes, &sizes), walk(&bytes, &[usize::MAX]));
        prop_assert_eq!(walk(&bytes, &[1]), walk(&bytes, &[usize::MAX]));
    }
}
