//! What the operator trusts, by the built binary: looked at, asked about, changed, learnt from a run's refusals and from the package
//! managers of an image. The tests with `run` or `discover` in their names need a container engine.

use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use system_tests::{Ran, User, docker::docker};

const IMAGE: &str = "sandbox-test/package-managers";

/// A site on loopback that answers every request alike and counts them. It lives as long as the test's process.
struct Site {
    address: SocketAddr,
    hits: Arc<AtomicUsize>,
}

impl Site {
    fn start(body: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let site = Self { address: listener.local_addr().expect("address"), hits: Arc::default() };
        let hits = Arc::clone(&site.hits);
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                hits.fetch_add(1, Ordering::SeqCst);
                let head = BufReader::new(client.try_clone().expect("client")).lines().map_while(Result::ok);
                let _whole = head.take_while(|line| !line.is_empty()).count();
                let length = body.len();
                let _ =
                    write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            }
        });
        site
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn profile(user: &User) -> PathBuf {
    user.home().join("config/sandbox/profile.toml")
}

fn trust(user: &User, args: &[&str]) -> Ran {
    user.run(&[&["trust"], args].concat())
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn entries_come_into_the_profile_and_out_of_it_and_the_rest_stays() {
    let user = User::new();
    let added = trust(&user, &["add", "files.example", "--methods", "GET,HEAD", "--no-query"]).expect_code(0);
    assert!(added.stderr.contains("Trusted") && added.stdout.is_empty(), "{added:#?}");
    let mode = |path: &PathBuf| fs::metadata(path).expect("profile").permissions().mode() & 0o777;
    assert_eq!(mode(&profile(&user)), 0o600);
    let text = "# mine\n[trust]\nendpoints = [\n    { endpoint = \"files.example\", methods = [\"GET\", \"HEAD\"], query = false }, # builds\n]\n\n[limits]\ntimeout = \"1h\"\n";
    fs::write(profile(&user), text).expect("write");

    let dry = trust(&user, &["add", "http://mirror.example", "--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("+    \"http://mirror.example\",\n") && dry.stdout.contains("@@"), "{dry:#?}");
    assert_eq!(fs::read_to_string(profile(&user)).expect("read"), text, "a dry run writes nothing");

    let _ = trust(&user, &["add", "http://mirror.example"]).expect_code(0);
    let with = text.replace("# builds\n", "# builds\n    \"http://mirror.example\",\n");
    assert_eq!(fs::read_to_string(profile(&user)).expect("read"), with);
    let again = trust(&user, &["add", "http://mirror.example", "--json"]).expect_code(0);
    assert_eq!(lines(&again)[0]["change"], "kept", "{again:#?}");
    let conflict = trust(&user, &["add", "files.example"]).expect_code(2);
    assert!(conflict.stderr.contains("trusted already") && conflict.stderr.contains("--replace"), "{conflict:#?}");
    assert_eq!(fs::read_to_string(profile(&user)).expect("read"), with, "a conflict writes nothing");

    let _ = trust(&user, &["remove", "http://mirror.example"]).expect_code(0);
    assert_eq!((fs::read_to_string(profile(&user)).expect("read").as_str(), mode(&profile(&user))), (text, 0o600));
    let absent = trust(&user, &["remove", "file.example"]).expect_code(2);
    assert!(absent.stderr.contains("did you mean files.example:443?"), "{absent:#?}");
}

#[test]
fn what_no_run_could_have_is_not_written() {
    let user = User::new();
    for (args, hint) in [
        (&["add", "*.example"][..], "no wildcards"),
        (&["add", "https://api.example/v1"], "--path '/v1/**'"),
        (&["add", "10.0.0.5"], "--address 10.0.0.5"),
        (&["add", "a.example", "--credential", "api"], "[secrets.api]"),
        (&["add", "a.example", "--methods", "get"], "upper-case"),
        (&["add", "a.example", "--path", "v1"], "absolute path"),
        (&["add", "a.example", "--set", "trust.endpoints=[]"], "leave it out"),
        (&["add", "{ endpoint = 'a.example' }", "--no-query"], "leave the options out"),
        (&["add"], "ENTRY"),
        (&["show", "--explain", "ftp://a.example/"], "write api.example.com"),
        (&["show", "--method", "GET"], "--explain"),
    ] {
        let ran = trust(&user, args).expect_code(2);
        assert!(ran.stderr.contains(hint), "{args:?}: {}", ran.stderr);
    }
    assert!(!profile(&user).exists());
    let _ = trust(&user, &["add", "a.example"]).expect_code(0);
    assert!(profile(&user).exists(), "what is valid is");
}

#[test]
fn a_named_profile_can_be_changed_and_the_list_that_it_hides_is_named() {
    let user = User::new();
    let _ = trust(&user, &["add", "own.example"]).expect_code(0);
    let named = trust(&user, &["add", "ci.example", "--profile", "ci"]).expect_code(0);
    let path = user.home().join("config/sandbox/profiles/ci.toml");
    assert_eq!(
        fs::read_to_string(&path).expect("read"),
        "[trust]\nendpoints = [\n    \"ci.example\",\n]\n",
        "{named:#?}"
    );
    assert!(named.stderr.contains("1 entries of the one below do not count"), "{named:#?}");
    let shown = trust(&user, &["show", "--profile", "ci"]).expect_code(0);
    assert!(shown.stdout.contains("ci.example") && !shown.stdout.contains("own.example"), "{shown:#?}");
    assert!(trust(&user, &["show"]).stdout.contains("own.example"));
    let second = trust(&user, &["add", "two.example", "--profile", "ci"]).expect_code(0);
    assert!(!second.stderr.contains("do not count"), "{second:#?}");
}

#[test]
fn what_is_in_force_names_its_source_and_its_weak_spots() {
    let user = User::new();
    user.git(&["remote", "add", "origin", "git@forge.example:acme/app.git"]);
    let _ =
        trust(&user, &["add", "forge.example", "{ endpoint = 'api.example', methods = ['GET'], paths = ['/v1/**'] }"])
            .expect_code(0);
    let shown = trust(&user, &["show", "--effective"]).expect_code(0);
    for text in
        ["api.example:443", "GET · /v1/**", "profile.toml", "api.anthropic.com:443", "trust.upload-max", "256MiB"]
    {
        assert!(shown.stdout.contains(text), "{text}: {shown:#?}");
    }
    assert!(shown.stderr.contains("the remote `origin` lies behind this tunnel"), "{shown:#?}");
    assert!(!shown.stdout.contains('\u{1b}'), "no colour where nobody looks");

    let _ = trust(&user, &["remove", "forge.example"]).expect_code(0);
    let rows = lines(&trust(&user, &["show", "--effective", "--json"]).expect_code(0));
    let routes: Vec<_> = rows.iter().filter(|row| row["row"] == "route").collect();
    let from = |row: &Value| row["from"][0].as_str().expect("source").to_owned();
    assert_eq!(
        routes.iter().map(|row| row["route"]["kind"].as_str().expect("kind")).collect::<Vec<_>>(),
        ["http", "git", "model"]
    );
    assert_eq!(
        (from(routes[1]).as_str(), routes[1]["route"]["rules"]["repositories"][0]["path"].as_str()),
        ("remote origin", Some("/acme/app"))
    );
    assert!(rows.iter().all(|row| row["row"] != "weakness"), "{rows:#?}");

    let task = user.task("---\nnetwork: {allowed: []}\nremotes: []\n---\nGo.").display().to_string();
    let narrowed = lines(&trust(&user, &["show", "--effective", "--json", "--task", &task]).expect_code(0));
    let kinds: Vec<_> =
        narrowed.iter().filter(|row| row["row"] == "route").map(|row| row["route"]["kind"].clone()).collect();
    assert_eq!(kinds, ["model"]);
    let written = trust(&user, &["show"]).expect_code(0);
    assert!(
        written.stdout.contains("{ endpoint = \"api.example\"") && !written.stdout.contains("forge"),
        "{written:#?}"
    );
}

#[test]
fn a_request_is_explained_by_the_code_that_decides() {
    let user = User::new();
    user.git(&["remote", "add", "origin", "https://forge.example/acme/app.git"]);
    let _ = trust(&user, &["add", "api.example", "--methods", "GET", "--path", "/v1/**"]).expect_code(0);
    let ask = |args: &[&str]| {
        let ran = trust(&user, &[&["show", "--explain"], args].concat()).expect_code(0);
        ran.stdout
    };
    let allowed = ask(&["api.example/v1/%61"]);
    assert!(allowed.starts_with("allowed  api.example:443\n") && allowed.contains("sends    /v1/a\n"), "{allowed}");
    let denied = ask(&["https://api.example/v1/../secret"]);
    assert!(denied.starts_with("denied   api.example:443 · bad_path\n"), "{denied}");
    let method = ask(&["api.example/v1/a", "--method", "PUT"]);
    assert!(
        method.contains("by       sandbox trust add api.example --methods GET,PUT --path '/v1/**' --replace\n"),
        "{method}"
    );
    assert_eq!(
        ask(&["https://forge.example/acme/app"]),
        "allowed  forge.example:443\n\
         asks     GET /acme/app\n\
         route    git · git fetch /acme/app   (remote origin)\n\
         to       a public address that the name has then; an internal one is refused\n\
         fetch    allowed\n\
         push     denied · push_not_allowed · the run may not push to this repository\n"
    );
    assert_eq!(
        ask(&["new.example/x?page=2"]),
        "denied   new.example:443 · no_route\n\
         asks     GET /x?page=2\n\
         because  new.example:443 is not a trusted endpoint\n\
         told     ask the operator to trust the endpoint, or do without it\n\
         allows   { endpoint = \"new.example\", methods = [\"GET\"], paths = [\"/x\"] }\n\
         by       sandbox trust add new.example --methods GET --path /x\n"
    );
    let json: Value = serde_json::from_str(&ask(&["metadata.google.internal", "--json"])).expect("json");
    assert_eq!((&json["answer"], &json["proposal"]), (&json!("denied"), &Value::Null));
}

#[test]
fn completion_knows_endpoints_and_secrets() {
    let user = User::new();
    let text = "[trust]\nendpoints = [\"files.example\"]\n[secrets.forge-token]\nsource = \"env:X\"\n";
    fs::create_dir_all(profile(&user).parent().expect("directory")).expect("directory");
    fs::write(profile(&user), text).expect("write");
    for (words, wanted) in [
        (&["trust", "remove", "fil"][..], "files.example"),
        (&["trust", "show", "--explain", "fil"], "files.example"),
        (&["trust", "add", "x.example", "--credential", "for"], "forge-token"),
        (&["trust", "dis"], "discover"),
    ] {
        let mut command = user.sandbox(&[&["--", "sandbox"], words].concat());
        let output = command.env("COMPLETE", "fish").output().expect("complete");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(wanted), "{words:?}: {text}");
    }
}

