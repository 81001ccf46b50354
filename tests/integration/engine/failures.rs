//! Builds of which several steps fail.

use super::fixture::{Files, build, docker, failure, has_buildkit, request};

/// A build of as many stages as there are codes. Each fails with its own, and says it before.
fn failing_with(codes: &[i32]) -> String {
    let stage = |code: &i32| {
        let run = format!("echo code {code}; exit {code}");
        format!(
            "FROM scratch AS s{code}\nCOPY busybox /bin/busybox\n\
             RUN [\"/bin/busybox\", \"sh\", \"-c\", \"{run}\"]\n"
        )
    };
    let copy = |code: &i32| format!("COPY --from=s{code} /bin/busybox /{code}\n");
    let stages: String = codes.iter().map(stage).collect();
    stages + "FROM scratch\n" + &codes.iter().map(copy).collect::<String>()
}

#[tokio::test]
async fn of_several_failing_steps_one_is_told_as_a_whole() {
    let docker = docker().await;
    let codes = [21, 22, 23, 24, 25, 26];
    for _ in 0..3 {
        let mut request = request("several", &failing_with(&codes), &Files::with_busybox());
        request.no_cache = true;
        let failure = failure(build(&docker, &request).await.0);
        let code = failure.exit_code.unwrap_or_else(|| panic!("{failure:?}"));
        let index = codes.iter().position(|known| *known == code).unwrap_or_else(|| panic!("{failure:?}"));
        assert_eq!(failure.log, [format!("code {code}")], "{failure:?}");
        assert_eq!(failure.line, Some(3 * index + 3), "{failure:?}");
        assert!(failure.message.ends_with(&format!("exited with code {code}")), "{failure:?}");
        assert!(
            failure.step.as_deref().is_some_and(|step| step.contains(&format!("exit {code}"))),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_path_that_is_missing_in_a_stage_is_looked_for_in_the_stage() {
    let docker = docker().await;
    let text = "FROM scratch AS tools\nCOPY busybox /bin/busybox\nFROM scratch\n\nCOPY --from=tools /bin/bussybox /b\n";
    let failure = failure(build(&docker, &request("stage", text, &Files::with_busybox())).await.0);
    assert_eq!(failure.line, Some(5), "{failure:?}");
    if has_buildkit(&docker).await {
        let message = &failure.message;
        assert!(
            message.starts_with("stage/Dockerfile:5: `COPY --from=tools /bin/bussybox /b` failed: "),
            "{message}"
        );
        assert!(message.ends_with("not found; is it in `tools`, which `--from` names?"), "{message}");
    }
}
