//! Programs made to attack, to mine or to tunnel. No path, wrapper or interpreter makes them acceptable.

use crate::{
    effect::{Effect, Finding},
    shell::SimpleCommand,
};
use types::catalogue::RuleId;

#[rustfmt::skip]
const TUNNELS: &[&str] = &[
    "dnscat2", "dnscat", "iodine", "iodined", "chisel", "frpc", "frps", "ligolo", "ligolo-ng", "gost", "rathole",
    "pagekite", "bore", "tailscale", "tailscaled", "zerotier-one", "zerotier-cli", "msfconsole", "msfvenom",
    "meterpreter", "pwncat", "pwncat-cs", "sliver", "sliver-client", "havoc", "mythic", "devtunnel", "gsocket",
    "gs-netcat", "ptunnel", "proxytunnel", "sshuttle", "localtunnel", "serveo", "inlets", "revsocks", "weevely",
    "villain", "hoaxshell", "cloudflared", "ngrok", "tmate", "ttyd", "gotty", "wstunnel", "dns2tcp", "dns2tcpc",
    "udp2raw", "stunnel", "redsocks", "ptunnel-ng", "telebit", "pinggy", "lt", "shellinaboxd", "shellinabox",
    "wetty", "sshx", "upterm", "tmate-ssh-server", "openvpn", "wg-quick", "openconnect", "vpnc", "nebula", "netbird",
    "hamachi", "sish", "expose", "zrok", "playit", "localxpose", "loclx", "teleconsole", "gs-mount", "blitz", "dropbear",
    "inetd", "xinetd", "tinyproxy", "microsocks", "3proxy", "dante", "danted", "sockd", "wormhole", "magic-wormhole",
    "croc", "ffsend", "portal", "transfer", "onionshare", "onionshare-cli", "ipfs", "covenant", "empire", "merlin",
    "poshc2", "koadic", "silenttrinity", "nimplant", "brute-ratel", "ligolo-agent", "rustcat", "rcat", "cryptcat",
    "sbd", "powercat",
];
#[rustfmt::skip]
const MINERS: &[&str] = &[
    "xmrig", "minerd", "cpuminer", "ethminer", "cgminer", "bfgminer", "nbminer", "t-rex", "xmr-stak", "phoenixminer",
    "lolminer", "nanominer", "minergate", "minergate-cli", "ccminer", "gminer", "teamredminer", "nheqminer",
    "sgminer", "srbminer-multi", "verusminer", "wildrig-multi", "xmr-stak-cpu", "kawpowminer", "cpuminer-multi",
    "xmrig-proxy", "xmrigcc", "bzminer", "kinsing", "kdevtmpfsi", "srbminer", "coin-hive", "coinhive", "honeygain",
    "packetshare", "earnapp", "traffmonetizer", "iproyal", "pawns-cli", "peer2profit", "bitping", "proxyrack",
    "repocket", "nicehash", "excavator", "rigel", "onezerominer", "trex", "wildrig", "cryptonight", "astrominer",
];
/// What addresses of miners and their pools hold.
#[rustfmt::skip]
const MINER_MARKS: &[&str] = &[
    "xmrig", "minerd", "cpuminer", "ethminer", "nbminer", "xmr-stak", "xmrstak", "c3pool", "minexmr", "nanopool",
    "supportxmr", "moneroocean", "minergate", "nicehash", "sugarmaker", "hashvault", "lolminer", "phoenixminer",
    "teamredminer", "ccminer", "stratum+", "stratum://", "2miners", "f2pool", "unmineable", "herominers",
    "crypto-pool", "monero", "srbminer", "kawpow", "randomx",
];
#[rustfmt::skip]
const ATTACKS: &[&str] = &[
    "masscan", "zmap", "hydra", "medusa", "ncrack", "patator", "nikto", "sqlmap", "gobuster", "ffuf", "wfuzz", "dirb",
    "dirbuster", "wpscan", "responder", "arp-scan", "arpspoof", "ettercap", "bettercap", "dsniff", "hping3",
    "slowloris", "slowhttptest", "goldeneye", "loic", "john", "hashcat", "crackmapexec", "netexec", "nxc",
    "evil-winrm", "mimikatz", "mimipenguin", "lazagne", "pypykatz", "linpeas", "linenum", "pspy", "pspy64", "psexec",
    "smbexec", "wmiexec", "atexec", "dcomexec", "secretsdump", "getuserspns", "getnpusers", "ntlmrelayx", "kerbrute",
    "bloodhound", "sharphound", "rubeus", "certipy", "sshpass", "setoolkit", "routersploit", "commix", "xsstrike",
    "nuclei", "amass", "aircrack-ng", "airodump-ng", "aireplay-ng", "reaver", "deepce", "peirates", "traitor",
    "logkeys", "lkl", "keylogger", "xspy", "dirtycow", "dirtyc0w", "pwnkit", "ldapdomaindump", "enum4linux", "smbmap",
    "trufflehog", "noseyparker", "unshadow", "snaffler", "pacu", "cdk", "amicontained", "botb", "kubeletctl",
    "kube-hunter", "stratus", "crowbar", "brutespray", "thc-hydra", "fcrackzip", "pdfcrack", "cupp", "crunch",
    "feroxbuster", "dirsearch", "arjun", "dalfox", "xsser", "beef-xss", "yersinia", "macof", "tcpreplay", "scapy",
    "impacket", "bloodhound-python", "coercer", "petitpotam", "printerbug", "gpp-decrypt", "lsassy", "donpapi",
    "sprayhound", "linux-exploit-suggester", "les", "unix-privesc-check", "suid3num", "beroot", "mimikittenz",
];
/// Programs that bring something here, start it, or set it up; a miner among their arguments is one that comes to run.
#[rustfmt::skip]
const BRINGERS: &[&str] = &[
    "curl", "wget", "git", "scp", "rsync", "ftp", "tftp", "sftp", "lftp", "aria2c", "axel", "docker", "podman", "tar",
    "unzip", "chmod", "nohup", "screen", "tmux", "nice", "make", "cmake", "mv", "cp", "pip", "pip3", "npm", "apt",
    "apt-get", "systemctl", "sh", "bash",
];

