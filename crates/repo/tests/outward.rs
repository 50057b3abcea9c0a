//! The way out, against hostile work trees and streams.

mod support;

use repo::{ApplyError, HarvestError, apply};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    process::Command,
};
use support::{World, commit, git, plain, plant};
use types::harvest::ChangeKind;

const BRANCH: &str = "sandbox/quiet-otter-1";

#[tokio::test]
async fn a_hostile_work_tree_is_harvested_and_executes_nothing() {
    let world = World::new();
    let (_, mirror) = world.open().await;
    let base = mirror.resolve(None).await.expect("base");
    let work = world.workspace(&mirror, &base, &[]).await;
    let canary = world.temp.path().join("canary");
    plant(&work, &canary);
    fs::write(work.join(".gitattributes"), "* filter=evil diff=evil\n*.bin working-tree-encoding=UTF-16\n")
        .expect("write");
    fs::write(work.join("x.bin"), b"\0\x01\x02").expect("write");
    fs::write(work.join("a\n\u{1b}[2J"), "x").expect("write");
    fs::write(work.join("-rf"), "x").expect("write");
    fs::write(work.join(OsStr::from_bytes(b"latin\xe9")), "x").expect("write");
    std::os::unix::fs::symlink("/etc/passwd", work.join("passwd")).expect("link");
    fs::set_permissions(work.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("chmod");
    fs::remove_file(work.join("gone.txt")).expect("remove");
    fs::create_dir(work.join("target")).expect("dir");
    fs::write(work.join("target/out"), "ignored").expect("write");
    fs::create_dir_all(work.join("nested/.GIT")).expect("dir");
    fs::write(work.join("nested/.GIT/config"), "x").expect("write");
    fs::create_dir_all(work.join("nested/inner")).expect("dir");
    git(&work.join("nested/inner"), &["init", "-q"]);
    fs::write(work.join("nested/inner/code.rs"), "x").expect("write");
    fs::remove_file(work.join("nested/inner/.git/HEAD")).expect("remove");
    for fifo in ["nested/inner/.git/HEAD", "src/.gitignore", "pipe"] {
        assert!(Command::new("mkfifo").arg(work.join(fifo)).status().expect("mkfifo").success());
    }
    let sparse = fs::File::create(work.join("huge")).expect("create");
    sparse.set_len(2 << 30).expect("sparse");

    let (harvest, result) = world.harvest(&mirror, &base).await;
    let mut paths: Vec<_> = harvest.changes.iter().map(|change| change.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "-rf",
            ".gitattributes",
            "a\n\u{1b}[2J",
            "gone.txt",
            "latin\u{fffd}",
            "nested/inner/code.rs",
            "passwd",
            "run.sh",
            "x.bin"
        ]
    );
    let change = |path: &str| harvest.changes.iter().find(|change| change.path == path).expect("change");
    assert_eq!(change("run.sh").new_mode, 0o100_755);
    assert_eq!(change("passwd").new_mode, 0o120_000);
    assert_eq!(change("gone.txt").kind, ChangeKind::Deleted);
    assert_eq!(change("x.bin").added, None);
    assert!(change(".gitattributes").executes.is_some());
    let omitted = harvest.omitted.join("\n");
    for part in [
        "special file: pipe",
        "nested repository, taken as plain files: nested/inner",
        "over 100 MiB",
        "nested/.GIT/config",
    ] {
        assert!(omitted.contains(part), "{part}: {omitted}");
    }
    assert!(!omitted.contains("target/out"));

    let patch = world.temp.path().join("changes.patch");
    result.patch(&harvest, &patch).await.expect("patch");
    let text = fs::read(&patch).expect("read");
    assert!(text.windows(16).any(|part| part == b"GIT binary patch"));
    assert!(!text.contains(&0x1b));
    result.tree_tar(&harvest, "main", &[], &world.temp.path().join("result.tar")).await.expect("tar");
    let verify = world.temp.path().join("verify");
    support::extract(&world.temp.path().join("result.tar"), &verify);
    assert_eq!(fs::read(verify.join("nested/inner/code.rs")).expect("read"), b"x");
    assert_eq!(git(&verify, &["rev-list", "--count", "HEAD"]), "2");
    assert!(!canary.exists(), "{}", fs::read_to_string(&canary).unwrap_or_default());
    // Plain git would wait on these for ever.
    for fifo in ["nested/inner/.git/HEAD", "src/.gitignore"] {
        fs::remove_file(work.join(fifo)).expect("remove");
    }
    plain(&work, &["status"]);
    assert!(canary.exists(), "positive control: plain git executes what was planted");
}

