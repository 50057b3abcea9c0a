//! OAuth tokens that expire, refreshed on the host. Inside there is a placeholder, whatever becomes of the token.
//!
//! What must stay true: one refresh at a time, in this process and, by the store's lock, among all of the operator's; a new token is
//! known as a secret before anything else is done with it; it is kept before it is used; a vendor that takes the old refresh
//! token back after one use leaves no one locked out.

use super::{credential::Hearing, refused::Refused};
use crate::{
    audit::Audit,
    config::{ConfigError, RefreshConfig},
    limits::{TOKEN_ANSWER_BYTES, TOKEN_DEADLINE, TOKEN_MARGIN, TOKEN_PAUSE},
    post::{PostError, exchange_json},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard},
};
use types::secret::{Secret, redact_url};

/// A pair of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// What is sent.
    pub access: Secret,
    /// What a new pair is asked for with.
    pub refresh: Option<Secret>,
    /// When the first one ends.
    pub expires: Option<Timestamp>,
}

/// Where a pair of tokens is kept on the host. Calls may block.
pub trait TokenStore: Debug + Send + Sync {
    /// Keeps everyone else who refreshes the same tokens away until what it returns is dropped.
    ///
    /// # Errors
    /// Why not, without a token in it.
    fn lock(&self) -> Result<Box<dyn Send>, String>;
    /// What is there now; it may have changed since the last look.
    ///
    /// # Errors
    /// Why not, without a token in it.
    fn load(&self) -> Result<Tokens, String>;
    /// Keeps a new pair in place of the old one, whole or not at all.
    ///
    /// # Errors
    /// Why not, without a token in it.
    fn save(&self, tokens: &Tokens) -> Result<(), String>;
}

/// The tokens of one gateway.
pub(crate) struct Session {
    asker: Arc<Asker>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tokens: Option<Tokens>,
    /// When a new pair was asked for last.
    tried: Option<Instant>,
}

/// Who asks for a new pair.
struct Asker {
    config: RefreshConfig,
    hearing: Hearing,
}

/// Whether the token endpoint can be asked.
///
/// # Errors
/// [`ConfigError::TokenEndpoint`]
pub(crate) fn check(config: &RefreshConfig) -> Result<(), ConfigError> {
    let url = &config.endpoint;
    let is_usable = matches!(url.scheme(), "https" | "http")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none();
    if !is_usable || config.client_id.is_empty() {
        return Err(ConfigError::TokenEndpoint { url: redact_url(url.as_str()) });
    }
    Ok(())
}

/// Why there is no new pair.
#[derive(Debug, thiserror::Error)]
enum NotRefreshed {
    #[error("{0}")]
    Store(String),
    #[error("the token expired and there is no refresh token")]
    NoRefreshToken,
    #[error("the token endpoint refuses the refresh token (status {0})")]
    Refused(u16),
    #[error("the token endpoint cannot be used")]
    Exchange(#[source] PostError),
    #[error("the token endpoint answers {0}")]
    Status(u16),
    #[error("the token endpoint's answer holds no token")]
    Answer,
}

impl NotRefreshed {
    /// The same may work a moment later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Exchange(_) | Self::Status(_) => true,
            Self::Store(_) | Self::NoRefreshToken | Self::Refused(_) | Self::Answer => false,
        }
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
}

impl Session {
    /// Nothing is read or asked for yet; the configuration passed [`check`].
    pub(crate) fn new(config: &RefreshConfig, hearing: &Hearing) -> Self {
        let asker = Arc::new(Asker { config: config.clone(), hearing: hearing.clone() });
        Self { asker, state: Arc::default() }
    }

