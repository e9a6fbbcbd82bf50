//! `maxmemory`: how much memory the data take, and which keys go when it is too much.
//!
//! Nobody counts bytes: what the data take is estimated from some of the keys, on top of what the process took without
//! any. So the limit is held about, and soon after it is passed. Of the keys that the policy allows some are looked at,
//! and the one goes that was used last the longest ago, or the least often.

use super::core::Engine;
use super::error::CommandError;
use super::events::Class;
use super::keyspace::Entry;
use super::uses::Clock;
use super::value::Blob;
use crate::bounds::{EVICTED_AT_ONCE, MAX_EVICTION_SAMPLES, MEMORY_SAMPLES};

/// The bookkeeping of a key, in bytes.
pub(super) const PER_KEY: u64 = 64;

impl Engine {
    /// What the process takes, in bytes: the program and the data.
    #[must_use]
    pub fn used_memory(&self) -> u64 {
        self.process.memory_without_data + (0..self.keyspace.databases()).map(|db| self.weight_of(db)).sum::<u64>()
    }

    /// About how much the keys of a database take, by some of them.
    fn weight_of(&self, db: usize) -> u64 {
        let keys = self.keyspace.size(db).keys;
        let step = (keys / MEMORY_SAMPLES).max(1);
        let (mut sum, mut seen) = (0_u64, 0_u64);
        for index in (0..keys).step_by(step) {
            if let Some((key, entry)) = self.keyspace.by_index(db, index) {
                sum += PER_KEY + key.len() as u64 + entry.value.weight_about() as u64;
                seen += 1;
            }
        }
        let all = u128::from(sum) * keys as u128 / u128::from(seen.max(1));
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// Whether there is a limit that this server minds.
    #[inline]
    pub(super) fn limits_memory(&self) -> bool {
        self.max_memory > 0 && !(self.is_replica() && self.config.flag("replica-ignore-maxmemory"))
    }

    /// Takes keys out until the data are within the limit; tells whether they are. At most so many at once: the rest
    /// goes with the next command or tick.
    #[cold]
    pub(super) fn evict(&mut self, now: i64) -> bool {
        if self.is_loading() || self.is_paused(now) {
            return true;
        }
        let mut used = self.used_memory();
        for _ in 0..EVICTED_AT_ONCE {
            if used <= self.max_memory {
                return true;
            }
            let Some((db, key)) = self.key_to_evict() else { return false };
            let weight = self.keyspace.get(db, &key).map_or(0, |entry| entry.value.weight_about());
            if self.keyspace.remove(db, &key).is_none() {
                return false;
            }
            self.stats.evicted_keys += 1;
            self.stream.set_idle(self.master.backlog().is_none());
            self.stream.push(db, [self.delete_word(), &key].into_iter());
            self.touch_by_nobody(db, &key);
            self.notify(db, Class::Evicted, "evicted", &key);
            self.end_unit(now);
            used = used.saturating_sub(PER_KEY + (key.len() + weight) as u64);
        }
        true
    }

    /// The key that goes next, by the policy: of those that expire, of all; the next to expire, some, or of some in each
    /// database the one that was used the least.
    fn key_to_evict(&mut self) -> Option<(usize, Blob)> {
        let policy = self.config.get("maxmemory-policy");
        let (volatile, any) = (policy.starts_with("volatile-"), policy.starts_with("allkeys-"));
        let (soonest, by_use) = (policy.ends_with("-ttl"), policy.ends_with("-lru") || policy.ends_with("-lfu"));
        let databases = self.keyspace.databases();
        let first = self.random.below(databases);
        let mut order = (0..databases).map(|offset| (first + offset) % databases);
        if !volatile && !any {
            return None;
        }
        if soonest {
            let next = order.filter_map(|db| Some((db, self.keyspace.soonest(db)?)));
            let next: Vec<(usize, Blob)> = next.collect();
            let expiry = |(db, key): &(usize, Blob)| self.keyspace.get(*db, key).and_then(Entry::expires_at);
            return next.into_iter().min_by_key(expiry);
        }
        if !by_use {
            return order.find_map(|db| Some((db, self.sample(db, volatile)?)));
        }
        let samples = self.config.size("maxmemory-samples").min(MAX_EVICTION_SAMPLES);
        let mut best: Option<(u32, usize, Blob)> = None;
        for db in order {
            for _ in 0..samples {
                let Some(key) = self.sample(db, volatile) else { break };
                let Some(entry) = self.keyspace.get(db, &key) else { continue };
                let rank = entry.used.rank(&self.keyspace.clock);
                if best.as_ref().is_none_or(|(most, ..)| rank > *most) {
                    best = Some((rank, db, key));
                }
            }
        }
        best.map(|(_, db, key)| (db, key))
    }

    /// Some key of a database, or one of those that expire.
    fn sample(&mut self, db: usize, volatile: bool) -> Option<Blob> {
        if volatile {
            return self.keyspace.some_volatile(db, &mut self.random);
        }
        let index = self.random.below(self.keyspace.size(db).keys);
        self.keyspace.by_index(db, index).map(|(key, _)| key.clone())
    }

    /// The clock by which RDBs tell when keys were used last, or how often: where the policy minds.
    pub(super) fn told_uses(&self) -> Option<Clock> {
        let policy = self.config.get("maxmemory-policy");
        ["-lru", "-lfu"].iter().any(|end| policy.ends_with(end)).then_some(self.keyspace.clock)
    }
}

/// A command that may need memory, and there is none.
pub(super) const NO_MEMORY: CommandError =
    CommandError::fixed("OOM command not allowed when used memory > 'maxmemory'.");

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn keys_go_by_the_policy_and_are_told() {
        let mut play = Play::new("redis-7.0");
        for line in [
            "SET plain x",
            "SET volatile x EX 100",
            "CONFIG SET maxmemory-policy volatile-random",
            "CONFIG SET maxmemory 1",
        ] {
            play.run(line);
        }
        play.stream();
        assert!(!play.engine.evict(play.now));
        assert_eq!(play.stream(), "DEL volatile");
        play.rows(&[
            ("GET plain", "x", ""),
            ("SET k v", "-OOM command not allowed when used memory > 'maxmemory'.", ""),
            ("DEL none", "0", ""),
            ("CONFIG SET maxmemory-policy allkeys-lru", "OK", ""),
        ]);
        // There is nothing left then, and room for what comes.
        assert_eq!(play.run("GET plain"), "(nil)");
        assert_eq!(play.stream(), "DEL plain");
        assert_eq!(play.engine.stats.evicted_keys, 2);
        play.rows(&[("CONFIG SET maxmemory 0", "OK", ""), ("SET k v", "OK", "SET k v")]);
    }

