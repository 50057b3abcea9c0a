//! Container engines: building and looking is work; the host's rights, files and other people's containers are not.

use super::infra::{question, shared};
use crate::{
    args::Args,
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// Caches of package managers, which builds in containers commonly share: no host's rights, only a question.
fn is_cache_of_home(path: &str) -> bool {
    const CACHES: [&str; 8] =
        ["/.m2", "/.cache", "/.gradle", "/.npm", "/.cargo/registry", "/go/pkg", "/.ivy2", "/.composer/cache"];
    path.strip_prefix("/home/").or_else(|| path.strip_prefix("/root")).is_some_and(|rest| {
        let rest = rest.find('/').map_or("", |at| &rest[at..]);
        CACHES.iter().any(|cache| crate::place::is_under(rest, cache)) && !rest.contains("..")
    })
}

fn escape(reason: &str) -> Vec<Effect> {
    vec![Finding::forbidden(RuleId::SandboxEscape, reason, "work inside this container").into()]
}

/// The verbs without the values of options before them: `docker compose -f file ps`.
fn container_verbs<'a>(words: &[&'a str], is_composer: bool) -> Vec<&'a str> {
    const VALUED: [&str; 12] = [
        "-f",
        "--file",
        "-p",
        "--project-name",
        "--profile",
        "--env-file",
        "--project-directory",
        "-c",
        "--context",
        "-H",
        "--host",
        "--ansi",
    ];
    let mut verbs = if is_composer { vec!["compose"] } else { Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if VALUED.contains(word) && verbs.len() < 2 && verbs.first().is_none_or(|verb| *verb == "compose") {
            words.next();
        } else if !word.starts_with('-') {
            verbs.push(word);
        }
    }
    verbs
}

/// True when `inspect` prints the variables of a container: all of it, its settings, or them by name.
fn shows_environment(words: &[&str]) -> bool {
    let mut formats = words.iter().enumerate().filter_map(|(at, word)| match word.split_once('=') {
        Some(("-f" | "--format", format)) => Some(format),
        Some(_) => None,
        None if matches!(*word, "-f" | "--format") => words.get(at + 1).copied(),
        None => word.strip_prefix("-f").filter(|rest| !rest.is_empty()),
    });
    formats.next().is_none_or(|format| {
        let dense = format.replace(' ', "").to_ascii_lowercase();
        dense.contains("env")
            || ["{{.}}", "json.}}", ".config}}"].iter().any(|all| dense.contains(all))
            || dense == "json"
    })
}

