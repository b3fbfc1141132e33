#!/usr/bin/env bash
# The figures of git integrate, as ratios against plain git doing the same work in the same run.
#
#   cargo build --release && benches/integrate.sh [run|plan|checks]...
#
# Needs bash and git. Everything is made in a temporary directory. TASKS: the numbers of tasks; FILES: of files.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")/.." && pwd)
export PATH="${BIN:-$here/target/release}:$PATH"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
for who in AUTHOR COMMITTER; do export GIT_${who}_NAME=bench GIT_${who}_EMAIL=bench@localhost; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rounds=${ROUNDS:-5}

# A repository of $2 files, 100 in each directory, and $3 branches that change a file each.
repository() {
    git init -q -b main "$1"
    awk -v files="$2" -v tasks="$3" 'BEGIN {
        print "commit refs/heads/main\nmark :1\ncommitter b <b@localhost> 1700000000 +0000\ndata 5\nfirst"
        for (i = 0; i < files; i++) {
            text = "file " i "\nwith some words\nin it\n"
            printf "M 100644 inline d%d/f%d.txt\ndata %d\n%s\n", i / 100, i, length(text), text
        }
        for (i = 0; i < tasks; i++) {
            text = "changed by task " i "\n"
            printf "commit refs/heads/t%d\ncommitter b <b@localhost> 1700000100 +0000\ndata 4\nwork\nfrom :1\n", i
            printf "M 100644 inline d%d/f%d.txt\ndata %d\n%s\n", i / 100, i, length(text), text
        }
    }' | git -C "$1" fast-import --quiet
    git -C "$1" reset -q --hard
}

now() { date +%s%N; }
timed() { local out=$1 from; shift; from=$(now); "$@" >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }; echo $(($(now) - from)) >>"$out"; }
median() { sort -n "$1" | awk '{a[NR]=$1} END {print a[int((NR+1)/2)]}'; }
ms() { awk -v n="$1" 'BEGIN {printf "%.1f", n/1e6}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a/b}'; }
row() { printf '%-56s %10s ms %10s ms   ratio %s\n' "$1" "$(ms "$2")" "$(ms "$3")" "$(ratio "$2" "$3")"; }

loop() { local i; for i in $(seq 0 $(($1 - 1))); do git merge -q --no-ff -m "Merge task 't$i'" "t$i"; done; }

# Says in the repository here that the tasks are ready: they have branches and no worktrees.
make_ready() {
    local t
    for t in $2; do
        printf '[task "%s"]\n\tbranch = %s\n\tbase = main\n\tstart = %s\n\tstate = ready\n\treadyTip = %s\n' \
            "$t" "$t" "$1" "$(git rev-parse "$t")"
    done >"$work/tasks"
    for t in $2; do git config --remove-section "task.$t" 2>/dev/null || :; done
    cat "$work/tasks" >>.git/config
}

# --keep, because the loop tidies nothing up either.
run() {
    local n i tip tasks
    for n in ${TASKS:-10 30 100}; do
        repository "$work/r$n" "${FILES:-3000}" "$n"
        cd "$work/r$n"
        tip=$(git rev-parse main)
        tasks=$(seq -f 't%g' 0 $((n - 1)))
        for i in $(seq 0 "$rounds"); do
            # The first round makes the private worktree, and warms the caches up.
            local to=; [ "$i" -gt 0 ] || to=.skip
            make_ready "$tip" "$tasks"
            timed "$work/i$n.ours$to" git integrate --keep -q
            git reset -q --hard "$tip"
            timed "$work/i$n.loop$to" loop "$n"
            git reset -q --hard "$tip"
        done
        row "git integrate --keep / loop of git merge --no-ff ($n)" \
            "$(median "$work/i$n.ours")" "$(median "$work/i$n.loop")"
        cd / && rm -rf "$work/r$n" "$work/r$n-worktrees"
    done
}

# Merged in memory, each onto the one before.
train() {
    local i onto=main
    for i in $(seq 0 $(($1 - 1))); do
        onto=$(git commit-tree -p "$onto" -p "t$i" -m x "$(git merge-tree --write-tree "$onto" "t$i")")
    done
}

# Each task with each other one, in one process. It ends with 1 where all is well.
pairs() {
    awk -v n="$1" 'BEGIN { for (a = 0; a < n; a++) for (b = a + 1; b < n; b++) print "t" a " t" b }' |
        git merge-tree --write-tree --stdin || :
}

# What is only looked at: the forecast of a train, and the picture of all pairs.
plan() {
    local n i
    for n in ${TASKS:-10 30 100}; do
        repository "$work/p$n" "${FILES:-3000}" "$n"
        cd "$work/p$n"
        make_ready "$(git rev-parse main)" "$(seq -f 't%g' 0 $((n - 1)))"
        for i in $(seq 0 "$rounds"); do
            local to=; [ "$i" -gt 0 ] || to=.skip
            timed "$work/n$n.ours$to" git integrate -n
            timed "$work/n$n.train$to" train "$n"
            timed "$work/o$n.ours$to" git task overlap
            timed "$work/o$n.pairs$to" pairs "$n"
        done
        row "git integrate -n / git merge-tree, commit-tree ($n)" \
            "$(median "$work/n$n.ours")" "$(median "$work/n$n.train")"
        row "git task overlap / all pairs, merge-tree --stdin ($n)" \
            "$(median "$work/o$n.ours")" "$(median "$work/o$n.pairs")"
        cd / && rm -rf "$work/p$n"
    done
}

# Tasks with a check that waits for a second, in two places at once and in one. Both with a pool; what has passed is
# forgotten.
checks() {
    local n=${TASKS:-8} i tip tasks
    repository "$work/c" "${FILES:-300}" "$n"
    cd "$work/c"
    git pool init -q 1
    tip=$(git rev-parse main)
    tasks=$(seq -f 't%g' 0 $((n - 1)))
    for i in $(seq "$rounds"); do
        local jobs
        for jobs in 2 1; do
            make_ready "$tip" "$tasks"
            rm -f .git/git-parallel/integrate/main/passes
            timed "$work/c.$jobs" git integrate --keep -q -j "$jobs" --check 'sleep 1'
            git reset -q --hard "$tip"
        done
    done
    row "git integrate -j 2 / without, $n tasks, check of 1 s" "$(median "$work/c.2")" "$(median "$work/c.1")"
    cd / && rm -rf "$work/c" "$work/c-worktrees"
}

[ $# -gt 0 ] || set -- run plan checks
git --version
for figure in "$@"; do "$figure"; done
