//! What only the host holds for a run: the credentials of its routes, and the certificate authority under which connections are
//! decrypted. Nothing of it enters a container but the authority's certificate and worthless placeholders.

use crate::{
    credential,
    error::EngineError,
    paths::{AttemptPaths, PathError, write_atomic},
    redact,
    routes::forges,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use egress::{KeptAuthority, Keys, RouteCredential};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};
use types::{
    host::Endpoint,
    id::SecretName,
    profile::{Profile, SecretProfile},
    route::Route,
    secret::Secret,
};

/// The authority's certificate, in the attempt's directory.
const CERTIFICATE: &str = "authority.pem";
/// Its key; it goes with the run's end.
const KEY: &str = "authority.key";

/// What stands inside for each secret that the routes name.
pub(crate) type Placeholders = BTreeMap<SecretName, String>;

/// Makes a placeholder for each secret of the routes.
pub(crate) fn placeholders(routes: &[Route]) -> Placeholders {
    let names: BTreeSet<_> = routes.iter().filter_map(|route| route.rules.credential.clone()).collect();
    let placeholder = |name: &SecretName| format!("sandbox-placeholder-{name}-{}", uuid::Uuid::new_v4().simple());
    names.into_iter().map(|name| (name.clone(), placeholder(&name))).collect()
}

/// Finds the credentials of the routes. The model's placeholder is one that must not turn up elsewhere, as those of the secrets.
///
/// # Errors
/// [`EngineError::Secret`], [`EngineError::Roots`].
pub(crate) fn keys(
    profile: &Profile,
    routes: &[Route],
    placeholders: &Placeholders,
    model_placeholder: &str,
) -> Result<Keys, EngineError> {
    let mut credentials = BTreeMap::new();
    for name in routes.iter().filter_map(|route| route.rules.credential.as_ref()) {
        if let Some(secret) = profile.secrets.get(name) {
            credentials.insert(name.clone(), credential_of(name, secret)?);
        }
    }
    let roots = profile
        .trust
        .ca_files
        .iter()
        .map(|path| fs::read_to_string(path).map_err(|source| EngineError::Read { path: path.into(), source }));
    Ok(Keys {
        authority: None,
        credentials,
        git: git(profile, routes)?,
        placeholders: placeholders.values().map(String::as_str).chain([model_placeholder]).map(Secret::new).collect(),
        roots: roots.collect::<Result<_, _>>()?,
    })
}

/// Finds the credentials of the forges among the routes.
///
/// # Errors
/// [`EngineError::GitCredential`]
pub(crate) fn git(profile: &Profile, routes: &[Route]) -> Result<BTreeMap<Endpoint, RouteCredential>, EngineError> {
    let mut found = BTreeMap::new();
    for endpoint in forges(routes) {
        if let Some(credential) = git_credential(profile, endpoint)? {
            found.insert(endpoint.clone(), credential);
        }
    }
    Ok(found)
}

fn credential_of(name: &SecretName, secret: &SecretProfile) -> Result<RouteCredential, EngineError> {
    let failed = |source| EngineError::Secret { name: name.clone(), source };
    let found = credential::look_up(&secret.source, |name| std::env::var(name).ok()).map_err(failed)?;
    if found.expose().is_empty() {
        return Err(EngineError::NoSecret { name: name.clone(), source_text: secret.source.clone() });
    }
    Ok(RouteCredential {
        header: secret.header.clone(),
        value: Secret::new(secret.value.replace("{}", found.expose())),
        secret: found,
    })
}

/// The user name and password for a forge: from git's own helpers, a variable or a command, the first that has one.
fn git_credential(profile: &Profile, endpoint: &Endpoint) -> Result<Option<RouteCredential>, EngineError> {
    for source in &profile.git.credentials {
        let failed = |source| EngineError::GitCredential { endpoint: endpoint.clone(), source };
        let found = if source == "helper" {
            credential::from_git_helper(endpoint).map_err(failed)?
        } else {
            credential::look_up(source, |name| std::env::var(name).ok()).map_err(failed)?
        };
        let text = found.expose();
        if text.is_empty() {
            continue;
        }
        // A bare token is a password; forges take any user name beside it.
        let pair = if text.contains(':') { text.to_owned() } else { format!("x-access-token:{text}") };
        let password = pair.split_once(':').map_or("", |(_, password)| password);
        redact::learn(&Secret::new(password));
        return Ok(Some(RouteCredential {
            header: "authorization".to_owned(),
            value: Secret::new(format!("Basic {}", STANDARD.encode(&pair))),
            secret: Secret::new(password),
        }));
    }
    Ok(None)
}