/// The reason against a program by its name, or by a name among its arguments.
pub(super) fn effects(name: &str, command: &SimpleCommand) -> Option<Vec<Effect>> {
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    if matches!(words.as_slice(), ["--version" | "--help" | "-V"]) {
        return None;
    }
    finding(name, &words).map(|finding| vec![finding.into()])
}

/// The reason against a script of that name, given to an interpreter.
pub(super) fn script(path: &str) -> Option<Finding> {
    finding(path.rsplit('/').next().unwrap_or_default(), &[])
}

fn finding(name: &str, words: &[&str]) -> Option<Finding> {
    let stem = name.to_ascii_lowercase();
    // Tools that come as a family: `impacket-secretsdump`, `metasploit-framework`.
    let stem = stem.split_once("impacket-").map_or(stem.as_str(), |(_, tool)| tool).to_owned();
    let stem = [".py", ".sh", ".pl", ".rb", ".exe", ".elf", ".ps1", ".bin"]
        .iter()
        .find_map(|end| stem.strip_suffix(end))
        .unwrap_or(&stem);
    if matches!(words, ["--version" | "--help" | "-V" | "-h"]) {
        return None;
    }
    let opens_tunnel = matches!(stem, "code" | "code-server" | "code-insiders") && words.first() == Some(&"tunnel");
    if TUNNELS.contains(&stem) || opens_tunnel {
        let instead = "there is no use for a tunnel here";
        return Some(Finding::forbidden(
            RuleId::ReverseChannel,
            "opens a way in or out that others can drive",
            instead,
        ));
    }
    let names_miner = |word: &&&str| {
        matches!(word.split('=').next(), Some("--algo" | "--pool" | "--wallet" | "--worker" | "--rig-id" | "--coin"))
    };
    let is_mining = |word: &&str| {
        word.starts_with("stratum+") || word.starts_with("stratum://") || matches!(*word, "--donate-level" | "--coin")
    };
    let brings = BRINGERS.contains(&stem) && (stem != "git" || words.first() == Some(&"clone"));
    let brings_miner = brings
        && words.iter().any(|word| {
            let lower = word.to_ascii_lowercase();
            MINER_MARKS.iter().any(|mark| lower.contains(mark))
        });
    if MINERS.contains(&stem)
        || words.iter().any(is_mining)
        || words.iter().filter(names_miner).count() >= 2
        || brings_miner
    {
        return Some(Finding::forbidden(
            RuleId::ResourceAbuse,
            "mines a cryptocurrency",
            "use the machine for the task",
        ));
    }
    ATTACKS.contains(&stem).then(|| {
        let instead = "there is nothing to attack here; work in the repository";
        Finding::refused(RuleId::ResourceAbuse, "is a tool for attacks on systems and accounts", instead)
    })
}
