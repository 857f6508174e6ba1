#!/usr/bin/env bash
# Checks systemd/: that systemd understands each unit, that no service is more exposed than it has to be, and that the
# users and folders come out with the permissions that the units count on. Needs no running systemd. What the
# machine lacks (Debian: the package systemd) is skipped, and said so.
set -euo pipefail
cd "$(dirname "$0")/../systemd"

# The most exposure that `systemd-analyze security` may find, in tenths, 0 to 100. What is left of it is what the
# services are for: the server talks to a network.
server_exposure=10
import_exposure=2

work=$(mktemp -d "${TMPDIR:-/tmp}/modferry-systemd.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "check-systemd.sh: $*" >&2; failed=1; }

if command -v systemd-analyze >/dev/null; then
    # The programs are not installed here; everything else about the units is as it will be.
    for unit in *.service *.path *.timer; do
        sed 's#/usr/bin/modferry-[a-z]*#/bin/true#' "$unit" >"$work/$unit"
    done
    said=$(cd "$work" && systemd-analyze verify --man=no ./modferry-* 2>&1) || fail "systemd-analyze verify failed"
    if grep modferry <<<"$said"; then fail "systemd-analyze verify has something to say"; fi
    security() {
        systemd-analyze security --offline=yes --no-pager --threshold="$2" "$work/$1" >"$work/security" 2>&1 ||
            { grep -v '✓' "$work/security" || true; fail "$1 is more exposed than $2 tenths"; }
        sed -n 's/^→ //p' "$work/security"
    }
    security modferry-server.service "$server_exposure"
    security modferry-import.service "$import_exposure"
    echo "units: verified"
else
    echo "units: not checked, there is no systemd-analyze here"
fi

if [ "$(id -u)" -eq 0 ] && command -v systemd-sysusers >/dev/null && command -v systemd-tmpfiles >/dev/null; then
    root=$work/root
    mkdir -p "$root/etc" "$root/var/lib" "$root/var/spool"
    systemd-sysusers --root="$root" "$PWD/sysusers.conf" 2>/dev/null || fail "systemd-sysusers failed"
    systemd-tmpfiles --root="$root" --create "$PWD/tmpfiles.conf" || fail "systemd-tmpfiles failed"
    [ -d "$root/var/lib/modferry/trust" ] || fail "the importer could make trust/ itself"
    # Twice: a folder that is there already must be accepted.
    mkdir -p "$root/var/lib/modferry/trust/bundle"
    systemd-tmpfiles --root="$root" --create "$PWD/tmpfiles.conf" || fail "systemd-tmpfiles failed the second time"
    id_of() { awk -F: -v name="$2" '$1 == name { print $3 }' "$root/etc/$1"; }
    importer=$(id_of passwd modferry) group=$(id_of group modferry) server=$(id_of passwd modferry-server)
    grep -q "^modferry:.*modferry-server" "$root/etc/group" || fail "the server is not in the store's group"
    expect() { # what, expected
        local found
        found=$(stat -c '%a %u %g' "$root$1") || found=absent
        [ "$found" = "$2" ] || fail "$1 is $found, not $2"
    }
    expect /var/lib/modferry "2750 $importer $group"
    grep -qx 'listen: \["0.0.0.0:8080"\]' "$root/etc/modferry/server.yaml" || fail "/etc/modferry/server.yaml is not as it should be"
    expect /var/lib/modferry/trust "2755 0 $group"
    for folder in "" /incoming /done /refused; do expect "/var/spool/modferry$folder" "750 $importer $group"; done
    if command -v setpriv >/dev/null; then
        chmod 755 "$work" "$root" "$root/var" "$root/var/lib" "$root/var/spool"
        as() { local user=$1; shift; setpriv --reuid="$user" --regid="$group" --clear-groups -- "$@"; }
        as "$importer" touch "$root/var/lib/modferry/lock" || fail "the importer cannot write the store"
        as "$server" ls "$root/var/lib/modferry" >/dev/null || fail "the server cannot read the store"
        ! as "$server" touch "$root/var/lib/modferry/x" 2>/dev/null || fail "the server can write the store"
        ! as "$importer" touch "$root/var/lib/modferry/trust/bundle/x" 2>/dev/null || fail "the importer can change whom to trust"
    fi
    echo "users and folders: checked"
else
    echo "users and folders: not checked, that needs root and systemd's programs"
fi
exit "$failed"
