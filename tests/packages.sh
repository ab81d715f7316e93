# Sourced by run.sh and examples/quickstart.sh: installs Debian packages that are missing.
#   need_packages PACKAGE...
#   has_package PACKAGE

has_package() {
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

need_packages() {
  local missing=()
  if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian, so nothing is installed. Needed are, by their names there: $*"
    return 0
  fi
  for package in "$@"; do
    has_package "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  if ! command -v apt-get >/dev/null || ! command -v "${as_root[@]:-true}" >/dev/null; then
    echo "These packages are missing, and apt-get as root (or sudo) is not here to install them: ${missing[*]}" >&2
    return 1
  fi
  echo "Installing from Debian: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The LLVM that is installed, else the oldest that will do and is to be had.
llvm_package() {
  local version
  for version in 19 20 21 22; do
    has_package "llvm-$version-dev" && break
  done || for version in 19 20 21 22; do
    [ -n "$(apt-cache madison "llvm-$version-dev" 2>/dev/null)" ] && break
  done || version=19
  echo "llvm-$version-dev"
}

# What nnc is built from.
build_packages=(gcc libc6-dev cmake ninja-build flex bison "$(llvm_package)" libjansson-dev zlib1g-dev
  libpng-dev libjpeg-dev libhdf5-dev)
