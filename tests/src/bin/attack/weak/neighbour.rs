//! A container on the engine's default bridge that has nothing to do with any run. It tells the host when it is reached.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};
use system_tests::{
    docker::docker,
    internet::map::{BRIDGE, NEIGHBOUR},
};

const NAME: &str = "attack-neighbour";

/// Passes what it gets on to the place of its name.
const SCRIPT: &str = "
import socket, sys
server = socket.create_server(('0.0.0.0', 7000))
print('ready', flush=True)
while True:
    client, _ = server.accept()
    client.settimeout(5)
    try:
        got = client.recv(4096)
    except OSError:
        got = b''
    with socket.create_connection((sys.argv[1], 7300)) as call:
        call.sendall(got)
    client.close()
";

/// Removed when dropped.
pub(crate) struct Neighbour;

impl Neighbour {
    /// Starts it as the first container of the bridge.
    ///
    /// # Panics
    /// When it does not come up where it is expected.
    pub(crate) fn start() -> Self {
        let bridge = BRIDGE.to_string();
        let _ = docker(&["run", "--detach", "--name", NAME, "sandbox/base", "python3", "-c", SCRIPT, &bridge]);
        let neighbour = Self;
        let end = Instant::now() + Duration::from_secs(30);
        while !docker(&["logs", NAME]).contains("ready") {
            assert!(Instant::now() < end, "the neighbour is not ready");
            thread::sleep(Duration::from_millis(50));
        }
        let address = docker(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", NAME]);
        assert_eq!(address.trim(), NEIGHBOUR.to_string());
        neighbour
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", NAME]).output();
    }
}
