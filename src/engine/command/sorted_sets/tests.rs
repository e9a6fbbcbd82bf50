//! Lines beside what servers answer and write into the stream.

use crate::engine::testing::Play;

fn check(dialect: &str, rows: &[(&str, &str, &str)]) {
    let mut play = Play::new(dialect);
    play.rows(rows);
}

#[test]
fn members_are_added_on_conditions() {
    check(
        "redis-7.0",
        &[
            ("ZADD z 1 a 2", "-ERR syntax error", ""),
            ("ZADD z FOO 1 a", "-ERR syntax error", ""),
            ("ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible", ""),
            ("ZADD z GT NX 1 a", "-ERR GT, LT, and/or NX options at the same time are not compatible", ""),
            ("ZADD z INCR 1 a 2 b", "-ERR INCR option supports a single increment-element pair", ""),
            ("ZADD z 1 a x b", "-ERR value is not a valid float", ""),
            ("ZINCRBY z NX a", "-ERR syntax error", ""),
            ("ZADD z XX 1 a", "0", ""),
            ("EXISTS z", "0", ""),
            ("ZADD z 1 a 2 b 3 c", "3", "ZADD z 1 a 2 b 3 c"),
            ("ZADD z 1 a", "0", ""),
            ("ZADD z CH 1 a 5 b 9 d", "2", "ZADD z CH 1 a 5 b 9 d"),
            ("ZADD z GT CH 1 b 6 c", "1", "ZADD z GT CH 1 b 6 c"),
            ("ZADD z LT 7 b 1 c", "0", "ZADD z LT 7 b 1 c"),
            ("ZADD z NX 7 b", "0", ""),
            ("ZADD z INCR NX 1 a", "(nil)", ""),
            ("ZADD z INCR XX 1 zz", "(nil)", ""),
            ("ZADD z GT INCR -5 a", "(nil)", ""),
            ("ZADD z CH INCR 0 a", "1", ""),
            ("ZADD z INCR 0.1 a", "1.1000000000000001", "ZADD z INCR 0.1 a"),
            ("ZINCRBY z -2 a", "-0.89999999999999991", "ZINCRBY z -2 a"),
            ("ZADD z inf i", "1", "ZADD z inf i"),
            ("ZINCRBY z -inf i", "-ERR resulting score is not a number (NaN)", ""),
            ("ZRANGE z 0 -1 WITHSCORES", "[a -0.89999999999999991 c 1 b 5 d 9 i inf]", ""),
            ("ZREM z x i a a", "2", "ZREM z x i a a"),
            ("ZREM z x", "0", ""),
            ("ZMSCORE z b x", "[5 (nil)]", ""),
            ("ZRANK z d", "2", ""),
            ("ZREVRANK z d", "0", ""),
            ("ZRANK z d WITHSCORE", "-ERR wrong number of arguments for 'zrank' command", ""),
        ],
    );
    check(
        "valkey-9.1",
        &[
            ("ZADD z 0.1 a 1 b", "2", "ZADD z 0.1 a 1 b"),
            ("ZRANK z a WITHSCORE", "[0 0.1]", ""),
            ("ZRANK z x WITHSCORE", "(nil)", ""),
            ("ZRANK z a FOO", "-ERR syntax error", ""),
            ("ZCOUNT z \"\" 1", "2", ""),
            ("ZCOUNT z 0x0 1", "-ERR min or max is not a float", ""),
            ("ZCOUNT z \" 0\" 1", "-ERR min or max is not a float", ""),
            ("ZSCAN z 0 NOSCORES", "[0 [b a]]", ""),
            ("SADD s a", "1", "SADD s a"),
            ("SSCAN s 0 NOVALUES", "-ERR NOVALUES option can only be used in HSCAN", ""),
        ],
    );
}

#[test]
fn a_small_set_has_no_negative_zero_since_7_0() {
    let long = "m".repeat(65);
    for (dialect, small) in [("redis-6.2", "-0"), ("redis-7.0", "0"), ("valkey-9.1", "0")] {
        let mut play = Play::new(dialect);
        play.run("ZADD z -0 a 0 b");
        play.run("ZADD z -0 b");
        assert_eq!(play.run("ZINCRBY z -0 c"), "-0", "what is answered is not yet what is kept");
        play.run(&format!("ZADD y 1 {long}"));
        play.run("ZADD y -0 a");
        play.run("ZUNIONSTORE u 1 z WEIGHTS -1");
        let negated = if small == "0" { "0" } else { "-0" };
        // One that was large once is no listpack again.
        play.run(&format!("ZREM y {long}"));
        play.run("ZADD y -0 b");
        assert_eq!(play.run("ZSCORE y b"), "-0");
        // Into a listpack, which then grows, a member comes without its sign.
        play.run(&format!("ZADD s 1 {long} -0 a"));
        play.run("ZRANGESTORE t s 0 -1");
        play.run("ZRANGESTORE v s 0 -1 REV");
        let rows = [
            ("z a", small),
            ("z b", "0"),
            ("y a", "-0"),
            ("s a", "-0"),
            ("t a", small),
            ("v a", "-0"),
            ("u b", negated),
            ("u a", "0"),
        ];
        for (member, score) in rows {
            assert_eq!(play.run(&format!("ZSCORE {member}")), score, "{dialect} {member}");
        }
    }
}

