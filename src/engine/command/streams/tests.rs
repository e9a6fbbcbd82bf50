//! Lines beside what servers answer and write into the stream.

use crate::engine::testing::Play;

fn play(dialect: &str, rows: &[(&str, &str, &str)]) -> Play {
    let mut play = Play::new(dialect);
    play.rows(rows);
    play
}

#[test]
fn adding_and_trimming() {
    // Asked of redis-server 7.0.15.
    play(
        "redis-7.0",
        &[
            ("XADD st 0-0 f v", "-ERR The ID specified in XADD must be greater than 0-0", ""),
            ("XADD st 0-1 f v", "0-1", "XADD st 0-1 f v"),
            (
                "XADD st 0-1 f v",
                "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
                "",
            ),
            ("XADD st 5 f v", "5-0", "XADD st 5 f v"),
            ("XADD st 5-* f v", "5-1", "XADD st 5-1 f v"),
            ("XADD st MAXLEN ~ 2 LIMIT 3 7 f v", "7-0", "XADD st MAXLEN = 4 LIMIT 3 7 f v"),
            ("XADD st MAXLEN = 2 8 f v", "8-0", "XADD st MAXLEN = 2 8 f v"),
            ("XADD st MINID ~ 8 LIMIT 10 10 a b", "10-0", "XADD st MINID = 0-1 LIMIT 10 10 a b"),
            (
                "XADD st MAXLEN 2 LIMIT 3 11 f v",
                "-ERR syntax error, LIMIT cannot be used without the special ~ option",
                "",
            ),
            ("XADD no NOMKSTREAM * a b", "(nil)", ""),
            ("XADD st * f v", "1700000000000-0", "XADD st 1700000000000-0 f v"),
            ("XTRIM st MAXLEN ~ 1", "0", ""),
            ("XTRIM st MAXLEN 1", "3", "XTRIM st MAXLEN 1"),
            ("XRANGE st - +", "[[1700000000000-0 [f v]]]", ""),
            ("XDEL st 1700000000000-0 5", "1", "XDEL st 1700000000000-0 5"),
            ("XLEN st", "0", ""),
            ("TYPE st", "stream", ""),
            ("XADD st KEEPREF 1 a b", "-ERR Invalid stream ID specified as stream command argument", ""),
            ("XADD st 9999999999999999999999 a b", "-ERR Invalid stream ID specified as stream command argument", ""),
            ("XADD st 9999999999999 a", "-ERR wrong number of arguments for 'xadd' command", ""),
        ],
    );
}

#[test]
fn approximate_trimming_removes_nodes_of_servers() {
    let mut play = Play::new("redis-7.0");
    for number in 1..=250 {
        play.run(&format!("XADD st {number} f {number}"));
    }
    play.stream();
    // Nodes of 100, 100 and 50 entries.
    assert_eq!((play.run("XTRIM st MAXLEN ~ 120"), play.stream()), ("100".into(), "XTRIM st MAXLEN = 150".into()));
    assert_eq!((play.run("XTRIM st MINID ~ 200"), play.stream()), ("0".into(), String::new()));
    assert_eq!((play.run("XTRIM st MINID ~ 201"), play.stream()), ("100".into(), "XTRIM st MINID = 201-0".into()));
    // Nodes of 4096 bytes: 40 entries of some 100.
    let long = "v".repeat(95);
    for number in 1..=100 {
        play.run(&format!("XADD big {number} f {long}"));
    }
    // Asked of redis-server 7.0.15.
    assert_eq!(play.run("XTRIM big MAXLEN ~ 1"), "76");
}

