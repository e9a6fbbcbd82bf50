//! How often commands run and for how long: INFO's commandstats and latencystats, SLOWLOG, LATENCY.
//!
//! Calls are counted one by one. The time of a command that can take long is measured each time; of one that cannot, one
//! in [`SAMPLED`] is, and stands for the others, unless somebody wants to know exactly (a SLOWLOG threshold below
//! [`QUICK`], a latency monitor). So the commands that matter most read no clock as a rule.

use std::collections::{BTreeMap, VecDeque};

use super::args::Args;
use super::clients::Session;
use super::command::{self, Flag, Spec};
use super::config::Config;
use super::core::Engine;
use super::dialect::Dialect;
use super::value::Blob;
use crate::bounds::{LATENCY_SAMPLES, SLOWLOG_ARGUMENT, SLOWLOG_ARGUMENTS};

/// Of so many calls of a quick command one is measured.
const SAMPLED: u64 = 32;

/// A command of few arguments that takes constant time does not take so long, in microseconds.
const QUICK: i64 = 1000;

/// More arguments than this may take long whatever is done with each.
const FEW: usize = 16;

/// Steps of a histogram within each power of two.
const STEPS: u32 = 16;

/// How long some calls took: counts by nanoseconds, in steps of a sixteenth of a power of two.
#[derive(Clone, Debug)]
struct Histogram(Box<[u64; 64 * STEPS as usize]>);

impl Histogram {
    fn new() -> Self {
        Self(Box::new([0; 64 * STEPS as usize]))
    }

    fn add(&mut self, nanoseconds: u64) {
        let value = nanoseconds.max(u64::from(STEPS));
        let power = value.ilog2();
        // The power, and the four bits behind the first.
        let step = (value >> (power - STEPS.ilog2())) as usize & (STEPS as usize - 1);
        if let Some(count) = self.0.get_mut(power as usize * STEPS as usize + step) {
            *count += 1;
        }
    }

    /// The greatest duration, in nanoseconds, that is counted at this place.
    fn greatest(place: usize) -> u64 {
        let (power, step) = (place as u32 / STEPS, place as u64 % u64::from(STEPS));
        let wide = (u64::from(STEPS) + step + 1).checked_shl(power.saturating_sub(STEPS.ilog2())).unwrap_or(u64::MAX);
        wide.saturating_sub(1)
    }

    /// How long so many percent of the calls took at most, in nanoseconds.
    fn percentile(&self, percent: f64) -> u64 {
        let all: u64 = self.0.iter().sum();
        let wanted = ((percent / 100.0 * all as f64 + 0.5) as u64).clamp(1, all.max(1));
        let mut seen = 0;
        for (place, count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Self::greatest(place);
            }
        }
        0
    }

    /// By powers of two of 1024 nanoseconds, as far as calls go: microseconds, and how many calls took that long at most.
    fn cumulative(&self) -> Vec<(u64, u64)> {
        let (mut found, mut level, mut seen, mut told) = (Vec::new(), 1024_u64, 0, 0);
        for (place, count) in self.0.iter().enumerate() {
            while Self::greatest(place) > level + level / 128 && level < 1 << 62 {
                if seen > told {
                    found.push(((level + level / 128 - 1) / 1000, seen));
                    told = seen;
                }
                level *= 2;
            }
            seen += count;
        }
        if seen > told {
            found.push(((level + level / 128 - 1) / 1000, seen));
        }
        found
    }
}

/// What is counted of one command.
#[derive(Clone, Debug, Default)]
struct Counts {
    calls: u64,
    rejected: u64,
    failed: u64,
    /// Calls that were measured, and how long they took, in nanoseconds.
    measured: u64,
    nanoseconds: u64,
    histogram: Option<Histogram>,
}

impl Counts {
    /// How long all calls took, in microseconds, by those that were measured.
    fn microseconds(&self) -> u64 {
        let (all, measured) = (u128::from(self.calls), u128::from(self.measured.max(1)));
        u64::try_from(u128::from(self.nanoseconds) * all / measured / 1000).unwrap_or(u64::MAX)
    }
}

