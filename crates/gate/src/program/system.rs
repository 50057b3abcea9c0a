//! The system's own tools: users, services, disks, kernels, processes.

use super::place;
use crate::{
    args::Args,
    destination::Direction,
    effect::{Effect, Finding},
    shell::SimpleCommand,
    world::World,
    zone::Zone,
};
use types::catalogue::RuleId;

fn one(finding: Finding) -> Option<Vec<Effect>> {
    Some(vec![finding.into()])
}

/// Programs that no path or wrapper makes acceptable.
pub(super) fn dangerous(name: &str, command: &SimpleCommand) -> Option<Vec<Effect>> {
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    if words.first().is_some_and(|word| matches!(*word, "--version" | "--help" | "-V")) && words.len() == 1 {
        return None;
    }
    match name {
        "nsenter" | "unshare" | "chroot" | "pivot_root" | "mount" | "umount" | "losetup" | "insmod" | "modprobe"
        | "rmmod" | "kexec" | "capsh" | "setcap" | "debugfs" | "ctr" | "crictl" | "runc" | "keyctl" | "bpftool"
        | "mknod" | "criu" | "systemd-nspawn" | "machinectl" | "lxc" | "lxd" | "lxc-attach" | "lxc-start" | "crun"
        | "fusermount" | "fusermount3" | "bpftrace" | "kpatch" | "swapon" | "dmsetup" => {
            if matches!(name, "mount" | "capsh") && (words.is_empty() || has(&["--print", "-l"])) {
                return Some(Vec::new());
            }
            one(Finding::forbidden(
                RuleId::SandboxEscape,
                "changes namespaces, mounts, devices or the kernel",
                "work inside this container as it is",
            ))
        }
        "sandbox" | "sandbox-guest" if !has(&["--version", "--help"]) => one(Finding::forbidden(
            RuleId::GateTampering,
            "drives the sandbox from inside",
            "a person answers approvals, not the agent",
        )),
        _ if name.starts_with("mkfs")
            || matches!(
                name,
                "fdisk"
                    | "parted"
                    | "wipefs"
                    | "sfdisk"
                    | "sgdisk"
                    | "mkswap"
                    | "blkdiscard"
                    | "hdparm"
                    | "cfdisk"
                    | "badblocks"
            ) =>
        {
            if has(&["-l", "--list"]) {
                return Some(Vec::new());
            }
            one(Finding::forbidden(RuleId::MassDeletion, "overwrites a disk", "work on files of the work tree"))
        }
        _ => None,
    }
}

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let first = words.first().copied().unwrap_or_default();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    match name {
        "kill" => kill(command),
        "pkill" | "killall" => {
            let text = words.join(" ");
            if text.contains("sandbox")
                || text.contains("guest")
                || text.contains("claude")
                || has(&["-u"]) && has(&["root"])
            {
                return one(Finding::forbidden(
                    RuleId::GateTampering,
                    "stops the agent or its supervisor",
                    "stop only what you started",
                ));
            }
            #[rustfmt::skip]
            const WATCHERS: [&str; 16] = [
                "falco", "auditd", "rsyslog", "syslog", "sysmon", "osquery", "clamd", "fail2ban", "crowdsec", "wazuh",
                "ossec", "sshd", "tripwire", "suricata", "journald", "sysdig",
            ];
            if words.iter().any(|word| WATCHERS.iter().any(|watcher| word.contains(watcher))) {
                let reason = "stops what watches or guards the system";
                return one(Finding::refused(RuleId::SafetyRegression, reason, "leave the system's services alone"));
            }
            // A name of its own, long enough to hit nothing else.
            let pattern = words.iter().rev().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
            let letters = pattern.chars().filter(|c| c.is_alphanumeric()).count();
            let gaps = pattern.matches(".*").count();
            let narrow = letters >= 4
                && !pattern.contains(crate::place::HOLE)
                // `node.*server.js` still names one program.
                && (gaps == 0 || gaps == 1 && letters >= 8 && !pattern.starts_with(".*") && !pattern.ends_with(".*"))
                && !matches!(pattern, "bash" | "node" | "init" | "agent" | "python" | "python3");
            if narrow {
                Some(Vec::new())
            } else {
                one(Finding::questioned(RuleId::ResourceAbuse, "stops processes by name"))
            }
        }
        "crontab" if has(&["-l"]) => Some(Vec::new()),
        "loginctl" if has(&["enable-linger"]) => {
            one(Finding::refused(RuleId::Persistence, "keeps services after the session", "run it now"))
        }
        "newgrp" | "sg" if name == "newgrp" || has(&["-c"]) && words.len() == 3 => {
            one(Finding::refused(RuleId::Privilege, "takes the rights of another group", "work as the user you are"))
        }
        "sshd" | "telnetd" | "in.telnetd" | "vsftpd" | "proftpd" | "smbd" => one(Finding::refused(
            RuleId::ReverseChannel,
            "opens the container to logins",
            "there is no use for a login server here",
        )),
        "killall5" => one(Finding::forbidden(
            RuleId::GateTampering,
            "stops the supervisor or every process",
            "stop only what you started",
        )),
        "aa-teardown" | "wevtutil" => one(Finding::refused(
            RuleId::SafetyRegression,
            "weakens the protection of the system",
            "leave the system's protection as it is",
        )),
        "atq" => Some(Vec::new()),
        "at" if has(&["-l"]) && words.len() == 1 => Some(Vec::new()),
        "crontab" | "at" | "batch" | "systemd-run" | "update-rc.d" | "chkconfig" | "launchctl" | "rc-update" => {
            one(Finding::refused(RuleId::Persistence, "plans something to run later", "run it now, in the foreground"))
        }
        "service" if has(&["status", "--status-all"]) => Some(Vec::new()),
        "systemctl" | "service" | "initctl" | "rc-service" => match first {
            "status" | "list-units" | "is-active" | "is-enabled" | "show" | "--version" | "list-unit-files" | "cat" => {
                Some(Vec::new())
            }
            // What tests talk to is started for this call; what is switched on for later is another thing.
            _ if starts_backend(&words) => {
                one(Finding::questioned(RuleId::Persistence, "starts a service of the system"))
            }
            _ => one(Finding::refused(
                RuleId::Persistence,
                "changes the system's services",
                "start what you need in the foreground of this call",
            )),
        },
        "useradd" | "adduser" | "groupadd" | "addgroup"
            if !words.iter().any(|word| {
                matches!(*word, "-o" | "-p" | "--password" | "0" | "sudo" | "wheel" | "root" | "admin")
                    || word.contains("sudo")
            }) =>
        {
            one(Finding::questioned(RuleId::Privilege, "adds an account to the system"))
        }
        "useradd" | "adduser" | "usermod" | "userdel" | "deluser" | "groupadd" | "groupmod" | "passwd" | "chpasswd"
        | "chage" | "gpasswd" | "newusers" | "chsh" | "chfn" | "vipw" => {
            one(Finding::refused(RuleId::Privilege, "changes accounts of the system", "work as the user you are"))
        }
        "iptables" | "ip6tables" | "nft" | "ufw" | "firewall-cmd" | "setenforce" | "apparmor_parser" | "aa-disable"
        | "auditctl" | "sysctl" | "ebtables" | "tc" | "chattr" | "swapoff" => {
            if has(&["-L", "-S", "status", "--list", "-a", "-l", "list"])
                || name == "sysctl" && !words.iter().any(|word| word.contains('=') || *word == "-w")
            {
                return Some(Vec::new());
            }
            one(Finding::refused(
                RuleId::SafetyRegression,
                "weakens the protection of the system",
                "leave the system's protection as it is",
            ))
        }
        "journalctl" if words.iter().any(|word| word.starts_with("--vacuum") || *word == "--rotate") => {
            one(Finding::refused(RuleId::SafetyRegression, "removes logs", "leave the logs alone"))
        }
        "journalctl" | "dmesg" => {
            if has(&["-c", "-C", "--clear"]) {
                one(Finding::refused(RuleId::SafetyRegression, "removes logs", "leave the logs alone"))
            } else {
                Some(Vec::new())
            }
        }
        "shutdown" | "reboot" | "halt" | "poweroff" | "init" | "telinit" => {
            one(Finding::refused(RuleId::ResourceAbuse, "stops the machine", "end the task instead"))
        }
        "gdb" | "strace" | "ltrace" | "lldb" | "perf" | "bpftrace" | "gcore" => {
            if has(&["-p", "--pid", "--attach"])
                || name == "gcore"
                || words.iter().any(|word| word.starts_with("-p") && word.len() > 2)
            {
                return one(Finding::refused(
                    RuleId::SandboxEscape,
                    "attaches to a running process",
                    "start the program under the debugger instead",
                ));
            }
            // These watch a program that is judged beside them.
            if matches!(name, "strace" | "ltrace") {
                let outputs: Vec<_> =
                    Args::parse(command.args(), &["-o", "-e", "-s", "-E"]).values(&["-o"]).cloned().collect();
                let pipes = outputs.iter().any(|word| word.text.starts_with(['|', '!']));
                return if pipes || has(&["-E", "--env"]) {
                    one(Finding::questioned(RuleId::UntrustedCode, "runs a program under a debugger"))
                } else {
                    Some(super::writes(&outputs.iter().collect::<Vec<_>>(), command, world))
                };
            }
            if name == "gdb"
                && let Some(effects) = batch(command, world)
            {
                return Some(effects);
            }
            one(Finding::questioned(RuleId::UntrustedCode, "runs a program under a debugger"))
        }
        "ip" | "ifconfig" | "netstat" | "ss" | "route" | "arp" | "iwconfig" => {
            let changes = has(&["add", "del", "set", "flush", "up", "down", "delete", "replace", "netns"]);
            if changes {
                one(Finding::refused(RuleId::SandboxEscape, "changes the network", "there is no network to configure"))
            } else {
                Some(Vec::new())
            }
        }
        "secret-tool" | "security" | "keepassxc-cli" | "bw" | "lpass" | "gopass" | "rbw" | "1password"
        | "ansible-vault"
            if words.iter().any(|word| {
                ["lookup", "search", "find-", "dump", "show", "list", "get", "export", "view", "decrypt", "unlock"]
                    .iter()
                    .any(|verb| word.starts_with(verb))
            }) =>
        {
            let instead = "work without the credential; the host adds what routes need";
            one(Finding::refused(RuleId::CredentialAccess, "reads credentials from a store", instead))
        }
        "gpg" | "gpg2" => {
            if words.iter().any(|word| word.starts_with("--export-secret")) {
                return one(Finding::refused(RuleId::CredentialAccess, "exports private keys", "work without the key"));
            }
            one(Finding::questioned(RuleId::CredentialAccess, "works with keys"))
        }
        "ssh-keygen" if has(&["-y"]) => {
            let file = command.args().iter().skip_while(|word| word.text != "-f").nth(1);
            let mut effects = vec![Finding::questioned(RuleId::CredentialAccess, "works with keys").into()];
            effects.extend(file.map(|word| Effect::Reads(place(word, command, world))));
            Some(effects)
        }
        "ssh-add" if has(&["-l", "-L"]) => {
            one(Finding::refused(RuleId::CredentialAccess, "lists the keys of an agent", "work without the key"))
        }
        "ssh-keygen" if makes_test_key(command, world) => {
            let args = Args::parse(command.args(), &["-t", "-b", "-f", "-N", "-C", "-m"]);
            let files: Vec<_> = args.values(&["-f"]).collect();
            Some(super::writes(&files, command, world))
        }
        "ssh-keygen" | "ssh-add" | "ssh-agent" | "keytool" | "security" | "secret-tool" | "certutil" => {
            one(Finding::questioned(RuleId::CredentialAccess, "works with keys"))
        }
        "nohup" | "setsid" => {
            let mut effects = super::unknown::mentioned(command, world);
            effects.push(Finding::questioned(RuleId::ReverseChannel, "runs something out of sight").into());
            Some(effects)
        }
        "xargs" | "watch" | "parallel" | "timeout" | "nice" | "stdbuf" => Some(Vec::new()),
        "source" | "." => {
            let file = command.args().first()?;
            let target = place(file, command, world);
            if file.text.starts_with("/dev/fd/") || file.text == "/dev/stdin" {
                return Some(vec![Effect::Executes(crate::effect::Program::Stdin)]);
            }
            let environment = target.is_in(&world.worktree) && target.path.ends_with("/bin/activate");
            Some(if environment { Vec::new() } else { vec![Effect::Executes(crate::effect::Program::File(target))] })
        }
        "ffmpeg" | "convert" | "magick" | "dot" | "plantuml" | "pandoc" => {
            let args = Args::parse(command.args(), &["-i", "-o"]);
            let sources = args.values(&["-i"]).chain(args.operands.iter().copied());
            let mut effects: Vec<Effect> = sources.map(|word| Effect::Reads(place(word, command, world))).collect();
            // Pictures and streams come from other hosts and go there.
            for word in
                args.operands.iter().copied().chain(args.values(&["-i"])).filter(|word| word.text.contains("://"))
            {
                let is_target = args.operands.last().is_some_and(|last| last.text == word.text)
                    && args.operands.len() > 1
                    || name == "ffmpeg" && !args.values(&["-i"]).any(|source| source.text == word.text);
                effects.push(Effect::Network {
                    to: crate::destination::Destination::parse(&word.text, world),
                    direction: if is_target || !word.sources.is_empty() { Direction::Up } else { Direction::Down },
                });
            }
            effects.extend(
                args.values(&["-o"])
                    .chain(args.operands.last().copied())
                    .map(|word| Effect::Writes { place: place(word, command, world), empties: false }),
            );
            Some(effects)
        }
        _ => None,
    }
}

