//! What the system tests share: a home of their own, a repository made for the test, and the built binary.
//!
//! Tests run the real binary against a real engine. None is skipped when the engine is missing: it fails.

pub mod aftermath;
pub mod docker;
pub mod hostile;
pub mod internet;
pub mod origin;
pub mod private_engine;
pub mod private_podman;
pub mod rig;
pub mod scenes;
pub mod sentinel;
pub mod token_endpoint;
pub mod upstream;

use serde_json::{Value, json};
use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The workspace's root.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The built binary, beside the test's own executable.
///
/// # Panics
/// When it is not built: `cargo build --package cli` comes first.
#[must_use]
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    let found = own.ancestors().map(|dir| dir.join("sandbox")).find(|path| path.is_file());
    found.expect("the binary is built by `just test`, or by `cargo build --package cli`")
}

/// The static program that the built binary puts into containers.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn guest_binary() -> PathBuf {
    let builds = binary().parent().expect("target").join("build");
    let built = |entry: fs::DirEntry| -> Option<(std::time::SystemTime, PathBuf)> {
        let path = entry.path().join("out/guest");
        let is_cli = entry.file_name().to_string_lossy().starts_with("cli-");
        Some((fs::metadata(&path).ok().filter(|_| is_cli)?.modified().ok()?, path))
    };
    let newest = fs::read_dir(builds).expect("builds").filter_map(Result::ok).filter_map(built).max();
    newest.expect("the guest is built with the binary").1
}

/// A user with a home of their own and one repository.
pub struct User {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Default for User {
    fn default() -> Self {
        Self::new()
    }
}

impl User {
    /// A user whose repository holds one committed file, `README.md`.
    ///
    /// # Panics
    /// When the temporary directory cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let user = Self { home: TempDir::new().expect("home"), variables: Vec::new() };
        fs::create_dir(user.repository()).expect("repository");
        user.git(&["init", "--quiet", "--initial-branch=main"]);
        user.write("README.md", "A repository for a test.\n");
        user.commit("first");
        user
    }

    /// A user whose repository is the example's.
    ///
    /// # Panics
    /// When the example cannot be copied.
    #[must_use]
    pub fn with_example() -> Self {
        let user = Self { home: TempDir::new().expect("home"), variables: Vec::new() };
        let from = workspace().join("examples/fix-failing-test/repo");
        let copied = Command::new("cp").arg("-r").arg(from).arg(user.repository()).status().expect("cp");
        assert!(copied.success());
        user.git(&["init", "--quiet", "--initial-branch=main"]);
        user.commit("A project with a failing test");
        user
    }

