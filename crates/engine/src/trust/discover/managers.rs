//! The package managers that can be asked which hosts they use, as data: how each is found, what prints its configuration, and a harmless
//! query. Which hosts these are is for the image to say.

use std::time::Duration;

/// The domain of everything that is asked for in vain (RFC 6761): no answer of any registry is needed to learn whom they ask.
pub(super) const NOWHERE: &str = "invalid";

/// A package manager.
pub(super) struct Manager {
    /// Its name, which is also its program's.
    pub(super) name: &'static str,
    /// Prints lines in which the URLs of its hosts stand; empty for none.
    pub(super) configuration: &'static str,
    /// Asks for a package that does not exist. `work` is a fresh directory.
    pub(super) query: &'static str,
    /// How long the query may take.
    pub(super) deadline: Duration,
}

const SHORT: Duration = Duration::from_secs(25);
/// For those that start a virtual machine first.
const LONG: Duration = Duration::from_secs(90);

/// Programs on a Java virtual machine look for the proxy in properties, not in the environment.
macro_rules! java {
    ($command:literal) => {
        concat!(
            "address=${HTTP_PROXY#http://}; export JAVA_TOOL_OPTIONS=\"-Dhttp.proxyHost=${address%:*} -Dhttp.proxyPort=${address##*:} \
             -Dhttps.proxyHost=${address%:*} -Dhttps.proxyPort=${address##*:}\"; ",
            $command
        )
    };
}

/// All of them. A query that fails says as much as one that succeeds: what counts is whom it asks.
pub(super) const MANAGERS: [Manager; 12] = [
    Manager {
        name: "apt-get",
        configuration: "apt-get indextargets --format '$(SITE)'",
        query: "mkdir -p lists/partial cache/archives/partial && apt-get -o Dir::State::Lists=\"$work/lists\" -o Dir::Cache=\"$work/cache\" \
                -o Debug::NoLocking=true -o Acquire::Retries=0 -o APT::Sandbox::User= update",
        deadline: SHORT,
    },
    Manager {
        name: "npm",
        configuration: "npm config get registry; npm config list --long | grep -E '^@[^:]*:registry *='",
        query: "npm view sandbox-discover version --fetch-retries=0 --fetch-timeout=5000",
        deadline: SHORT,
    },
    Manager {
        name: "yarn",
        configuration: "yarn config get registry; yarn config get npmRegistryServer",
        query: "yarn info sandbox-discover version --network-timeout 5000 || yarn npm info sandbox-discover",
        deadline: SHORT,
    },
    Manager {
        name: "pnpm",
        configuration: "pnpm config get registry",
        query: "pnpm view sandbox-discover version --fetch-retries=0 --fetch-timeout=5000",
        deadline: SHORT,
    },
    Manager {
        name: "pip",
        configuration: "pip config list | grep -E 'index-url|find-links'; env | grep -E '^PIP_(EXTRA_)?INDEX_URL='",
        query: "pip download --disable-pip-version-check --no-input --no-deps --retries 0 --timeout 5 sandbox-discover",
        deadline: SHORT,
    },
    Manager {
        name: "uv",
        configuration: "env | grep -E '^UV_(DEFAULT_|EXTRA_)?INDEX(_URL)?='",
        query: "UV_HTTP_TIMEOUT=5 uv pip install --dry-run --target target sandbox-discover",
        deadline: SHORT,
    },
    Manager {
        name: "cargo",
        configuration: "env | grep -E '^CARGO_(REGISTRIES|SOURCE)_'",
        query: "mkdir src && touch src/lib.rs && printf '[package]\\nname = \"probe\"\\nversion = \"0.0.0\"\\n[dependencies]\\n\
                sandbox-discover = \"*\"\\n' > Cargo.toml && CARGO_NET_RETRY=0 CARGO_HTTP_TIMEOUT=5 cargo generate-lockfile",
        deadline: SHORT,
    },
    Manager {
        name: "go",
        configuration: "go env GOPROXY; sums=$(go env GOSUMDB); case \"$sums\" in off) ;; *' '*) echo \"${sums#* }\" ;; \
                        *) echo \"https://${sums%%+*}\" ;; esac",
        query: "GOFLAGS=-mod=mod go list -m -versions probe.invalid/sandbox-discover",
        deadline: SHORT,
    },
    Manager {
        name: "gem",
        configuration: "gem sources --list",
        query: "gem list --remote '^sandbox-discover$'",
        deadline: SHORT,
    },
    Manager {
        name: "composer",
        configuration: "composer config --global --list --no-interaction | grep -E '^.repositories[.]'",
        query: "composer show --all --no-interaction sandbox/discover",
        deadline: SHORT,
    },
    Manager {
        name: "mvn",
        configuration: "",
        query: java!(
            "mvn --batch-mode -Dstyle.color=never -Daether.connector.http.useSystemProperties=true \
             org.apache.maven.plugins:maven-help-plugin:effective-settings"
        ),
        deadline: LONG,
    },
    Manager {
        name: "gradle",
        configuration: "",
        query: java!(
            "touch settings.gradle && echo \"plugins { id 'sandbox.discover' version '1' }\" > build.gradle && \
             gradle --no-daemon --console=plain help"
        ),
        deadline: LONG,
    },
];

/// Prints the names of the managers that are there.
pub(super) fn which() -> String {
    let names: Vec<_> = MANAGERS.iter().map(|manager| manager.name).collect();
    format!("for name in {}; do command -v \"$name\" >/dev/null 2>&1 && echo \"$name\"; done; true", names.join(" "))
}

impl Manager {
    /// The query in a directory of its own.
    pub(super) fn query(&self) -> String {
        format!("work=$(mktemp -d) && cd \"$work\" && {{ {}; }}", self.query)
    }

    /// The configuration, without what programs say beside it.
    pub(super) fn configuration(&self) -> Option<String> {
        (!self.configuration.is_empty()).then(|| format!("cd /tmp; {{ {}; }} 2>/dev/null; true", self.configuration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_scripts_are_ones() {
        let scripts = MANAGERS.iter().flat_map(|manager| [Some(manager.query()), manager.configuration()]);
        for script in scripts.flatten().chain([which()]) {
            let read = Command::new("/bin/sh").args(["-n", "-c", &script]).output().expect("a shell");
            assert!(read.status.success(), "{script}\n{}", String::from_utf8_lossy(&read.stderr));
        }
    }

    #[test]
    fn no_registry_is_named() {
        for manager in MANAGERS {
            let text = format!("{}{}", manager.configuration, manager.query);
            assert!(!text.contains(".com") && !text.contains(".org/") && !text.contains(".io"), "{text}");
        }
    }
}
