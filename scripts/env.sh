# Sourced by the other scripts: makes the virtual environments from the hashed locks in requirements/, once and again
# only when a lock changes. Needs python3 (3.11 to 3.13) and a package registry.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  echo "$1" >&2
  exit 1
}

# The first Python that we support; PYTHON overrides the search.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "No Python 3.11, 3.12 or 3.13 found: install one, or name it with PYTHON=/path/to/python3."
}

# ensure_env FOLDER LOCK: a virtual environment with what LOCK pins, and triscribe itself.
ensure_env() {
  local folder=$root/$1 lock=$root/requirements/$2.txt stamp python
  stamp=$(cat "$lock" "$root/pyproject.toml" | sha256sum | cut -d' ' -f1)
  [ "$(cat "$folder/.stamp-$2" 2>/dev/null)" = "$stamp" ] && return
  python=$(find_python) || exit 1
  echo "Setting up $1 from requirements/$2.txt (once) ..." >&2
  if [ ! -x "$folder/bin/python" ]; then
    "$python" -m venv "$folder" >&2 ||
      fail "Python cannot make virtual environments: on Debian and Ubuntu, apt-get install python3-venv."
  fi
  {
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$lock" &&
      "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable "$root"
  } >&2 || fail "Installing requirements/$2.txt failed: is a package registry reachable?"
  echo "$stamp" >"$folder/.stamp-$2"
}
