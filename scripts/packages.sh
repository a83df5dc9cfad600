# Sourced by the other scripts: installs what is missing, or says what to install.

# ensure_packages NAME...: Debian packages. As root it installs them, else by sudo; without both it stops.
ensure_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "Not a Debian system: taking the dependencies as installed (CMake names what is missing)." >&2
    return 0
  fi
  local name missing=() prefix=()
  for name in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $(id -u) != 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "Missing packages; install them as root and run this again:" >&2
      echo "  apt-get install ${missing[*]}" >&2
      return 1
    fi
    prefix=(sudo)
  fi
  echo "Installing: ${missing[*]}"
  "${prefix[@]}" apt-get update -qq
  "${prefix[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    </dev/null >/dev/null
}

# What building and testing the library and its commands takes.
build_packages=(g++ cmake ninja-build zlib1g-dev libstb-dev libjpeg62-turbo-dev libwebp-dev
  nlohmann-json3-dev libcli11-dev doctest-dev libonnx-dev libprotobuf-dev)
