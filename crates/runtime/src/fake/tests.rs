use super::*;
use crate::{
    Archive, Ended, Fill, OutputLimits, labels,
    spec::{Mount, tests::sample},
};
use tokio::{io::AsyncWriteExt, time::Instant};

fn limits(max_bytes: u64, millis: u64) -> OutputLimits {
    OutputLimits { max_bytes, deadline: Instant::now() + Duration::from_millis(millis) }
}

fn command(argv: &[&str], stdin: bool) -> ExecSpec {
    let argv = argv.iter().map(ToString::to_string).collect();
    ExecSpec { argv, uid: 1000, gid: 1000, stdin, ..ExecSpec::default() }
}

/// Plays `cat`, `fail`, and `hang`.
fn place() -> Fake {
    Fake::new(|mut exec| async move {
        match exec.spec.argv[0].as_str() {
            "cat" => {
                let mut all = Vec::new();
                exec.io.read_to_end(&mut all).await.expect("stdin");
                exec.io.write_all(&all).await.expect("stdout");
                exec.stderr.write_all(b"done\n").await.expect("stderr");
                0
            }
            "fail" => {
                exec.io.write_all(b"0123456789").await.expect("stdout");
                3
            }
            _ => std::future::pending().await,
        }
    })
    .with_image("sandbox/base")
}

async fn running(fake: &Fake) -> ContainerId {
    let id = fake.create(&sample()).await.expect("create");
    fake.start(&id).await.expect("start");
    id
}

#[tokio::test]
async fn streams_half_close_and_stderr_goes_aside() {
    let fake = place();
    let id = running(&fake).await;
    let exec = fake.exec(&id, &command(&["cat"], true)).await.expect("exec");
    let exec_id = exec.id().clone();
    let (mut io, stderr) = exec.into_io();
    io.write_all(b"hello").await.expect("write");
    io.shutdown().await.expect("half-close");
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.expect("read");
    assert_eq!((answer.as_str(), stderr.text().as_str()), ("hello", "done\n"));
    assert_eq!(fake.exec_state(&exec_id).await.expect("state").exit_code, Some(0));
}

#[tokio::test]
async fn output_is_capped_counted_and_bounded_in_time() {
    let fake = place();
    let id = running(&fake).await;
    let mut log = Vec::new();
    let done = fake.exec_output(&id, &command(&["fail"], false), &mut log, limits(4, 5000)).await.expect("run");
    assert_eq!((done.ended, done.written, done.dropped, log.as_slice()), (Ended::Exited(3), 4, 6, &b"0123"[..]));
    let late = fake.exec_output(&id, &command(&["hang"], false), &mut log, limits(4, 50)).await.expect("run");
    assert_eq!(late.ended, Ended::TimedOut);
}

#[tokio::test]
async fn everything_in_a_container_ends_with_it() {
    let fake = place();
    let id = running(&fake).await;
    let hanging = fake.exec(&id, &command(&["hang"], true)).await.expect("exec");
    let exec_id = hanging.id().clone();
    let (mut io, _stderr) = hanging.into_io();
    let (state, read) = tokio::join!(fake.wait(&id, Duration::from_secs(5)), async {
        fake.kill(&id).await.expect("kill");
        let mut bytes = Vec::new();
        tokio::time::timeout(Duration::from_secs(5), io.read_to_end(&mut bytes)).await.expect("in time").expect("end")
    });
    assert_eq!((state.expect("state").exit_code, read), (Some(137), 0));
    assert_eq!(fake.exec_state(&exec_id).await.expect("state").exit_code, Some(137));
    assert!(fake.exec(&id, &command(&["cat"], false)).await.is_err());
    fake.remove(&id).await.expect("remove");
    fake.remove(&id).await.expect("absent is fine");
    assert!(fake.inspect(&id).await.expect_err("gone").is_not_found());
}

