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
use types::{exit::Exit, text::printable};

pub(super) async fn build(settings: &SettingsArgs) -> Result<Exit, Failure> {
    let profile = config::load(settings, None)?.profile;
    let show = |text: &str| to_stderr(&line(Tone::Plain, "Building", &printable(text, 160)));
    for image in super::engine()?.build_images(&profile, &show).await? {
        to_stderr(&line(Tone::Good, "Image", &image));
    }
    Ok(Exit::Passed)
}
