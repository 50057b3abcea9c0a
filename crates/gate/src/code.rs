//! Reads the code that a line hands to an interpreter: which strings it names and which calls with consequences it makes.
//!
//! This is no parser. It takes every call with a consequence as made, and what it cannot follow as unverifiable.

use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Finding},
    place::Place,
    program::nested,
    secret::{ENVIRONMENT, pseudo, secrecy},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// A language whose calls are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    JavaScript,
    Ruby,
    Perl,
    Php,
}

/// Names with consequences, by what they do.
struct Calls {
    process: &'static [&'static str],
    network: &'static [&'static str],
    delete: &'static [&'static str],
    write: &'static [&'static str],
    /// Hides what happens: code from data, reflection, native code.
    dynamic: &'static [&'static str],
}

fn table(language: Language) -> Calls {
    match language {
        Language::Python => Calls {
            process: &[
                "os.system",
                "os.popen",
                "subprocess",
                "Popen",
                "os.exec",
                "os.spawn",
                "os.posix_spawn",
                "pty",
                "commands.getoutput",
                "os.fork",
                "check_output",
                "system",
                "popen",
            ],
            network: &[
                "socket",
                "requests",
                "urllib",
                "http.client",
                "httpx",
                "aiohttp",
                "smtplib",
                "ftplib",
                "paramiko",
                "telnetlib",
                "websocket",
                "websockets",
                "urlopen",
                "boto3",
                "xmlrpc",
                "urllib3",
                "pycurl",
            ],
            delete: &["rmtree", "os.remove", "os.unlink", "os.rmdir", "os.removedirs", "unlink", "send2trash", "rmdir"],
            write: &[
                "write_text",
                "write_bytes",
                "shutil.copy",
                "shutil.move",
                "os.rename",
                "os.replace",
                "os.chmod",
                "os.chown",
                "os.symlink",
                "os.link",
                "makedirs",
                "mkdir",
                "touch",
                "copyfile",
                "copytree",
                "to_csv",
                "savefig",
                "rename",
                "symlink_to",
                "chmod",
                "os.truncate",
            ],
            dynamic: &[
                "eval",
                "exec",
                "compile",
                "__import__",
                "getattr",
                "importlib",
                "ctypes",
                "pickle",
                "marshal",
                "builtins",
                "__builtins__",
                "globals",
                "vars",
                "codecs",
                "b64decode",
                "decompress",
                "runpy",
                "cffi",
                "fromhex",
                "unhexlify",
                "os.kill",
                "signal",
                "setuid",
                "os.putenv",
                "__class__",
                "__subclasses__",
                "winreg",
                "pynput",
                "pyxhook",
                "dill",
                "joblib",
                "yaml.load",
                "torch.load",
                "crypt",
            ],
        },
        Language::JavaScript => Calls {
            process: &[
                "child_process",
                "execSync",
                "spawnSync",
                "spawn",
                "execFile",
                "execFileSync",
                "Deno.run",
                "Deno.Command",
                "Bun.spawn",
                "exec",
                "fork",
            ],
            network: &[
                "fetch",
                "http",
                "https",
                "net",
                "axios",
                "dgram",
                "tls",
                "WebSocket",
                "XMLHttpRequest",
                "got",
                "undici",
                "dns",
                "sendBeacon",
            ],
            delete: &[
                "rmSync",
                "unlinkSync",
                "rmdirSync",
                "unlink",
                "rimraf",
                "rm",
                "rmdir",
                "Deno.remove",
                "removeSync",
                "emptyDirSync",
            ],
            write: &[
                "writeFileSync",
                "writeFile",
                "appendFileSync",
                "appendFile",
                "createWriteStream",
                "renameSync",
                "rename",
                "copyFileSync",
                "mkdirSync",
                "symlinkSync",
                "chmodSync",
                "truncateSync",
                "cpSync",
                "writeSync",
                "openSync",
                "chownSync",
            ],
            dynamic: &[
                "eval",
                "Function",
                "atob",
                "binding",
                "dlopen",
                "vm",
                "process.kill",
                "createRequire",
                "process.mainModule",
                "fromCharCode",
                "constructor",
                "globalThis",
                "Reflect",
                "import(",
            ],
        },
        Language::Ruby => Calls {
            process: &["system", "exec", "spawn", "popen", "Open3", "fork", "%x", "Process"],
            network: &[
                "Net",
                "TCPSocket",
                "Socket",
                "URI.open",
                "OpenURI",
                "UDPSocket",
                "Faraday",
                "HTTParty",
                "open-uri",
            ],
            delete: &["rm_rf", "rm_r", "File.delete", "File.unlink", "Dir.rmdir", "FileUtils.rm", "rmtree", "unlink"],
            write: &["File.write", "File.open", "IO.write", "FileUtils", "File.rename", "File.chmod", "File.symlink"],
            dynamic: &[
                "eval",
                "instance_eval",
                "class_eval",
                "send",
                "public_send",
                "Marshal",
                "unpack",
                "const_get",
                "Fiddle",
                "decode64",
                "open",
                "load",
                "method",
                "syscall",
            ],
        },
        Language::Perl => Calls {
            process: &["system", "exec", "qx", "fork", "popen", "open2", "open3", "readpipe"],
            network: &["socket", "Socket", "IO::Socket", "LWP", "HTTP::Tiny", "Net::", "connect"],
            delete: &["unlink", "rmtree", "remove_tree", "rmdir"],
            write: &["rename", "symlink", "chmod", "chown", "mkdir", "link", "truncate"],
            dynamic: &[
                "eval",
                "unpack",
                "require",
                "do",
                "syscall",
                "decode_base64",
                "open",
                "sysopen",
                "pack",
                "kill",
                "setuid",
                "ee",
            ],
        },
        Language::Php => Calls {
            process: &["system", "exec", "shell_exec", "passthru", "popen", "proc_open", "pcntl_exec"],
            network: &[
                "fsockopen",
                "pfsockopen",
                "curl_init",
                "curl_exec",
                "stream_socket_client",
                "socket_create",
                "mail",
                "ftp_connect",
            ],
            delete: &["unlink", "rmdir"],
            write: &[
                "file_put_contents",
                "fopen",
                "rename",
                "copy",
                "symlink",
                "chmod",
                "chown",
                "mkdir",
                "touch",
                "move_uploaded_file",
            ],
            dynamic: &[
                "eval",
                "assert",
                "create_function",
                "base64_decode",
                "gzinflate",
                "str_rot13",
                "call_user_func",
                "unserialize",
                "include",
                "require",
                "preg_replace",
                "array_map",
                "dl",
                "hex2bin",
                "FFI",
            ],
        },
    }
}

