//! `sandbox image build`.

use crate::{
    args::SettingsArgs,
    config,
    failure::Failure,
    report::{
        human::to_stderr,
        line::{Tone, line},
    },
};
use engine::ImageProgress;
use indicatif::{ProgressBar, ProgressStyle};
use std::{io::IsTerminal, time::Duration};
use types::{exit::Exit, text::printable};

pub(super) async fn build(settings: &SettingsArgs) -> Result<Exit, Failure> {
    let profile = config::load(settings, None)?.profile;
    let bar = live_line();
    let mut show = |step: ImageProgress| match step {
        ImageProgress::Pulling { image } => say(bar.as_ref(), "Pulling", &image),
        ImageProgress::Bootstrapping { image, because } => {
            say(bar.as_ref(), "Making", &format!("{image} from Debian packages: {because}"));
        }
        ImageProgress::Building { image } => say(bar.as_ref(), "Building", &image),
        ImageProgress::Line(text) => {
            if let Some(bar) = &bar {
                bar.set_message(printable(&text, 200));
            }
        }
    };
    let built = super::engine()?.build_images(&profile, &mut show).await;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    for image in built? {
        to_stderr(&line(Tone::Good, "Image", &image));
    }
    Ok(Exit::Passed)
}

/// Elapsed time and the build's last line, at a terminal.
fn live_line() -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>12}  {spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    })
}

fn say(bar: Option<&ProgressBar>, verb: &str, fact: &str) {
    let text = line(Tone::Plain, verb, &printable(fact, 200));
    match bar {
        Some(bar) => bar.suspend(|| to_stderr(&text)),
        None => to_stderr(&text),
    }
}
