#!/usr/bin/env bash
# How the costs grow: with files, with tasks, with references and history; against plain git doing the same work in
# the same run, and against worktrunk's `wt` and git-workflow's `gw` where they are installed.
#
#   cargo build --release && benches/scale.sh [files|tasks|refs|cost]...
#
# FILES and TASKS change the sizes. Needs bash, git and awk; for `cost` GNU time and strace. Everything is made in
# a temporary directory. All of it, with 300,000 files, takes about half an hour and 8 GB there.
. "$(dirname "$0")/common.sh"
rounds=${ROUNDS:-5}
export HOME=$work

# what, size, ours, git's, the peer's
header() { printf '%-34s %9s %11s %11s %8s %11s\n' "$@"; }
row() {
    local peer=-
    [ ! -e "${5-}" ] || peer="$(ms "$(median "$5")") ms"
    printf '%-34s %9s %8s ms %8s ms %8s %11s\n' "$1" "$2" "$(ms "$(median "$3")")" "$(ms "$(median "$4")")" \
        "$(ratio "$(median "$3")" "$(median "$4")")" "$peer"
}
peer() { command -v wt >/dev/null; }
pool_peer() { command -v gw >/dev/null; }
# gw looks at where it is started, and says where the worktree is.
gw_claim() { (cd "$1" && gw worktree pool acquire >"$work/gw.path"); }
gw_release() { (cd "$1" && gw worktree pool release "$(basename "$(cat "$work/gw.path")")"); }
# wt without shell integration, hooks or questions
wt_() { command wt -C "$1" "${@:2}"; }

plain_add() { git worktree add --no-track -b "$1" "$work/$1"; }
plain_remove() { git worktree remove --force "$work/$1" && git branch -D "$1"; }
plain_release() { git -C "$1" checkout -q --detach main && git -C "$1" status --porcelain >"$work/left" && [ ! -s "$work/left" ]; }
status_of_each() { local d; git worktree list; for d in "$@"; do git -C "$d" status --porcelain; done; }

# Create, claim, release and remove, by files of the repository.
files() {
    local n i w
    header work files ours git ratio 'wt or gw'
    for n in ${FILES:-300 3000 30000 300000}; do
        w=$work/f$n
        repository "$w" "$n"
        cd "$w"
        git pool init -q 1
        git worktree add -q --detach "$work/slot"
        ! pool_peer || { git clone -q --shared "$w" "$w-gw" && (cd "$w-gw" && gw worktree pool warm 1) >/dev/null 2>&1; }
        for i in $(seq 0 "$rounds"); do
            # The first round only warms the caches up.
            local to=; [ "$i" -gt 0 ] || to=.skip
            timed "$w.add$to" git task add --no-pool "t$i"
            timed "$w.gadd$to" plain_add "g$i"
            ! peer || timed "$w.wadd$to" wt_ "$w" switch --create "w$i" --no-cd
            timed "$w.rm$to" git task rm -f "t$i"
            timed "$w.grm$to" plain_remove "g$i"
            ! peer || timed "$w.wrm$to" wt_ "$w" remove --foreground -D --force "w$i"
            timed "$w.claim$to" git pool claim --no-refill "c$i"
            timed "$w.gclaim$to" git -C "$work/slot" switch -q -c "s$i"
            timed "$w.release$to" git pool release "c$i"
            timed "$w.grelease$to" plain_release "$work/slot"
            if pool_peer; then
                timed "$w.wclaim$to" gw_claim "$w-gw"
                timed "$w.wrelease$to" gw_release "$w-gw"
            fi
        done
        row "task add / worktree add -b" "$n" "$w.add" "$w.gadd" "$w.wadd"
        row "task rm -f / worktree remove" "$n" "$w.rm" "$w.grm" "$w.wrm"
        row "pool claim / worktree add -b" "$n" "$w.claim" "$w.gadd" "$w.wclaim"
        row "pool claim / switch -c there" "$n" "$w.claim" "$w.gclaim"
        row "pool release / checkout, status" "$n" "$w.release" "$w.grelease" "$w.wrelease"
        cd / && rm -rf "$w" "$w-worktrees" "$w-gw" "$work/slot" "$work"/g*
    done
}

