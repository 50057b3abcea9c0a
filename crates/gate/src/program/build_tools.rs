//! Tools that build, test, check, format or serve the project with what is installed, and do no more than its files say.

use crate::{
    destination::{Destination, Direction},
    effect::{Effect, Finding, Program},
    shell::{SimpleCommand, Stdin},
    world::World,
};
use types::catalogue::RuleId;

#[rustfmt::skip]
const PYTHON: &[&str] = &[
    "pytest", "py.test", "tox", "nox", "coverage", "mypy", "dmypy", "ruff", "black", "isort", "flake8", "pylint",
    "pyright", "basedpyright", "pyre", "pyrefly", "pytype", "ty", "bandit", "pre-commit", "prek", "autopep8", "yapf",
    "pyflakes", "pycodestyle", "pydocstyle", "docformatter", "pyupgrade", "autoflake", "vulture", "interrogate",
    "radon", "xenon", "codespell", "typos", "refurb", "vermin", "deptry", "nosetests", "nose2", "green", "ward",
    "behave", "robot", "sphinx-build", "sphinx-apidoc", "sphinx-autobuild", "pdoc", "pdoc3", "mkdocs", "jupytext",
    "nbqa", "nbstripout", "nbconvert", "papermill", "check-manifest", "pyproject-build", "cibuildwheel", "cython",
    "cythonize", "stubgen", "stubtest", "pyinstaller", "nuitka", "towncrier", "bumpversion", "bump2version",
    "bump-my-version", "cz", "reno", "scriv", "pybabel", "django-admin", "alembic", "kedro", "snakemake", "doit",
    "mutmut", "pip-audit", "import-linter", "lint-imports", "pip-compile", "maturin", "rst2html", "uvicorn",
    "gunicorn", "hypercorn", "daphne", "waitress-serve", "flask", "fastapi", "streamlit", "gradio", "celery",
    "jupyter", "jupyter-lab", "jupyter-notebook", "marimo", "tensorboard", "hatchling", "flit", "versioneer",
    "setuptools-scm", "virtualenv", "doc8", "bashate", "pyroma", "sqlacodegen", "aerich", "jupyter-book", "griffe",
    "ssort", "add-trailing-comma", "reorder-python-imports", "fixit", "datamodel-codegen", "openapi-python-client",
    "proselint", "mdformat", "restructuredtext-lint", "rst-lint", "pip-sync", "pip-licenses", "pipdeptree",
    "deadcode", "pylama", "tach", "datasette",
];
#[rustfmt::skip]
const NODE: &[&str] = &[
    "tsc", "tsgo", "tsc-watch", "eslint", "eslint_d", "prettier", "prettierd", "jest", "vitest", "mocha", "ava",
    "nyc", "c8", "tap", "uvu", "jasmine", "cypress", "playwright", "wdio", "testcafe", "nightwatch", "biome",
    "oxlint", "dprint", "stylelint", "rollup", "webpack", "webpack-cli", "webpack-dev-server", "rspack", "rsbuild",
    "rolldown", "esbuild", "vite", "vite-node", "next", "nuxt", "nuxi", "astro", "remix", "gatsby", "svelte-kit",
    "expo", "metro", "tsup", "tsdown", "unbuild", "ncc", "pkgroll", "microbundle", "bunchee", "turbo", "nx", "lage",
    "wireit", "parcel", "swc", "babel", "react-scripts", "react-app-rewired", "craco", "svelte-check", "vue-tsc",
    "vue-cli-service", "ng", "ngc", "knip", "depcheck", "madge", "dpdm", "depcruise", "typedoc", "jsdoc",
    "api-extractor", "gulp", "grunt", "karma", "commitlint", "lint-staged", "markdownlint", "markdownlint-cli2",
    "remark", "cspell", "alex", "textlint", "standard", "ts-standard", "xo", "tslint", "jshint", "jscs", "csslint",
    "htmlhint", "html-validate", "pa11y", "lighthouse", "sass", "lessc", "stylus", "postcss", "tailwindcss",
    "storybook", "start-storybook", "build-storybook", "docusaurus", "vitepress", "vuepress", "eleventy", "hexo",
    "graphql-codegen", "swagger-cli", "spectral", "redocly", "openapi-typescript", "size-limit", "bundlesize",
    "publint", "attw", "are-the-types-wrong", "syncpack", "manypkg", "sort-package-json", "license-checker", "jscpd",
    "plop", "hygen", "documentation", "patch-package", "electron-rebuild", "electron-vite", "node-gyp", "prebuildify",
    "napi", "vscode-test", "nodemon", "ts-node-dev", "http-server", "serve", "live-server", "json-server",
    "browser-sync", "run-s", "run-p", "npm-run-all", "npm-run-all2", "wait-on", "cpx", "cpy", "copyfiles", "mkdirp",
    "svgo", "imagemin", "mmdc", "web-ext", "elm-test", "elm-format", "elm-review", "purs", "spago", "rescript",
    "coffee", "tstyche", "tsd", "dtslint", "only-allow", "check-dts", "mintlify", "changelogen",
    "conventional-changelog", "esbuild-visualizer", "source-map-explorer", "webpack-bundle-analyzer", "tape",
    "istanbul", "isparta", "browserify", "watchify", "uglifyjs", "terser", "cleancss", "html-minifier", "covert",
    "airtap", "zuul", "aud", "auto-changelog", "standard-changelog", "tshy", "borp", "tsd-check", "matcha", "benny",
    "mocha-headless-chrome", "mocha-phantomjs", "wtr", "web-test-runner", "es-check", "semver", "tap-spec", "tsm",
    "sucrase", "tsc-alias", "tspc", "resolve-tspaths", "vite-bundle-visualizer", "dts-bundle-generator",
    "api-documenter", "skott", "lockfile-lint", "license-report", "ls-lint", "eclint", "sherif", "pa11y-ci", "lhci",
    "purgecss", "bundlewatch", "preconstruct", "rush", "prisma", "drizzle-kit", "typeorm", "knex", "sequelize",
    "sequelize-cli", "mikro-orm", "kysely-codegen", "zapatos", "orval", "swagger-typescript-api",
    "openapi-generator-cli", "quicktype", "json2ts", "typescript-json-schema", "ts-json-schema-generator", "typia",
    "pbjs", "pbts", "react-router", "react-email", "paraglide-js", "i18next", "i18next-parser", "lingui", "formatjs",
    "unocss", "style-dictionary", "stencil", "tauri", "nest", "vinxi", "nitro", "ember", "testem", "quasar", "slidev",
    "marp", "reveal-md", "honkit", "docsify", "metalsmith", "@biomejs/biome", "@redocly/cli", "@hey-api/openapi-ts",
    "@openapitools/openapi-generator-cli", "@angular/cli", "@vue/cli", "@nestjs/cli", "@storybook/cli",
    "@tailwindcss/cli", "@arethetypeswrong/cli", "@microsoft/api-extractor", "@stoplight/spectral-cli",
    "@commitlint/cli", "@playwright/test", "@babel/cli", "@graphql-codegen/cli", "@lingui/cli", "@formatjs/cli",
    "@marp-team/marp-cli", "@mermaid-js/mermaid-cli", "@swc/cli", "@wdio/cli", "@bufbuild/buf", "@lhci/cli",
];
#[rustfmt::skip]
const COMPILED: &[&str] = &[
    "gcc", "g++", "cc", "c++", "clang", "clang++", "cpp", "ld", "ld.lld", "lld", "gold", "mold", "ar", "as", "ranlib",
    "strip", "objcopy", "windres", "dlltool", "lipo", "dsymutil", "gcov", "lcov", "genhtml", "gcovr", "llvm-cov",
    "llvm-profdata", "llvm-ar", "nasm", "yasm", "flex", "bison", "yacc", "lex", "gperf", "swig", "m4", "autoconf",
    "automake", "aclocal", "autoheader", "autoreconf", "libtoolize", "libtool", "autopoint", "intltoolize",
    "gettextize", "xgettext", "msgfmt", "msgmerge", "ctags", "etags", "cscope", "gtags", "global", "doxygen",
    "clang-format", "clang-tidy", "clang-check", "cppcheck", "cpplint", "iwyu", "include-what-you-use",
    "cmake-format", "cmake-lint", "gersemi", "nvcc", "gfortran", "flang", "ifort", "gdc", "dmd", "ldc2", "dub", "fpc",
    "gnatmake", "gprbuild", "rustc", "rustfmt", "rustdoc", "clippy-driver", "rust-analyzer", "wasm-bindgen",
    "wasm-opt", "wat2wasm", "wasm2wat", "wasm-tools", "trunk", "cross", "bacon", "taplo", "golangci-lint", "gofmt",
    "goimports", "gofumpt", "gci", "golines", "staticcheck", "govulncheck", "gotestsum", "gotests", "mockgen",
    "mockery", "wire", "stringer", "swag", "sqlc", "templ", "revive", "errcheck", "gosec", "ineffassign", "misspell",
    "gocyclo", "ginkgo", "benchstat", "protoc", "buf", "javac", "javadoc", "jar", "kotlinc", "kotlin", "scalac",
    "scala-cli", "scalafmt", "scalafix", "mill", "groovyc", "ktlint", "detekt", "checkstyle", "google-java-format",
    "ghc", "ghcid", "runghc", "hlint", "ormolu", "fourmolu", "stylish-haskell", "ocamlc", "ocamlopt", "ocamlfind",
    "dune", "ocamlformat", "swiftc", "swiftlint", "swiftformat", "zls", "nimble", "rebar3", "erlc", "gleam",
    "dialyzer", "verilator", "iverilog", "yosys", "solc", "vyper", "forge", "hardhat", "slither", "qmake", "moc",
    "uic", "rcc", "lupdate", "lrelease", "scons", "waf", "premake5", "xmake", "tup", "redo", "samu", "imake", "glslc",
    "glslangValidator", "spirv-val", "dtc", "ccls", "clangd", "buck2", "wasm-pack", "emcc", "em++", "emar", "tinygo",
    "gox", "modd", "goctl", "oapi-codegen", "gqlgen", "wails", "prqlc", "xcodegen", "xcbeautify", "xcpretty", "tuist",
    "ktfmt", "kaocha", "clj-kondo", "cljfmt", "zprint", "shadow-cljs", "agda", "idris2", "coqc", "lean", "lake",
    "futhark", "odin", "ponyc", "ispc", "hipcc", "icx", "b2", "bjam", "autoninja", "kati", "gcc-ar", "gcc-nm",
    "gcc-ranlib", "llvm-nm", "llvm-objdump", "llvm-symbolizer", "llvm-size", "llvm-strip", "llvm-readelf",
    "clang-scan-deps", "scan-view", "fasm", "ld64.lld", "install_name_tool", "patchelf", "cbindgen", "bindgen",
    "mdbook-linkcheck", "grcov", "tarpaulin", "cargo-nextest", "cargo-deny", "cargo-machete", "cargo-udeps",
    "cargo-hack", "typeshare", "elixirc", "ex_doc", "hpack", "weeder", "apply-refact", "haddock", "alex", "happy",
    "purs-tidy", "luac", "valac", "blueprint-compiler", "glib-compile-schemas", "glib-compile-resources",
    "desktop-file-validate", "appstream-util", "appstreamcli", "update-desktop-database", "rpmlint", "lintian",
    "abi-dumper", "abidiff", "checksec",
];
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "rspec", "rubocop", "standardrb", "reek", "brakeman", "bundle-audit", "jekyll", "yard", "rdoc", "cucumber",
    "sorbet", "srb", "steep", "solargraph", "haml-lint", "slim-lint", "erblint", "phpunit", "pest", "phpstan",
    "psalm", "phpcs", "phpcbf", "php-cs-fixer", "rector", "infection", "behat", "codecept", "deptrac", "phpmd",
    "pint", "parallel-lint", "composer-unused", "composer-require-checker", "busted", "luacheck", "stylua", "selene",
    "bats", "shellspec", "shellcheck", "shfmt", "checkbashisms", "prove", "perltidy", "perlcritic", "podchecker",
    "hadolint", "yamllint", "yamlfmt", "jsonlint", "toml-sort", "xmllint", "actionlint", "zizmor", "tflint", "tfsec",
    "checkov", "kubeval", "kubeconform", "kube-linter", "conftest", "opa", "ansible-lint", "cfn-lint", "sqlfluff",
    "sqlfmt", "squawk", "semgrep", "ast-grep", "sg", "comby", "buildifier", "nixfmt", "alejandra", "statix",
    "deadnix", "nixpkgs-fmt", "mdbook", "hugo", "zola", "asciidoctor", "vale", "mdl", "typst", "pdflatex", "xelatex",
    "latex", "bibtex", "biber", "makeindex", "chktex", "d2", "structurizr", "reuse", "licensee", "gitlint",
    "editorconfig", "pydoc", "ri", "erd", "tbls", "protolint", "api-linter", "vacuum", "promtool", "amtool",
    "jsonnet", "jsonnetfmt", "jb", "cue", "ytt", "hledger", "tokio-console", "hyperlink", "bd", "inspect", "rails",
    "goreleaser", "tauri", "ltex", "languagetool", "cmark", "cmark-gfm", "lowdown", "discount", "textidote",
    "fasterer", "rails_best_practices", "packwerk", "tapioca", "rbs", "typeprof", "annotate", "annotaterb",
    "undercover", "debride", "flog", "flay", "kramdown", "phan", "phpbench", "paratest", "phpdoc", "kahlan",
    "twig-cs-fixer", "twigcs", "phplint", "shellharden", "antora", "write-good", "remark-cli", "awesome-lint",
    "mdspell", "markdown-toc", "doctoc", "markdown-magic", "terraform-docs", "helm-docs", "kubescape", "polaris",
    "pluto", "kube-score", "kubesec", "datree", "dockerfilelint", "dockle", "container-structure-test", "syft",
    "grype", "osv-scanner", "trivy", "cyclonedx-npm", "gitlab-ci-lint", "cfn_nag", "terrascan", "check-jsonschema",
    "ajv", "jsonschema", "yajsv", "spectral", "graphql-inspector", "texcount", "lacheck", "pdfcrop", "quarto",
    "asciidoctor-pdf", "rst2pdf", "weasyprint", "wkhtmltopdf", "mmark", "xml2rfc", "kramdown-rfc", "optipng",
    "pngquant", "jpegoptim", "cwebp", "gifsicle", "svgcleaner", "rsvg-convert", "fc-list", "fc-match", "msgattrib",
    "msgcat", "msginit", "po4a", "itstool",
    // Servers of the tests, inside the container.
    "nginx", "redis-server", "mongod", "mysqld", "postgres", "pg_ctl", "initdb", "memcached", "mailhog", "mailpit",
    "minio", "etcd", "rabbitmq-server", "nats-server", "dynamodb-local", "localstack", "wiremock", "toxiproxy-server",
    "chromedriver", "geckodriver", "selenium-server", "Xvfb",
];
/// Tools that look at files and report: the files they are given are data to them.
#[rustfmt::skip]
const CHECKERS: &[&str] = &[
    "xmllint", "kubeconform", "kubeval", "kube-linter", "kube-score", "conftest", "yamllint", "jsonlint",
    "actionlint", "hadolint", "shellcheck", "shfmt", "markdownlint", "markdownlint-cli2", "mdl", "vale", "codespell",
    "typos", "cspell", "promtool", "clang-format", "gofmt", "rustfmt", "sqlfluff", "cmark", "cmark-gfm",
    "checkbashisms", "nm", "gcov", "lcov", "genhtml", "gcovr", "llvm-cov", "llvm-profdata", "benchstat", "wasm2wat",
    "wat2wasm", "wasm-opt", "wasm-objdump", "spirv-val", "taplo", "ajv", "check-jsonschema", "jsonschema", "tokei",
    "doc8", "proselint", "write-good", "alex", "desktop-file-validate", "rpmlint", "lintian", "checksec", "optipng",
    "pngquant", "cwebp", "rsvg-convert", "msgfmt", "msgmerge", "msgcat", "addlicense", "html-validate", "htmlhint",
    "swagger-cli", "redocly", "spectral", "gitlint", "commitlint", "chktex", "d2", "dtc", "luac", "checkstyle",
];

