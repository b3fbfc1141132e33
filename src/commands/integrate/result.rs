//! The results of an integration, one for a line, as scripts read them.

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use serde_json::{Map, Value as Json, json};

use crate::integrate::train::{Car, Outcome};
use crate::text::c_quote;

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A task merged; the commit is absent where it is not made yet.
    Merged(String, Option<ObjectId>),
    /// The target has its work already.
    Contained(String),
    /// It has no commit of its own.
    Empty(String),
    /// A path is in conflict: the task, git's word for the kind, the path.
    Conflict(String, String, BString),
    /// rerere has a recorded resolution for a path.
    Recorded(String, BString),
    /// A check failed: the task, the check.
    Failed(String, String),
    /// It can't be said whether it merges, and why.
    Unknown(String, String),
    /// It was left out, and why.
    Skipped(String, String),
    /// The target moved: its full name, from, to.
    Landed(String, ObjectId, ObjectId),
}

impl Line {
    /// What is known of a car before anything is done.
    pub fn of(car: &Car) -> Vec<Line> {
        let task = car.task.slug.to_string();
        match &car.outcome {
            Outcome::Merged { forward, .. } => vec![Line::Merged(task, forward.then_some(car.tip))],
            Outcome::Contained(_) => vec![Line::Contained(task)],
            Outcome::Empty => vec![Line::Empty(task)],
            Outcome::Conflict { conflicts, recorded, .. } => {
                let conflict =
                    |kind: &String, path: &BString| Line::Conflict(task.clone(), kind.clone(), path.clone());
                let of_paths =
                    conflicts.iter().flat_map(|c| c.paths.iter().map(|path| conflict(&c.kind, path)));
                let recorded = recorded.iter().map(|path| Line::Recorded(task.clone(), path.clone()));
                of_paths.chain(recorded).collect()
            }
            Outcome::Unknown { why } => vec![Line::Unknown(task, why.clone())],
            Outcome::Skipped { why } => vec![Line::Skipped(task, why.clone())],
        }
    }

    /// The line without its end. Without `nul`, a last field that holds a line end or starts with a quote is
    /// quoted as git quotes paths; a kind of several words is quoted always.
    fn text(&self, nul: bool) -> Vec<u8> {
        let last = |bytes: &[u8]| match c_quote(bytes) {
            Some(quoted) if !nul && (bytes.contains(&b'\n') || bytes.starts_with(b"\"")) => {
                quoted.into_bytes()
            }
            _ => bytes.to_vec(),
        };
        let fields: Vec<Vec<u8>> = match self {
            Line::Merged(task, commit) => {
                let commit = commit.map(|id| id.to_string());
                ["merged", task].into_iter().chain(commit.as_deref()).map(Vec::from).collect()
            }
            Line::Contained(task) => vec!["contained".into(), task.clone().into()],
            Line::Empty(task) => vec!["empty".into(), task.clone().into()],
            Line::Conflict(task, kind, path) => {
                let kind = if kind.contains(' ') { format!("\"{kind}\"") } else { kind.clone() };
                vec!["conflict".into(), task.clone().into(), kind.into(), last(path)]
            }
            Line::Recorded(task, path) => vec!["recorded".into(), task.clone().into(), last(path)],
            Line::Failed(task, check) => vec!["failed".into(), task.clone().into(), last(check.as_bytes())],
            Line::Unknown(task, why) => vec!["unknown".into(), task.clone().into(), last(why.as_bytes())],
            Line::Skipped(task, why) => vec!["skipped".into(), task.clone().into(), last(why.as_bytes())],
            Line::Landed(target, old, new) => {
                vec![format!("landed {target} {old} {new}").into_bytes()]
            }
        };
        fields.join(&b' ')
    }
}

/// `--porcelain`: a line for each result, with `nul` closed by NUL.
pub fn porcelain(lines: &[Line], nul: bool) -> Vec<u8> {
    let end = if nul { 0 } else { b'\n' };
    lines.iter().flat_map(|line| line.text(nul).into_iter().chain([end])).collect()
}

/// The object of one car in `--json`. `result` is the word of its line.
pub fn json_of(car: &Car) -> Json {
    let text = |bytes: &BStr| Json::from(bytes.to_str_lossy().into_owned());
    let paths = |paths: &[BString]| Json::from(paths.iter().map(|p| text(p.as_bstr())).collect::<Vec<_>>());
    let mut object = Map::new();
    object.insert("task".into(), car.task.slug.as_str().into());
    let mut put = |key: &str, value: Json| drop(object.insert(key.to_owned(), value));
    put("tip", car.tip.to_string().into());
    put("message", car.message.clone().into());
    match &car.outcome {
        Outcome::Merged { tree, forward } => {
            put("result", "merged".into());
            if *forward {
                put("commit", car.tip.to_string().into());
            }
            put("tree", tree.to_string().into());
        }
        Outcome::Contained(_) => put("result", "contained".into()),
        Outcome::Empty => put("result", "empty".into()),
        Outcome::Conflict { conflicts, recorded, resolved } => {
            put("result", "conflict".into());
            let all = conflicts.iter().map(|conflict| {
                json!({ "kind": conflict.kind, "paths": paths(&conflict.paths), "message": conflict.message })
            });
            put("conflicts", Json::from(all.collect::<Vec<_>>()));
            if !recorded.is_empty() {
                put("recorded", paths(recorded));
            }
            if let Some(tree) = resolved {
                put("tree", tree.to_string().into());
            }
        }
        Outcome::Unknown { why } => {
            put("result", "unknown".into());
            put("why", why.clone().into());
        }
        Outcome::Skipped { why } => {
            put("result", "skipped".into());
            put("why", why.clone().into());
        }
    }
    if !car.outside.is_empty() {
        put("outside", paths(&car.outside));
    }
    Json::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_can_be_read_back() {
        let id = ObjectId::null(gix::hash::Kind::Sha1);
        let zeroes = "0".repeat(40);
        let task = || "t".to_owned();
        let lines = [
            Line::Merged(task(), Some(id)),
            Line::Merged(task(), None),
            Line::Contained(task()),
            Line::Empty(task()),
            Line::Conflict(task(), "content".into(), "a b".into()),
            Line::Conflict(task(), "rename involved in collision".into(), "a\nmerged x".into()),
            Line::Recorded(task(), "\"q\"".into()),
            Line::Failed(task(), "make test".into()),
            Line::Unknown(task(), "why".into()),
            Line::Skipped(task(), "comes after 'x'".into()),
            Line::Landed("refs/heads/main".into(), id, id),
        ];
        let expected = format!(
            "merged t {zeroes}\nmerged t\ncontained t\nempty t\nconflict t content a b\n\
             conflict t \"rename involved in collision\" \"a\\nmerged x\"\nrecorded t \"\\\"q\\\"\"\n\
             failed t make test\nunknown t why\nskipped t comes after 'x'\n\
             landed refs/heads/main {zeroes} {zeroes}\n"
        );
        assert_eq!(porcelain(&lines, false).as_bstr(), expected);
        assert_eq!(porcelain(&lines[6..7], true).as_bstr(), "recorded t \"q\"\0");
    }
}
