//! Debian's root file system from Debian's packages, for machines that reach a package mirror and no image registry.

use super::{Progress, Reporter};
use crate::error::Cause;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
    time::Instant,
};

/// The tool, which is also the name of its package.
const TOOL: &str = "mmdebstrap";
/// Deadline for installing the tool and for running it.
const DEADLINE: Duration = Duration::from_secs(900);
/// Longest line of output that is reported, in characters.
const MAX_LINE: usize = 400;

/// The parts of packages that a container never reads, as the distribution's own slim images leave them out.
const SLIM: [&str; 5] = [
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
];

/// Writes an uncompressed archive of a minimal Debian `suite` to `into`. The mirrors are the tool's own defaults.
pub(super) async fn root_archive(suite: &str, into: &Path, progress: Reporter<'_>) -> Result<(), Cause> {
    if !installed().await {
        install(progress).await?;
    }
    let mut command = Command::new(TOOL);
    command.args(["--variant=minbase", "--format=tar"]);
    for option in SLIM {
        command.arg(format!("--dpkgopt={option}"));
    }
    // The tool copies these two from the host so that its own chroot works; the image must not keep them.
    command.arg(r#"--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf""#);
    command.args([suite, "-"]).stdout(std::fs::File::create(into)?).stderr(Stdio::piped());
    run(command, progress).await
}

async fn installed() -> bool {
    let probe =
        Command::new(TOOL).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    matches!(tokio::time::timeout(Duration::from_secs(10), probe).await, Ok(Ok(status)) if status.success())
}

async fn install(progress: Reporter<'_>) -> Result<(), Cause> {
    progress(Progress::Line(format!("installing {TOOL} with apt-get")));
    for args in [&["-q", "update"][..], &["-q", "install", "-y", "--no-install-recommends", TOOL]] {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::piped()).stderr(Stdio::null());
        run(command, progress)
            .await
            .map_err(|error| format!("{TOOL} is not installed and apt-get could not install it: {error}"))?;
    }
    Ok(())
}

/// Runs `command` to its end and reports the lines of whichever output is piped.
async fn run(mut command: Command, progress: Reporter<'_>) -> Result<(), Cause> {
    let deadline = Instant::now() + DEADLINE;
    let mut child = command.stdin(Stdio::null()).kill_on_drop(true).spawn()?;
    let output: Option<Box<dyn AsyncRead + Unpin + Send>> = match (child.stdout.take(), child.stderr.take()) {
        (Some(out), _) => Some(Box::new(out)),
        (None, Some(err)) => Some(Box::new(err)),
        (None, None) => None,
    };
    let mut last = String::new();
    let finished = async {
        if let Some(output) = output {
            let mut lines = BufReader::new(output).split(b'\n');
            while let Some(line) = lines.next_segment().await? {
                let line = types::text::printable(String::from_utf8_lossy(&line).trim_end(), MAX_LINE);
                if !line.is_empty() {
                    progress(Progress::Line(line.clone()));
                    last = line;
                }
            }
        }
        child.wait().await
    };
    let status = tokio::time::timeout_at(deadline, finished).await??;
    if status.success() { Ok(()) } else { Err(format!("{status}: {last}").into()) }
}
