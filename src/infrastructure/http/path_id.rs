//! The id in a path.

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchemaRef, Registry},
    types::Type,
};

use super::{failure::Failure, routes, wire::Id};
use crate::domain::ids::{CustomerId, MessageId};

/// What an id is the id of.
pub(super) trait Identifies: Sized + Send {
    /// Reads an id in its one shape.
    fn parse(text: &str) -> Option<Self>;
}

impl Identifies for CustomerId {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Identifies for MessageId {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// The id that a path names. One that is none is nobody's, and not found.
pub(super) struct PathId<I>(pub(super) I);

impl<'a, I: Identifies> ApiExtractor<'a> for PathId<I> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = Id;
    type ParamRawType = Id;

    fn register(registry: &mut Registry) {
        Id::register(registry);
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(Id::schema_ref())
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<Id>) -> poem::Result<Self> {
        let id = routes::parameter(request.uri().path()).and_then(|text| I::parse(&text));
        Ok(Self(id.ok_or_else(Failure::not_found)?))
    }
}
