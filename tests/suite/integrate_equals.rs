//! The forecast of `git integrate -n` against git's own merges, made one after the other in a worktree.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

/// Makes a task, does something in its worktree by a script, commits all and says it is ready.
fn ready(sandbox: &Sandbox, dir: &Path, name: &str, script: &str) {
    let path = sandbox.task(dir, ["add", "-q", "--base", "main", name]).ok().path();
    sandbox.sh(&path, &format!("set -e\n{script}\ngit add -A && git commit -qm 'Work on {name}'")).ok();
    sandbox.task(&path, ["ready"]).ok();
}

fn forecast(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Value {
    let before = Frozen::of(sandbox);
    let run = sandbox.integrate(dir, ["-n", "--json"].iter().chain(args));
    before.assert_unchanged(sandbox, &run);
    let json: Value = serde_json::from_slice(&run.raw_stdout).unwrap_or_else(|e| panic!("{e}\n{run}"));
    let conflicts = json["tasks"].as_array().unwrap().iter().any(|task| task["result"] == "conflict");
    assert_eq!(run.code, i32::from(conflicts), "{run}");
    json
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// What git says is in conflict: the kinds in its messages.
fn kinds_in(said: &str) -> BTreeSet<String> {
    let all = said.lines().filter_map(|line| line.strip_prefix("CONFLICT (")?.split_once(')'));
    all.map(|(kind, _)| kind.to_owned()).collect()
}

/// Follows a forecast with real merges and compares each. Gives how many of each result there were.
#[track_caller]
fn follow(sandbox: &Sandbox, dir: &Path, json: &Value, merge: &[&str]) -> Vec<(String, String)> {
    let work = sandbox.path("real");
    sandbox
        .git(
            dir,
            ["worktree", "add", "-q", "--detach"]
                .map(std::ffi::OsStr::new)
                .into_iter()
                .chain([work.as_os_str(), "main".as_ref()]),
        )
        .ok();
    let git = |args: &[&str]| sandbox.git(&work, args);
    let tree = || git(&["rev-parse", "HEAD^{tree}"]).ok().line().to_owned();
    let mut seen = Vec::new();
    for task in json["tasks"].as_array().unwrap() {
        let (name, result) = (task["task"].as_str().unwrap(), task["result"].as_str().unwrap());
        seen.push((name.to_owned(), result.to_owned()));
        let before = tree();
        let run = match result {
            "skipped" | "unknown" => continue,
            _ => git(&[&["merge", "-q", "--no-edit"], merge, &[name]].concat()),
        };
        if result == "conflict" {
            assert_eq!(run.code, 1, "{name}: {run}");
            let unmerged = git(&["diff", "--name-only", "-z", "--diff-filter=U"]).ok().stdout;
            let unmerged: BTreeSet<_> = unmerged.split_terminator('\0').map(str::to_owned).collect();
            let conflicts = task["conflicts"].as_array().unwrap();
            let foretold: BTreeSet<_> = conflicts.iter().flat_map(|c| strings(&c["paths"])).collect();
            assert!(unmerged.is_subset(&foretold), "{name}: {unmerged:?} {foretold:?}");
            // git calls a binary file twice; we say it once and as what it is.
            let mut kinds: BTreeSet<_> =
                conflicts.iter().map(|c| c["kind"].as_str().unwrap().to_owned()).collect();
            let mut said = kinds_in(&run.stdout);
            if kinds.remove("binary") && !kinds.contains("content") {
                said.remove("content");
            }
            assert_eq!(kinds, said, "{name}: {run}");
            git(&["reset", "-q", "--hard"]).ok();
            git(&["clean", "-qfd"]).ok();
            continue;
        }
        run.ok();
        if merge.contains(&"--squash") && !git(&["diff", "--cached", "--quiet"]).stdout.is_empty() {
            panic!("a difference was printed");
        }
        if merge.contains(&"--squash") {
            git(&["commit", "-qm", "squashed", "--allow-empty"]).ok();
        }
        match result {
            "merged" => assert_eq!(Some(tree().as_str()), task["tree"].as_str(), "{name}"),
            _ => assert_eq!(tree(), before, "{name} is {result}"),
        }
    }
    sandbox
        .git(
            dir,
            ["worktree", "remove", "--force"].map(std::ffi::OsStr::new).into_iter().chain([work.as_os_str()]),
        )
        .ok();
    seen
}

fn results<'a>(seen: &'a [(String, String)], result: &str) -> Vec<&'a str> {
    seen.iter().filter(|(_, r)| r == result).map(|(name, _)| name.as_str()).collect()
}

