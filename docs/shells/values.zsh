# word|file|bundle_dir WORD...: the words; beside them files, or bundles of this person and machine and folders.
_digitd_values() {
  local kind=$1 found=1
  shift
  if [[ $kind == bundle_dir ]]; then
    set -- "$@" ${XDG_DATA_HOME:-$HOME/.local/share}/digitd/models/*/manifest.toml(N:h:t) /var/lib/digitd/models/*/manifest.toml(N:h:t)
  fi
  compadd -S '' -- ${(M)@:#*:} && found=0
  compadd -- ${@:#*:} && found=0
  case $kind in
    file) _files && found=0 ;;
    bundle_dir) _files -/ && found=0 ;;
  esac
  return found
}
