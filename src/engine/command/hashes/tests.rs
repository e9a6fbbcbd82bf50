//! Lines beside what servers answer and write into the stream.

use crate::engine::testing::Play;

fn play(dialect: &str, rows: &[(&str, &str, &str)]) -> Play {
    let mut play = Play::new(dialect);
    play.rows(rows);
    play
}

#[test]
fn fields_and_what_goes_into_the_stream() {
    // Asked of redis-server 7.0.15.
    play(
        "redis-7.0",
        &[
            ("HSET h a", "-ERR wrong number of arguments for 'hset' command", ""),
            ("HSET h a 1 b 2", "2", "HSET h a 1 b 2"),
            ("HSET h a 1 c 3", "1", "HSET h a 1 c 3"),
            ("HMSET h d 4", "OK", "HMSET h d 4"),
            ("HSETNX h a 9", "0", ""),
            ("HSETNX h e 9", "1", "HSETNX h e 9"),
            ("HMGET h a zz b", "[1 (nil) 2]", ""),
            ("HDEL h zz", "0", ""),
            ("HDEL h a b", "2", "HDEL h a b"),
            ("HGETALL h", "[c 3 d 4 e 9]", ""),
            ("HSCAN h 0 COUNT 1", "[0 [c 3 d 4 e 9]]", ""),
            ("HSCAN h 0 NOVALUES", "-ERR syntax error", ""),
            ("HINCRBY h c 4", "7", "HINCRBY h c 4"),
            ("HINCRBY h str 9223372036854775807", "9223372036854775807", "HINCRBY h str 9223372036854775807"),
            ("HINCRBY h str 1", "-ERR increment or decrement would overflow", ""),
            ("HINCRBYFLOAT h c 0.1", "7.1", "HSET h c 7.1"),
            ("HINCRBYFLOAT h c inf", "-ERR value is NaN or Infinity", ""),
            ("HSET h w word", "1", "HSET h w word"),
            ("HINCRBY h w 1", "-ERR hash value is not an integer", ""),
            ("HINCRBYFLOAT h w 1", "-ERR hash value is not a float", ""),
            ("HRANDFIELD h 100", "[c d e str w]", ""),
            ("HRANDFIELD none 5", "[]", ""),
            (
                "HEXPIRE h 1 FIELDS 1 c",
                "-ERR unknown command 'HEXPIRE', with args beginning with: 'h' '1' 'FIELDS' '1' 'c' ",
                "",
            ),
        ],
    );
}

#[test]
fn times_of_fields_in_redis() {
    // Asked of redis-server 8.2.3.
    play(
        "redis-8.2",
        &[
            ("HSET h a 1 b 2 c 3", "3", "HSET h a 1 b 2 c 3"),
            ("HEXPIRE h 100 FIELDS 2 a zz", "[1 -2]", "HPEXPIREAT h 1700000100000 FIELDS 1 a"),
            ("HEXPIRE h 200 NX FIELDS 2 a c", "[0 1]", "HPEXPIREAT h 1700000200000 NX FIELDS 1 c"),
            ("HTTL h FIELDS 3 a b zz", "[100 -1 -2]", ""),
            ("HPERSIST h FIELDS 3 a b zz", "[1 -1 -2]", "HPERSIST h FIELDS 3 a b zz"),
            ("HEXPIRE h 0 FIELDS 2 a c", "[2 2]", "MULTI | HDEL h a | HDEL h c | EXEC"),
            ("HSETEX h EX 100 FIELDS 1 a 1", "1", "HSETEX h PXAT 1700000100000 FIELDS 1 a 1"),
            ("HSETEX h FXX FIELDS 2 a 7 x 8", "0", ""),
            ("HINCRBYFLOAT h a 0.5", "1.5", "HSETEX h KEEPTTL FIELDS 1 a 1.5"),
            ("HPTTL h FIELDS 1 a", "[100000]", ""),
            ("HGETEX h EX 50 FIELDS 2 a zz", "[1.5 (nil)]", "HPEXPIREAT h 1700000050000 FIELDS 2 a zz"),
            ("HGETDEL h FIELDS 2 a zz", "[1.5 (nil)]", "HDEL h a zz"),
            ("HGETDEL h FIELDS 1 b", "[2]", "HDEL h b"),
            ("EXISTS h", "0", ""),
            ("HEXPIRE h 1 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0", ""),
        ],
    );
}

#[test]
fn times_of_fields_in_valkey() {
    // Asked of valkey-server 9.1.2.
    play(
        "valkey-9.1",
        &[
            ("HSET h a 1 b 2 c 3", "3", "HSET h a 1 b 2 c 3"),
            ("HEXPIRE h 100 FIELDS 2 a zz", "[1 -2]", "HPEXPIREAT h 1700000100000 FIELDS 2 a zz"),
            ("HEXPIRE h 100 FOO FIELDS 1 a", "-ERR Unsupported option FOO", ""),
            ("HINCRBYFLOAT h a 0.5", "1.5", "HSETEX h PXAT 1700000100000 FIELDS 1 a 1.5"),
            ("HEXPIRE h 0 FIELDS 1 b", "[2]", "HDEL h b"),
            ("HGETDEL h FIELDS 1 a", "[1.5]", "HGETDEL h FIELDS 1 a"),
        ],
    );
}

#[test]
fn what_has_expired_is_deleted_when_it_is_asked_for_or_in_time() {
    for (dialect, lazily, active) in
        [("redis-8.2", "HDEL h a", "HDEL h b | HDEL h c"), ("valkey-9.1", "", "MULTI | HDEL h a b c | UNLINK h | EXEC")]
    {
        let mut play = play(dialect, &[("HSET h a 1 b 2 c 3", "3", "HSET h a 1 b 2 c 3")]);
        play.run("HPEXPIRE h 10 FIELDS 3 a b c");
        play.stream();
        play.now += 11;
        assert_eq!((play.run("HGET h a"), play.stream().as_str()), ("(nil)".into(), lazily));
        assert_eq!(play.run("HGETALL h"), "[]");
        assert_eq!(play.engine.expire_some(play.now, 100), if lazily.is_empty() { 3 } else { 2 });
        assert_eq!(play.stream(), active);
        assert_eq!(play.run("EXISTS h"), "0");
        assert_eq!(play.engine.expire_some(play.now, 100), 0);
    }
}

#[test]
fn a_replica_hides_fields_and_waits_for_its_master() {
    let mut play = Play::new("redis-8.2");
    play.engine.set_replica(true);
    assert!(play.apply("HSET h a 1"));
    assert!(play.apply("HPEXPIREAT h 1700000000010 FIELDS 1 a"));
    play.now += 11;
    assert_eq!((play.run("HGET h a"), play.run("HLEN h")), ("(nil)".into(), "1".into()));
    assert!(play.apply("HINCRBY h a 1"));
    play.now -= 11;
    assert_eq!(play.run("HGET h a"), "2");
    assert!(play.apply("HDEL h a"));
    assert_eq!((play.run("EXISTS h").as_str(), play.stream().as_str()), ("0", ""));
}

#[test]
fn seconds_are_rounded_up_by_redis_and_to_the_nearest_by_valkey() {
    for (dialect, left, at) in [("redis-8.2", "[11]", "[1700000011]"), ("valkey-9.1", "[10]", "[1700000010]")] {
        let mut play = Play::new(dialect);
        play.run("HSET h a 1");
        play.run("HPEXPIRE h 10400 FIELDS 1 a");
        assert_eq!((play.run("HTTL h FIELDS 1 a").as_str(), play.run("HEXPIRETIME h FIELDS 1 a").as_str()), (left, at));
    }
}
