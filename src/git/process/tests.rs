use super::*;

#[test]
fn a_daemon_that_holds_the_streams_does_not_hold_us() {
    let script = "tail -f /dev/null & echo $!; echo failed >&2; exit 3";
    let cmd = shell(script, Path::new("/"), std::iter::empty::<(&str, &str)>());
    let output = cmd.leaving_others().output().unwrap();
    let daemon = String::from_utf8(output.stdout.clone()).unwrap();
    run_shell("kill $1", &[OsStr::new(daemon.trim())]).unwrap();
    assert_eq!((output.code(), output.stderr.as_slice()), (3, b"failed\n".as_slice()));
}

#[test]
fn one_that_goes_on_printing_does_not_hold_us() {
    // It ends when nobody reads any more.
    let script = "while echo y; do :; done & head -c 200000 /dev/zero >&2; echo failed >&2; exit 3";
    let cmd = shell(script, Path::new("/"), std::iter::empty::<(&str, &str)>());
    let output = cmd.leaving_others().output().unwrap();
    assert!(output.stderr.ends_with(b"\0failed\n"));
    assert_eq!((output.code(), output.stderr.len()), (3, 200_007));
}

#[test]
fn much_input_arrives_whole_or_is_not_missed() {
    let much = vec![b'x'; 3 << 20];
    let run = |script| {
        let cmd = shell(script, Path::new("/"), std::iter::empty::<(&str, &str)>());
        cmd.stdin(much.clone()).output().unwrap()
    };
    assert_eq!(run("wc -c").stdout, b"3145728\n");
    assert_eq!(run("exit 3").code(), 3);
}

#[test]
fn much_output_arrives_whole() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done";
    let output = shell(script, Path::new("/"), std::iter::empty::<(&str, &str)>()).output().unwrap();
    assert_eq!(output.stdout.len(), 20_000 * 11);
}

#[test]
fn children_do_not_see_the_repository_of_a_hook() {
    let cmd = Git::at("/").cmd(["version"]);
    let cleared: Vec<_> = cmd.command.get_envs().filter(|(_, v)| v.is_none()).map(|(k, _)| k).collect();
    assert!(cleared.contains(&OsStr::new("GIT_INDEX_FILE")));
    assert!(!cleared.contains(&OsStr::new("GIT_CONFIG_PARAMETERS")));
}

#[test]
fn what_is_shown_is_kept_as_a_whole_and_a_daemon_does_not_hold_us() {
    // A NUL is what a mark of ours begins with.
    let script = "printf 'first\\0'; tail -f /dev/null & printf $!; printf 'last\\0' >&2; exit 3";
    let mut kept = Vec::new();
    let status = shell(script, Path::new("/"), std::iter::empty::<(&str, &str)>()).shown_and_kept(&mut kept);
    assert_eq!(code_of(status.unwrap()), 3);
    let kept = String::from_utf8(kept).unwrap();
    let daemon = kept.strip_prefix("first\0").and_then(|rest| rest.strip_suffix("last\0")).unwrap();
    run_shell("kill $1", &[OsStr::new(daemon)]).unwrap();
}
