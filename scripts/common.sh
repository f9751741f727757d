# What scripts/check and scripts/demo share; sourced by both (bash).

say() {
    printf '%s\n' "$*"
}

# install_missing PACKAGE...: the Debian packages that aren't there yet are installed with apt-get.
install_missing() {
    local package missing=() as_root=()
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "This isn't Debian; what these packages hold is needed here: $*"
        return 0
    fi
    for package; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :) in
        installed) ;;
        *) missing+=("$package") ;;
        esac
    done
    ((${#missing[@]})) || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "Missing, and neither root nor sudo to install them: ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    say "Installing with apt-get: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# copy_tree FROM TO: the files of the source tree, as they are now, without anything built.
copy_tree() {
    local file
    mkdir -p "$2"
    if git -C "$1" ls-files >/dev/null 2>&1 && [ -e "$1/.git" ]; then
        git -C "$1" ls-files -z --cached --others --exclude-standard |
            while IFS= read -r -d '' file; do
                if [ -e "$1/$file" ] || [ -L "$1/$file" ]; then
                    printf '%s\0' "$file"
                fi
            done | tar -C "$1" --null -T - -cf - | tar -C "$2" -xf -
    else
        tar -C "$1" --exclude ./.git --exclude '*.o' --exclude '*.a' -cf - . | tar -C "$2" -xf -
    fi
}
