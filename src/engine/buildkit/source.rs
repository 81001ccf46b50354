//! The line of a Dockerfile that a step comes from. Start with [`line_of_step`].
//!
//! Engines since BuildKit 0.12 tell the line themselves; Docker 20.10 does not. BuildKit names steps
//! `[stage 2/3] RUN ...` and counts a stage's base image (unless it is `scratch` or another stage) and its `RUN`,
//! `COPY`, `ADD` and `WORKDIR`. The same count over the Dockerfile's text gives the line. If the counts do
//! not agree (`ONBUILD` of a base image, heredocs), there is no line rather than a wrong one.

/// An instruction of a Dockerfile.
#[derive(Debug, PartialEq, Eq)]
struct Instruction {
    line: usize,
    keyword: String,
    rest: String,
}

/// The line (from 1) of the instruction that the step `name` runs.
pub(super) fn line_of_step(dockerfile: &[u8], name: &str) -> Option<usize> {
    let (prefix, command) = name.strip_prefix('[')?.split_once(']')?;
    let mut words = prefix.split_whitespace().rev();
    let (index, total) = words.next()?.split_once('/')?;
    let (index, total): (usize, usize) = (index.parse().ok()?, total.parse().ok()?);
    // A platform, such as `linux/arm64->amd64`, may stand where the stage does.
    let stage = words.next().filter(|word| !word.contains('/'));

    let instructions = instructions(&String::from_utf8_lossy(dockerfile));
    let stages: Vec<&[Instruction]> = stages(&instructions);
    let body = match stage {
        None if stages.len() == 1 => stages.first()?,
        None => return None,
        Some(stage) => stages.iter().enumerate().find(|(number, body)| is_stage(stage, *number, body))?.1,
    };
    let steps = body.iter().filter(|step| matches!(&*step.keyword, "RUN" | "COPY" | "ADD" | "WORKDIR"));
    let steps: Vec<&Instruction> = steps.collect();
    let found = match total.checked_sub(steps.len())? {
        0 => steps.get(index.checked_sub(1)?)?,
        1 if index == 1 => body.first()?,
        1 => steps.get(index.checked_sub(2)?)?,
        _ => return None,
    };
    let keyword = command.split_whitespace().next()?;
    keyword.eq_ignore_ascii_case(&found.keyword).then_some(found.line)
}

/// The line (from 1) of an instruction by its number (from 1) in a stage, with `FROM` as the first, as
/// engines without BuildKit count. `totals` are the possible numbers of instructions in the stage and
/// `command` is the engine's text of the instruction: both must agree with the Dockerfile.
pub(in crate::engine) fn line_of_instruction(
    dockerfile: &[u8],
    stage: usize,
    number: usize,
    totals: [usize; 2],
    command: &str,
) -> Option<usize> {
    let instructions = instructions(&String::from_utf8_lossy(dockerfile));
    let stages = stages(&instructions);
    let body = stages.get(stage.checked_sub(1)?).filter(|body| totals.contains(&body.len()))?;
    let found = body.get(number.checked_sub(1)?)?;
    let keyword = command.split_whitespace().next()?;
    keyword.eq_ignore_ascii_case(&found.keyword).then_some(found.line)
}

/// The line (from 1) of the first `FROM` of the image that BuildKit calls `image`.
pub(super) fn line_of_base(dockerfile: &[u8], image: &str) -> Option<usize> {
    let instructions = instructions(&String::from_utf8_lossy(dockerfile));
    let mut bases = instructions.iter().filter(|instruction| instruction.keyword == "FROM");
    let found = bases.find(|from| base_of(from).is_some_and(|base| full_name(base) == full_name(image)));
    found.map(|from| from.line)
}

/// The full name of an image, such as `docker.io/library/alpine:latest` for `alpine`.
fn full_name(image: &str) -> String {
    let domain = |first: &str| first.contains(['.', ':']) || first == "localhost";
    let name = match image.split_once('/') {
        Some((first, _)) if domain(first) => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    };
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { name } else { format!("{name}:latest") }
}

fn base_of(from: &Instruction) -> Option<&str> {
    from.rest.split_whitespace().find(|word| !word.starts_with("--"))
}

fn is_stage(name: &str, number: usize, body: &[Instruction]) -> bool {
    let words: Vec<&str> =
        body.first().map(|from| from.rest.split_whitespace().collect()).unwrap_or_default();
    match words.as_slice() {
        [.., before, alias] if before.eq_ignore_ascii_case("as") => alias.eq_ignore_ascii_case(name),
        _ => name.strip_prefix("stage-").is_some_and(|digits| digits.parse() == Ok(number)),
    }
}

