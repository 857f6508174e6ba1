//! `follow`: what a module or a project wants, each as far as its requirements are followed.
//!
//! `build` and `test` load packages, and depend on which files count: under all platforms unless some are chosen.
//! `all` reads the whole graph. It loads packages as well, under all platforms always: a module's, to find what they import
//! and nothing requires; a project's, where its files are there, for what tidying opens.

use std::path::Path;

use modferry_cli::in_one_line;
use modferry_cli::wants::Follow;
use modferry_protocol::module::ModuleVersion;

use super::gomod::GoMod;
use super::main_module::Main;
use super::packages::checkout::{self, CheckoutError};
use super::packages::constraint::Tags;
use super::packages::load::{Loader, Subject, Task};
use super::workspace::Workspace;
use crate::fetch::{Level, Loading, Want};

/// What whoever requires this module needs.
pub fn of_module(name: String, module: ModuleVersion, follow: Follow, tags: &Tags) -> Vec<Want> {
    let main = Main::requiring(module.clone());
    let subject = Subject::Module(module.clone());
    match follow {
        Follow::None => vec![Want::Exactly {
            name,
            modules: [(module, Level::Whole)].into(),
        }],
        Follow::All => {
            let build = Want::Build {
                name: name.clone(),
                main: Box::new(main.clone()),
                named: Some(module),
            };
            // Requirements may be missing: a module that needs none of that is built without.
            let completed = load(name, main, subject, Task::Complete, tags);
            vec![build, Want::Optional(Box::new(completed))]
        }
        Follow::Build => vec![load(name, main, subject, Task::Build, tags)],
        Follow::Test => vec![load(name, main, subject, Task::Test, tags)],
    }
}

/// What the module of this go.mod file needs, whose files are beside it in `folder`; the second is what to tell. Where it has
/// no files, what its packages need cannot be known, and all that they may import counts. Files that cannot all be read are
/// an error where packages decide. Where they only add to what is wanted anyway, that is told: a folder that nobody
/// meant must not stop the export of a build.
pub fn of_project(
    name: String,
    main: Main,
    file: &GoMod,
    folder: &Path,
    follow: Follow,
    tags: &Tags,
) -> Result<(Vec<Want>, Option<String>), CheckoutError> {
    let task = match follow {
        Follow::None | Follow::All => Task::Tidy,
        Follow::Build => Task::Build,
        Follow::Test => Task::Test,
    };
    let mut with_files = main.clone();
    let read = checkout::beside(&mut with_files, file, folder, &Loader::tags(task, tags));
    match (read, task) {
        (Ok(()), _) if with_files.tree.is_none() => {
            let taken = match task {
                Task::Build | Task::Test => format!("follow: {} is taken as all", follow.name()),
                Task::Tidy | Task::Complete => "whatever they may import is carried".to_owned(),
            };
            let note = format!(
                "{name}: no Go files are beside it, so that what its packages need is not known: {taken}"
            );
            Ok((whatever_it_imports(name, with_files, tags), Some(note)))
        }
        (Ok(()), Task::Build | Task::Test) => {
            let wanted = load(name, with_files, Subject::Main, task, tags);
            Ok((vec![wanted], None))
        }
        (Ok(()), _) => {
            let wishes = with_files.is_a_list_of_wishes().then(|| {
                format!(
                    "{name}: it lists no indirect requirement: taken as a list of wishes, with all that they require"
                )
            });
            // Builds do without what only tidying opens: tests of other modules' packages.
            let tidying = load(name.clone(), with_files.clone(), Subject::Main, task, tags);
            let wanted = build(name, with_files);
            Ok((vec![wanted, Want::Optional(Box::new(tidying))], wishes))
        }
        (Err(error), Task::Build | Task::Test) => Err(error),
        (Err(error), _) => {
            let note = format!(
                "{name}: its Go files are left out of account, and whatever they may import is carried: {}",
                in_one_line(&error)
            );
            Ok((whatever_it_imports(name, main, tags), Some(note)))
        }
    }
}

/// What a project may need whose files are not known: any package of what it requires may be imported, and tidying then opens
/// what the tests of that import, which building does without.
fn whatever_it_imports(name: String, main: Main, tags: &Tags) -> Vec<Want> {
    let required = Subject::Required;
    let tidying = load(name.clone(), main.clone(), required, Task::Tidy, tags);
    vec![build(name, main), Want::Optional(Box::new(tidying))]
}

/// What the modules of a workspace need together; the second is what to tell. Only building and testing them loads packages:
/// the go command tidies one module at a time, as a project by itself.
pub fn of_workspace(
    name: String,
    mut workspace: Workspace,
    follow: Follow,
    tags: &Tags,
) -> Result<(Want, Option<String>), CheckoutError> {
    let task = match follow {
        Follow::Build => Some(Task::Build),
        Follow::Test => Some(Task::Test),
        Follow::None | Follow::All => None,
    };
    let mut note = None;
    if let Some(task) = task {
        workspace.read_files(&Loader::tags(task, tags))?;
        let main = &workspace.main;
        if !main
            .members
            .values()
            .all(|member| member.packages.is_empty())
        {
            return Ok((load(name, workspace.main, Subject::Main, task, tags), None));
        }
        note = Some(format!(
            "{name}: its modules have no Go files, so that what their packages need is not known: follow: {} is taken as all",
            follow.name()
        ));
    }
    let main = workspace.main;
    let want = match main.lists_everything {
        // In a workspace the go command looks for packages in all of the graph.
        true => Want::Around {
            name,
            modules: main.summary.require.iter().cloned().collect(),
            main: Box::new(main),
        },
        false => build(name, main),
    };
    Ok((want, note))
}

fn build(name: String, main: Main) -> Want {
    Want::Build {
        name,
        main: Box::new(main),
        named: None,
    }
}

fn load(name: String, main: Main, subject: Subject, task: Task, tags: &Tags) -> Want {
    Want::Load {
        name,
        loading: Box::new(Loading {
            main,
            subject,
            task,
            tags: tags.clone(),
        }),
    }
}
