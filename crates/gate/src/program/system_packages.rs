//! The distribution's package managers. Their archives are signed and curated, so a package by its plain name may be
//! installed; files, other sources, hooks and switched-off signatures may not.

use super::packages::new_code;
use crate::{
    effect::{Effect, Finding},
    shell::SimpleCommand,
};
use types::catalogue::RuleId;

/// Verbs that only look.
#[rustfmt::skip]
const LOOKS: [&str; 42] = [
    "list", "search", "show", "info", "policy", "--version", "-v", "-l", "-L", "-s", "-S", "-qa", "-q", "-ql", "-qi",
    "--help", "-h", "help", "depends", "rdepends", "-Qs", "-Ss", "-Si", "-Q", "-Qi", "-Ql", "-Qo", "-Qdt", "leaves",
    "outdated", "config", "doctor", "home", "deps", "changelog", "madison", "showpkg", "provides", "repolist",
    "--print-architecture", "check", "cat",
];
/// Verbs that install or refresh from the configured archives, or tidy up.
#[rustfmt::skip]
const INSTALLS: [&str; 30] = [
    "install", "update", "upgrade", "dist-upgrade", "full-upgrade", "add", "-S", "-Sy", "-Syu", "-Syyu", "-Su",
    "-Suy", "in", "reinstall", "build-dep", "clean", "autoclean", "autoremove", "cleanup", "makecache", "refresh",
    "ref", "check-update", "groupinstall", "upgrade-minimal", "up", "distro-sync", "satisfy", "cache", "-Sc",
];
/// Options that leave the signed archives or run something on the way.
#[rustfmt::skip]
const OPENS: [&str; 22] = [
    "-o", "-c", "--config-file", "--option", "--allow-unauthenticated", "--force-yes", "--allow-untrusted",
    "--nogpgcheck", "--no-gpg-checks", "--no-gpgcheck", "--repository", "-X", "--repofrompath", "--setopt",
    "--installroot", "--root", "-p", "--plus-repo", "--allow-downgrades", "--from", "--config", "--keys-dir",
];
/// Packages whose purpose is to attack, to mine or to tunnel.
#[rustfmt::skip]
const ATTACKS: [&str; 32] = [
    "nmap", "masscan", "zmap", "hydra", "medusa", "john", "hashcat", "sqlmap", "nikto", "aircrack-ng", "metasploit",
    "metasploit-framework", "ettercap", "bettercap", "responder", "tor", "proxychains", "proxychains4", "torsocks",
    "xmrig", "cpuminer", "minerd", "stress-ng", "hping3", "slowhttptest", "dsniff", "macchanger", "autossh",
    "sshpass", "openvpn", "wireguard", "shadowsocks-libev",
];

pub(super) fn effects(name: &str, command: &SimpleCommand) -> Option<Vec<Effect>> {
    match name {
        "apt-cache" | "dpkg-query" | "apt-mark" | "apt-file" | "repoquery" => return Some(Vec::new()),
        "apt" | "apt-get" | "aptitude" | "apk" | "yum" | "dnf" | "microdnf" | "tdnf" | "pacman" | "zypper" | "brew"
        | "port" | "emerge" | "xbps-install" => {}
        "snap" | "dpkg" | "rpm" | "nix-env" | "flatpak" | "apt-key" | "add-apt-repository" | "yum-config-manager" => {
            let is_open = command.args().iter().any(|word| matches!(word.text.as_str(), "--devmode" | "--dangerous"));
            if is_open && name == "snap" {
                let instead = "install from the signed archives of the distribution";
                let reason = "installs packages that nobody has signed";
                return Some(vec![Finding::refused(RuleId::SupplyChain, reason, instead).into()]);
            }
            let looks = command.args().first().is_some_and(|word| LOOKS.contains(&word.text.as_str()));
            return Some(if looks { Vec::new() } else { new_code("installs system packages") });
        }
        _ => return None,
    }
    let words = command.args();
    let verb = words.iter().map(|word| word.text.as_str()).find(|text| !text.starts_with('-') || is_pacman_verb(text));
    let Some(verb) = verb.or_else(|| words.first().map(|word| word.text.as_str())) else { return Some(Vec::new()) };
    let opens = words.iter().any(|word| {
        let name = word.text.split('=').next().unwrap_or_default();
        OPENS.contains(&name) || word.text.starts_with("-o") || word.text.contains("::")
    });
    const UNSIGNED: [&str; 7] = [
        "--allow-unauthenticated",
        "--force-yes",
        "--allow-untrusted",
        "--nogpgcheck",
        "--no-gpg-checks",
        "--no-gpgcheck",
        "--allow-insecure-repositories",
    ];
    let is_unsigned = words.iter().any(|word| {
        UNSIGNED.contains(&word.text.as_str()) || word.text.to_ascii_lowercase().contains("allow-unauthenticated")
    });
    let is_plain_http = words
        .windows(2)
        .any(|pair| matches!(pair[0].text.as_str(), "--repository" | "-X") && pair[1].text.starts_with("http:"));
    if is_unsigned || is_plain_http {
        let instead = "install from the signed archives of the distribution";
        let reason = "installs packages that nobody has signed";
        return Some(vec![Finding::refused(RuleId::SupplyChain, reason, instead).into()]);
    }
    if opens && verb != "search" {
        return Some(new_code("changes where packages come from or what runs around their installation"));
    }
    if LOOKS.contains(&verb) {
        return Some(Vec::new());
    }
    if !INSTALLS.contains(&verb) {
        return Some(new_code("changes system packages"));
    }
    let packages =
        || words.iter().skip_while(|word| word.text != verb).skip(1).filter(|word| !word.text.starts_with('-'));
    if packages().any(|word| ATTACKS.contains(&word.text.split(['=', ':']).next().unwrap_or_default())) {
        return Some(vec![
            Finding::refused(RuleId::UntrustedCode, "installs a tool for attacks", "install only what the build needs")
                .into(),
        ]);
    }
    let all_plain = packages().all(|word| is_plain(&word.text) && word.is_known());
    Some(if all_plain {
        Vec::new()
    } else {
        new_code("installs packages from outside the archives, or not known ones")
    })
}

fn is_pacman_verb(text: &str) -> bool {
    text.len() > 1 && text.starts_with("-S") || text.starts_with("-Q")
}

/// A package's name, with a version or an architecture.
fn is_plain(text: &str) -> bool {
    const FILES: [&str; 6] = [".deb", ".rpm", ".apk", ".snap", ".zst", ".xz"];
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._:=~@".contains(&b))
        && !text.starts_with('.')
        && !FILES.iter().any(|end| text.ends_with(end))
}
