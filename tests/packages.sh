# Sourced by run.sh and examples/quickstart.sh: installs Debian packages that are missing.
#   need_packages PACKAGE...

need_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if ! command -v apt-get >/dev/null; then
    echo "These packages (by their names in Debian) are missing: ${missing[*]}" >&2
    return 1
  fi
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  echo "Installing from Debian: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# What nnc is built from.
build_packages=(gcc libc6-dev cmake ninja-build flex bison llvm-19-dev libjansson-dev zlib1g-dev libpng-dev libjpeg-dev
  libhdf5-dev)