#[tokio::test]
async fn a_replaced_git_directory_and_the_agents_own_commits_do_not_matter() {
    let world = World::new();
    let (_, mirror) = world.open().await;
    let base = mirror.resolve(None).await.expect("base");
    let work = world.workspace(&mirror, &base, &[]).await;
    fs::write(work.join("b.txt"), "x").expect("write");
    commit(&work, "agent's own");
    fs::remove_dir_all(work.join(".git")).expect("remove");
    fs::write(work.join(".git"), "gitdir: /etc\n").expect("write");
    let (harvest, result) = world.harvest(&mirror, &base).await;
    assert_eq!(harvest.changes.len(), 1);
    assert_eq!(
        git(result.path(), &["rev-list", "--parents", "-1", &harvest.commit]),
        format!("{} {}", harvest.commit, base.commit)
    );
    let shown = git(result.path(), &["log", "-1", "--format=%an %ae", &harvest.commit]);
    assert_eq!(shown, "sandbox quiet-otter-1@sandbox.invalid");
}

#[tokio::test]
async fn no_change_gives_the_base() {
    let world = World::new();
    let (_, mirror) = world.open().await;
    let base = mirror.resolve(None).await.expect("base");
    world.workspace(&mirror, &base, &[]).await;
    let (harvest, result) = world.harvest(&mirror, &base).await;
    assert_eq!((harvest.commit.as_str(), harvest.changes.len()), (base.commit.as_str(), 0));
    assert!(harvest.omitted.is_empty(), "{:?}", harvest.omitted);
    let bundle = result.bundle(&harvest, support::RUN, &world.temp.path().join("b")).await;
    assert!(matches!(bundle, Err(HarvestError::Empty)));
}

/// A stream as the job makes it, of a commit made by `make` in a repository that has the base.
fn forged(work: &Path, base: &str, tree: &str, parents: &[&str], author: &str) -> Vec<u8> {
    let mut args = vec!["commit-tree".to_owned(), tree.to_owned(), "-m".into(), "x".into()];
    args.extend(parents.iter().flat_map(|parent| ["-p".to_owned(), (*parent).to_owned()]));
    let made = Command::new("git")
        .args(&args)
        .current_dir(work)
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), author)))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "r@sandbox.invalid")))
        .output()
        .expect("commit-tree");
    let commit = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    assert_eq!(commit.len(), 40, "{}", String::from_utf8_lossy(&made.stderr));
    let revs = work.with_extension("revs");
    fs::write(&revs, format!("{commit}\n^{base}\n")).expect("write");
    let pack = Command::new("git")
        .args(["pack-objects", "-q", "--revs", "--stdout"])
        .current_dir(work)
        .stdin(fs::File::open(&revs).expect("open"))
        .output()
        .expect("pack");
    let manifest = format!("base={base}\0commit={commit}\0tree={tree}\0");
    let mut stream = format!("sandbox-harvest-1 {:010}\n{manifest}", manifest.len()).into_bytes();
    stream.extend(pack.stdout);
    stream
}

/// Writes a tree with one entry of any name, without git's checks.
fn raw_tree(work: &Path, name: &str) -> String {
    let blob = git(work, &["hash-object", "-w", "a.txt"]);
    let mut raw = format!("100644 {name}\0").into_bytes();
    raw.extend((0..20).map(|n| u8::from_str_radix(&blob[2 * n..2 * n + 2], 16).expect("hex")));
    fs::write(work.with_extension("tree"), raw).expect("write");
    let file = work.with_extension("tree");
    git(work, &["hash-object", "-t", "tree", "-w", "--literally", file.to_str().expect("path")])
}

#[tokio::test]
async fn intake_refuses_what_is_not_one_sound_commit_on_the_base() {
    let world = World::new();
    let (_, mirror) = world.open().await;
    let base = mirror.resolve(None).await.expect("base");
    let work = world.workspace(&mirror, &base, &[]).await;
    let id = base.commit.as_str();
    fs::write(work.join("a.txt"), "changed").expect("write");
    git(&work, &["add", "-A"]);
    let tree = git(&work, &["write-tree"]);

    let good = forged(&work, id, &tree, &[id], "sandbox");
    assert!(world.receive(&mirror, &base, &good, "good").await.is_ok(), "positive control");

    let other = git(&work, &["commit-tree", &tree, "-m", "x"]);
    let cases = [
        ("no parent", forged(&work, id, &tree, &[], "sandbox")),
        ("other parent", forged(&work, id, &tree, &[&other], "sandbox")),
        ("two parents", forged(&work, id, &tree, &[id, &other], "sandbox")),
        ("author", forged(&work, id, &tree, &[id], "maintainer")),
        (".git", forged(&work, id, &raw_tree(&work, ".git"), &[id], "sandbox")),
        (".GIT", forged(&work, id, &raw_tree(&work, ".GIT"), &[id], "sandbox")),
        ("git~1", forged(&work, id, &raw_tree(&work, "git~1"), &[id], "sandbox")),
        ("..", forged(&work, id, &raw_tree(&work, ".."), &[id], "sandbox")),
        ("slash", forged(&work, id, &raw_tree(&work, "a/b"), &[id], "sandbox")),
        ("cut", good[..good.len() - 30].to_vec()),
        ("flipped", {
            let mut bytes = good.clone();
            let n = bytes.len() - 40;
            bytes[n] ^= 0x55;
            bytes
        }),
        ("nothing", Vec::new()),
        ("other base", forged(&work, &other, &tree, &[&other], "sandbox")),
    ];
    for (name, stream) in cases {
        let refused = world.receive(&mirror, &base, &stream, "bad").await;
        assert!(refused.is_err(), "{name}");
        assert!(!world.temp.path().join("bad").exists(), "{name} left something behind");
    }
}