    /// Sets a variable for every command of this user.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable that the test set for this user.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let set = self.variables.iter().rev().find(|(set, _)| set == name);
        set.map(|(_, value)| value.as_str())
    }

    /// The user's home.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The repository's work tree.
    #[must_use]
    pub fn repository(&self) -> PathBuf {
        self.home.path().join("repo")
    }

    /// Writes a file of the repository, making its directories.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.repository().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        fs::write(path, content).expect("write");
    }

    /// Writes an executable file of the repository, making its directories.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_program(&self, path: &str, content: &str) {
        self.write(path, content);
        let path = self.repository().join(path);
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    }

    /// Runs git in the repository, with nothing of this machine's configuration, and returns its stdout.
    ///
    /// # Panics
    /// When git fails.
    pub fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.invalid"])
            .args(args)
            .current_dir(self.repository())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Writes a task file outside the repository and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn task(&self, text: &str) -> PathBuf {
        self.file("task.md", text)
    }

    /// Writes a scripted conversation and returns its path. Each turn is a list of tool calls, name and input; a last turn
    /// that only talks is added.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn conversation(&self, turns: &[Vec<(&str, Value)>]) -> PathBuf {
        let turn = |calls: &Vec<(&str, Value)>| {
            let tools: Vec<_> = calls.iter().map(|(name, input)| json!({"name": name, "input": input})).collect();
            json!({ "text": "Next.", "tools": tools })
        };
        let mut all: Vec<_> = turns.iter().map(turn).collect();
        all.push(json!({"text": "Done."}));
        self.file("conversation.json", &json!({"version": 1, "turns": all}).to_string())
    }

    /// Writes a file into the home and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, text).expect("write");
        path
    }

    /// The binary, to be run in the repository with an empty environment but for the home and what the test set.
    #[must_use]
    pub fn sandbox(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        let home = self.home.path();
        command
            .args(args)
            .current_dir(self.repository())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if let Some(host) = std::env::var_os("DOCKER_HOST")
            && !self.variables.iter().any(|(name, _)| name == "DOCKER_HOST")
        {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// Runs the binary to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.sandbox(args).output().expect("start"))
    }

    /// Runs a task with a scripted conversation; `more` are further arguments.
    #[must_use]
    pub fn run_task(&self, task: &Path, conversation: &Path, more: &[&str]) -> Ran {
        let (task, conversation) = (task.display().to_string(), conversation.display().to_string());
        let mut args = vec!["run", &task, "--replay", &conversation, "--format", "jsonl"];
        args.extend(more);
        self.run(&args)
    }

    /// Starts a task with a scripted conversation; its events go to `events.jsonl` of the run and to the child's stdout.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_task(&self, task: &Path, conversation: &Path, more: &[&str]) -> Started {
        let (task, conversation) = (task.display().to_string(), conversation.display().to_string());
        let mut args = vec!["run", &task, "--replay", &conversation, "--format", "jsonl"];
        args.extend(more);
        self.start(&args)
    }

    /// Starts the binary; what it prints goes to files in the home.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(&self, args: &[&str]) -> Started {
        let (out, err) = (self.home.path().join("child.out"), self.home.path().join("child.err"));
        let create = |path: &Path| fs::File::create(path).expect("file");
        let mut command = self.sandbox(args);
        // A group of its own, as a shell gives to what is started from a terminal.
        command.stdout(create(&out)).stderr(create(&err)).process_group(0);
        let child = command.spawn().expect("start");
        Started { child, out, err }
    }

    /// The directory of the only attempt there is.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use]
    pub fn attempt(&self) -> PathBuf {
        let only = |dir: PathBuf| {
            let mut found: Vec<_> =
                fs::read_dir(&dir).expect("directory").map(|entry| entry.expect("entry").path()).collect();
            assert_eq!(found.len(), 1, "{dir:?}: {found:?}");
            found.remove(0)
        };
        let run = only(self.home.path().join("state/sandbox/runs"));
        only(only(run.join("tasks")).join("attempts"))
    }

    /// `result.json` of the only attempt.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn result(&self) -> Value {
        let text = fs::read(self.attempt().join("result.json")).expect("result.json");
        serde_json::from_slice(&text).expect("json")
    }

    /// The lines of a journal of the only attempt.
    ///
    /// # Panics
    /// When it is not JSON lines.
    #[must_use]
    pub fn journal(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.attempt().join(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("json")).collect()
    }
}

/// A process that ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Checks the exit code, showing what was printed when it is another one.
    ///
    /// # Panics
    /// When it is another one.
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The events on stdout.
    ///
    /// # Panics
    /// When a line is not JSON.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        events_in(&self.stdout)
    }
}

fn events_in(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A process that was started. Dropping it kills it.
#[derive(Debug)]
pub struct Started {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Started {
    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        events_in(&fs::read_to_string(&self.out).unwrap_or_default())
    }

    /// What it has said on stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits for an event, at most a minute, and returns it.
    ///
    /// # Panics
    /// When it does not come; shows what was printed.
    #[must_use]
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if let Some(found) = self.events().into_iter().find(|event| is_it(event)) {
                return found;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        panic!("no {what}\nstdout:\n{}\nstderr:\n{}", read(&self.out), read(&self.err));
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When `kill` fails.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Waits for its end, at most two minutes.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn finish(self) -> Ran {
        self.finish_within(Duration::from_secs(120))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn finish_within(mut self, patience: Duration) -> Ran {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("wait") {
                let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
                return Ran { code: status.code().unwrap_or(-1), stdout: read(&self.out), stderr: read(&self.err) };
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the process does not end; stderr:\n{}", fs::read_to_string(&self.err).unwrap_or_default());
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names of containers and volumes in the engine that belong to a run of this user.
///
/// # Panics
/// When the engine does not answer.
#[must_use]
pub fn left_in_engine(run: &str) -> Vec<String> {
    let list = |args: &[&str]| {
        let output = Command::new("docker").args(args).output().expect("docker");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let filter = format!("label=sandbox.run={run}");
    let mut names = list(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
    names.extend(list(&["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"]));
    names
}

/// Kinds of events.
#[must_use]
pub fn is_event(event: &Value, kind: &str) -> bool {
    event["event"] == kind
}