pub(super) fn effects(name: &str, words: &[&str], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let verbs = container_verbs(words, name.ends_with("-compose"));
    let verb = verbs.first().copied().unwrap_or_default();
    let flag = |names: &[&str]| {
        words.iter().any(|word| {
            names.iter().any(|name| word == name || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        })
    };
    let args = Args::parse(
        command.args(),
        &[
            "-v",
            "--volume",
            "--mount",
            "--pid",
            "--net",
            "--network",
            "--userns",
            "--ipc",
            "--device",
            "--cap-add",
            "--security-opt",
        ],
    );
    let host_mount = args.values(&["-v", "--volume", "--mount"]).any(|word| {
        let source = word.text.split("source=").nth(1).or_else(|| word.text.split("src=").nth(1)).unwrap_or(&word.text);
        let source = source.split([':', ',']).next().unwrap_or_default();
        let path = source.trim_end_matches(['/', '*']);
        source.starts_with('/')
            && !is_cache_of_home(path)
            && (path.is_empty()
                || ["/etc", "/root", "/var/run", "/proc", "/sys", "/dev", "/home", "/var", "/run", "/boot", "/usr"]
                    .iter()
                    .any(|dir| crate::place::is_under(path, dir)))
    });
    let host_space = args.values(&["--pid", "--net", "--network", "--userns", "--ipc"]).any(|word| word.text == "host");
    if flag(&["--privileged"])
        || host_mount
        || (host_space && flag(&["--pid"]))
        || flag(&["--cap-add", "--device", "--use-api-socket"])
        || words.iter().any(|word| {
            word.contains("docker.sock") || word.contains("apparmor=unconfined") || word.contains("seccomp=unconfined")
        })
    {
        return escape("starts a container with the host's rights or files");
    }
    let second = verbs.get(1).copied().unwrap_or_default();
    // The environment of a container is where its credentials are.
    let is_inspect = verb == "inspect" || second == "inspect";
    if is_inspect && !matches!(verb, "image" | "network" | "volume") && shows_environment(words) {
        return vec![Effect::Reads(crate::secret::pseudo(crate::secret::ENVIRONMENT))];
    }
    match verb {
        "ps" | "images" | "logs" | "inspect" | "version" | "info" | "stats" | "top" | "port" | "diff" | "history"
        | "events" | "search" | "context" | "" | "config" | "manifest" | "pull" | "tag" | "wait" | "help"
        | "completion" => Vec::new(),
        "build" | "buildx" if flag(&["--push"]) => {
            vec![Finding::refused(RuleId::ExternalWrite, "publishes an image", "leave publishing to a person").into()]
        }
        "build" | "buildx" if verbs.last().is_some_and(|word| word.contains("://") || word.starts_with("git@")) => {
            vec![Finding::questioned(RuleId::UntrustedCode, "builds an image from elsewhere").into()]
        }
        "build" | "buildx" => vec![recipe(command, world)],
        "compose"
            if matches!(
                second,
                "ps" | "logs" | "config" | "build" | "version" | "ls" | "images" | "top" | "port" | "pull" | "stop"
            ) =>
        {
            Vec::new()
        }
        // The project's own composition, without files or containers of elsewhere.
        "compose"
            if matches!(second, "up" | "down" | "start" | "restart" | "exec" | "create")
                && !words.iter().any(|word| {
                    matches!(*word, "-v" | "--volumes" | "--rmi" | "-H" | "--host" | "-f" | "--file")
                        || word.starts_with("--file=")
                        || word.contains(crate::place::HOLE)
                }) =>
        {
            Vec::new()
        }
        "container" | "image" | "network" | "volume" | "system"
            if matches!(
                second,
                "ls" | "list"
                    | "inspect"
                    | "df"
                    | "info"
                    | "logs"
                    | "pull"
                    | "create"
                    | "stats"
                    | "top"
                    | "tag"
                    | "history"
            ) =>
        {
            Vec::new()
        }
        "rm" | "rmi" | "kill" | "stop" | "prune"
            if flag(&["-f", "--force"]) || words.iter().any(|word| word.contains(crate::place::HOLE)) =>
        {
            shared("stops or deletes containers that others may use")
        }
        "system" | "volume" | "image" | "network" | "container" | "builder" if matches!(second, "prune" | "rm") => {
            shared("deletes shared containers, images or volumes")
        }
        "push" if verbs.get(1).is_some_and(|name| name.starts_with("localhost:") || name.starts_with("127.0.0.1:")) => {
            question(RuleId::SharedInfra, "puts an image into a registry of this container")
        }
        "push" | "login" => {
            vec![Finding::refused(RuleId::ExternalWrite, "publishes an image", "leave publishing to a person").into()]
        }
        "compose" if words.iter().any(|word| matches!(*word, "-v" | "--volumes")) && second == "down" => {
            shared("deletes the volumes of a composition")
        }
        _ => question(RuleId::SharedInfra, "starts or changes containers"),
    }
}

/// The recipe that a build follows.
fn recipe(command: &SimpleCommand, world: &World) -> Effect {
    let args = Args::parse(command.args(), &["-f", "--file", "-t", "--tag", "--build-arg", "--target", "--platform"]);
    let named = |word: &&Word| word.is_known() && word.text != "-" && !word.text.contains(':');
    let file = args.values(&["-f", "--file"]).next().filter(named);
    let dir = args.operands.last().copied().filter(|word| args.operands.len() > 1 && named(word));
    let path = match (file, dir) {
        (Some(file), _) => file.text.clone(),
        (None, Some(dir)) => format!("{}/Dockerfile", dir.text),
        (None, None) => "Dockerfile".to_owned(),
    };
    super::packages::manifest(&path, command, world)
}
