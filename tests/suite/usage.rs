//! Help and errors of the command line: git's words, streams and exit codes.

use crate::support::*;

#[test]
fn what_makes_no_sense_is_said_as_git_says_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for (args, error, usage) in [
        (&["xyzzy"][..], "unknown subcommand: `xyzzy'", "git task [<options>]"),
        (&["lst"], "unknown subcommand: `lst' (did you mean `list'?)", "git task [<options>]"),
        (&["remove"], "unknown subcommand: `remove' (did you mean 'git task rm'?)", "git task [<options>]"),
        (&["merge", "x"], "unknown subcommand: `merge' (did you mean 'git integrate'?)", ""),
        (&["list", "--nonsense"], "unknown option `nonsense'", "git task list [<options>] [<task>...]"),
        (
            &["list", "--porcelian"],
            "unknown option `porcelian' (did you mean `--porcelain'?)",
            "git task list",
        ),
        (&["list", "-y"], "unknown switch `y'", "git task list"),
        (&["rm"], "missing argument: <task>...", "git task rm [<options>] <task>..."),
        (&["show", "a", "b"], "too many arguments: `b'", "git task show [<options>] [<task>]"),
        (&["add", "--base"], "option `base' requires a value", "git task add [<options>] <task>..."),
        (&["add", "x", "--priority", "high"], "option `priority' expects a numerical value", ""),
        (&["list", "--all=x"], "option `all' takes no value", "git task list"),
        (&["list", "--json", "--format=x"], "options '--json' and '--format' cannot be used together", ""),
    ] {
        let run = sandbox.task(&dir, args).fails(129).prints("").says(&format!("error: {error}\n"));
        run.says(&format!("usage: {usage}")).does_not_say("Usage:").does_not_say("hint:");
    }
    // git's own form, for comparison.
    sandbox
        .git(&dir, ["worktree", "nonsense"])
        .fails(129)
        .says("error: unknown subcommand: `nonsense'\nusage: ");
    // A control character in what was typed reaches no terminal.
    sandbox.task(&dir, ["\u{1b}[2J"]).fails(129).says("unknown subcommand: `\\x1b[2J'");
    sandbox
        .pool(&dir, ["init", "x"])
        .fails(129)
        .says("error: `x' is not a valid number\nusage: git pool init");
}

#[test]
fn an_option_may_be_said_again_as_in_git() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["branch", "-q", "other"]).ok();
    sandbox
        .task(&dir, ["add", "-q", "-q", "x", "--base", "nowhere", "--base", "other", "--json", "--json"])
        .ok();
    sandbox
        .task(&dir, ["list", "-a", "--all", "--format=%(head)", "--format=%(base)"])
        .ok()
        .prints("refs/heads/other\n");
    sandbox.task(&dir, ["list", "--state=open", "--state=ready", "--format=%(task)"]).ok().prints("x\n");
    sandbox.integrate(&dir, ["--keep", "--keep", "-n", "-n", "--no-ff", "--no-ff"]).ok();
}

#[test]
fn help_goes_to_standard_output() {
    let sandbox = Sandbox::new();
    let outside = sandbox.path("");
    for (args, code, begin) in [
        (
            &["task", "-h"][..],
            129,
            "usage: git task [<options>]\n   or: git task [<options>] <command> [<args>]\n",
        ),
        (&["task", "add", "-h"], 129, "usage: git task add [<options>] <task>...\n   or: git task add"),
        (
            &["task", "diff", "-h"],
            129,
            "usage: git task diff [<options>] [<task>] [-- <git-diff-option>...]\n",
        ),
        (&["task", "add", "--help"], 0, "usage: git task add [<options>] <task>...\n"),
        (
            &["pool", "-h"],
            129,
            "usage: git pool [<options>]
   or: git pool [<options>] <command> [<args>]
",
        ),
        (
            &["pool", "claim", "-h"],
            129,
            "usage: git pool claim [<options>] [<task>]
",
        ),
        (
            &["integrate", "-h"],
            129,
            "usage: git integrate [<options>] [<task>...]
   or: git integrate (--continue",
        ),
        (&["task", "--version"], 0, concat!("git-task ", env!("CARGO_PKG_VERSION"), "\n")),
    ] {
        let run = sandbox.git(&outside, args).fails(code);
        assert!(run.stdout.starts_with(begin) && run.stderr.is_empty(), "{run}");
    }
    // Prefixes of options, and negations.
    let dir = sandbox.init();
    sandbox.task(&dir, ["list", "--porc", "--no-all"]).ok().prints("");
    sandbox.task(&dir, ["lis"]).fails(129);
}
