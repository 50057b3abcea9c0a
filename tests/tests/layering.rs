//! The crates and the only arrows allowed between them. A new arrow is a decision: change it here on purpose.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

const ARROWS: [(&str, &[&str]); 12] = [
    ("types", &[]),
    ("gate", &["types"]),
    ("agents", &["types"]),
    ("egress", &["types"]),
    ("repo", &["types"]),
    ("runtime", &["types"]),
    ("store", &["types"]),
    ("channel", &["types"]),
    ("guest", &["channel", "types"]),
    ("engine", &["agents", "channel", "egress", "gate", "repo", "runtime", "store", "types"]),
    ("cli", &["engine", "types"]),
    ("system-tests", &["agents", "channel", "egress", "gate", "runtime", "types"]),
];

#[test]
fn crates_depend_only_along_the_arrows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("json");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().expect("name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let found: BTreeMap<String, BTreeSet<String>> = packages
        .iter()
        .map(|package| {
            let arrows = package["dependencies"].as_array().expect("dependencies").iter();
            let normal = arrows.filter(|arrow| arrow["kind"].is_null()).map(name).filter(|name| ours.contains(name));
            (name(package), normal.collect())
        })
        .collect();
    let allowed = ARROWS.map(|(from, to)| (from.to_owned(), to.iter().map(|name| (*name).to_owned()).collect()));
    assert_eq!(found, BTreeMap::from(allowed));
}
