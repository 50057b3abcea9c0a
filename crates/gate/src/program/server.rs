//! Statements to a database server of this container.
//!
//! What only looks at data on loopback is as harmless as reading a file of the work tree. What must stay true: the server is named in
//! the line and is loopback, or is the local default; every statement is known and begins with a word that only looks; nothing in it
//! reaches for files or programs of the server.

use crate::shell::{SimpleCommand, Stdin, Word};

/// Options that take a value, over all of the clients.
#[rustfmt::skip]
const VALUED: [&str; 30] = [
    "-h", "--host", "-p", "--port", "-P", "-U", "--username", "-u", "--user", "-d", "--dbname", "-D", "--database", "-c",
    "--command", "-e", "--execute", "-f", "--file", "--eval", "-n", "-a", "--socket", "-S", "-v", "-F", "-R", "--uri",
    "--protocol", "-q",
];
/// Words with which a statement begins that only looks.
#[rustfmt::skip]
const LOOKS: [&str; 12] = [
    "select", "show", "explain", "describe", "desc", "with", "values", "table", "use", "begin", "rollback", "help",
];
/// Commands of clients that only show something.
#[rustfmt::skip]
const SHOWS: [&str; 40] = [
    "ping", "info", "keys", "get", "mget", "ttl", "type", "exists", "dbsize", "scan", "hgetall", "hget", "hkeys", "lrange",
    "llen", "smembers", "scard", "zrange", "zcard", "strlen", "memory", "time", "lastsave", "monitor", "status",
    "version", "processlist", "variables", "--version", "--help", "-v", "list", "hlen", "xlen", "xrange", "sismember",
    "zscore", "randomkey", "object", "pttl",
];
/// What reaches beyond the tables, or changes them inside of a statement that begins harmlessly.
#[rustfmt::skip]
const REACHES: [&str; 36] = [
    "insert ", "update ", "delete ", "drop ", "alter ", "create ", "truncate ", "grant ", "copy ", "into ", "outfile",
    "dumpfile", "load_file", "load data", "pg_read", "pg_ls", "pg_write", "lo_import", "lo_export", "pg_terminate",
    "pg_cancel", "dblink", "xp_", "call ", "do ", "execute ", "set ", "pg_sleep", "sys_exec", "sys_eval", "program",
    "pg_reload", "\\!", "\\o", "\\i", "\\g",
];

/// True for a call that only looks at data of a server on loopback.
pub(super) fn looks_on_loopback(name: &str, command: &SimpleCommand) -> bool {
    let words = command.args();
    if words.iter().any(|word| !word.is_known() || !word.sources.is_empty()) || !command.redirects.is_empty() {
        return false;
    }
    let (options, operands) = split(words);
    let host = options.iter().find(|(option, _)| is_host(name, option)).map(|(_, value)| value.as_str());
    let urls = operands.iter().copied().chain(options.iter().map(|(_, value)| value.as_str()));
    let mut urls = urls.filter(|text| text.contains("://") || text.contains("host=")).peekable();
    let is_here = host.is_none_or(is_loopback) && (urls.peek().is_none() || urls.all(is_loopback_url));
    // A variable may name another server.
    let is_named = command.assignments.iter().all(|(variable, value)| {
        !matches!(variable.as_str(), "PGHOST" | "PGHOSTADDR" | "PGSERVICE" | "MYSQL_HOST") || is_loopback(&value.text)
    });
    is_here && is_named && only_looks(name, &options, &operands, command)
}

fn only_looks(name: &str, options: &[(String, String)], operands: &[&str], command: &SimpleCommand) -> bool {
    let given = |names: &[&str]| -> Vec<&str> {
        options.iter().filter(|(option, _)| names.contains(&option.as_str())).map(|(_, value)| value.as_str()).collect()
    };
    if !given(&["-f", "--file", "-o", "--output", "-L", "--log-file", "--init-command"]).is_empty() {
        return false;
    }
    match name {
        "psql" | "mysql" | "mariadb" | "cockroach" | "clickhouse-client" => {
            let mut statements = given(&["-c", "--command", "-e", "--execute", "-q", "--query"]);
            match &command.stdin {
                Stdin::Text(word) if word.is_known() && word.sources.is_empty() => statements.push(&word.text),
                Stdin::Text(_) | Stdin::Pipe => return false,
                Stdin::Inherited => {}
            }
            let lists = name == "psql" && options.iter().any(|(option, _)| matches!(option.as_str(), "-l" | "--list"));
            (lists || !statements.is_empty()) && statements.iter().all(|statement| is_look(statement))
        }
        "mongosh" | "mongo" => {
            let code = given(&["--eval"]);
            !code.is_empty() && code.iter().all(|code| is_query(code))
        }
        "redis-cli" => {
            let verb = operands.first().copied().unwrap_or_default().to_ascii_lowercase();
            SHOWS.contains(&verb.as_str()) && matches!(command.stdin, Stdin::Inherited)
        }
        "mysqladmin" => operands.first().is_some_and(|verb| SHOWS.contains(verb)),
        _ => false,
    }
}