/// What a run was refused becomes an entry; with it the same run passes, and what must not be let out stays out.
#[test]
fn a_run_s_refusals_become_entries_with_which_the_next_run_passes() {
    let target = Site::start("fetched");
    let user = User::new();
    let address = target.address.to_string();
    let _ = trust(&user, &["add", "http://files.test", "--path", "/known", "--methods", "GET", "--address", &address])
        .expect_code(0);
    let fetch = "curl -sSf http://files.test/other/x -o fetched && grep -q fetched fetched";
    let beside = [
        "curl -sS https://new.test/x",
        "curl -sS http://169.254.169.254/latest",
        "curl -sS http://metadata.google.internal/x",
        "curl -sS -X POST -d x http://files.test/known",
        "curl -sSf http://files.test/known",
    ];
    let attempts = user.task(&format!("---\nsetup: [\"{fetch} || true; {}; true\"]\n---\nGo.", beside.join("; ")));
    let conversation = user.conversation(&[]);
    let ran = user.run_task(&attempts, &conversation, &[]).expect_code(0);
    assert_eq!(target.hits(), 1, "the known path was let out: {}", ran.stderr);
    let run = user.result()["run"].as_str().expect("run").to_owned();
    let shown = user.run(&["show", &run]).expect_code(0);
    let hint = format!("5 refused (sandbox trust suggest {})", run.rsplit_once('-').expect("words").0);
    assert!(shown.stdout.contains(&hint), "{shown:#?}");

    let suggested = trust(&user, &["suggest", &run]).expect_code(0);
    assert_eq!(
        suggested.stdout,
        format!(
            "[trust]\nendpoints = [\n    {{ endpoint = \"http://files.test\", address = \"{address}\", methods = [\"GET\", \"POST\"], \
             paths = [\"/known\", \"/other/x\"] }}, # in place of {{ endpoint = \"http://files.test\", address = \"{address}\", \
             methods = [\"GET\"], paths = [\"/known\"] }}\n    {{ endpoint = \"new.test\", methods = [\"GET\", \"HEAD\"], query = false }},\n]\n"
        )
    );
    for text in
        ["1 × path_not_allowed", "POST carries data up", "169.254.169.254", "its cloud", "sandbox trust add new.test"]
    {
        assert!(suggested.stderr.contains(text), "{text}: {suggested:#?}");
    }
    let rows = lines(&trust(&user, &["suggest", &run, "--json"]).expect_code(0));
    assert_eq!(rows.iter().map(|row| row["refused"].as_u64().expect("count")).sum::<u64>(), 5);

    // The control: without the entry the same commands end the run.
    let again = user.task(&format!("---\nsetup: [\"{fetch}\"]\nverify: [\"{fetch}\"]\n---\nGo."));
    let again = again.display().to_string();
    let conversation = conversation.display().to_string();
    let _ = user.run(&["run", &again, "--replay", &conversation]).expect_code(106);
    let entry = suggested.stdout.lines().find(|line| line.contains("files.test")).expect("entry");
    let entry = entry.trim().split(", #").next().expect("entry");
    let _ = trust(&user, &["add", entry, "--replace"]).expect_code(0);
    let _ = user.run(&["run", &again, "--replay", &conversation]).expect_code(0);
    assert_eq!(target.hits(), 1 + 3, "in setup, and in setup and verify of the proof");
    let settled = lines(&trust(&user, &["suggest", &run, "--json"]).expect_code(0));
    let files = settled.iter().find(|row| row["endpoint"] == "files.test:80").expect("row");
    assert_eq!((&files["settled"], &files["proposal"]), (&json!(2), &Value::Null), "{files:#}");
    let none = trust(&user, &["suggest", "no-such-run"]).expect_code(2);
    assert!(none.stderr.contains("no run is named"), "{none:#?}");
}

