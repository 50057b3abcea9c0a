//! Programs that talk to other hosts.

use super::{place, raw, reads};
use crate::{
    args::Args,
    asked,
    destination::{Destination, Direction, plain_page},
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
    zone::Zone,
};
use types::catalogue::RuleId;

#[rustfmt::skip]
const CURL: &[&str] = &[
    "-X", "--request", "-H", "--header", "-d", "--data", "--data-raw", "--data-binary", "--data-urlencode",
    "--data-ascii", "--json", "-F", "--form", "--form-string", "-T", "--upload-file", "-o", "--output", "-u",
    "--user", "-A", "--user-agent", "-e", "--referer", "-b", "--cookie", "-c", "--cookie-jar", "-x", "--proxy", "-m",
    "--max-time", "--connect-timeout", "--retry", "--retry-delay", "-w", "--write-out", "-K", "--config", "--resolve",
    "--connect-to", "--cacert", "--cert", "--key", "-E", "--url", "--proto", "--proto-redir", "--unix-socket",
    "--abstract-unix-socket", "-D", "--dump-header", "--output-dir", "--retry-max-time", "-r", "--range", "-C",
    "--continue-at", "--limit-rate", "--interface", "--dns-servers", "--noproxy", "-z", "--url-query", "--trace",
    "--stderr", "--max-redirs", "-t", "--tlsv1", "-Q", "-Y", "-y", "--ciphers", "--tls13-ciphers", "--curves",
    "--capath", "--cert-type", "--key-type", "--pass", "--pinnedpubkey", "--ech", "--http-proxy", "--proxy-header",
    "--proxy-user", "--preproxy", "--socks5", "--socks5-hostname", "--socks4", "--doh-url", "--local-port",
    "--keepalive-time", "--max-filesize", "--oauth2-bearer", "--aws-sigv4", "--rate", "--speed-limit", "--speed-time",
    "--time-cond", "--tls-max", "--trace-ascii", "--etag-save", "--etag-compare", "--variable", "--expand-url",
    "--expand-data", "--libcurl", "--quote", "--create-file-mode", "--crlfile", "--egd-file", "--engine", "--alt-svc",
    "--hsts", "--netrc-file", "--postquote", "--service-name", "--telnet-option",
];
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
            let mut effects = super::mentioned(command, world);
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
            let mut effects = super::mentioned(command, world);
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

/// Everything an option such as `-d @file` or `-F name=@file` reads.
fn body(word: &Word, command: &SimpleCommand, world: &World) -> Option<Effect> {
    let text = word.text.as_str();
    let file = text
        .strip_prefix('@')
        .or_else(|| text.split_once("=@").map(|(_, file)| file))
        .or_else(|| text.split_once("=<").map(|(_, file)| file))?;
    let file = file.split(';').next().unwrap_or_default();
    (file != "-").then(|| Effect::Reads(place(&Word { text: file.to_owned(), ..word.clone() }, command, world)))
}

