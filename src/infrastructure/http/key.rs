//! Who calls: the bearer key of a request, with the scope that its operation asks for.

use std::{marker::PhantomData, sync::Arc};

use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::failure::{Code, Failure};
use crate::{
    application::{Registry as UseCases, authenticate::Caller},
    domain::api_key::Scope,
};

/// The name of the security scheme in the document.
pub(super) const SCHEME: &str = "apiKey";

/// A scope as a type, so that an operation's signature says, and enforces, what its caller needs.
pub(super) trait Needs: Send + Sync {
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident),*) => { $(
        #[doc = concat!("Needs the scope of that name.")]
        pub(super) struct $name;
        impl Needs for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )* };
}

needs!(CustomersRead, CustomersWrite, MailRead);

/// A caller whose key has the scope. As an operation's first argument it is checked before anything else is read.
pub(super) struct Key<N: Needs> {
    pub(super) caller: Caller,
    needs: PhantomData<N>,
}

impl<'a, N: Needs> ApiExtractor<'a> for Key<N> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("An API key, made by `rollbook key create`; its scopes say what it may do."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("rb_<id>_<secret>"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(SCHEME, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let use_cases = request.data::<Arc<UseCases>>().ok_or_else(Failure::internal)?;
        let presented = request.header(header::AUTHORIZATION).and_then(bearer).ok_or_else(Failure::unauthenticated)?;
        let caller =
            use_cases.authenticate(presented).await.map_err(Failure::from)?.ok_or_else(Failure::unauthenticated)?;
        if !caller.may(N::SCOPE) {
            let message = format!("The key lacks the scope {}", N::SCOPE);
            return Err(Failure::new(Code::Forbidden, message).into());
        }
        Ok(Self { caller, needs: PhantomData })
    }
}

/// The credentials of the Bearer scheme, whose name has no case (RFC 9110, section 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credentials.trim())
}
