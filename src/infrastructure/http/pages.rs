//! The pages for people: the one behind a mailed link, with its one button.

use std::sync::Arc;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, endpoint,
    http::{HeaderValue, Method, StatusCode, header},
};

use super::{
    body,
    failure::{Code, Failure},
    routes::Routes,
    verifications::not_verified,
};
use crate::application::{Registry, verify_email::VerifyEmailError};

/// Nothing runs, nothing is loaded but our own stylesheet, nothing is sent but to ourselves.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

const PAGE: &str = include_str!("pages/page.html");
const STYLE: &str = include_str!("pages/page.css");
const ICON: &str = include_str!("pages/icon.svg");

/// What a page says.
#[derive(Debug)]
enum Page {
    /// One big button that names the address.
    Confirm { email: String, token: String },
    /// The button was pressed.
    Confirmed { email: String },
    /// It had been pressed before.
    AlreadyConfirmed { email: String },
    /// It did not work, and why.
    Failure { heading: &'static str, message: String },
}

impl Page {
    fn context(&self) -> Value {
        match self {
            Self::Confirm { email, token } => context! { kind => "confirm", email, token },
            Self::Confirmed { email } => context! { kind => "confirmed", email },
            Self::AlreadyConfirmed { email } => context! { kind => "already_confirmed", email },
            Self::Failure { heading, message } => context! { kind => "failure", heading => *heading, message },
        }
    }
}

pub(super) fn add_to(routes: Routes) -> Routes {
    routes
        .with_page("/verify", [(Method::GET, page_of(show).boxed()), (Method::POST, page_of(press).boxed())])
        .with_plain("/assets/page.css", endpoint::make_sync(|_| asset(STYLE, "text/css; charset=utf-8")))
        .with_plain("/assets/icon.svg", endpoint::make_sync(|_| asset(ICON, "image/svg+xml")))
}

/// The page of a failure, with its status and headers.
pub(super) fn of_failure(failure: &Failure) -> Response {
    let own_words = || failure.message.to_string();
    let (heading, message) = match failure.code {
        Code::TokenExpired => {
            ("This link has expired", "Ask whoever you signed up with to send you a new mail.".to_owned())
        }
        Code::TokenInvalid | Code::ValidationError | Code::TargetTooLong => (
            "This link is not valid",
            "Please open the link from the mail again, and make sure that it is complete.".to_owned(),
        ),
        Code::Overloaded | Code::StorageUnavailable => {
            ("Please try again in a moment", "Nothing was changed. Your link stays good.".to_owned())
        }
        Code::RateLimited => ("Please try again in a moment", own_words()),
        Code::Internal => ("Something went wrong", own_words()),
        Code::MalformedRequest
        | Code::BodyLate
        | Code::Unauthenticated
        | Code::Forbidden
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::EmailTaken
        | Code::ExternalIdTaken
        | Code::AlreadyVerified
        | Code::PayloadTooLarge
        | Code::UnsupportedMediaType => ("This did not work", own_words()),
    };
    let mut response = render(failure.code.word_and_status().1, &Page::Failure { heading, message });
    failure.go_with(&mut response);
    response
}

/// GET and HEAD look, and change nothing: mail scanners follow links.
async fn show(registry: Arc<Registry>, request: Request) -> Result<Page, Failure> {
    let query = request.uri().query().unwrap_or_default();
    let token = only_token(query.as_bytes()).ok_or_else(|| not_verified(VerifyEmailError::Invalid))?;
    let offer = registry.look_at_token(&token).await.map_err(not_verified)?;
    let email = offer.email.typed().to_owned();
    Ok(if offer.confirmed_at.is_some() { Page::AlreadyConfirmed { email } } else { Page::Confirm { email, token } })
}

/// POST, by the button of the page above and of no other site.
async fn press(registry: Arc<Registry>, request: Request) -> Result<Page, Failure> {
    // A browser says where a request comes from; under no-referrer its Origin would be null and say nothing.
    if request.header("sec-fetch-site") == Some("cross-site") {
        return Err(Failure::new(Code::Forbidden, "Press the button on our own page, behind the link of the mail"));
    }
    let is_form = request.content_type().is_some_and(|media_type| {
        media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM))
    });
    if !is_form {
        return Err(Failure::new(Code::UnsupportedMediaType, "Send the token as a form"));
    }
    let (request, mut body) = request.split();
    let bytes = body::read(&request, &mut body).await?;
    let token = only_token(&bytes).ok_or_else(|| not_verified(VerifyEmailError::Invalid))?;
    let verified = registry.verify_email(&token).await.map_err(not_verified)?;
    let email = verified.customer.particulars.email.typed().to_owned();
    Ok(if verified.repeated { Page::AlreadyConfirmed { email } } else { Page::Confirmed { email } })
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The one field `token`; a form with two of them means nothing.
fn only_token(form: &[u8]) -> Option<String> {
    let mut tokens = url::form_urlencoded::parse(form).filter(|(name, _)| name == "token");
    let (_, token) = tokens.next()?;
    tokens.next().is_none().then(|| token.into_owned())
}

fn page_of<F, Answer>(make: F) -> impl Endpoint<Output = Response>
where
    F: Fn(Arc<Registry>, Request) -> Answer + Send + Sync + Copy + 'static,
    Answer: Future<Output = Result<Page, Failure>> + Send,
{
    endpoint::make(move |request: Request| async move {
        let Some(registry) = request.data::<Arc<Registry>>().cloned() else { return of_failure(&Failure::internal()) };
        match make(registry, request).await {
            Ok(page) => render(StatusCode::OK, &page),
            Err(failure) => of_failure(&failure),
        }
    })
    .map_to_response()
}

fn render(status: StatusCode, page: &Page) -> Response {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    match environment.render_str(PAGE, page.context()) {
        Ok(html) => with_policy(status, html, "text/html; charset=utf-8"),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Failure::internal().into_response()
        }
    }
}

/// A part of the pages that is the same for everybody.
fn asset(text: &'static str, media_type: &'static str) -> Response {
    let mut response = with_policy(StatusCode::OK, text.to_owned(), media_type);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

fn with_policy(status: StatusCode, text: String, media_type: &'static str) -> Response {
    let mut response = Response::builder().status(status).body(text);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_shows_an_address_as_text_whatever_is_in_it() {
        let page = Page::Confirmed { email: "<b>&\"'@example.org".to_owned() };
        let html = render(StatusCode::OK, &page).into_body().into_string().await.unwrap();
        assert!(!html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;b&gt;&amp;&quot;&#x27;@example.org"), "{html}");
    }

    #[test]
    fn a_form_has_one_token_or_none() {
        assert_eq!(only_token(b"token=abc&x=y"), Some("abc".to_owned()));
        assert_eq!(only_token(b"token=a&token=b"), None);
        assert_eq!(only_token(b""), None);
    }
}
