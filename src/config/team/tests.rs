use super::*;

const FULL: &str = r#"
[task]
base = "main"
branchFormat = "{type}/{task}"
limit = 3
[setup]
copy = [".env*"]
run = ["npm ci", "make"]
[session.review]
command = "review {task}"
[session.default]
command = "claude -p {prompt}"
[[on]]
event = "integrated"
paths = ["src/api/**"]
run = "touch .signals/DOCS_NEEDED"
[[stage]]
gate = "test -f notes/{task}/APPROVED"
name = "build"
session = "default"
[[stage]]
name = "review"
[integrate]
check = ["cargo test"]
[[on]]
event = "failed"
run = "beep"
[[on]]
event = "integrated"
run = "date"
"#;

fn team(text: &str) -> Result<TeamFile> {
    parse(text, "t.toml", |name| name == "mine")
}

fn refusal(text: &str) -> String {
    team(text).expect_err(text).message()
}

#[test]
fn reads_every_key() {
    let team = team(FULL).expect("valid");
    assert_eq!(team.task.base.as_deref(), Some("main"));
    assert_eq!(team.task.branch_format.as_deref(), Some("{type}/{task}"));
    assert_eq!((team.task.worktree_format, team.task.limit), (None, Some(3)));
    assert_eq!(team.setup, Setup { copy: vec![".env*".into()], run: vec!["npm ci".into(), "make".into()] });
    assert_eq!(team.sessions["default"], "claude -p {prompt}");
    assert_eq!(team.stages[0].session.as_deref(), Some("default"));
    assert_eq!(team.stages[1], Stage { name: "review".into(), session: None, gate: None });
    assert_eq!(team.checks, ["cargo test"]);
    let paths = vec!["src/api/**".to_owned()];
    assert_eq!(
        team.hooks[0],
        Hook { event: Event::Integrated, paths, run: "touch .signals/DOCS_NEEDED".into() }
    );
    assert_eq!(parse("", "t.toml", |_| false).expect("an empty file"), TeamFile::default());
}

#[test]
fn lists_every_command_in_the_order_of_the_file() {
    let team = team(FULL).expect("valid");
    let places: Vec<_> = team.commands().iter().map(|command| command.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "setup.run[1]",
            "setup.run[2]",
            "session.review.command",
            "session.default.command",
            "on.integrated[1]",
            "stage.build.gate",
            "integrate.check[1]",
            "on.failed[1]",
            "on.integrated[2]",
        ]
    );
    assert_eq!(team.commands()[3].command, "claude -p {prompt}");
}

#[test]
fn mistakes_are_located() {
    let cases = [
        (
            "\n[tasks]\n",
            "t.toml:2: unknown key 'tasks' (expected one of task, setup, session, stage, integrate, on)",
        ),
        (
            "[task]\nbranchformat = 'x'",
            "t.toml:2: unknown key 'branchformat' (expected one of base, branchFormat, ",
        ),
        ("[setup]\nrun = 'npm ci'", "t.toml:2: invalid type: string \"npm ci\", expected a list"),
        (
            "[[on]]\nrun = 'x'\nevent = 'merged'",
            "t.toml:3: unknown value 'merged' (expected one of added, ready, blocked, integrated, failed, dropped)",
        ),
        ("[[on]]\nevent = 'added'", "t.toml:1: missing key 'run'"),
        ("[session.x]\n", "t.toml:1: missing key 'command'"),
        ("[session.'a b']\ncommand = 'x'", "t.toml:1: 'a b' is not a valid session name"),
        ("[[stage]]\nname = 'a,b'", "t.toml:2: 'a,b' is not a valid stage name"),
        ("[[stage]]\nname = 'a'\n[[stage]]\nname = 'a'", "t.toml:4: stage 'a' is already in line 2"),
        (
            "[[stage]]\nname = 'a'\nsession = 'b'",
            "t.toml:3: stage 'a' has the session 'b', which is not defined",
        ),
        ("[setup]\nrun = ['x',\n ' ']", "t.toml:3: setup.run[2] is an empty command"),
        ("[integrate]\ncheck = [\"a\\u0000\"]", "t.toml:2: integrate.check[1] holds a NUL byte"),
    ];
    for (text, message) in cases {
        assert!(refusal(text).starts_with(message), "{}", refusal(text));
    }
}

#[test]
fn a_session_may_be_defined_elsewhere() {
    let text = "[[stage]]\nname = 'a'\nsession = 'mine'\n[[stage]]\nname = 'b'\nsession = 'late'\n[session]\nlate.command = 'x'";
    assert_eq!(team(text).expect("known").stages.len(), 2);
}

#[test]
fn the_manifest_changes_with_the_commands_alone() {
    let manifest = |text: &str| team(text).expect(text).manifest();
    let plain = manifest("[setup]\nrun = ['a', 'b']");
    assert_eq!(plain, "git-parallel commands, version 1\n12:setup.run[1]\n1:a\n12:setup.run[2]\n1:b\n");
    assert_eq!(manifest("# new\n[task]\nlimit = 9\n[setup]\ncopy = ['x']\nrun = [\n 'a', \"b\",\n]"), plain);
    for other in [
        "[setup]\nrun = ['b', 'a']",
        "[setup]\nrun = ['a']",
        "[setup]\nrun = ['a', 'b ']",
        "[integrate]\ncheck = ['a', 'b']",
        "[setup]\nrun = [\"a\\n12:setup.run[2]\\n1:b\"]",
    ] {
        assert_ne!(manifest(other), plain, "{other}");
    }
}