/// Words after which a tool of the table leaves the project: it publishes, installs itself somewhere, or changes a database.
#[rustfmt::skip]
const LEAVES: &[(&str, &[&str])] = &[
    ("mkdocs", &["gh-deploy"]),
    ("mike", &["deploy"]),
    ("pre-commit", &["install", "uninstall", "autoupdate", "init-templatedir"]),
    ("prek", &["install", "uninstall", "autoupdate", "init-templatedir"]),
    ("maturin", &["publish", "upload"]),
    ("flit", &["publish", "install"]),
    ("hexo", &["deploy", "d"]),
    ("expo", &["publish", "upload", "login"]),
    ("buf", &["push", "registry"]),
    ("semgrep", &["login", "publish", "ci"]),
    ("web-ext", &["sign"]),
    ("napi", &["prepublish", "pre-publish"]),
    ("nimble", &["publish", "install"]),
    ("forge", &["create", "script"]),
    ("playwright", &["install-deps"]),
    ("alembic", &["downgrade", "stamp"]),
    ("prisma", &["db", "studio", "login", "platform", "deploy"]),
    ("typeorm", &["schema:drop", "migration:revert"]),
    ("sequelize", &["db:drop", "db:migrate:undo:all"]),
    ("sequelize-cli", &["db:drop", "db:migrate:undo:all"]),
    ("drizzle-kit", &["push", "drop"]),
    ("nginx", &["stop", "quit"]),
    ("lhci", &["upload", "autorun", "healthcheck", "wizard"]),
    ("trivy", &["server", "image", "k8s", "plugin"]),
    ("quarto", &["publish", "add", "install"]),
    ("rush", &["publish", "deploy", "update-cloud-credentials"]),
    ("datasette", &["publish", "install"]),
    ("syft", &["attest", "login"]),
    ("rails", &["destroy"]),
    ("bumpversion", &["--commit"]),
    ("bd", &["sync", "hooks", "init", "daemon"]),
    ("rails", &["db:drop", "db:reset", "credentials:edit", "new", "runner", "credentials:show"]),
    ("goreleaser", &["release", "publish", "announce", "continue"]),
    ("tauri", &["signer"]),
    // A build tool and a client of a store share this name.
    (
        "b2",
        &[
            "upload-file", "sync", "file", "bucket", "account", "key", "copy-file-by-id", "authorize-account",
            "delete-file-version", "delete-bucket", "update-bucket", "upload-unbound-stream", "replication", "rm",
        ],
    ),
];
/// Options that load code from where the line says.
#[rustfmt::skip]
const LOADS: [&str; 9] = [
    "-fplugin", "-wrapper", "-specs", "-B/", "--resolve-plugins-relative-to", "--rulesdir", "-shell-escape",
    "--shell-escape", "-enable-write18",
];

