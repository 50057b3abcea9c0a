//! Processes in running containers.

use super::{
    ASK, Docker,
    hijack::{self, Raw, Refusal},
};
use crate::{
    error::{Error, Operation, Result},
    process::Exec,
    spec::{ContainerId, ExecId, ExecSpec},
    state::ExecState,
};
use bollard::exec::CreateExecOptions;

impl Docker {
    pub(super) async fn start_exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Exec> {
        spec.check()?;
        let options = CreateExecOptions {
            attach_stdin: Some(spec.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            // With a terminal the outputs are not framed and cannot be told apart.
            tty: Some(false),
            detach_keys: None,
            env: Some(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
            cmd: Some(spec.argv.clone()),
            privileged: Some(false),
            user: Some(format!("{}:{}", spec.uid, spec.gid)),
            working_dir: spec.workdir.clone(),
        };
        let created = self.call(Operation::Exec, &id.0, ASK, self.client.create_exec(&id.0, options)).await?;
        let version = self.client.client_version();
        let path = format!("/v{version}/exec/{}/start", created.id);
        match hijack::upgrade(&self.endpoint, &path, r#"{"Detach":false,"Tty":false}"#, ASK).await {
            Ok(Raw { read, write, early }) => Ok(Exec::new(ExecId(created.id), read, &early, write)),
            Err(Refusal::Status(status, words)) => Err(self.refusal(Operation::Exec, &id.0, status, words)),
            Err(Refusal::Connection(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
                Err(Error::Deadline { operation: Operation::Exec, subject: id.0.clone(), after: ASK })
            }
            Err(Refusal::Connection(error)) => {
                Err(Error::Unreachable { endpoint: self.endpoint.to_string(), source: error.into() })
            }
        }
    }

    pub(super) async fn inspect_exec(&self, id: &ExecId) -> Result<ExecState> {
        let found = self.call(Operation::ExecState, &id.0, ASK, self.client.inspect_exec(&id.0)).await?;
        let running = found.running.unwrap_or(true);
        Ok(ExecState { running, exit_code: if running { None } else { found.exit_code } })
    }
}
