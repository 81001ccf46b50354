//! The login service of a session: BuildKit asks it when it pulls base images and pushes. Start with
//! [`Auth`].
//!
//! Engines get names and passwords, and identity tokens, by `Credentials`, and fetch a registry's tokens themselves.
//! A token that the registry itself takes is no answer to that, so for its registry this side is the *authority*
//! over tokens, as it is for all registries in buildx: `GetTokenAuthority` tells a public key, and `FetchToken`
//! answers with the token. The engine lets another session use the token that passes `VerifyTokenAuthority`: that
//! signs what the engine made up, with the private key. The key is made from the token, so that whoever has the
//! token has the key.
//! <https://github.com/moby/buildkit/blob/master/session/auth/authprovider/authprovider.go>

use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse, auth_server,
};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tonic::{Request, Response, Status};

use crate::credentials::{Login, stored_login};

/// The login service, which answers with the logins that `docker login` left on this machine.
pub(super) struct Auth;

#[tonic::async_trait]
impl auth_server::Auth for Auth {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let found = stored_login(&request.get_ref().host).await;
        let found = found.map_err(|error| Status::unauthenticated(error.with_hint()))?;
        Ok(Response::new(match found {
            // An empty answer is anonymous; a secret without a name is an identity token.
            // A registry's own token is neither: the engine fetches it.
            None | Some(Login::RegistryToken(_)) => CredentialsResponse::default(),
            Some(Login::Password { username, password }) => {
                CredentialsResponse { username, secret: password }
            }
            Some(Login::IdentityToken(token)) => {
                CredentialsResponse { username: String::new(), secret: token }
            }
        }))
    }

    async fn fetch_token(
        &self,
        request: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        let token = registry_token(&request.get_ref().host).await?;
        Ok(Response::new(FetchTokenResponse { token, ..FetchTokenResponse::default() }))
    }

    async fn get_token_authority(
        &self,
        request: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        let GetTokenAuthorityRequest { host, salt } = request.get_ref();
        let key = key(&registry_token(host).await?, salt)?;
        let public_key = key.public_key().as_ref().to_owned();
        Ok(Response::new(GetTokenAuthorityResponse { public_key }))
    }

    async fn verify_token_authority(
        &self,
        request: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        let VerifyTokenAuthorityRequest { host, salt, payload } = request.get_ref();
        let key = key(&registry_token(host).await?, salt)?;
        // A signed message of NaCl: the signature, then the message.
        let signed = [key.sign(payload).as_ref(), payload].concat();
        Ok(Response::new(VerifyTokenAuthorityResponse { signed }))
    }
}

/// The token that the registry at `host` itself takes. Without one the engine is told that nobody here is an
/// authority over tokens, and asks for credentials.
async fn registry_token(host: &str) -> Result<String, Status> {
    match stored_login(host).await.map_err(|error| Status::unauthenticated(error.with_hint()))? {
        Some(Login::RegistryToken(token)) => Ok(token),
        _ => Err(Status::unimplemented("tokens")),
    }
}

/// The key of the authority over a token, different for each salt, which an engine makes up when it starts.
fn key(token: &str, salt: &[u8]) -> Result<Ed25519KeyPair, Status> {
    let seed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), token.as_bytes());
    Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| Status::internal("no key"))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn the_authority_over_a_token_is_whoever_has_the_token() {
        let (one, same) = (key("token", b"salt").unwrap(), key("token", b"salt").unwrap());
        let public = UnparsedPublicKey::new(&ED25519, one.public_key().as_ref());
        assert!(public.verify(b"made up", same.sign(b"made up").as_ref()).is_ok());
        for other in [key("another", b"salt").unwrap(), key("token", b"pepper").unwrap()] {
            assert!(public.verify(b"made up", other.sign(b"made up").as_ref()).is_err());
        }
    }
}