/// Everything that the code does, as far as it can be told.
pub(crate) fn scan(language: Language, text: &str, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let calls_of = table(language);
    let bare = without_strings_in(text, language);
    let strings = strings(text, language);
    let any = |names: &[&str]| names.iter().any(|name| mentions(&bare, name));
    let mut effects = Vec::new();
    let shell_named = strings.iter().any(|text| {
        matches!(text.trim_end_matches(" -i"), "/bin/sh" | "/bin/bash" | "sh" | "bash" | "/bin/zsh" | "cmd.exe")
    });
    let networked = any(calls_of.network)
        || (language == Language::JavaScript
            && strings.iter().any(|text| {
                matches!(text.trim_start_matches("node:"), "net" | "http" | "https" | "tls" | "dgram" | "axios")
            }));
    let raw_socket = ["socket", "Socket", "TCPSocket", "net", "fsockopen", "stream_socket_client"]
        .iter()
        .any(|name| mentions(&bare, name))
        || strings.iter().any(|text| text == "net");
    if raw_socket && (shell_named || mentions(&bare, "dup2") || mentions(&bare, "pty")) {
        effects.push(
            Finding::forbidden(
                RuleId::ReverseChannel,
                "gives a shell to another host",
                "run the commands here; their output comes back to you",
            )
            .into(),
        );
    }
    if any(calls_of.process)
        || strings.iter().any(|text| text.trim_start_matches("node:") == "child_process")
        || (has_backticks(language) && text.contains('`'))
    {
        let started = processes(&calls_of, text, &bare, language, command, world);
        if raw_socket && started.iter().any(|effect| matches!(effect, Effect::Unverifiable(_))) {
            let reason = "starts programs that are not known beside a raw network connection";
            effects.push(
                Finding::refused(
                    RuleId::ReverseChannel,
                    reason,
                    "start programs by literal commands, apart from network code",
                )
                .into(),
            );
        }
        effects.extend(started);
    }
    if networked {
        effects.extend(network(&bare, &strings, world));
    }
    let paths: Vec<Place> = strings
        .iter()
        .filter(|text| is_path(text))
        .map(|text| Place::resolve(text, false, command.cwd.as_deref(), world))
        .collect();
    if any(calls_of.delete) {
        let targets = arguments(text, calls_of.delete);
        let recursive = ["rmtree", "rimraf", "rm_rf", "rm_r", "rmSync", "rm", "remove_tree", "emptyDirSync"]
            .iter()
            .any(|name| mentions(&bare, name));
        for target in &targets {
            effects.push(Effect::Deletes {
                place: Place::resolve(&target.text, false, command.cwd.as_deref(), world),
                recursive,
            });
        }
        if targets.is_empty() || targets.iter().any(|target| !target.is_known()) {
            effects.extend(paths.iter().map(|place| Effect::Deletes { place: place.clone(), recursive }));
            effects.push(Effect::Unverifiable("which files the code deletes is not known".to_owned()));
        }
    }
    let opens_for_writing = mentions(&bare, "open")
        && strings.iter().any(|mode| {
            matches!(
                mode.as_str(),
                "w" | "a" | "x" | "wb" | "ab" | "xb" | "w+" | "r+" | "a+" | "wt" | "wb+" | "rb+" | "r+b"
            )
        });
    if any(calls_of.write) || opens_for_writing {
        effects.extend(
            paths
                .iter()
                .filter(|place| secrecy(place).is_none())
                .map(|place| Effect::Writes { place: place.clone(), empties: false }),
        );
        // A target that is no literal could be anywhere.
        if !strings.iter().any(|text| is_file_name(text)) {
            effects.push(Effect::Unverifiable("which files the code writes is not known".to_owned()));
        }
    }
    effects.extend(paths.iter().map(|place| Effect::Reads(place.clone())));
    let environment = ["os.environ", "process.env", "ENV", "%ENV", "getenv"].iter().any(|name| {
        mentions(&bare, name)
            && bare
                .split(name)
                .skip(1)
                .any(|rest| !rest.starts_with(['[', '.', '{', '(', '_']) && !rest.starts_with(char::is_alphanumeric))
    });
    if environment {
        effects.push(Effect::Reads(pseudo(ENVIRONMENT)));
    }
    if any(calls_of.dynamic) {
        effects.push(Effect::Unverifiable("the code hides what it runs".to_owned()));
    }
    effects
}

