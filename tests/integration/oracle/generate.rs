//! Random cases. Start with [`Generator`].

use std::collections::BTreeMap;

use dtbuild_content::tree::Kind;

use super::case::{Base, Case, EPOCH, Instruction, Leaf, Stage, TARGET};
use super::random::Random;

/// Folders and files have different names, else most cases would copy one over the other, which no engine does.
const FOLDERS: [&str; 5] = ["a", "b", "ab", "ba.d", "c"];
const FILES: [&str; 7] = ["f", "af", "a.o", "b.o", "fb", "bf", "c.txt"];
const ODD_FOLDERS: [&str; 5] = ["a b", ".h", "-x", "[x]", "a+~"];
const ODD_FILES: [&str; 5] = ["a c", "é", ".f", "#n", "!b"];

/// What the engine's frontend has, besides what every one has.
#[expect(clippy::struct_excessive_bools, reason = "each is a feature of its own")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features {
    pub(super) heredocs: bool,
    pub(super) link: bool,
    pub(super) exclude: bool,
    pub(super) parents: bool,
    pub(super) target_stage: bool,
}

/// Makes cases.
pub(super) struct Generator<'a> {
    pub(super) random: &'a mut Random,
    pub(super) features: Features,
    /// Whether the cases begin with a blank ARG of a platform: one build of many has it for all of them.
    pub(super) blank: bool,
}

/// A path of one to three names, mostly plain ones.
pub(super) fn path(random: &mut Random) -> String {
    let name = |random: &mut Random, plain: &[&'static str], odd: &[&'static str]| {
        if random.chance(6) { random.of(odd) } else { random.of(plain) }
    };
    let mut names: Vec<&str> = (0..random.below(3)).map(|_| name(random, &FOLDERS, &ODD_FOLDERS)).collect();
    names.push(name(random, &FILES, &ODD_FILES));
    names.join("/")
}

impl Case {
    /// Puts a file where nothing else is in the way; whether it could.
    pub(super) fn put(&mut self, path: &str, leaf: Leaf) -> bool {
        let inside = format!("{path}/");
        let below = self.tree.keys().any(|other| other.starts_with(&inside));
        let above = path.match_indices('/').any(|(end, _)| self.tree.contains_key(&path[..end]));
        if below || above {
            return false;
        }
        self.tree.insert(path.to_owned(), leaf);
        true
    }

    /// A file, a link, or a folder above one.
    pub(super) fn any_path(&self, random: &mut Random) -> String {
        let paths: Vec<&String> = self.tree.keys().collect();
        let path = paths[random.below(paths.len())];
        match path.rsplit_once('/') {
            Some((folder, _)) if random.chance(50) => folder.to_owned(),
            _ => path.clone(),
        }
    }

    /// The text of a link at `path`, mostly to what is there.
    pub(super) fn link_text(&self, path: &str, random: &mut Random) -> String {
        let target = match random.below(60) {
            0 => path.to_owned(),
            1 | 2 => "nowhere".to_owned(),
            _ => self.any_path(random),
        };
        let up = "../".repeat(path.matches('/').count());
        match random.below(200) {
            0 => format!("{up}{}/../{target}", random.of(&FOLDERS)),
            1 => format!("{up}."),
            2..40 => format!("./{up}{target}"),
            _ => format!("{up}{target}"),
        }
    }

    /// A line of a `.dockerignore`.
    pub(super) fn ignore_line(&self, random: &mut Random) -> String {
        let path = self.any_path(random);
        let name = path.rsplit('/').next().unwrap_or_default();
        let pattern = match random.below(16) {
            0 => format!("/{path}"),
            1 => format!("{path}/"),
            2 => format!("**/{name}"),
            3 => format!("{path}/**"),
            4 => format!("./{path}"),
            5 => format!("  {path}  "),
            6 => random
                .of(&["*.o", "**/*.o", "*/*.o", "?", "[ab]", "a*", "**/c", "**/*", "a/*", "*", "**/f"])
                .to_owned(),
            7 => random.of(&["", "# nothing", "Dockerfile", ".dockerignore", "*ockerfile*"]).to_owned(),
            _ => path,
        };
        if random.chance(20) && !pattern.is_empty() { format!("!{pattern}") } else { pattern }
    }
}