/// A command that took long.
#[derive(Clone, Debug)]
pub(super) struct Slow {
    pub(super) id: u64,
    /// In seconds since 1970.
    pub(super) at: i64,
    pub(super) microseconds: u64,
    pub(super) words: Vec<Blob>,
    pub(super) peer: String,
    pub(super) name: Blob,
}

/// What the latency monitor has seen of one kind of event.
#[derive(Clone, Debug, Default)]
pub(super) struct Spikes {
    /// When, in seconds since 1970, and how long, in milliseconds; the newest last.
    pub(super) samples: VecDeque<(i64, u64)>,
    /// The longest ever.
    pub(super) longest: u64,
}

/// Everything that is measured.
#[derive(Debug)]
pub(super) struct Measures {
    counts: Vec<Counts>,
    /// Every command's time is wanted.
    exact: bool,
    /// In microseconds; `None` for no slow log.
    slower_than: Option<u64>,
    longest_log: usize,
    histograms: bool,
    /// In milliseconds; `None` for no latency monitor.
    pub(super) threshold: Option<u64>,
    pub(super) slow: VecDeque<Slow>,
    next_slow: u64,
    pub(super) spikes: BTreeMap<&'static str, Spikes>,
    /// A clock that only goes forward, in nanoseconds: the server's; it stands still where there is none.
    pub(super) clock: fn() -> u64,
}

impl Measures {
    pub(super) fn new() -> Self {
        Self {
            counts: vec![Counts::default(); command::all().count()],
            exact: false,
            slower_than: None,
            longest_log: 0,
            histograms: true,
            threshold: None,
            slow: VecDeque::new(),
            next_slow: 0,
            spikes: BTreeMap::new(),
            clock: || 0,
        }
    }

    /// The configuration has changed.
    pub(super) fn refresh(&mut self, config: &Config) {
        let slower_than = config.number("slowlog-log-slower-than");
        self.slower_than = u64::try_from(slower_than).ok();
        self.longest_log = usize::try_from(config.size("slowlog-max-len")).unwrap_or(usize::MAX);
        self.slow.truncate(self.longest_log);
        self.threshold = Some(config.size("latency-monitor-threshold")).filter(|threshold| *threshold > 0);
        self.histograms = config.flag("latency-tracking");
        self.exact = self.threshold.is_some() || (0..QUICK).contains(&slower_than);
    }

    /// Counts begin again at zero.
    pub(super) fn reset(&mut self) {
        self.counts.iter_mut().for_each(|counts| *counts = Counts::default());
    }

    /// A command begins; gives the clock where it is measured.
    #[inline]
    pub(super) fn begin(&self, spec: &Spec, args: Args<'_>) -> Option<u64> {
        let calls = self.counts.get(spec.index).map_or(0, |counts| counts.calls);
        let measured = self.exact || !spec.quick || args.len() > FEW || calls.is_multiple_of(SAMPLED);
        measured.then(|| (self.clock)())
    }

    /// A command has run; gives for how many nanoseconds, if that was measured.
    #[inline]
    pub(super) fn end(&mut self, spec: &Spec, began: Option<u64>, failed: bool) -> Option<u64> {
        let counts = self.counts.get_mut(spec.index)?;
        counts.calls += 1;
        counts.failed += u64::from(failed);
        began.map(|began| (self.clock)().saturating_sub(began))
    }

    fn measured(&mut self, spec: &Spec, nanoseconds: u64) {
        let Some(counts) = self.counts.get_mut(spec.index) else { return };
        counts.measured += 1;
        counts.nanoseconds += nanoseconds;
        if self.histograms {
            counts.histogram.get_or_insert_with(Histogram::new).add(nanoseconds);
        }
    }

    /// A command was refused before it ran.
    pub(super) fn reject(&mut self, spec: &Spec) {
        if let Some(counts) = self.counts.get_mut(spec.index) {
            counts.rejected += 1;
        }
    }

