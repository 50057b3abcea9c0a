//! Clouds, clusters, containers, databases and other agents: things that are shared, or that escape.

use crate::{
    args::Args,
    effect::{Effect, Finding},
    shell::SimpleCommand,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand) -> Option<Vec<Effect>> {
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let verbs: Vec<&str> = words.iter().filter(|word| !word.starts_with('-')).copied().collect();
    let verb = verbs.first().copied().unwrap_or_default();
    Some(match name {
        "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose" | "buildah" | "skopeo" => {
            containers(&words, &verbs, command)
        }
        "kubectl" | "oc" | "k9s" | "helm" | "kustomize" => match verb {
            "get" | "describe" | "logs" | "top" | "version" | "explain" | "api-resources" | "cluster-info" | "diff"
            | "config" | "" | "lint" | "template" | "build" | "list" | "status" | "history" | "completion" => {
                let secret = verbs.iter().any(|word| matches!(word.split('/').next(), Some("secret" | "secrets")));
                if secret { question(RuleId::CredentialAccess, "reads secrets of a cluster") } else { Vec::new() }
            }
            "delete" | "del" | "un" | "drain" | "cordon" | "uninstall" | "scale" | "rollout" | "taint" | "evict"
            | "replace" | "patch" => shared("changes or deletes what runs in a shared cluster"),
            _ => question(RuleId::SharedInfra, "changes a cluster"),
        },
        "terraform" | "tofu" | "terragrunt" | "pulumi" | "cdk" | "cdktf" | "serverless" | "sls" | "sam"
        | "ansible-playbook" | "ansible" => match verb {
            "fmt" | "validate" | "version" | "show" | "output" | "graph" | "plan" | "providers" | "preview"
            | "synth" | "diff" | "ls" | "list" | ""
                if name != "ansible-playbook" && name != "ansible" =>
            {
                Vec::new()
            }
            "apply" | "destroy" | "up" | "deploy" | "remove" | "import" | "state" | "taint" | "force-unlock"
            | "workspace" | "delete" => shared("changes shared infrastructure"),
            _ => question(RuleId::SharedInfra, "works on shared infrastructure"),
        },
        "nats"
        | "rpk"
        | "flipt"
        | "velero"
        | "fastly"
        | "newrelic"
        | "circleci"
        | "rabbitmqctl"
        | "rabbitmqadmin"
        | "borg"
        | "restic"
        | "rclone"
        | "duplicity"
        | "kopia"
        | "ldcli"
        | "auth0"
        | "okta"
        | "pd"
        | "datadog-ci"
        | "sentry-cli"
        | "twilio"
        | "linode"
        | "vultr-cli"
        | "scw"
        | "exo"
        | "render"
        | "koyeb"
        | "dokku"
        | "turso"
        | "pscale"
        | "neonctl"
        | "atlas"
        | "confluent"
        | "kcat"
        | "kafka-topics"
        | "kafka-topics.sh"
        | "kafka-consumer-groups"
        | "temporal"
        | "tctl"
        | "istioctl"
        | "linkerd"
        | "flux"
        | "argo"
        | "tkn"
        | "bk"
        | "hal"
        | "tsh"
        | "boundary"
        | "etcdctl"
        | "qm"
        | "pct"
        | "virsh"
        | "vboxmanage"
        | "VBoxManage"
        | "govc"
        | "openstack"
        | "ceph"
        | "rados"
        | "zfs"
        | "zpool"
        | "lvremove"
        | "vgremove"
        | "pvremove"
        | "mdadm"
        | "cryptsetup"
        | "btrfs"
        | "crowdin"
        | "contentful"
        | "sanity"
        | "shopify"
        | "algolia"
        | "cf"
        | "tccli"
        | "ydb"
        | "yc"
        | "minikube"
        | "kind"
        | "k3d"
        | "vagrant"
        | "multipass"
        | "lima"
        | "limactl"
        | "colima"
        | "docker-machine"
        | "eb"
        | "amplify"
        | "wasmer"
        | "spacectl"
        | "packer"
        | "waypoint"
        | "jenkins-cli"
        | "aws"
        | "gcloud"
        | "az"
        | "doctl"
        | "heroku"
        | "fly"
        | "flyctl"
        | "vercel"
        | "netlify"
        | "wrangler"
        | "railway"
        | "linode-cli"
        | "hcloud"
        | "oci"
        | "ibmcloud"
        | "aliyun"
        | "eksctl"
        | "gsutil"
        | "bq"
        | "s3cmd"
        | "firebase"
        | "supabase"
        | "stripe"
        | "ngrok"
        | "cloudflared"
        | "aws-vault"
        | "vault"
        | "op"
        | "pass"
        | "doppler"
        | "chamber"
        | "argocd"
        | "nomad"
        | "consul"
        | "databricks"
        | "snowsql"
        | "mc" => cloud(name, &words, &verbs),
        "gh" | "glab" | "hub" => forge(&verbs, &words),
        "psql" | "mysql" | "mariadb" | "mongo" | "mongosh" | "redis-cli" | "sqlcmd" | "cockroach"
        | "clickhouse-client" | "sqlite3" | "duckdb" | "dropdb" | "dropuser" | "mysqladmin" | "pg_dump"
        | "pg_restore" | "mongodump" | "cqlsh" | "influx" => database(name, command),
        _ => return None,
    })
}

