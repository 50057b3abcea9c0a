//! Builds the static guest that the binary carries, so that `cargo build` or `cargo install` alone produces everything.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() -> Result<(), String> {
    let var = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
    let workspace = PathBuf::from(var("CARGO_MANIFEST_DIR")?).join("../..");
    let (target, out) = (var("TARGET")?, PathBuf::from(var("OUT_DIR")?));
    for part in ["crates/guest", "crates/channel", "crates/types", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(part).display());
    }
    let target_dir = out.join("guest-target");
    let mut cargo = Command::new(var("CARGO")?);
    // An explicit target keeps build scripts and proc-macros out of crt-static, under which they cannot be loaded.
    cargo
        .args(["build", "--package", "guest", "--profile", "guest", "--target", &target, "--target-dir"])
        .arg(&target_dir)
        .current_dir(&workspace)
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    for inherited in ["CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"] {
        cargo.env_remove(inherited);
    }
    let status = cargo.status().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!("the guest was not built: {status}"));
    }
    let guest = target_dir.join(&target).join("guest").join("guest");
    check_static(&guest)?;
    fs::copy(&guest, out.join("guest")).map(drop).map_err(|error| format!("{}: {error}", guest.display()))
}

/// A program that asks for a dynamic loader would not start in an image with another C library.
fn check_static(path: &Path) -> Result<(), String> {
    const PT_INTERP: u32 = 3;
    let elf = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let field = |at: usize, size: usize| -> Option<u64> {
        let bytes = elf.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    };
    let read = || -> Option<bool> {
        let (table, entry, count) = (field(32, 8)?, field(54, 2)?, field(56, 2)?);
        let mut kinds = (0..count).map(|n| field(usize::try_from(table + n * entry).ok()?, 4));
        Some(kinds.all(|kind| kind.is_some_and(|kind| kind != u64::from(PT_INTERP))))
    };
    match read() {
        Some(true) => Ok(()),
        Some(false) => Err(format!("{} is not static", path.display())),
        None => Err(format!("{} is not a 64-bit little-endian ELF file", path.display())),
    }
}
