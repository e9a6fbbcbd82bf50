// Uses a server as programs with node-redis do; the port is the argument. Fails where an answer is wrong.

import assert from "node:assert/strict";
import { createClient } from "redis";

const url = `redis://127.0.0.1:${process.argv[2]}`;

for (const RESP of [2, 3]) {
  const client = await createClient({ url, RESP }).connect();
  await client.flushAll();
  assert.equal(await client.set("a", "1"), "OK");
  assert.equal(await client.incr("a"), 2);
  assert.equal(await client.get("no"), null);
  assert.deepEqual(await client.mGet(["a", "no"]), ["2", null]);
  await client.hSet("h", { f: "1", g: "2" });
  assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "1", g: "2" });
  await client.rPush("l", ["a", "b", "c"]);
  assert.deepEqual(await client.lRange("l", 0, -1), ["a", "b", "c"]);
  await client.zAdd("z", [{ score: 1.5, value: "m" }, { score: 2, value: "n" }]);
  assert.deepEqual(
    (await client.zRangeWithScores("z", 0, -1)).map(({ score, value }) => [value, score]),
    [["m", 1.5], ["n", 2]],
  );
  const id = await client.xAdd("st", "*", { f: "v" });
  assert.equal((await client.xRange("st", "-", "+"))[0].id, id);
  // All of these go out at once.
  const numbers = await Promise.all(Array.from({ length: 500 }, (_, number) => client.incrBy("sum", number)));
  assert.equal(numbers.at(-1), (499 * 500) / 2);
  assert.deepEqual(await client.multi().set("t", "1").incr("t").get("t").exec(), ["OK", 2, "2"]);
  assert.equal(await client.eval("return redis.call('get', KEYS[1])", { keys: ["a"] }), "2");
  const seen = new Set();
  for await (const keys of client.scanIterator({ COUNT: 2 })) for (const key of [keys].flat()) seen.add(key);
  assert.equal(seen.size, await client.dbSize());
  await assert.rejects(client.lPush("a", "x"), /WRONGTYPE/);

  const listener = await client.duplicate().connect();
  const heard = new Promise((resolve) => listener.subscribe("news", resolve));
  while ((await client.publish("news", "hello")) === 0);
  assert.equal(await heard, "hello");
  await listener.unsubscribe("news");

  const worker = await client.duplicate().connect();
  const work = worker.blPop("queue", 30);
  while (!(await client.info("clients")).includes("blocked_clients:1"));
  await client.rPush("queue", "work");
  assert.equal((await work).element, "work");
  for (const one of [worker, listener, client]) await one.close();
}
console.log("all well");
