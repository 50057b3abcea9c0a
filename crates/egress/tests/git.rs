//! Git routes with the real git on both ends: its client comes through the proxy, its HTTP backend answers behind TLS.

mod support;

use egress::{Egress, KeptAuthority, Keys, Limits, RouteCredential};
use hyper::{Response, StatusCode};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};
use support::{
    Fixture, route,
    tls::{Got, TlsEndpoint, full},
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, process::Command, task::JoinSet};
use types::{
    host::{Endpoint, HostName},
    route::{BranchPattern, Repository, Route, RouteKind, Rules},
    secret::Secret,
    wire::Open,
};

const FORGE: &str = "git.example";
const ASKED: &str = "git.example:443";
/// `user:secret-of-the-forge`.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQtb2YtdGhlLWZvcmdl";

/// A forge with two repositories, and a client's clone with one commit.
struct World {
    dir: tempfile::TempDir,
    forge: TlsEndpoint,
    fixture: Fixture,
    proxy: String,
    _tasks: JoinSet<()>,
}

impl World {
    async fn new(push: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("directory");
        let served = dir.path().join("served");
        for name in ["acme/app.git", "evil/app.git"] {
            let bare = served.join(name);
            fs::create_dir_all(&bare).expect("directory");
            plain_git(&bare, &["init", "--quiet", "--bare", "--initial-branch=main"]).await;
            plain_git(&bare, &["config", "http.receivepack", "true"]).await;
        }
        let work = dir.path().join("work");
        fs::create_dir(&work).expect("directory");
        for args in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["commit", "--quiet", "--allow-empty", "--message", "one"],
            &["push", "--quiet", &served.join("acme/app.git").display().to_string(), "main"],
            &["push", "--quiet", &served.join("evil/app.git").display().to_string(), "main"],
        ] {
            plain_git(&work, args).await;
        }
        let root = served.clone();
        let forge = TlsEndpoint::start(&[FORGE], move |got| {
            let root = root.clone();
            Box::pin(async move { backend(&root, got).await })
        })
        .await;
        let push: Vec<_> = push.iter().map(|text| BranchPattern::parse(text).expect(text)).collect();
        let rules =
            Rules { repositories: vec![Repository::at("/acme/app.git", &push).expect("path")], ..Rules::default() };
        let route = Route { rules, ..route(ASKED, RouteKind::Git, Some(forge.address)) };
        let mut keys = Keys {
            authority: Some(KeptAuthority::make([&HostName::parse(FORGE).expect("name")]).expect("authority")),
            roots: vec![forge.root.clone()],
            ..Keys::default()
        };
        let credential = RouteCredential {
            header: "authorization".to_owned(),
            value: Secret::new(BASIC),
            secret: Secret::new("secret-of-the-forge"),
        };
        keys.git.insert(Endpoint::parse(ASKED).expect("endpoint"), credential);
        fs::write(dir.path().join("ca.pem"), &keys.authority.as_ref().expect("authority").certificate).expect("file");
        let fixture = Fixture::with(vec![route], keys, None, Limits::default());
        let mut tasks = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let proxy = format!("http://{}", listener.local_addr().expect("address"));
        tasks.spawn(accept(listener, fixture.egress.clone()));
        Self { dir, forge, fixture, proxy, _tasks: tasks }
    }

    /// Git as it runs inside, in the clone.
    async fn git(&self, args: &[&str]) -> Output {
        let ca = self.dir.path().join("ca.pem");
        let mut command = clean_git(&self.dir.path().join("work"));
        command.args(args).env("https_proxy", &self.proxy).env("GIT_SSL_CAINFO", ca).output().await.expect("git")
    }

    fn refs(&self, repository: &str) -> Vec<String> {
        let heads = self.dir.path().join("served").join(repository).join("refs/heads");
        let mut found = Vec::new();
        let mut open = vec![heads.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).expect("directory").map(|entry| entry.expect("entry").path()) {
                if entry.is_dir() {
                    open.push(entry);
                } else {
                    found.push(entry.strip_prefix(&heads).expect("below").display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

async fn accept(listener: TcpListener, egress: Egress) {
    let mut streams = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let egress = egress.clone();
        streams.spawn(async move { egress.serve(Open::Proxy, stream).await });
    }
}

fn clean_git(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "a")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "a@example.invalid")))
        .kill_on_drop(true);
    command
}

