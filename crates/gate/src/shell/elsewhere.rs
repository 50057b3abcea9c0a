//! Commands that run on another host or in another container: what they would do there is read all the same.

use super::{
    command::{SimpleCommand, Stdin, Word},
    unwrap::Wrapped,
};

const SSH: [&str; 19] =
    ["-p", "-i", "-o", "-l", "-L", "-R", "-D", "-F", "-J", "-b", "-c", "-W", "-S", "-w", "-e", "-m", "-B", "-E", "-Q"];
#[rustfmt::skip]
const DOCKER: [&str; 46] = [
    "-v", "--volume", "--mount", "-e", "--env", "--env-file", "-w", "--workdir", "-u", "--user", "--name", "-p",
    "--publish", "--network", "--net", "--entrypoint", "-h", "--hostname", "-l", "--label", "--memory", "-m",
    "--cpus", "--pid", "--ipc", "--userns", "--cap-add", "--cap-drop", "--security-opt", "--device", "--gpus",
    "--restart", "--ulimit", "--tmpfs", "--platform", "--add-host", "--log-driver", "--shm-size", "--volumes-from",
    "--pull", "--runtime", "--link", "--dns", "--cidfile", "--group-add", "--index",
];
#[rustfmt::skip]
const KUBECTL: [&str; 12] = [
    "-n", "--namespace", "-c", "--container", "--context", "--kubeconfig", "--image", "-f", "--filename",
    "--overrides", "-l", "--cluster",
];

/// What is run elsewhere; none when nothing is, or it cannot be told.
pub(super) fn open(command: &SimpleCommand) -> Option<Wrapped> {
    let args = command.args();
    match command.name().as_str() {
        "ssh" | "autossh" | "mosh" | "slogin" => ssh(command),
        "docker" | "podman" | "nerdctl" => {
            let verb = args.iter().position(|word| matches!(word.text.as_str(), "exec" | "run"))?;
            // `docker compose exec service cmd`, `docker run image cmd`: one word stands before the command.
            let rest = after(&args[verb + 1..], &DOCKER)?;
            let entry = args.iter().position(|word| word.text == "--entrypoint").and_then(|at| args.get(at + 1));
            let mut inner = rest.get(1..)?.to_vec();
            if let Some(entry) = entry.filter(|word| !word.text.is_empty()) {
                inner.insert(0, entry.clone());
            }
            found(inner, "docker exec")
        }
        "docker-compose" | "podman-compose" => {
            let verb = args.iter().position(|word| matches!(word.text.as_str(), "exec" | "run"))?;
            found(after(&args[verb + 1..], &DOCKER)?.get(1..)?.to_vec(), "docker exec")
        }
        "kubectl" | "oc" => {
            let verb = args.iter().position(|word| matches!(word.text.as_str(), "exec" | "run" | "debug"))?;
            let rest = &args[verb + 1..];
            let inner = match rest.iter().position(|word| word.text == "--") {
                Some(at) => rest.get(at + 1..)?.to_vec(),
                None => after(rest, &KUBECTL)?.get(1..)?.to_vec(),
            };
            found(inner, "kubectl exec")
        }
        _ => None,
    }
}

fn ssh(command: &SimpleCommand) -> Option<Wrapped> {
    let rest = after(command.args(), &SSH)?;
    let code = rest.get(1..).unwrap_or_default();
    let code = if code.is_empty() {
        match &command.stdin {
            Stdin::Text(text) => text.clone(),
            Stdin::Inherited | Stdin::Pipe => return None,
        }
    } else {
        super::unwrap::join(code)
    };
    Some(Wrapped::Code { code, keep: true, via: "ssh" })
}

fn found(inner: Vec<Word>, via: &'static str) -> Option<Wrapped> {
    (!inner.is_empty()).then_some(Wrapped::Command { inner, keep: true, via })
}

/// The words after the options.
fn after<'a>(args: &'a [Word], valued: &[&str]) -> Option<&'a [Word]> {
    let mut i = 0;
    while let Some(word) = args.get(i).filter(|word| word.text.starts_with('-') && word.text.len() > 1) {
        i += if valued.contains(&word.text.as_str()) { 2 } else { 1 };
    }
    args.get(i..).filter(|rest| !rest.is_empty())
}