/// Every kind of change that can meet another.
fn every_kind(sandbox: &Sandbox) -> std::path::PathBuf {
    let dir = sandbox.init();
    sandbox
        .sh(
            &dir,
            "set -e
        seq 30 >text; seq 30 >moved; seq 30 >gone; seq 5 >mode; printf '\\0base' >bin; ln -s text link
        mkdir -p old sub; seq 40 >old/a; seq 50 >old/b; seq 60 >'odd \"name\"'; seq 12 >sub/x
        printf 'keep merge=union\\n' >.gitattributes; seq 3 >keep
        git add -A; git commit -qm files",
        )
        .ok();
    let tasks = [
        ("t01", "sed -i 's/^3$/three/' text"),
        ("t02", "sed -i 's/^3$/drei/' text"),
        ("t03", "sed -i 's/^28$/x/' text; printf '\\0one' >bin"),
        ("t04", "printf '\\0two' >bin"),
        ("t05", "sed -i 's/^7$/seven/' gone"),
        ("t06", "git rm -q gone"),
        ("t07", "git mv moved here"),
        ("t08", "git mv moved there"),
        ("t09", "sed -i 's/^9$/nine/' moved"),
        ("t10", "git mv old new"),
        ("t11", "seq 9 >old/c"),
        ("t12", "sed -i 's/^11$/x/' old/a"),
        ("t13", "chmod +x mode; echo a >added"),
        ("t14", "echo b >added; echo 6 >>mode"),
        ("t15", "rm link; ln -s moved link"),
        ("t16", "rm link; ln -s gone link"),
        ("t17", "rm link; echo file >link"),
        ("t18", "git rm -q sub/x; echo file >sub"),
        ("t19", "echo y >sub/y"),
        ("t20", "echo 4 >>keep"),
        ("t21", "echo 5 >>keep"),
        ("t22", "sed -i 's/^2$/zwei/' 'odd \"name\"'"),
        ("t23", "sed -i 's/^2$/deux/' 'odd \"name\"'; sed -i 's/^3$/trois/' text"),
        ("t24", "git mv 'odd \"name\"' plain; git rm -q bin"),
    ];
    for (name, script) in tasks {
        ready(sandbox, &dir, name, script);
    }
    dir
}