/// The run's certificate authority, where a route needs one: made once, and kept for the processes that go on with the run, because what
/// runs inside trusts it.
///
/// # Errors
/// [`EngineError::Authority`], [`EngineError::Path`], [`EngineError::Read`].
pub(crate) fn authority(files: &AttemptPaths, routes: &[Route]) -> Result<Option<KeptAuthority>, EngineError> {
    let hosts: BTreeSet<_> =
        routes.iter().filter(|route| route.is_intercepted()).map(|route| &route.endpoint.host).collect();
    if hosts.is_empty() {
        return Ok(None);
    }
    let (certificate, key) = (files.file(CERTIFICATE), files.file(KEY));
    let read = |path: &std::path::Path| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EngineError::Read { path: path.to_owned(), source }),
    };
    if let (Some(certificate), Some(key)) = (read(&certificate)?, read(&key)?) {
        return Ok(Some(KeptAuthority { certificate, key: Secret::new(key) }));
    }
    let made = KeptAuthority::make(hosts)?;
    write_atomic(&key, made.key.expose().as_bytes())?;
    write_atomic(&certificate, made.certificate.as_bytes())?;
    Ok(Some(made))
}

/// Forgets the authority's key: the run is over.
///
/// # Errors
/// [`PathError::Io`]
pub(crate) fn forget_authority(files: &AttemptPaths) -> Result<(), PathError> {
    let path = files.file(KEY);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(PathError::Io { path, source }),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use types::{
        id::{RunId, TaskName},
        profile::{Layer, Resolved},
        source::Source,
    };

    fn profile(text: &str) -> Profile {
        let default = include_str!("../../../profiles/default.toml");
        let layers = [
            Layer::parse(Source::Default, default).expect("default"),
            Layer::parse(Source::File("/profile.toml".into()), text).expect(text),
        ];
        Resolved::new(&layers).expect("profile").profile
    }

    fn found(text: &str) -> Result<Keys, EngineError> {
        let profile = profile(text);
        let remotes = [repo::Remote { name: "origin".to_owned(), url: "https://forge.example/acme/app".to_owned() }];
        let routes = crate::routes::routes(&profile, &remotes)?;
        keys(&profile, &routes, &placeholders(&routes), "placeholder-of-the-model")
    }

    #[test]
    fn credentials_are_found_for_the_routes_that_name_them() {
        let text = "[trust]\nendpoints = [{endpoint='api.example', credential='api'}]\n\
            [secrets.api]\nsource = 'command:echo abc'\nvalue = 'Token {}'\n\
            [secrets.unused]\nsource = 'command:exit 1'\n[git]\ncredentials = ['command:', 'command:echo me:pw']\n";
        let keys = found(text).expect("keys");
        let api = &keys.credentials[&SecretName::new("api").expect("name")];
        assert_eq!((api.value.expose(), api.secret.expose()), ("Token abc", "abc"));
        assert_eq!(keys.credentials.len(), 1);
        let forge = &keys.git[&Endpoint::parse("forge.example").expect("endpoint")];
        assert_eq!((forge.value.expose(), forge.secret.expose()), ("Basic bWU6cHc=", "pw"));
        assert_eq!(keys.placeholders.len(), 2);
    }

    #[test]
    fn a_secret_that_is_not_there_is_an_error_before_anything_runs() {
        let text = |source: &str| {
            format!(
                "[trust]\nendpoints = [{{endpoint='api.example', credential='api'}}]\n[secrets.api]\nsource = '{source}'\n"
            )
        };
        assert!(matches!(found(&text("command:true")), Err(EngineError::NoSecret { .. })));
        assert!(matches!(found(&text("command:false")), Err(EngineError::Secret { .. })));
        assert!(matches!(found(&text("nowhere")), Err(EngineError::Secret { .. })));
    }

    #[test]
    fn the_authority_is_kept_for_the_next_process_and_its_key_goes_at_the_end() {
        let dir = tempfile::tempdir().expect("directory");
        let paths = crate::Paths { state: dir.path().to_owned(), cache: dir.path().to_owned() };
        let files = paths.attempt(&RunId::mint(1, 1), &TaskName::new("t").expect("name"), 1);
        files.prepare().expect("directories");
        let routes =
            crate::routes::routes(&profile("[trust]\nendpoints = [{endpoint='a.example', query=false}]\n"), &[]);
        let routes = routes.expect("routes");
        let first = authority(&files, &routes).expect("made").expect("needed");
        assert_eq!(authority(&files, &routes).expect("kept"), Some(first));
        let mode = fs::metadata(files.file(KEY)).expect("key").permissions().mode();
        assert_eq!(mode & 0o077, 0);
        forget_authority(&files).expect("forgotten");
        forget_authority(&files).expect("again");
        assert!(!files.file(KEY).exists() && files.file(CERTIFICATE).exists());
        assert_eq!(authority(&files, &[]).expect("none"), None);
    }
}
