//! Where credentials are kept.

/// Directories and files that hold nothing but credentials, as a part of a lower-case path.
#[rustfmt::skip]
pub(crate) const CERTAIN: &[&str] = &[
    // The system's.
    "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/security/opasswd", "/etc/ssh/ssh_host", "/run/secrets",
    "/var/run/secrets", "/etc/kubernetes/admin.conf", "/etc/kubernetes/pki", "/etc/ssl/private", "/etc/krb5.keytab",
    "/etc/rancher/k3s/k3s.yaml", "/etc/ppp/chap-secrets", "/etc/openvpn/auth", "/etc/wireguard/", "/etc/ipsec.secrets",
    "/etc/rndc.key", "/jenkins/secrets", "/etc/networkmanager/system-connections", "/etc/wpa_supplicant",
    "/etc/mysql/debian.cnf", "/var/lib/grafana/grafana.db", "/etc/docker/key.json", "/etc/gitlab/gitlab-secrets", "/var/lib/rancher/k3s/server/token", "/var/lib/kubelet/pki",
    // Keys and passwords.
    "/.ssh/id_", "/.ssh/identity", "/.ssh/authorized_keys2", "/.gnupg", "/.password-store", "/.local/share/keyrings",
    "/.local/share/kwalletd", "/.config/keepassxc", "/.config/bitwarden", "/.config/op", "/.netrc", "/.pgpass",
    "/.my.cnf", "/.mylogin.cnf", "/.vnc/passwd", "/.rhosts", "/.smbcredentials", "/.htpasswd", "/library/keychains",
    // Clouds, clusters and stores of secrets.
    "/.aws/credentials", "/.aws/sso", "/.aws/cli/cache", "/.config/gcloud", "/.azure", "/.kube/config", "/.oci/",
    "/.boto", "/.s3cfg", "/.config/rclone", "/.config/doctl", "/.config/hcloud", "/.config/scw", "/.config/linode",
    "/.terraform.d/credentials", "/.terraformrc", "/.pulumi/credentials", "/.vault-token", "/.config/heroku",
    "/.config/fly", "/.fly/config", "/.config/netlify", "/.config/vercel", "/.config/stripe", "/.config/ngrok",
    "/.databrickscfg", "/.config/doppler", "/.doppler",
    // Registries and forges.
    "/.docker/config.json", "/.docker/trust", "/.dockercfg", "/.config/containers/auth", "/.pypirc",
    "/.git-credentials", "/.config/git/credentials", "/.config/gh/hosts", "/.config/hub", "/.config/glab",
    "/.cargo/credentials", "/.gem/credentials", "/.m2/settings-security", "/.config/github-copilot",
    // Browsers, mail and talk.
    "/.mozilla/firefox", "/.config/google-chrome", "/.config/chromium", "/.config/bravesoftware", "/.thunderbird",
    "/.config/slack", "/.config/discord", "/.config/signal", "/.purple", "/.irssi",
    // Histories, in which passwords stand.
    "/.bash_history", "/.sh_history", "/.zsh_history", "/.mysql_history", "/.psql_history", "/.python_history",
    "/.rediscli_history", "/.node_repl_history",
    // Agents and wallets.
    "/.claude/.credentials", "/.codex/auth", "/.gemini/oauth_creds", "/.bitcoin/wallet", "/.ethereum/keystore",
    "/.config/solana", "/.electrum/wallets",
];
/// Components that usually mean a credential.
pub(crate) const LIKELY_NAMES: [&str; 17] = [
    "wp-config.php",
    ".htpasswd",
    "vault_pass",
    ".vault_pass",
    "service-account.json",
    ".npmrc",
    ".yarnrc.yml",
    "credentials",
    "credentials.json",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "id_dsa",
    "master.key",
];
pub(crate) const LIKELY_ENDS: [&str; 10] =
    [".pem", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".tfstate", ".tfstate.backup", ".agekey"];
/// Ends of names that are samples, public halves, or texts about something.
#[rustfmt::skip]
pub(crate) const TEXTS: [&str; 24] = [
    ".example", ".sample", ".template", ".dist", ".pub", ".test", ".md", ".rs", ".py", ".ts", ".js", ".go", ".rb",
    ".java", ".c", ".h", ".php", ".pyi", ".mjs", ".tsx", ".html", ".sh", ".lua", ".css",
];
/// Names that keys are given when they are downloaded, in lower case with `_` between the words.
#[rustfmt::skip]
pub(crate) const KEY_NAMES: [&str; 16] = [
    "service_account", "serviceaccount", "serviceaccountkey",
    "firebase_adminsdk", "gcp_key", "gcloud_key", "google_key", "gcp_credentials", "google_credentials",
    "aws_credentials", "private_key", "secret_key", "api_keys", "client_secret", "oauth_credentials", "credentials",
];
/// Directories of a project in which nothing but keys is kept.
pub(crate) const KEY_DIRS: [&str; 4] = ["secrets", ".secrets", ".credentials", "private-keys"];
/// Ends of files that hold data, not code.
#[rustfmt::skip]
pub(crate) const DATA_ENDS: [&str; 14] = [
    "json", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "enc", "yml.enc", "json.enc", "env", "csv", "xml",
];
/// What the name of a store of credentials holds.
#[rustfmt::skip]
pub(crate) const STORE_WORDS: [&str; 14] = [
    "credential", "token", "oauth", "secret", "passw", "wallet", "keystore", "keyring", "cookies", "login data",
    "private", "api_key", "apikey", "auth.json",
];
