//! When keys were used last, or how often: for OBJECT, `maxmemory-policy` and RDBs.
//!
//! A key has 24 bits for it, as servers have: the second in which it was used last; or, where the policy counts uses
//! (LFU), the minute in which its counter was lowered last, in 16 bits, and the counter in 8, which rises the less often
//! the higher it is. Only the policy tells which of both it is: after another was set the bits mean something else, there
//! and here. Both clocks come round, the first after half a year.

use std::sync::atomic::{AtomicU32, Ordering};

use super::config::Config;
use super::random::Random;

/// Of both clocks and the counter.
const BITS: u32 = 0x00ff_ffff;

/// What a new key's counter begins with, so that it does not go at once.
const FRESH: u32 = 5;

/// The use of one key. It is noted while others look at the key, too.
#[derive(Debug, Default)]
pub struct Use(AtomicU32);

impl Clone for Use {
    fn clone(&self) -> Self {
        Self(AtomicU32::new(self.bits()))
    }
}

/// The time, as uses are noted by it, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// In milliseconds since 1970.
    now: i64,
    /// The policy counts uses.
    counts: bool,
    /// `lfu-log-factor`: the greater, the more seldom counters rise.
    log_factor: u64,
    /// `lfu-decay-time`: after so many minutes a counter falls by one; 0 for never.
    decay: u32,
    /// What a key has that is used now: for those that count, a new one.
    stamp: u32,
}

impl Clock {
    /// Sets the time, in milliseconds since 1970.
    #[inline]
    pub fn set(&mut self, now: i64) {
        if now != self.now {
            self.now = now;
            self.stamp = if self.counts { self.minute() << 8 | FRESH } else { self.second() };
        }
    }

    /// Takes what the configuration says.
    pub(super) fn configure(&mut self, config: &Config) {
        let now = self.now;
        *self = Self {
            now: now.wrapping_sub(1),
            counts: config.get("maxmemory-policy").ends_with("-lfu"),
            log_factor: config.size("lfu-log-factor"),
            decay: u32::try_from(config.size("lfu-decay-time")).unwrap_or(u32::MAX),
            stamp: 0,
        };
        self.set(now);
    }

    /// Whether uses are counted, in place of the time of the last.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.counts
    }

    fn second(&self) -> u32 {
        (self.now / 1000) as u32 & BITS
    }

    fn minute(&self) -> u32 {
        (self.now / 60_000) as u32 & BITS >> 8
    }
}

impl Use {
    /// That of a new key.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        Self(AtomicU32::new(clock.stamp))
    }

    fn bits(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn put(&self, bits: u32) {
        self.0.store(bits & BITS, Ordering::Relaxed);
    }

    /// The key is used.
    #[inline]
    pub fn note(&self, clock: &Clock, random: &mut Random) {
        if clock.counts {
            self.count(clock, random);
        } else if self.bits() != clock.stamp {
            // Once a second at most, so that who only reads seldom writes.
            self.put(clock.stamp);
        }
    }

    #[cold]
    fn count(&self, clock: &Clock, random: &mut Random) {
        let frequency = self.frequency(clock);
        let above = u64::from(frequency).saturating_sub(FRESH.into());
        let one_of = above.saturating_mul(clock.log_factor).saturating_add(1);
        let rises = random.below(usize::try_from(one_of).unwrap_or(usize::MAX)) == 0;
        self.set_frequency(frequency.saturating_add(rises.into()), clock);
    }

    /// For how many seconds it was not used.
    #[must_use]
    pub fn idle(&self, clock: &Clock) -> u32 {
        clock.second().wrapping_sub(self.bits()) & BITS
    }

    /// Its counter, lowered by the time that has passed.
    #[must_use]
    pub fn frequency(&self, clock: &Clock) -> u8 {
        let bits = self.bits();
        let minutes = clock.minute().wrapping_sub(bits >> 8) & BITS >> 8;
        let falls = minutes.checked_div(clock.decay).unwrap_or(0);
        u8::try_from((bits & 0xff).saturating_sub(falls)).unwrap_or(u8::MAX)
    }

    /// It was not used for so many seconds.
    pub fn set_idle(&self, seconds: u64, clock: &Clock) {
        self.put(clock.second().wrapping_sub(seconds as u32));
    }

    /// Its counter stands so.
    pub fn set_frequency(&self, frequency: u8, clock: &Clock) {
        self.put(clock.minute() << 8 | u32::from(frequency));
    }

    /// How well it may go, the greater the better.
    #[must_use]
    pub(super) fn rank(&self, clock: &Clock) -> u32 {
        if clock.counts { u32::from(u8::MAX - self.frequency(clock)) } else { self.idle(clock) }
    }

    /// Takes another's place.
    pub(super) fn copy(&self, other: &Self) {
        self.put(other.bits());
    }

    /// Takes what a payload or an RDB says, if it is about what the policy looks at.
    pub fn restore(&self, idle: Option<u64>, frequency: Option<u8>, clock: &Clock) {
        match (clock.counts, idle, frequency) {
            (true, _, Some(frequency)) => self.set_frequency(frequency, clock),
            (false, Some(idle), _) => self.set_idle(idle, clock),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(policy: &str, factor: &str) -> Clock {
        let mut config = Config::new(crate::engine::Dialect::DEFAULT);
        config.set("maxmemory-policy", policy).unwrap();
        config.set("lfu-log-factor", factor).unwrap();
        let mut clock = Clock::default();
        clock.set(1_700_000_000_000);
        clock.configure(&config);
        clock
    }

    #[test]
    fn clocks_come_round() {
        let mut clock = clock("noeviction", "10");
        let used = Use::new(&clock);
        clock.set(clock.now + 5_900);
        assert_eq!(used.idle(&clock), 5);
        used.note(&clock, &mut Random::seeded(1));
        assert_eq!(used.idle(&clock), 0);
        used.set_idle(99_999_999, &clock);
        // Seen of Redis 7.0 and later.
        assert_eq!(used.idle(&clock), 16_113_919);
    }

    #[test]
    fn counters_rise_ever_more_seldom_and_fall_by_time() {
        let mut clock = clock("allkeys-lfu", "10");
        let (used, mut random) = (Use::new(&clock), Random::seeded(7));
        assert_eq!(used.frequency(&clock), 5);
        used.note(&clock, &mut random);
        assert_eq!(used.frequency(&clock), 6);
        // About where redis.conf says that a counter stands after so many hits.
        (0..1000).for_each(|_| used.note(&clock, &mut random));
        assert!((10..30).contains(&used.frequency(&clock)), "{}", used.frequency(&clock));
        used.set_frequency(200, &clock);
        clock.set(clock.now + 50 * 60_000);
        assert_eq!(used.frequency(&clock), 150);
        clock.set(clock.now + 500 * 60_000);
        assert_eq!(used.frequency(&clock), 0);
        let clock = self::clock("allkeys-lfu", "0");
        let used = Use::new(&clock);
        (0..300).for_each(|_| used.note(&clock, &mut random));
        assert_eq!(used.frequency(&clock), 255);
    }
}