#[test]
fn ranges() {
    check(
        "redis-7.0",
        &[
            ("ZADD z 1 a 2 b 3 c inf i", "4", "ZADD z 1 a 2 b 3 c inf i"),
            ("ZCOUNT z (1 (3", "1", ""),
            ("ZCOUNT z -inf +inf", "4", ""),
            ("ZCOUNT z 3 1", "0", ""),
            ("ZCOUNT z \"\" 1", "1", ""),
            ("ZCOUNT z a b", "-ERR min or max is not a float", ""),
            ("ZLEXCOUNT z - +", "4", ""),
            ("ZLEXCOUNT z + -", "0", ""),
            ("ZLEXCOUNT z [a (c", "2", ""),
            ("ZLEXCOUNT z a b", "-ERR min or max not valid string range item", ""),
            (
                "ZRANGE z 0 -1 LIMIT 0 1",
                "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
                "",
            ),
            ("ZRANGE z 0 -1 LIMIT 5 -1", "[a b c i]", ""),
            ("ZRANGE z 0 -1 BYSCORE BYLEX", "-ERR syntax error", ""),
            (
                "ZRANGE z - + BYLEX WITHSCORES",
                "-ERR syntax error, WITHSCORES not supported in combination with BYLEX",
                "",
            ),
            ("ZRANGE z 1 3 BYSCORE LIMIT -1 1", "[]", ""),
            ("ZRANGE z 1 3 BYSCORE LIMIT 1 -2", "[b c]", ""),
            ("ZRANGE z 3 1 BYSCORE REV LIMIT 0 2", "[c b]", ""),
            ("ZRANGE z (3 -inf BYSCORE REV WITHSCORES", "[b 2 a 1]", ""),
            ("ZRANGE z [c - BYLEX REV", "[c b a]", ""),
            ("ZRANGE z 0 1 REV", "[i c]", ""),
            ("ZREVRANGE z 1 -2", "[c b]", ""),
            ("ZREVRANGE z 0 -1 REV", "-ERR syntax error", ""),
            ("ZREVRANGEBYSCORE z 3 1 WITHSCORES LIMIT 0 1", "[c 3]", ""),
            ("ZRANGEBYLEX z - + LIMIT 1 2", "[b c]", ""),
            ("ZREVRANGEBYLEX z + - LIMIT 0 2", "[i c]", ""),
            ("ZRANGESTORE d no 0 -1", "0", ""),
            ("ZRANGESTORE d z 1 2 BYSCORE LIMIT 0 1", "1", "ZRANGESTORE d z 1 2 BYSCORE LIMIT 0 1"),
            ("ZRANGESTORE d z 5 10", "0", "ZRANGESTORE d z 5 10"),
            ("EXISTS d", "0", ""),
            ("ZRANGESTORE d z 0 -1 WITHSCORES", "-ERR syntax error", ""),
            ("ZREMRANGEBYRANK z 100 200", "0", ""),
            ("ZREMRANGEBYRANK z -1 -1", "1", "ZREMRANGEBYRANK z -1 -1"),
            ("ZREMRANGEBYSCORE z (1 2", "1", "ZREMRANGEBYSCORE z (1 2"),
            ("ZREMRANGEBYLEX z [b +", "1", "ZREMRANGEBYLEX z [b +"),
            ("ZREMRANGEBYSCORE z -inf inf", "1", "ZREMRANGEBYSCORE z -inf inf"),
            ("DBSIZE", "0", ""),
        ],
    );
}

#[test]
fn large_sets_have_the_same_ranges_as_small_ones() {
    let mut play = Play::new("redis-7.0");
    for n in 0..1000 {
        play.run(&format!("ZADD z 0 {n:03}"));
        play.run(&format!("ZADD y {} {n:03}", n / 10));
    }
    for (line, answer) in [
        ("ZLEXCOUNT z [100 (300", "200"),
        ("ZRANGEBYLEX z (498 + LIMIT 1 2", "[500 501]"),
        ("ZREVRANGEBYLEX z (500 - LIMIT 1 2", "[498 497]"),
        ("ZCOUNT y (10 20", "100"),
        ("ZREVRANGEBYSCORE y 50 (49 LIMIT 8 5", "[501 500]"),
        ("ZREMRANGEBYLEX z [001 +", "999"),
        ("ZREMRANGEBYSCORE y 1 (99", "980"),
        ("ZRANGE y 9 11", "[009 990 991]"),
    ] {
        assert_eq!(play.run(line), answer, "{line}");
    }
}

