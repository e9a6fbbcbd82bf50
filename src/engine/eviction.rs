//! `maxmemory`: how much memory the data take, and which keys go when it is too much.
//!
//! Nobody counts bytes: what the data take is estimated from some of the keys, on top of what the process took without
//! any. So the limit is held about, and soon after it is passed. Which keys were used last, or most, is not known
//! either: of those that the policy allows one goes at random, and of those that expire the one that does so next.

use super::core::Engine;
use super::error::CommandError;
use super::events::Class;
use crate::bounds::{EVICTED_AT_ONCE, MEMORY_SAMPLES};

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

    /// The key that goes next, by the policy.
    fn key_to_evict(&mut self) -> Option<(usize, super::value::Blob)> {
        let policy = self.config.get("maxmemory-policy");
        let (volatile, any) = (policy.starts_with("volatile-"), policy.starts_with("allkeys-"));
        let databases = self.keyspace.databases();
        let first = self.random.below(databases);
        let order = (0..databases).map(|offset| (first + offset) % databases);
        if volatile {
            return order.into_iter().find_map(|db| Some((db, self.keyspace.soonest(db)?)));
        }
        let db = order.into_iter().find(|db| any && self.keyspace.size(*db).keys > 0)?;
        let index = self.random.below(self.keyspace.size(db).keys);
        self.keyspace.by_index(db, index).map(|(key, _)| (db, key.clone()))
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
}
