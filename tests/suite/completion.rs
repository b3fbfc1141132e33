//! Tab completion in the real shells, each with git's own completion beside ours.

use std::path::{Path, PathBuf};

use crate::support::*;

/// Where Debian, and most others, have git's completion for bash.
const GIT_BASH: &str = "/usr/share/bash-completion/completions/git";

/// A repository with tasks in several states and branches with odd names, and one beside it with nothing.
struct Ground {
    sandbox: Sandbox,
    dir: PathBuf,
}

impl Ground {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        std::fs::create_dir(sandbox.path("empty")).unwrap();
        for branch in ["it's-odd", "a$(b)", "größe", "semi;colon"] {
            sandbox.git(&dir, ["branch", branch]).ok();
        }
        sandbox.git(&dir, ["update-ref", "refs/remotes/origin/topic", "HEAD"]).ok();
        sandbox.task(&dir, ["add", "bug-login", "feat-billing", "docs"]).ok();
        // As `rm` leaves it.
        sandbox.git(&dir, ["config", "task.old.branch", "old"]).ok();
        sandbox.git(&dir, ["config", "task.old.state", "dropped"]).ok();
        sandbox.git(&dir, ["config", "session.builder.command", "true"]).ok();
        sandbox.task(&dir, ["block", "docs", "-m", "waits: for it"]).ok();
        let team = "[session.team]\ncommand = 'true'\n[[stage]]\nname = 'build'\n[[stage]]\nname = 'check'\n";
        sandbox.write(&dir, ".config/git-parallel.toml", team);
        std::fs::write(dir.join("my plan.toml"), "").unwrap();
        std::fs::create_dir(dir.join("a dir")).unwrap();
        Ground { sandbox, dir }
    }
}

/// A shell that is asked what the last word of a line may become, several lines in one process.
trait Asks {
    /// The candidates for each of the lines, as the shell would put them on its line; sorted.
    fn ask(&self, ground: &Ground, dir: &Path, lines: &[&str]) -> Vec<Vec<String>>;
}

/// What every shell must answer: the line, and what its last word may become.
#[track_caller]
fn check(shell: &impl Asks, ground: &Ground) {
    let cases: &[(&str, &[&str])] = &[
        ("git task rea", &["ready"]),
        ("git-task rea", &["ready"]),
        ("git task re", &["ready", "rename", "reopen", "repair", "restore"]),
        ("git task ready ", &["bug-login", "docs", "feat-billing"]),
        ("git task ready docs ", &["bug-login", "feat-billing"]),
        ("git task reopen ", &["docs"]),
        ("git task restore ", &["old"]),
        ("git task show o", &["old"]),
        ("git task show f", &["feat-billing"]),
        ("git-task rm --force f", &["feat-billing"]),
        ("git task add --prio", &["--priority"]),
        ("git task list --no-a", &["--no-all"]),
        ("git task list --state bl", &["blocked"]),
        ("git task add --session ", &["builder", "team"]),
        ("git task run --session b", &["builder"]),
        ("git task start docs --session t", &["team"]),
        ("git task run --stages ", &["build", "check"]),
        ("git task run --stages c", &["check"]),
        ("git task add --base ori", &["origin/topic"]),
        ("git task completion ", &["bash", "fish", "zsh"]),
        ("git pool --ver", &["--verbose", "--version"]),
        ("git integrate --ver", &["--verbose", "--version"]),
        ("git integrate --on-conflict s", &["skip", "stop"]),
        ("git integrate --into ma", &["main"]),
        ("git task nonsense --", &["--color", "--help", "--quiet", "--verbose", "--version"]),
    ];
    let lines: Vec<&str> = cases.iter().map(|(line, _)| *line).collect();
    let answers = shell.ask(ground, &ground.dir, &lines);
    for ((line, expected), answer) in cases.iter().zip(&answers) {
        assert_eq!(answer, expected, "{line}");
    }
    // git's own completion still works.
    let own = shell.ask(ground, &ground.dir, &["git chec", "git checkout mai", "git tas"]);
    assert!(own[0].iter().any(|c| c == "checkout"), "{own:?}");
    assert!(own[1].iter().any(|c| c == "main"), "{own:?}");
    assert!(own[2].iter().any(|c| c == "task"), "{own:?}");
    // Elsewhere, and outside of any repository.
    let empty = ground.sandbox.path("empty");
    let there = format!("git -C '{}' task ready f", ground.dir.display());
    let answers = shell.ask(ground, &empty, &[&there, "git task ready ", "git task add --base "]);
    assert_eq!(answers[0], ["feat-billing"]);
    assert!(answers[1].is_empty() && answers[2].is_empty(), "{answers:?}");
}

