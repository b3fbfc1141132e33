#!/bin/sh
# How well `git task run` uses its sessions: the time a run takes against the least that it could take, on
# generated graphs, and what the run itself costs for each task.
#
#     benches/schedule.sh             # all of it
#     benches/schedule.sh 10 100      # graphs of so many tasks
#     benches/schedule.sh sessions    # three builds at once against one after the other
#
# Each task sleeps for a random time, so that the machine's own speed counts for nothing; two out of three come
# after another one. The lower bound is the longer of the critical path and of all the work over the number
# of sessions. Then come tasks that do nothing, whose time is all overhead, and the memory of the run.
# `sessions` has three tasks that compile a program of 40 files, each in its own worktree, and test it: with all
# three at once, and with one after the other, in turns. It takes a C compiler.
# BIN (where the programs are), SEED, JOBS and MILLISECONDS (the mean of a task) may be set.

set -eu

seed=${SEED:-1}
jobs=${JOBS:-3}
mean=${MILLISECONDS:-200}
bin=${BIN:-$(cd "$(dirname "$0")/.." && pwd)/target/release}
[ -x "$bin/git-task" ] || { echo "build first: cargo build --release" >&2; exit 1; }
PATH=$bin:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ADVICE=0
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.com

# A repository with a graph of $1 tasks; $dir/times has "<task> <milliseconds>", $dir/bound the lower bound.
graph() {
    rm -rf "$dir/repo" "$dir/repo-worktrees"
    git init -q -b main "$dir/repo"
    cd "$dir/repo"
    git commit -q --allow-empty -m Begin
    awk -v n="$1" -v seed="$seed" -v jobs="$jobs" -v mean="$mean" -v dir="$dir" 'BEGIN {
        srand(seed)
        for (i = 0; i < n; i++) {
            time = int(mean / 4 + rand() * mean * 1.5)
            before = (i > 0 && rand() < 2 / 3) ? int(rand() * i) : -1
            print "[[task]]\nname = \"t" i "\"" > (dir "/plan.toml")
            if (before >= 0) print "after = [\"t" before "\"]" > (dir "/plan.toml")
            print "t" i, time > (dir "/times")
            end[i] = time + (before >= 0 ? end[before] : 0)
            if (end[i] > path) path = end[i]
            work += time
        }
        bound = work / jobs > path ? work / jobs : path
        print int(bound), int(path), int(work) > (dir "/bound")
    }' </dev/null
    git -c task.limit=100000 task add -q --from "$dir/plan.toml" >/dev/null
}

# Seconds that the run took, from its last event.
took() {
    sed -n 's/.*"event":"over".*"seconds":\([0-9.]*\).*/\1/p' "$dir/events"
}

# A program of 40 files in $dir/repo, with build.sh, which compiles it anew and tests it, and three tasks.
program() {
    rm -rf "$dir/repo" "$dir/repo-worktrees"
    git init -q -b main "$dir/repo"
    cd "$dir/repo"
    awk 'BEGIN {
        for (f = 0; f < 40; f++) {
            file = "part" f ".c"
            for (i = 0; i < 15; i++)
                printf "static unsigned step%d(unsigned x) { for (unsigned i = 0; i < x %% 7; i++) " \
                    "x = x * %du + (x >> %d); return x; }\n", i, 2 * (f * 15 + i) + 1, i % 13 + 1 > file
            printf "unsigned part%d(unsigned x) {\n", f > file
            for (i = 0; i < 15; i++) printf "    x ^= step%d(x + %du);\n", i, i > file
            print "    return x;\n}" > file
            declared = declared "unsigned part" f "(unsigned);\n"
            called = called "    x = part" f "(x);\n"
        }
        print "#include <stdio.h>\n#include <stdlib.h>\n" declared "int main(int n, char **args) {\n" \
            "    unsigned x = n > 1 ? strtoul(args[1], 0, 10) : 0;\n" called \
            "    printf(\"%u\\n\", x);\n    return 0;\n}" > "main.c"
    }' </dev/null
    cat >build.sh <<'EOF'
set -e
rm -f *.o program
for file in *.c; do cc -O2 -c "$file"; done
cc -o program *.o
# Each test twice: the same comes of the same.
for n in 1 2 3 4 5 6 7 8 9 10; do test "$(./program $n)" = "$(./program $n)"; done
EOF
    printf '%s\n' '*.o' program >.gitignore
    git add .
    git commit -q -m Begin
    git task add -q one two three >/dev/null
}

sessions() {
    program
    for round in 1 2 3; do
        git task run -q -j 1 --json -- sh build.sh >"$dir/events"
        one=$(took)
        git task run -q -j 3 --json -- sh build.sh >"$dir/events"
        awk -v one="$one" -v three="$(took)" -v cores="$(getconf _NPROCESSORS_ONLN)" 'BEGIN {
            printf "3 builds and tests, %d cores: one after the other %.2f s, at once %.2f s: ratio %.2f\n",
                cores, one, three, three / one }'
    done
}

[ $# -gt 0 ] || set -- sessions 10 100 1000
echo "$jobs sessions at once, tasks of $mean ms in the mean, seed $seed"
for count; do
    if [ "$count" = sessions ]; then
        sessions
        continue
    fi
    graph "$count"
    read -r bound path work <"$dir/bound"
    git task run -q -j "$jobs" --json -- \
        sh -c 'exec sleep "$(awk -v t="$GIT_TASK" "\$1 == t { print \$2 / 1000 }" "$0")"' "$dir/times" >"$dir/events"
    awk -v n="$count" -v s="$(took)" -v b="$bound" -v p="$path" -v w="$work" 'BEGIN {
        printf "%5d tasks: %8.2f s, lower bound %8.2f s (critical path %.2f s, work %.2f s): ratio %.3f\n",
            n, s, b / 1000, p / 1000, w / 1000, s * 1000 / b }'
    if [ -x /usr/bin/time ]; then
        /usr/bin/time -f %M -o "$dir/memory" git-task run -q -j "$jobs" --json -- true >"$dir/events"
    else
        git-task run -q -j "$jobs" --json -- true >"$dir/events"
        echo '?' >"$dir/memory"
    fi
    awk -v n="$count" -v s="$(took)" -v m="$(tail -n 1 "$dir/memory")" 'BEGIN {
        printf "%5d tasks that do nothing: %.2f s, %.1f ms for each; peak memory %s KiB\n", n, s, s * 1000 / n, m }'
done
