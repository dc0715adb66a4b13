#!/usr/bin/env bash
# The signatures of a log's latest checkpoint and of the certificate of its key, checked by openssl. From docs/log.md.
#   signature.sh LOG ROOT    LOG: directory of the log; ROOT: file with the root key's public half
# Whether that key may sign that size, and the tree, are check.go's to say. Exit: 0 both good, 1 not.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
refuse() { echo "REFUSED: $*" >&2; exit 1; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

# verify NOTE KEY: a C2SP signed note by a verifier key `name+hash+base64(01 ‖ public key)`.
verify() {
  local note=$1 name=${2%%+*} rest=${2#*+}
  local hash=${rest%%+*} key line
  printf %s "${rest#*+}" | base64 -d >"$tmp/key"
  [ "$(head -c 1 "$tmp/key" | hex)" = 01 ] && [ "$(wc -c <"$tmp/key")" = 33 ] || refuse "$name: not an Ed25519 key"
  [ "$({ printf '%s\n' "$name"; cat "$tmp/key"; } | openssl dgst -sha256 -binary | head -c 4 | hex)" = "$hash" ] ||
    refuse "$name: its hash is not $hash"
  # Ed25519 as SubjectPublicKeyInfo (RFC 8410): twelve fixed bytes, then the key.
  { printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; tail -c 32 "$tmp/key"; } >"$tmp/key.der"
  # Signed is all before the blank line, with its newline; behind it `— name base64(hash ‖ signature)`.
  sed '/^$/,$d' "$note" >"$tmp/text"
  line=$(sed '1,/^$/d' "$note" | grep -F -- "— $name ") || refuse "$note: no signature by $name"
  printf %s "${line##* }" | base64 -d >"$tmp/signature"
  [ "$(head -c 4 "$tmp/signature" | hex)" = "$hash" ] || refuse "$note: signed by another key of the name $name"
  tail -c +5 "$tmp/signature" >"$tmp/raw"
  openssl pkeyutl -verify -rawin -pubin -inkey "$tmp/key.der" -keyform DER -in "$tmp/text" -sigfile "$tmp/raw" >/dev/null ||
    refuse "$note: bad signature of $name"
}

newest=$(ls "$1/certificates" | sort -n | tail -1)
verify "$1/certificates/$newest" "$(head -1 "$2")"
verify "$1/checkpoint" "$(sed -n 's/^key //p' "$1/certificates/$newest")"
echo "accepted: checkpoint of $(sed -n 2p "$1/checkpoint") entries, by the key of epoch $((10#$newest)), by the root key"
