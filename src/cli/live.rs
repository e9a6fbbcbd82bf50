//! Live capture: the pipeline beside the capturing thread.

#[cfg(not(feature = "live"))]
mod absent {
    use anyhow::bail;

    use crate::cli::Exit;
    use crate::cli::args::SniffArgs;
    use crate::cli::view::View;
    use crate::repl::observer::Settings;

    const SENTENCE: &str =
        "this build has no live capture (it was made without libpcap): capture with tcpdump -w and read with -r";

    pub(in crate::cli) fn list() -> anyhow::Result<Exit> {
        bail!(SENTENCE)
    }

    pub(in crate::cli) fn run<V: View>(_: &SniffArgs, _: Settings, _: V) -> anyhow::Result<Exit> {
        bail!(SENTENCE)
    }
}

#[cfg(not(feature = "live"))]
pub(super) use absent::{list, run};
#[cfg(feature = "live")]
pub(super) use present::{list, run};

#[cfg(feature = "live")]
mod present {
    use std::io::{self, Write};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use crate::bounds::LIVE_KERNEL_BUFFER;
    use crate::capture::live::{Event, LiveCapture, LiveOptions, LiveSource, Statistics, interfaces};
    use crate::cli::args::SniffArgs;
    use crate::cli::view::View;
    use crate::cli::{Exit, input, say};
    use crate::repl::Pipeline;
    use crate::repl::observer::Settings;
    use crate::units::Timestamp;
    use crate::view::amount::count;

    /// How long to wait for packets before time is told to pass without any.
    const IDLE: Duration = Duration::from_millis(100);

    pub(in crate::cli) fn list() -> anyhow::Result<Exit> {
        let mut text = String::new();
        for (interface, number) in interfaces()?.iter().zip(1..) {
            let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
            let state = match (interface.up, interface.loopback) {
                (true, true) => " [up, loopback]",
                (true, false) => " [up]",
                (false, true) => " [loopback]",
                (false, false) => "",
            };
            let description = interface.description.as_deref().map_or_else(String::new, |text| format!(" ({text})"));
            text += &format!("{number}.{}{description}{state} {}\n", interface.name, addresses.join(", "));
        }
        io::stdout().lock().write_all(text.as_bytes())?;
        Ok(Exit::Fine)
    }

    pub(in crate::cli) fn run<V: View>(args: &SniffArgs, settings: Settings, view: V) -> anyhow::Result<Exit> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        let options = LiveOptions {
            interface: args.interface.clone().unwrap_or_else(|| "any".to_owned()),
            filter: args.filter.join(" "),
            snaplen: if args.snaplen == 0 { LiveOptions::default().snaplen } else { args.snaplen },
            buffer_bytes: args.buffer_size.unwrap_or(LIVE_KERNEL_BUFFER),
            ..LiveOptions::default()
        };
        let capture = LiveCapture::open(&options).map_err(|error| input::with_hint(error.into(), &args.filter))?;
        let mut writer = input::writer(args.write.as_deref(), None)?;
        say(&format!("listening on {}, {}", capture.interface(), of_filter(&options.filter)));
        let mut source = capture.start(stop)?;
        let mut pipeline = Pipeline::new(settings, view);
        let ended = drain(&mut source, &mut pipeline, writer.as_mut(), args.count);
        let statistics = source.statistics();
        if statistics.dropped_by_kernel > 0 {
            pipeline.observer.capture_loss(statistics.dropped_by_kernel);
        }
        pipeline.finish();
        pipeline.observer.sink.flush();
        if let Some(writer) = writer {
            writer.finish()?;
        }
        summarize(&pipeline, statistics);
        ended.map(|()| Exit::Fine)
    }

    fn of_filter(filter: &str) -> String {
        if filter.is_empty() { "no filter".to_owned() } else { format!("filter \"{filter}\"") }
    }

    /// Takes batches until the capture ends, is stopped, or nobody reads the output any more.
    fn drain<V: View>(
        source: &mut LiveSource,
        pipeline: &mut Pipeline<V>,
        mut writer: Option<&mut crate::capture::CaptureWriter>,
        count: Option<u64>,
    ) -> anyhow::Result<()> {
        let mut left = count.unwrap_or(u64::MAX);
        loop {
            match source.next_batch(IDLE) {
                Event::Batch(batch) => {
                    for frame in batch.frames() {
                        if left == 0 {
                            break;
                        }
                        left -= 1;
                        if let Some(writer) = &mut writer {
                            writer.write(&frame)?;
                        }
                        pipeline.push(&frame);
                    }
                }
                Event::Idle => {
                    if let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
                        let now = Timestamp { nanos: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), digits: 9 };
                        pipeline.tick(now);
                        pipeline.observer.sink.tick(now);
                    }
                    if let Some(writer) = &mut writer {
                        writer.flush()?;
                    }
                }
                Event::End(Some(error)) => return Err(error.into()),
                Event::End(None) => return Ok(()),
            }
            // A batch is what has come within some milliseconds: its lines go out together, and at once.
            pipeline.observer.sink.pass_on();
            if let Err(error) = pipeline.observer.sink.lines().result() {
                source.stop();
                return Err(error.into());
            }
            if left == 0 {
                source.stop();
                return Ok(());
            }
        }
    }

    /// The summary on stderr, as tcpdump gives it, and what it means here.
    fn summarize<V: View>(pipeline: &Pipeline<V>, statistics: Statistics) {
        let totals = pipeline.observer.totals();
        let counts = pipeline.counts();
        say(&format!(
            "{} with {} of replication; {} seen, {} dropped by the kernel; {}",
            count(totals.links, "link"),
            count(totals.link_bytes, "byte"),
            count(counts.frames, "packet"),
            statistics.dropped_by_kernel + statistics.dropped_by_interface,
            count(totals.clients.connections, "ordinary client"),
        ));
    }
}
