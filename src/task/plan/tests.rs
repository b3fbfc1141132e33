use super::*;

fn plan(text: &str) -> Result<Plan> {
    parse(text, "plan.toml", |name| name == "old")
}

fn refusal(text: &str) -> String {
    plan(text).expect_err(text).message()
}

fn order(text: &str) -> Vec<String> {
    plan(text).expect(text).tasks.iter().map(|task| task.name.to_string()).collect()
}

/// `name:after,after@phase` for each task, one line each.
fn short(tasks: &[&str]) -> String {
    let mut text = String::new();
    for task in tasks {
        let (rest, phase) = task.split_once('@').unwrap_or((task, ""));
        let (name, after) = rest.split_once(':').unwrap_or((rest, ""));
        let after: Vec<_> = after.split(',').filter(|a| !a.is_empty()).map(|a| format!("'{a}'")).collect();
        let phase = if phase.is_empty() { String::new() } else { format!(", phase = {phase}") };
        text.push_str(&format!(" {{ name = '{name}', after = [{}]{phase} }},\n", after.join(",")));
    }
    format!("task = [\n{text}]\n")
}

#[test]
fn reads_every_key() {
    let text = r#"
base = "main"
[[task]]
name = "data"                       # the slug; every other key is optional
title = "feat: user profile schema"
goal = "Schema and migrations"
type = "feature"
scope = ["db/**", "contracts/database.yaml"]
after = ["old", "old"]
phase = 2
priority = -10
session = "builder"
"#;
    let slug = |name| Slug::try_from(name).expect("valid");
    let task = PlanTask {
        name: slug("data"),
        title: Some("feat: user profile schema".into()),
        goal: Some("Schema and migrations".into()),
        kind: Some("feature".into()),
        scope: vec!["db/**".into(), "contracts/database.yaml".into()],
        after: vec![slug("old")],
        phase: Some(2),
        priority: -10,
        session: Some("builder".into()),
    };
    assert_eq!(plan(text).expect("valid"), Plan { base: Some("main".into()), tasks: vec![task] });
}

#[test]
fn predecessors_go_first_and_the_rest_stays_put() {
    assert_eq!(order(&short(&["c:b", "x", "b:a", "a", "y"])), ["x", "a", "b", "c", "y"]);
    assert_eq!(
        order(&short(&["z@2", "free", "y@1", "x@1", "w:old@9"])),
        ["free", "y", "x", "z", "w"].map(String::from)
    );
}

#[test]
fn mistakes_are_located() {
    let cases = [
        (
            "[[task]]\nname = 'a'\n\ntitel = 'x'\n",
            "plan.toml:4: unknown key 'titel' (expected one of name, title, ",
        ),
        (
            "[[task]]\nname = 'a'\npriority = 'high'",
            "plan.toml:3: invalid type: string \"high\", expected a whole number",
        ),
        ("[[task]]\nname = 'a'\nphase = 4294967296", "plan.toml:3: invalid value"),
        ("[[task]]\nname = 'a/b'", "plan.toml:2: 'a/b' is not a valid task name: it holds a '/'"),
        ("[[task]]\nname = 'a'\n\n[[task]]\nname = 'a'", "plan.toml:5: task 'a' is already in line 2"),
        (
            "[[task]]\nname='a'\n[[task]]\nname='A'",
            "plan.toml:4: task 'A' differs only in case from 'a' in line 2",
        ),
        (
            "[[task]]\nname = 'a'\nafter = [\n  'old',\n  'desing',\n]",
            "plan.toml:5: task 'a' comes after 'desing', which is not a task of the plan or of the repository",
        ),
        ("[[task]]\nname='a'\n[[task]]\nname='b'\nafter=['A']", "repository (did you mean 'a'?)"),
        ("[[task]]\nname = 'a'\nafter = ['..']", "plan.toml:3: '..' is not a valid task name"),
        ("base = 'main'\n", "plan.toml: the plan has no task"),
    ];
    for (text, message) in cases {
        assert!(refusal(text).contains(message), "{}", refusal(text));
    }
    let failure = plan("[[task]]\nname = 'a/b'").expect_err("a slash");
    assert_eq!(failure.hint.map(|hint| hint.key), Some("taskName"));
}

#[test]
fn cycles_are_shown() {
    let cases: [(&[&str], &str); 5] = [
        (&["a:a"], "plan.toml:2: tasks come after each other: a -> a"),
        (&["x:b", "a:b", "b:a"], "plan.toml:3: tasks come after each other: a -> b -> a"),
        (&["c:a", "a:b", "b:c", "d:c"], "plan.toml:2: tasks come after each other: c -> a -> b -> c"),
        (
            &["a:b@1", "c@2", "b@3"],
            "plan.toml:2: tasks come after each other: a -> b -> a (a phase comes after every lower one)",
        ),
        (&["b@2", "a:u@1", "u:b"], "plan.toml:3: tasks come after each other: a -> u -> b -> a (a phase"),
    ];
    for (tasks, message) in cases {
        let text = short(tasks);
        assert!(refusal(&text).starts_with(message), "{}", refusal(&text));
    }
}