fn question(rule: RuleId, reason: &str) -> Vec<Effect> {
    vec![Finding::questioned(rule, reason).into()]
}

fn shared(reason: &str) -> Vec<Effect> {
    vec![
        Finding::refused(
            RuleId::SharedInfra,
            reason,
            "write the change into the repository and leave applying it to a person",
        )
        .into(),
    ]
}

fn escape(reason: &str) -> Vec<Effect> {
    vec![Finding::forbidden(RuleId::SandboxEscape, reason, "work inside this container").into()]
}

fn containers(words: &[&str], verbs: &[&str], command: &SimpleCommand) -> Vec<Effect> {
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
    match verb {
        "ps" | "images" | "logs" | "inspect" | "version" | "info" | "stats" | "top" | "port" | "diff" | "history"
        | "events" | "search" | "context" | "" | "config" | "manifest" => Vec::new(),
        "build" | "buildx" => Vec::new(),
        "compose" if matches!(second, "ps" | "logs" | "config" | "build" | "version" | "ls") => Vec::new(),
        "container" | "image" | "network" | "volume" | "system"
            if matches!(second, "ls" | "list" | "inspect" | "df" | "info" | "logs") =>
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
        "push" | "login" => {
            vec![Finding::refused(RuleId::ExternalWrite, "publishes an image", "leave publishing to a person").into()]
        }
        "compose" if words.iter().any(|word| matches!(*word, "-v" | "--volumes")) && second == "down" => {
            shared("deletes the volumes of a composition")
        }
        _ => question(RuleId::SharedInfra, "starts or changes containers"),
    }
}

fn cloud(name: &str, words: &[&str], verbs: &[&str]) -> Vec<Effect> {
    if matches!(name, "ngrok" | "cloudflared") {
        return vec![
            Finding::forbidden(
                RuleId::ReverseChannel,
                "opens a tunnel into the container",
                "there is no use for a tunnel here",
            )
            .into(),
        ];
    }
    const CREDENTIALS: [&str; 14] = [
        "get-secret-value",
        "print-access-token",
        "print-identity-token",
        "get-session-token",
        "export-credentials",
        "get-login-password",
        "assume-role",
        "get-access-token",
        "create-access-key",
        "list-secrets",
        "get-parameters",
        "get-parameter",
        "get-password-data",
        "get-authorization-token",
    ];
    if matches!(name, "vault" | "op" | "pass" | "doppler" | "chamber" | "aws-vault")
        || words.iter().any(|word| CREDENTIALS.contains(word))
        || words.windows(2).any(|pair| pair == ["secrets", "versions"] || pair == ["keyvault", "secret"])
    {
        return vec![
            Finding::refused(
                RuleId::CredentialAccess,
                "reads credentials from a store",
                "work without the credential; the host adds what routes need",
            )
            .into(),
        ];
    }
    const DESTROYS: &[&str] = &[
        "deletefile",
        "delete_vhost",
        "delete_queue",
        "uninstall",
        "prune",
        "forget",
        "remove-secret",
        "undefine",
        "lvremove",
        "wipe",
        "erase",
        "truncate",
        "obliterate",
        "delete",
        "destroy",
        "terminate",
        "remove",
        "rm",
        "purge",
        "reset",
        "rb",
        "drop",
        "stop",
        "deregister",
        "detach",
        "disable",
        "revoke",
        "change",
        "put",
        "modify",
        "run",
    ];
    let acts = |word: &&str| {
        let lower = word.to_ascii_lowercase();
        DESTROYS.iter().any(|verb| {
            lower == *verb
                || lower.starts_with(&format!("{verb}-"))
                || lower.ends_with(&format!(":{verb}"))
                || lower.split(':').next_back() == Some(verb)
        })
    };
    let purges = words.iter().any(|word| word.starts_with("--delete"));
    if verbs.iter().take(5).any(acts) || purges || name.ends_with("remove") {
        return shared("changes or deletes shared infrastructure");
    }
    const LOOKS: [&str; 9] = ["list", "describe", "get", "show", "ls", "status", "version", "help", "whoami"];
    let looks = |word: &&str| LOOKS.iter().any(|verb| word == verb || word.starts_with(&format!("{verb}-")));
    let only_looks = verbs.iter().take(4).any(looks) || verbs.is_empty();
    let keeps_here = matches!(
        name,
        "minikube" | "kind" | "k3d" | "vagrant" | "multipass" | "limactl" | "lima" | "colima" | "packer"
    );
    const STEERS: [&str; 12] = [
        "add-iam-policy-binding",
        "set-iam-policy",
        "attach-role-policy",
        "attach-user-policy",
        "create-user",
        "create-access-key",
        "create-login-profile",
        "update-ip-set",
        "create-invalidation",
        "cp",
        "mv",
        "sync",
    ];
    if verbs.iter().take(5).any(|word| STEERS.contains(word)) || verbs.contains(&"keys") && verbs.contains(&"create") {
        return shared("changes who may do what, or moves data, on shared infrastructure");
    }
    if only_looks || keeps_here {
        question(RuleId::SharedInfra, "looks at shared infrastructure")
    } else {
        question(RuleId::SharedInfra, "acts on shared infrastructure")
    }
}

