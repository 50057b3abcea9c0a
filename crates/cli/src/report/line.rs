//! Status lines: the verb right-aligned in 12 columns, then one fact. Readable without colour.

use console::Style;
use std::time::Duration;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Plain,
    Warn,
    Bad,
    Dim,
}

/// `    Preparing  quiet-otter · …`
pub(crate) fn line(tone: Tone, verb: &str, fact: &str) -> String {
    let style = match tone {
        Tone::Good => Style::new().green().bold(),
        Tone::Plain => Style::new().cyan().bold(),
        Tone::Warn => Style::new().yellow().bold(),
        Tone::Bad => Style::new().red().bold(),
        Tone::Dim => Style::new().dim(),
    };
    format!("{}  {fact}", style.for_stderr().apply_to(format!("{verb:>12}")))
}

/// `210ms`, `4.2s`, `4m12s`, `1h03m`.
pub(crate) fn time(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0 => format!("{}ms", span.as_millis()),
        1..10 => format!("{:.1}s", span.as_secs_f64()),
        10..60 => format!("{secs}s"),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        _ => format!("{}h{:02}m", secs / 3600, secs % 3600 / 60),
    }
}

/// `5.1 MB`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// `3.1k`.
pub(crate) fn count(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_align_and_units_read() {
        console::set_colors_enabled_stderr(false);
        assert_eq!(line(Tone::Good, "Passed", "x"), "      Passed  x");
        let times = [210, 4_200, 12_000, 252_000, 3_780_000].map(|ms| time(Duration::from_millis(ms)));
        assert_eq!(times, ["210ms", "4.2s", "12s", "4m12s", "1h03m"]);
        assert_eq!([count(7), count(5_100), count(5_100_000)], ["7", "5.1k", "5.1M"]);
        assert_eq!([bytes(7), bytes(5_100), bytes(5_100_000)], ["7 B", "5.1 kB", "5.1 MB"]);
    }
}