/// Languages in which backticks run a shell.
fn has_backticks(language: Language) -> bool {
    match language {
        Language::Ruby | Language::Perl | Language::Php => true,
        Language::Python | Language::JavaScript => false,
    }
}

fn processes(
    table: &Calls,
    text: &str,
    bare: &str,
    language: Language,
    command: &SimpleCommand,
    world: &World,
) -> Vec<Effect> {
    const STARTERS: [&str; 24] = [
        "system(",
        "popen(",
        "run(",
        "call(",
        "Popen(",
        "check_output(",
        "check_call(",
        "getoutput(",
        "execSync(",
        "exec(",
        "spawn(",
        "spawnSync(",
        "execFile(",
        "execFileSync(",
        "shell_exec(",
        "passthru(",
        "proc_open(",
        "qx(",
        "system ",
        "exec ",
        "popen ",
        "spawn ",
        "execl(",
        "execvp(",
    ];
    let mut found = calls(text, &STARTERS);
    if has_backticks(language) {
        found.extend(text.split('`').skip(1).step_by(2).map(Word::literal));
    }
    let mut effects = Vec::new();
    let made = table.process.iter().map(|name| count(bare, name)).sum::<usize>();
    for word in found.iter().filter(|word| word.is_known()).take(32) {
        effects.extend(nested(word, command, world));
    }
    // Every mention must be explained by a call whose command is known, else something may run unseen.
    let known = found.iter().filter(|word| word.is_known()).count();
    if known == 0 || found.iter().any(|word| !word.is_known()) || made > known * 3 + 2 {
        effects.push(Effect::Unverifiable("the code starts programs that are not known".to_owned()));
    }
    effects
}

fn network(bare: &str, strings: &[String], world: &World) -> Vec<Effect> {
    let up = ["post", "put", "patch", "send", "sendall", "sendto", "upload", "POST", "data", "body"]
        .iter()
        .any(|name| mentions(bare, name))
        || strings.iter().any(|text| matches!(text.as_str(), "POST" | "PUT" | "PATCH"));
    let direction = if up { Direction::Up } else { Direction::Down };
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

/// True for a literal that names a place outside of the current directory, or a secret in it.
fn is_path(text: &str) -> bool {
    let plain = !text.contains([' ', '\n', '<', '>', '(', '{']) && text.len() < 300;
    plain
        && ((text.starts_with('/') && text.len() > 1 && !text.starts_with("//"))
            || text.starts_with("~/")
            || text.contains("../")
            || text.starts_with(".git")
            || text.starts_with(".claude")
            || text.starts_with(".env")
            || text.starts_with(".github")
            || text == "/")
}

fn is_file_name(text: &str) -> bool {
    !text.contains([' ', '\n'])
        && text.len() < 300
        && (text.contains('/') || text.contains('.'))
        && !text.contains("://")
}

/// True when `name` stands in the code as a name of its own.
fn mentions(code: &str, name: &str) -> bool {
    count(code, name) > 0
}

fn count(code: &str, name: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name)
        .filter(|(at, _)| {
            let before = code[..*at].chars().next_back();
            let after = code[at + name.len()..].chars().next();
            before.is_none_or(|c| !is_word(c))
                && (after.is_none_or(|c| !is_word(c))
                    || name.ends_with("exec")
                    || name.ends_with("spawn")
                    || name.ends_with("copy"))
        })
        .count()
}

