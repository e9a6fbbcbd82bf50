//! What the operating system tells of this process. Where it tells nothing, INFO has zeros.

use std::fs;

use crate::engine::info::Process;

/// Ticks of the clock by which Linux counts processor time, a second.
const TICKS: f64 = 100.0;

/// Looks at memory and processor time.
pub(super) fn measure(process: &mut Process) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
    };
    process.memory = kilobytes("VmRSS").unwrap_or(0) * 1024;
    if process.memory_without_data == 0 {
        process.memory_without_data = process.memory;
    }
    process.memory_peak = kilobytes("VmHWM").unwrap_or(0) * 1024;
    process.cpu = processor("/proc/self/stat");
    process.cpu_main = processor(&format!("/proc/self/task/{}/stat", process.id));
    if process.memory_total == 0 {
        let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let total = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        process.memory_total = total.unwrap_or(0) * 1024;
        let word = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let (system, release) = (word("/proc/sys/kernel/ostype"), word("/proc/sys/kernel/osrelease"));
        process.system = format!("{system} {release} {}", std::env::consts::ARCH).trim().to_owned();
    }
}

/// Seconds in the system and for the user, out of a `stat` file.
fn processor(path: &str) -> (f64, f64) {
    let stat = fs::read_to_string(path).unwrap_or_default();
    // The name of the program stands in brackets and may hold anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let seconds = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0) / TICKS;
    (seconds(12), seconds(11))
}