/// Tools that also run code of the line.
const TAKES_CODE: [&str; 9] =
    ["kotlin", "kotlinc", "runghc", "ghc", "scala-cli", "coffee", "vite-node", "groovyc", "crystal"];

/// True for a tool of the table.
pub(super) fn is_tool(name: &str) -> bool {
    let plain = plain(name);
    // Digits may be a version (`clang-15`) or part of the name (`flake8`).
    [PYTHON, NODE, COMPILED, OTHERS].iter().any(|table| table.contains(&name) || table.contains(&plain))
}

/// True where a tool is given commands in its text or its settings.
fn takes_commands(name: &str, command: &SimpleCommand) -> bool {
    let has = |mark: &str| command.args().iter().any(|word| word.text.contains(mark));
    match name {
        // `syscmd` and `esyscmd` in a text of which only a part may be known.
        "m4" => match &command.stdin {
            Stdin::Text(word) => !word.is_known() || word.text.contains("syscmd") || has("syscmd"),
            Stdin::Pipe => true,
            Stdin::Inherited => has("syscmd"),
        },
        "postgres" | "pg_ctl" | "mysqld" => has("_command") || has("init-file") || has("preload"),
        _ => false,
    }
}

/// True for a tool to which the files that it is given are data.
pub(super) fn is_checker(name: &str) -> bool {
    CHECKERS.contains(&name) || CHECKERS.contains(&plain(name))
}

