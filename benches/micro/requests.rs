//! Whole requests to the endpoint that is served in production, from the head that was read to the body to be sent. Only
//! the socket and hyper are left out.

use divan::Bencher;
use poem::{
    Endpoint, Request, RequestBuilder, Response,
    error::ReadBodyError,
    http::{Method, StatusCode, header},
};

use crate::Stage;

#[divan::bench]
fn posts_a_customer(bencher: Bencher) {
    asks(bencher, StatusCode::CREATED, |stage, key| {
        let particulars = stage.people.newcomer().expect("a newcomer").particulars;
        let body = serde_json::json!({ "name": particulars.name.as_str(), "email": particulars.email.typed() });
        request(Method::POST, "/api/customers", key).content_type("application/json").body(body.to_string())
    });
}

#[divan::bench]
fn gets_a_customer(bencher: Bencher) {
    asks(bencher, StatusCode::OK, |stage, key| {
        let id = stage.people.somebody().expect("somebody");
        request(Method::GET, &format!("/api/customers/{id}"), key).finish()
    });
}

#[divan::bench]
fn gets_a_page(bencher: Bencher) {
    asks(bencher, StatusCode::OK, |_, key| request(Method::GET, "/api/customers", key).finish());
}

fn asks(bencher: Bencher, expected: StatusCode, ask: impl Fn(&Stage, &str) -> Request) {
    let stage = Stage::of_ten_thousand();
    let (key, web) = (stage.key(), stage.app.web().public(true));
    bencher.with_inputs(|| ask(&stage, &key)).bench_local_values(|request| {
        let (status, body) = stage.wait_for(answer(&web, request));
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
        body
    });
}

fn request(method: Method, path: &str, key: &str) -> RequestBuilder {
    let request = Request::builder().method(method).uri_str(path);
    request.header(header::AUTHORIZATION, format!("Bearer {key}"))
}

async fn answer(
    web: &impl Endpoint<Output = Response>,
    request: Request,
) -> Result<(StatusCode, Vec<u8>), ReadBodyError> {
    let response = web.get_response(request).await;
    let status = response.status();
    Ok((status, response.into_body().into_vec().await?))
}