/// Options with their values, and the rest.
fn split(words: &[Word]) -> (Vec<(String, String)>, Vec<&str>) {
    let (mut options, mut operands) = (Vec::new(), Vec::new());
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if let Some((name, value)) = text.split_once('=').filter(|_| text.starts_with("--")) {
            options.push((name.to_owned(), value.to_owned()));
        } else if VALUED.contains(&text) {
            options.push((text.to_owned(), words.next().map(|word| word.text.clone()).unwrap_or_default()));
        } else if text.starts_with('-') && !text.starts_with("--") && text.len() > 2 {
            // `-h127.0.0.1`, `-uroot`, and clusters such as `-tAc`, whose last letter takes the value.
            let last = format!("-{}", text.chars().next_back().unwrap_or_default());
            let joined =
                text.split_at_checked(2).filter(|(name, _)| matches!(*name, "-h" | "-u" | "-p" | "-P" | "-U" | "-D"));
            if let Some((name, value)) = joined {
                options.push((name.to_owned(), value.to_owned()));
            } else if VALUED.contains(&last.as_str()) {
                options.push((last, words.next().map(|word| word.text.clone()).unwrap_or_default()));
            } else {
                options.push((text.to_owned(), String::new()));
            }
        } else if text.starts_with('-') {
            options.push((text.to_owned(), String::new()));
        } else {
            operands.push(text);
        }
    }
    (options, operands)
}

fn is_host(name: &str, option: &str) -> bool {
    option == "--host" || (option == "-h" && !matches!(name, "mongosh" | "mongo"))
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "")
        || host.starts_with("/var/run/")
        || host.starts_with("/run/")
        || host.starts_with("/tmp")
}

fn is_loopback_url(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    // `postgres:///db?host=elsewhere` names it after the path.
    is_loopback(host) && !rest.contains("host=") && !authority.contains(',')
}

fn is_look(text: &str) -> bool {
    let lower = format!("{} ", text.to_ascii_lowercase().replace(['\n', '\t'], " "));
    if REACHES.iter().any(|word| lower.contains(word)) {
        return false;
    }
    lower.split(';').map(str::trim).filter(|statement| !statement.is_empty()).all(|statement| {
        let first = statement.split([' ', '(']).next().unwrap_or_default();
        let is_meta = first.strip_prefix('\\').is_some_and(|meta| {
            meta.starts_with('d') || matches!(meta, "l" | "l+" | "conninfo" | "timing" | "x" | "q" | "z" | "sf" | "sv")
        });
        LOOKS.contains(&first) || is_meta
    })
}

/// A query of the shell of a document database that only reads.
fn is_query(code: &str) -> bool {
    #[rustfmt::skip]
    const READS: [&str; 14] = [
        "find", "findOne", "count", "countDocuments", "estimatedDocumentCount", "distinct", "getCollectionNames", "stats",
        "explain", "getIndexes", "limit", "sort", "toArray", "pretty",
    ];
    let mut calls = code.match_indices('(').map(|(at, _)| {
        let name = code[..at].trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        READS.contains(&name)
            || matches!(name, "getCollection" | "getSiblingDB" | "printjson" | "print" | "" | "ping" | "serverStatus")
    });
    (code.trim_start().starts_with("db.") || code.trim_start().starts_with("print"))
        && !code.contains("$out")
        && !code.contains("$merge")
        && !code.contains(['`', ';', '='])
        && calls.all(|fine| fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_look_and_their_twins() {
        for text in
            ["SELECT 1", "\\dt", "explain analyze select * from t where a = 1;", "show tables; select 2", "\\d+ users"]
        {
            assert!(is_look(text), "{text}");
        }
        for text in [
            "select 1; drop table users",
            "explain analyze delete from t",
            "with x as (delete from t returning *) select * from x",
            "copy t to program 'sh'",
            "select pg_read_file('/etc/passwd')",
            "select * into outfile '/tmp/x' from t",
            "\\! id",
            "update t set a = 1",
            "select lo_import('/etc/passwd')",
        ] {
            assert!(!is_look(text), "{text}");
        }
        assert!(is_query("db.users.find({a: 1}).limit(5)") && is_query("db.users.countDocuments()"));
        assert!(!is_query("db.users.drop()") && !is_query("db.users.deleteMany({})") && !is_query("load('/tmp/x.js')"));
    }

    #[test]
    fn only_loopback_is_here() {
        for url in ["postgres://a:b@localhost:5432/x", "postgresql://127.0.0.1/x", "mongodb://localhost:27017/test"] {
            assert!(is_loopback_url(url), "{url}");
        }
        for url in [
            "postgres://db.example/x",
            "postgres://localhost@db.example/x",
            "postgres:///x?host=db.example",
            "mongodb://localhost,db.example/x",
        ] {
            assert!(!is_loopback_url(url), "{url}");
        }
    }
}
