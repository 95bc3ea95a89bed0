//! The document and Swagger UI, from the binary's own assets; made when first asked for.

use std::sync::OnceLock;

use bytes::Bytes;
use poem::{
    Endpoint, IntoResponse, Response, endpoint,
    http::{HeaderValue, header},
};
use poem_openapi::OpenApiService;

use super::{document::document, routes::Routes};

/// Swagger UI runs a script of its own and draws with styles of its own, but loads nothing from anywhere.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

static PAGE: Asset =
    Asset { made: OnceLock::new(), make: page, media_type: "text/html; charset=utf-8", policy: DOCS_POLICY };
static JSON: Asset = Asset {
    made: OnceLock::new(),
    make: document_json,
    media_type: "application/json; charset=utf-8",
    policy: DATA_POLICY,
};
static YAML: Asset = Asset {
    made: OnceLock::new(),
    make: document_yaml,
    media_type: "application/yaml; charset=utf-8",
    policy: DATA_POLICY,
};

/// Something that is the same for everybody, made when first asked for: a start does not wait for it.
struct Asset {
    made: OnceLock<Bytes>,
    make: fn() -> String,
    media_type: &'static str,
    policy: &'static str,
}

impl Asset {
    fn endpoint(&'static self) -> impl Endpoint<Output = Response> {
        endpoint::make_sync(move |_| {
            let bytes = self.made.get_or_init(|| Bytes::from((self.make)())).clone();
            let mut response = bytes.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(self.policy));
            response
        })
    }
}

/// The document as JSON, for machines and people.
#[must_use]
pub fn document_json() -> String {
    format!("{:#}\n", document())
}

/// The document as YAML.
#[must_use]
pub fn document_yaml() -> String {
    // A tree of strings, numbers and lists always has a form in YAML.
    serde_yaml::to_string(&document()).unwrap_or_default()
}

/// Swagger UI as poem-openapi ships it, around our own document instead of the one it would write.
fn page() -> String {
    let empty = OpenApiService::new((), "", "");
    let page = empty.swagger_ui_html().replace(&empty.spec(), &script_safe(&document().to_string()));
    page.replace("<title>Swagger UI</title>", "<title>Rollbook API</title><link rel=\"icon\" href=\"assets/icon.svg\">")
}

/// A JSON text that cannot end the script it stands in.
fn script_safe(json: &str) -> String {
    json.replace("</", "<\\/")
}

pub(super) fn add_to(routes: Routes) -> Routes {
    routes
        .with_plain("/docs", PAGE.endpoint())
        .with_plain("/openapi.json", JSON.endpoint())
        .with_plain("/openapi.yaml", YAML.endpoint())
}
