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
    state::{ContainerState, ContainerSummary, EngineInfo, EngineKind, ExecState, VolumeSummary},
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
        let parts = version.components.as_deref().unwrap_or_default();
        let runc = parts.iter().find(|part| part.name == "runc").map(|part| part.version.clone());
        let mut runtimes: Vec<_> = info.runtimes.unwrap_or_default().into_keys().collect();
        runtimes.sort();
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
            runtimes,
            default_runtime: info.default_runtime.unwrap_or_default(),
            runc_version: runc,
            rootless: info.security_options.unwrap_or_default().iter().any(|option| option.contains("name=rootless")),
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
