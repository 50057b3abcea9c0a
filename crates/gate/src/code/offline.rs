//! Python that names a network module and talks to nobody: it only imports it, asks for its version or for the host's name, or
//! looks for a free port.

use super::mentions;

/// Names of sockets that reach another process.
#[rustfmt::skip]
const REACHES: [&str; 20] = [
    "connect", "connect_ex", "create_connection", "create_server", "listen", "accept", "send", "sendall", "sendto",
    "sendmsg", "recv", "recvfrom", "makefile", "getaddrinfo", "gethostbyname", "gethostbyaddr", "getfqdn", "fromfd",
    "dup", "detach",
];

/// True when none of the modules is used for more than telling about itself or this host.
pub(super) fn is_offline(bare: &str, names: &[&str]) -> bool {
    let rest = without_imports(bare);
    let rest = names.iter().fold(rest, |rest, name| rest.replace(&format!("{name}.__version__"), ""));
    let used = names.iter().filter(|name| mentions(&rest, name));
    let only_sockets = used.clone().all(|name| *name == "socket");
    // What is taken out of a module, or given another name, may be anything.
    let is_plain = !names.iter().any(|name| bare.contains(&format!("from {name}"))) && !bare.contains(" as ");
    is_plain && only_sockets && !REACHES.iter().any(|name| mentions(&rest, name)) && !mentions(&rest, "getattr")
}

/// The code without its plain `import a, b` statements.
fn without_imports(bare: &str) -> String {
    let is_import = |statement: &str| statement.trim_start().starts_with("import ");
    bare.split(['\n', ';']).filter(|statement| !is_import(statement)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naming_a_module_is_not_using_it() {
        let names = ["socket", "requests", "urllib", "urlopen"];
        for code in [
            "import requests, bs4; print('')",
            "import requests\nprint(requests.__version__)",
            "import socket; print(socket.gethostname())",
            "import socket; s = socket.socket(); s.bind(('', 0)); print(s.getsockname()[1])",
        ] {
            assert!(is_offline(code, &names), "{code}");
        }
        for code in [
            "import requests; requests.get(x)",
            "import requests as r; r.get(x)",
            "from requests import get; get(x)",
            "import socket; s = socket.socket(); s.connect((x, 1))",
            "import socket; s = socket.socket(); s.bind(('', 9)); s.listen()",
            "import socket; socket.gethostbyname(x)",
            "import requests; getattr(requests, x)(y)",
            "import urllib.request; urllib.request.urlopen(x)",
        ] {
            assert!(!is_offline(code, &names), "{code}");
        }
    }
}