    /// What goes, of keys that were used in this order, the last of them most.
    fn gone_first(policy: &str) -> String {
        let mut play = Play::new("redis-7.0");
        play.run(&format!("CONFIG SET maxmemory-policy {policy} maxmemory-samples 64 lfu-log-factor 0"));
        for line in ["SET plain x", "SET a x EX 100", "SELECT 3", "SET b x EX 50", "SET c x EX 200"] {
            play.run(line);
        }
        for (count, (db, key)) in [(0, "plain"), (0, "a"), (3, "b"), (3, "c")].into_iter().enumerate() {
            play.now += 1000;
            play.run(&format!("SELECT {db}"));
            (0..=10 * count * count).for_each(|_| drop(play.run(&format!("GET {key}"))));
        }
        play.stream();
        play.engine.max_memory = play.engine.used_memory() - 1;
        assert!(play.engine.evict(play.now), "{policy}");
        play.stream()
    }

    #[test]
    fn the_least_used_key_goes() {
        for (policy, gone) in [
            ("allkeys-lru", "DEL plain"),
            ("volatile-lru", "DEL a"),
            ("allkeys-lfu", "DEL plain"),
            ("volatile-lfu", "DEL a"),
            ("volatile-ttl", "DEL b"),
        ] {
            assert_eq!(gone_first(policy), gone, "{policy}");
        }
    }
}
