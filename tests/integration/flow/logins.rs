//! Tokens in docker's configuration, at a registry that nothing else opens: bases are pulled and images are pushed.

use super::bench::{Bench, unique, variable};
use super::local::publish;
use crate::support::odd::{Asked, OddRegistry, answer, challenge};

/// The token that the registry itself takes, and the one that its token server exchanges for it.
const REGISTRY_TOKEN: &str = "opens-the-registry";
const IDENTITY_TOKEN: &str = "says-who-asks";

/// A registry that takes its token alone. Its token server gives it for an identity token, and for nothing else.
fn registry() -> OddRegistry {
    OddRegistry::new(|asked: &Asked| {
        if asked.path.starts_with("/token") {
            let knows =
                String::from_utf8_lossy(&asked.body).contains(&format!("refresh_token={IDENTITY_TOKEN}"));
            let body = format!(
                r#"{{"access_token":"{REGISTRY_TOKEN}","token":"{REGISTRY_TOKEN}","expires_in":300}}"#
            );
            return Some(if knows { answer(200, body) } else { answer(401, "") });
        }
        let bearer = format!("Bearer {REGISTRY_TOKEN}");
        let is_known = asked.authorization.as_deref() == Some(&*bearer);
        let realm = format!(r#"Bearer realm="http://{}/token",service="odd""#, asked.host);
        (!is_known).then(|| challenge(&realm))
    })
}

#[test]
fn tokens_of_a_login_open_a_registry_to_every_engine() {
    for engine in ["DOCKER_HOST", "DTBUILD_TEST_ENGINE_28", "DTBUILD_TEST_ENGINE_28_CONTAINERD"] {
        for (field, token) in [("registrytoken", REGISTRY_TOKEN), ("identitytoken", IDENTITY_TOKEN)] {
            let registry = registry();
            let mut bench = Bench::new();
            bench.engine = variable(engine);
            bench.registry = format!("{}/{}", registry.host, unique());
            let folder = bench.out("docker");
            std::fs::create_dir(&folder).unwrap();
            let config = format!(r#"{{"auths":{{"{}":{{"{field}":"{token}"}}}}}}"#, registry.host);
            std::fs::write(folder.join("config.json"), config).unwrap();
            bench.set("DOCKER_CONFIG", folder.to_str().unwrap());
            let base = format!("{}/os:1", unique());
            publish(&format!("{}/{base}", variable("DTBUILD_TEST_REGISTRY")), "one");
            bench.write("site/Dockerfile", &format!("FROM {}/{base}\nCOPY page /page\n", registry.host));
            bench.run(&["lock"]).ok();
            bench.commit("behind a login");
            let ran = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
            assert_eq!(ran.images("push-finished"), ["api", "site"], "{engine}, {field}");
            assert_eq!(
                registry.asked().iter().any(|asked| asked.contains("/token")),
                field == "identitytoken"
            );
        }
    }
}