/// `sandbox/base` with pip, and registries of nobody's in the configuration of its package managers.
fn image() {
    let recipe = "FROM sandbox/base\nUSER 0:0\n\
        RUN apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends python3-pip && apt-get clean\n\
        RUN echo 'deb http://deb.registry.test/debian bookworm main' > /etc/apt/sources.list && rm -rf /etc/apt/sources.list.d/* && \
            printf '[global]\\nindex-url = https://me:s3cret@pip.registry.test:8443/simple\\nextra-index-url = https://nexus/simple\\n' > /etc/pip.conf\n\
        USER 1000:1000\n";
    let build = Command::new("docker")
        .args(["build", "--quiet", "--tag", IMAGE, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let mut build = build.expect("docker");
    build.stdin.take().expect("stdin").write_all(recipe.as_bytes()).expect("recipe");
    assert!(build.wait().expect("build").success());
}

#[test]
fn discover_asks_the_package_managers_of_an_image() {
    image();
    let user = User::new();
    let found = trust(&user, &["discover", "--image", IMAGE]).expect_code(0);
    assert_eq!(
        found.stdout,
        "[trust]\nendpoints = [\n    { endpoint = \"http://deb.registry.test\", methods = [\"GET\", \"HEAD\"], query = false }, # apt-get\n    \
         { endpoint = \"pip.registry.test:8443\", methods = [\"GET\", \"HEAD\"], query = false }, # pip\n]\n",
        "{}",
        found.stderr
    );
    assert!(found.stderr.contains("GET /simple/sandbox-discover/"), "the request was seen: {found:#?}");
    assert!(found.stderr.contains("this machine, its network"), "nexus is no public name: {found:#?}");
    assert!(!found.stderr.contains("s3cret"), "{found:#?}");

    let _ = trust(&user, &["add", "pip.registry.test:8443", "--methods", "GET,HEAD", "--no-query"]).expect_code(0);
    let rows = lines(&trust(&user, &["discover", "--image", IMAGE, "--json"]).expect_code(0));
    let pip = rows.iter().find(|row| row["manager"] == "pip").expect("pip");
    let host = pip["hosts"]
        .as_array()
        .expect("hosts")
        .iter()
        .find(|host| host["endpoint"] == "pip.registry.test:8443")
        .expect("host");
    assert_eq!((&host["is-trusted"], &host["is-asked"], &host["proposal"]), (&json!(true), &json!(true), &Value::Null));
    assert_eq!(containers(), Vec::<String>::new());

    let started = user.start(&["trust", "discover", "--image", IMAGE]);
    let end = Instant::now() + Duration::from_secs(60);
    while !started.stderr().contains("apt-get") {
        assert!(Instant::now() < end, "{}", started.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    let made = containers();
    assert_eq!(made.len(), 1, "{made:?}");
    started.signal("INT");
    let _ = started.finish().expect_code(130);
    assert_eq!(containers(), Vec::<String>::new());
    let volumes = docker(&["volume", "ls", "--quiet", "--filter", &format!("name={}-home", made[0])]);
    assert_eq!(volumes, "", "nothing is left after an interrupt");

    let missing = trust(&user, &["discover", "--image", "sandbox-test/none"]).expect_code(105);
    assert!(missing.stderr.contains("not in the engine"), "{missing:#?}");
}

fn containers() -> Vec<String> {
    let listed = docker(&["ps", "--all", "--filter", &format!("ancestor={IMAGE}"), "--format", "{{.Names}}"]);
    listed.lines().map(str::to_owned).collect()
}
