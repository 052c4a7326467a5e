#!/bin/sh
# A screen on a Unix socket, and MetaTrader on it, whose installer is fetched at the first start.
set -eu
umask 077

: "${SETUP_URL:=https://download.mql5.com/cdn/web/metaquotes.software.corp/mt5/mt5setup.exe}"
screen=/screen/vnc.sock
size=1600x900

# Print the program of the terminal; a broker's installer names its folder after the broker.
terminal() {
    find "$WINEPREFIX/drive_c" -maxdepth 3 \( -iname terminal64.exe -o -iname terminal.exe \) \
        2>/dev/null | head -n 1
}

# Run a program on the screen until it, and all that it has started, has ended.
show() {
    wine explorer "/desktop=terminal,$size" "$@" &
    wait $! || true
    wineserver -w &
    wait $!
}

# a shell hears of a signal only while it waits for what runs behind it
trap 'trap - TERM INT; wineserver -k || true; kill 0' TERM INT

# no port: whoever sees the screen can trade, and a password of VNC has eight characters
rm -f "$screen"
mkdir -p /tmp/.X11-unix
Xvnc :1 -geometry "$size" -depth 24 -rfbport -1 -rfbunixpath "$screen" -rfbunixmode 0600 \
    -SecurityTypes None -nolisten tcp -nolisten local &
DISPLAY=:1
export DISPLAY
until [ -S "$screen" ] && [ -S /tmp/.X11-unix/X1 ]; do sleep 0.1; done

if [ -z "$(terminal)" ]; then
    curl --fail --silent --show-error --location --output "$HOME/setup.exe" "$SETUP_URL"
    show "$HOME/setup.exe"
    rm "$HOME/setup.exe"
fi
if [ -z "$(terminal)" ]; then
    echo "no terminal was installed; start again, and finish its installer on the screen" >&2
    exit 1
fi
show "$(terminal)"