impl Generator<'_> {
    /// A case of this name.
    pub(super) fn case(&mut self, name: &str) -> Case {
        let mut case = Case {
            name: name.to_owned(),
            salt: String::new(),
            tree: BTreeMap::new(),
            ignore: Vec::new(),
            globals: self.blank.then(|| "ARG TARGETARCH".to_owned()).into_iter().collect(),
            ignore_beside: self.random.chance(40),
            dockerfile_inside: self.random.chance(40),
            stages: Vec::new(),
            target: None,
            arguments: BTreeMap::new(),
        };
        for number in 0..3 + self.random.below(6) {
            let kind = if self.random.chance(20) { Kind::Executable } else { Kind::File };
            let content = if self.random.chance(5) { String::new() } else { format!("file {number}") };
            let path = path(self.random);
            case.put(&path, (kind, content));
        }
        for _ in 0..self.random.below(3) {
            let path = path(self.random);
            let text = case.link_text(&path, self.random);
            case.put(&path, (Kind::Symlink, text));
        }
        for _ in 0..self.random.below(4).saturating_sub(1) {
            let line = case.ignore_line(self.random);
            case.ignore.push(line);
        }
        self.stages(&mut case);
        case
    }

    fn stages(&mut self, case: &mut Case) {
        let count = self.random.weighted(&[(65, 1), (25, 2), (10, 3)]);
        for number in 0..count {
            let base = match self.random.below(10) {
                0..3 if number > 0 => Base::Stage(self.random.below(number)),
                9 if self.random.chance(40) => {
                    case.globals.push("ARG B@=1.36".into());
                    Base::Tagged
                }
                9 => Base::Image,
                _ => Base::Scratch,
            };
            case.globals.dedup();
            let mut stage = Stage { base, instructions: Vec::new() };
            if number > 0 && self.random.chance(60) {
                stage.instructions.push(Instruction::CopyStage { stage: self.random.below(number) });
            }
            self.fill(&mut stage, case);
            case.stages.push(stage);
        }
        if count > 1 && self.random.chance(25) {
            case.target = Some(self.random.below(count));
        }
    }

    fn fill(&mut self, stage: &mut Stage, case: &mut Case) {
        if self.random.chance(10) {
            stage.instructions.push(Instruction::Argument { name: "W".into(), default: Some("1".into()) });
        }
        let mut variable = None;
        if self.random.chance(20) {
            let value = escaped(&case.any_path(self.random));
            let instruction = if self.random.chance(60) {
                if self.random.chance(50) {
                    case.arguments.insert("V".into(), escaped(&case.any_path(self.random)));
                }
                Instruction::Argument { name: "V".into(), default: Some(value) }
            } else {
                Instruction::Variable { name: "V".into(), value }
            };
            stage.instructions.push(instruction);
            variable = Some(self.random.of(&["$V@", "${V@}", "${V@:-a}", "./${V@}"]).to_owned());
        }
        // What frontends read in different ways; to the newest, what older ones read is needless.
        let newest = self.features.target_stage;
        if self.random.chance(if newest { 1 } else { 12 }) && !(newest && self.random.chance(88)) {
            variable = Some(self.doubtful(stage, case));
        }
        if self.random.chance(1) {
            case.arguments.insert(EPOCH.into(), "1".into());
        }
        for _ in 0..=self.random.below(2) {
            let instruction = match self.random.below(100) {
                0..12 => self.run(case),
                12..15 if self.features.heredocs => Instruction::Heredoc { flags: self.flags(false) },
                _ => self.copy(case, variable.take()),
            };
            stage.instructions.push(instruction);
        }
    }

    /// Adds what is read in different ways; the source that depends on it.
    fn doubtful(&mut self, stage: &mut Stage, case: &mut Case) -> String {
        let name = case.name.clone();
        let mut put = |path: String| {
            case.put(&path, (Kind::File, format!("file of {path}")));
        };
        let line = |text| Instruction::Line(text);
        let mut add = |instruction| stage.instructions.push(instruction);
        match self.random.below(4) {
            0 => {
                for platform in ["amd64", "arm64"] {
                    put(format!("p/{platform}/f"));
                }
                add(line("ARG TARGETARCH"));
                "p/${TARGETARCH}".into()
            }
            1 => {
                for number in 0..3 {
                    put(format!("t/{name}s{number}/f"));
                }
                add(line(TARGET));
                "t/${TARGETSTAGE}".into()
            }
            2 => {
                let path = escaped(&case.any_path(self.random));
                case.globals.push(format!("ARG G@=\"{path}\""));
                if self.random.chance(40) {
                    case.globals.push("ARG G@".into());
                }
                if self.random.chance(30) {
                    add(Instruction::Variable {
                        name: "G".into(),
                        value: escaped(&case.any_path(self.random)),
                    });
                }
                add(Instruction::Argument { name: "G".into(), default: None });
                "$G@".into()
            }
            _ => {
                let path = escaped(&case.any_path(self.random));
                let (folder, name) = path.rsplit_once('/').unwrap_or((".", &path));
                case.arguments.insert("M".into(), name.into());
                add(line("ARG M@=\"a\" N@=\"$M@\""));
                format!("{folder}/$N@")
            }
        }
    }

    fn run(&mut self, case: &Case) -> Instruction {
        let mount = |random: &mut Random| {
            let whole = random.chance(12);
            // The source of a mount is not quoted.
            let path = case.any_path(random);
            let source = if whole || path.contains([' ', '"', ',']) { None } else { Some(path) };
            (source, random.chance(10))
        };
        Instruction::Run { mounts: (0..=self.random.below(3)).map(|_| mount(self.random)).collect() }
    }

    fn copy(&mut self, case: &Case, variable: Option<String>) -> Instruction {
        let keyword = if self.random.chance(25) { "ADD" } else { "COPY" };
        let count = self.random.weighted(&[(75, 1), (20, 2), (5, 3)]);
        let mut sources: Vec<String> = (0..count).map(|_| self.source(case)).collect();
        if let Some(variable) = variable {
            sources[0] = variable;
        }
        let single = sources.len() == 1 && !sources[0].contains(['*', '?', '[']);
        let folder = !single || self.random.chance(70);
        Instruction::Copy { keyword, flags: self.flags(keyword == "COPY"), sources, folder }
    }

    fn source(&mut self, case: &Case) -> String {
        let path = case.any_path(self.random);
        let own = escaped(&path);
        let random = &mut *self.random;
        match (random.below(20), path.rsplit_once('/')) {
            (0, _) => ".".to_owned(),
            (1 | 2, _) => {
                random.of(&["*", "a*", "?", "*.o", "[ab]*", "*/f", "a*/*", "[^a]", "a*/", "*/*/f"]).to_owned()
            }
            (3 | 4, Some((folder, _))) => {
                format!("{}/{}", escaped(folder), random.of(&["*", "?", "*.o", "[^a]"]))
            }
            (5, Some((_, name))) => format!("*/{}", escaped(name)),
            (6, _) => format!("./{own}"),
            (7, _) => format!("{own}/."),
            (8, _) => format!("{own}/"),
            (9, _) => format!("x/../{own}"),
            _ => own,
        }
    }

    fn flags(&mut self, of_copy: bool) -> Vec<String> {
        let mut flags = Vec::new();
        if self.random.chance(10) {
            flags.push(self.random.of(&["--chown=1:2", "--chown=7"]).to_owned());
        }
        if self.random.chance(10) {
            flags.push(self.random.of(&["--chmod=0644", "--chmod=755"]).to_owned());
        }
        if self.features.link && self.random.chance(10) {
            flags.push("--link".to_owned());
        }
        if of_copy && self.features.exclude && self.random.chance(15) {
            let pattern = self.random.of(&["*.o", "a", "**/c", "a/*", "b*", "**/*.o"]);
            flags.push(format!("--exclude={pattern}"));
        }
        if of_copy && self.features.parents && self.random.chance(10) {
            flags.push("--parents".to_owned());
        }
        flags
    }
}

/// A path whose wildcards are none.
fn escaped(path: &str) -> String {
    path.replace('[', "[[]")
}