/// True for a new key, without a password, for tests: in the work tree or in scratch.
fn makes_test_key(command: &SimpleCommand, world: &World) -> bool {
    let args = Args::parse(command.args(), &["-t", "-b", "-f", "-N", "-C", "-m"]);
    let is_plain =
        args.options.iter().all(|(name, _)| matches!(name.as_str(), "-t" | "-b" | "-f" | "-N" | "-C" | "-m" | "-q"));
    let mut files = args.values(&["-f"]).map(|word| place(word, command, world));
    let is_scratch = |place: crate::place::Place| {
        place.known && (place.zone(world) == Zone::Tmp || place.zone(world) == Zone::Worktree)
    };
    is_plain
        && args.operands.is_empty()
        && args.has(&["-N"])
        && files.next().is_some_and(is_scratch)
        && files.next().is_none()
}

/// `gdb -batch -ex run -ex bt --args PROGRAM…`: commands that only run it and look.
fn batch(command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    const LOOKS: [&str; 24] = [
        "run",
        "r",
        "bt",
        "backtrace",
        "where",
        "info",
        "print",
        "p",
        "x",
        "list",
        "l",
        "frame",
        "f",
        "up",
        "down",
        "thread",
        "quit",
        "q",
        "kill",
        "continue",
        "c",
        "disassemble",
        "break",
        "next",
    ];
    let words = command.args();
    let at = words.iter().position(|word| word.text == "--args");
    let own = &words[..at.unwrap_or(words.len())];
    let is_batch = own.iter().any(|word| matches!(word.text.as_str(), "-batch" | "--batch"));
    let mut own = own
        .iter()
        .filter(|word| !matches!(word.text.as_str(), "-batch" | "--batch" | "-q" | "-nx" | "--nx" | "-quiet"));
    let mut program = None;
    while let Some(word) = own.next() {
        match word.text.as_str() {
            "-ex" | "-eval-command" | "--eval-command" => {
                let text = own.next().filter(|word| word.is_known())?.text.trim();
                let verb = text.split([' ', '/']).next()?;
                // `print system("…")` and `run | sh` do more.
                if !LOOKS.contains(&verb)
                    || text.contains(['(', '|', '!', '`', '>', '<', '$'])
                    || text.contains("thread apply") && text.contains("-s")
                {
                    return None;
                }
            }
            text if text.starts_with('-') => return None,
            _ => program = program.or(Some(word)),
        }
    }
    let program = program.or_else(|| words.get(at? + 1))?;
    is_batch.then(|| vec![Effect::Executes(crate::effect::Program::File(place(program, command, world)))])
}

