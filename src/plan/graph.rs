//! The graph of images and the images that they are built from. Start with [`order`].

use std::collections::{BTreeMap, BTreeSet};

use crate::config::ImageName;
use crate::error::{Code, Failure};

/// The images that each image is built from.
pub type Dependencies = BTreeMap<ImageName, BTreeSet<ImageName>>;

/// Images that are built from each other in a circle.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("images are built from each other in a circle: {}", show(.0))]
pub struct Cycle(Vec<ImageName>);

impl Failure for Cycle {
    fn code(&self) -> Code {
        Code::ImageCycle
    }

    fn hint(&self) -> Option<String> {
        Some("build one of them from something else".to_owned())
    }
}

/// The places of the images in an order in which each image comes after the images that it is built from. Names
/// decide where nothing else does.
///
/// A need that is not among the images has no needs itself and does not count.
///
/// # Errors
/// Fails when images are built from each other in a circle.
pub fn order(images: &[(&ImageName, &BTreeSet<ImageName>)]) -> Result<Vec<usize>, Cycle> {
    let mut by_name: Vec<usize> = (0..images.len()).collect();
    by_name.sort_by_key(|place| images[*place].0);
    // From here on, an image is its rank among the names.
    let rank = |name: &ImageName| by_name.binary_search_by(|place| images[*place].0.cmp(name)).ok();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); images.len()];
    let mut waits: Vec<usize> = vec![0; images.len()];
    for (user, place) in by_name.iter().enumerate() {
        for need in images[*place].1.iter().filter_map(rank) {
            users[need].push(user);
            waits[user] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..images.len()).filter(|image| waits[*image] == 0).collect();
    let mut ordered = Vec::with_capacity(images.len());
    while !ready.is_empty() {
        let mut next = Vec::new();
        for user in ready.iter().flat_map(|image| &users[*image]) {
            waits[*user] -= 1;
            if waits[*user] == 0 {
                next.push(*user);
            }
        }
        ordered.extend(ready.iter().map(|image| by_name[*image]));
        next.sort_unstable();
        ready = next;
    }
    if ordered.len() == images.len() {
        return Ok(ordered);
    }
    let waiting = by_name.iter().zip(&waits).filter(|(_, waits)| **waits > 0);
    Err(circle(&waiting.map(|(place, _)| images[*place]).collect()))
}

/// The `images` and all images that they are built from, directly or not.
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

/// The circle that is found by following the first need of each image. Every waiting image needs another
/// waiting image.
fn circle(waiting: &BTreeMap<&ImageName, &BTreeSet<ImageName>>) -> Cycle {
    let mut path: Vec<&ImageName> = Vec::new();
    let mut at = waiting.keys().next().copied();
    while let Some(image) = at {
        if let Some(start) = path.iter().position(|seen| *seen == image) {
            path.drain(..start);
            path.push(image);
            break;
        }
        path.push(image);
        let needs = waiting.get(image).map(|needs| needs.iter());
        at = needs.and_then(|mut needs| needs.find(|need| waiting.contains_key(need)));
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

    /// The names of the images in order.
    fn ordered(edges: &[(&str, &[&str])]) -> Result<Vec<String>, Cycle> {
        let needs = |(image, needs): &(&str, &[&str])| {
            (name(image), needs.iter().map(|need| name(need)).collect::<BTreeSet<_>>())
        };
        let images: Vec<_> = edges.iter().map(needs).collect();
        let images: Vec<_> = images.iter().map(|(image, needs)| (image, needs)).collect();
        Ok(order(&images)?.into_iter().map(|place| images[place].0.to_string()).collect())
    }

    #[test]
    fn an_image_comes_after_what_it_is_built_from() {
        let images: [(&str, &[&str]); 3] = [("app", &["base", "tools"]), ("base", &[]), ("tools", &["base"])];
        assert_eq!(ordered(&images).unwrap(), ["base", "tools", "app"]);
    }

    #[test]
    fn names_decide_where_nothing_else_does_and_what_is_not_among_the_images_does_not_count() {
        let images: [(&str, &[&str]); 5] =
            [("d", &["elsewhere"]), ("b", &["e"]), ("e", &[]), ("c", &[]), ("a", &["e"])];
        assert_eq!(ordered(&images).unwrap(), ["c", "d", "e", "a", "b"]);
    }

    #[test]
    fn a_circle_is_shown() {
        let images: [(&str, &[&str]); 5] =
            [("a", &["b"]), ("b", &["0", "c"]), ("c", &["b"]), ("d", &[]), ("0", &[])];
        let shown = ordered(&images).unwrap_err().to_string();
        assert_eq!(shown, "images are built from each other in a circle: `b` -> `c` -> `b`");
    }

    #[test]
    fn the_closure_holds_what_is_needed_indirectly() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &[]), ("d", &["c"])]);
        assert_eq!(closure(&[name("a")].into(), &graph), [name("a"), name("b"), name("c")].into());
    }
}
