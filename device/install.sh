#!/usr/bin/env bash
# Installs ecgedge-agent as a service on Raspberry Pi OS, Jetson Linux, Debian or Ubuntu; `install.sh --help` says how.
# A second run changes only what is new. The new program is tried before it replaces the old one.
set -euo pipefail

usage() {
    cat <<'END'
Usage: install.sh [--from DIR_OR_WHEEL] [OPTION]...
       install.sh --uninstall [--purge] [OPTION]...

Installs ecgedge-agent with all that it needs, tests every shipped model on this machine, and sets up the service. A
service that runs is restarted if anything changed. Settings that are there are kept. Run it as root (sudo).

  --from PATH       checkout or wheel to install (default: the checkout that this file is in)
  --prefix DIR      where the program goes (default: /opt/ecgedge)
  --python PROGRAM  Python to install for (default: python3); 3.11 to 3.14, on 32-bit Arm 3.11
  --kind KIND       pi64, pi32, jetson or debian (default: what this machine is)
  --no-apt          install no system packages
  --uninstall       remove program and service; settings and results stay
  --purge           with --uninstall: remove settings and results too
  --dry-run         say what would be done, and do nothing
  --root DIR        work below DIR and leave systemd, apt and users alone: to try it, or to fill an image
  -h, --help        this text

pip's own variables (PIP_INDEX_URL, PIP_NO_INDEX, PIP_CONSTRAINT) are heeded.
Research and education only; not a medical device.
END
}

here=$(cd "$(dirname "$0")" && pwd)
from=
prefix=/opt/ecgedge
python=python3
kind=
apt=yes
root=
action=install
purge=no
dry=no
service=ecgedge-agent.service
units=/etc/systemd/system
settings=/etc/ecgedge
space_mb=1200 # a venv is some 550 MB; the old one stays until the new one has passed
work=
unfinished=

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
            --from | --prefix | --python | --kind | --root)
                [ -n "${2:-}" ] || die "$1 needs a value; see --help"
                printf -v "${1#--}" '%s' "$2"
                shift
                ;;
            --no-apt) apt=no ;;
            --uninstall) action=uninstall ;;
            --purge) purge=yes ;;
            --dry-run) dry=yes ;;
            -h | --help) usage; exit 0 ;;
            *) die "$1 is not known; see --help" ;;
        esac
        shift
    done
    [[ $prefix =~ ^(/[A-Za-z0-9._-]+)+$ ]] || die "--prefix $prefix: a folder from / on, of plain letters, without spaces"
    [ $purge = no ] || [ $action = uninstall ] || die "--purge goes with --uninstall"
    if [ -n "$root" ]; then
        [ -d "$root" ] || die "--root $root: no such folder; make it first"
        root=$(cd "$root" && pwd)
    elif [ $dry = no ] && [ "$(id -u)" != 0 ]; then
        die "needs root; run it with sudo, or with --dry-run to see what it would do"
    fi
}

# --- doing, or saying what would be done ----------------------------------------------------------------------------

run() {
    if [ $dry = yes ]; then say "would run: $*"; else "$@"; fi
}

# Write standard input to a file if that changes it.
put() {
    local target=$1 mode=$2 new
    new=$(cat; printf .)
    if [ -e "$target" ] && [ "$(cat "$target"; printf .)" = "$new" ]; then return; fi
    if [ $dry = yes ]; then say "would write: $target"; return; fi
    mkdir -p "$(dirname "$target")"
    printf '%s' "${new%.}" > "$target.new"
    chmod "$mode" "$target.new"
    mv "$target.new" "$target"
    touch "$work/changed" # a file, since this may run in a pipeline
    say "wrote $target"
}

remove() {
    local path
    for path in "$@"; do
        if [ -e "$path" ] || [ -L "$path" ]; then run rm -rf --one-file-system -- "$path"; fi
    done
}

# systemd, where it runs and the work is for this machine.
manage() {
    if [ -z "$root" ] && [ -d /run/systemd/system ]; then run systemctl "$@"; fi
}

# --- what this machine is -------------------------------------------------------------------------------------------

find_kind() {
    local model=
    if [ -r /proc/device-tree/model ]; then model=$(tr -d '\0' < /proc/device-tree/model); fi
    if [ -n "$kind" ]; then
        case $kind in pi64 | pi32 | jetson | debian) ;; *) die "--kind $kind: pi64, pi32, jetson or debian" ;; esac
    elif [ "$(getconf LONG_BIT)" = 32 ]; then
        kind=pi32
    elif [ -e /etc/nv_tegra_release ] || [[ $model == *NVIDIA* ]]; then
        kind=jetson
    elif [[ $model == *"Raspberry Pi"* ]]; then
        kind=pi64
    else
        kind=debian
    fi
    say "machine: $kind${model:+ ($model)}"
}

# With system packages, the venv sees what apt installed: picamera2 cannot come from elsewhere, and 32-bit Arm has no
# wheels of numpy, SciPy and OpenCV on PyPI.
wants_system_packages() { [ "$kind" = pi64 ] || [ "$kind" = pi32 ]; }

