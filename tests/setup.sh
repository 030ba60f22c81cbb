#!/bin/sh
# Installs what the tests need besides Node and npm, through apt: compilers, emulator, broker, browser, data set.
# Looks first, and asks apt only for what is missing. `sh tests/setup.sh --list` only says what is missing.
# Exit status: 0 everything is there, 1 something is missing and could not be installed.
set -eu

# One line per need: how to tell that it is there (a program, or a path after "/"), then the Debian packages.
# tests/support/requirements.ts asks for the same things by the same names.
NEEDS='
gcc gcc libc6-dev
clang clang libclang-rt-dev
arm-none-eabi-gcc gcc-arm-none-eabi libnewlib-arm-none-eabi
qemu-system-arm qemu-system-arm
mosquitto mosquitto
socat socat
openssl openssl
ffmpeg ffmpeg
chromium chromium
clang-format clang-format
pkg-config pkg-config
/usr/include/glib-2.0/glib.h libglib2.0-dev
/usr/share/datasets/fashion-mnist dataset-fashion-mnist
'

# Debian keeps some programs where a user's PATH does not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# there NEED: is this program, or this path, on the machine?
there() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

# Two packages have nothing on PATH: a compiler without its C library is of no use.
headers_there() {
  case $1 in
    gcc) [ -e /usr/include/stdio.h ] ;;
    arm-none-eabi-gcc)
      printf '#include <string.h>\n' | arm-none-eabi-gcc -E -x c - >/dev/null 2>&1
      ;;
    *) true ;;
  esac
}

# Sets `missing` (needs) and `packages` (what apt would install for them).
look() {
  missing=
  packages=
  while read -r need wanted; do
    [ -n "$need" ] || continue
    if there "$need" && headers_there "$need"; then continue; fi
    missing="$missing $need"
    packages="$packages $wanted"
  done <<EOF
$NEEDS
EOF
  missing=${missing# }
  packages=${packages# }
}

look
if [ -z "$missing" ]; then
  say "setup: everything that the tests need is there"
  exit 0
fi
say "setup: missing: $missing"
if [ "${1-}" = --list ]; then
  say "setup: apt-get install $packages"
  exit 1
fi

command -v apt-get >/dev/null 2>&1 ||
  fail "this is not Debian or a relative of it (no apt-get). Install by your system's own means: $missing"

if [ "$(id -u)" = 0 ]; then
  as_root() { "$@"; }
elif command -v sudo >/dev/null 2>&1; then
  # Without a terminal nobody can type a password: then sudo may not ask.
  if [ -t 0 ]; then
    as_root() { sudo "$@"; }
  else
    as_root() { sudo -n "$@"; }
  fi
else
  fail "needs root (there is no sudo). As root: apt-get install $packages"
fi

had_mosquitto=no
if there mosquitto; then had_mosquitto=yes; fi

by_hand="Run by hand: apt-get update && apt-get install $packages"
as_root apt-get update || fail "apt-get update failed (no network?). $by_hand"
# shellcheck disable=SC2086 # a list of package names
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages ||
  fail "apt-get install failed. $by_hand"

# Debian starts a broker at installation. The tests start their own; a machine that had none gets none.
if [ "$had_mosquitto" = no ] && there mosquitto; then
  if [ -d /run/systemd/system ]; then
    as_root systemctl disable --now mosquitto.service >/dev/null 2>&1 || true
  elif [ -x /etc/init.d/mosquitto ]; then
    as_root /etc/init.d/mosquitto stop >/dev/null 2>&1 || true
    as_root update-rc.d mosquitto disable >/dev/null 2>&1 || true
  fi
fi

look
[ -z "$missing" ] || fail "installed, but still missing: $missing"
say "setup: done"
