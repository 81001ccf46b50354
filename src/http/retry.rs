//! Further attempts of requests. Start with [`pause`], which decides if and when a request is sent again.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::{Answer, HttpError, Problem, Request};

/// The pauses before the second and third attempt of a request that may be made twice.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(600)];

/// The longest pause that a server may ask for. If a server asks for more, the request is not sent again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pause before the next attempt: `usual` unless the server names a pause; none if there is no next attempt.
pub(super) fn pause(
    request: &Request,
    result: &Result<Answer, HttpError>,
    usual: Duration,
) -> Option<Duration> {
    match result {
        // The server says that it did nothing.
        Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
            Some(retry_after(&answer.headers).unwrap_or(usual)).filter(|asked| *asked <= LONGEST_PAUSE)
        }
        _ if !request.repeatable => None,
        Ok(answer) => answer.status.is_server_error().then_some(usual),
        // A server that does not listen will not start to within half a second.
        Err(error) => (error.is_transient() && error.problem != Problem::Refused).then_some(usual),
    }
}

/// The time for which a server asks to be left alone (`Retry-After`), if the header gives it in seconds.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use reqwest::{Method, Url};

    use super::*;

    const USUAL: Duration = Duration::from_millis(1);

    fn answer(status: u16, asked: Option<&'static str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(asked) = asked {
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
        }
        let url = Url::parse("https://a.example").unwrap();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Vec::new(), url }
    }

    fn failure(problem: Problem) -> HttpError {
        HttpError { peer: "a.example".to_owned(), redirected: false, problem, reason: String::new() }
    }

    #[test]
    fn only_what_may_pass_gets_a_second_chance() {
        let request = |method| Request::new(method, Url::parse("https://a.example").unwrap());
        let (get, post) = (request(Method::GET), request(Method::POST));
        let seconds = |count| Some(Duration::from_secs(count));
        for (result, of_get, of_post) in [
            (Ok(answer(200, None)), None, None),
            (Ok(answer(404, None)), None, None),
            (Ok(answer(503, None)), Some(USUAL), None),
            (Ok(answer(429, None)), Some(USUAL), Some(USUAL)),
            (Ok(answer(429, Some("7"))), seconds(7), seconds(7)),
            (Ok(answer(429, Some("31"))), None, None),
            (Err(failure(Problem::Broken)), Some(USUAL), None),
            (Err(failure(Problem::TimedOut)), Some(USUAL), None),
            (Err(failure(Problem::Refused)), None, None),
            (Err(failure(Problem::Certificate)), None, None),
        ] {
            let told = result.as_ref().map(|answer| answer.status).map_err(|error| error.problem);
            assert_eq!(pause(&get, &result, USUAL), of_get, "GET {told:?}");
            assert_eq!(pause(&post, &result, USUAL), of_post, "POST {told:?}");
        }
    }
}
