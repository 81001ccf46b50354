//! Validation, which makes a [`Config`] of a [`File`]: names, paths, globs and references are checked, defaults are
//! filled in. Start with [`Validator::config`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bstr::BString;
use toml::Spanned;

use super::error::{ConfigError, Lines};
use super::file::{DeployTable, EnvironmentTable, File, ImageTable, RecordsTable, SecretTable, StoreKind};
use super::{
    Config, Deploy, Environment, EnvironmentName, EnvironmentTag, Image, ImageName, OLDER_RECORDS, Platform,
    RecordStore, SecretSource, SecretValue, Trigger, duration,
};
use crate::reference::Repository;
use crate::suggestion::nearest;

/// The longest time that a trigger may take where `timeout` is left out.
const TIMEOUT: Duration = Duration::from_mins(30);

/// The checks of a `build.toml`, with the file's name and lines for messages.
pub(super) struct Validator<'a> {
    pub(super) file: &'a str,
    pub(super) lines: Lines,
    /// The registry that stands in for `[project] registry`.
    pub(super) registry: Option<&'a str>,
}

/// The registry that `build.toml` names.
fn registry_of(written: &Spanned<String>) -> &str {
    written.get_ref().trim_end_matches('/')
}

pub(super) type Result<T> = std::result::Result<T, ConfigError>;

