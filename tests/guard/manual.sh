#!/bin/sh
# The manual pages are clean mdoc.
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
: "${MANDOC:=mandoc}"
if ! command -v "$MANDOC" >/dev/null; then
    echo "manual: skipped, no mandoc here (Debian: mandoc)"
    exit 77
fi
failed=0
for page in cgi/lazyscgi.1 core/lazyscgi-app.5 mod_lazyscgi/mod_lazyscgi.8; do
    if "$MANDOC" -Tlint -W warning "$root/$page"; then
        echo "ok - $page is clean"
    else
        echo "FAILED - $page"
        failed=1
    fi
done
exit $failed