/// The words of a line as readline splits them: at blanks and at `=` and `:`, but not in quotes.
fn readline_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quote, mut escaped, mut after_break) = (None, false, false);
    for c in line.chars() {
        let is_break = quote.is_none() && !escaped && "=:".contains(c);
        if quote.is_none() && !escaped && c == ' ' {
            words.push(String::new());
            after_break = false;
            continue;
        }
        let last = words.last().unwrap();
        if (is_break && !last.is_empty() && !after_break) || (after_break && !is_break) {
            words.push(String::new());
        }
        words.last_mut().unwrap().push(c);
        after_break = is_break;
        quote = match (quote, c) {
            _ if escaped => quote,
            (None, '\'' | '"') => Some(c),
            (Some(q), _) if q == c => None,
            _ => quote,
        };
        escaped = c == '\\' && !escaped && quote != Some('\'');
    }
    if after_break {
        words.push(String::new());
    }
    words
}

#[test]
fn words_are_split_as_readline_does() {
    for (line, words) in [
        ("git task ", &["git", "task", ""][..]),
        ("git task --base=ma", &["git", "task", "--base", "=", "ma"]),
        ("git --base=", &["git", "--base", "=", ""]),
        ("git 'a b=c' d\\ e", &["git", "'a b=c'", "d\\ e"]),
        ("git 'a b", &["git", "'a b"]),
    ] {
        assert_eq!(readline_words(line), words, "{line}");
    }
}

struct Bash;

