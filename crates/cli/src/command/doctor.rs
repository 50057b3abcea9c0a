//! `sandbox doctor`.

use crate::{
    args::{DoctorArgs, Format, SettingsArgs},
    config,
    failure::Failure,
    report::{
        self,
        line::{Tone, line},
    },
};
use engine::CheckState;
use types::{exit::Exit, text::printable};

pub(super) async fn run(settings: &SettingsArgs, args: DoctorArgs) -> Result<Exit, Failure> {
    let profile = config::load(settings, None)?.profile;
    let checks = super::engine()?.doctor(&profile).await;
    console::set_colors_enabled_stderr(console::colors_enabled());
    for check in &checks {
        if args.format.get() == Format::Jsonl {
            report::json(check);
            continue;
        }
        let (tone, verb) = match check.state {
            CheckState::Good => (Tone::Good, "ok"),
            CheckState::Note => (Tone::Warn, "note"),
            CheckState::Bad => (Tone::Bad, "missing"),
        };
        report::data(&format!("{}\n", line(tone, verb, &format!("{}: {}", check.name, printable(&check.fact, 300)))));
        if let Some(hint) = &check.hint {
            report::data(&format!("{}\n", line(Tone::Dim, "hint", hint)));
        }
    }
    let bad = checks.iter().any(|check| check.state == CheckState::Bad);
    Ok(if bad { Exit::Infrastructure } else { Exit::Passed })
}