fn stages(instructions: &[Instruction]) -> Vec<&[Instruction]> {
    let starts =
        |(index, instruction): (usize, &Instruction)| (instruction.keyword == "FROM").then_some(index);
    let starts: Vec<usize> = instructions.iter().enumerate().filter_map(starts).collect();
    let ends = starts.iter().skip(1).copied().chain([instructions.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| &instructions[start..end]).collect()
}

/// The instructions of a Dockerfile, with continued lines joined. This is no parser: it only has to find the
/// beginnings.
fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape_of(text);
    let mut found: Vec<Instruction> = Vec::new();
    let mut continued = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        // Comments and, within an instruction, empty lines do not end it.
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (content, goes_on) = match line.strip_suffix(escape) {
            Some(content) => (content, true),
            None => (line, false),
        };
        if let Some(instruction) = found.last_mut().filter(|_| continued) {
            instruction.rest.push_str(content);
        } else {
            let (keyword, rest) = content.split_once(char::is_whitespace).unwrap_or((content, ""));
            let (keyword, rest) = (keyword.to_ascii_uppercase(), rest.to_owned());
            found.push(Instruction { line: number + 1, keyword, rest });
        }
        continued = goes_on;
    }
    found
}

/// The escape character of a Dockerfile: that of the directive `# escape=`, which stands before everything
/// else, or a backslash.
fn escape_of(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    let mut pairs = directives.filter_map(|directive| directive.split_once('='));
    let escape = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("escape"));
    escape.and_then(|(_, value)| value.trim().chars().next()).unwrap_or('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &[u8] = b"# syntax=docker/dockerfile:1
ARG V=1
FROM node:$V AS build
WORKDIR /app
COPY package.json \\
     # a comment

     package-lock.json ./
run npm ci && \\
    npm test
RUN npm ci

FROM scratch
COPY --from=build /app /
FROM build
RUN true
";

    #[test]
    fn a_step_has_the_line_where_its_instruction_begins() {
        let cases = [
            ("[build 1/5] FROM docker.io/library/node:1", Some(3)),
            ("[build 2/5] WORKDIR /app", Some(4)),
            ("[build 3/5] COPY package.json ./", Some(5)),
            ("[build 4/5] RUN npm ci &&     npm test", Some(9)),
            ("[linux/amd64 build 5/5] RUN npm ci", Some(11)),
            ("[stage-1 1/1] COPY --from=build /app /", Some(14)),
            ("[stage-2 1/1] RUN true", Some(16)),
            ("[build 5/5] COPY x", None),
            ("[build 7/9] RUN npm ci", None),
            ("[stage-1 1/0] COPY", None),
            ("[1/1] RUN true", None),
            ("[internal] load build context", None),
        ];
        for (name, line) in cases {
            assert_eq!(line_of_step(DOCKERFILE, name), line, "{name}");
        }
    }

    #[test]
    fn an_instruction_is_found_by_its_number() {
        let line = |stage, (number, total): (usize, usize), command| {
            line_of_instruction(DOCKERFILE, stage, number, [total, total - 1], command)
        };
        assert_eq!(line(1, (1, 5), "FROM node:1 AS build"), Some(3));
        assert_eq!(line(1, (5, 5), "RUN npm ci"), Some(11));
        assert_eq!(line(3, (2, 2), "RUN true"), Some(16));
        assert_eq!(line(3, (2, 3), "RUN true"), Some(16));
        assert_eq!(line(3, (2, 4), "RUN true"), None);
        assert_eq!(line(3, (2, 2), "COPY a b"), None);
        assert_eq!(line(4, (1, 1), "FROM x"), None);
    }

    #[test]
    fn numbers_are_padded_in_long_stages() {
        let text = "FROM scratch\n".to_owned() + &"RUN x\n".repeat(12);
        assert_eq!(line_of_step(text.as_bytes(), "[ 2/12] RUN x"), Some(3));
        assert_eq!(line_of_step(text.as_bytes(), "[11/12] RUN x"), Some(12));
    }

    #[test]
    fn another_escape_continues_lines() {
        let text = b"# escape=`\nFROM scratch\nCOPY a `\n b\nRUN c:\\\nRUN d\n";
        assert_eq!(line_of_step(text, "[3/3] RUN d"), Some(6));
    }

    #[test]
    fn a_base_is_found_under_its_full_name() {
        let text = b"FROM --platform=linux/amd64 nope AS x\nFROM localhost:5000/a:1\n";
        assert_eq!(line_of_base(text, "docker.io/library/nope:latest"), Some(1));
        assert_eq!(line_of_base(text, "localhost:5000/a:1"), Some(2));
        assert_eq!(line_of_base(text, "docker.io/library/other:latest"), None);
    }
}
