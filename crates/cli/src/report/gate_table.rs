//! The table of `sandbox gate test`.

use engine::{
    Tested,
    corpus::{Counts, Figure, Interval, Settled},
};
use std::fmt::Write;
use types::text::printable;

/// Widest name of a category that is shown whole, in characters.
const NAME: usize = 34;

/// Rates by group and category, then by stage, then the figures with their intervals, then times.
pub(crate) fn render(tested: &Tested) -> String {
    let table = &tested.table;
    let mut out = heading("by category");
    for (group, counts) in &table.groups {
        row(&mut out, group, counts);
        let inner: Vec<_> = table.categories.iter().filter(|((of, _), _)| of == group).collect();
        if inner.len() > 1 {
            for ((_, category), counts) in inner {
                row(&mut out, &format!("  {}", printable(category, NAME - 2)), counts);
            }
        }
    }
    out.push('\n');
    out.push_str(&heading("by stage"));
    for group in table.groups.keys() {
        let _ = writeln!(out, "{group}");
        for ((_, stage), counts) in table.stages.iter().filter(|((of, _), _)| of == group) {
            row(&mut out, &format!("  {stage}"), counts);
        }
    }
    out.push('\n');
    let _ = writeln!(
        out,
        "{:<NAME$} {:>9} {:>18}   {:>9} {:>18}",
        "figure", "of rows", "95 % interval", "clusters", "95 % interval"
    );
    for figure in Figure::ALL {
        let Some(measure) = table.measures.get(&figure) else { continue };
        let (Some(rows), Some(clusters)) = (measure.share(), measure.cluster_share()) else { continue };
        let _ = writeln!(
            out,
            "{:<NAME$} {:>9} {:>18}   {:>9} {:>18}   {} of {}",
            figure.as_str(),
            percent(rows),
            span(measure.interval()),
            percent(clusters),
            span(measure.cluster_interval()),
            measure.hits,
            measure.rows
        );
    }
    if let Some(times) = table.times() {
        let _ = writeln!(
            out,
            "\n{} rows · calls up to 4 KiB: p50 {} µs, p99 {} µs, longest {} µs",
            table.rows, times.p50, times.p99, times.max
        );
    }
    if tested.asked > 0 {
        let _ = writeln!(out, "a model was asked about {} rows for ${:.4}", tested.asked, tested.usd);
    }
    out
}

fn heading(title: &str) -> String {
    format!("{title:<NAME$} {:>7} {:>9} {:>9} {:>9} {:>9}\n", "rows", "allow", "deny", "ask", "undecided")
}

fn row(out: &mut String, name: &str, counts: &Counts) {
    let rows = counts.rows();
    let _ = write!(out, "{name:<NAME$} {rows:>7}");
    for settled in Settled::ALL {
        let _ = write!(out, " {:>9}", percent(counts.of(settled) as f64 / rows.max(1) as f64));
    }
    out.push('\n');
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn span(interval: Interval) -> String {
    format!("{:.2} – {:.2} %", interval.low * 100.0, interval.high * 100.0)
}
