//! Programs that talk to other hosts.

use super::{curl::curl, place, raw, reads};
use crate::{
    args::Args,
    destination::{Destination, Direction, plain_page},
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

#[rustfmt::skip]
const WGET: &[&str] = &[
    "-O", "--output-document", "-P", "--directory-prefix", "-o", "--output-file", "-a", "-i", "--input-file",
    "--post-data", "--post-file", "--body-data", "--body-file", "--method", "--header", "-t", "--tries", "-T",
    "--timeout", "-U", "--user-agent", "-e", "--execute", "-l", "-A", "-R", "-D", "--use-askpass", "-w", "--user",
    "--password",
];

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let args = command.args();
    let foreign = |direction, word: Option<&&Word>| {
        let to = word.map_or(Destination::Unknown, |word| Destination::parse(&word.text, world));
        vec![Effect::Network { to, direction }]
    };
    Some(match name {
        "curl" | "curlie" => curl(command, world),
        "wget" | "wget2" => wget(command, world),
        "aria2c" | "axel" | "fetch" | "lwp-download" => {
            let parsed = Args::parse(args, &["-o", "--out", "-d", "--dir", "-x", "-s", "-j", "-n", "--output"]);
            let targets: Vec<_> = parsed.values(&["-o", "--out", "--output", "-d", "--dir"]).collect();
            let mut effects = foreign(Direction::Down, parsed.operands.first());
            effects.extend(super::writes(&targets, command, world));
            if targets.is_empty() {
                let files = parsed.operands.iter().map(|url| Word::literal(file_name(&url.text)));
                effects.extend(super::writes(&files.collect::<Vec<_>>().iter().collect::<Vec<_>>(), command, world));
            }
            effects
        }
        "lynx" | "links" | "elinks" | "w3m" | "lwp-request" | "GET" | "hget" | "httrack" => {
            let url = args.iter().find(|word| word.text.contains("://") || word.text.contains('.'));
            let mut effects = super::unknown::mentioned(command, world);
            effects.extend(foreign(Direction::Down, url.as_ref()));
            effects
        }
        "ftpget" | "ftpput" => {
            let parsed = Args::parse(args, &["-u", "-p", "-P"]);
            let up = name == "ftpput";
            let mut effects = foreign(if up { Direction::Up } else { Direction::Down }, parsed.operands.first());
            // `ftpget host local remote`, `ftpput host remote local`.
            let files: Vec<&Word> = parsed.operands.iter().skip(1).copied().collect();
            effects.extend(if up { reads(&files, command, world) } else { super::writes(&files, command, world) });
            effects
        }
        "smbclient" | "finger" | "rdate" | "rsh" | "rlogin" | "rcp" | "curlftpfs" | "sshfs" | "mount.nfs" => {
            let mut effects = super::unknown::mentioned(command, world);
            let host = args.iter().find(|word| !word.text.starts_with('-')).map(|word| {
                word.text.trim_start_matches(['/', '\\']).split(['/', '\\']).next().unwrap_or_default().to_owned()
            });
            let host = host.unwrap_or_default();
            let to = Destination::parse(host.rsplit('@').next().unwrap_or_default(), world);
            effects.push(Effect::Network { to, direction: Direction::Up });
            let instead = "there is no other host for this task; work in the repository";
            effects.push(Finding::refused(RuleId::ExternalWrite, "works on another host", instead).into());
            effects
        }
        "logger" if args.iter().any(|word| word.text == "-n" || word.text.starts_with("--server")) => {
            let parsed = Args::parse(args, &["-n", "--server", "-P", "--port", "-f", "--file", "-t", "-p"]);
            let mut effects = reads(&parsed.values(&["-f", "--file"]).collect::<Vec<_>>(), command, world);
            effects.extend(foreign(Direction::Up, parsed.values(&["-n", "--server"]).next().as_ref()));
            effects
        }
        "http" | "https" | "xh" | "httpie" => {
            let parsed = Args::parse(args, &["-o", "--output", "-a", "--auth", "-d"]);
            let mut operands = parsed.operands.iter();
            let method = operands.clone().next().filter(|word| {
                matches!(word.text.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS")
            });
            if method.is_some() {
                operands.next();
            }
            let url = operands.next();
            if method.is_some_and(|word| word.text == "DELETE") {
                let to = url.map_or(Destination::Unknown, |word| Destination::parse(&word.text, world));
                return Some(deletion(&to).into_iter().chain(foreign(Direction::Up, url)).collect());
            }
            let items: Vec<&Word> = operands.copied().collect();
            let files = items.iter().filter_map(|word| {
                let (_, file) = word.text.split_once('@').filter(|(name, _)| !name.contains("://"))?;
                Some(Word { text: file.to_owned(), ..(*word).clone() })
            });
            let files: Vec<Word> = files.collect();
            let mut sent = reads(&files.iter().collect::<Vec<_>>(), command, world);
            let is_fed = command.redirects.iter().any(|redirect| redirect.kind == crate::shell::RedirectKind::Read);
            let up = is_fed
                || items.iter().any(|word| !word.text.contains("=="))
                || method.is_some_and(|word| !matches!(word.text.as_str(), "GET" | "HEAD" | "OPTIONS"));
            sent.extend(foreign(if up { Direction::Up } else { Direction::Down }, url));
            sent
        }
        "ping" | "ping6" | "traceroute" | "tracepath" | "whois" | "mtr" => {
            // What is computed into a name or a pattern is a payload.
            let up = name != "whois" && args.iter().any(|word| !word.sources.is_empty());
            let parsed = Args::parse(args, &["-c", "-W", "-i", "-s", "-w", "-p", "-h", "-I", "-F"]);
            let mut effects = reads(&parsed.values(&["-F"]).collect::<Vec<_>>(), command, world);
            let host = if name == "whois" {
                parsed.values(&["-h"]).next().or(parsed.operands.first().copied())
            } else {
                parsed.operands.first().copied()
            };
            effects.extend(foreign(if up { Direction::Up } else { Direction::Down }, host.as_ref()));
            effects
        }
        "dig" | "nslookup" | "host" if looked_up(command).is_some() => {
            let name = looked_up(command).unwrap_or_default();
            vec![Effect::Network { to: Destination::Page(name), direction: Direction::Down }]
        }
        "dig" | "nslookup" | "host" | "drill" => {
            // A name can carry data: what is computed into it is a payload.
            let up = args.iter().any(|word| !word.sources.is_empty());
            let direction = if up { Direction::Up } else { Direction::Down };
            vec![Effect::Network { to: Destination::Unknown, direction }]
        }
        "nc" | "ncat" | "netcat" | "telnet" | "socat" | "websocat" | "openssl" => raw::effects(name, command, world),
        "ssh" | "scp" | "sftp" | "ftp" | "lftp" | "tftp" | "mosh" | "ssh-copy-id" | "autossh" => {
            raw::remote(name, command, world)
        }
        "ab" | "wrk" | "hey" | "siege" | "vegeta" | "k6" => {
            let url = args.iter().rev().find(|word| !word.text.starts_with('-'));
            let to = url.map_or(Destination::Unknown, |word| Destination::parse(&word.text, world));
            match to {
                Destination::Loopback { .. } => vec![Effect::Network { to, direction: Direction::Down }],
                Destination::Trusted(_)
                | Destination::Remote(_)
                | Destination::Metadata(_)
                | Destination::Engine(_)
                | Destination::Page(_)
                | Destination::Foreign(_)
                | Destination::Unknown => {
                    vec![
                        Finding::refused(
                            RuleId::ResourceAbuse,
                            "puts load on a host outside",
                            "test against a server on loopback",
                        )
                        .into(),
                    ]
                }
            }
        }
        "nmap" | "tcpdump" | "tshark" if stays_inside(command) => {
            vec![
                Finding::questioned(RuleId::ResourceAbuse, "looks at the traffic or the ports of this container")
                    .into(),
            ]
        }
        "nmap" | "tcpdump" | "tshark" | "rustscan" | "fping" | "nbtscan" => {
            vec![
                Finding::refused(
                    RuleId::ResourceAbuse,
                    "scans or attacks a network",
                    "there is no network to scan; work in the repository",
                )
                .into(),
            ]
        }
        "mail" | "sendmail" | "mutt" | "mailx" | "swaks" => vec![
            Finding::refused(RuleId::DataExfiltration, "sends mail", "put the text into a file of the work tree")
                .into(),
        ],
        _ => return None,
    })
}

/// True for a scan of this container alone, or a look at its loopback interface.
fn stays_inside(command: &SimpleCommand) -> bool {
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let is_here = |word: &&str| matches!(*word, "localhost" | "127.0.0.1" | "::1");
    let plain = words.iter().filter(|word| !word.starts_with('-'));
    let ports = |word: &&&str| word.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b',');
    match command.name().as_str() {
        "nmap" => {
            let mut hosts = plain.filter(|word| !ports(word)).peekable();
            hosts.peek().is_some()
                && hosts.all(is_here)
                && !words.iter().any(|word| word.starts_with("--script") || word.starts_with("-i"))
        }
        _ => {
            words.windows(2).any(|pair| pair == ["-i", "lo"]) && !words.iter().any(|word| matches!(*word, "-w" | "-z"))
        }
    }
}

