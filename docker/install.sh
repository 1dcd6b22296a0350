#!/bin/sh
# Installs the checkout that this file lies in, in the tested versions, into the first python3 on the
# path; with an extra if one is named: sh docker/install.sh train
set -eu
cd "$(dirname "$0")/.."
python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
  --constraint constraints.txt ".${1:+[$1]}"
