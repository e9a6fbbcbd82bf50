"""Uses a server as programs with redis-py do; the port is the argument. Ends with a traceback where an answer is wrong."""

import sys
import threading
import time

import redis
from redis.cache import CacheConfig
from redis.exceptions import NoScriptError, ResponseError, WatchError

port = int(sys.argv[1])


def ordinary(protocol):
    r = redis.Redis(port=port, protocol=protocol, decode_responses=True)
    r.flushall()
    assert r.ping() and r.set("a", 1) and r.get("a") == "1" and r.incr("a") == 2
    assert r.mset({"b": "x", "c": "y"}) and r.mget("a", "b", "no") == ["2", "x", None]
    assert r.set("t", "v", ex=100, nx=True) and 0 < r.ttl("t") <= 100 and r.set("t", "w", nx=True) is None
    assert r.hset("h", mapping={"f": 1, "g": 2}) == 2 and r.hgetall("h") == {"f": "1", "g": "2"}
    assert r.rpush("l", 1, 2, 3) == 3 and r.lrange("l", 0, -1) == ["1", "2", "3"]
    assert r.sadd("s", "x", "y") == 2 and r.smembers("s") == {"x", "y"}
    assert r.zadd("z", {"m": 1.5, "n": 2}) == 2
    ranked = [tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)]
    assert ranked == [("m", 1.5), ("n", 2.0)], ranked
    assert r.geoadd("g", (13.361389, 38.115556, "Palermo")) == 1
    assert abs(r.geopos("g", "Palermo")[0][0] - 13.361389) < 1e-4
    entry = r.xadd("st", {"f": "v"})
    assert r.xrange("st") == [(entry, {"f": "v"})]
    assert r.xgroup_create("st", "grp", 0) and r.xreadgroup("grp", "me", {"st": ">"}) and r.xack("st", "grp", entry) == 1
    assert r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
    assert r.pfadd("hll", 1, 2, 3) == 1 and r.pfcount("hll") == 3
    assert set(r.scan_iter(match="*", count=3)) == set(r.keys())
    assert r.object("encoding", "l") in ("listpack", "quicklist") and r.type("z") == "zset"
    try:
        r.lpush("a", 1)
        raise AssertionError("no error")
    except ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error
    info = r.info()
    assert info["role"] == "master" and info["tcp_port"] == port, info
    assert r.config_get("maxmemory") == {"maxmemory": "0"}
    assert r.client_setname("me") and r.client_getname() == "me"
    assert any(client["name"] == "me" for client in r.client_list())
    assert r.command_count() > 200 and "get" in r.command()
    assert r.dbsize() == len(r.keys()) and r.copy("a", "a2") and r.delete("a2") == 1


def transactions():
    r = redis.Redis(port=port, decode_responses=True)
    with r.pipeline() as pipe:
        assert pipe.set("p", 1).incr("p").get("p").execute() == [True, 2, "2"]
        pipe.watch("p")
        r.set("p", 10)
        pipe.multi()
        pipe.incr("p")
        try:
            pipe.execute()
            raise AssertionError("a watched key has changed")
        except WatchError:
            pass
    with r.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.set(f"key:{number}", number)
        assert all(pipe.execute())


def scripts():
    r = redis.Redis(port=port, decode_responses=True)
    r.script_flush()
    add = r.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
    r.delete("n")
    assert add(keys=["n"], args=[5]) == 5 and add(keys=["n"], args=[5]) == 10
    try:
        r.evalsha("0" * 40, 0)
        raise AssertionError("no such script")
    except NoScriptError:
        pass
    with r.lock("lock", timeout=5):
        assert r.exists("lock") == 1
    assert r.exists("lock") == 0


def messages(protocol):
    r = redis.Redis(port=port, protocol=protocol, decode_responses=True)
    listener = r.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    listener.psubscribe("n?ws")

    def next_one():
        until = time.monotonic() + 30
        while time.monotonic() < until:
            message = listener.get_message(timeout=1)
            if message:
                return message
        raise AssertionError("no message")

    while r.pubsub_numsub("news") != [("news", 1)] or r.pubsub_numpat() != 1:
        listener.get_message(timeout=0.01)
    assert r.publish("news", "hello") == 2
    kinds = {next_one()["type"], next_one()["type"]}
    assert kinds == {"message", "pmessage"}, kinds
    listener.close()


def waiting():
    r = redis.Redis(port=port, decode_responses=True)
    got = []
    thread = threading.Thread(target=lambda: got.append(redis.Redis(port=port, decode_responses=True).blpop("queue", 30)))
    thread.start()
    while r.info("clients")["blocked_clients"] == 0:
        pass
    r.rpush("queue", "work")
    thread.join()
    assert got == [("queue", "work")] or got == [["queue", "work"]], got


def caching():
    """Client-side caching stands on CLIENT TRACKING and pushed invalidations."""
    other = redis.Redis(port=port)
    # The library does it with Redis since 7.4 only.
    version = other.info("server")["redis_version"].split(".")
    if (int(version[0]), int(version[1])) < (7, 4):
        return
    r = redis.Redis(port=port, protocol=3, decode_responses=True, cache_config=CacheConfig())
    other.set("cached", "old")
    assert r.get("cached") == "old" and r.get("cached") == "old"
    other.set("cached", "new")
    until = time.monotonic() + 30
    while r.get("cached") != "new":
        assert time.monotonic() < until, "the cached value was never invalidated"


for protocol in (2, 3):
    ordinary(protocol)
    messages(protocol)
transactions()
scripts()
waiting()
caching()
print("all well")
