//! The forge of the fake internet: repositories behind git's own smart HTTP server, open for everyone to read and to write, so
//! that only what stands before it can keep anybody from writing.

use super::{serve::Request, sites::Answer};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// The repositories there are from the beginning: the one that is somebody's remote, one of the same owner, and an attacker's.
pub(super) const REPOSITORIES: [&str; 3] = ["acme/app.git", "acme/other.git", "attacker/loot.git"];

/// Makes a repository with one commit.
pub(super) fn make_repository(dir: &Path, name: &str) {
    let path = dir.join(name);
    fs::create_dir_all(&path).expect("directory");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(args)
            .current_dir(&path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet", "--bare", "--initial-branch=main"]);
    git(&["config", "http.receivepack", "true"]);
    git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let tree = git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let who = ["-c", "user.name=forge", "-c", "user.email=forge@git.test"];
    let commit = git(&[&who[..], &["commit-tree", &tree, "-m", "first"]].concat());
    git(&["update-ref", "refs/heads/main", &commit]);
}

/// Full names of a repository's refs.
pub(super) fn refs(path: &Path) -> Vec<String> {
    let list = ["for-each-ref", "--format=%(refname)"];
    let output = Command::new("git").arg("--git-dir").arg(path).args(list).output().expect("git");
    assert!(output.status.success(), "{}", path.display());
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Passes a request on to git's server.
pub(super) fn answer(request: &Request, repositories: &Path) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let failed = || Answer::new("500 Failed", "");
    let backend = Command::new("git")
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_PROJECT_ROOT", repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("REMOTE_ADDR", "192.0.2.2")
        .env("CONTENT_TYPE", request.field("content-type").unwrap_or_default())
        .env("HTTP_CONTENT_ENCODING", request.field("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", request.field("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut backend) = backend else { return failed() };
    if let Some(mut stdin) = backend.stdin.take() {
        // A server that has read enough closes its end.
        let _ = stdin.write_all(&request.body);
    }
    let Ok(output) = backend.wait_with_output() else { return failed() };
    let Some(end) = output.stdout.windows(4).position(|window| window == b"\r\n\r\n") else { return failed() };
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let mut answer = Answer::new("200 OK", &output.stdout[end + 4..]);
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("status") {
            answer.status = if value.starts_with("404") { "404 Not Found" } else { "403 Forbidden" };
        } else {
            answer.fields.push((name.to_owned(), value.to_owned()));
        }
    }
    answer
}
