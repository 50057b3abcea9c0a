//! Entries of `trust.endpoints` as people write them on a command line, and as they stand in a profile.

use std::net::IpAddr;
use toml_edit::{Array, InlineTable, Value};
use types::{
    host::InvalidEndpoint,
    text::printable,
    trust::{DetailedEntry, TrustEntry},
};

/// Why a text is no entry, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEntry {
    /// Not a name and port that can be decided on.
    #[error("`{text}` cannot be trusted")]
    Endpoint {
        /// The text as given.
        text: String,
        /// What is wrong.
        #[source]
        source: InvalidEndpoint,
        /// The way out.
        hint: String,
    },
    /// Not the long form of an entry.
    #[error("`{text}` is not an entry")]
    Table {
        /// The text as given.
        text: String,
        /// What is wrong.
        #[source]
        source: Box<toml::de::Error>,
    },
}

impl InvalidEntry {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Endpoint { hint, .. } => hint.clone(),
            Self::Table { .. } => r#"write it like { endpoint = "api.example.com", methods = ["GET"] }"#.to_owned(),
        }
    }
}

/// Reads an endpoint, or an inline table as it stands in a profile.
///
/// # Errors
/// [`InvalidEntry`] for what would not be a route.
pub fn read_entry(text: &str) -> Result<TrustEntry, InvalidEntry> {
    let trimmed = text.trim();
    let entry = if trimmed.starts_with('{') {
        from_toml(trimmed).map_err(|source| InvalidEntry::Table { text: printable(trimmed, 80), source })?
    } else {
        // What a browser's address line gives, where it names no path.
        let name = trimmed.strip_prefix("https://").map_or(trimmed, |rest| rest.strip_suffix('/').unwrap_or(rest));
        TrustEntry::Text(name.to_owned())
    };
    match entry.route() {
        Ok(_) => Ok(entry),
        Err(source) => Err(InvalidEntry::Endpoint { text: printable(text, 80), hint: hint(trimmed, &source), source }),
    }
}

/// Reads the TOML value of an entry.
///
/// # Errors
/// When it is none.
pub(super) fn from_toml(value: &str) -> Result<TrustEntry, Box<toml::de::Error>> {
    #[derive(serde::Deserialize)]
    struct One {
        entry: TrustEntry,
    }
    toml::from_str::<One>(&format!("entry = {value}")).map(|one| one.entry).map_err(Box::new)
}

fn hint(text: &str, source: &InvalidEndpoint) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = host.trim_start_matches('[').split(']').next().unwrap_or_default();
    let is_address =
        bare.parse::<IpAddr>().is_ok() || host.split(':').next().is_some_and(|ip| ip.parse::<IpAddr>().is_ok());
    match source {
        InvalidEndpoint::Own { .. } => {
            "sandbox trust add NAME --address 127.0.0.1:PORT gives it another name inside".to_owned()
        }
        InvalidEndpoint::Host { .. } | InvalidEndpoint::Port { .. } => {
            if text.contains('*') {
                "there are no wildcards: name each host".to_owned()
            } else if text.contains('@') {
                "leave user and password out; --credential NAME adds a secret of [secrets] outside".to_owned()
            } else if is_address {
                format!("programs ask for names: sandbox trust add NAME --address {}", printable(host, 60))
            } else if rest.len() > host.len() {
                let path = rest[host.len()..].split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
                let scheme = if text.starts_with("http://") { "http://" } else { "" };
                let entry = printable(&format!("{scheme}{host}"), 80);
                format!("name the host, and paths apart: sandbox trust add {entry} --path '{}/**'", printable(path, 80))
            } else {
                "write it like api.example.com, api.example.com:8443 or http://mirror.example".to_owned()
            }
        }
    }
}

/// The shortest form that says the same.
pub(super) fn shortest(entry: DetailedEntry) -> TrustEntry {
    if entry == DetailedEntry::new(entry.endpoint.as_str()) {
        TrustEntry::Text(entry.endpoint)
    } else {
        TrustEntry::Detailed(Box::new(entry))
    }
}

/// The long form of an entry.
pub(super) fn detailed(entry: &TrustEntry) -> DetailedEntry {
    match entry {
        TrustEntry::Detailed(entry) => (**entry).clone(),
        TrustEntry::Text(endpoint) => DetailedEntry::new(endpoint.as_str()),
    }
}

/// The entry as a value of a TOML list.
pub(super) fn value(entry: &TrustEntry) -> Value {
    let DetailedEntry { endpoint, address, methods, paths, query, websocket, upload_max, credential } = match entry {
        TrustEntry::Text(text) => return Value::from(text.as_str()),
        TrustEntry::Detailed(entry) => &**entry,
    };
    let mut table = InlineTable::new();
    let list = |texts: Vec<String>| Value::Array(texts.into_iter().collect::<Array>());
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            table.insert(key, value);
        }
    };
    put("endpoint", Some(endpoint.as_str().into()));
    put("address", address.map(|address| address.to_string().into()));
    put("methods", methods.as_ref().map(|all| list(all.iter().map(|method| method.as_str().to_owned()).collect())));
    put("paths", paths.as_ref().map(|all| list(all.iter().map(ToString::to_string).collect())));
    put("query", query.map(Value::from));
    put("websocket", websocket.map(Value::from));
    put("upload-max", upload_max.map(|size| size.to_string().into()));
    put("credential", credential.as_ref().map(|name| name.as_str().into()));
    Value::InlineTable(table)
}

/// The entry on one line: `"api.example.com"`, `{ endpoint = "api.example.com", methods = ["GET"] }`.
#[must_use]
pub fn entry_line(entry: &TrustEntry) -> String {
    value(entry).to_string().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_s_line_reads_as_the_entry() {
        for line in [
            r#""api.example.com:8443""#,
            r#"{ endpoint = "api.example.com", address = "10.0.0.5:443" }"#,
            r#"{ endpoint = "a.example", methods = ["GET", "HEAD"], paths = ["/v1/**", "/it's"], query = false, websocket = true, upload-max = "1MiB", credential = "api" }"#,
            r#"{ endpoint = "a.example", paths = [] }"#,
        ] {
            let entry = from_toml(line).expect(line);
            assert_eq!(entry_line(&entry), line);
            assert_eq!(shortest(detailed(&entry)), entry);
        }
    }

    #[test]
    fn what_cannot_be_trusted_comes_with_the_way_out() {
        for good in [
            "api.example.com",
            "https://api.example.com/",
            "http://mirror.example",
            r#"{ endpoint = "a.example", query = false }"#,
        ] {
            assert!(read_entry(good).is_ok(), "{good}");
        }
        for (bad, way) in [
            ("*.example.com", "no wildcards"),
            ("https://api.example.com/v1/", "sandbox trust add api.example.com --path '/v1/**'"),
            ("http://mirror.example/debian", "sandbox trust add http://mirror.example --path '/debian/**'"),
            ("me:pw@api.example.com", "leave user and password out"),
            ("10.0.0.5:443", "--address 10.0.0.5:443"),
            ("[::1]:443", "--address [::1]:443"),
            ("localhost:8080", "another name inside"),
            ("ftp://files.example", "write it like"),
            ("{ endpoint = 'a.example', method = ['GET'] }", "write it like {"),
            ("", "write it like"),
        ] {
            let error = read_entry(bad).expect_err(bad);
            assert!(error.hint().contains(way), "{bad}: {}", error.hint());
        }
    }
}