fn curl(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    #[rustfmt::skip]
    const BODY: [&str; 10] = [
        "-d", "--data", "--data-raw", "--data-binary", "--data-urlencode", "--data-ascii", "--json", "-F", "--form",
        "--url-query",
    ];
    let args = Args::parse(command.args(), CURL);
    let mut effects = Vec::new();
    if args.has(&["--unix-socket", "--abstract-unix-socket"]) {
        let sockets: Vec<_> = args.values(&["--unix-socket", "--abstract-unix-socket"]).collect();
        effects.extend(reads(&sockets, command, world));
        if sockets.iter().any(|word| place(word, command, world).zone(world) == Zone::Gate) {
            let reason = "talks to the gate's own endpoint";
            let instead = "a person answers approvals, not the agent";
            effects.push(Finding::forbidden(RuleId::GateTampering, reason, instead).into());
        }
        effects.push(Effect::Unverifiable("talks to a local socket".to_owned()));
    }
    let uploads: Vec<_> = args.values(&["-T", "--upload-file"]).collect();
    effects.extend(reads(&uploads, command, world));
    let mut up = !uploads.is_empty();
    for word in args.values(&BODY) {
        up = true;
        effects.extend(body(word, command, world));
    }
    // `name@file`: a named field with the file's content.
    for word in args.values(&["--data-urlencode", "--url-query"]) {
        if let Some((_, file)) = word.text.split_once('@').filter(|(name, _)| !name.is_empty() && !name.contains('=')) {
            effects.push(Effect::Reads(place(&Word { text: file.to_owned(), ..word.clone() }, command, world)));
        }
    }
    for word in args.values(&["-b", "--cookie", "-K", "--config"]).filter(|word| !word.text.contains('=')) {
        effects.push(Effect::Reads(place(word, command, world)));
    }
    if args.has(&[
        "-K",
        "--config",
        "-x",
        "--proxy",
        "--connect-to",
        "--resolve",
        "--dns-servers",
        "--socks5",
        "--socks5-hostname",
        "--socks4",
        "--preproxy",
        "--doh-url",
        "--engine",
        "--expand-url",
        "--expand-data",
        "--variable",
    ]) {
        effects.push(Effect::Unverifiable("where curl connects is set apart from the URL".to_owned()));
    }
    up |= args.values(&["-X", "--request"]).any(|word| !matches!(word.text.as_str(), "GET" | "HEAD" | "OPTIONS"));
    let urls: Vec<&Word> = args.operands.iter().copied().chain(args.values(&["--url"])).collect();
    // What was computed from a command into the URL or a header is a payload.
    let computed = urls
        .iter()
        .copied()
        .chain(args.values(&[
            "-H",
            "--header",
            "-u",
            "--user",
            "-A",
            "--user-agent",
            "-e",
            "--referer",
            "-b",
            "--cookie",
        ]))
        .any(|word| !word.sources.is_empty());
    let direction = if up || computed { Direction::Up } else { Direction::Down };
    if args.values(&BODY).any(|word| word.text.contains("tool_use_id")) {
        let instead = "a person answers approvals, not the agent";
        effects.push(Finding::forbidden(RuleId::GateTampering, "answers for a tool call", instead).into());
    }
    let deletes = args.values(&["-X", "--request"]).any(|word| word.text.eq_ignore_ascii_case("delete"))
        || args.values(&BODY).any(|word| is_deletion(&word.text));
    let is_read = direction == Direction::Down && only_reads(&args);
    for url in &urls {
        let page = if is_read && url.is_known() { plain_page(&url.text) } else { None };
        let page = page.or_else(|| asked_for(url, command, world));
        if let Some(page) = page {
            effects.push(Effect::Network { to: Destination::Page(page), direction });
            continue;
        }
        effects.extend(deletes.then(|| deletion(&Destination::parse(&url.text, world))).flatten());
        effects.push(Effect::Network { to: Destination::parse(&url.text, world), direction });
        if url.text.to_ascii_lowercase().starts_with("file:") {
            effects.push(Effect::Reads(place(
                &Word { text: url.text[5..].trim_start_matches("//").to_owned(), ..(*url).clone() },
                command,
                world,
            )));
        }
    }
    let mut outputs: Vec<Word> = args
        .values(&[
            "-o",
            "--output",
            "-c",
            "--cookie-jar",
            "-D",
            "--dump-header",
            "--trace",
            "--trace-ascii",
            "--stderr",
            "--libcurl",
        ])
        .cloned()
        .collect();
    if args.has(&["-O", "--remote-name", "--remote-name-all"]) {
        outputs.extend(urls.iter().map(|url| Word::literal(file_name(&url.text))));
    }
    effects.extend(
        outputs
            .iter()
            .filter(|word| word.text != "-")
            .map(|word| Effect::Writes { place: place(word, command, world), empties: false }),
    );
    effects
}

/// The host of an installer that the task asks for.
fn asked_for(url: &Word, command: &SimpleCommand, world: &World) -> Option<String> {
    let chain = asked::installed_by(command)?;
    let host = url.text.strip_prefix("https://")?.split('/').next()?;
    world.asked.sets_up(chain).then(|| host.to_owned())
}

/// True when curl only asks for what the URL names, and shows it or keeps it as a document.
fn only_reads(args: &Args<'_>) -> bool {
    #[rustfmt::skip]
    const PLAIN: [&str; 32] = [
        "-s", "-S", "-L", "-f", "-i", "-I", "-v", "-k", "-N", "-g", "-4", "-6", "-#", "--silent", "--show-error",
        "--location", "--fail", "--include", "--head", "--compressed", "--no-progress-meter", "--verbose",
        "--max-time", "-m", "--connect-timeout", "--retry", "--retry-delay", "-w", "--write-out", "-o", "--output",
        "--retry-all-errors",
    ];
    const DOCUMENTS: [&str; 14] =
        ["pdf", "json", "md", "txt", "html", "csv", "xml", "yml", "yaml", "png", "jpg", "svg", "rst", "tsv"];
    let is_document = |word: &Word| {
        matches!(word.text.as_str(), "-" | "/dev/null")
            || word.text.rsplit_once('.').is_some_and(|(_, end)| DOCUMENTS.contains(&end))
    };
    let insecure = args.has(&["-k"]);
    !insecure
        && args.options.iter().all(|(name, _)| PLAIN.contains(&name.as_str()))
        && args.values(&["-o", "--output"]).all(is_document)
}

/// A GraphQL mutation that deletes.
fn is_deletion(body: &str) -> bool {
    let lower = body.to_ascii_lowercase();
    lower.contains("mutation") && ["delete", "destroy", "remove", "purge"].iter().any(|verb| lower.contains(verb))
}

/// A request to another host to delete something there.
fn deletion(to: &Destination) -> Option<Effect> {
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
