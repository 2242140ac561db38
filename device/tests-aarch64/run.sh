#!/usr/bin/env bash
# Does ecgedge answer on 64-bit Arm as it does on x86-64? Needs root, about 3 GB of disk and half an hour; see README.md.
set -euo pipefail

usage() {
    cat <<'END'
Usage: run.sh [--cache DIR] [--wheel FILE] [--cpu NAME]... [--fresh]

Installs the wheel in arm64 Debian 12 under qemu-user and in a venv of this machine, runs all that ecgedge answers on
both, and prints what agreed. Exit code 1 where an output does not agree.

  --cache DIR    root file system, downloads and outputs (default: XDG_CACHE_HOME/ecgedge/aarch64)
  --wheel FILE   the wheel to install (default: built from this checkout)
  --cpu NAME     cortex-a72 (Raspberry Pi 4) or cortex-a76 (Raspberry Pi 5); may be repeated (default: both)
  --fresh        make the root file system again
END
}

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ecgedge/aarch64
wheel=
fresh=no
cpus=()
python=${PYTHON:-python3}
packages=(python3 python3-venv ca-certificates)

say() { printf '\n== %(%H:%M:%S)T  %s\n' -1 "$*"; }
die() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
        --cache) cache=${2:?--cache needs a folder}; shift 2 ;;
        --wheel) wheel=$(realpath "${2:?--wheel needs a file}"); shift 2 ;;
        --cpu) cpus+=("${2:?--cpu needs a name}"); shift 2 ;;
        --fresh) fresh=yes; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "$1 is not known" ;;
    esac
done

check_host() {
    [ "$(id -u)" = 0 ] || die "needs root for chroot and mount; run it with sudo"
    local program
    for program in debootstrap qemu-aarch64-static unshare "$python"; do
        command -v "$program" > /dev/null || die "$program is missing; apt-get install debootstrap qemu-user-static python3"
    done
    [ "$(uname -m)" = aarch64 ] || register_interpreter
}

# Programs that arm64 programs start are found by the kernel, so the interpreter must be known to it.
# The flag F opens it now, so that it need not lie in the root file system.
register_interpreter() {
    local binfmt=/proc/sys/fs/binfmt_misc
    [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt \
        || die "the kernel has no binfmt_misc; load its module or use an arm64 machine"
    if [ ! -e $binfmt/qemu-aarch64 ]; then
        printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F' > $binfmt/register
    fi
    grep -q '^flags:.*F' $binfmt/qemu-aarch64 || die "$binfmt/qemu-aarch64 lacks the flag F; install qemu-user-static"
}

# The mirror and proxy that this machine's apt uses, so that no address stands here.
mirror() {
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2> /dev/null |
        awk '$1 == "bookworm" && $2 == "main" { print $3; exit }'
}

bootstrap() {
    if [ $fresh = yes ]; then rm -rf --one-file-system "$root"; fi
    if [ -e "$root/etc/ecgedge-root-is-complete" ]; then say "root file system: $root (kept)"; return; fi
    say "root file system: arm64 Debian 12 into $root"
    local proxy=
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    if [ -n "$proxy" ]; then export http_proxy=$proxy; fi
    local joined; joined=$(IFS=,; printf '%s' "${packages[*]}")
    rm -rf --one-file-system "$root"
    # shellcheck disable=SC2046 # without a mirror in apt's lists debootstrap takes its own
    debootstrap --arch=arm64 --variant=minbase --foreign --include="$joined" bookworm "$root" $(mirror)
    in_root /debootstrap/debootstrap --second-stage
    touch "$root/etc/ecgedge-root-is-complete"
}

# What a core says of itself: qemu passes this machine's /proc/cpuinfo and /sys through, on which LiteRT 2.3 crashes as it
# looks for an Arm core in them.
core() {
    case $1 in
        cortex-a72) echo "0x0 0xd08 3 fp asimd evtstrm crc32 cpuid" ;;
        cortex-a76) echo "0x4 0xd0b 1 fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp" ;;
        *) die "--cpu $1 is not known; cortex-a72 and cortex-a76 are" ;;
    esac
}

describe_core() {
    local folder=$cache/cores/$1 variant part revision features number
    read -r variant part revision features <<< "$(core "$1")"
    mkdir -p "$folder/sys/devices/system/cpu"
    printf '0-%d\n' $(($(nproc) - 1)) | tee "$folder/sys/devices/system/cpu/possible" > "$folder/sys/devices/system/cpu/present"
    for ((number = 0; number < $(nproc); number++)); do
        printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: %s\nCPU implementer\t: 0x41\n' "$number" "$features"
        printf 'CPU architecture: 8\nCPU variant\t: %s\nCPU part\t: %s\nCPU revision\t: %s\n\n' "$variant" "$part" "$revision"
    done > "$folder/cpuinfo"
}