system_packages() {
    case $kind in
        pi64) say python3-venv python3-picamera2 python3-lgpio ;;
        pi32)
            say python3-venv python3-numpy python3-scipy python3-opencv python3-pandas python3-matplotlib \
                python3-aiohttp python3-soundfile python3-picamera2 python3-lgpio
            ;;
        jetson | debian) say "${python##*/}-venv" ;;
    esac
}

install_system_packages() {
    if [ $apt = no ] || [ -n "$root" ]; then return; fi
    local package missing=()
    for package in $(system_packages); do
        dpkg-query --show --showformat '${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed && continue
        if apt-cache show "$package" > /dev/null 2>&1; then missing+=("$package"); else say "apt has no $package: left out"; fi
    done
    if [ ${#missing[@]} -gt 0 ]; then
        run env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
    fi
}

check_python() {
    command -v "$python" > /dev/null || die "$python is missing; apt-get install python3 python3-venv, or give --python"
    local version highest=14
    version=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")')
    if [ "$kind" = pi32 ]; then highest=11; fi # the last that tflite-runtime is built for
    if [ "${version%.*}" != 3 ] || [ "${version#*.}" -lt 11 ] || [ "${version#*.}" -gt $highest ]; then
        die "Python $version; ecgedge on $kind needs 3.11 to 3.$highest; install one beside it (apt-get install python3.11" \
            "python3.11-venv) and give --python python3.11"
    fi
}

# --- the program ----------------------------------------------------------------------------------------------------

make_wheel() {
    if [ -z "$from" ]; then from=$(dirname "$here"); fi
    if [ -d "$from" ]; then
        [ -e "$from/pyproject.toml" ] || die "--from $from: no checkout of ecgedge (no pyproject.toml); give one, or a wheel"
        if [ $dry = yes ]; then say "would run: pip wheel $from"; wheel=ecgedge.whl; return; fi
        "$python" -m venv "$work/build"
        "$work/build/bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$work/wheel" "$from"
        wheel=$(echo "$work"/wheel/ecgedge-*.whl)
    else
        if [ ! -r "$from" ] || [[ $from != *.whl ]]; then die "--from $from: no checkout and no readable wheel"; fi
        wheel=$(realpath "$from")
    fi
}

# A venv is known by what went into it, so that the same program is not installed twice.
fingerprint() {
    { "$python" -VV; echo "$kind"; unpacked_sums; } | sha256sum | cut -c 1-12
}

# Of the files, not of the wheel: a wheel that is built again has other times in it.
unpacked_sums() {
    "$python" - "$wheel" <<'END'
import hashlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in sorted(wheel.namelist()):
        print(hashlib.sha256(wheel.read(name)).hexdigest(), name)
END
}

install_program() {
    local home=$root$prefix name
    if [ $dry = yes ]; then
        say "would make: $home/venv, with $wheel and what it needs, and test every shipped model there"
        if [ "$kind" = pi32 ] && [ -r "$wheel" ]; then requirements "$python" | sed 's/^/would install: /'; fi
        return
    fi
    name=venv-$(fingerprint)
    if [ "$(readlink "$home/venv" || true)" = "$name" ] && [ -e "$home/$name/tested" ]; then
        say "program: $home/$name is as it was"
        return
    fi
    say "program: into $home/$name"
    unfinished=$home/$name
    remove "$unfinished"
    mkdir -p "$home"
    check_space "$home"
    fill_venv "$home/$name"
    try_models "$home/$name"
    touch "$home/$name/tested"
    unfinished=
    touch "$work/changed"
    ln -sfn "$name" "$home/venv.new"
    mv -T "$home/venv.new" "$home/venv" # in one step: there is always a program
    remove_other_venvs "$home" "$name"
}

check_space() {
    local free; free=$(df --output=avail --block-size=1M "$1" | tail -n 1)
    [ "$free" -ge $space_mb ] || die "$1: ${free// /} MB free; $space_mb MB are needed for a moment; make room"
}

fill_venv() {
    local venv=$1 flags=()
    if wants_system_packages; then flags=(--system-site-packages); fi
    "$python" -m venv "${flags[@]}" "$venv"
    limits "$venv" > "$work/limits.txt"
    if [ "$kind" = pi32 ]; then
        requirements "$venv/bin/python" > "$work/requirements.txt"
        "$venv/bin/python" -m pip install --quiet --constraint "$work/limits.txt" --requirement "$work/requirements.txt"
        "$venv/bin/python" -m pip install --quiet --no-deps "$wheel"
    else
        "$venv/bin/python" -m pip install --quiet --constraint "$work/limits.txt" "${wheel}[device]"
    fi
}

# What apt installed was built for apt's numpy. On a 64-bit Pi numpy may be newer, but of the same main version, or
# picamera2 breaks; on a 32-bit Pi nothing of apt's may be replaced, since there is nothing to replace it with.
limits() {
    wants_system_packages || return 0
    "$1/bin/python" - "$kind" <<'END'
import sys
from importlib.metadata import PackageNotFoundError, version
for name in ("numpy", "scipy", "pandas", "matplotlib", "aiohttp"):
    try:
        found = version(name)
    except PackageNotFoundError:
        continue
    if sys.argv[1] == "pi32":
        print(f"{name}=={found}")
    elif name == "numpy":
        print(f"numpy<{int(found.split('.')[0]) + 1}")
END
}

# What the wheel asks for on armv7l, less what apt brings. The markers are read here because pip reads the kernel's name,
# and most 32-bit systems on a Pi run under a 64-bit kernel.
requirements() {
    "$1" - "$wheel" <<'END'
import sys
from email import message_from_bytes
from zipfile import ZipFile
from pip._vendor.packaging.requirements import Requirement
from_apt = {"numpy", "scipy", "opencv-python-headless"}
with ZipFile(sys.argv[1]) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = message_from_bytes(wheel.read(name)).get_all("Requires-Dist", [])
for asked in map(Requirement, lines):
    marker, asked.marker = asked.marker, None
    here = [{"platform_machine": "armv7l", "extra": extra} for extra in ("", "device")]
    if asked.name not in from_apt and (marker is None or any(map(marker.evaluate, here))):
        print(asked)
END
}

try_models() {
    local bin=$1/bin bundle
    for bundle in $("$bin/python" -c 'from ecgedge.bundle import shipped_bundles; print(*shipped_bundles())'); do
        if ! "$bin/ecgedge-agent" selftest "$bundle" > "$work/selftest.txt" 2>&1; then
            cat "$work/selftest.txt" >&2
            die "model $bundle does not answer on this machine as it must; nothing was replaced"
        fi
        say "self-test of $bundle: passed"
    done
}

remove_other_venvs() {
    local venv
    for venv in "$1"/venv-*; do
        if [ "$venv" != "$1/$2" ]; then remove "$venv"; fi
    done
}

# --- settings and service -------------------------------------------------------------------------------------------

# Results go where the service may write.
write_settings() {
    local example; example=$(sed 's#^\(store\|path\) = "\(state/\)\?\([a-z]*\.\(sqlite\|jsonl\)\)"#\1 = "/var/lib/ecgedge/\3"#' "$here/agent.toml")
    put "$root$settings/agent.toml.example" 644 <<< "$example"
    [ -e "$root$settings/agent.toml" ] || put "$root$settings/agent.toml" 644 <<< "$example"
    [ -e "$root$settings/secrets.env" ] || put "$root$settings/secrets.env" 600 <<END
# Passwords and tokens of ecgedge-agent, one NAME=value per line. Owner root, mode 0600.
END
}

# Groups of devices that not every system has, and what Jetson's cameras need.
drop_in() {
    local group groups=()
    for group in gpio render i2c spi; do
        if getent group $group > /dev/null; then groups+=("$group"); fi
    done
    say "# Written by install.sh for this machine ($kind)."
    say "[Service]"
    if [ ${#groups[@]} -gt 0 ]; then say "SupplementaryGroups=${groups[*]}"; fi
    if [ "$kind" = jetson ]; then
        say "DeviceAllow=char-nv* rw"
        say "BindPaths=-/tmp/argus_socket"
    fi
}

write_service() {
    sed "s#/opt/ecgedge/#$prefix/#" "$here/$service" | put "$root$units/$service" 644
    drop_in | put "$root$units/$service.d/machine.conf" 644
    if [ $dry = yes ] || [ -e "$work/changed" ]; then
        manage daemon-reload
        manage try-restart "$service" || say "the service does not start; see: journalctl -u $service"
    fi
}

finish() {
    if [ $dry = yes ]; then return; fi
    say
    say "installed: $root$prefix/venv/bin/ecgedge-agent"
    say "next: edit $root$settings/agent.toml, then"
    say "  sudo $root$prefix/venv/bin/ecgedge-agent check --config $root$settings/agent.toml"
    say "  sudo systemctl enable --now ecgedge-agent && systemctl status ecgedge-agent"
}

uninstall() {
    local folder
    if [ -e "$root$units/$service" ]; then
        manage disable --now --quiet "$service"
        remove "$root$units/$service"
    fi
    remove "$root$units/$service.d/machine.conf" "$root$prefix/venv" "$root$prefix"/venv-*
    for folder in "$root$units/$service.d" "$root$prefix"; do
        if [ -d "$folder" ]; then run rmdir --ignore-fail-on-non-empty "$folder"; fi
    done
    manage daemon-reload
    # A dynamic user's folders lie in private/ and are linked to.
    local kept=("$root$settings" "$root/var"/{lib,cache,log}/{ecgedge,private/ecgedge})
    if [ $purge = yes ]; then
        remove "${kept[@]}"
        return
    fi
    for folder in "${kept[@]}"; do
        if [ -d "$folder" ] && [ ! -L "$folder" ]; then say "kept: $folder (--purge removes it)"; fi
    done
}

install() {
    find_kind
    install_system_packages
    check_python
    make_wheel
    install_program
    write_settings
    write_service
    finish
}

tidy() { rm -rf --one-file-system -- "$work" ${unfinished:+"$unfinished"}; }

umask 022 # the service's user must be able to read what root installs
parse "$@"
work=$(mktemp -d)
trap tidy EXIT
$action
