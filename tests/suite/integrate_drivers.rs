//! Merge drivers: what is forecast is what comes, whoever merges.

use std::path::Path;

use crate::integrate_run::over;
use crate::support::*;

fn ready(sandbox: &Sandbox, dir: &Path, name: &str, script: &str) {
    let path = sandbox.task(dir, ["add", "-q", "--base", "main", name]).ok().path();
    sandbox.sh(&path, &format!("set -e\n{script}\ngit add -A && git commit -qm 'Work on {name}'")).ok();
    sandbox.task(&path, ["ready"]).ok();
}

#[test]
fn drivers_of_the_users_and_gits_own_are_foretold() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox
        .sh(
            &dir,
            "set -e
        seq 3 >united; seq 3 >whole; seq 3 >mine; seq 3 >broken
        printf 'united merge=union\\nwhole merge=binary\\nmine merge=mine\\nbroken merge=broken\\n' >.gitattributes
        git add -A; git commit -qm files",
        )
        .ok();
    // As git-merge calls them: %O %A %B are the base's, ours and theirs, and %P the path.
    let driver = "cat %A %B | sort -un >%A.new && mv %A.new %A && echo %P >>%A";
    sandbox.git(&dir, ["config", "merge.mine.driver", driver]).ok();
    sandbox.git(&dir, ["config", "merge.broken.driver", "exit 1"]).ok();
    let change = |word: &str, file: &str| format!("echo {word} >>{file}");
    ready(&sandbox, &dir, "a", "for f in united whole mine broken; do echo 11 >>$f; done");
    ready(&sandbox, &dir, "b", &change("12", "united"));
    ready(&sandbox, &dir, "c", &change("13", "mine"));
    ready(&sandbox, &dir, "d", &change("14", "whole"));
    ready(&sandbox, &dir, "e", &change("15", "broken"));
    let task = |json: &serde_json::Value, name: &str| {
        let all = json["tasks"].as_array().unwrap();
        all.iter().find(|task| task["task"] == name).unwrap().clone()
    };
    let read = |run: &Run| serde_json::from_slice::<serde_json::Value>(&run.raw_stdout).unwrap();
    let foretold = read(&sandbox.integrate(&dir, ["-n", "--json"]).fails(1));
    let came = read(&sandbox.integrate(&dir, ["--keep-going", "--json"]).fails(2));
    for name in ["a", "b", "c"] {
        assert_eq!(task(&foretold, name)["result"], "merged", "{foretold}");
        let commit = task(&came, name)["commit"].as_str().unwrap().to_owned();
        let tree = sandbox.git(&dir, ["rev-parse", &format!("{commit}^{{tree}}")]).ok();
        assert_eq!(task(&foretold, name)["tree"], tree.line(), "{name}");
    }
    for (name, kind) in [("d", "binary"), ("e", "content")] {
        for json in [&foretold, &came] {
            let conflicts = &task(json, name)["conflicts"];
            assert_eq!(
                (conflicts.as_array().unwrap().len(), &conflicts[0]["kind"]),
                (1, &kind.into()),
                "{json}"
            );
        }
    }
    assert_eq!(std::fs::read_to_string(dir.join("mine")).unwrap(), "1\n2\n3\n11\n13\nmine\n");
    over(&sandbox, &dir);
}

#[test]
fn merge_log_lists_the_commits_in_the_body() {
    for (options, log, expected) in [
        (&["--no-ff"][..], "true", "* a:\n  Third\n  Second\n  First"),
        (&["--no-ff"], "2", "* a:\n  Third\n  Second\n  ..."),
        (&["--no-ff"], "false", ""),
        (&["--squash"], "true", "* a:\n  Third\n  Second\n  First"),
        (&["--squash"], "1", "* a:\n  Third\n  ..."),
        (&["--squash"], "0", ""),
    ] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let path = sandbox.task(&dir, ["add", "a", "--title", "feat: all of it"]).ok().path();
        for subject in ["First", "Second", "Third"] {
            sandbox.commit(&path, subject, "1\n", &format!("{subject}\n\nMore of it."));
        }
        sandbox.task(&path, ["ready"]).ok();
        sandbox.git(&dir, ["config", "merge.log", log]).ok();
        sandbox.integrate(&dir, options).ok();
        let message = sandbox.git(&dir, ["log", "-1", "--format=%B"]).ok().stdout;
        let (subject, body) = message.trim_end().split_once('\n').unwrap_or((message.trim_end(), ""));
        assert_eq!(subject, "feat: all of it", "{options:?} {log}");
        let body = body.trim_start().replace(" (3 commits)", "");
        assert_eq!(body, expected, "{options:?} {log}: {message}");
    }
}
