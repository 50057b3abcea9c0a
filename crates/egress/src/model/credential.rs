//! The operator's credential on its way up: one field, marked as sensitive, that goes to the model endpoint and to nothing else.

use super::{
    oauth::{self, Session},
    refused::Refused,
};
use crate::{
    audit::RunBytes,
    config::{ConfigError, Credential},
    observer::Observer,
    scan::Secrets,
};
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::sync::Arc;
use types::secret::Secret;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A credential as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    /// It needs the beta of OAuth tokens.
    pub(crate) is_oauth: bool,
}

impl Field {
    fn api_key(secret: &Secret) -> Result<Self, ConfigError> {
        Ok(Self { name: API_KEY, value: sensitive(secret.expose())?, is_oauth: false })
    }

    fn bearer(secret: &Secret, is_oauth: bool) -> Result<Self, ConfigError> {
        // Not the empty token that the prefix would hide.
        sensitive(secret.expose())?;
        Ok(Self { name: AUTHORIZATION, value: sensitive(&format!("Bearer {}", secret.expose()))?, is_oauth })
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, ConfigError> {
    if text.is_empty() {
        return Err(ConfigError::Credential);
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| ConfigError::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where the field comes from.
pub(crate) enum Holder {
    /// The same for every request; none for a local model.
    Fixed(Option<Field>),
    /// A token that is refreshed.
    Refreshed(Box<Session>),
}

/// A field, and the token in it where another one can take its place.
pub(crate) struct Held {
    pub(crate) field: Option<Field>,
    token: Option<Secret>,
}

/// Whom a credential concerns beside its endpoint.
#[derive(Clone)]
pub(crate) struct Hearing {
    /// Who hears what happened.
    pub(crate) sink: Arc<dyn Observer>,
    /// The bytes of the run.
    pub(crate) bytes: Arc<RunBytes>,
    /// What must not come back.
    pub(crate) secrets: Secrets,
}

/// The field of a credential that stays the same; none for one that does not, and where there is none.
///
/// # Errors
/// [`ConfigError::Credential`] when it is empty or cannot stand in a header, [`ConfigError::TokenEndpoint`].
pub(crate) fn check(credential: &Credential) -> Result<Option<Field>, ConfigError> {
    match credential {
        Credential::None => Ok(None),
        Credential::ApiKey(secret) => Field::api_key(secret).map(Some),
        Credential::OAuth(secret) => Field::bearer(secret, true).map(Some),
        Credential::Bearer(secret) => Field::bearer(secret, false).map(Some),
        Credential::Refreshed(config) => oauth::check(config).map(|()| None),
    }
}

impl Holder {
    /// Prepares the credential and adds it to what must not come back.
    ///
    /// # Errors
    /// As [`check`].
    pub(crate) fn new(credential: &Credential, hearing: &Hearing) -> Result<Self, ConfigError> {
        let field = check(credential)?;
        match credential {
            Credential::None => {}
            Credential::ApiKey(secret) | Credential::OAuth(secret) | Credential::Bearer(secret) => {
                hearing.secrets.add(secret);
            }
            Credential::Refreshed(config) => return Ok(Self::Refreshed(Box::new(Session::new(config, hearing)))),
        }
        Ok(Self::Fixed(field))
    }

    /// What is sent now; a token that is about to expire is refreshed first.
    ///
    /// # Errors
    /// [`Refused::Credential`], [`Refused::Token`] when there is no token that could be sent.
    pub(crate) async fn held(&self) -> Result<Held, Refused> {
        match self {
            Self::Fixed(field) => Ok(Held { field: field.clone(), token: None }),
            Self::Refreshed(session) => held(session.token().await?),
        }
    }

    /// What is sent after the endpoint refused `before`; none when there is nothing else.
    ///
    /// # Errors
    /// As [`Holder::held`].
    pub(crate) async fn held_after(&self, before: &Held) -> Result<Option<Held>, Refused> {
        match (self, &before.token) {
            (Self::Refreshed(session), Some(token)) => session.token_after(token).await?.map(held).transpose(),
            (Self::Fixed(_) | Self::Refreshed(_), _) => Ok(None),
        }
    }
}

fn held(token: Secret) -> Result<Held, Refused> {
    let field = Field::bearer(&token, true)
        .map_err(|_| Refused::Credential("the token cannot be sent in a header".to_owned()))?;
    Ok(Held { field: Some(field), token: Some(token) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_cannot_be_sent_are_refused_early() {
        for bad in ["", "  ", "a\nb"] {
            assert!(Field::api_key(&Secret::new(bad)).is_err(), "{bad:?}");
            assert!(Field::bearer(&Secret::new(bad), true).is_err(), "{bad:?}");
        }
        let field = Field::bearer(&Secret::new("tok\n"), true).expect("field");
        assert_eq!(field.value, "Bearer tok");
        assert!(!format!("{field:?}").contains("tok"), "marked as sensitive");
    }
}
