//! `sandbox trust discover`.

use crate::{
    args::{Format, SettingsArgs},
    config,
    failure::Failure,
    report::{
        self,
        human::to_stderr,
        line::{Tone, line},
        trust_entries,
    },
    trust_args::DiscoverArgs,
};
use std::sync::atomic::{AtomicBool, Ordering};
use types::{exit::Exit, text::printable};

pub(super) async fn run(settings: &SettingsArgs, args: DiscoverArgs) -> Result<Exit, Failure> {
    let profile = config::load(settings, None)?.profile;
    let image = args.image.as_deref().unwrap_or(&profile.container.image);
    let is_interrupted = AtomicBool::new(false);
    let stop = async {
        // Without a handler the process ends as any other would.
        if tokio::signal::ctrl_c().await.is_ok() {
            is_interrupted.store(true, Ordering::Relaxed);
        }
    };
    to_stderr(&line(Tone::Plain, "Asking", &format!("the package managers in {}", printable(image, 120))));
    let mut progress = |manager: &str| to_stderr(&line(Tone::Plain, "Asking", manager));
    let found = super::engine()?.discover(&profile, image, &mut progress, stop).await?;
    match args.format.get() {
        Format::Jsonl => found.iter().for_each(report::json),
        Format::Human => {
            for manager in &found {
                trust_entries::discovery(manager).iter().for_each(|text| to_stderr(text));
            }
            report::data(&trust_entries::toml(&trust_entries::of_managers(&found)));
            if found.is_empty() && !is_interrupted.load(Ordering::Relaxed) {
                to_stderr(&line(Tone::Warn, "Nothing", "no package manager that is known here is in the image"));
            } else {
                let next =
                    "hosts that a registry redirects to show up as refused in the next run: sandbox trust suggest RUN";
                to_stderr(&line(Tone::Dim, "next", next));
            }
        }
    }
    Ok(if is_interrupted.load(Ordering::Relaxed) { Exit::Interrupted } else { Exit::Passed })
}
