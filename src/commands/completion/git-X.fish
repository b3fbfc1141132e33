# fish completion for "git-@NAME@", to which fish forwards "git @NAME@"
# install as ${XDG_CONFIG_HOME:-~/.config}/fish/completions/git-@NAME@.fish

function __git_parallel_@NAME@
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    _GIT_PARALLEL_COMPLETE=fish command git-@NAME@ -- $words "$current" 2>/dev/null
end
complete --command git-@NAME@ --keep-order --no-files --arguments '(__git_parallel_@NAME@)'