#[tokio::test]
async fn failures_come_at_the_call_that_the_test_names() {
    let fake = place();
    fake.fail_before(Operation::Create, 1);
    assert!(fake.create(&sample()).await.is_err());
    assert!(fake.list(&Labels::new()).await.expect("list").is_empty());
    fake.fail_after(Operation::Create, 2);
    assert!(fake.create(&sample()).await.is_err());
    assert_eq!(fake.list(&sample().labels).await.expect("list").len(), 1);
    assert!(fake.create(&sample()).await.expect_err("taken").is_conflict());
    fake.set_reachable(false);
    assert!(fake.create(&sample()).await.expect_err("gone").is_unreachable());
    let wanted =
        [Operation::Create, Operation::List, Operation::Create, Operation::List, Operation::Create, Operation::Create];
    assert_eq!(fake.calls().iter().map(|call| call.operation).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn archives_go_into_writable_volumes_only() {
    let fake = place();
    let id = fake.create(&sample()).await.expect("create");
    fake.upload(&id, "/workspace", Archive::from(vec![1])).await.expect("writable");
    fake.upload(&id, "/workspace/src", Archive::stream(&b"2"[..])).await.expect("writable");
    for path in ["/opt/sandbox", "/etc"] {
        assert!(fake.upload(&id, path, Archive::from(vec![3])).await.is_err(), "{path}");
    }
    assert_eq!(fake.uploads().len(), 2);
}

fn fill() -> Fill {
    Fill::Tar { image: "sandbox/base".into(), tar: Bytes::from_static(b"tar"), witness: "guest".into() }
}

async fn fills(fake: &Fake) -> (usize, usize) {
    let count =
        async |key: &str| fake.list_volumes(&Labels::from([(key.into(), String::new())])).await.expect("list").len();
    (count(labels::FILL).await, count(labels::FILLED).await)
}

#[tokio::test]
async fn content_is_filled_once() {
    let fake = place();
    let first = fake.filled_volume("guest", &Labels::new(), &fill()).await.expect("fill");
    let second = fake.filled_volume("guest", &Labels::new(), &fill()).await.expect("fill");
    assert_eq!((first == second, fake.uploads().len(), fills(&fake).await), (true, 1, (1, 1)));
    assert!(fake.list(&Labels::new()).await.expect("list").is_empty(), "the helper is gone");
    let other = Fill::Tar { image: "sandbox/base".into(), tar: Bytes::from_static(b"tar2"), witness: "guest".into() };
    assert_ne!(fake.filled_volume("guest", &Labels::new(), &other).await.expect("fill"), first);
}

#[tokio::test]
async fn two_at_once_agree_on_one_volume() {
    let fake = place();
    let none = Labels::new();
    let one = fill();
    let (a, b, c) = tokio::join!(
        fake.filled_volume("guest", &none, &one),
        fake.filled_volume("guest", &none, &one),
        fake.filled_volume("guest", &none, &one)
    );
    assert_eq!(a.as_ref().ok(), b.as_ref().ok());
    assert_eq!(a.expect("fill"), c.expect("fill"));
    assert_eq!(fills(&fake).await, (1, 1), "losers clean up");
}

/// Every call of a fill fails once, before and after its effect; the next try must succeed, and what is handed out must have
/// been filled.
#[tokio::test]
async fn a_fill_that_fails_anywhere_never_hands_out_a_half() {
    let probe = place();
    probe.filled_volume("guest", &Labels::new(), &fill()).await.expect("fill");
    let mut counts = std::collections::HashMap::new();
    for call in probe.calls() {
        let nth = counts.entry(call.operation).or_insert(0usize);
        *nth += 1;
        for after in [false, true] {
            let fake = place();
            if after {
                fake.fail_after(call.operation, *nth)
            } else {
                fake.fail_before(call.operation, *nth)
            }
            let failed = fake.filled_volume("guest", &Labels::new(), &fill()).await;
            assert!(failed.is_err(), "{:?} {nth} must fail", call.operation);
            let volume = fake.filled_volume("guest", &Labels::new(), &fill()).await.expect("second try");
            let filled: Vec<_> = fake.uploads().into_iter().map(|(name, ..)| name).collect();
            assert!(filled.contains(&volume), "{volume} was handed out, {filled:?} were filled");
        }
    }
}

#[tokio::test]
async fn a_marker_without_its_volume_is_replaced() {
    let fake = place();
    let none = Labels::new();
    let first = fake.filled_volume("guest", &none, &fill()).await.expect("fill");
    fake.remove_volume(&first).await.expect("remove");
    // An engine makes a volume that a mount names, empty and without labels.
    let mut spec = sample();
    spec.mounts = vec![Mount::read_only(&first, "/opt/sandbox")];
    fake.create(&spec).await.expect("create");
    let second = fake.filled_volume("guest", &none, &fill()).await.expect("fill again");
    assert_ne!(first, second);
    fake.hide_path("/fill/guest");
    fake.remove_volume(&second).await.expect("remove");
    assert!(matches!(fake.filled_volume("guest", &none, &fill()).await, Err(Error::FillIncomplete { .. })));
}
