//! What lies below the container, and that it tells nothing of the machine and the person (K-18).

use super::checks::Checks;
use std::{fs, path::Path};
use types::{probe::Kernel, text::printable};

/// The host name of every container.
const NAME: &str = "sandbox";
/// Files that name the machine's maker, model and serial numbers.
const FIRMWARE: &[&str] =
    &["/sys/class/dmi/id/product_name", "/sys/class/dmi/id/board_vendor", "/sys/devices/virtual/dmi/id/product_uuid"];
/// Where people's directories are, and where below them rootless engines keep volumes.
const HOMES: &[&str] = &["/home/", "/Users/", "/root/"];
const ENGINE_STORES: &[&str] = &["/containers/storage/", "/docker/", "/.colima/", "/.lima/"];

/// The kernel must be the one that the runtime is known for: a name that leads to a weaker one is a surprise.
pub(super) fn kernel(checks: &mut Checks) {
    let version = fs::read_to_string("/proc/version").unwrap_or_default();
    // gVisor says so in its answers about modules and devices; its version text passes for Linux 4.4.
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let found = if command_line.contains("gvisor") { Kernel::Gvisor } else { Kernel::Linux };
    let detail = format!("{found:?}: {}", printable(version.trim(), 80));
    let is_known = found == checks.kernel();
    checks.works("control.kernel", if is_known { Ok(detail) } else { Err(detail) });
}

/// Names, numbers and directories.
pub(super) fn check(checks: &mut Checks) {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    checks.holds("host.name", name == NAME, &name);
    let told: Vec<_> = FIRMWARE.iter().filter(|path| fs::read(path).is_ok_and(|text| !text.is_empty())).collect();
    let has_firmware = has_entries(Path::new("/sys/firmware"));
    checks.holds("host.firmware", told.is_empty() && !has_firmware, &format!("{told:?} {has_firmware}"));
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let is_hidden = command_line.trim().is_empty() || checks.kernel() == Kernel::Gvisor;
    checks.holds("host.command-line", is_hidden, &format!("{} bytes", command_line.len()));
    match fs::read_to_string("/proc/self/mountinfo") {
        Ok(text) => {
            let homes = homes_in(&text);
            checks.holds("host.mounts", homes.is_empty(), &format!("below a home: {homes:?}"));
        }
        Err(error) => checks.holds("host.mounts", false, &error.to_string()),
    }
}

fn has_entries(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}

/// The directories in the text of a `mountinfo` that are mounted out of somebody's home.
fn homes_in(mountinfo: &str) -> Vec<String> {
    let roots = mountinfo.lines().filter_map(|line| line.split(' ').nth(3));
    roots
        .filter(|root| HOMES.iter().any(|home| root.starts_with(home)))
        .filter(|root| !ENGINE_STORES.iter().any(|store| root.contains(store)))
        .map(|root| printable(root, 80))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_people_are_found_and_volumes_of_rootless_engines_are_not() {
        let text = "22 1 0:5 / / ro - overlay overlay rw\n\
            23 22 8:1 /home/alice/.local/share/docker/volumes/x/_data /workspace rw - ext4 /dev/sda rw\n\
            24 22 8:1 /var/lib/docker/volumes/x/_data /workspace rw - ext4 /dev/sda rw\n\
            25 22 8:1 /home/alice/.ssh /ssh ro - ext4 /dev/sda rw\n\
            26 22 8:1 /root/.config /c ro - ext4 /dev/sda rw\n";
        assert_eq!(homes_in(text), ["/home/alice/.ssh", "/root/.config"]);
    }

    #[test]
    fn another_kernel_than_the_known_one_is_a_surprise() {
        for (known, ok) in [(Kernel::Linux, true), (Kernel::Gvisor, false)] {
            let mut checks = Checks::below(known);
            kernel(&mut checks);
            assert_eq!(checks.outcome("control.kernel"), Some(ok));
        }
    }
}
