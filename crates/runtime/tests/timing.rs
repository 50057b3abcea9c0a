//! What the steps of a start cost on this engine, beside a plain container of the same image. Asked for by name:
//! `cargo test --release -p runtime --test timing -- --ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use runtime::{
    ArchiveBuilder, ContainerSpec, Docker, ExecSpec, Fill, Labels, Limits, Mount, OutputLimits, Owner, Runtime, Tmpfs,
    images::Recipe, labels,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

const ROUNDS: usize = 15;

#[derive(Default)]
struct Steps(Vec<(&'static str, Vec<f64>)>);

impl Steps {
    fn note(&mut self, step: &'static str, since: &mut Instant) {
        let millis = since.elapsed().as_secs_f64() * 1e3;
        match self.0.iter_mut().find(|(name, _)| *name == step) {
            Some((_, all)) => all.push(millis),
            None => self.0.push((step, vec![millis])),
        }
        *since = Instant::now();
    }

    fn print(&mut self) {
        for (name, all) in &mut self.0 {
            all.sort_by(f64::total_cmp);
            println!(
                "{name:28} median {:7.1} ms   best {:7.1}   worst {:7.1}",
                all[all.len() / 2],
                all[0],
                all[all.len() - 1]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn steps_of_a_start() {
    let docker = Docker::connect().await.expect("an engine");
    docker.ensure_image(&Recipe::base(), &mut |_| ()).await.expect("image");
    let marks = BTreeMap::from([(labels::RUN.to_owned(), format!("rt-timing-{}", std::process::id()))]);
    let mut steps = Steps::default();
    let tar = ArchiveBuilder::default()
        .file("f", &[7; 1 << 20], Owner { uid: 1000, gid: 1000, mode: 0o644 })
        .and_then(ArchiveBuilder::finish)
        .expect("tar");
    for round in 0..ROUNDS {
        let name = format!("rt-timing-{}-{round}", std::process::id());
        let mut at = Instant::now();
        docker.create_volume(&name, &marks).await.expect("volume");
        steps.note("volume", &mut at);
        let spec = ContainerSpec {
            name: name.clone(),
            labels: marks.clone(),
            image: "sandbox/base".to_owned(),
            command: vec!["/bin/sleep".to_owned(), "60".to_owned()],
            uid: 65_530,
            gid: 65_530,
            env: BTreeMap::new(),
            workdir: "/".to_owned(),
            mounts: vec![Mount { copy_up: true, ..Mount::writable(&name, "/workspace") }],
            tmpfs: vec![Tmpfs { target: "/tmp".to_owned(), size_mb: 64, uid: 0, gid: 0, mode: 0o1777, exec: true }],
            limits: Limits::default(),
            oci_runtime: None,
        };
        let id = docker.create(&spec).await.expect("create");
        steps.note("create", &mut at);
        docker.upload(&id, "/workspace", tar.clone().into()).await.expect("upload");
        steps.note("upload 1 MiB", &mut at);
        docker.start(&id).await.expect("start");
        steps.note("start", &mut at);
        let echo =
            ExecSpec { argv: vec!["/bin/cat".to_owned()], uid: 1000, gid: 1000, stdin: true, ..ExecSpec::default() };
        let (mut io, _) = docker.exec(&id, &echo).await.expect("exec").into_io();
        steps.note("exec (create and attach)", &mut at);
        io.write_all(b"x").await.expect("write");
        io.read_exact(&mut [0]).await.expect("read");
        steps.note("exec, first byte back", &mut at);
        io.write_all(b"x").await.expect("write");
        io.read_exact(&mut [0]).await.expect("read");
        steps.note("one byte there and back", &mut at);
        let truth = ExecSpec { argv: vec!["/bin/true".to_owned()], uid: 1000, gid: 1000, ..ExecSpec::default() };
        let limits = OutputLimits { max_bytes: 0, deadline: Instant::now() + Duration::from_secs(30) };
        docker.exec_output(&id, &truth, &mut tokio::io::sink(), limits).await.expect("true");
        steps.note("exec true to its status", &mut at);
        if round == 0 {
            let (mut read, mut write) = tokio::io::split(io);
            let total = 256usize << 20;
            let since = Instant::now();
            tokio::join!(
                async {
                    let block = vec![1; 1 << 16];
                    for _ in 0..total / block.len() {
                        write.write_all(&block).await.expect("write");
                    }
                },
                async {
                    let mut left = total;
                    let mut block = vec![0; 1 << 18];
                    while left > 0 {
                        left -= read.read(&mut block).await.expect("read");
                    }
                }
            );
            println!("cat, both ways at once         {:7.0} MiB/s", 256.0 / since.elapsed().as_secs_f64());
            let pour = ["/usr/bin/head", "-c", "268435456", "/dev/zero"].map(str::to_owned).to_vec();
            let since = Instant::now();
            let limits = OutputLimits { max_bytes: u64::MAX, deadline: Instant::now() + Duration::from_secs(60) };
            let pour = ExecSpec { argv: pour, uid: 1000, gid: 1000, ..ExecSpec::default() };
            docker.exec_output(&id, &pour, &mut tokio::io::sink(), limits).await.expect("pour");
            println!("out of the container           {:7.0} MiB/s", 256.0 / since.elapsed().as_secs_f64());
        }
        at = Instant::now();
        docker.remove(&id).await.expect("remove");
        steps.note("remove running", &mut at);
        docker.remove_volume(&name).await.expect("remove");
        steps.note("remove volume", &mut at);
    }
    let agent =
        Fill::Image { image: "sandbox/claude:2.1.329".into(), path: "/opt/claude".into(), witness: "claude".into() };
    if docker.image_id("sandbox/claude:2.1.329").await.expect("look").is_some() {
        let mut at = Instant::now();
        let volume = docker.filled_volume("rt-timing-agent", &marks, &agent).await.expect("fill");
        steps.note("fill the agent's volume", &mut at);
        for _ in 0..5 {
            at = Instant::now();
            docker.filled_volume("rt-timing-agent", &marks, &agent).await.expect("fill");
            steps.note("find the agent's volume", &mut at);
        }
        docker.remove_volume(&volume).await.expect("remove");
    }
    for volume in
        docker.list_volumes(&Labels::from([(labels::RUN.to_owned(), marks[labels::RUN].clone())])).await.expect("list")
    {
        docker.remove_volume(&volume.name).await.expect("remove");
    }
    steps.print();
}
