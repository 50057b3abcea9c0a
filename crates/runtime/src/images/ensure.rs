//! Making sure that an image is there and up to date.

use super::{Progress, Recipe, Reporter, bootstrap, recipe::Parent};
use crate::{
    docker::{BuildRequest, Docker},
    error::{Cause, Error, Operation, Result},
    fake::Fake,
    labels,
    runtime::AnyRuntime,
    spec::ImageId,
};

/// The distribution's image that the base is made on.
const DEBIAN: (&str, &str) = ("debian", "bookworm-slim");
/// Its suite, for the mirror.
const SUITE: &str = "bookworm";

impl AnyRuntime {
    /// Makes sure that the engine holds `recipe`'s image as this program describes it, and returns its id. An image that is
    /// there costs two questions.
    ///
    /// # Errors
    /// [`Error::Bootstrap`] when the distribution's image cannot be obtained; [`Error::Refused`] with the failed step.
    pub async fn ensure_image(&self, recipe: &Recipe, progress: Reporter<'_>) -> Result<ImageId> {
        match self {
            Self::Docker(docker) => docker.ensure_image(recipe, progress).await,
            Self::Fake(fake) => Fake::ensure_image(fake, recipe),
        }
    }
}

impl Docker {
    /// As [`AnyRuntime::ensure_image`].
    ///
    /// # Errors
    /// As [`AnyRuntime::ensure_image`].
    pub async fn ensure_image(&self, recipe: &Recipe, progress: Reporter<'_>) -> Result<ImageId> {
        let digest = recipe.digest();
        if let Some((id, found)) = self.image_labels(&recipe.reference).await?
            && found.get(labels::RECIPE) == Some(&digest)
        {
            return Ok(id);
        }
        match &recipe.parent {
            Parent::Debian => self.ensure_debian(progress).await?,
            Parent::Recipe(parent) => {
                Box::pin(self.ensure_image(parent, progress)).await?;
            }
        }
        progress(Progress::Building { image: recipe.reference.clone() });
        let request = BuildRequest {
            reference: &recipe.reference,
            context: recipe.context().map_err(|error| failed(Operation::Build, &recipe.reference, error.into()))?,
            args: &recipe.args,
            labels: [(labels::RECIPE.to_owned(), digest)].into(),
        };
        self.build(request, &mut |line| progress(Progress::Line(line))).await?;
        let built = self.image_labels(&recipe.reference).await?;
        built
            .map(|(id, _)| id)
            .ok_or_else(|| failed(Operation::Build, &recipe.reference, "the engine does not hold it".into()))
    }

    /// Debian's image: the one that is there, else a registry's, else one made from packages.
    async fn ensure_debian(&self, progress: Reporter<'_>) -> Result<()> {
        let (repository, tag) = DEBIAN;
        let image = format!("{repository}:{tag}");
        if self.image_labels(&image).await?.is_some() {
            return Ok(());
        }
        progress(Progress::Pulling { image: image.clone() });
        let pull = match self.pull(repository, tag, &mut |line| progress(Progress::Line(line))).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => error,
        };
        progress(Progress::Bootstrapping { image: image.clone(), because: chain(&pull) });
        let made = async {
            let file = tempfile::NamedTempFile::new()?;
            bootstrap::root_archive(SUITE, file.path(), progress).await?;
            let archive = tokio::fs::File::open(file.path()).await?;
            self.import(repository, tag, archive).await.map_err(Cause::from)
        };
        made.await.map_err(|source| Error::Bootstrap { image, pull: Box::new(pull), source })
    }
}

fn failed(operation: Operation, subject: &str, source: Cause) -> Error {
    Error::Refused { operation, subject: subject.to_owned(), status: None, source }
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
