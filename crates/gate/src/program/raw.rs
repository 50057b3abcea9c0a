//! Plain connections and remote shells: to loopback they test, elsewhere they tunnel.

use super::{network::file_name, place, reads};
use crate::{
    args::Args,
    destination::{Destination, Direction},
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// Tools that open plain connections: to loopback they test, elsewhere they tunnel.
pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let words = command.args();
    let text = command.text();
    let lower = text.to_ascii_lowercase();
    let tunnel = |reason: &str| {
        vec![
            Finding::forbidden(
                RuleId::ReverseChannel,
                reason,
                "run the command directly; its output comes back to you",
            )
            .into(),
        ]
    };
    match name {
        "openssl" => {
            if words.first().is_some_and(|word| word.text == "s_client") {
                let to = Args::parse(&words[1..], &["-connect"]);
                let host = words.iter().position(|word| word.text == "-connect").and_then(|at| words.get(at + 1));
                let to = host
                    .or(to.operands.first().copied())
                    .map_or(Destination::Unknown, |word| Destination::parse(&word.text, world));
                let is_fed = command.is_piped
                    || command.redirects.iter().any(|redirect| redirect.kind == crate::shell::RedirectKind::Read);
                let direction = if is_fed { Direction::Up } else { Direction::Down };
                return vec![Effect::Network { to, direction }];
            }
            let files = ["-in", "-inkey", "-key", "-CA", "-CAkey", "-out", "-keyout", "-config"];
            let mut effects = Vec::new();
            // A certificate is public, and nothing else comes out of these.
            let shows = matches!(words.first().map(|word| word.text.as_str()), Some("x509" | "crl" | "verify"))
                && words.iter().any(|word| matches!(word.text.as_str(), "-noout" | "-text"));
            for (at, word) in words.iter().enumerate() {
                if shows && word.text == "-in" {
                    continue;
                }
                if let Some(flag) = files.iter().find(|flag| word.text == **flag)
                    && let Some(file) = words.get(at + 1)
                {
                    let place = place(file, command, world);
                    effects.push(if flag.contains("out") {
                        Effect::Writes { place, empties: false }
                    } else {
                        Effect::Reads(place)
                    });
                }
            }
            if words.iter().any(|word| word.text == "-engine" || word.text == "s_server") {
                effects.push(Effect::Unverifiable("openssl loads code or serves files".to_owned()));
            }
            effects
        }
        "socat" | "websocat"
            if lower.contains("exec:")
                || lower.contains("system:")
                || lower.contains("shell:")
                || lower.contains("pty") =>
        {
            tunnel("connects a program to the network")
        }
        "socat" | "websocat" => socat(command, world),
        "nc" | "ncat" | "netcat" => {
            let args = Args::parse(
                words,
                &["-p", "-w", "-q", "-e", "-c", "--exec", "--sh-exec", "-s", "-x", "-X", "-i", "-g", "-G"],
            );
            if args.has(&["-e", "-c", "--exec", "--sh-exec", "--lua-exec"]) {
                return tunnel("connects a program to the network");
            }
            if args.has(&["-z"]) || args.has(&["-l", "--listen"]) {
                let listens = args.has(&["-l", "--listen"]);
                if listens {
                    return vec![Finding::questioned(RuleId::ReverseChannel, "listens for connections").into()];
                }
            }
            if args.operands.iter().any(|word| word.text.ends_with(".sock")) {
                return reads(&args.operands, command, world);
            }
            let port = args.operands.get(1).map_or("0", |word| word.text.as_str());
            let to = args.operands.first().map_or(Destination::Unknown, |word| {
                Destination::parse(&format!("{}:{}", word.text, port.split('-').next().unwrap_or("0")), world)
            });
            let direction = if args.has(&["-z"]) { Direction::Down } else { Direction::Up };
            vec![Effect::Network { to, direction }]
        }
        _ => {
            let args = Args::parse(words, &[]);
            let to = args.operands.first().map_or(Destination::Unknown, |word| Destination::parse(&word.text, world));
            vec![Effect::Network { to, direction: Direction::Up }]
        }
    }
}