impl Asks for Bash {
    fn ask(&self, ground: &Ground, dir: &Path, lines: &[&str]) -> Vec<Vec<String>> {
        let mut script = String::from(
            ". /usr/share/bash-completion/bash_completion || exit
            _completion_loader git; _completion_loader git-task
            ask() {
                COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMP_TYPE=9 COMP_KEY=9 COMPREPLY=()
                local function
                function=$(complete -p \"$1\" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
                \"$function\" \"$1\" \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"
                printf '%s\\n' \"${COMPREPLY[@]%% }\"; printf '\\036\\n'
            }\n",
        );
        for line in lines {
            let words = readline_words(line);
            let quoted: Vec<_> = words.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect();
            script += &format!(
                "COMP_LINE='{}' COMP_POINT={}\nask {}\n",
                line.replace('\'', "'\\''"),
                line.len(),
                quoted.join(" ")
            );
        }
        let run = Run::of(ground.sandbox.command(dir, "bash").args(["--norc", "-c", &script]), b"").ok();
        assert_eq!(run.stderr, "", "nothing may be printed\n{run}");
        answers(&run.stdout, lines.len())
    }
}

struct Fish;

impl Asks for Fish {
    fn ask(&self, ground: &Ground, dir: &Path, lines: &[&str]) -> Vec<Vec<String>> {
        let script = "for line in $argv; complete --do-complete $line; printf '\\x1e\\n'; end";
        let mut fish = ground.sandbox.command(dir, "fish");
        let run = Run::of(fish.args(["-c", script]).args(lines), b"").ok();
        assert_eq!(run.stderr, "", "nothing may be printed\n{run}");
        let mut answers = answers(&run.stdout, lines.len());
        for answer in &mut answers {
            for candidate in answer.iter_mut() {
                candidate.truncate(candidate.find('\t').unwrap_or(candidate.len()));
            }
            answer.dedup();
        }
        answers
    }
}

/// What was printed for each line, closed by a separator.
#[track_caller]
fn answers(printed: &str, lines: usize) -> Vec<Vec<String>> {
    let answers: Vec<Vec<String>> = printed
        .split_terminator("\u{1e}\n")
        .map(|answer| {
            let mut all: Vec<_> = answer.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
            all.sort();
            all
        })
        .collect();
    assert_eq!(answers.len(), lines, "{printed}");
    answers
}

struct Zsh;

impl Asks for Zsh {
    fn ask(&self, ground: &Ground, dir: &Path, lines: &[&str]) -> Vec<Vec<String>> {
        let startup = ground.sandbox.path("zsh");
        let _ = std::fs::remove_dir_all(&startup);
        std::fs::create_dir(&startup).unwrap();
        std::fs::write(startup.join(".zshrc"), ZSH_STARTUP).unwrap();
        std::fs::write(startup.join("lines"), lines.join("\n")).unwrap();
        let mut zsh = Pty::spawn_with(&ground.sandbox, dir, ["zsh", "-d", "-i"], |zsh| {
            zsh.env("ZDOTDIR", &startup);
        });
        assert_eq!(zsh.wait(), 0, "{}", zsh.text());
        let found = std::fs::read_to_string(startup.join("found")).unwrap_or_else(|_| zsh.text());
        answers(&found, lines.len())
    }
}

/// At each prompt, the next of the lines is put into the line editor and completed there; what would be
/// added as a match is written down.
const ZSH_STARTUP: &str = r#"
fpath=($HOME/../share/zsh/site-functions $fpath)
autoload -Uz compinit; compinit -u -D
compadd() {
    local -a options=("${(@)@[1,(i)(-|--)]}") hits
    if (( ${options[(I)-(O|A|D)]} )); then builtin compadd "$@"; return; fi
    builtin compadd -O hits "$@"
    (( $#hits )) && matches+=("$IPREFIX"${^hits})
    builtin compadd "$@"
}
complete-here() { _main_complete; compstate[insert]= compstate[list]= }
zle -C complete-here complete-word complete-here
lines=("${(@f)$(<$ZDOTDIR/lines)}")
zle-line-init() {
    matches=()
    BUFFER=$lines[1] CURSOR=$#lines[1]
    shift lines
    zle complete-here
    print -rl -- $matches $'\x1e' >> $ZDOTDIR/found
    BUFFER=
    (( $#lines )) || BUFFER='exit 0'
    zle .accept-line
}
zle -N zle-line-init
"#;

/// Installs as a user does.
fn installed() -> Ground {
    let ground = Ground::new();
    ground.sandbox.task(&ground.dir, ["install-completions"]).ok();
    ground
}

#[test]
fn bash_completes() {
    if !need("bash") || !Path::new(GIT_BASH).exists() {
        return skip("bash or git's completion for it is not installed");
    }
    let ground = installed();
    check(&Bash, &ground);
    let lines = [
        ("git task add --base=ma", &["main"][..]),
        ("git-task add --base=origin/", &["origin/topic"]),
        ("git task add --base it", &[r"it\'s-odd"]),
        ("git task add --base a", &[r"a\$\(b\)"]),
        ("git task add --base gr", &["größe"]),
        ("git task add --base 'sem", &["semi;colon"]),
        ("git task add --from=my", &[r"my\ plan.toml"]),
        ("git task add --from 'my", &["my plan.toml"]),
        ("git task add --path a", &[r"a\ dir/"]),
        (r"git task add --path a\ d", &[r"a\ dir/"]),
        ("git task list --color=al", &["always"]),
    ];
    let asked: Vec<_> = lines.iter().map(|(line, _)| *line).collect();
    for ((line, expected), answer) in lines.iter().zip(Bash.ask(&ground, &ground.dir, &asked)) {
        assert_eq!(answer, *expected, "{line}");
    }
}

#[test]
fn zsh_completes() {
    if !need("zsh") {
        return;
    }
    let ground = installed();
    check(&Zsh, &ground);
    let lines = ["git task add --base=ma", "git task add --from 'my", "git task note docs --bl"];
    let answers = Zsh.ask(&ground, &ground.dir, &lines);
    assert_eq!(answers, [["--base=main"], ["my plan.toml"], ["--blocker"]]);
}

#[test]
fn fish_completes() {
    if !need("fish") {
        return;
    }
    let ground = installed();
    check(&Fish, &ground);
    let lines = ["git task add --base=ma", "git-task add --from my", "git task add --path 'a d"];
    let answers = Fish.ask(&ground, &ground.dir, &lines);
    assert_eq!(answers, [["--base=main"], ["my plan.toml"], ["a dir/"]]);
}

/// A name with everything in it that a shell could trip over comes out as it is.
#[test]
fn odd_names_arrive_as_they_are() {
    let ground = installed();
    let root = ground.sandbox.path("startup");
    std::fs::create_dir(&root).unwrap();
    let show = "git() { printf '<%s>' \"$@\"; echo; }\n";
    let zsh = "fpath=($HOME/../share/zsh/site-functions $fpath); autoload -Uz compinit; compinit -u -D\n";
    std::fs::write(root.join(".zshrc"), format!("{zsh}PS1='> '\n{show}")).unwrap();
    let bash = ". /usr/share/bash-completion/bash_completion; bind 'set enable-bracketed-paste off'\n";
    std::fs::write(root.join("bashrc"), format!("{bash}PS1='> '\n{show}")).unwrap();
    let fish = "function git; printf '<%s>' $argv; echo; end; function fish_prompt; echo '> '; end";
    let bashrc = root.join("bashrc").display().to_string();
    let shells: [&[&str]; 3] =
        [&["bash", "--rcfile", &bashrc, "-i"], &["zsh", "-d", "-i"], &["fish", "-i", "-C", fish]];
    for shell in shells {
        if !need(shell[0]) {
            continue;
        }
        let mut terminal = Pty::spawn_with(&ground.sandbox, &ground.dir, shell, |command| {
            command.env("ZDOTDIR", &root).env("LC_ALL", "C.UTF-8");
        });
        terminal.expect("> ");
        for (typed, arrives) in [
            ("it\t", "it's-odd"),
            ("a\t", "a$(b)"),
            ("'sem\t", "semi;colon"),
            ("gr\t", "größe"),
            ("mai\t", "main"),
        ] {
            terminal.send(&format!("git task add --base {typed} x\r"));
            terminal.expect(&format!("<--base><{arrives}>"));
        }
        terminal.send("exit\r");
        assert_eq!(terminal.wait(), 0, "{}", terminal.text());
    }
}
