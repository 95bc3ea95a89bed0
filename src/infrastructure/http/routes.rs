//! Which routes there are, by the pattern that poem matches: their template for people, their methods, their manners.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use poem::http::Method;
use poem_openapi::OpenApi;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Such as `/api/customers/{id}`.
    pub(super) template: Arc<str>,
    /// What the `Allow` header says.
    pub(super) allow: String,
    /// Whether pages of listed origins may call it.
    pub(super) is_cross_origin: bool,
    /// Whether its failures are pages.
    pub(super) is_page: bool,
}

/// The routes by poem's pattern, such as `/api/customers/:id`.
#[derive(Debug, Default)]
pub(super) struct Routes(HashMap<String, Route>);

impl Routes {
    /// The operations of an API; those in `cross_origin` may be called by pages of listed origins.
    pub(super) fn with_api<A: OpenApi>(mut self, cross_origin: &[&str]) -> Self {
        for path in A::meta().into_iter().flat_map(|api| api.paths) {
            let methods = path.operations.iter().map(|operation| operation.method.clone());
            let (pattern, template) = pattern_and_template(&path.path);
            let is_cross_origin = cross_origin.contains(&template.as_str());
            self = self.add(&pattern, &template, methods, is_cross_origin, false);
        }
        self
    }

    /// A route for people.
    pub(super) fn with_page(self, path: &str, methods: impl IntoIterator<Item = Method>) -> Self {
        self.add(path, path, methods, false, true)
    }

    /// A route for machines that is no operation of the API.
    pub(super) fn with_plain(self, path: &str) -> Self {
        self.add(path, path, [Method::GET], false, false)
    }

    pub(super) fn get(&self, pattern: &str) -> Option<&Route> {
        self.0.get(pattern)
    }

    fn add(
        mut self,
        pattern: &str,
        template: &str,
        methods: impl IntoIterator<Item = Method>,
        is_cross_origin: bool,
        is_page: bool,
    ) -> Self {
        // Several parts of the API may answer at one path.
        let before = self.0.get(pattern).map_or("", |route| route.allow.as_str());
        let mut names: BTreeSet<String> =
            before.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.extend(methods.into_iter().map(|method| method.to_string()));
        if names.contains("GET") {
            names.insert("HEAD".to_owned());
        }
        names.insert("OPTIONS".to_owned());
        let allow = names.into_iter().collect::<Vec<_>>().join(", ");
        self.0.insert(pattern.to_owned(), Route { template: template.into(), allow, is_cross_origin, is_page });
        self
    }
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
    use super::pattern_and_template;

    #[test]
    fn a_path_of_the_document_is_matched_by_its_numbered_parameters() {
        let both = ("/a/:param0/b/:param1".to_owned(), "/a/{id}/b/{other}".to_owned());
        assert_eq!(pattern_and_template("/a/:id/b/:other"), both);
        assert_eq!(pattern_and_template("/a/{id}/b/{other}"), both);
    }
}
