//! Clouds, clusters, containers, databases and other agents: things that are shared, or that escape.

use super::{containers, database, forge};
use crate::{
    effect::{Effect, Finding},
    shell::SimpleCommand,
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let verbs = verbs_of(&words);
    let verb = verbs.first().copied().unwrap_or_default();
    Some(match name {
        "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose" | "buildah" | "skopeo" => {
            containers::effects(name, &words, command, world)
        }
        "kubectl" | "oc" | "k9s" | "helm" | "kustomize" => match verb {
            "get" | "describe" | "logs" | "top" | "version" | "explain" | "api-resources" | "cluster-info" | "diff"
            | "config" | "" | "lint" | "template" | "build" | "list" | "status" | "history" | "completion" => {
                let shows_values = name == "helm"
                    && verb == "get"
                    && verbs.get(1).is_some_and(|what| matches!(*what, "values" | "all" | "manifest"));
                if shows_values {
                    return Some(question(
                        RuleId::CredentialAccess,
                        "shows the settings of a release, credentials as well",
                    ));
                }
                let secret = verbs.iter().any(|word| matches!(word.split('/').next(), Some("secret" | "secrets")));
                if secret || (verb == "config" && words.contains(&"--raw")) {
                    let instead = "work without the credential; the host adds what routes need";
                    vec![Finding::refused(RuleId::CredentialAccess, "reads secrets of a cluster", instead).into()]
                } else {
                    Vec::new()
                }
            }
            "delete" | "del" | "un" | "drain" | "cordon" | "uninstall" | "scale" | "rollout" | "taint" | "evict"
            | "replace" | "patch" | "apply" | "edit" | "exec" | "cp" | "label" | "annotate" | "expose" | "run"
            | "set" | "install" | "upgrade" | "rollback" | "push" | "attach" | "debug" | "autoscale"
            | "certificate" | "auth" | "proxy" => shared("changes or deletes what runs in a shared cluster"),
            "create" if name != "helm" => shared("changes what runs in a shared cluster"),
            _ => question(RuleId::SharedInfra, "changes a cluster"),
        },
        "terraform" | "tofu" | "terragrunt" | "pulumi" | "cdk" | "cdktf" | "serverless" | "sls" | "sam"
        | "ansible-playbook" | "ansible" => match verb {
            // A state and its outputs hold the credentials of what was made.
            "output" | "show"
                if name != "cdk" && words.iter().any(|word| matches!(*word, "-json" | "--json" | "-raw")) =>
            {
                question(RuleId::CredentialAccess, "reads what the state holds, credentials as well")
            }
            "fmt" | "validate" | "version" | "show" | "output" | "graph" | "plan" | "providers" | "preview"
            | "synth" | "diff" | "ls" | "list" | ""
                if name != "ansible-playbook" && name != "ansible" =>
            {
                Vec::new()
            }
            "apply" | "destroy" | "up" | "deploy" | "remove" | "import" | "state" | "taint" | "force-unlock"
            | "workspace" | "delete" | "run-all" | "stack" | "down" | "refresh" | "rollback" => {
                shared("changes shared infrastructure")
            }
            _ if matches!(name, "ansible" | "ansible-playbook")
                && !words.iter().any(|word| {
                    matches!(*word, "--check" | "--syntax-check" | "--list-hosts" | "--list-tasks" | "--version" | "-C")
                }) =>
            {
                shared("changes other hosts")
            }
            _ => question(RuleId::SharedInfra, "works on shared infrastructure"),
        },
        "kops"
        | "crossplane"
        | "fab"
        | "cap"
        | "ansible-pull"
        | "vsce"
        | "ovsx"
        | "crane"
        | "oras"
        | "jira"
        | "hub-tool"
        | "nats"
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
        | "mc" => cloud(name, &words, &verbs, command, world),
        "gh" | "glab" | "hub" => forge::effects(&verbs, &words),
        "psql" | "mysql" | "mariadb" | "mongo" | "mongosh" | "redis-cli" | "sqlcmd" | "cockroach"
        | "clickhouse-client" | "sqlite3" | "duckdb" | "dropdb" | "dropuser" | "mysqladmin" | "pg_dump"
        | "pg_restore" | "mongodump" | "cqlsh" | "influx" | "mysqldump" | "pg_dumpall" | "mongorestore"
        | "clickhouse" | "usql" | "pgcli" | "mycli" | "litecli" | "isql" | "sqlplus" => {
            database::effects(name, command, world)
        }
        _ => return None,
    })
}

