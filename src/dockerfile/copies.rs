//! The files that COPY, ADD and the mounts of RUN read: the part of a [`Reading`] that finds the inputs.

use std::ops::Range;

use super::analysis::{AnalysisError, NoteKind};
use super::file::UNREADABLE;
use super::flags::Value;
use super::frontend::Change;
use super::inputs::{Source, SourceKind};
use super::instruction::Instruction;
use super::mount::{Field, Fields};
use super::reading::{Reading, has_variables, widen_all};
use super::remote::{Remote, RemoteKind};
use super::scope::Scope;
use super::stages::Origin;
use super::text::Text;

/// A mount, as far as the inputs depend on it.
#[derive(Default)]
struct Mount {
    kind: Option<String>,
    source: Text,
    /// The reason why it cannot be told which files the mount reads; none if it can.
    obscure: Option<String>,
}

/// The keys of mounts on which the inputs do not depend.
const OTHER_KEYS: [&str; 15] = [
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "required",
    "size",
    "id",
    "sharing",
    "mode",
    "uid",
    "gid",
    "env",
];

impl Reading<'_> {
    pub(super) fn copy(
        &mut self,
        instruction: &Instruction,
        sources: &[String],
        scope: &Scope,
    ) -> Result<(), AnalysisError> {
        let from = instruction.flags.value("from").filter(|from| !from.text().is_empty());
        let origin = from.map(|from| self.copied_from(instruction, from)).transpose()?;
        let kind = if instruction.flags.is_set("parents") { SourceKind::Parents } else { SourceKind::Copy };
        for word in sources {
            let mut path = self.expand(word, scope, instruction.line)?;
            if kind == SourceKind::Parents && self.has(Change::Pivot) {
                path.value = divided(&path.value);
            }
            if RemoteKind::of(&path.value).is_some() && path.unknown.is_none() {
                return Err(AnalysisError::CopyUrl { line: instruction.line, url: path.value });
            }
            self.reads(instruction, (origin.as_ref(), scope), path, kind);
        }
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        instruction: &Instruction,
        sources: &[String],
        scope: &Scope,
    ) -> Result<(), AnalysisError> {
        let line = instruction.line;
        let checksum = instruction.flags.value("checksum").map(Value::text).unwrap_or_default();
        let checksum = self.expand(&checksum, scope, line)?;
        self.needs(&checksum, scope);
        let checksum = checksum.unknown.is_none().then_some(checksum.value);
        for word in sources {
            let path = self.expand(word, scope, line)?;
            match RemoteKind::of(&path.value).filter(|_| path.unknown.is_none()) {
                None => self.reads(instruction, (None, scope), path, SourceKind::Copy),
                Some(RemoteKind::Git) if !self.has(Change::GitAddresses) => {
                    // An address of HTTP is fetched as a file, not as a repository; any other one is a path.
                    if !path.value.starts_with("http") {
                        self.reads(instruction, (None, scope), path, SourceKind::Copy);
                    }
                }
                Some(kind) => self.fetches(Remote::new(path.value, kind, checksum.clone(), line)),
            }
        }
        Ok(())
    }

    pub(super) fn mounts(&mut self, instruction: &Instruction, scope: &Scope) -> Result<(), AnalysisError> {
        for value in instruction.flags.values("mount") {
            let Some(fields) = Fields::new(&value.chars()) else {
                self.obscure(instruction, "its mount is not a list of `key=value`, comma-separated");
                continue;
            };
            let from = fields.from().filter(|field| field.value.as_ref().is_some_and(|v| !v.is_empty()));
            let origin = from.map(|field| self.mounted_from(instruction, value, field)).transpose()?;
            let mount = self.mount(instruction, &fields, scope)?;
            match (mount.kind.as_deref(), mount.obscure) {
                (_, Some(reason)) => self.obscure(instruction, &reason),
                (Some("tmpfs" | "secret" | "ssh"), None) => {}
                // A cache starts empty, unless it has a `from`.
                (Some("cache"), None) if origin.is_none() => {}
                (None | Some("bind" | "cache"), None) => {
                    let from = (origin.as_ref(), scope);
                    self.reads(instruction, from, mount.source, SourceKind::Mount);
                }
                (Some(kind), None) if !self.has(Change::MountVariables) => {
                    return Err(AnalysisError::FromVariable {
                        line: instruction.line,
                        from: kind.to_owned(),
                    });
                }
                (Some(kind), None) => {
                    self.obscure(instruction, &format!("mounts of the type `{kind}` are not known"));
                }
            }
        }
        Ok(())
    }

    fn mount(
        &mut self,
        instruction: &Instruction,
        fields: &Fields,
        scope: &Scope,
    ) -> Result<Mount, AnalysisError> {
        let mut mount = Mount::default();
        let expanded = |this: &Self, value: &str| {
            if this.has(Change::MountVariables) {
                this.expand(value, scope, instruction.line)
            } else {
                Ok(Text::known(value))
            }
        };
        for field in fields.iter() {
            let value = field.value.as_deref().unwrap_or_default();
            match field.key.as_str() {
                "from" => {}
                "type" => {
                    let kind = expanded(self, value)?;
                    self.needs(&kind, scope);
                    mount.kind = Some(kind.value.to_lowercase());
                    let unset = |name| format!("the type of its mount needs `{name}`, which is not known");
                    mount.obscure = mount.obscure.or(kind.unknown.map(unset));
                }
                "source" | "src" => mount.source = expanded(self, value)?,
                other if OTHER_KEYS.contains(&other) => {}
                other => mount.obscure = Some(format!("`{other}` is not a known key of a mount")),
            }
        }
        Ok(mount)
    }

    fn copied_from(&mut self, instruction: &Instruction, from: &Value) -> Result<Origin, AnalysisError> {
        let name = self.checked(instruction, from.text())?;
        let origin = self.graph.copied_from(&name, instruction.line)?;
        self.uses(instruction, &origin, from.written());
        Ok(origin)
    }

    fn mounted_from(
        &mut self,
        instruction: &Instruction,
        value: &Value,
        field: &Field,
    ) -> Result<Origin, AnalysisError> {
        let name = self.checked(instruction, field.value.clone().unwrap_or_default())?;
        let origin = self.graph.mounted_from(&name);
        // A quote doubled within the field shifts the rest of the field.
        let written: String = value.chars().get(field.place.clone()).unwrap_or_default().iter().collect();
        let place = if written == name { value.written_part(field.place.clone()) } else { None };
        self.uses(instruction, &origin, place);
        Ok(origin)
    }

    fn checked(&self, instruction: &Instruction, from: String) -> Result<String, AnalysisError> {
        if has_variables(&from, self.rules) {
            return Err(AnalysisError::FromVariable { line: instruction.line, from });
        }
        Ok(from)
    }

    fn uses(&mut self, instruction: &Instruction, origin: &Origin, place: Option<Range<usize>>) {
        let place = place.map(|place| instruction.text.source(place)).unwrap_or_default();
        self.uses_image(origin, instruction.line, place, None);
    }

    /// Notes the image of the stage as unread, if `text` is not known for want of the variables that the image sets.
    fn needs(&mut self, text: &Text, scope: &Scope) {
        if text.unknown.is_some() {
            self.found.unread.extend(scope.unread().cloned());
        }
    }

    /// Notes that the instruction reads `path` of the origin, or of the main context if no origin is given.
    fn reads(
        &mut self,
        instruction: &Instruction,
        (origin, scope): (Option<&Origin>, &Scope),
        path: Text,
        kind: SourceKind,
    ) {
        let context = match origin {
            None => None,
            Some(Origin::Context(name)) => Some(name),
            // Files of a stage or an image are no inputs: the stage or the image has inputs of its own.
            Some(_) => return,
        };
        self.needs(&path, scope);
        let (inputs, of) = match context {
            None => (&mut self.found.inputs, String::new()),
            Some(name) => (self.found.contexts.entry(name.clone()).or_default(), format!(" `{name}`")),
        };
        let excerpt = instruction.excerpt();
        let unreadable = path.value.contains(UNREADABLE);
        let (kind, text) = if let Some(variable) = path.unknown {
            inputs.whole = true;
            let reason = format!("needs `{variable}`, whose value the file does not tell");
            (NoteKind::Unresolved, format!("`{excerpt}` {reason}: the whole context{of} counts"))
        } else if unreadable {
            inputs.whole = true;
            let reason = "names a path that is not UTF-8";
            (NoteKind::Unresolved, format!("`{excerpt}` {reason}: the whole context{of} counts"))
        } else if inputs.add(Source::new(&path.value, kind, instruction)) {
            (NoteKind::WholeContext, format!("`{excerpt}` reads the whole context{of}"))
        } else {
            return;
        };
        self.note(instruction.line, kind, text);
    }

    fn fetches(&mut self, remote: Remote) {
        if remote.checksum.is_none() {
            let url = &remote.url;
            let fix = match remote.kind {
                RemoteKind::Http => "give a `--checksum`",
                RemoteKind::Git => "name a full commit in its address, as `#COMMIT` or `?commit=COMMIT`",
            };
            let text = format!("nothing fixes the content of `{url}`: {fix}, else it is stale");
            self.note(remote.line, NoteKind::StaleRemote, text);
        }
        self.found.remotes.push(remote);
    }

    /// Widens the inputs to everything: the files that the instruction reads cannot be told.
    fn obscure(&mut self, instruction: &Instruction, reason: &str) {
        let text = format!("`{}`: {reason}, so everything counts", instruction.excerpt());
        self.note(instruction.line, NoteKind::Unresolved, text);
        widen_all(&mut self.found, self.options);
    }
}

/// A source of `COPY --parents` as one pattern. The part before `/./` is read as COPY reads it without the flag, so
/// `**` stands for one name there.
fn divided(source: &str) -> String {
    let Some((above, below)) = source.split_once("/./") else { return source.to_owned() };
    let mut pattern = String::with_capacity(source.len());
    for c in above.chars() {
        if !(c == '*' && pattern.ends_with('*')) {
            pattern.push(c);
        }
    }
    format!("{pattern}/{below}")
}
