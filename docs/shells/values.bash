# The bundles of this person and machine whose name begins with $1, and folders.
_digitd_own_bundles() {
  local manifest
  for manifest in "${XDG_DATA_HOME:-$HOME/.local/share}"/digitd/models/*/manifest.toml /var/lib/digitd/models/*/manifest.toml; do
    [[ -e $manifest ]] && manifest=${manifest%/*} && compgen -W "${manifest##*/}" -- "$1"
  done
  compgen -d -- "$1"
}