# list by tasks.
tasks() {
    local n i w
    header work tasks ours git ratio wt
    for n in ${TASKS:-1 10 100 1000}; do
        w=$work/l$n
        repository "$w" 300
        cd "$w"
        git -c task.limit=10000 task add -q $(seq -f 't%g' "$n") >/dev/null 2>&1
        for i in $(seq 1 3 "$n"); do (cd "$w-worktrees/t$i" && echo "$i" >>d0/f1.txt && git commit -qam "work $i"); done
        for i in $(seq 2 5 "$n"); do echo dirty >"$w-worktrees/t$i/new"; done
        echo base >>d1/f101.txt && git commit -qam base
        for i in $(seq "$rounds"); do
            timed "$w.list" git task list
            timed "$w.git" status_of_each "$w-worktrees"/*
            ! peer || timed "$w.wt" wt_ "$w" list
        done
        row "task list / list, status in each" "$n" "$w.list" "$w.git" "$w.wt"
        cd / && rm -rf "$w" "$w-worktrees"
    done
}

# With 10,000 other references, 1,000 tasks and 20,000 commits.
refs() {
    local w=$work/refs i
    git init -q -b main "$w"
    awk 'BEGIN {
        for (i = 0; i < 20000; i++) printf "commit refs/heads/main\ncommitter b <b@localhost> %d +0000\ndata 1\nx\nM 100644 inline f%d\ndata 2\n%d\n\n", 1700000000 + i, i % 10, i % 10
    }' | git -C "$w" fast-import --quiet
    cd "$w"
    git reset -q --hard
    git config gc.auto 0
    seq -f 'create refs/heads/b%g main' 10000 | git update-ref --stdin
    seq -f 'create refs/heads/t%g main' 1000 | git update-ref --stdin
    git pack-refs --all
    for i in $(seq 1000); do printf '[task "t%s"]\n\tbranch = t%s\n\tbase = main\n' "$i" "$i"; done >>.git/config
    for i in $(seq 0 $((rounds * 2))); do
        local to=; [ "$i" -gt 0 ] || to=.skip
        timed "$w.task$to" env _GIT_PARALLEL_COMPLETE=bash git-task -- git-task show t99
        timed "$w.base$to" env _GIT_PARALLEL_COMPLETE=bash git-task -- git-task add x --base b99
        timed "$w.for$to" git for-each-ref --format='%(refname)' refs/heads/b99*
        timed "$w.each$to" git for-each-ref --format='%(refname)' refs/heads
        timed "$w.start$to" git-task --version
        timed "$w.version$to" git --version
        timed "$w.path$to" git-task show t1
        timed "$w.show$to" git show -s t1
    done
    header "work, 10,000 refs, 20,000 commits" tasks ours git ratio wt
    row "complete a task / for-each-ref" 1000 "$w.task" "$w.each"
    row "complete a branch / for-each-ref" 1000 "$w.base" "$w.each"
    row "task --version / git --version" 1000 "$w.start" "$w.version"
    row "task show / show -s" 1000 "$w.path" "$w.show"
    cd / && rm -rf "$w"
}

# Peak memory, processes and system calls of one command, and of git doing the same.
figures() {
    local what=$1 kib execs calls; shift
    strace -f -c -o "$work/calls" "$@" >/dev/null 2>&1
    calls=$(awk '$NF == "total" {print $4}' "$work/calls")
    # Attempts along PATH fail, and are no process.
    execs=$(awk '$NF == "execve" {print $4 - (NF == 6 ? $5 : 0)}' "$work/calls")
    printf '%-44s %9s %9s' "$what" "$execs" "$calls"
    kib=$(/usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -n 1)
    printf '%10s KiB\n' "$kib"
}
cost() {
    local w=$work/cost i
    repository "$w" 3000
    cd "$w"
    git task add -q $(seq -f 't%g' 10) >/dev/null 2>&1
    for i in $(seq 10); do
        (cd "$w-worktrees/t$i" && echo "$i" >>"d$i/f${i}01.txt" && git commit -qam "work $i" && git task ready -q)
    done
    git pool init -q 4
    printf '%-44s %9s %9s %14s\n' "work, 3,000 files, 10 tasks" processes calls memory
    figures "git-task add --no-pool" sh -c 'git-task add --no-pool "x$$"'
    figures "  git worktree add -b" sh -c "git worktree add -q -b \"y\$\$\" \"$work/y\$\$\""
    figures "git-pool claim" git-pool claim --no-refill
    figures "git-task list" git-task list
    figures "  git worktree list" git worktree list
    figures "git-task overlap" git-task overlap
    figures "git-integrate -n" git-integrate -n
    figures "git-integrate --keep" git-integrate --keep
    git reset -q --hard HEAD~10
    figures "  git merge --no-ff, 10 times" sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do git merge -q --no-ff -m x t$i; done'
}

[ $# -gt 0 ] || set -- files tasks refs cost
git --version
! peer || wt --version
! pool_peer || gw --version
for figure in "$@"; do "$figure"; done
