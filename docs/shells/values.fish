# word|file|bundle_dir WORD...: the words; beside them files, or bundles of this person and machine and folders.
function _digitd_values
    printf '%s\n' $argv[2..-1]
    switch $argv[1]
        case file
            __fish_complete_path (commandline -ct)
        case bundle_dir
            set -l data $XDG_DATA_HOME ~/.local/share
            for manifest in $data[1]/digitd/models/*/manifest.toml /var/lib/digitd/models/*/manifest.toml
                basename (dirname $manifest)
            end
            __fish_complete_directories (commandline -ct)
    end
end