fn forge(verbs: &[&str], words: &[&str]) -> Vec<Effect> {
    let outward = || {
        vec![
            Finding::refused(
                RuleId::ExternalWrite,
                "changes something on the forge",
                "leave it to a person; the host takes the work out",
            )
            .into(),
        ]
    };
    match (verbs.first().copied().unwrap_or_default(), verbs.get(1).copied().unwrap_or_default()) {
        ("auth", "status") | ("", _) | ("version" | "help" | "status" | "search" | "browse" | "completion", _) => {
            Vec::new()
        }
        ("auth", _) => vec![
            Finding::refused(
                RuleId::CredentialAccess,
                "shows or changes the forge's credentials",
                "work without the credential",
            )
            .into(),
        ],
        ("secret" | "ssh-key" | "gpg-key" | "variable", verb) if verb != "list" => outward(),
        (_, "list" | "view" | "diff" | "status" | "checks" | "watch" | "download" | "ls" | "show") => Vec::new(),
        ("repo", "delete" | "edit" | "archive" | "create" | "rename" | "fork" | "sync")
        | ("release", _)
        | ("workflow", "run" | "enable" | "disable")
        | ("gist", _)
        | ("pr" | "mr", "merge" | "close")
        | ("run", "rerun" | "cancel" | "delete") => outward(),
        ("api", _) => {
            let writes = words
                .iter()
                .any(|word| matches!(*word, "-X" | "--method" | "-f" | "-F" | "--field" | "--raw-field" | "--input"));
            let get = words.windows(2).any(|pair| matches!(pair[0], "-X" | "--method") && pair[1] == "GET");
            if writes && !get { question(RuleId::ExternalWrite, "may write to the forge") } else { Vec::new() }
        }
        _ => question(RuleId::ExternalWrite, "changes something on the forge"),
    }
}

fn database(name: &str, command: &SimpleCommand) -> Vec<Effect> {
    let text = format!("{} {}", command.text(), stdin(command)).to_ascii_lowercase();
    let drops = ["drop database", "drop schema", "dropdatabase", "flushall", "flushdb"];
    if matches!(name, "dropdb" | "dropuser") || drops.iter().any(|verb| text.contains(verb)) {
        let scratch = text.contains("localhost") || text.contains("127.0.0.1") || text.contains("test");
        let remote = !scratch || text.contains("prod");
        if remote {
            return vec![
                Finding::refused(
                    RuleId::MassDeletion,
                    "deletes a whole database",
                    "leave the data; use a scratch database on loopback",
                )
                .into(),
            ];
        }
    }
    if name == "sqlite3" || name == "duckdb" {
        const WRITES: [&str; 14] = [
            "insert",
            "update",
            "delete",
            "drop",
            "alter",
            "create",
            "replace",
            "attach",
            "pragma",
            ".shell",
            ".system",
            "load_extension",
            ".output",
            ".import",
        ];
        let risky = WRITES.iter().any(|verb| text.contains(verb))
            || text.contains(".once")
            || text.contains("writefile")
            || text.contains(".backup")
            || text.contains(".restore")
            || text.contains("readfile")
            || text.contains(".read")
            || text.contains(".log")
            || text.contains(crate::place::HOLE);
        let known =
            command.args().iter().filter(|word| !word.text.starts_with('-')).count() >= 2 || !stdin(command).is_empty();
        return if !risky && known { Vec::new() } else { question(RuleId::MassDeletion, "changes a database") };
    }
    question(RuleId::ExternalWrite, "works on a database server")
}

fn stdin(command: &SimpleCommand) -> &str {
    match &command.stdin {
        crate::shell::Stdin::Text(word) => &word.text,
        crate::shell::Stdin::Inherited | crate::shell::Stdin::Pipe => "",
    }
}