/// The name that is asked for, when it stands in the line in plain words: nothing can leave in it. A server of the line's choice
/// may be anyone.
fn looked_up(command: &SimpleCommand) -> Option<String> {
    let words = command.args();
    if words.iter().any(|word| !word.is_known() || !word.sources.is_empty() || word.secret) {
        return None;
    }
    let is_type = |text: &str| text.len() <= 6 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let mut names =
        words.iter().map(|word| word.text.as_str()).filter(|text| !text.starts_with(['-', '+']) && !is_type(text));
    let name = names.next()?;
    let more = names.next().is_some()
        || words.iter().any(|word| word.text.starts_with('@') || matches!(word.text.as_str(), "-f" | "-k" | "-y"));
    (!more).then(|| plain_page(&format!("https://{name}/")))?
}

/// A request to another host to delete something there.
pub(super) fn deletion(to: &Destination) -> Option<Effect> {
    match to {
        Destination::Loopback { .. } => None,
        Destination::Trusted(_)
        | Destination::Remote(_)
        | Destination::Metadata(_)
        | Destination::Engine(_)
        | Destination::Page(_)
        | Destination::Foreign(_)
        | Destination::Unknown => {
            let instead = "leave what others use; write the change down for a person";
            Some(Finding::refused(RuleId::SharedInfra, format!("deletes something on {to}"), instead).into())
        }
    }
}