    /// Something took so long, in milliseconds.
    pub(super) fn spike(&mut self, event: &'static str, milliseconds: u64, now: i64) {
        if self.threshold.is_none_or(|threshold| milliseconds < threshold) {
            return;
        }
        let spikes = self.spikes.entry(event).or_default();
        spikes.longest = spikes.longest.max(milliseconds);
        let second = now / 1000;
        // Within a second the longest counts.
        match spikes.samples.back_mut() {
            Some((at, longest)) if *at == second => *longest = (*longest).max(milliseconds),
            _ => {
                if spikes.samples.len() == LATENCY_SAMPLES {
                    spikes.samples.pop_front();
                }
                spikes.samples.push_back((second, milliseconds));
            }
        }
    }

    /// INFO's commandstats: of each command that was called or refused its line. Before 7.0 subcommands were their
    /// container's.
    pub(super) fn command_lines(&self, dialect: Dialect) -> Vec<String> {
        let mut all: Vec<(&str, Counts)> = Vec::new();
        for (spec, counts) in command::all().zip(&self.counts) {
            if counts.calls + counts.rejected == 0 {
                continue;
            }
            let name = if dialect.since(7, 0) { spec.name } else { spec.name.split('|').next().unwrap_or_default() };
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => {
                    sum.calls += counts.calls;
                    sum.rejected += counts.rejected;
                    sum.failed += counts.failed;
                    sum.measured += counts.measured;
                    sum.nanoseconds += counts.nanoseconds;
                }
                None => all.push((name, Counts { histogram: None, ..counts.clone() })),
            }
        }
        let line = |(name, counts): &(&str, Counts)| {
            let (name, microseconds) = (name.to_ascii_lowercase(), counts.microseconds());
            let each = if counts.calls == 0 { 0.0 } else { microseconds as f64 / counts.calls as f64 };
            format!(
                "cmdstat_{name}:calls={},usec={microseconds},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                counts.calls, counts.rejected, counts.failed
            )
        };
        all.iter().map(line).collect()
    }

    /// INFO's latencystats.
    pub(super) fn latency_lines(&self, percentiles: &str) -> Vec<String> {
        let percentiles: Vec<(&str, f64)> =
            percentiles.split_ascii_whitespace().filter_map(|text| Some((text, text.parse().ok()?))).collect();
        let line = |(spec, counts): (&Spec, &Counts)| {
            let histogram = counts.histogram.as_ref()?;
            let values = percentiles.iter().map(|(text, percent)| {
                let microseconds = histogram.percentile(*percent) as f64 / 1000.0;
                format!("p{text}={microseconds:.3}")
            });
            let values = values.collect::<Vec<_>>().join(",");
            Some(format!("latency_percentiles_usec_{}:{values}", spec.name.to_ascii_lowercase()))
        };
        command::all().zip(&self.counts).filter_map(line).collect()
    }

    /// LATENCY HISTOGRAM of one command: calls, and how many took so many microseconds at most.
    pub(super) fn histogram(&self, spec: &Spec) -> Option<(u64, Vec<(u64, u64)>)> {
        let counts = self.counts.get(spec.index)?;
        let mut steps = counts.histogram.as_ref()?.cumulative();
        // Those that were measured stand for all.
        for (_, seen) in &mut steps {
            let all = u128::from(*seen) * u128::from(counts.calls) / u128::from(counts.measured.max(1));
            *seen = u64::try_from(all).unwrap_or(u64::MAX);
        }
        Some((counts.calls, steps))
    }
}

impl Engine {
    /// By which clock, in nanoseconds, commands are measured.
    pub fn measure_by(&mut self, clock: fn() -> u64) {
        self.measures.clock = clock;
    }

    /// Something that is no command took so many nanoseconds.
    pub(super) fn spiked(&mut self, event: &'static str, nanoseconds: u64, now: i64) {
        self.measures.spike(event, nanoseconds / 1_000_000, now);
    }

