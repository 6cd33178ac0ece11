import { describe, expect, it } from "vitest";
import { Problem } from "../problem.ts";
import { checkUrl, hostAndPort } from "./check.ts";

const RULE = { allow: [], ownHosts: ["berth.example", "agents.acme.com"] };

function reason(text: string, allow: readonly string[] = []): string {
  const checked = checkUrl(text, { ...RULE, allow });
  return checked instanceof Problem ? checked.data.detail : "allowed";
}

describe("F194: the egress rule", () => {
  it.each([
    "https://api.openai.com/v1/chat/completions",
    "https://api.openai.com:8443/",
    "https://EXAMPLE.com:443/a?b=c#d",
    "https://bücher.example/",
    "https://xn--bcher-kva.example/",
    "https://berth.example.org/",
    "https://notberth.example/",
    "https://localhost.example.com/",
    "https://1.2.3.4.example.com/",
  ])("lets %s pass", (text) => {
    expect(reason(text)).toBe("allowed");
  });

  it.each([
    // Loopback by every spelling the URL parser or a resolver understands (E12).
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://１２７.０.０.１/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://0.0.0.0/",
    "https://0/",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://acme.localhost/",
    "https://localhost.localdomain/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    // Private networks and metadata.
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://172.16.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[fe80::1]/",
    "https://100.100.100.200/",
    "https://metadata.google.internal/",
    "https://metadata/",
    "https://8.8.8.8/",
    // Names that only exist inside.
    "https://printer.local/",
    "https://db.internal/",
    "https://x.test/",
    "https://router.home.arpa/",
    "https://intranet/",
    "https://api.openai.com./",
    // Ourselves.
    "https://berth.example/",
    "https://acme.berth.example/",
    "https://agents.acme.com/",
    "https://AGENTS.acme.com/",
    // Other than https to a usual port, without a credential.
    "http://api.openai.com/",
    "https://api.openai.com:22/",
    "https://api.openai.com:6379/",
    "https://user@api.openai.com/",
    "https://user:pw@api.openai.com/",
    "https://api.openai.com@127.0.0.1/",
    "ftp://api.openai.com/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "javascript:alert(1)",
    "blob:https://api.openai.com/1",
    "ws://api.openai.com/",
    // No URL at all.
    "",
    "api.openai.com",
    "//api.openai.com",
    "https://",
    "https://exa mple.com/",
    "https://a.example:99999/",
    "https://[::1",
    "\u0000",
    `https://a.example/${"x".repeat(5000)}`,
  ])("refuses %s", (text) => {
    expect(reason(text)).not.toBe("allowed");
  });

  it("opens exactly the host and port of the allow-list, as parsed", () => {
    const allow = ["127.0.0.1:9100", "localhost:80", "[::1]:9100"];
    expect(reason("http://127.0.0.1:9100/v1", allow)).toBe("allowed");
    expect(reason("http://2130706433:9100/v1", allow)).toBe("allowed"); // the very same address
    expect(reason("http://localhost/", allow)).toBe("allowed");
    expect(reason("http://[::1]:9100/", allow)).toBe("allowed");
    expect(reason("http://127.0.0.1:9101/", allow)).not.toBe("allowed");
    expect(reason("http://127.0.0.1/?127.0.0.1:9100", allow)).not.toBe("allowed");
    expect(reason("http://evil.example/127.0.0.1:9100", allow)).not.toBe("allowed");
    expect(reason("http://127.0.0.1:9100@evil.example/", allow)).not.toBe("allowed");
    expect(reason("http://x@127.0.0.1:9100/", allow)).not.toBe("allowed");
    expect(reason("http://localhost.:80/", allow)).not.toBe("allowed");
    expect(reason("ftp://127.0.0.1:9100/", allow)).not.toBe("allowed");
  });

  it("gives back what it judged, so that nothing is parsed twice", () => {
    const url = new URL("https://a.example/x");
    expect(checkUrl(url, RULE)).toBe(url);
    expect(hostAndPort(url)).toBe("a.example:443");
  });
});