#[test]
fn groups_and_what_goes_into_the_stream() {
    let claim = |consumer: &str, id: &str, count: u8, last: &str| {
        format!("XCLAIM st g {consumer} 0 {id} TIME 1700000000000 RETRYCOUNT {count} FORCE JUSTID LASTID {last}")
    };
    play(
        "redis-7.0",
        &[
            ("XGROUP CREATE st g 0", super::NO_STREAM.text().replacen("ERR", "-ERR", 1).as_str(), ""),
            ("XGROUP CREATE st g 0 MKSTREAM", "OK", "XGROUP CREATE st g 0 MKSTREAM"),
            ("XGROUP CREATE st g 0", "-BUSYGROUP Consumer Group name already exists", ""),
            ("XGROUP FOO st", "-ERR unknown subcommand 'FOO'. Try XGROUP HELP.", ""),
            ("XGROUP", "-ERR wrong number of arguments for 'xgroup' command", ""),
            ("XGROUP CREATE st", "-ERR wrong number of arguments for 'xgroup|create' command", ""),
            ("XADD st 1 f v", "1-0", "XADD st 1 f v"),
            ("XADD st 2 f v", "2-0", "XADD st 2 f v"),
            ("XADD st 3 f v", "3-0", "XADD st 3 f v"),
            ("XREADGROUP GROUP g c COUNT 1 STREAMS st >", "[[st [[1-0 [f v]]]]]", &claim("c", "1-0", 1, "1-0")),
            ("XREADGROUP GROUP g c STREAMS st 0", "[[st [[1-0 [f v]]]]]", ""),
            (
                "XREADGROUP GROUP g d NOACK STREAMS st >",
                "[[st [[2-0 [f v]] [3-0 [f v]]]]]",
                "MULTI | XGROUP CREATECONSUMER st g d | XGROUP SETID st g 3-0 ENTRIESREAD 3 | EXEC",
            ),
            ("XREADGROUP GROUP g e STREAMS st >", "(nil)", ""),
            ("XPENDING st g", "[1 1-0 1-0 [[c 1]]]", ""),
            ("XCLAIM st g d 0 1", "[[1-0 [f v]]]", &claim("d", "1", 3, "3-0")),
            ("XCLAIM st g d 1000 1", "[]", ""),
            ("XCLAIM st g c 0 9 LASTID 7", "[]", "XGROUP SETID st g 7-0 ENTRIESREAD 3"),
            ("XDEL st 1", "1", "XDEL st 1"),
            ("XAUTOCLAIM st g c 0 0", "[0-0 [] [1-0]]", &claim("d", "1-0", 3, "7-0")),
            ("XINFO GROUPS st", "[[name g consumers 2 pending 0 last-delivered-id 7-0 entries-read 3 lag 0]]", ""),
            ("XACK st g 1", "0", ""),
            ("XGROUP DELCONSUMER st g d", "0", "XGROUP DELCONSUMER st g d"),
            ("XGROUP DESTROY st g", "1", "XGROUP DESTROY st g"),
            (
                "XREADGROUP GROUP g c STREAMS st >",
                "-NOGROUP No such key 'st' or consumer group 'g' in XREADGROUP with GROUP option",
                "",
            ),
        ],
    );
}

#[test]
fn since_7_4_the_place_of_the_group_is_told() {
    let mut play = play(
        "redis-8.2",
        &[
            ("XADD st 1 f v", "1-0", "XADD st 1 f v"),
            ("XADD st 2 f v", "2-0", "XADD st 2 f v"),
            ("XTRIM st MAXLEN 1", "1", "XTRIM st MAXLEN 1"),
            ("XGROUP CREATE st g 0 ENTRIESREAD 0", "OK", "XGROUP CREATE st g 0 ENTRIESREAD 0"),
        ],
    );
    play.run("XREADGROUP GROUP g c STREAMS st >");
    assert!(play.stream().ends_with(" | XGROUP SETID st g 2-0 ENTRIESREAD 2 | EXEC"));
}

#[test]
fn references_of_groups() {
    // Asked of redis-server 8.2.3.
    play(
        "redis-8.2",
        &[
            ("XADD st 1 f v", "1-0", "XADD st 1 f v"),
            ("XADD st 2 f v", "2-0", "XADD st 2 f v"),
            ("XGROUP CREATE st g 1", "OK", "XGROUP CREATE st g 1"),
            ("XDELEX st ACKED IDS 2 1 2", "[1 2]", "XDELEX st ACKED IDS 2 1 2"),
            ("XDELEX st IDS 2 5", "-ERR The `numids` parameter must match the number of arguments", ""),
            ("XDELEX no IDS 1 x", "[-1]", ""),
            (
                "XCLAIM st g c 0 2 FORCE JUSTID TIME 5",
                "[2-0]",
                "XCLAIM st g c 0 2 TIME 5 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
            ),
            ("XACKDEL st g ACKED IDS 1 2", "[2]", "XACKDEL st g ACKED IDS 1 2"),
            ("XADD st DELREF MAXLEN = 1 3 f v", "3-0", "XADD st DELREF MAXLEN = 1 3 f v"),
            ("XLEN st", "1", ""),
        ],
    );
}

