//! Which image is built from which: [`order`] puts each after those that it needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::ImageName;

/// The images that each image is built from.
pub type Dependencies = BTreeMap<ImageName, BTreeSet<ImageName>>;

/// Images that are built from each other in a circle.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("images are built from each other in a circle: {}; build one of them from something else", show(.0))]
pub struct Cycle(Vec<ImageName>);

/// The images, each after those that it is built from; by name where nothing else decides.
///
/// A name that is not a key of `dependencies` has none itself and is left out.
///
/// # Errors
/// When there is a circle.
pub fn order(dependencies: &Dependencies) -> Result<Vec<ImageName>, Cycle> {
    let mut waiting: BTreeMap<&ImageName, BTreeSet<&ImageName>> = BTreeMap::new();
    let mut users: BTreeMap<&ImageName, Vec<&ImageName>> = BTreeMap::new();
    let mut ready: Vec<&ImageName> = Vec::new();
    for (image, needs) in dependencies {
        let needs: BTreeSet<&ImageName> =
            needs.iter().filter(|need| dependencies.contains_key(*need)).collect();
        if needs.is_empty() {
            ready.push(image);
            continue;
        }
        for need in &needs {
            users.entry(need).or_default().push(image);
        }
        waiting.insert(image, needs);
    }
    let mut ordered = Vec::with_capacity(dependencies.len());
    while !ready.is_empty() {
        let mut next = Vec::new();
        for image in &ready {
            for user in users.remove(*image).unwrap_or_default() {
                let Some(needs) = waiting.get_mut(user) else { continue };
                needs.remove(*image);
                if needs.is_empty() {
                    waiting.remove(user);
                    next.push(user);
                }
            }
        }
        ordered.extend(ready.into_iter().cloned());
        next.sort_unstable();
        ready = next;
    }
    if waiting.is_empty() { Ok(ordered) } else { Err(circle(&waiting)) }
}

/// `images` and everything that they are built from, directly or not.
#[must_use]
pub fn closure(images: &BTreeSet<ImageName>, dependencies: &Dependencies) -> BTreeSet<ImageName> {
    let mut found = images.clone();
    let mut next: Vec<&ImageName> = images.iter().collect();
    while let Some(image) = next.pop() {
        for need in dependencies.get(image).into_iter().flatten() {
            if found.insert(need.clone()) {
                next.push(need);
            }
        }
    }
    found
}

/// Follows first needs until an image comes again. Every image that waits needs one that waits.
fn circle(waiting: &BTreeMap<&ImageName, BTreeSet<&ImageName>>) -> Cycle {
    let mut path: Vec<&ImageName> = Vec::new();
    let mut at = waiting.keys().next().copied();
    while let Some(image) = at {
        if let Some(start) = path.iter().position(|seen| *seen == image) {
            path.drain(..start);
            path.push(image);
            break;
        }
        path.push(image);
        at = waiting.get(image).and_then(|needs| needs.iter().next().copied());
    }
    Cycle(path.into_iter().cloned().collect())
}

fn show(circle: &[ImageName]) -> String {
    circle.iter().map(|image| format!("`{image}`")).collect::<Vec<_>>().join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        text.parse().unwrap()
    }

    fn graph(edges: &[(&str, &[&str])]) -> Dependencies {
        edges
            .iter()
            .map(|(image, needs)| (name(image), needs.iter().map(|need| name(need)).collect()))
            .collect()
    }

    #[test]
    fn an_image_comes_after_what_it_is_built_from() {
        let ordered =
            order(&graph(&[("app", &["base", "tools"]), ("base", &[]), ("tools", &["base"])])).unwrap();
        assert_eq!(ordered, [name("base"), name("tools"), name("app")]);
    }

    #[test]
    fn a_circle_is_shown() {
        let error = order(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])])).unwrap_err();
        let shown = error.to_string();
        assert!(
            shown.starts_with("images are built from each other in a circle: `b` -> `c` -> `b`;"),
            "{shown}"
        );
    }

    #[test]
    fn the_closure_holds_what_is_needed_indirectly() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &[]), ("d", &["c"])]);
        assert_eq!(closure(&[name("a")].into(), &graph), [name("a"), name("b"), name("c")].into());
    }
}
