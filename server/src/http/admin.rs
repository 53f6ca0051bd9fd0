//! `/admin/graphql`, the control plane over HTTP: POST with JSON only, so that no page of another site reaches it.

use super::accept::Media;
use super::body;
use super::front::Front;
use super::graphql::{body_refusal, require_json};
use super::outcome::{Refusal, respond};
use async_graphql_poem::GraphQLRequest;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Body, FromRequest, Request, Response};
use vivarium_schema::Code;

/// An SDL document of thousands of collections.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Answers a request to the control plane.
pub async fn answer(front: &Front, request: Request, request_id: String) -> Response {
    match decode(front, request).await {
        Ok(decoded) => {
            let answer = front.admin().execute(decoded).await;
            for error in &answer.errors {
                tracing::debug!(request_id, message = %error.message, "control plane error");
            }
            let body = serde_json::to_vec(&answer).expect("an answer always has a JSON form");
            respond(StatusCode::OK, Media::Json, body, &request_id)
        }
        Err(refusal) => refusal.into_response(Media::Json, &request_id),
    }
}

async fn decode(front: &Front, mut request: Request) -> Result<async_graphql::Request, Refusal> {
    if request.method() != Method::POST {
        let message = "The control plane takes POST with JSON only.";
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message);
        return Err(refusal.with_header(header::ALLOW, HeaderValue::from_static("POST")));
    }
    require_json(request.headers())?;
    let body = body::read(&mut request, BODY_BYTES_MAX, front.options().http.arrival_max())
        .await
        .map_err(|error| body_refusal(error, BODY_BYTES_MAX))?;
    // A list would be a batch, or worse: the members of a request by their order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        let message = "The body must be a JSON object with a \"query\".";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::BadUserInput, message));
    }
    request.set_body(Body::from_bytes(body));
    let (request, mut body) = request.split();
    let decoded = GraphQLRequest::from_request(&request, &mut body).await.map_err(|error| {
        let message = format!("The body is not the JSON of one GraphQL request: {error}.");
        Refusal::new(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
    })?;
    Ok(decoded.0)
}