#[test]
fn every_kind_of_conflict_is_foretold() {
    let sandbox = Sandbox::new();
    let dir = every_kind(&sandbox);
    let json = forecast(&sandbox, &dir, &[]);
    let seen = follow(&sandbox, &dir, &json, &["--no-ff"]);
    assert!(results(&seen, "merged").len() > 8, "{seen:?}");
    let kinds: BTreeSet<_> = json["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|task| task["conflicts"].as_array().into_iter().flatten())
        .map(|conflict| conflict["kind"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["content", "binary", "modify/delete", "rename/rename", "add/add", "file/directory"] {
        assert!(kinds.contains(kind), "{kind} is missing: {kinds:?}");
    }
    assert!(results(&seen, "merged").contains(&"t21"), "the target's attributes count: {seen:?}");
}

#[test]
fn each_way_of_merging_is_foretold() {
    let sandbox = Sandbox::new();
    let dir = every_kind(&sandbox);
    let json = forecast(&sandbox, &dir, &["--squash"]);
    follow(&sandbox, &dir, &json, &["--squash"]);
    let json = forecast(&sandbox, &dir, &["--ff"]);
    assert!(json["tasks"][0]["commit"] == json["tasks"][0]["tip"], "{json}");
    follow(&sandbox, &dir, &json, &["--ff"]);
    let json = forecast(&sandbox, &dir, &["--ff-only"]);
    let json = json["tasks"].as_array().unwrap();
    assert!(json[0]["result"] == "merged" && json[1..].iter().all(|t| t["result"] == "skipped"), "{json:?}");
}

#[test]
fn strategy_options_are_heeded_or_it_is_unknown() {
    let sandbox = Sandbox::new();
    let dir = every_kind(&sandbox);
    let can = sandbox.git(&dir, ["merge-tree", "-Xours", "HEAD", "HEAD"]).code == 0;
    for options in [&["-Xours"][..], &["-Xtheirs"], &["-Xignore-all-space", "-Xours"], &["-Xno-renames"]] {
        let json = forecast(&sandbox, &dir, options);
        let seen = follow(&sandbox, &dir, &json, &[&["--no-ff"], options].concat());
        let unknown = results(&seen, "unknown");
        assert_eq!(unknown.is_empty(), can, "{options:?} {seen:?}");
        if options.len() == 1 && !options[0].contains("renames") {
            assert!(results(&seen, "merged").len() > 5, "{options:?} {seen:?}");
        }
    }
    // `git merge` heeds merge.renormalize, `git merge-tree` needs to be told.
    ready(&sandbox, &dir, "crlf", "sed -i 's/^9$/nine/; s/$/\\r/' sub/x");
    sandbox
        .sh(
            &dir,
            "echo '* text=auto' >.gitattributes; sed -i 's/^2$/two/' sub/x; git add -A; git commit -qm a",
        )
        .ok();
    assert_eq!(forecast(&sandbox, &dir, &["crlf"])["tasks"][0]["result"], "conflict");
    sandbox.git(&dir, ["config", "merge.renormalize", "true"]).ok();
    let json = forecast(&sandbox, &dir, &["crlf"]);
    let seen = follow(&sandbox, &dir, &json, &["--no-ff"]);
    assert_eq!(seen[0].1, if can { "merged" } else { "unknown" });
}

#[test]
fn attributes_are_those_of_the_train_and_not_of_where_the_user_is() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.sh(&dir, "seq 3 >keep; git add -A; git commit -qm files").ok();
    // The first task brings the attribute that makes the third one merge.
    ready(&sandbox, &dir, "t1", "echo 'keep merge=union' >.gitattributes");
    ready(&sandbox, &dir, "t2", "echo 4 >>keep");
    ready(&sandbox, &dir, "t3", "echo 5 >>keep");
    let json = forecast(&sandbox, &dir, &[]);
    let seen = follow(&sandbox, &dir, &json, &["--no-ff"]);
    assert_eq!(results(&seen, "merged"), ["t1", "t2", "t3"]);
    let json = forecast(&sandbox, &dir, &["t2", "t3"]);
    assert_eq!(json["tasks"][1]["result"], "conflict");
    sandbox.sh(&dir, "echo 'keep merge=union' >.gitattributes").ok();
    let json = forecast(&sandbox, &dir, &["t2", "t3"]);
    assert_eq!(json["tasks"][1]["result"], "conflict", "a file that is not committed counts for nothing");
}

#[test]
fn a_rebase_is_foretold() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.sh(&dir, "seq 30 >text; seq 30 >moved; git add -A; git commit -qm files").ok();
    let commit = "git add -A; git commit -qm";
    ready(&sandbox, &dir, "t1", &format!("sed -i 's/^3$/x/' text; {commit} one; echo n >new"));
    ready(&sandbox, &dir, "t2", &format!("git mv moved there; {commit} move; sed -i 's/^9$/y/' there"));
    ready(&sandbox, &dir, "t3", &format!("sed -i 's/^20$/z/' text; {commit} ok; sed -i 's/^3$/w/' text"));
    ready(
        &sandbox,
        &dir,
        "t4",
        &format!("sed -i 's/^5$/v/' moved; {commit} m; git commit -q --allow-empty -m e; echo q >q"),
    );
    // One of its commits is there already, by another name.
    ready(&sandbox, &dir, "t5", &format!("echo p >p; {commit} p; echo r >r"));
    sandbox.git(&dir, ["cherry-pick", "t5~1"]).ok();
    sandbox.sh(&dir, "echo s >p; git commit -qam changed").ok();
    let json = forecast(&sandbox, &dir, &["--rebase"]);
    let work = sandbox.path("real");
    sandbox.git(&dir, ["worktree", "add", "-q", "--detach", work.to_str().unwrap(), "main"]).ok();
    let (mut onto, mut merged) = (sandbox.commit_id(&dir, "main"), 0);
    for task in json["tasks"].as_array().unwrap() {
        let name = task["task"].as_str().unwrap();
        sandbox.git(&work, ["switch", "-q", "--detach", name]).ok();
        let run = sandbox.git(&work, ["rebase", "-q", &onto]);
        match task["result"].as_str().unwrap() {
            "merged" => {
                run.ok();
                let tree = sandbox.git(&work, ["rev-parse", "HEAD^{tree}"]).ok().line().to_owned();
                assert_eq!(task["tree"], tree.as_str(), "{name}");
                onto = sandbox.commit_id(&work, "HEAD");
                merged += 1;
            }
            "conflict" => {
                let run = run.fails(1);
                assert_eq!(task["conflicts"][0]["kind"], "content", "{run}");
                sandbox.git(&work, ["rebase", "--abort"]).ok();
            }
            other => panic!("{name}: {other}"),
        }
    }
    assert_eq!(merged, 4, "{json}");
}

#[test]
fn recorded_resolutions_are_known() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.sh(&dir, "seq 9 >text; seq 8 >other; git add -A; git commit -qm files").ok();
    ready(&sandbox, &dir, "t1", "sed -i 's/^3$/a/' text; sed -i 's/^3$/other a/' other");
    ready(&sandbox, &dir, "t2", "sed -i 's/^3$/b/' text; sed -i 's/^3$/other b/' other");
    ready(&sandbox, &dir, "t3", "sed -i 's/^4$/c/' text");
    sandbox.git(&dir, ["config", "rerere.enabled", "true"]).ok();
    let plain = |args: &[&str]| sandbox.integrate(&dir, ["-n", "--porcelain"].iter().chain(args)).stdout;
    assert_eq!(plain(&["t1", "t2"]), "merged t1\nconflict t2 content other\nconflict t2 content text\n");
    let teach = |files: &str| {
        sandbox.sh(&dir, &format!("git checkout -q --detach main && git merge -q t1 && git merge -q t2; for f in {files}; do sed -i '/^[<=>]/d' $f; git add $f; done; git rerere; git reset -q --hard; git checkout -q main")).ok();
    };
    teach("text");
    let known = plain(&["t1", "t2"]);
    assert_eq!(known, "merged t1\nconflict t2 content other\nconflict t2 content text\nrecorded t2 text\n");
    teach("text other");
    let json = forecast(&sandbox, &dir, &[]);
    assert_eq!(json["tasks"][1]["recorded"].as_array().unwrap().len(), 2);
    // With all of it known, what follows is forecast on top of it.
    let tree = json["tasks"][1]["tree"].as_str().unwrap();
    let text = sandbox.git(&dir, ["cat-file", "-e", tree]);
    assert_ne!(text.code, 0, "nothing is written into the repository");
    assert_eq!(json["tasks"][2]["result"], "conflict", "{json}");
    let shown = sandbox.integrate(&dir, ["-n"]).fails(1).stdout;
    assert!(shown.contains("content in text (resolution recorded)"), "{shown}");
    sandbox.git(&dir, ["config", "rerere.enabled", "false"]).ok();
    assert!(!plain(&[]).contains("recorded"));
}

