//! Programs that know nothing of a proxy reach what the operator trusts, and nothing else: by name, in plain text and through a
//! decrypted route, in every language that agents work in. The host's record says how each came.

use std::{fs, process::Command};
use system_tests::{User, origin::Origin};

/// Our base image with Node, a JDK and Go on top.
const IMAGE: &str = "sandbox-test/programs";
/// Makes it where it is not there. The host's certificate authorities come along, because apt may need them.
const MAKE_IMAGE: &str = r#"
set -eu
docker image inspect "$IMAGE" >/dev/null 2>&1 && exit 0
name=sandbox-test-programs-$$
trap 'docker rm -f "$name" >/dev/null' EXIT
docker run --name "$name" --user 0 -v /etc/ssl/certs/ca-certificates.crt:/host-ca.crt:ro sandbox/base sh -c '
    set -eu
    export DEBIAN_FRONTEND=noninteractive
    apt="apt-get -qq -o Acquire::https::CaInfo=/host-ca.crt"
    mkdir -p /usr/share/man/man1
    $apt update
    $apt install -y --no-install-recommends nodejs openjdk-17-jdk-headless golang-go >/dev/null
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*'
docker commit -c 'USER 1000:1000' "$name" "$IMAGE" >/dev/null
"#;

/// No proxy, whatever the environment says.
const UNAWARE: &str = "env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u all_proxy -u ALL_PROXY";

const GO: &str = r#"package main

import ("fmt"; "io"; "net/http"; "os")

func main() {
	for _, url := range os.Args[1:] {
		client := http.Client{Transport: &http.Transport{}}
		answer, err := client.Get(url)
		if err != nil { fmt.Println("failed", err); continue }
		body, _ := io.ReadAll(answer.Body)
		fmt.Println(answer.StatusCode, len(body))
	}
}
"#;

const JAVA: &str = r#"import java.net.*;

class Get {
    public static void main(String[] urls) throws Exception {
        for (String url : urls) {
            try {
                var connection = (HttpURLConnection) new URL(url).openConnection(Proxy.NO_PROXY);
                int status = connection.getResponseCode();
                System.out.println(status + " " + connection.getInputStream().readAllBytes().length);
            } catch (Exception e) { System.out.println("failed " + e); }
        }
    }
}
"#;

const NODE: &str = r"(async () => { for (const url of process.argv.slice(1)) { try { const answer = await fetch(url);
    console.log(answer.status, (await answer.text()).length) } catch (e) { console.log('failed', e.cause?.code) } } })()";

const PYTHON: &str = r"
import sys, urllib.request as u
for url in sys.argv[1:]:
    try:
        answer = u.build_opener(u.ProxyHandler({})).open(url)
        print(answer.status, len(answer.read()))
    except Exception as e:
        print('failed', e)
";

/// What is asked for: a trusted endpoint in plain text, one that is decrypted, and one that nobody trusts.
const URLS: &str = "http://plain.test:8080/5 https://requests.bench/7 https://denied.test/";

#[test]
fn programs_that_know_no_proxy_reach_what_is_trusted() {
    let made = Command::new("sh").args(["-c", MAKE_IMAGE]).env("IMAGE", IMAGE).output().expect("sh");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let origin = Origin::start();
    let user = User::new();
    for (name, text) in [("get.go", GO), ("Get.java", JAVA), ("get.js", NODE), ("get.py", PYTHON)] {
        user.write(name, text);
    }
    user.commit("programs");
    let commands = [
        format!(
            "for url in {URLS}; do curl -sS --noproxy '*' -o /dev/null -w '%{{http_code}} %{{size_download}}\\n' $url || echo failed; done"
        ),
        format!("{UNAWARE} python3 get.py {URLS}"),
        format!("{UNAWARE} node -e \"$(cat get.js)\" {URLS}"),
        // A static binary: it has nothing of the system's.
        format!(
            "export GOCACHE=/tmp/go GO111MODULE=off CGO_ENABLED=0; go build -o /tmp/get get.go; ! ldd /tmp/get >/dev/null 2>&1; {UNAWARE} /tmp/get {URLS}"
        ),
        // Java trusts a store of its own.
        format!(
            "cp /etc/ssl/certs/java/cacerts /tmp/store; chmod u+w /tmp/store; keytool -importcert -noprompt -alias run -file /run/sandbox/authority.pem -keystore /tmp/store -storepass changeit >/dev/null 2>&1; {UNAWARE} java -Djavax.net.ssl.trustStore=/tmp/store Get.java {URLS}"
        ),
    ];
    let setup = serde_json::json!(commands);
    let task = user.task(&format!("---\nsetup: {setup}\n---\nSay that you are done.\n"));
    let root = user.file("root.pem", &origin.pem);
    let (plain, decrypted) = (origin.plain, origin.address);
    let set = [
        format!(
            "trust.endpoints=[{{endpoint='http://plain.test:8080', address='{plain}'}}, \
             {{endpoint='requests.bench', address='{decrypted}', methods=['GET']}}]"
        ),
        format!("trust.ca-files=['{}']", root.display()),
        format!("container.image={IMAGE}"),
    ];
    let more: Vec<_> = set.iter().flat_map(|text| ["--set", text]).collect();
    let ran = user.run_task(&task, &user.conversation(&[]), &more);
    let logs: Vec<_> = (1..=commands.len())
        .map(|n| fs::read_to_string(user.attempt().join(format!("setup/{n}.log"))).unwrap_or_default())
        .collect();
    assert_eq!(ran.code, 0, "{}\n{logs:#?}", ran.stderr);
    for (command, log) in commands.iter().zip(&logs) {
        let lines: Vec<_> = log.lines().filter(|line| line.starts_with("200 ") || line.contains("failed")).collect();
        assert!(lines.len() == 3 && lines[..2] == ["200 5", "200 7"], "{command}\n{log}");
        assert!(lines[2].contains("failed"), "{command}\n{log}");
    }
    let record = fs::read_to_string(user.attempt().join("egress.jsonl")).expect("records");
    let by_name = |asked: &str| {
        let lines = record.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        lines.filter(|line| line["asked"] == asked && line["via"] == "named" && line["allowed"] == true).count()
    };
    assert_eq!(
        (by_name("plain.test:8080"), by_name("requests.bench:443")),
        (commands.len(), commands.len()),
        "{record}"
    );
}
