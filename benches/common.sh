# What the benchmarks share; they read it with `.`. Needs bash, git and awk.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# BIN: a directory with other builds of our commands.
export PATH="${BIN:-$here/target/release}:$PATH"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
for who in AUTHOR COMMITTER; do export GIT_${who}_NAME=bench GIT_${who}_EMAIL=bench@localhost; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A repository $1 of $2 files of 1 to 4 KiB, 100 in each directory.
repository() {
    git init -q -b main "$1"
    awk -v files="$2" 'BEGIN {
        print "commit refs/heads/main\ncommitter b <b@localhost> 1700000000 +0000\ndata 5\nfirst"
        for (i = 0; i < files; i++) {
            text = ""
            for (line = 0; line <= i % 50 + 20; line++) text = text "line " line " of file " i " with some words in it\n"
            printf "M 100644 inline d%d/f%d.txt\ndata %d\n%s\n", i / 100, i, length(text), text
        }
    }' | git -C "$1" fast-import --quiet
    git -C "$1" reset -q --hard
    git -C "$1" config gc.auto 0
}

now() { date +%s%N; }
# Runs "$@" and adds its time in ns to the file $1.
timed() { local out=$1 from; shift; from=$(now); "$@" >/dev/null 2>&1 || echo "failed: $*" >&2; echo $(($(now) - from)) >>"$out"; }
median() { sort -n "$1" | awk '{a[NR]=$1} END {print a[int((NR+1)/2)]}'; }
ms() { awk -v n="$1" 'BEGIN {printf "%.1f", n/1e6}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a/b}'; }