/// Most of these have nothing to do with each other, and are foretold without a merge; some meet by directories only.
#[test]
fn what_meets_nowhere_is_foretold_without_a_merge() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox
        .sh(
            &dir,
            "mkdir d e e/s; for f in d/x d/y e/s/x e/s/y text other old; do seq 9 >$f; done; \
             git add -A && git commit -qm files",
        )
        .ok();
    for (name, script) in [
        ("a-plain", "echo 1 >plain; mkdir -p n/e/w; echo 1 >n/e/w/x"),
        ("b-moves", "git mv d moved"),
        ("c-adds", "echo 1 >d/z"),
        ("d-deep", "git rm -q e/s/x; chmod +x e/s/y"),
        ("e-file", "echo x >new"),
        ("f-dir", "mkdir new; echo x >new/x"),
        ("g-gone", "git rm -q text; ln -s plain link"),
        ("h-text", "sed -i 's/^9$/b/' text"),
        ("i-old", "sed -i 's/^9$/b/' old"),
        ("j-twin", "sed -i 's/^1$/a/' other"),
        ("k-twin", "sed -i 's/^9$/z/' other"),
        ("l-last", "echo 1 >last"),
    ] {
        ready(&sandbox, &dir, name, script);
    }
    // A task that stands on another one takes back what that did.
    let path = sandbox.task(&dir, ["add", "-q", "--base", "main", "m-under"]).ok().path();
    sandbox.sh(&path, "echo 2 >e/under; git add -A; git commit -qm under; git branch over").ok();
    sandbox.task(&path, ["ready"]).ok();
    let path = sandbox.task(&dir, ["add", "-q", "--base", "main", "n-over"]).ok().path();
    sandbox
        .sh(&path, "git reset -q --hard over; git rm -q e/under; echo 1 >over; git add -A; git commit -qm o")
        .ok();
    sandbox.task(&path, ["ready"]).ok();
    // The target has moved a file that one of them changes.
    sandbox.sh(&dir, "git mv old renamed && git commit -qm renamed").ok();
    for how in ["--no-ff", "--squash", "--ff"] {
        let trace = sandbox.path("trace");
        let json = {
            let mut command = sandbox.command(&dir, "git-integrate");
            command.args(["-n", "--json", how]).env("GIT_TRACE", &trace);
            let run = Run::of(&mut command, b"");
            serde_json::from_slice::<Value>(&run.raw_stdout).unwrap_or_else(|e| panic!("{e}\n{run}"))
        };
        let merges = std::fs::read_to_string(&trace).unwrap();
        let merges = merges.lines().filter(|line| line.contains("built-in: git merge-tree")).count();
        std::fs::remove_file(&trace).unwrap();
        let seen = follow(&sandbox, &dir, &json, &[how]);
        assert_eq!(results(&seen, "conflict"), ["c-adds", "f-dir", "h-text"], "{how}: {seen:?}");
        assert_eq!(results(&seen, "merged").len(), 11, "{how}: {seen:?}");
        // One for each that meets something before it, and some that look closer at a conflict.
        assert!((5..14).contains(&merges), "{how}: {merges}");
    }
}
