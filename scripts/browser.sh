# Sourced by the scripts that open the HTML page: Chromium and its driver, from Debian's packages where they are missing.

find_command() {
  local name
  for name in "$@"; do
    command -v "$name" && return
  done
  return 1
}

# ensure_browser [PACKAGE...]: at once when both are there; else installs them and PACKAGE as root, or says what to
# install and returns 1.
ensure_browser() {
  find_command chromium chromium-browser google-chrome >/dev/null && find_command chromedriver >/dev/null &&
    [ $# -eq 0 -o "$(dpkg-query -W -f '.' "$@" 2>/dev/null | wc -c)" -eq $# ] && return
  local packages="chromium chromium-driver${*:+ $*}"
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The HTML page needs a browser that is not here: on Debian, as root, apt-get install $packages." >&2
    return 1
  fi
  echo "Installing $packages (once) ..." >&2
  {
    apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 $packages
  } >&2 || {
    echo "Installing $packages failed: is a Debian mirror reachable?" >&2
    return 1
  }
}