    /// A command was measured: it is counted, and written down if it took long.
    pub(super) fn measured(
        &mut self,
        spec: &'static Spec,
        nanoseconds: u64,
        args: Args<'_>,
        session: &Session,
        now: i64,
    ) {
        // What DEBUG SLEEP sleeps comes behind its batch.
        let sleeps = self.sleep_for.filter(|_| spec.name == "DEBUG").map_or(0, |time| time.as_nanos() as u64);
        let nanoseconds = nanoseconds.saturating_add(sleeps);
        self.measures.measured(spec, nanoseconds);
        let microseconds = nanoseconds / 1000;
        if self.measures.slower_than.is_some_and(|limit| microseconds >= limit) && spec.name != "EXEC" {
            self.write_down(spec, microseconds, args, session, now);
        }
        if self.measures.threshold.is_some() {
            let event = if spec.has(Flag::Fast) { "fast-command" } else { "command" };
            self.measures.spike(event, microseconds / 1000, now);
        }
    }

    /// An entry for the slow log. Scripts' commands are part of their script's.
    #[cold]
    fn write_down(&mut self, spec: &Spec, microseconds: u64, args: Args<'_>, session: &Session, now: i64) {
        // One place of the last is the number of those that are left out.
        let shown = if args.len() > SLOWLOG_ARGUMENTS { SLOWLOG_ARGUMENTS - 1 } else { args.len() };
        let word = |(index, word): (usize, &[u8])| {
            if spec.is_secret(args, index) {
                return Blob::from(&b"(redacted)"[..]);
            }
            match word.split_at_checked(SLOWLOG_ARGUMENT) {
                Some((part, rest)) if !rest.is_empty() => {
                    Blob::from(&[part, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()[..])
                }
                _ => Blob::from(word),
            }
        };
        let mut words: Vec<Blob> = args.from(0).enumerate().take(shown).map(word).collect();
        if args.len() > shown {
            words.push(Blob::from(format!("... ({} more arguments)", args.len() - shown).as_bytes()));
        }
        let measures = &mut self.measures;
        let entry = Slow {
            id: measures.next_slow,
            at: now / 1000,
            microseconds,
            words,
            peer: session.peer.clone(),
            name: session.name.clone(),
        };
        measures.next_slow += 1;
        measures.slow.push_front(entry);
        measures.slow.truncate(measures.longest_log);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::engine::testing::Play;

    thread_local! {
        static TIME: Cell<u64> = const { Cell::new(0) };
    }

    /// Each look at the clock is two milliseconds later than the one before.
    fn clock() -> u64 {
        TIME.set(TIME.get() + 2_000_000);
        TIME.get()
    }

    fn play(dialect: &str) -> Play {
        let mut play = Play::new(dialect);
        play.engine.measure_by(clock);
        play
    }

    fn line(play: &mut Play, name: &str) -> String {
        let text = String::from_utf8(play.bulk("INFO commandstats")).unwrap();
        text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    }

    #[test]
    fn calls_are_counted_and_stand_for_those_that_were_not_measured() {
        let mut play = play("redis-7.0");
        for _ in 0..40 {
            play.run("SET k v");
        }
        play.run("SET k");
        play.run("LPUSH k x");
        // Two of the forty were measured.
        let wanted = "cmdstat_set:calls=40,usec=80000,usec_per_call=2000.00,rejected_calls=1,failed_calls=0";
        assert_eq!(line(&mut play, "cmdstat_set:"), wanted);
        let wanted = "cmdstat_lpush:calls=1,usec=2000,usec_per_call=2000.00,rejected_calls=0,failed_calls=1";
        assert_eq!(line(&mut play, "cmdstat_lpush:"), wanted);
        assert_eq!(play.run("LATENCY HISTOGRAM set nosuch"), "[set [calls 40 histogram_usec [2113 40]]]");
        let text = String::from_utf8(play.bulk("INFO latencystats")).unwrap();
        assert!(text.contains("latency_percentiles_usec_set:p50=2031.615,p99=2031.615,p99.9=2031.615"), "{text}");
        play.run("CONFIG RESETSTAT");
        assert_eq!(line(&mut play, "cmdstat_set:"), "");
    }

    #[test]
    fn before_7_0_subcommands_are_their_containers() {
        let mut play = play("redis-6.2");
        play.run("CLIENT ID");
        play.run("CLIENT GETNAME");
        assert!(line(&mut play, "cmdstat_client:").starts_with("cmdstat_client:calls=2,"));
    }

    #[test]
    fn who_waits_is_counted_once() {
        let mut play = play("redis-7.0");
        play.run("BLPOP l 0");
        assert_eq!(line(&mut play, "cmdstat_blpop"), "");
        play.run("LPUSH l x");
        play.run("BLPOP l 0");
        assert!(line(&mut play, "cmdstat_blpop").starts_with("cmdstat_blpop:calls=1,"));
    }

    #[test]
    fn slow_commands_are_written_down_without_secrets() {
        let mut play = play("redis-7.0");
        play.run("CONFIG SET slowlog-log-slower-than 1500");
        play.run("SLOWLOG RESET");
        play.run("ACL SETUSER u >secret");
        play.run("CONFIG SET masterauth secret");
        play.run(&format!("SADD s {}", "x".repeat(130)));
        play.run(&format!("SADD s {}", (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")));
        let words: Vec<String> = play
            .engine
            .measures
            .slow
            .iter()
            .map(|slow| {
                slow.words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join(" ")
            })
            .collect();
        let long = format!("SADD s {}... (2 more bytes)", "x".repeat(128));
        assert!(
            words[0].starts_with("SADD s 0 1 2") && words[0].ends_with(" 28 ... (11 more arguments)"),
            "{}",
            words[0]
        );
        assert_eq!(
            words[1..],
            [&long, "CONFIG SET masterauth (redacted)", "ACL SETUSER (redacted) (redacted)", "SLOWLOG RESET"]
        );
        assert_eq!(play.run("SLOWLOG LEN"), "5");
        play.run("CONFIG SET slowlog-max-len 2");
        assert_eq!(play.run("SLOWLOG LEN"), "2");
        play.run("CONFIG SET slowlog-log-slower-than -1");
        play.run("SLOWLOG RESET");
        play.run("PING");
        assert_eq!(play.run("SLOWLOG LEN"), "0");
    }

    #[test]
    fn what_takes_long_is_seen_by_the_latency_monitor() {
        let mut play = play("redis-7.0");
        play.run("CONFIG SET latency-monitor-threshold 2");
        play.now += 1000;
        play.run("LRANGE l 0 1");
        play.run("GET k");
        assert_eq!(play.run("LATENCY LATEST"), "[[command 1700000001 2 2] [fast-command 1700000001 2 2]]");
        play.now += 1000;
        play.run("LRANGE l 0 1");
        let history = "[[1700000001 2] [1700000002 2]]";
        assert!(play.run("LATENCY HISTORY command").ends_with(&history[1..]));
        assert_eq!(play.run("LATENCY RESET fast-command nosuch"), "1");
        assert_eq!(play.run("LATENCY GRAPH nosuch"), "-ERR No samples available for event 'nosuch'");
    }

    #[test]
    fn a_histogram_is_right_to_a_sixteenth() {
        let mut histogram = Histogram::new();
        (1..=100_u64).for_each(|number| histogram.add(number * 1000));
        for (percent, wanted) in [(1.0, 1000.0), (50.0, 50_000.0), (99.0, 99_000.0), (100.0, 100_000.0)] {
            let found = histogram.percentile(percent) as f64;
            assert!(found >= wanted && found <= wanted * 17.0 / 16.0, "{percent}: {found}");
        }
        assert_eq!(histogram.cumulative().last().map(|(_, seen)| *seen), Some(100));
    }
}
