//! Request bodies: JSON of a bounded size, read strictly, every bad field named at once.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited, combinators::BoxBody};
use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    impl_apirequest_for_payload,
    payload::{ParsePayload, Payload},
    registry::{MetaSchemaRef, Registry},
    types::Type,
};

use super::{
    failure::{Code, Failure},
    fields::Fields,
    json,
    room::{Rooms, Share},
    server::BodyLate,
};

/// A wire type: its schema by [`Type`], its meaning by `parse`.
pub(super) trait Wire: Type + Send {
    /// What a good body means.
    type Meaning: Send;

    /// Takes all fields, so that every bad one is named; none if any of them is bad.
    fn parse(fields: &mut Fields) -> Option<Self::Meaning>;
}

/// The meaning of a JSON body.
pub(super) struct Body<W: Wire>(pub(super) W::Meaning);

impl<W: Wire> Payload for Body<W> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        W::schema_ref()
    }

    fn register(registry: &mut Registry) {
        W::register(registry);
    }
}

impl<W: Wire> ParsePayload for Body<W> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = read(request, body).await?;
        let body = json::read(&bytes).map_err(|sentence| Failure::new(Code::MalformedRequest, sentence))?;
        let mut fields = Fields::of(body)?;
        let meaning = W::parse(&mut fields);
        fields.done()?;
        // Fields that were all good have a meaning; the other case cannot be, and must not be a panic.
        Ok(Self(meaning.ok_or_else(Failure::internal)?))
    }
}

impl_apirequest_for_payload!(Body<W>, W: Wire);

/// `application/json`, with no other charset than UTF-8 (RFC 8259, section 8.1).
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

/// Reads a whole body, refusing it as soon as its size is known to be too large.
pub(super) async fn read(request: &Request, body: &mut RequestBody) -> Result<Bytes, Failure> {
    if says_other_than(request, &header::CONTENT_ENCODING, b"identity") {
        return Err(Failure::new(Code::UnsupportedMediaType, "Send the body without Content-Encoding"));
    }
    if says_other_than(request, &header::TRANSFER_ENCODING, b"chunked") {
        return Err(Failure::new(
            Code::UnsupportedMediaType,
            "Send the body with no Transfer-Encoding other than chunked",
        ));
    }
    let rooms = request.data::<Arc<Rooms>>().ok_or_else(Failure::internal)?;
    let limit = rooms.largest_body;
    let declared = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let body: BoxBody<Bytes, io::Error> = body.take().map_err(|_| Failure::internal())?.into();
    gather(Limited::new(body, limit), limit, rooms.of_a_body()).await
}

/// Puts the pieces together as they come: each by itself would hold what it came in, much of it for a single byte.
async fn gather(
    mut body: Limited<BoxBody<Bytes, io::Error>>,
    limit: usize,
    mut share: Share,
) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| not_read(error.as_ref(), limit))?;
        // Trailers are left out, as nobody asked for them.
        let Ok(data) = frame.into_data() else { continue };
        share.fit_body(whole.len() + data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Whether a header says anything but a word.
fn says_other_than(request: &Request, header: &header::HeaderName, word: &[u8]) -> bool {
    request.headers().get_all(header).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(word))
}

fn not_read(error: &(dyn std::error::Error + 'static), limit: usize) -> Failure {
    if error.is::<LengthLimitError>() {
        too_large(limit)
    } else if error.downcast_ref().is_some_and(BodyLate::caused) {
        late()
    } else {
        Failure::new(Code::MalformedRequest, "The body ended before it was complete")
    }
}

fn too_large(limit: usize) -> Failure {
    Failure::new(Code::PayloadTooLarge, format!("A body may have at most {limit} bytes"))
}

fn late() -> Failure {
    Failure::new(Code::BodyLate, "The body did not arrive in time")
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    /// A body of so many bytes, gathered beside one that has taken all but four KiB of the room.
    async fn gathered(bytes: usize) -> Result<Bytes, Failure> {
        let rooms = Rooms::new(usize::MAX);
        let mut other = rooms.of_a_body();
        other.fit_body(64 << 20).unwrap();
        let body = Full::new(Bytes::from(vec![b'x'; bytes])).map_err(|never| match never {}).boxed();
        gather(Limited::new(body, usize::MAX), usize::MAX, rooms.of_a_body()).await
    }

    #[tokio::test]
    async fn a_body_is_gathered_only_as_far_as_there_is_room() {
        assert_eq!(gathered(8 << 10).await.unwrap().len(), 8 << 10);
        assert_eq!(gathered((8 << 10) + 1).await.unwrap_err().code, Code::Overloaded);
    }

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["", "text/plain", "application/json; charset=latin1", "application/problem+json", "application/jsonp"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
