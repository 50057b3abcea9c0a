//! Programs that neither read the content of files nor change anything: they tell about the machine, or keep the shell going.

#[rustfmt::skip]
const INERT: &[&str] = &[
    // The shell's own.
    "echo", "printf", "true", "false", ":", "test", "[", "exit", "return", "break", "continue", "shift", "wait",
    "jobs", "cd", "pushd", "popd", "dirs", "let", "read", "local", "unset", "shopt", "set", "times", "ulimit",
    "umask", "fg", "bg", "disown", "unalias", "help", "mapfile", "readarray", "getopts", "type", "hash", "deactivate",
    "caller", "command", "builtin", "suspend", "logout", "setopt", "unsetopt", 
    "compinit", "rehash", "zstyle", 
    // Names, numbers, time.
    "pwd", "basename", "dirname", "realpath", "readlink", "seq", "sleep", "usleep", "date", "cal", "ncal", "expr",
    "bc", "factor", "units", "yes", "uuidgen", "mcookie", "pwgen", "pathchk", "cowsay", "figlet", "fortune", "lolcat",
    "sync",
    // Lists of files.
    "ls", "ll", "la", "stat", "du", "df", "tree", "exa", "eza", "lsd", "dust", "duf", "ncdu", "which",
    "whereis", "namei", "lsattr", "getfacl", "getfattr", "samefile", "symlinks", "vdir", "dir", "findmnt",
    "lslocks",
    // The machine and who is on it.
    "whoami", "id", "groups", "users", "logname", "uname", "arch", "nproc", "hostid", "uptime", "free", "getconf",
    "locale", "tty", "ps", "pgrep", "pidof", "pstree", "lsof", "top", "htop", "btop", "atop", "glances", "vmstat",
    "iostat", "mpstat", "pidstat", "sar", "iotop", "procs", "lscpu", "lsmem", "lsblk", "blkid", "lsmod", "modinfo",
    "lspci", "lsusb", "lshw", "lsns", "ipcs", "inxi", "dmidecode", "hwinfo", "sensors", "acpi", "nvidia-smi",
    "rocm-smi", "neofetch", "fastfetch", "screenfetch", "who", "w", "last", "lastlog", "getent",
    "lsb_release", "runlevel", "xdpyinfo", "glxinfo", "vulkaninfo", "uuname", "sw_vers", "system_profiler", "jps",
    "jstat", "vm_stat",
    // The terminal and the manual.
    "tput", "clear", "reset", "stty", "man", "tldr", "info", "whatis", "apropos", "cheat", "printenv", "dircolors",
    "infocmp", "toe", "resize", "tabs", "pkg-config", "pkgconf", "dpkg-architecture", "llvm-config", "python-config",
    "python3-config", "pg_config", "mysql_config", "curl-config", "xml2-config", "sdl2-config", "ncursesw6-config",
    "icu-config", "pg_isready",
];

/// True for a program that does nothing worth a decision, whatever its arguments.
pub(super) fn is_inert(name: &str) -> bool {
    INERT.contains(&name)
}
