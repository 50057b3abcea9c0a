//! The way in, against hostile and leaky user repositories.

mod support;

use std::{fs, path::Path, process::Command};
use support::{World, commit, git, plain, plant};

#[tokio::test]
async fn only_what_the_base_reaches_is_inside() {
    let world = World::new();
    fs::write(world.user.join("a.txt"), "s3cret-in-stash").expect("write");
    git(&world.user, &["stash"]);
    git(&world.user, &["checkout", "-q", "-b", "other"]);
    fs::write(world.user.join("b.txt"), "s3cret-on-branch").expect("write");
    commit(&world.user, "other");
    let hidden = git(&world.user, &["rev-parse", "other:b.txt"]);
    git(&world.user, &["checkout", "-q", "main"]);
    fs::write(world.user.join(".env"), "s3cret-untracked").expect("write");
    git(&world.user, &["remote", "add", "origin", "https://me:s3cret-token@forge.example/o/r.git"]);
    git(&world.user, &["remote", "add", "bad", "ext::sh -c id"]);

    let (user, mirror) = world.open().await;
    let (remotes, notes) = user.remotes().await.expect("remotes");
    assert_eq!((remotes.len(), notes.len()), (1, 1), "{remotes:?} {notes:?}");
    let base = mirror.resolve(None).await.expect("base");
    assert_eq!((base.branch.as_str(), base.subject.as_str()), ("main", "first"));
    let work = world.workspace(&mirror, &base, &remotes).await;

    assert_eq!(git(&work, &["status", "--porcelain"]), "");
    assert_eq!(git(&work, &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(git(&work, &["remote", "get-url", "origin"]), "https://forge.example/o/r.git");
    assert!(!plain(&work, &["cat-file", "-e", &hidden]).status.success());
    assert!(plain(&work, &["cat-file", "-e", "HEAD:a.txt"]).status.success(), "positive control");
    assert!(git(&work, &["fsck", "--full"]).is_empty());
    for absent in ["hooks", "logs", "info/attributes", "FETCH_HEAD"] {
        assert!(!work.join(".git").join(absent).exists(), "{absent}");
    }
    let grep = Command::new("grep").args(["-rl", "s3cret"]).arg(world.temp.path().join("workspace")).output();
    assert_eq!(String::from_utf8_lossy(&grep.expect("grep").stdout), "");
}

#[tokio::test]
async fn the_tar_belongs_to_the_agent_and_is_made_once() {
    let world = World::new();
    std::os::unix::fs::symlink("/etc/passwd", world.user.join("link")).expect("link");
    let deep = world.user.join("d".repeat(120)).join("e".repeat(120));
    fs::create_dir_all(&deep).expect("dirs");
    fs::write(deep.join("-odd\nname"), "x").expect("write");
    commit(&world.user, "odd");
    let (_, mirror) = world.open().await;
    let base = mirror.resolve(Some("main")).await.expect("base");
    let tar = mirror.snapshot(&base, &[]).await.expect("snapshot");
    let listing = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(&tar).output().expect("tar");
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    assert!(listing.starts_with("drwxr-xr-x 1000/1000"), "{listing}");
    assert!(listing.lines().next().is_some_and(|line| line.ends_with(" ./")), "{listing}");
    assert!(listing.lines().all(|line| line.contains(" 1000/1000 ")), "{listing}");
    assert!(listing.contains("link -> /etc/passwd"));
    let made = fs::metadata(&tar).and_then(|found| found.modified()).expect("time");
    assert_eq!(mirror.snapshot(&base, &[]).await.expect("again"), tar);
    assert_eq!(fs::metadata(&tar).and_then(|found| found.modified()).expect("time"), made);
    let work = world.workspace(&mirror, &base, &[]).await;
    assert_eq!(git(&work, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn nothing_of_the_users_configuration_executes() {
    let world = World::new();
    let canary = world.temp.path().join("canary");
    plant(&world.user, &canary);
    git_triggers(&world.user, &canary);

    let (user, mirror) = world.open().await;
    user.remotes().await.expect("remotes");
    let base = mirror.resolve(None).await.expect("base");
    let work = world.workspace(&mirror, &base, &[]).await;
    fs::write(work.join("a.txt"), "one\ntwo\nTHREE\n").expect("write");
    let (harvest, result) = world.harvest(&mirror, &base).await;
    let bundle = world.temp.path().join("changes.bundle");
    result.bundle(&harvest, support::RUN, &bundle).await.expect("bundle");
    repo::apply::branch(&user, &bundle, &harvest, "sandbox/quiet-otter-1").await.expect("branch");
    repo::apply::stage(&user, &bundle, &harvest).await.expect("stage");
    assert!(!canary.exists(), "{}", fs::read_to_string(&canary).unwrap_or_default());
    assert_eq!(fs::read_to_string(world.user.join("a.txt")).expect("read"), "one\ntwo\nTHREE\n");
}

/// Positive control: plain git does execute what was planted.
fn git_triggers(dir: &Path, canary: &Path) {
    plain(dir, &["status"]);
    assert!(canary.exists(), "the plants are dead");
    fs::remove_file(canary).expect("reset");
}

#[tokio::test]
async fn planted_core_worktree_does_not_move_the_root() {
    let world = World::new();
    git(&world.user, &["config", "core.worktree", "/etc"]);
    let (user, mirror) = world.open().await;
    assert_eq!(user.root(), world.user.canonicalize().expect("path"));
    let base = mirror.resolve(None).await.expect("base");
    assert!(mirror.snapshot(&base, &[]).await.is_ok());
}

#[tokio::test]
async fn odd_revisions_and_places_are_errors() {
    let world = World::new();
    let (_, mirror) = world.open().await;
    for bad in ["", "--all", "nope", "main..main", "main:a.txt", "main\n", "-x"] {
        assert!(matches!(mirror.resolve(Some(bad)).await, Err(repo::RepoError::Revision { .. })), "{bad:?}");
    }
    let outside = tempfile::tempdir().expect("temp");
    assert!(matches!(repo::UserRepo::discover(outside.path()).await, Err(repo::RepoError::NotFound { .. })));
}

#[tokio::test]
async fn shallow_clones_and_linked_work_trees_are_taken() {
    let world = World::new();
    fs::write(world.user.join("a.txt"), "2").expect("write");
    commit(&world.user, "second");
    let shallow = world.temp.path().join("shallow");
    let url = format!("file://{}", world.user.display());
    git(world.temp.path(), &["clone", "-q", "--depth=1", &url, "shallow"]);
    git(&shallow, &["worktree", "add", "-q", "-b", "side", "../linked"]);
    let user = repo::UserRepo::discover(&world.temp.path().join("linked/src")).await.expect("discovered");
    let (mut linked, cache) = (world, "cache");
    linked.user = user.root().to_owned();
    let mirror = repo::Mirror::open(&linked.temp.path().join(cache), &user).expect("mirror");
    let base = mirror.resolve(None).await.expect("base");
    assert_eq!(base.branch, "side");
    let work = linked.workspace(&mirror, &base, &[]).await;
    assert_eq!(git(&work, &["rev-list", "--count", "HEAD"]), "1");
    fs::write(work.join("a.txt"), "3").expect("write");
    let (harvest, _) = linked.harvest(&mirror, &base).await;
    assert_eq!(harvest.changes.len(), 1);
}