#[test]
fn popping_and_waiting() {
    check(
        "redis-7.0",
        &[
            ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g", "7", "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g"),
            ("ZPOPMIN z -1", "-ERR value is out of range, must be positive", ""),
            ("ZPOPMIN z 0", "[]", ""),
            ("ZPOPMIN no", "[]", ""),
            ("ZPOPMIN z", "[a 1]", "ZPOPMIN z"),
            ("ZPOPMAX z 2", "[g 7 f 6]", "ZPOPMAX z 2"),
            ("BZPOPMIN no z 1", "[z b 2]", "ZPOPMIN z"),
            ("BZPOPMAX z 1", "[z e 5]", "ZPOPMAX z"),
            ("ZMPOP 2 no z MAX", "[z [[d 4]]]", "ZPOPMAX z 1"),
            ("BZMPOP 1 1 z MIN COUNT 5", "[z [[c 3]]]", "ZPOPMIN z 1"),
            ("ZMPOP 1 z MIN", "(nil)", ""),
            ("ZMPOP 0 z MIN", "-ERR numkeys should be greater than 0", ""),
            ("BZPOPMIN z y 2", "Block { keys: [\"z\", \"y\"], until: Some(1700000002000) }", ""),
            ("BZMPOP 0 1 z MAX", "Block { keys: [\"z\"], until: None }", ""),
            ("DBSIZE", "0", ""),
        ],
    );
}

#[test]
fn before_7_0_who_wants_nothing_gets_it() {
    check(
        "redis-6.2",
        &[
            ("SET k v", "OK", "SET k v"),
            ("ZPOPMIN k -3", "[]", ""),
            ("ZPOPMIN k 1", "-WRONGTYPE Operation against a key holding the wrong kind of value", ""),
            ("ZPOPMIN k x", "-ERR value is not an integer or out of range", ""),
        ],
    );
}

#[test]
fn combinations() {
    check(
        "redis-7.0",
        &[
            ("ZADD z 1 a 2 b", "2", "ZADD z 1 a 2 b"),
            ("SADD s a b c", "3", "SADD s a b c"),
            ("ZADD i inf a", "1", "ZADD i inf a"),
            ("ZADD j -inf a", "1", "ZADD j -inf a"),
            ("SET x 1", "OK", "SET x 1"),
            ("ZUNION 2 z s WEIGHTS 2 3 WITHSCORES", "[c 3 a 5 b 7]", ""),
            ("ZINTER 2 z s WEIGHTS 2 3 AGGREGATE MAX WITHSCORES", "[a 3 b 4]", ""),
            ("ZINTER 2 z s AGGREGATE MIN WITHSCORES", "[a 1 b 1]", ""),
            ("ZINTER 2 z no", "[]", ""),
            ("ZDIFF 2 s z WITHSCORES", "[c 1]", ""),
            ("ZUNION 2 i j WITHSCORES", "[a 0]", ""),
            ("ZUNION 1 i WEIGHTS 0 WITHSCORES", "[a 0]", ""),
            ("ZINTERCARD 2 z s", "2", ""),
            ("ZINTERCARD 2 z s LIMIT 1", "1", ""),
            ("ZINTERCARD 1 z FOO", "-ERR syntax error", ""),
            ("ZUNIONSTORE d 0 z", "-ERR at least 1 input key is needed for 'zunionstore' command", ""),
            ("ZUNION x z", "-ERR value is not an integer or out of range", ""),
            ("ZUNION 2 z", "-ERR syntax error", ""),
            ("ZUNION 1 z WEIGHTS", "-ERR syntax error", ""),
            ("ZUNION 1 z WEIGHTS nan", "-ERR weight value is not a float", ""),
            ("ZUNION 2 z x", "-WRONGTYPE Operation against a key holding the wrong kind of value", ""),
            ("ZUNIONSTORE d 1 z WITHSCORES", "-ERR syntax error", ""),
            ("ZDIFF 1 z WEIGHTS 1", "-ERR syntax error", ""),
            ("ZUNIONSTORE x 2 z s", "3", "ZUNIONSTORE x 2 z s"),
            ("ZINTERSTORE x 2 z no", "0", "ZINTERSTORE x 2 z no"),
            ("ZINTERSTORE x 2 z no", "0", ""),
            ("ZDIFFSTORE z 2 z i", "1", "ZDIFFSTORE z 2 z i"),
        ],
    );
}

#[test]
fn resp3_has_pairs() {
    let mut play = Play::new("redis-8.2");
    play.run("ZADD z 1 a 2.5 b");
    for (line, answer) in [
        ("ZRANGE z 0 -1 WITHSCORES", "*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n"),
        ("ZRANDMEMBER z -1 FOO", "-ERR syntax error\r\n"),
        ("ZPOPMIN z", "*2\r\n$1\r\na\r\n,1\r\n"),
        ("ZPOPMIN z 1", "*1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n"),
        ("ZPOPMIN z", "*0\r\n"),
        ("ZRANK z a WITHSCORE", "_\r\n"),
    ] {
        assert_eq!(play.raw3(line), answer, "{line}");
    }
}
