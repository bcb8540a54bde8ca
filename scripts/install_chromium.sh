#!/bin/sh
# Sees to it that the browser tests find a Chromium: Debian's package, where there is none yet.
# Where it cannot be installed the tests are skipped, and say so.
set -u
for name in chromium chromium-browser; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "installing Debian's chromium for the browser tests"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends chromium >/dev/null && exit 0
fi
echo "no chromium here, and it cannot be installed: browser tests will be skipped" \
     "(as root: apt-get install chromium)" >&2