#[tokio::test]
async fn a_branch_is_made_and_the_work_tree_stays() {
    let world = World::new();
    let (user, mirror) = world.open().await;
    let base = mirror.resolve(None).await.expect("base");
    let work = world.workspace(&mirror, &base, &[]).await;
    fs::write(work.join("a.txt"), "one\ntwo\nTHREE\n").expect("write");
    let (harvest, result) = world.harvest(&mirror, &base).await;
    let bundle = world.temp.path().join("changes.bundle");
    result.bundle(&harvest, support::RUN, &bundle).await.expect("bundle");
    git(result.path(), &["bundle", "verify", "-q", bundle.to_str().expect("path")]);

    fs::write(world.user.join("dirty.txt"), "mine").expect("write");
    apply::branch(&user, &bundle, &harvest, BRANCH).await.expect("branch");
    apply::branch(&user, &bundle, &harvest, BRANCH).await.expect("again");
    assert_eq!(git(&world.user, &["rev-parse", BRANCH]), harvest.commit);
    assert_eq!(git(&world.user, &["status", "--porcelain"]), "?? dirty.txt");
    assert_eq!(git(&world.user, &["branch", "--show-current"]), "main");
    assert!(git(&world.user, &["fsck", "--full"]).is_empty());

    git(&world.user, &["update-ref", "refs/heads/sandbox/quiet-otter-1", &base.commit]);
    let exists = apply::branch(&user, &bundle, &harvest, BRANCH).await;
    assert!(matches!(exists, Err(ApplyError::BranchExists { .. })), "{exists:?}");
    for bad in ["main", "sandbox/../main", "sandbox/", "-x"] {
        assert!(matches!(apply::branch(&user, &bundle, &harvest, bad).await, Err(ApplyError::Branch { .. })), "{bad}");
    }
}

#[tokio::test]
async fn staging_merges_or_changes_nothing() {
    let world = World::new();
    let (user, mirror) = world.open().await;
    let base = mirror.resolve(None).await.expect("base");
    let work = world.workspace(&mirror, &base, &[]).await;
    fs::write(work.join("a.txt"), "one\ntwo\nTHREE\n").expect("write");
    fs::write(work.join("new.txt"), "new\n").expect("write");
    let (harvest, result) = world.harvest(&mirror, &base).await;
    let bundle = world.temp.path().join("changes.bundle");
    result.bundle(&harvest, support::RUN, &bundle).await.expect("bundle");

    fs::write(world.user.join("a.txt"), "dirty").expect("write");
    assert!(matches!(apply::stage(&user, &bundle, &harvest).await, Err(ApplyError::Dirty)));
    git(&world.user, &["checkout", "-q", "a.txt"]);
    fs::write(world.user.join("new.txt"), "in the way").expect("write");
    let way = apply::stage(&user, &bundle, &harvest).await;
    assert!(matches!(way, Err(ApplyError::InTheWay { .. })), "{way:?}");
    assert_eq!(fs::read_to_string(world.user.join("a.txt")).expect("read"), "one\ntwo\nthree\n");
    fs::remove_file(world.user.join("new.txt")).expect("remove");

    // The user went on elsewhere: both changes stand.
    fs::write(world.user.join("src/lib.rs"), "pub fn g() {}\n").expect("write");
    commit(&world.user, "went on");
    apply::stage(&user, &bundle, &harvest).await.expect("staged");
    assert_eq!(git(&world.user, &["status", "--porcelain"]), "M  a.txt\nA  new.txt");
    assert_eq!(fs::read_to_string(world.user.join("a.txt")).expect("read"), "one\ntwo\nTHREE\n");
    git(&world.user, &["reset", "-q", "--hard"]);

    fs::write(world.user.join("a.txt"), "one\ntwo\n3\n").expect("write");
    commit(&world.user, "conflicting");
    let conflict = apply::stage(&user, &bundle, &harvest).await;
    assert!(matches!(&conflict, Err(ApplyError::Conflict { paths }) if paths == &["a.txt"]), "{conflict:?}");
    assert_eq!(git(&world.user, &["status", "--porcelain"]), "");
    assert!(!world.user.join(".git/index.lock").exists());
}
