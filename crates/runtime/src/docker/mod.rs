//! Docker, and Podman through the same API.

mod body;
mod build;
mod call;
mod containers;
mod exec;
mod hijack;
mod volumes;

use crate::{
    archive::Archive,
    endpoint::Endpoint,
    error::{Error, Operation, Result},
    process::Exec,
    runtime::{Labels, Runtime},
    spec::{ContainerId, ContainerSpec, ExecId, ExecSpec, ImageId, Names},
    state::{ContainerState, ContainerSummary, EngineInfo, EngineKind, ExecState, OciKind, OciRuntime, VolumeSummary},
};
use bollard::{ClientVersion, models::SystemVersionComponents};
use std::{sync::Arc, time::Duration};

pub(crate) use build::BuildRequest;

/// The oldest API that offers what a container needs (Docker 20.10).
const OLDEST: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };
/// Deadline for looking for an engine.
const CONNECT: Duration = Duration::from_secs(5);
/// Deadline for questions.
const ASK: Duration = Duration::from_secs(30);
/// The client library's own deadline, which must not come before ours.
const LIBRARY_SECS: u64 = 3600;

/// A connection to an engine. Clones share it.
#[derive(Clone)]
pub struct Docker {
    client: bollard::Docker,
    endpoint: Endpoint,
    kind: EngineKind,
    /// The system call filter in the form that this engine takes.
    seccomp: Arc<Seccomp>,
}

/// Docker takes the filter itself. Podman wants a file on its own machine, which it reads while a container is created; a
/// Podman elsewhere finds none there and refuses the container.
enum Seccomp {
    Inline,
    File(tempfile::NamedTempFile, String),
}

impl Seccomp {
    fn file() -> std::io::Result<Self> {
        let file = tempfile::Builder::new().prefix("sandbox-seccomp-").suffix(".json").tempfile()?;
        std::fs::write(file.path(), body::SECCOMP)?;
        let path = file.path().to_str().map(str::to_owned).ok_or(std::io::ErrorKind::InvalidFilename)?;
        Ok(Self::File(file, path))
    }
}

impl std::ops::Deref for Seccomp {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Inline => body::SECCOMP,
            Self::File(_file, path) => path,
        }
    }
}

