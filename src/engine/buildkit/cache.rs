//! Caches outside of the engine, as BuildKit is told of them. Start with [`imports`] and [`exports`].

use bollard_buildkit_proto::moby::buildkit::v1::CacheOptionsEntry;
use serde::Serialize;

use super::content::Caches;
use crate::config::CacheEntry;

/// A cache in the frontend's attribute `cache-imports`, which is JSON with Go's names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Import {
    r#type: String,
    attrs: std::collections::HashMap<String, String>,
}

/// The caches to import steps from, as JSON for the frontend; none if there are no caches.
pub(super) fn imports(
    entries: &[CacheEntry],
    caches: &Caches,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let imports = usable(entries, caches, variable);
    let imports: Vec<Import> =
        imports.map(|entry| Import { r#type: entry.r#type, attrs: entry.attrs }).collect();
    if imports.is_empty() { None } else { serde_json::to_string(&imports).ok() }
}

/// The caches to export steps to.
pub(super) fn exports(
    entries: &[CacheEntry],
    caches: &Caches,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<CacheOptionsEntry> {
    usable(entries, caches, variable).collect()
}

/// The caches that can be had here. GitHub's cache is there for GitHub's own jobs only, which find its
/// address and token in environment variables, as `docker buildx` does; `variable` reads one.
fn usable(
    entries: &[CacheEntry],
    caches: &Caches,
    variable: impl Fn(&str) -> Option<String>,
) -> impl Iterator<Item = CacheOptionsEntry> {
    entries.iter().filter_map(move |entry| {
        let mut told = caches.told(entry)?;
        let attrs = &mut told.attrs;
        if entry.kind == "gha" {
            attrs.insert("token".to_owned(), variable("ACTIONS_RUNTIME_TOKEN")?);
            if variable("ACTIONS_CACHE_SERVICE_V2").is_some() {
                attrs.entry("version".to_owned()).or_insert_with(|| "2".to_owned());
            }
            for (name, source) in [("url", "ACTIONS_CACHE_URL"), ("url_v2", "ACTIONS_RESULTS_URL")] {
                if let Some(value) = variable(source) {
                    attrs.entry(name.to_owned()).or_insert(value);
                }
            }
        }
        Some(told)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, attributes: &[(&str, &str)]) -> CacheEntry {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        CacheEntry { kind: kind.to_owned(), attributes: attributes.iter().map(own).collect() }
    }

    #[test]
    fn caches_are_told_as_buildkit_reads_them() {
        let entries = [entry("registry", &[("ref", "localhost:5000/cache")])];
        let told = imports(&entries, &Caches::default(), |_| None).unwrap();
        assert_eq!(told, r#"[{"Type":"registry","Attrs":{"ref":"localhost:5000/cache"}}]"#);
        assert_eq!(imports(&[], &Caches::default(), |_| None), None);
        assert_eq!(exports(&entries, &Caches::default(), |_| None)[0].r#type, "registry");
    }

    #[test]
    fn githubs_cache_is_there_for_its_own_jobs() {
        let entries = [entry("gha", &[("scope", "main"), ("url", "https://own/")])];
        assert!(exports(&entries, &Caches::default(), |_| None).is_empty());
        let job = |name: &str| match name {
            "ACTIONS_RUNTIME_TOKEN" => Some("t".to_owned()),
            "ACTIONS_CACHE_URL" | "ACTIONS_RESULTS_URL" => Some("https://github/".to_owned()),
            _ => None,
        };
        let told = &exports(&entries, &Caches::default(), job)[0].attrs;
        let of = |name: &str| told.get(name).map(String::as_str);
        assert_eq!(
            (of("token"), of("url"), of("url_v2")),
            (Some("t"), Some("https://own/"), Some("https://github/"))
        );
    }
}