pub(super) fn remote(name: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    const SSH: &[&str] =
        &["-p", "-P", "-i", "-o", "-l", "-L", "-R", "-D", "-F", "-J", "-b", "-c", "-W", "-S", "-w", "-g", "-r"];
    // In scp `-r` and `-p` are flags.
    const SCP: &[&str] = &["-P", "-i", "-o", "-l", "-F", "-J", "-c", "-S", "-D", "-X"];
    let args = Args::parse(command.args(), if name == "scp" { SCP } else { SSH });
    if matches!(name, "ssh" | "autossh") && args.has(&["-R", "-D", "-w"]) {
        return vec![
            Finding::forbidden(
                RuleId::ReverseChannel,
                "opens a tunnel that others can use",
                "there is no use for a tunnel here",
            )
            .into(),
        ];
    }
    let mut effects = reads(&args.values(&["-i", "-F"]).collect::<Vec<_>>(), command, world);
    if args.options.iter().any(|(option, value)| {
        option == "-o" && value.as_ref().is_some_and(|word| word.text.to_ascii_lowercase().contains("command"))
    }) {
        effects.push(Effect::Unverifiable("ssh runs a local command".to_owned()));
    }
    let host = args
        .operands
        .iter()
        .map(|word| word.text.as_str())
        .find(|text| name != "scp" || text.contains(':'))
        .unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let direction = match name {
        "scp" if args.operands.last().is_some_and(|word| word.text.contains(':')) => Direction::Up,
        "tftp" | "lftp" | "ftp" | "sftp" if puts(command) => Direction::Up,
        "tftp" | "lftp" | "ftp" => Direction::Down,
        _ if command.is_piped => Direction::Up,
        _ => Direction::Down,
    };
    if name == "scp" {
        effects.extend(reads(
            &args.operands.iter().copied().filter(|word| !word.text.contains(':')).collect::<Vec<_>>(),
            command,
            world,
        ));
    }
    if matches!(name, "tftp" | "ftp" | "lftp" | "sftp") {
        // What it fetches lands under its name here, whichever way the client spells it.
        let named = args.options.iter().filter_map(|(_, value)| value.as_ref()).chain(args.operands.iter().copied());
        let files =
            named.filter(|word| word.is_known() && !matches!(word.text.as_str(), "get" | "put") && word.text != host);
        effects.extend(
            files
                .map(|word| Effect::Writes {
                    place: place(&Word::literal(file_name(&word.text)), command, world),
                    empties: false,
                })
                .collect::<Vec<_>>(),
        );
    }
    if direction == Direction::Up && matches!(name, "tftp" | "ftp" | "lftp" | "sftp") {
        // What it sends is some file of here.
        effects.extend(super::unknown::mentioned(command, world));
        effects.push(Effect::Reads(place(&Word::literal("."), command, world)));
    }
    effects.push(Effect::Network { to: Destination::parse(host, world), direction });
    let instead = "there is no other host for this task; work in the repository";
    effects.push(Finding::refused(RuleId::ExternalWrite, "works on another host", instead).into());
    effects
}

/// True when a client of a file server is told to send.
fn puts(command: &SimpleCommand) -> bool {
    let fed = match &command.stdin {
        crate::shell::Stdin::Text(word) => word.text.as_str(),
        crate::shell::Stdin::Inherited | crate::shell::Stdin::Pipe => "",
    };
    let text = format!("{} {fed}", command.text());
    text.split([' ', ';', '\n']).any(|word| matches!(word, "put" | "mput" | "reput" | "-p"))
        || text.contains("mirror -R")
}

/// Each operand of socat is one end: a file, a connection, a listener.
fn socat(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let mut effects = Vec::new();
    let ends: Vec<&Word> = Args::parse(command.args(), &["-b", "-t", "-T", "-d", "-l"]).operands;
    for (at, word) in ends.iter().enumerate() {
        let text = word.text.split("!!").next().unwrap_or_default();
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let kind = kind.to_ascii_lowercase();
        let first = rest.split(',').next().unwrap_or_default();
        let at_place = || place(&Word { text: first.to_owned(), ..(*word).clone() }, command, world);
        match kind.as_str() {
            "-" | "stdin" | "stdout" | "stdio" | "stderr" | "fd" => {}
            "file" | "open" | "gopen" | "create" | "creat" | "pipe" | "unix-connect" | "unix" | "unix-client" => {
                effects.push(Effect::Reads(at_place()));
                if at > 0 || kind.starts_with("creat") || word.text.contains(",creat") {
                    effects.push(Effect::Writes { place: at_place(), empties: false });
                }
            }
            _ if kind.contains("listen") || kind.contains("recv") => {
                effects.push(Finding::questioned(RuleId::ReverseChannel, "listens for connections").into());
            }
            _ if kind.is_empty() || first.is_empty() => effects.push(Effect::Reads(at_place())),
            _ => effects.push(Effect::Network { to: Destination::parse(first, world), direction: Direction::Up }),
        }
    }
    let ends_outside = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Network { to: Destination::Foreign(_) | Destination::Unknown, .. }));
    let inside =
        effects.iter().any(|effect| matches!(effect, Effect::Network { to: Destination::Loopback { .. }, .. }));
    if ends_outside.count() > 0 && inside {
        let instead = "there is no use for a tunnel here";
        effects.push(
            Finding::forbidden(RuleId::ReverseChannel, "joins a port of this host with another host", instead).into(),
        );
    }
    effects
}
