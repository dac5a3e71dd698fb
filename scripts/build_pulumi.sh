#!/usr/bin/env bash
# Builds the `pulumi` command from its published Go modules, for machines that have Go and the module proxy, and prints where it is.
# Its go.mod carries `replace` lines, so `go install path@version` refuses it: a throwaway module repeats those that name
# other modules. Kept outside the checkout, by version; a second call prints and does nothing.
set -euo pipefail

VERSION="${PULUMI_VERSION:-v3.259.0}"  # the newest whose module github.com/pulumi/pulumi/pkg/v3 the proxy serves whole
MODULE=github.com/pulumi/pulumi/pkg/v3
FOLDER="${PILOTLIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pilotlight}/pulumi-$VERSION"

command -v go >/dev/null || PATH="$PATH:/usr/local/go/bin"
command -v go >/dev/null || { echo "There is no Go on this machine: install Go 1.25 or newer, or pulumi itself." >&2; exit 3; }

if [ ! -x "$FOLDER/pulumi" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    go mod init throwaway >/dev/null 2>&1
    source=$(go mod download -json "$MODULE@$VERSION" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    go mod edit -require="$MODULE@$VERSION" -require="github.com/pulumi/pulumi/sdk/v3@$VERSION"
    awk '/^replace \(/ {inside = 1; next} inside && /^\)/ {inside = 0}
         (inside || /^replace /) && /=>/ && $0 !~ /=> *\./ {sub(/^replace /, ""); sub(/^[ \t]+/, ""); print}' "$source" |
        sed -E 's/ +=> +/=/; s/^([^= ]+) ([^=]+)=/\1@\2=/; s/=([^ ]+) +(.+)$/=\1@\2/' |
        while read -r line; do go mod edit -replace="$line"; done
    mkdir -p "$FOLDER"
    GOFLAGS=-mod=mod go build -ldflags "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$VERSION -s -w" \
        -o "$FOLDER/pulumi.new" "$MODULE/cmd/pulumi" >&2
    mv "$FOLDER/pulumi.new" "$FOLDER/pulumi"
fi
"$FOLDER/pulumi" version >&2
echo "$FOLDER/pulumi"