impl Validator<'_> {
    pub(super) fn config(&self, file: File) -> Result<Config> {
        let project = self.parse::<ImageName>(&file.project.name)?.to_string();
        let registry = self.registry(&file.project.registry)?;
        let mut images = BTreeMap::new();
        // Only named contexts refer to other images.
        let names_others = file.images.values().any(|table| !table.contexts.is_empty());
        // Images without a `repository` of their own differ in their repositories as they do in their names.
        let names_repositories = file.images.values().any(|table| table.repository.is_some());
        let declared: BTreeSet<String> =
            file.images.keys().filter(|_| names_others).map(|name| name.get_ref().clone()).collect();
        let (mut places, mut renamed) = (Vec::with_capacity(file.images.len()), Vec::new());
        for (name, table) in file.images {
            let parsed: ImageName = self.parse(&name)?;
            let contexts = self.contexts(&name, &table.contexts, &declared)?;
            renamed.extend(table.renamed_from.clone());
            let mut image =
                self.image((parsed.clone(), &name), table, (&registry, &file.project.registry))?;
            image.contexts = contexts;
            places.push((name.span().start, parsed.clone()));
            images.insert(parsed, image);
        }
        places.sort_by_key(|place| place.0);
        if names_repositories {
            self.repositories_differ(&places, &images)?;
        }
        renamed.sort_by_key(|from: &Spanned<String>| from.span().start);
        self.renamed(&renamed, &images)?;
        let mut environments = BTreeMap::new();
        let (mut branches, mut tags) = (Vec::new(), Vec::new());
        for (name, table) in file.environments {
            let parsed: EnvironmentName = self.parse(&name)?;
            if let Some(branch) = &table.branch {
                branches.push((branch.span().start, parsed.clone(), branch.get_ref().clone()));
            }
            tags.push((name.span().start, parsed.clone()));
            let environment = self.environment((parsed.clone(), &name), table, &images)?;
            environments.insert(parsed, environment);
        }
        self.branches_differ(branches)?;
        self.tags_differ(tags, &environments)?;
        self.variables_differ(&places, &environments)?;
        let records = self.records(&file.records, &file.project.registry, &registry)?;
        let builders = self.builders(file.builders)?;
        let written = written(&records, &images);
        Ok(Config { project, bases: file.project.bases, records, written, images, environments, builders })
    }

    /// The registry that images are pushed to, checked on its own, so that no image gets the blame for a wrong
    /// registry.
    fn registry(&self, written: &Spanned<String>) -> Result<String> {
        let registry = self.registry.unwrap_or(written.get_ref()).trim_end_matches('/');
        if format!("{registry}/image").parse::<Repository>().is_ok() {
            return Ok(registry.to_owned());
        }
        let message = format!("`{registry}` is not a registry");
        let error = match self.registry {
            Some(_) => ConfigError::new("--registry or DTBUILD_REGISTRY", message),
            None => self.error(written, message),
        };
        Err(error
            .hint("write a host, its port if it has one, and a path in lower case: `localhost:5000/team`"))
    }

    pub(super) fn error(&self, place: &Spanned<impl Sized>, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.file, message).at(&self.lines, place.span().start)
    }

    pub(super) fn line(&self, place: &Spanned<String>) -> usize {
        self.lines.at(place.span().start)
    }

    fn parse<T>(&self, value: &Spanned<String>) -> Result<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        value.get_ref().parse().map_err(|error: T::Err| self.error(value, error.to_string()))
    }

    fn image(
        &self,
        (parsed, name): (ImageName, &Spanned<String>),
        table: ImageTable,
        (registry, written): (&str, &Spanned<String>),
    ) -> Result<Image> {
        let context = self.path(&table.context)?;
        let dockerfile = match &table.dockerfile {
            Some(path) => self.path(path)?,
            None if context.is_empty() => "Dockerfile".into(),
            None => [context.as_slice(), b"/Dockerfile"].concat().into(),
        };
        if dockerfile.is_empty() {
            return Err(self.error(&table.context, "`dockerfile` names the repository's root, not a file"));
        }
        let repository = match &table.repository {
            Some(repository) => self.parse(repository)?,
            None => [registry, name.get_ref()]
                .join("/")
                .parse::<Repository>()
                .map_err(|error| self.error(name, error.to_string()))?,
        };
        let stood_in_for =
            table.repository.is_none() && self.registry.is_some_and(|given| given != registry_of(written));
        let written_repository = stood_in_for.then(|| [registry_of(written), name.get_ref()].join("/"));
        let mut platforms: Vec<Platform> =
            table.platforms.iter().map(|platform| self.platform(platform)).collect::<Result<_>>()?;
        platforms.sort();
        platforms.dedup();
        let options = self.options(&table)?;
        Ok(Image {
            name: parsed,
            renamed_from: table.renamed_from.as_ref().map(|from| self.parse(from)).transpose()?,
            repository,
            written_repository,
            context,
            dockerfile,
            contexts: BTreeMap::new(),
            target: table.target,
            args: self.args(table.args)?,
            platforms,
            paths: self.globs(&table.paths)?,
            ignore: self.globs(&table.ignore)?,
            secrets: table.secrets.into_iter().map(|secret| self.secret(secret)).collect::<Result<_>>()?,
            options,
            source: table.source,
            context_line: self.line(&table.context),
            dockerfile_line: self.line(table.dockerfile.as_ref().unwrap_or(&table.context)),
        })
    }

    /// Checks build arguments. A value with `${NAME}` in it is an error: the build would take such a value word
    /// by word.
    fn args(&self, args: BTreeMap<String, Spanned<String>>) -> Result<BTreeMap<String, String>> {
        let checked = args.into_iter().map(|(name, value)| {
            let variable = value.get_ref().split("${").skip(1).find_map(|rest| {
                let name = rest.split('}').next().filter(|name| name.len() < rest.len())?;
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(name)
            });
            match variable {
                None => Ok((name, value.into_inner())),
                Some(variable) => Err(self
                    .error(
                        &value,
                        format!("`${{{variable}}}` in the argument `{name}` would be taken word by word"),
                    )
                    .hint("build.toml has no variables: write the value, which is part of the key")),
            }
        });
        checked.collect()
    }

    /// Checks that no earlier name of an image is a declared image's name or the earlier name of two images.
    fn renamed(&self, renamed: &[Spanned<String>], images: &BTreeMap<ImageName, Image>) -> Result<()> {
        let mut seen = BTreeSet::new();
        for from in renamed {
            let name = from.get_ref();
            let declared = images.keys().any(|image| image.as_str() == name);
            if declared || !seen.insert(name) {
                let what = if declared { "is an image still" } else { "was one image alone" };
                return Err(self
                    .error(from, format!("`renamed-from`: `{name}` {what}"))
                    .hint("leave `renamed-from` out"));
            }
        }
        Ok(())
    }

    /// The path inside the repository that a value names, without `.` and trailing slashes; empty for the root.
    pub(super) fn path(&self, value: &Spanned<String>) -> Result<BString> {
        let path = value.get_ref();
        if path.starts_with('/') || path.contains('\\') || path.contains('\0') {
            return Err(self
                .error(value, format!("`{path}` is not a path from the repository's root"))
                .hint("write it relative to the folder of build.toml, with `/` between the components"));
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.contains(&"..") {
            return Err(self
                .error(value, format!("`{path}` leads out of the repository"))
                .hint("a context and its files lie inside the repository; move them or name a folder below the root"));
        }
        Ok(parts.join("/").into())
    }

    pub(super) fn platform(&self, value: &Spanned<String>) -> Result<Platform> {
        let text = value.get_ref();
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(word) {
            return Err(self
                .error(value, format!("`{text}` is not a platform"))
                .hint("write `os/architecture` or `os/architecture/variant`, such as `linux/arm64`"));
        }
        Ok(Platform(text.clone()))
    }

    fn secret(&self, secret: Spanned<SecretTable>) -> Result<SecretSource> {
        let place = secret.span().start;
        let SecretTable { id, env, file, version } = secret.into_inner();
        let value = match (env, file) {
            (Some(variable), None) => SecretValue::Env(variable),
            (None, Some(file)) => SecretValue::File(PathBuf::from(file)),
            _ => {
                let message = format!("the secret `{id}` needs either `env` or `file`");
                return Err(ConfigError::new(self.file, message).at(&self.lines, place));
            }
        };
        Ok(SecretSource { id, value, version })
    }

    fn environment(
        &self,
        (parsed, name): (EnvironmentName, &Spanned<String>),
        table: EnvironmentTable,
        images: &BTreeMap<ImageName, Image>,
    ) -> Result<Environment> {
        let mut members = Vec::new();
        match &table.images {
            None => members.extend(images.keys().cloned()),
            Some(names) => {
                for name in names {
                    members.push(self.declared(name, images)?);
                }
            }
        }
        members.sort();
        members.dedup();
        let written = table.tag.as_ref().unwrap_or(name);
        let tag = EnvironmentTag::parse(written.get_ref(), parsed.as_str());
        let tag = tag.map_err(|message| self.error(written, message))?;
        let deploy = table.deploy.map(|deploy| self.deploy(deploy)).transpose()?;
        let branch = table.branch.map(Spanned::into_inner);
        Ok(Environment { name: parsed, branch, images: members, tag, deploy })
    }

    fn declared(&self, name: &Spanned<String>, images: &BTreeMap<ImageName, Image>) -> Result<ImageName> {
        let known = name.get_ref().parse().ok().filter(|name| images.contains_key(name));
        known.ok_or_else(|| {
            let error = self.error(name, format!("no image is named `{}`", name.get_ref()));
            match nearest(name.get_ref(), images.keys().map(ImageName::as_str)) {
                Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                None => error.hint("declare it as `[images.NAME]`"),
            }
        })
    }

    fn deploy(&self, deploy: Spanned<DeployTable>) -> Result<Deploy> {
        let place = deploy.span().start;
        let table = deploy.into_inner();
        let paths = self.globs(&table.paths)?;
        let trigger = match (table.command, table.ansible) {
            (Some(argv), None) if !argv.is_empty() => Trigger::Command { argv },
            (None, Some(ansible)) => Trigger::Ansible {
                playbook: ansible.playbook.into(),
                inventory: ansible.inventory.map(PathBuf::from),
                args: ansible.args,
            },
            _ => {
                let error = ConfigError::new(self.file, "`deploy` needs either a `command` or `ansible`");
                return Err(error.at(&self.lines, place).hint(
                    "`command = [\"program\", \"argument\"]`, or `ansible = { playbook = \"site.yml\" }`",
                ));
            }
        };
        let timeout = table.timeout.as_ref().map(|written| {
            let wrong = |message| self.error(written, message);
            duration(written.get_ref()).map_err(wrong)
        });
        Ok(Deploy { trigger, paths, timeout: timeout.transpose()?.unwrap_or(TIMEOUT) })
    }

    fn records(
        &self,
        table: &RecordsTable,
        written: &Spanned<String>,
        registry: &str,
    ) -> Result<RecordStore> {
        match table.store {
            StoreKind::Folder => Ok(match &table.folder {
                Some(folder) => RecordStore::Folder(self.path(folder)?.to_string().into()),
                None => RecordStore::Machine(registry.into()),
            }),
            StoreKind::Git => Ok(RecordStore::Git(table.remote.clone())),
            StoreKind::Registry => match &table.repository {
                Some(repository) => Ok(RecordStore::Registry(self.parse(repository)?)),
                None => format!("{registry}/dtbuild-records")
                    .parse()
                    .map(RecordStore::Registry)
                    .map_err(|error| self.error(written, error.to_string())),
            },
        }
    }
}

/// The folders that runs write, from the repository's root: records and caches.
fn written(records: &RecordStore, images: &BTreeMap<ImageName, Image>) -> BTreeSet<PathBuf> {
    let records = match records {
        RecordStore::Folder(folder) => Some(folder.clone()),
        // Where versions before kept them.
        RecordStore::Machine(_) => Some(OLDER_RECORDS.into()),
        RecordStore::Registry(_) | RecordStore::Git(_) => None,
    };
    let caches = images.values().flat_map(|image| image.options.cache_folders());
    let caches = caches.filter(|folder| folder.is_relative()).map(PathBuf::from);
    records.into_iter().chain(caches).collect()
}
