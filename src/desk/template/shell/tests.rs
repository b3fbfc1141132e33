use super::*;

const VALUES: &[(&str, &[u8])] =
    &[("task", b"login"), ("title", b"it's; $(rm) `x` \"q\"\n#"), ("path", b"/w/\xff b")];

fn filled(template: &str) -> String {
    let bytes = expand_shell(template, VALUES).unwrap_or_else(|e| panic!("{template}: {e}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn every_value_is_one_argument() {
    assert_eq!(filled("claude -p {title} {task}"), "claude -p 'it'\\''s; $(rm) `x` \"q\"\n#' 'login'");
    assert_eq!(filled("test -f notes/{task}/APPROVED"), "test -f notes/'login'/APPROVED");
    assert_eq!(expand_shell("cd {path}", VALUES).expect("plain"), b"cd '/w/\xff b'");
    assert_eq!(filled("\"fix: \"{title}").matches("'\\''").count(), 1);
}

#[test]
fn other_braces_are_the_shells() {
    for template in [
        "echo ${task} ${x:-y} {a,b} {} { x; }",
        "awk '{print $1}' | find -exec x {} \\;",
        "echo \\{task} {other}",
        "größe # don't",
    ] {
        assert_eq!(filled(template), template);
    }
    assert_eq!(filled("echo {a,{task}}"), "echo {a,'login'}");
}

#[test]
fn quoting_that_is_over_does_not_matter() {
    for before in [
        "echo 'a\"' \"b'$x\\\"\" c\\' ",
        "x \"$(pwd)\" `pwd` ",
        "y=$(cat f) ${z} $$",
        "# don't\n",
        "a#b ",
        "x <<< y ",
        "(a) ",
        "x >&2 2>&1;",
        "x \\\n \\\n# don't\n",
        "[ -d x ] && ls *.[ch] ",
        "${x#y} ",
    ] {
        assert!(filled(&format!("{before}{{task}}")).ends_with("'login'"), "{before}");
    }
    assert_eq!(
        filled("claude \"$(git task prompt {task})\" {task}"),
        "claude \"$(git task prompt 'login')\" 'login'"
    );
}

#[test]
fn a_placeholder_in_quotes_is_refused() {
    for template in [
        "x \"{task}\"",
        "x '{task}'",
        "x \"a $y {task}\"",
        "x 'a\" {task}'",
        "x \"$(pwd) {task}\"",
        "echo # don't\necho '{task}'",
    ] {
        let refusal = expand_shell(template, VALUES).expect_err(template);
        assert!(refusal.message().starts_with("placeholder '{task}' stands inside quotes in '"), "{refusal}");
        assert!(refusal.hint.expect("a hint").text.contains("Leave out the quotes"));
    }
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let templates = [
        "x # {task}",
        "cat <<EOF\n{task}\nEOF",
        "x ${y:-{task}}",
        "x `echo {task}`",
        "x \"`echo \\\"a\\\"`\" {task}",
        "x \"$(echo \"{task}\")\"",
        "x \"$(case a in a) echo \" {task} \";; esac)\"",
        "x $'it\\'s' {task}",
        "x $((1 + {task}))",
        "x $[{task}]",
        "x <(y)#' \n{task}'",
        "a=(x {task})",
        "cat <\\\n<E\n{task}",
        "x \"$\\\n(echo \" {task} \")\"",
        "x >&{task}",
        "x >& {task}",
        "x >&1{task}",
        "x >&1<(){task}",
        "x <&0>(y){task}",
        "(( {task} ))",
        "[[ {task} -eq 1 ]]",
        "x[{task}]=1",
        "x[y[1]+{task}]=1",
    ];
    for template in templates {
        expand_shell(template, VALUES).expect_err(template);
    }
    let message = expand_shell("cat <<E\n{task}", VALUES).expect_err("here-document").message();
    assert_eq!(message, "placeholder '{task}' stands in or after a here-document in 'cat <<E\\n{task}'");
    expand_shell("echo {x}", &[("x", b"a\0b")]).expect_err("a NUL");
}
