//! Files that are generated from the command lines and kept: they are what the program would make now.
//! `SNAPSHOTS=overwrite` makes them so.

use std::path::{Path, PathBuf};

use git_parallel::commands::completion::{FISH_BRIDGE, PROGRAMS, Shell};
use snapbox::assert::{Assert, DEFAULT_ACTION_ENV};
use snapbox::{Data, IntoData};

/// A path in the source.
pub fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Asserts that a kept file holds exactly this.
#[track_caller]
pub fn assert_kept(name: &str, text: &str) {
    let kept = Data::read_from(&root(name), None).raw();
    Assert::new().action_env(DEFAULT_ACTION_ENV).eq(text.into_data().raw(), kept);
}

#[test]
fn completions_are_fresh() {
    let mut expected = vec!["git-parallel.fish".to_owned()];
    for (program, about) in PROGRAMS {
        for shell in Shell::ALL {
            let name = shell.file_name(program);
            assert_kept(&format!("completions/{name}"), &shell.script(program, about));
            expected.push(name);
        }
    }
    assert_kept("completions/git-parallel.fish", FISH_BRIDGE);
    let kept = std::fs::read_dir(root("completions")).unwrap();
    let mut kept: Vec<_> = kept.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    expected.sort();
    assert_eq!(kept, expected, "a file that nobody makes is a leftover");
}
