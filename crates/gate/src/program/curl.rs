//! curl: what is asked for, what is sent along, and where the answer goes.

use super::{
    network::{deletion, file_name},
    place, reads,
};
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

pub(super) fn curl(command: &SimpleCommand, world: &World) -> Vec<Effect> {
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