pub(super) fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn wget(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), WGET);
    let mut effects = Vec::new();
    let files: Vec<_> = args.values(&["--post-file", "--body-file", "-i", "--input-file"]).collect();
    effects.extend(reads(&files, command, world));
    let payloads = args.operands.iter().copied().chain(args.values(&["--header", "-U", "--user-agent", "--user"]));
    let computed = payloads.into_iter().any(|word| !word.sources.is_empty());
    let up = computed || args.has(&["--post-data", "--post-file", "--body-data", "--body-file", "--method"]);
    let direction = if up { Direction::Up } else { Direction::Down };
    if args.has(&["-i", "--input-file", "-e", "--execute", "--use-askpass"]) || args.operands.is_empty() {
        effects.push(Effect::Unverifiable("where wget connects is not in the line".to_owned()));
    }
    for url in &args.operands {
        effects.push(Effect::Network { to: Destination::parse(&url.text, world), direction });
        if !args.has(&["-O", "--output-document", "--spider"]) {
            let dir = args.values(&["-P", "--directory-prefix"]).next().map_or(".", |word| word.text.as_str());
            let file = Word::literal(format!("{dir}/{}", file_name(&url.text)));
            effects.push(Effect::Writes { place: place(&file, command, world), empties: false });
        }
    }
    let outputs = args.values(&["-O", "--output-document", "-o", "--output-file"]).filter(|word| word.text != "-");
    effects.extend(outputs.map(|word| Effect::Writes { place: place(word, command, world), empties: false }));
    effects
}
