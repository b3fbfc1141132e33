# fish completion for "git-pool", to which fish forwards "git pool"
# install as ${XDG_CONFIG_HOME:-~/.config}/fish/completions/git-pool.fish

function __git_parallel_pool
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    _GIT_PARALLEL_COMPLETE=fish command git-pool -- $words "$current" 2>/dev/null
end
complete --command git-pool --keep-order --no-files --arguments '(__git_parallel_pool)'
