//! What code sends outside: where it connects, and whether credentials, the environment or files go along.

use super::{Language, deeds, is_file_name, mentions};
use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Finding},
    secret::{ENVIRONMENT, is_secret_variable, secrecy},
    world::World,
};
use types::catalogue::RuleId;

/// Most addresses that are looked at for what is added to them.
const MAX_ADDRESSES: usize = 32;
const INSIDE: &str = "keep the data in the work tree; describe what you need instead of sending it";

/// Modules that talk to services outside.
pub(super) fn imports_client(language: Language, bare: &str, strings: &[String]) -> bool {
    #[rustfmt::skip]
    const PYTHON: [&str; 22] = [
        "slack_sdk", "telegram", "telebot", "discord", "tweepy", "dropbox", "pysftp", "asyncssh", "fabric", "pyngrok",
        "scapy", "impacket", "pwn", "paho", "httplib2", "minio", "botocore", "smbclient", "ldap3", "dns",
        "kubernetes", "docker",
    ];
    #[rustfmt::skip]
    const SCRIPT: [&str; 12] = [
        "nodemailer", "aws-sdk", "ssh2", "got", "node-fetch", "request", "superagent", "ws", "telegraf", "dockerode",
        "undici", "basic-ftp",
    ];
    let imported = |name: &&str| bare.contains(&format!("import {name}")) || bare.contains(&format!("from {name}"));
    match language {
        Language::Python => PYTHON.iter().any(imported),
        Language::JavaScript => {
            let loads = bare.contains("require(") || bare.contains("import ");
            loads && strings.iter().any(|text| SCRIPT.contains(&text.as_str()) || text.starts_with("@aws-sdk/"))
        }
        Language::Ruby | Language::Perl | Language::Php => false,
    }
}

pub(super) fn network(bare: &str, strings: &[String], world: &World) -> Vec<Effect> {
    let direction = deeds::direction(bare, strings);
    let mut effects: Vec<Effect> = strings
        .iter()
        .filter(|text| text.contains("://"))
        .map(|text| Effect::Network { to: Destination::parse(text, world), direction })
        .collect();
    let hosts = strings.iter().filter(|text| {
        !text.contains("://")
            && !text.contains(' ')
            && (text.as_str() == "localhost" || text.parse::<std::net::IpAddr>().is_ok())
    });
    effects
        .extend(hosts.map(|text| Effect::Network { to: Destination::parse(&format!("{text}:1"), world), direction }));
    if effects.is_empty() {
        effects.push(Effect::Unverifiable("where the code connects is not known".to_owned()));
    }
    effects
}

/// True when the code takes all of the environment, and not to hand it on to a program that it starts.
pub(super) fn reads_environment(bare: &str) -> bool {
    ["os.environ", "process.env", "ENV", "%ENV", "getenv", "$_SERVER", "$_ENV"].iter().any(|name| {
        bare.match_indices(name).any(|(at, _)| {
            let (before, after) = (&bare[..at], &bare[at + name.len()..]);
            let is_own = !before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
            let is_listed = [".items(", ".values(", ".copy(", ".each", ".map", ".to_h", ".select"]
                .iter()
                .any(|all| after.starts_with(all));
            let is_one = after.starts_with(['[', '.', '{', '(', '_']) || after.starts_with(char::is_alphanumeric);
            let is_handed_on = ["env=", "env={**", "env: ", "env: {...", "env = ", "env={...", "env=dict("]
                .iter()
                .any(|start| before.trim_end_matches(' ').ends_with(start.trim_end_matches(' ')));
            is_own && (is_listed || !is_one) && !is_handed_on
        })
    })
}

/// True when the code prints a variable whose name says that it holds a credential.
pub(super) fn shows_variables(text: &str) -> bool {
    const SHOWS: [&str; 7] = ["print(", "print ", "console.log(", "puts ", "echo ", "p ENV", "log("];
    const NAMES: [&str; 6] = ["os.environ[", "os.environ.get(", "os.getenv(", "process.env.", "process.env[", "ENV["];
    text.split(['\n', ';']).take(2048).filter(|line| SHOWS.iter().any(|shows| line.contains(shows))).any(|line| {
        NAMES.iter().any(|name| {
            line.match_indices(name).any(|(at, _)| {
                let rest = line[at + name.len()..].trim_start_matches(['"', '\'']);
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                is_secret_variable(&rest[..end])
            })
        })
    })
}

/// Content of files that goes to a host outside.
pub(super) fn sends_files(networked: bool, bare: &str, strings: &[String], effects: &[Effect]) -> Option<Effect> {
    #[rustfmt::skip]
    const READS: [&str; 8] = [
        "open", "read_text", "read_bytes", "readFileSync", "createReadStream", "File.read", "file_get_contents",
        "IO.read",
    ];
    let to = effects.iter().find_map(|effect| match effect {
        Effect::Network { to, direction: Direction::Up } if crate::flow::is_outside(to) => match to {
            Destination::Trusted(_) => None,
            Destination::Loopback { .. }
            | Destination::Remote(_)
            | Destination::Metadata(_)
            | Destination::Engine(_)
            | Destination::Page(_)
            | Destination::Foreign(_)
            | Destination::Unknown => Some(to),
        },
        Effect::Network { .. }
        | Effect::Reads(_)
        | Effect::Writes { .. }
        | Effect::Deletes { .. }
        | Effect::Executes(_)
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => None,
    })?;
    let reads = READS.iter().any(|name| mentions(bare, name)) && strings.iter().any(|text| is_file_name(text));
    (networked && reads)
        .then(|| Finding::refused(RuleId::DataExfiltration, format!("sends files to {to}"), INSIDE).into())
}

/// A credential that goes to a place which the code computes.
pub(super) fn sends_secret(
    networked: bool,
    text: &str,
    bare: &str,
    strings: &[String],
    effects: &[Effect],
) -> Option<Effect> {
    let is_read = effects.iter().any(|effect| match effect {
        Effect::Reads(place) => secrecy(place).is_some() && place.path != ENVIRONMENT,
        Effect::Writes { .. }
        | Effect::Deletes { .. }
        | Effect::Network { .. }
        | Effect::Executes(_)
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => false,
    });
    if !networked || !is_read {
        return None;
    }
    let is_known = effects.iter().any(|effect| matches!(effect, Effect::Network { .. }));
    let addresses = strings.iter().filter(|text| text.contains("://")).take(MAX_ADDRESSES);
    let adds_to_address = addresses.into_iter().any(|address| {
        let joined = |mark: &str| text.contains(&format!("{address}{mark}"));
        ["' .", "\" .", "'.", "\".", "' +", "\" +", "'+", "\"+", "' %", "\" %", "'.format", "\".format"]
            .into_iter()
            .any(joined)
    });
    let is_sent = !is_known && deeds::direction(bare, strings) == Direction::Up || adds_to_address;
    is_sent.then(|| Finding::forbidden(RuleId::DataExfiltration, "sends credentials to another host", INSIDE).into())
}
