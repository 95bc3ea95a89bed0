//! The routes: where a path and a method lead, and what else is to be known of a path.
//!
//! There are a dozen, and [`Edge`](super::edge::Edge) has to know in any case which of them a request is for: its label,
//! its methods, whether its failures are pages. So they are found once, here, and not by poem as well.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use percent_encoding::percent_decode;
use poem::{Endpoint, EndpointExt, Response, endpoint::BoxEndpoint, http::Method};
use poem_openapi::OpenApi;

/// One route.
pub(super) struct Route {
    /// Such as `/api/customers/{id}`.
    pub(super) template: Arc<str>,
    /// What the `Allow` header says.
    pub(super) allow: String,
    /// Whether pages of listed origins may call it.
    pub(super) is_cross_origin: bool,
    /// Whether its failures are pages.
    pub(super) is_page: bool,
    endpoints: HashMap<Method, BoxEndpoint<'static>>,
}

impl Route {
    /// Where a method leads.
    pub(super) fn endpoint(&self, method: &Method) -> Option<&BoxEndpoint<'static>> {
        self.endpoints.get(method)
    }

    fn has_parameter(&self) -> bool {
        self.template.contains('{')
    }
}

/// All routes.
#[derive(Default)]
pub(super) struct Routes {
    literal: HashMap<Arc<str>, Route>,
    with_parameter: Vec<Route>,
}

impl Routes {
    /// The operations of an API; those in `cross_origin` may be called by pages of listed origins.
    pub(super) fn with_api<A: OpenApi>(self, api: A, cross_origin: &[&str]) -> Self {
        let paths = A::meta().into_iter().flat_map(|api| api.paths);
        let templates: HashMap<String, String> = paths.map(|path| pattern_and_template(&path.path)).collect();
        let mut endpoints = HashMap::new();
        api.add_routes(&mut endpoints);
        endpoints.into_iter().fold(self, |routes, (pattern, endpoints)| {
            let template = templates.get(&pattern).unwrap_or(&pattern);
            let mut route = route(template, endpoints);
            route.is_cross_origin = cross_origin.contains(&template.as_str());
            routes.add(route)
        })
    }

    /// A route for people.
    pub(super) fn with_page<const N: usize>(self, path: &str, endpoints: [(Method, BoxEndpoint<'static>); N]) -> Self {
        self.add(Route { is_page: true, ..route(path, endpoints.into()) })
    }

    /// A route for machines that is no operation of the API.
    pub(super) fn with_plain(self, path: &str, endpoint: impl Endpoint<Output = Response> + 'static) -> Self {
        self.add(route(path, HashMap::from([(Method::GET, endpoint.boxed())])))
    }

    fn add(mut self, route: Route) -> Self {
        if route.has_parameter() {
            self.with_parameter.push(route);
        } else {
            self.literal.insert(Arc::clone(&route.template), route);
        }
        self
    }

    /// The route of a path.
    pub(super) fn find(&self, path: &str) -> Option<&Route> {
        self.literal.get(path).or_else(|| self.with_parameter.iter().find(|route| fits(&route.template, path)))
    }
}

fn route(template: &str, endpoints: HashMap<Method, BoxEndpoint<'static>>) -> Route {
    let mut methods: BTreeSet<&str> = endpoints.keys().map(Method::as_str).collect();
    if methods.contains("GET") {
        methods.insert("HEAD");
    }
    methods.insert("OPTIONS");
    let allow = methods.into_iter().collect::<Vec<_>>().join(", ");
    Route { template: template.into(), allow, is_cross_origin: false, is_page: false, endpoints }
}

/// Whether a path is of a template, with something in UTF-8 in the place of each parameter.
fn fits(template: &str, path: &str) -> bool {
    let (mut expected, mut segments) = (segments(template), segments(path));
    loop {
        match (expected.next(), segments.next()) {
            (None, None) => return true,
            (Some(expected), Some(segment)) if expected == segment => {}
            (Some([b'{', ..]), Some(segment)) if is_something(segment) => {}
            _ => return false,
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &[u8]> {
    path.as_bytes().split(|byte| *byte == b'/')
}

fn is_something(segment: &[u8]) -> bool {
    // What is not encoded is UTF-8 already.
    !segment.is_empty() && (!segment.contains(&b'%') || percent_decode(segment).decode_utf8().is_ok())
}

/// What stands in a path where its template has a parameter; in all of them that is the third segment.
pub(super) fn parameter(path: &str) -> Option<Cow<'_, str>> {
    percent_decode(segments(path).nth(3)?).decode_utf8().ok()
}

/// poem-openapi numbers the parameters of a path for poem (`/api/customers/:param0`); people read `{id}`.
fn pattern_and_template(path: &str) -> (String, String) {
    let (mut pattern, mut template, mut parameters) = (Vec::new(), Vec::new(), 0);
    for segment in path.split('/') {
        let name =
            segment.strip_prefix(':').or_else(|| segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')));
        if let Some(name) = name {
            pattern.push(format!(":param{parameters}"));
            template.push(format!("{{{name}}}"));
            parameters += 1;
        } else {
            pattern.push(segment.to_owned());
            template.push(segment.to_owned());
        }
    }
    (pattern.join("/"), template.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{fits, parameter, pattern_and_template};

    #[test]
    fn a_path_of_the_document_is_matched_by_its_numbered_parameters() {
        let both = ("/a/:param0/b/:param1".to_owned(), "/a/{id}/b/{other}".to_owned());
        assert_eq!(pattern_and_template("/a/:id/b/:other"), both);
        assert_eq!(pattern_and_template("/a/{id}/b/{other}"), both);
    }

    #[test]
    fn the_parameter_of_a_path_is_its_third_segment() {
        for (path, found) in
            [("/api/x/1", Some("1")), ("/api/x/%C3%A9/y", Some("\u{e9}")), ("/api/x/%ff", None), ("/a", None)]
        {
            assert_eq!(parameter(path).as_deref(), found, "{path}");
        }
    }

    #[test]
    fn a_path_fits_a_template_segment_by_segment() {
        for path in ["/a/x/b", "/a/%20/b", "/a/{id}/b"] {
            assert!(fits("/a/{id}/b", path), "{path}");
        }
        for path in ["/a//b", "/a/x", "/a/x/b/", "/a/x/c", "/a/x/y/b", "/A/x/b", "//a/x/b", "/a/%ff/b", "/a%2Fx/b"] {
            assert!(!fits("/a/{id}/b", path), "{path}");
        }
    }
}
