//! The login service of a session: BuildKit asks it when it pulls base images and pushes. Start with
//! [`Auth`].
//!
//! Only `Credentials` is answered. Engines then fetch tokens themselves, as they do where
//! `GetTokenAuthority` is not implemented.

use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse, auth_server,
};
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
            // A registry's own token is neither: only a client that fetches tokens for engines could hand it
            // over.
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
        _: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("tokens"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens"))
    }
}
