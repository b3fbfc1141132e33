//! Repositories inside the worktree.

use super::*;

fn with_submodule() -> (Case, Sandbox) {
    let library = Sandbox::new();
    library.commit("lib", "l\n");
    let case = Case::new();
    let url = library.top().to_str().unwrap().to_owned();
    let allow = ["-c", "protocol.file.allow=always"];
    case.git(allow.into_iter().chain(["submodule", "--quiet", "add", &url, "sub"]));
    git_at(&case.wt().join("sub"), ["config", "user.name", "U"]);
    git_at(&case.wt().join("sub"), ["config", "user.email", "u@e"]);
    (case, library)
}

#[test]
fn repositories_that_are_no_submodules() {
    let case = Case::new();
    let inside = |name: &str| {
        fs::create_dir_all(case.wt().join(name)).unwrap();
        git_at(&case.wt().join(name), ["init", "-q"]);
    };
    inside("empty-one");
    // Its directory has tracked files, so git doesn't see it.
    inside("dir");
    // What git would not even call a repository.
    case.write("odd/.git/config", "");
    assert_eq!(case.not_by_objects(), ["dir", "empty-one", "odd"].map(PathBuf::from));
}

#[test]
fn ignored_directories_are_not_searched_but_for_worktrees() {
    let case = Case::new();
    fs::create_dir_all(case.wt().join("cache/dep")).unwrap();
    git_at(&case.wt().join("cache/dep"), ["init", "-q"]);
    case.taken();
    case.git(["worktree", "add", "-q", "--detach", "cache/wt2"]);
    assert_eq!(case.not_by_objects(), [Path::new("cache/wt2")]);
}

#[test]
fn a_submodule_with_nothing_of_its_own_is_no_hindrance() {
    let (case, library) = with_submodule();
    let commit = case.taken().commit;
    let index = case.git(["ls-tree", &format!("{commit}:worktree"), "sub"]);
    assert!(index.contains_str(library.id("HEAD").to_string()));
    case.git(["commit", "-q", "-m", "with a submodule"]);
    let (seen, tip) = (case.seen(), case.repo().find_ref(BRANCH).unwrap());
    let commit = case.remove();
    case.restore(commit, &seen, tip);
    assert_eq!(case.seen().status, seen.status);
    let allow = ["-c", "protocol.file.allow=always"];
    case.git(allow.into_iter().chain(["submodule", "--quiet", "update", "--init"]));
    assert_eq!(fs::read(case.wt().join("sub/lib")).unwrap(), b"l\n");
}

#[test]
fn a_submodule_with_work_keeps_the_directory() {
    let (case, _library) = with_submodule();
    let sub = case.wt().join("sub");
    write(&sub, "new", b"untracked");
    assert_eq!(case.not_by_objects(), [Path::new("sub")]);
    git_at(&sub, ["add", "-A"]);
    git_at(&sub, ["stash", "-q"]);
    assert_eq!(case.not_by_objects(), [Path::new("sub")]);
    git_at(&sub, ["stash", "drop", "-q"]);
    git_at(&sub, ["-c", "core.logAllRefUpdates=true", "commit", "-q", "--allow-empty", "-m", "unpushed"]);
    case.git(["add", "sub"]);
    assert_eq!(case.not_by_objects(), [Path::new("sub")]);
    // No longer checked out, but its repository is still where the worktree's is.
    case.git(["reset", "-q", "--hard"]);
    fs::remove_dir_all(&sub).unwrap();
    fs::create_dir(&sub).unwrap();
    assert_eq!(case.not_by_objects(), [Path::new("sub")]);
}

#[test]
fn files_where_a_submodule_would_be() {
    let (case, _library) = with_submodule();
    case.git(["commit", "-q", "-m", "with a submodule"]);
    fs::remove_dir_all(case.wt().join("sub")).unwrap();
    fs::remove_dir_all(case.git_dir().join("modules")).unwrap();
    write(&case.wt().join("sub"), "mine", b"where git never looks");
    assert_eq!(case.not_by_objects(), [Path::new("sub")]);
}