/// `systemctl start NAME` and `service NAME start` for databases and their like.
fn starts_backend(words: &[&str]) -> bool {
    #[rustfmt::skip]
    const BACKENDS: [&str; 16] = [
        "postgresql", "postgres", "mysql", "mysqld", "mariadb", "redis", "redis-server", "mongod", "mongodb",
        "memcached", "rabbitmq-server", "elasticsearch", "nginx", "apache2", "httpd", "docker",
    ];
    let plain: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with("--no-")).collect();
    let (verb, name) = match plain.as_slice() {
        [verb @ ("start" | "restart" | "reload"), name] | [name, verb @ ("start" | "restart" | "reload")] => {
            (verb, name)
        }
        _ => return false,
    };
    let name = name.strip_suffix(".service").unwrap_or(name);
    !verb.is_empty() && BACKENDS.contains(&name)
}

fn kill(command: &SimpleCommand) -> Option<Vec<Effect>> {
    let targets = command.args().iter().map(|word| word.text.as_str());
    for target in targets.skip_while(|word| word.starts_with('-') && *word != "-1") {
        if matches!(target, "1" | "-1" | "0") && command.args().len() > 1 || target == "1" {
            return one(Finding::forbidden(
                RuleId::GateTampering,
                "stops the supervisor or every process",
                "stop only what you started",
            ));
        }
    }
    Some(Vec::new())
}