async fn plain_git(dir: &Path, args: &[&str]) {
    let output = clean_git(dir).args(args).output().await.expect("git");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Git's own CGI program behind the endpoint. It wants the forge's credential.
async fn backend(root: &Path, got: Got) -> Response<support::tls::Body> {
    if got.headers.get("authorization").is_none_or(|value| value != BASIC) {
        let mut response = Response::new(full("who are you?"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return response;
    }
    let (path, query) = got.target.split_once('?').unwrap_or((&got.target, ""));
    let header = |name: &str| got.headers.get(name).map_or("", |value| value.to_str().expect("text")).to_owned();
    let mut child = clean_git(root)
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &got.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", got.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("backend");
    let mut stdin = child.stdin.take().expect("stdin");
    let feed = async move {
        // A backend that has answered may not want it.
        let _ = stdin.write_all(&got.body).await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    let output = output.expect("output").stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let mut response = Response::new(full(output[end + 4..].to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").expect("a field");
        match name {
            "Status" => *response.status_mut() = value[..3].parse().expect("a status"),
            _ => {
                let name: hyper::header::HeaderName = name.parse().expect("a name");
                response.headers_mut().insert(name, value.parse().expect("a value"));
            }
        }
    }
    response
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_recorded_repository_is_fetched_and_no_other() {
    let world = World::new(&[]).await;
    let clone = |name: &str| world.dir.path().join(name).display().to_string();
    for (version, url) in [("0", "https://git.example/acme/app"), ("2", "https://git.example/acme/app.git")] {
        let protocol = format!("protocol.version={version}");
        let output = world.git(&["-c", &protocol, "clone", "--quiet", url, &clone(version)]).await;
        assert!(output.status.success(), "{}", told(&output));
        assert!(PathBuf::from(clone(version)).join(".git/refs/remotes/origin/HEAD").exists());
    }
    // Many names of objects make git compress its request.
    for n in 0..60 {
        plain_git(&world.dir.path().join("work"), &["commit", "--quiet", "--allow-empty", "--message", &n.to_string()])
            .await;
    }
    let output = world.git(&["fetch", "--quiet", "https://git.example/acme/app", "main"]).await;
    assert!(output.status.success(), "{}", told(&output));
    for url in ["https://git.example/evil/app", "https://git.example/acme/app/../../evil/app"] {
        let output = world.git(&["clone", "--quiet", url, &clone("evil")]).await;
        assert!(!output.status.success(), "{url}");
    }
    for request in world.forge.requests() {
        assert!(request.target.starts_with("/acme/app"), "{request:?}");
        assert!(!request.headers.contains_key("content-encoding"), "{request:?}");
    }
    assert!(world.fixture.seen.rules().contains(&"repository_not_allowed".to_owned()));
}

#[tokio::test]
async fn nothing_is_pushed_unless_the_operator_names_a_branch() {
    let world = World::new(&[]).await;
    let output = world.git(&["push", "--quiet", "https://git.example/acme/app", "main:refs/heads/sandbox/x"]).await;
    assert!(!output.status.success());
    assert_eq!(world.refs("acme/app.git"), ["main"]);
    assert!(world.forge.requests().is_empty());
    assert_eq!(world.fixture.seen.rules(), ["push_not_allowed"]);
}

#[tokio::test]
async fn the_run_creates_its_branches_and_touches_no_other() {
    let world = World::new(&["sandbox/*"]).await;
    let url = "https://git.example/acme/app";
    let push = async |spec: &str| world.git(&["push", "--quiet", url, spec]).await;
    let made = push("main:refs/heads/sandbox/x").await;
    assert!(made.status.success(), "{}", told(&made));
    plain_git(&world.dir.path().join("work"), &["commit", "--quiet", "--allow-empty", "--message", "two"]).await;
    let on = push("main:refs/heads/sandbox/x").await;
    assert!(on.status.success(), "{}", told(&on));
    plain_git(&world.dir.path().join("served/acme/app.git"), &["branch", "sandbox/theirs", "main"]).await;
    for spec in [
        "main:refs/heads/main",
        "main:refs/tags/v1",
        "main:refs/heads/sandbox/theirs",
        "+main:refs/heads/sandbox/theirs",
        ":refs/heads/sandbox/x",
        "main:refs/pull/1/head",
    ] {
        let refused = push(spec).await;
        assert!(!refused.status.success(), "{spec}");
    }
    let evil = world.git(&["push", "--quiet", "https://git.example/evil/app", "main:refs/heads/sandbox/x"]).await;
    assert!(!evil.status.success());
    assert_eq!(world.refs("acme/app.git"), ["main", "sandbox/theirs", "sandbox/x"]);
    assert_eq!(world.refs("evil/app.git"), ["main"]);
    let options = world.git(&["push", "--quiet", "-o", "secret", url, "main:refs/heads/sandbox/y"]).await;
    assert!(!options.status.success());
    let rules = world.fixture.seen.rules();
    assert!(rules.iter().filter(|rule| *rule == "push_not_allowed").count() >= 6, "{rules:?}");
}