    /// A token that can be sent; one that is about to end is replaced first.
    ///
    /// # Errors
    /// [`Refused::Credential`], [`Refused::Token`]
    pub(crate) async fn token(&self) -> Result<Secret, Refused> {
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let tokens = match state.tokens.take() {
            Some(tokens) => tokens,
            None => self.load().await.map_err(|error| self.refused(&error))?,
        };
        state.tokens = Some(tokens.clone());
        let has_ended = ends_within(&tokens, Duration::ZERO);
        let is_resting = state.tried.is_some_and(|at| at.elapsed() < TOKEN_PAUSE);
        if !ends_within(&tokens, TOKEN_MARGIN) || (is_resting && !has_ended) {
            return Ok(tokens.access);
        }
        match self.renew(state, tokens.access.clone()).await {
            Ok(access) => Ok(access),
            // What still holds is sent as long as it does.
            Err(_) if !has_ended => Ok(tokens.access),
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// A token after the endpoint refused this one; none when there is no other.
    ///
    /// # Errors
    /// [`Refused::Token`] when the token endpoint cannot be asked now.
    pub(crate) async fn token_after(&self, refused: &Secret) -> Result<Option<Secret>, Refused> {
        let state = Arc::clone(&self.state).lock_owned().await;
        if let Some(tokens) = state.tokens.as_ref().filter(|tokens| tokens.access != *refused) {
            return Ok(Some(tokens.access.clone()));
        }
        match self.renew(state, refused.clone()).await {
            Ok(access) => Ok(Some(access)),
            Err(error) if error.is_passing() => Err(self.refused(&error)),
            // The endpoint's own answer says best what is wrong.
            Err(_) => Ok(None),
        }
    }

    fn refused(&self, error: &NotRefreshed) -> Refused {
        if error.is_passing() {
            return Refused::Token(error.to_string());
        }
        // For the run it is as if the model endpoint had said so.
        self.asker.hearing.sink.auth_refused(401);
        Refused::Credential(error.to_string())
    }

    /// Renews on a thread that goes on when the request that wanted it is given up: half way through, the old pair is worth nothing
    /// any more and the new one is not kept yet.
    async fn renew(&self, mut state: OwnedMutexGuard<State>, stale: Secret) -> Result<Secret, NotRefreshed> {
        let (asker, handle) = (Arc::clone(&self.asker), Handle::current());
        let renewing = tokio::task::spawn_blocking(move || {
            state.tried = Some(Instant::now());
            let tokens = asker.renew(&handle, &stale)?;
            let access = tokens.access.clone();
            state.tokens = Some(tokens);
            Ok(access)
        });
        renewing.await.map_err(|error| NotRefreshed::Store(error.to_string()))?
    }

    async fn load(&self) -> Result<Tokens, NotRefreshed> {
        let asker = Arc::clone(&self.asker);
        let loading = tokio::task::spawn_blocking(move || asker.load());
        loading.await.map_err(|error| NotRefreshed::Store(error.to_string()))?
    }
}

impl Asker {
    fn renew(&self, handle: &Handle, stale: &Secret) -> Result<Tokens, NotRefreshed> {
        let asked = format!("POST {}", redact_url(self.config.endpoint.as_str()));
        let mut audit = Audit::begin(&self.hearing.sink, &self.hearing.bytes, "oauth", &asked);
        match self.renewed(handle, stale, &mut audit) {
            Ok((tokens, how)) => {
                audit.end(&how);
                Ok(tokens)
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                audit.refuse_with("token", &format!("{error}{cause}"));
                Err(error)
            }
        }
    }

    /// A pair in place of a stale one: the store's, if someone else was faster, or else a new one.
    fn renewed(&self, handle: &Handle, stale: &Secret, audit: &mut Audit) -> Result<(Tokens, String), NotRefreshed> {
        let store = &self.config.store;
        let _lock = store.lock().map_err(NotRefreshed::Store)?;
        let kept = self.load()?;
        audit.allow("oauth");
        if kept.access != *stale && !ends_within(&kept, TOKEN_MARGIN) {
            return Ok((kept, "a new token was in its place already".to_owned()));
        }
        let refresh = kept.refresh.ok_or(NotRefreshed::NoRefreshToken)?;
        let tokens = handle.block_on(self.exchange(&refresh, audit))?;
        let how = match store.save(&tokens) {
            Ok(()) => "the token was refreshed".to_owned(),
            // It is of use all the same, for as long as this process lives.
            Err(error) => format!("the token was refreshed and could not be kept: {error}"),
        };
        Ok((tokens, how))
    }

    async fn exchange(&self, refresh: &Secret, audit: &mut Audit) -> Result<Tokens, NotRefreshed> {
        let body = serde_json::json!({
            "grant_type": "refresh_token", "refresh_token": refresh.expose(), "client_id": self.config.client_id,
        });
        let body = body.to_string().into_bytes();
        audit.traffic().count_up(body.len() as u64);
        let (status, body) = exchange_json(&self.config.endpoint, body, TOKEN_ANSWER_BYTES, TOKEN_DEADLINE)
            .await
            .map_err(NotRefreshed::Exchange)?;
        audit.status(status);
        audit.traffic().count_down(body.len() as u64);
        match status {
            200 => {}
            400 | 401 | 403 => return Err(NotRefreshed::Refused(status)),
            _ => return Err(NotRefreshed::Status(status)),
        }
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| NotRefreshed::Answer)?;
        let access = self.learn(granted.access_token).ok_or(NotRefreshed::Answer)?;
        let next = granted.refresh_token.and_then(|text| self.learn(text));
        let ends = granted.expires_in.and_then(|span| Timestamp::now().as_second().checked_add(span));
        let expires = ends.and_then(|second| Timestamp::from_second(second).ok());
        // Without a new refresh token the old one stays good.
        Ok(Tokens { access, refresh: next.or_else(|| Some(refresh.clone())), expires })
    }

    fn learn(&self, text: String) -> Option<Secret> {
        let secret = Secret::new(text);
        self.hearing.secrets.add(&secret);
        (!secret.expose().is_empty()).then_some(secret)
    }

    fn load(&self) -> Result<Tokens, NotRefreshed> {
        let tokens = self.config.store.load().map_err(NotRefreshed::Store)?;
        self.hearing.secrets.add(&tokens.access);
        tokens.refresh.iter().for_each(|refresh| self.hearing.secrets.add(refresh));
        Ok(tokens)
    }
}

/// True when the token ends within the span, or has ended. One that does not say when it ends does not.
fn ends_within(tokens: &Tokens, span: Duration) -> bool {
    tokens.expires.is_some_and(|expires| {
        let left = expires.duration_since(Timestamp::now());
        Duration::try_from(left).map_or(true, |left| left <= span)
    })
}
