//! Recipes: the files of a build, its arguments, and the digest that tells two of them apart.

use super::certificates;
use crate::{
    archive::{ArchiveBuilder, Owner},
    error::{Error, Result},
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The name under which a build finds the host's CA certificates.
const HOST_CA: &str = "host-ca.crt";

/// The version of Claude Code whose image is built unless another is asked for.
pub const CLAUDE_VERSION: &str = "2.1.329";

/// An image to build.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub(super) reference: String,
    /// Name and content.
    pub(super) files: Vec<(&'static str, String)>,
    pub(super) args: BTreeMap<String, String>,
    pub(super) parent: Parent,
}

/// What the recipe's image is made on top of.
#[derive(Clone, Debug)]
pub(super) enum Parent {
    /// An image of the distribution.
    Debian,
    /// An image of ours.
    Recipe(Box<Recipe>),
}

impl Recipe {
    /// `sandbox/base`: the default environment, with this machine's CA certificates trusted.
    #[must_use]
    pub fn base() -> Self {
        Self {
            reference: "sandbox/base".to_owned(),
            files: vec![
                ("Dockerfile", include_str!("../../../../images/base/Dockerfile").to_owned()),
                ("trust-host-ca", include_str!("../../../../images/base/trust-host-ca").to_owned()),
                (HOST_CA, certificates::of_host()),
            ],
            args: BTreeMap::new(),
            parent: Parent::Debian,
        }
    }

    /// `sandbox/claude:VERSION`: Claude Code's binary at `/opt/claude/claude`, on top of the base.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a version that is not made of digits, letters, dots and dashes.
    pub fn claude(version: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        if version.is_empty()
            || version.len() > 40
            || !version.starts_with(|c: char| c.is_ascii_digit())
            || !version.bytes().all(plain)
        {
            let text = types::text::printable(version, 60);
            return Err(Error::Invalid {
                what: "version",
                text,
                reason: "digits, letters, dots and dashes are needed",
            });
        }
        Ok(Self {
            reference: format!("sandbox/claude:{version}"),
            files: vec![("Dockerfile", include_str!("../../../../images/claude/Dockerfile").to_owned())],
            args: BTreeMap::from([("VERSION".to_owned(), version.to_owned())]),
            parent: Parent::Recipe(Box::new(Self::base())),
        })
    }

    /// Every image of ours, with the agents in their default versions.
    ///
    /// # Errors
    /// Never for versions that are part of the program.
    pub fn all() -> Result<Vec<Self>> {
        Ok(vec![Self::base(), Self::claude(CLAUDE_VERSION)?])
    }

    /// The name under which the image is found: `sandbox/claude:2.1.329`.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Everything that this recipe itself adds, in hex. Its parent has a digest of its own: a new base does not rebuild the
    /// agent's image, from which only one file is taken.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let args = self.args.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (name, content) in self.files.iter().map(|(name, content)| (*name, content.as_str())).chain(args) {
            for part in [name, content] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hex::encode(hash.finalize())
    }

    /// The build's files as an archive.
    pub(super) fn context(&self) -> std::io::Result<Vec<u8>> {
        self.files
            .iter()
            .try_fold(ArchiveBuilder::default(), |archive, (name, content)| {
                archive.file(name, content.as_bytes(), Owner::root(0o644))
            })?
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_recipe_has_another_digest() {
        let one = Recipe::base();
        assert_eq!(one.digest(), Recipe::base().digest());
        let mut other = one.clone();
        other.files[0].1.push('#');
        assert_ne!(one.digest(), other.digest());
        let claude = |version| Recipe::claude(version).expect("valid").digest();
        assert_ne!(claude("2.1.329"), claude("2.1.330"));
        for bad in ["", "latest", "1;id", "1 2", "../1", "1$(id)"] {
            assert!(Recipe::claude(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn recipes_name_no_host_and_hold_what_they_copy() {
        for recipe in [Recipe::base(), Recipe::claude("2.1.329").expect("valid")] {
            let file = &recipe.files[0].1;
            assert!(!file.contains("://"), "{}", recipe.reference);
            for line in file.lines().filter(|line| line.starts_with("COPY ")) {
                let source = line.split(' ').nth(1).expect("source");
                assert!(recipe.files.iter().any(|(name, _)| *name == source), "{line}");
            }
            assert!(!recipe.context().expect("context").is_empty());
        }
    }
}
