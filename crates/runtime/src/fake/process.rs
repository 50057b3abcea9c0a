//! A process in the fake place: a function of the test, with streams that look like an engine's.

use super::{Handler, world::World};
use crate::{
    frames::Output,
    process::Exec,
    spec::{ExecId, ExecSpec},
};
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::Mutex as AsyncMutex,
};

/// Bytes that a stream holds before its writer waits.
const PIPE: usize = 64 * 1024;

/// What the test's function gets to play a process.
pub struct FakeExec {
    /// The container's name.
    pub container: String,
    /// What was asked to run.
    pub spec: ExecSpec,
    /// Reading it is the process's stdin, writing it is its stdout.
    pub io: DuplexStream,
    /// Writing it is the process's stderr.
    pub stderr: DuplexStream,
}

/// Connects a process and returns it with the task that plays it.
pub(super) fn start(
    id: &ExecId,
    container: String,
    spec: ExecSpec,
    handler: Handler,
    world: Arc<Mutex<World>>,
) -> (Exec, impl Future<Output = ()> + Send + 'static) {
    // Towards the caller: frames. From the caller: plain stdin.
    // Duplex pipes, of which one direction is used: unlike simplex ones they end when an end is dropped.
    let (frames_in, frames_out) = duplex(PIPE);
    let (stdin_in, stdin_out) = duplex(PIPE);
    let (inside, outside) = duplex(PIPE);
    let (stderr_in, stderr) = duplex(PIPE);
    let exec = Exec::new(id.clone(), Box::new(frames_in), &[], Box::new(stdin_out));
    let id = id.clone();
    let wants_stdin = spec.stdin;
    let task = async move {
        let (mut from_process, mut to_process) = tokio::io::split(outside);
        let frames_out = AsyncMutex::new(frames_out);
        let feed = async move {
            if wants_stdin {
                let mut stdin_in = stdin_in;
                // Either end may hang up first; that is the process's own affair.
                let _hung_up = tokio::io::copy(&mut stdin_in, &mut to_process).await;
            }
            let _hung_up = to_process.shutdown().await;
        };
        let play = handler(FakeExec { container, spec, io: inside, stderr });
        let outputs = async {
            tokio::join!(
                relay(&mut from_process, Output::Stdout, &frames_out),
                relay(stderr_in, Output::Stderr, &frames_out)
            )
        };
        let played = async { tokio::join!(play, outputs).0 };
        // Stdin is fed until the process ends, not longer.
        let exit_code = {
            let mut played = std::pin::pin!(played);
            tokio::select! {
                code = &mut played => code,
                () = feed => played.await,
            }
        };
        world.lock().unwrap_or_else(PoisonError::into_inner).exited(&id, exit_code);
        let _hung_up = frames_out.into_inner().shutdown().await;
    };
    (exec, task)
}

/// Wraps what the process writes into frames until it closes the stream or the caller hangs up.
async fn relay(mut from: impl tokio::io::AsyncRead + Unpin, output: Output, frames: &AsyncMutex<DuplexStream>) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let kind = match output {
            Output::Stdout => 1,
            Output::Stderr => 2,
        };
        let [a, b, c, d] = (count as u32).to_be_bytes();
        let mut frame = vec![kind, 0, 0, 0, a, b, c, d];
        frame.extend_from_slice(&buffer[..count]);
        if frames.lock().await.write_all(&frame).await.is_err() {
            return;
        }
    }
}