/// The literal first arguments of calls; a hole for each argument that is no literal.
pub(crate) fn calls(text: &str, names: &[&str]) -> Vec<Word> {
    let mut found = Vec::new();
    for name in names {
        for (at, _) in text.match_indices(name) {
            let is_inside = text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
            if !is_inside && found.len() < 64 {
                found.push(argument(&text[at + name.len()..]));
            }
        }
    }
    found
}

/// Literal arguments of the named calls, written with or without parentheses.
fn arguments(text: &str, names: &[&str]) -> Vec<Word> {
    let spelled: Vec<String> =
        names.iter().flat_map(|name| [format!("{name}("), format!("{name} "), format!("{name}Sync(")]).collect();
    calls(text, &spelled.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A string, or a list of strings joined as words.
fn argument(text: &str) -> Word {
    let rest = text.trim_start().trim_start_matches('(').trim_start();
    if let Some(list) = rest.strip_prefix('[') {
        let Some(end) = list.find(']') else { return Word::hole() };
        let items = strings(&list[..end], Language::Python);
        let bare = without_strings(&list[..end]);
        let only_literals = bare.chars().all(|c| matches!(c, '"' | '\'' | ',' | ' ' | '\n'));
        let quoted: Vec<String> = items.iter().map(|item| format!("'{}'", item.replace('\'', "'\\''"))).collect();
        return if only_literals && !items.is_empty() { Word::literal(quoted.join(" ")) } else { Word::hole() };
    }
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else { return Word::hole() };
    match literal(rest, quote) {
        Some((value, after)) => {
            // What follows must end the argument: no concatenation, no formatting.
            let next = after.trim_start().chars().next();
            let ends = next.is_none_or(|c| matches!(c, ')' | ',' | ';' | '\n' | '}'));
            if ends && !(quote == '`' && value.contains("${")) { Word::literal(value) } else { Word::hole() }
        }
        None => Word::hole(),
    }
}

/// Reads one string literal that begins `text`; gives its value and the rest.
fn literal(text: &str, quote: char) -> Option<(String, &str)> {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    if let Some(body) = text.strip_prefix(&triple) {
        let end = body.find(&triple)?;
        return Some((body[..end].to_owned(), &body[end + 3..]));
    }
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'x' => {
                    let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                    value.push(u8::from_str_radix(&digits, 16).map_or(crate::place::HOLE, char::from));
                }
                'u' | 'U' | 'N' | '0'..='9' => value.push(crate::place::HOLE),
                other => value.push(other),
            }
        } else if c == quote {
            return Some((value, &text[at + c.len_utf8()..]));
        } else {
            value.push(c);
        }
    }
    None
}

/// All string literals.
fn strings(text: &str, language: Language) -> Vec<String> {
    let mut found = Vec::new();
    split(text, language, |value| found.push(value.to_owned()));
    found
}

/// The code with strings emptied and comments gone.
pub(crate) fn without_strings(text: &str) -> String {
    without_strings_in(text, Language::JavaScript)
}

fn without_strings_in(text: &str, language: Language) -> String {
    split(text, language, |_| {})
}

/// Walks over code and strings; what is no closed string stays code, so that nothing hides behind a stray quote.
fn split(text: &str, language: Language, mut on_string: impl FnMut(&str)) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    let mut broken = 0;
    while let Some(c) = rest.chars().next() {
        let is_quote = matches!(c, '"' | '\'') || (c == '`' && language == Language::JavaScript);
        if is_quote && broken < 16 {
            match literal(rest, c) {
                Some((value, after)) => {
                    on_string(&value);
                    bare.push(c);
                    // A template runs the code inside it.
                    if (c == '`' && value.contains("${"))
                        || (language == Language::Python && bare.ends_with(['f', '"']) && value.contains('{'))
                        || (language == Language::Ruby && value.contains("#{"))
                    {
                        bare.push_str(&value);
                    }
                    bare.push(c);
                    rest = after;
                    continue;
                }
                None => broken += 1,
            }
        }
        if c == '#' && matches!(language, Language::Python) {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        bare.push(c);
        rest = &rest[c.len_utf8()..];
    }
    bare
}