#[test]
fn who_waits_waits_for_what_comes_after_now() {
    let mut play = Play::new("redis-7.0");
    play.run("XADD st 1 f v");
    let request = play.run("XREAD BLOCK 10 STREAMS st $");
    assert!(request.contains(r#"until: Some(1700000000010)"#) && request.contains(r#""1-0"]"#), "{request}");
    assert_eq!(play.run("XREAD STREAMS st 0"), "[[st [[1-0 [f v]]]]]");
    assert_eq!(play.run("XREAD STREAMS st $"), "(nil)");
}

#[test]
fn a_masters_claims_are_applied_as_they_are() {
    let mut play = Play::new("redis-7.0");
    for line in [
        "XADD st 1 f v",
        "XGROUP CREATE st g 0",
        "XCLAIM st g c 0 1-0 TIME 1800000000000 RETRYCOUNT 4 FORCE JUSTID LASTID 1-0",
        "XADD st MAXLEN = 1 LIMIT 10 2 a b",
        "XADD st KEEPREF MAXLEN 1 3 a b",
    ] {
        assert!(play.apply(line));
    }
    assert_eq!(play.run("XPENDING st g"), "[1 1-0 1-0 [[c 1]]]");
    assert_eq!(play.run("XRANGE st - +"), "[[3-0 [a b]]]");
}

#[test]
fn before_7_0_there_are_no_counts() {
    // Asked of redis-server 6.2.14.
    let mut play = play(
        "redis-6.2",
        &[
            ("XADD st 5 f v", "5-0", "XADD st 5-0 f v"),
            ("XADD st 5-* f v", "-ERR Invalid stream ID specified as stream command argument", ""),
            ("XADD st 6 f", "-ERR wrong number of arguments for 'xadd' command", ""),
            ("XSETID st 100-1 ENTRIESADDED 50", "-ERR wrong number of arguments for 'xsetid' command", ""),
            ("XSETID st 100-1", "OK", "XSETID st 100-1"),
            (
                "XGROUP CREATE st g 0 ENTRIESREAD 3",
                "-ERR Unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
                "",
            ),
        ],
    );
    assert!(play.apply("XSETID st 101-1 ENTRIESADDED 50 MAXDELETEDID 7"));
    assert_eq!(play.run("XSETID st 4"), "-ERR The ID specified in XSETID is smaller than the target stream top item");
}

#[test]
fn more_than_was_added_cannot_be_read() {
    for (server, read) in [("redis-7.0", "5"), ("redis-8.2", "1"), ("valkey-9.1", "5")] {
        let mut play = Play::new(server);
        play.run("XADD st 1 f v");
        for line in ["XGROUP CREATE st g 0 ENTRIESREAD 5", "XGROUP SETID st g 0 ENTRIESREAD 5"] {
            assert_eq!(play.run(line), "OK");
            let group = play.run("XINFO GROUPS st");
            assert!(group.contains(&format!("entries-read {read} ")), "{server}, {line}: {group}");
        }
    }
}

#[test]
fn nodes_are_as_large_as_the_configuration_has_it() {
    // Asked of redis-server 7.0.15.
    let mut play = Play::new("redis-7.0");
    play.run("CONFIG SET stream-node-max-entries 10");
    for _ in 0..100 {
        play.run("XADD s * f v");
    }
    for (line, length) in [
        ("XADD s MAXLEN ~ 55 LIMIT 30 * f v", "71"),
        ("XADD s MAXLEN ~ 55 LIMIT 30 * f v", "62"),
        ("CONFIG SET stream-node-max-entries 1", "62"),
        ("XTRIM s MAXLEN ~ 1", "2"),
    ] {
        play.run(line);
        assert_eq!(play.run("XLEN s"), length, "{line}");
    }
    // Without LIMIT a hundred nodes' worth goes at most.
    play.run("DEL s");
    for _ in 0..150 {
        play.run("XADD s * f v");
    }
    assert_eq!(play.run("XTRIM s MAXLEN ~ 0"), "100");
    play.run("XGROUP CREATE s g $");
    assert_eq!(play.run("XGROUP SETID s g -"), "OK");
    assert!(play.run("XGROUP CREATE s h -").starts_with("-ERR Invalid stream ID"));
}

#[test]
fn who_watches_a_stream_is_not_told_of_its_groups() {
    // Asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.
    for (line, breaks) in [
        ("XGROUP CREATE x g2 0", false),
        ("XGROUP CREATE new g 0 MKSTREAM", true),
        ("XGROUP SETID x g 0", false),
        ("XGROUP CREATECONSUMER x g d", false),
        ("XGROUP DELCONSUMER x g c", false),
        ("XGROUP DESTROY x g", false),
        ("XREADGROUP GROUP g c STREAMS x >", false),
        ("XACK x g 1-1", false),
        ("XCLAIM x g d 0 1-1", false),
        ("XAUTOCLAIM x g d 0 0", false),
        ("XSETID x 9-9", false),
        ("XADD x 5-5 f v", true),
        ("XDEL x 1-1", true),
        ("XTRIM x MAXLEN 1", true),
    ] {
        let mut play = Play::new("redis-7.0");
        for before in [
            "XADD x 1-1 f v",
            "XADD x 2-1 f v",
            "XGROUP CREATE x g 0",
            "XREADGROUP GROUP g c COUNT 1 STREAMS x >",
            "WATCH x new",
            line,
            "MULTI",
        ] {
            play.run(before);
        }
        assert_eq!(play.run("EXEC") == "(nil)", breaks, "{line}");
    }
}

#[test]
fn what_xinfo_and_xsetid_look_at_first() {
    // Asked of the same servers.
    let none = "-ERR no such key";
    let mut play = Play::new("redis-7.0");
    play.rows(&[
        ("XINFO STREAM x more", none, ""),
        ("XSETID x y", "-ERR Invalid stream ID specified as stream command argument", ""),
    ]);
    Play::new("redis-6.2").rows(&[("XSETID x y", none, "")]);
}