# A command in the root file system on the core $cpu, in mounts of its own that end with it, and no environment but what
# pip needs.
in_root() {
    local kept=() name seen=
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
        if [ -n "${!name:-}" ]; then kept+=("$name=${!name}"); fi
    done
    if [ "$(uname -m)" != aarch64 ]; then
        describe_core "$cpu"
        seen=$cache/cores/$cpu
        kept+=("QEMU_CPU=$cpu")
    fi
    # shellcheck disable=SC2016 # these are the variables of the inner shell
    unshare --mount --propagation private sh -c '
        root=$1; seen=$2; shift 2
        mount -t proc proc "$root/proc"
        if [ -n "$seen" ]; then mount --bind "$seen/cpuinfo" "$root/proc/cpuinfo"; fi
        mount --rbind "${seen:-}/sys" "$root/sys"
        exec chroot "$root" "$@"
    ' sh "$root" "$seen" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb "${kept[@]}" "$@"
}

let_out() {
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cp -L /etc/hosts "$root/etc/hosts"
    local certificates=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt} index
    cp -L "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
    index=$("$python" -m pip config get global.index-url 2> /dev/null || true)
    if [ -n "$index" ]; then export PIP_INDEX_URL=${PIP_INDEX_URL:-$index}; fi
}

build_wheel() {
    if [ -z "$wheel" ]; then
        say "wheel from $checkout"
        rm -rf "$cache/wheel"
        "$python" -m pip wheel -qq --no-deps --wheel-dir "$cache/wheel" "$checkout"
        wheel=$(ls "$cache"/wheel/ecgedge-*.whl)
    fi
    printf '%s  %s\n' "$(sha256sum "$wheel" | cut -c1-16)" "$(basename "$wheel")"
}

# The same versions on both sides, so that only the processor differs.
install_both() {
    say "this machine: pip install $(basename "$wheel")[device]"
    [ -x "$cache/venv/bin/python" ] || "$python" -m venv "$cache/venv"
    "$cache/venv/bin/python" -m pip install -qq --disable-pip-version-check --force-reinstall --no-deps "$wheel"
    "$cache/venv/bin/python" -m pip install -qq --disable-pip-version-check -c "$checkout/constraints.txt" "${wheel}[device]"
    say "arm64: pip install $(basename "$wheel")[device]"
    mkdir -p "$root/proof"
    cp "$wheel" "$checkout/constraints.txt" "$here/outputs.py" "$root/proof/"
    local inside; inside=/proof/$(basename "$wheel")
    [ -x "$root/opt/ecgedge/venv/bin/python" ] || in_root python3 -m venv /opt/ecgedge/venv
    in_root /opt/ecgedge/venv/bin/python -m pip install -qq --disable-pip-version-check --force-reinstall --no-deps "$inside"
    in_root /opt/ecgedge/venv/bin/python -m pip install -qq --disable-pip-version-check -c /proof/constraints.txt "${inside}[device]"
    in_root /opt/ecgedge/venv/bin/python -m pip check
    in_root /opt/ecgedge/venv/bin/python -m pip list --format=freeze | wc -l | sed 's/$/ packages on arm64/'
}

make_inputs() {
    say "inputs: a simulated recording, page and photo; MIT-BIH record 200 where this machine has it"
    rm -rf "$cache/inputs"
    mkdir -p "$cache/inputs"
    local bin=$cache/venv/bin
    "$bin/ecgedge" simulate -o "$cache/inputs/ecg" --minutes 10 --seed 7
    "$bin/ecgedge" draw -o "$cache/inputs/page.png" --seed 7
    "$bin/ecgedge" draw -o "$cache/inputs/photo.jpg" --seed 7 --photo
    "$bin/python" - "$cache/inputs" <<'END'
import shutil
import sys
from pathlib import Path

from ecgedge.catalogue import locate
from ecgedge.errors import DataError

names = ["200.hea", "200.dat", "200.atr"]
try:
    found = locate("mitdb", wanted=names)
    target = Path(sys.argv[1]) / "mitdb"
    target.mkdir()
    for name in names:
        shutil.copy(found / name, target)
except DataError as error:
    print(f"no record 200, the demonstration simulates one: {error}")
END
}

outputs() {
    say "outputs of this machine"
    rm -rf "$cache/out-host" "$root/proof/inputs"
    "$cache/venv/bin/python" "$here/outputs.py" "$cache/inputs" "$cache/out-host" || true # compare.py tells what failed
    cp -r "$cache/inputs" "$root/proof/inputs"
    for cpu in "${cpus[@]}"; do
        say "outputs of arm64, $cpu (under qemu: the times say nothing of a Raspberry Pi)"
        rm -rf "$root/proof/out-$cpu"
        in_root /opt/ecgedge/venv/bin/python /proof/outputs.py /proof/inputs "/proof/out-$cpu" || true
    done
}

compare() {
    local failed=0
    for cpu in "${cpus[@]}"; do
        say "comparison: this machine with arm64, $cpu"
        "$cache/venv/bin/python" "$here/compare.py" "$cache/out-host" "$root/proof/out-$cpu" || failed=1
    done
    return $failed
}

main() {
    if [ ${#cpus[@]} = 0 ]; then cpus=(cortex-a72 cortex-a76); fi
    for cpu in "${cpus[@]}"; do core "$cpu" > /dev/null; done
    cpu=${cpus[0]}
    check_host
    mkdir -p "$cache"
    cache=$(realpath "$cache")
    root=$cache/root
    bootstrap
    let_out
    build_wheel
    install_both
    make_inputs
    outputs
    compare
}

main; exit # in one line: bash reads no further, should this file change while it runs