impl std::fmt::Debug for Docker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Docker").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Docker {
    /// Finds the engine: `DOCKER_HOST` if it is set, else Docker's default socket, else Podman's.
    ///
    /// # Errors
    /// [`Error::Unreachable`] names the first place; [`Error::TooOld`]; [`Error::BadEndpoint`].
    pub async fn connect() -> Result<Self> {
        let read = |name| std::env::var(name).ok();
        let candidates = Endpoint::candidates(read("DOCKER_HOST").as_deref(), read("XDG_RUNTIME_DIR").as_deref())?;
        let mut first = None;
        for endpoint in candidates {
            match Self::connect_to(endpoint).await {
                Ok(docker) => return Ok(docker),
                Err(error) if error.is_unreachable() => first = first.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or_else(|| Error::BadEndpoint { text: String::new() }))
    }

    /// Connects to the engine at one place and agrees on the API version.
    ///
    /// # Errors
    /// As [`Docker::connect`].
    pub async fn connect_to(endpoint: Endpoint) -> Result<Self> {
        let unreachable = |source| Error::Unreachable { endpoint: endpoint.to_string(), source };
        let greeting = async {
            let client = client_of(&endpoint)?.negotiate_version().await?;
            let version = client.version().await?;
            Ok((client, version))
        };
        let (client, version) = tokio::time::timeout(CONNECT, greeting)
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", CONNECT.as_secs()).into()))?
            .map_err(|error| unreachable(call::root_cause(error)))?;
        let is_podman = |part: &SystemVersionComponents| part.name.starts_with("Podman");
        let kind = match version.components {
            Some(parts) if parts.iter().any(is_podman) => EngineKind::Podman,
            Some(_) | None => EngineKind::Docker,
        };
        if client.client_version() < OLDEST {
            let found = client.client_version().to_string();
            return Err(Error::TooOld { endpoint: endpoint.to_string(), found, oldest: "1.41" });
        }
        let seccomp = match kind {
            EngineKind::Docker => Seccomp::Inline,
            EngineKind::Podman => Seccomp::file().map_err(|error| Error::Refused {
                operation: Operation::Info,
                subject: format!("{endpoint}: no temporary file for the system call filter"),
                status: None,
                source: error.into(),
            })?,
        };
        Ok(Self { client, endpoint, kind, seccomp: seccomp.into() })
    }

    /// Where the engine answers.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn kind(&self) -> EngineKind {
        self.kind
    }

    async fn engine_info(&self) -> Result<EngineInfo> {
        let endpoint = self.endpoint.to_string();
        let info = self.call(Operation::Info, &endpoint, ASK, self.client.info()).await?;
        let version = self.call(Operation::Info, &endpoint, ASK, self.client.version()).await?;
        let platform = version.platform.as_ref().map(|platform| platform.name.clone());
        let default_runtime = info.default_runtime.clone().unwrap_or_default();
        let runtimes = info.runtimes.unwrap_or_default().into_iter().map(|(name, runtime)| OciRuntime {
            kind: OciKind::of(&name, runtime.path.as_deref().unwrap_or_default()),
            args: runtime.runtime_args.unwrap_or_default(),
            name,
        });
        let mut runtimes: Vec<_> = runtimes.collect();
        runtimes.sort_by(|a, b| a.name.cmp(&b.name));
        let security = info.security_options.unwrap_or_default();
        let security: Vec<_> = security.iter().map(|option| security_name(option).to_owned()).collect();
        let number = |value: Option<i64>| value.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
        Ok(EngineInfo {
            kind: self.kind(),
            version: version.version.clone().unwrap_or_default(),
            api: self.client.client_version().to_string(),
            endpoint,
            os: info.operating_system.unwrap_or_default(),
            arch: info.architecture.unwrap_or_default(),
            cgroup_version: match info.cgroup_version {
                Some(version) if version.to_string() == "2" => 2,
                Some(_) | None => 1,
            },
            storage_driver: info.driver.unwrap_or_default(),
            platform: platform.filter(|name| name.contains("Desktop")),
            kernel: info.kernel_version.unwrap_or_default(),
            data_root: info.docker_root_dir.unwrap_or_default(),
            runtime_version: runtime_version(version.components.as_deref().unwrap_or_default(), &default_runtime),
            runtimes,
            default_runtime,
            rootless: security.iter().any(|option| option == "rootless"),
            security,
            cpus: number(info.ncpu),
            memory: number(info.mem_total),
        })
    }

    async fn find_image(&self, reference: &str) -> Result<Option<(ImageId, Labels)>> {
        let found = self.call(Operation::ImageId, reference, ASK, self.client.inspect_image(reference)).await;
        match found {
            Ok(image) => {
                let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
                Ok(image.id.map(|id| (ImageId(id), labels.into_iter().collect())))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The labels of an image, if the engine holds it.
    pub(crate) async fn image_labels(&self, reference: &str) -> Result<Option<(ImageId, Labels)>> {
        self.find_image(reference).await
    }
}

/// The version of a runtime among the engine's parts. A distribution's package says more in the commit than in the version.
fn runtime_version(parts: &[SystemVersionComponents], name: &str) -> Option<String> {
    let is_it = |part: &&SystemVersionComponents| part.name == name || part.name == format!("OCI Runtime ({name})");
    let part = parts.iter().find(is_it)?;
    let details = part.details.as_ref().and_then(|details| details.get("GitCommit")).map(String::as_str);
    let package = details.filter(|commit| commit.starts_with(part.version.as_str()));
    // Podman gives the first lines of `runc --version`.
    let text = package.unwrap_or(&part.version);
    text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

/// `name=seccomp,profile=default` is `seccomp`; Podman writes the same.
fn security_name(option: &str) -> &str {
    let name = option.split(',').next().unwrap_or_default();
    name.strip_prefix("name=").unwrap_or(name)
}

/// The library's client for its newest API; asks the engine nothing.
fn client_of(endpoint: &Endpoint) -> std::result::Result<bollard::Docker, bollard::errors::Error> {
    match endpoint {
        Endpoint::Unix(path) => {
            bollard::Docker::connect_with_unix(&path.to_string_lossy(), LIBRARY_SECS, bollard::API_DEFAULT_VERSION)
        }
        Endpoint::Tcp(address) => {
            bollard::Docker::connect_with_http(address, LIBRARY_SECS, bollard::API_DEFAULT_VERSION)
        }
    }
}

impl Runtime for Docker {
    async fn info(&self) -> Result<EngineInfo> {
        self.engine_info().await
    }
    async fn create_with(&self, spec: &ContainerSpec, names: Names) -> Result<ContainerId> {
        self.create_container(spec, names).await
    }
    async fn start(&self, id: &ContainerId) -> Result<()> {
        self.start_container(id).await
    }
    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        self.stop_container(id, grace).await
    }
    async fn kill(&self, id: &ContainerId) -> Result<()> {
        self.kill_container(id).await
    }
    async fn remove(&self, id: &ContainerId) -> Result<()> {
        self.remove_container(id).await
    }
    async fn wait(&self, id: &ContainerId, within: Duration) -> Result<ContainerState> {
        self.wait_container(id, within).await
    }
    async fn inspect(&self, id: &ContainerId) -> Result<ContainerState> {
        self.inspect_container(id).await
    }
    async fn list(&self, labels: &Labels) -> Result<Vec<ContainerSummary>> {
        self.list_containers(labels).await
    }
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Exec> {
        self.start_exec(id, spec).await
    }
    async fn exec_state(&self, id: &ExecId) -> Result<ExecState> {
        self.inspect_exec(id).await
    }
    async fn upload(&self, id: &ContainerId, path: &str, archive: Archive) -> Result<()> {
        self.put_archive(id, path, archive).await
    }
    async fn has_path(&self, id: &ContainerId, path: &str) -> Result<bool> {
        self.stat_path(id, path).await
    }
    async fn create_volume(&self, name: &str, labels: &Labels, owner: u32) -> Result<()> {
        self.make_volume(name, labels, owner).await
    }
    async fn volume(&self, name: &str) -> Result<Option<VolumeSummary>> {
        self.inspect_volume(name).await
    }
    async fn list_volumes(&self, labels: &Labels) -> Result<Vec<VolumeSummary>> {
        self.find_volumes(labels).await
    }
    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.drop_volume(name).await
    }
    async fn image_id(&self, reference: &str) -> Result<Option<ImageId>> {
        Ok(self.find_image(reference).await?.map(|(id, _)| id))
    }
}

/// The engine's form of "carries all of these labels"; an empty value asks for the key alone.
fn label_filter(labels: &Labels) -> std::collections::HashMap<String, Vec<String>> {
    let wanted =
        labels.iter().map(|(key, value)| if value.is_empty() { key.clone() } else { format!("{key}={value}") });
    std::collections::HashMap::from([("label".to_owned(), wanted.collect())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, version: &str, commit: &str) -> SystemVersionComponents {
        SystemVersionComponents {
            name: name.to_owned(),
            version: version.to_owned(),
            details: Some([("GitCommit".to_owned(), commit.to_owned())].into()),
        }
    }

    #[test]
    fn the_runtime_s_version_is_read_from_what_engines_say() {
        for (part, name, version) in [
            (part("runc", "1.1.5+ds1", "1.1.5+ds1-1+deb12u1"), "runc", Some("1.1.5+ds1-1+deb12u1")),
            (part("runc", "1.2.5", "v1.2.5-0-g59923ef"), "runc", Some("1.2.5")),
            (part("OCI Runtime (crun)", "crun version 1.8.1\ncommit: f8a0", ""), "crun", Some("1.8.1")),
            (part("containerd", "1.6.20", ""), "runc", None),
        ] {
            assert_eq!(runtime_version(&[part], name).as_deref(), version, "{name}");
        }
        assert_eq!(security_name("name=seccomp,profile=default"), "seccomp");
        assert_eq!(security_name("name=rootless"), "rootless");
    }
}