/// The words that are no options and no values of options that may stand before the verb.
fn verbs_of<'a>(words: &[&'a str]) -> Vec<&'a str> {
    #[rustfmt::skip]
    const VALUED: [&str; 25] = [
        "-n", "--namespace", "--context", "--kube-context", "--kubeconfig", "--cluster", "--user", "--server",
        "--profile", "--region", "--project", "--account", "--configuration", "--output", "-o", "--subscription",
        "--query", "--endpoint-url", "-chdir", "--chdir", "--cwd", "-C", "--token", "--org", "--stack",
    ];
    let mut verbs = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if VALUED.contains(word) {
            words.next();
        } else if !word.starts_with('-') {
            verbs.push(*word);
        }
    }
    verbs
}

pub(super) fn question(rule: RuleId, reason: &str) -> Vec<Effect> {
    vec![Finding::questioned(rule, reason).into()]
}

pub(super) fn shared(reason: &str) -> Vec<Effect> {
    vec![
        Finding::refused(
            RuleId::SharedInfra,
            reason,
            "write the change into the repository and leave applying it to a person",
        )
        .into(),
    ]
}

fn cloud(name: &str, words: &[&str], verbs: &[&str], command: &SimpleCommand, world: &World) -> Vec<Effect> {
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
    #[rustfmt::skip]
    const CREDENTIALS: [&str; 20] = [
        "get-secret-value", "print-access-token", "print-identity-token", "get-session-token", "export-credentials",
        "get-login-password", "assume-role", "get-access-token", "create-access-key", "list-secrets",
        "get-parameters", "get-parameter", "get-password-data", "get-authorization-token", "auth:token", "config:get",
        "get-parameters-by-path", "aws_secret_access_key", "login:ci", "env:pull",
    ];
    if matches!(name, "vault" | "op" | "pass" | "doppler" | "chamber" | "aws-vault")
        || words.iter().any(|word| CREDENTIALS.contains(word))
        || words.windows(2).any(|pair| {
            pair == ["secrets", "versions"]
                || pair == ["keyvault", "secret"]
                || pair == ["auth", "token"]
                || pair == ["env", "pull"]
        })
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
    #[rustfmt::skip]
    const DESTROYS: &[&str] = &[
        "deletefile", "delete_vhost", "delete_queue", "uninstall", "prune", "forget", "remove-secret", "undefine",
        "lvremove", "wipe", "erase", "truncate", "obliterate", "delete", "destroy", "terminate", "remove", "rm",
        "purge", "reset", "rb", "drop", "stop", "deregister", "detach", "disable", "revoke", "change", "put",
        "modify", "run",
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
    let is_local_machine = matches!(
        name,
        "minikube" | "kind" | "k3d" | "vagrant" | "multipass" | "limactl" | "lima" | "colima" | "docker-machine"
    );
    if !is_local_machine && verbs.iter().take(5).any(acts) || purges || name.ends_with("remove") {
        return shared("changes or deletes shared infrastructure");
    }
    const LOOKS: [&str; 9] = ["list", "describe", "get", "show", "ls", "status", "version", "help", "whoami"];
    let looks = |word: &&str| LOOKS.iter().any(|verb| word == verb || word.starts_with(&format!("{verb}-")));
    let only_looks = verbs.iter().take(4).any(looks) || verbs.is_empty();
    let mut found = super::unknown::mentioned(command, world);
    let keeps_here = matches!(
        name,
        "minikube" | "kind" | "k3d" | "vagrant" | "multipass" | "limactl" | "lima" | "colima" | "packer"
    );
    #[rustfmt::skip]
    const STEERS: [&str; 12] = [
        "add-iam-policy-binding", "set-iam-policy", "attach-role-policy", "attach-user-policy", "create-user",
        "create-access-key", "create-login-profile", "update-ip-set", "create-invalidation", "cp", "mv", "sync",
    ];
    if verbs.iter().take(5).any(|word| STEERS.contains(word)) || verbs.contains(&"keys") && verbs.contains(&"create") {
        return shared("changes who may do what, or moves data, on shared infrastructure");
    }
    const SETTINGS: [&str; 8] = ["config", "configure", "login", "auth", "init", "link", "completion", "use"];
    let sets_up = verbs.first().is_some_and(|verb| SETTINGS.contains(verb));
    found.extend(if only_looks || keeps_here {
        question(RuleId::SharedInfra, "looks at shared infrastructure")
    } else if sets_up || is_local_machine {
        question(RuleId::SharedInfra, "sets up a tool for shared infrastructure")
    } else {
        shared("acts on shared infrastructure")
    });
    found
}
