# fish completion for "git task", "git pool" and "git integrate"
# install as ${XDG_CONFIG_HOME:-~/.config}/fish/conf.d/git-parallel.fish
#
# fish forwards "git task" to the completion of "git-task" by itself, with two exceptions: 3.6.0 and
# 4.0.0 to 4.0.1 don't, and no version hands "git -C <dir>" on. Both are done here.

function __git_parallel_is_needed
    string match -qr '^(3\.6\.0|4\.0\.[01])(\D|$)' $version
end

# The words that belong to our command, after those that choose the repository, if this is one of ours.
function __git_parallel_words
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l elsewhere
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case -C --git-dir --work-tree
                set -a elsewhere $words[1..2]
                set -e words[1]
            case '--git-dir=*' '--work-tree=*'
                set -a elsewhere $words[1]
            case -c --namespace --exec-path --config-env --super-prefix
                set -e words[1]
            case '-*'
            case task pool integrate
                __git_parallel_is_needed; or set -q elsewhere[1]
                or return 1
                printf '%s\n' $words[1] (count $elsewhere) $elsewhere $words[2..]
                return 0
            case '*'
                return 1
        end
        set -e words[1]
    end
    return 1
end

function __git_parallel_complete
    set -l found (__git_parallel_words)
    or return
    set -l name $found[1]
    set -l last (math 2 + $found[2])
    set -l elsewhere
    test $found[2] -gt 0; and set elsewhere $found[3..$last]
    set -l current (commandline --current-token --cut-at-cursor)
    _GIT_PARALLEL_COMPLETE=fish command git $elsewhere $name -- \
        git-$name $found[(math $last + 1)..] "$current" 2>/dev/null
end

complete --command git --keep-order --no-files --condition __git_parallel_words --arguments '(__git_parallel_complete)'

# The names themselves, which those versions don't offer either.
complete --command git --no-files --condition '__git_parallel_is_needed; and __fish_git_needs_command' \
    --arguments 'task pool integrate' --description 'Custom command'