/// A tool's name without version and target: `clang-15`, `aarch64-linux-gnu-gcc`.
fn plain(name: &str) -> &str {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let name = name.strip_suffix('-').unwrap_or(name);
    const CROSS: [&str; 9] = ["gcc", "g++", "clang", "clang++", "ld", "ar", "strip", "objcopy", "gfortran"];
    match name.rsplit_once('-') {
        Some((target, tool)) if CROSS.contains(&tool) && target.contains('-') => tool,
        Some(_) | None => name,
    }
}

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    // `sg GROUP -c COMMAND` is another program than the one that searches syntax trees.
    let is_group = name == "sg" && command.args().get(1).is_some_and(|word| word.text == "-c");
    if !is_tool(name) || is_group {
        return None;
    }
    let words = command.args();
    let first = words.iter().map(|word| word.text.as_str()).find(|text| !text.starts_with('-')).unwrap_or_default();
    if words
        .iter()
        .any(|word| LOADS.iter().any(|option| word.text.starts_with(option)) || word.text.contains("\\write18"))
        || (TAKES_CODE.contains(&name)
            && words.iter().any(|word| matches!(word.text.as_str(), "-e" | "--eval" | "--exec")))
    {
        return Some(vec![Effect::Unverifiable("the tool loads code that the line names".to_owned())]);
    }
    if takes_commands(name, command) {
        return Some(vec![Effect::Unverifiable(format!("`{name}` runs commands that it is given"))]);
    }
    if LEAVES.iter().any(|(tool, verbs)| *tool == name && (verbs.contains(&first) || first.starts_with(verbs[0]))) {
        return Some(vec![
            Finding::questioned(RuleId::ExternalWrite, format!("`{name} {first}` acts outside the work tree")).into(),
        ]);
    }
    let place = |word: &crate::shell::Word| super::place(word, command, world);
    let mut effects = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let is_output = matches!(word.text.as_str(), "-o" | "--output" | "--outfile" | "--out-dir" | "--outDir" | "-d");
        if is_output && let Some(target) = words.get(at + 1).filter(|word| !word.text.starts_with('-')) {
            effects.push(Effect::Writes { place: place(target), empties: false });
            at += 1;
        }
        at += 1;
    }
    for word in words.iter().filter(|word| word.text.contains("://")) {
        let url = word.text.rsplit('=').next().unwrap_or_default();
        effects.push(Effect::Network { to: Destination::parse(url, world), direction: Direction::Down });
    }
    effects.extend(super::unknown::mentioned(command, world));
    if words.iter().any(|word| word.text.starts_with('\\')) {
        effects.push(Effect::Unverifiable("the tool is given its source in the line".to_owned()));
    }
    effects.push(super::packages::manifest("the project's settings", command, world));
    let inline = words.iter().any(|word| word.text.starts_with('{') || word.text.contains("={"));
    if inline && words.iter().any(|word| word.text.starts_with("--config") || word.text == "-c") {
        effects.push(Effect::Unverifiable("settings in the line can name code to load".to_owned()));
    }
    if name == "tox" && words.iter().any(|word| matches!(word.text.as_str(), "-x" | "--override" | "-c" | "--conf")) {
        effects.push(Effect::Unverifiable("the line changes what the environments run".to_owned()));
    }
    // A configuration or a plugin from outside is code from outside.
    let config = words.iter().position(|word| matches!(word.text.as_str(), "-c" | "--config" | "--plugin" | "-p"));
    if let Some(file) = config.and_then(|at| words.get(at + 1)).filter(|word| word.text.starts_with(['/', '~'])) {
        effects.push(Effect::Executes(Program::File(place(file))));
    }
    Some(effects)
}
