# Commits the work tree at $SANDBOX_WORK (read-only for us, written by the agent) and prints one stream:
#   "sandbox-harvest-1 <length, 10 digits>\n", the manifest (NUL-ended key=value records), the pack of what the base lacks.
#
# The git directory, index and configuration are made here; no `.git` of the work tree is ever read. git itself opens files
# named .git*, and a FIFO under such a name would hang it: a tree with FIFOs or nested repositories is first copied without.
set -eu
umask 077
for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1 GIT_NO_LAZY_FETCH=1 GIT_NO_REPLACE_OBJECTS=1 \
  GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=none
export GIT_AUTHOR_NAME=sandbox GIT_COMMITTER_NAME=sandbox
export GIT_AUTHOR_EMAIL="$SANDBOX_RUN@sandbox.invalid" GIT_COMMITTER_EMAIL="$SANDBOX_RUN@sandbox.invalid"
# The largest single file we write, in 512-byte blocks: 2 GiB. A lower hard limit stays.
ulimit -f 4194304 2>/dev/null || :

out=$SANDBOX_HARVEST/out work=$SANDBOX_WORK base=$SANDBOX_BASE trusted=$SANDBOX_HARVEST/base/.git
# Files over 100 MiB, in 512-byte blocks.
large=204800
rm -rf "$out"
mkdir "$out"
cd "$work"

# Every special file, nested repository and large file, the top .git apart.
list() { find . -path ./.git -prune -o "$@"; }
say='for p do printf "omit=%s: %s\0" "$0" "${p#./}"; done'
list \( -type p -o -type s -o -type b -o -type c \) -exec sh -c "$say" 'special file' {} + >"$out/special" 2>"$out/find.err" || :
list -name .git -prune -exec sh -c "$say" 'nested repository, taken as plain files' {} + >"$out/nested" 2>/dev/null || :
list -name .git -prune -o -type f -size "+$large" -exec sh -c 'for p do printf "%s\0" "${p#./}"; done' sh {} + >"$out/large" 2>/dev/null || :

if [ -s "$out/nested" ] || [ -n "$(list -type p -print 2>/dev/null | head -n 1)" ]; then
  mkdir "$out/tree"
  # A file, because find takes braces inside an argument for its own.
  cat >"$out/copy.sh" <<'END'
to=$1 large=$2
shift 2
for dir do
  mkdir -p "$to/$dir"
  find "$dir" -mindepth 1 -maxdepth 1 ! -name .git \( -type l -o -type f ! -size "+$large" \) \
    -exec sh -c 'to=$1; shift; exec cp -P -- "$@" "$to"' sh "$to/$dir" {} +
done
: >"$to.copied"
END
  list -name .git -prune -o -type d -exec sh "$out/copy.sh" "$out/tree" "$large" {} + 2>>"$out/find.err" || :
  # An empty copy would look like a deletion of everything.
  [ -f "$out/tree.copied" ] || { cat "$out/find.err" >&2; exit 70; }
  work=$out/tree
  cd "$work"
fi

git=$out/git
mkdir -p "$git/objects/info" "$git/objects/pack" "$git/refs/heads" "$git/info"
echo 'ref: refs/heads/none' >"$git/HEAD"
case ${#base} in
  64) printf '[core]\n\trepositoryformatversion = 1\n\tbare = false\n[extensions]\n\tobjectformat = sha256\n' >"$git/config" ;;
  *) printf '[core]\n\trepositoryformatversion = 0\n\tbare = false\n' >"$git/config" ;;
esac
echo "$trusted/objects" >"$git/objects/info/alternates"
if [ -f "$trusted/shallow" ]; then cp "$trusted/shallow" "$git/shallow"; fi
export GIT_DIR="$git" GIT_WORK_TREE="$work"
g() {
  git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.safecrlf=false -c core.looseCompression=1 -c gc.auto=0 \
    -c core.attributesFile=/dev/null -c core.excludesFile=/dev/null -c core.filemode=true -c core.symlinks=true \
    -c core.protectNTFS=true -c core.protectHFS=true -c advice.addEmbeddedRepo=false -c maintenance.auto=false "$@"
}

g read-tree "$base"
{
  printf '.\0'
  if [ -s "$out/large" ]; then xargs -0 sh -c 'for p do printf ":(exclude,literal)%s\0" "$p"; done' sh <"$out/large"; fi
} >"$out/paths"
collect() { g add -A --ignore-errors --pathspec-from-file="$out/paths" --pathspec-file-nul >/dev/null 2>"$out/add.err"; }
# 0: all taken; 1: some files could not be, they are listed below; more: git gave up, on an encoding that an attribute asks
# for. Then the attributes that can do so are put out of force.
code=0
collect || code=$?
if [ "$code" -gt 1 ]; then
  rm -f "$git/index.lock"
  echo '* -working-tree-encoding -filter -ident' >"$git/info/attributes"
  code=0
  g read-tree "$base"
  collect || code=$?
  printf 'omit=attributes: working-tree-encoding and ident were not applied\0' >"$out/attributes"
  [ "$code" -le 1 ] || { cat "$out/add.err" >&2; exit 70; }
fi

# What is still not in the index was left out, whatever the reason; large files are listed for themselves, unless ignored.
: >"$out/left"
g ls-files -o --exclude-standard -z >"$out/others" 2>/dev/null
if [ -s "$out/others" ]; then
  xargs -0 sh -c 'for p do [ -n "$(find "./$p" -prune -size "+$0")" ] || printf "omit=not collected: %s\0" "$p"; done' \
    "$large" <"$out/others" >>"$out/left"
fi
if [ -s "$out/large" ]; then
  xargs -0 sh -c 'for p do git check-ignore -q -- "./$p" || printf "omit=over 100 MiB, left as it was: %s\0" "$p"; done' sh \
    <"$out/large" >>"$out/left"
fi
# Files below a submodule of the base belong to another repository.
g ls-tree -r -z "$base" | tr '\n\0' '\001\n' | sed -n 's/^160000 [^	]*	//p' | while IFS= read -r path; do
  path=$(printf '%s' "$path" | tr '\001' '\n')
  if [ -d "$path" ] && [ -n "$(find "$path" -mindepth 1 ! -type d -print 2>/dev/null | head -n 1)" ]; then
    printf 'omit=files in submodule: %s\0' "$path" >>"$out/left"
  fi
done
head -n 20 "$out/find.err" "$out/add.err" 2>/dev/null | sed -n '/^==>/d;/./p' | head -c 8192 | while IFS= read -r line; do
  printf 'omit=%s\0' "$line" >>"$out/left"
done

tree=$(g write-tree)
commit=$base
if [ "$tree" != "$(g rev-parse "$base^{tree}")" ]; then
  commit=$(printf 'sandbox: work of run %s\n' "$SANDBOX_RUN" | g commit-tree "$tree" -p "$base")
fi
{
  printf 'base=%s\0commit=%s\0tree=%s\0' "$base" "$commit" "$tree"
  touch "$out/attributes"
  cat "$out/attributes" "$out/special" "$out/nested" "$out/left" >"$out/omitted"
  head -c 900000 "$out/omitted"
  if [ "$(wc -c <"$out/omitted")" -gt 900000 ]; then printf '\0omit=and more, the list was cut\0'; fi
} >"$out/manifest"
printf 'sandbox-harvest-1 %010d\n' "$(wc -c <"$out/manifest")"
cat "$out/manifest"
if [ "$commit" != "$base" ]; then
  printf '%s\n^%s\n' "$commit" "$base" | g pack-objects -q --revs --stdout --delta-base-offset
fi
