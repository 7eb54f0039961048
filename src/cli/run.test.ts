// What a person types and what they get: output, errors, exit codes.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { FLAGS } from "../config/schema.ts";
import { run } from "./run.ts";

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(`${tmpdir()}/balancing-test-${process.pid}-run-`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const COMMANDS = [
	"agent",
	"controller",
	"detach",
	"status",
	"frontends",
	"backends",
	"plan",
	"explain",
	"maps",
	"doctor",
	"version",
];
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: demo }
spec: { clusterIPs: [10.96.0.10], selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: one, namespace: demo, labels: { app: web } }
status: { podIPs: [{ ip: 10.244.1.11 }] }
`;

const REDIRECT = `apiVersion: balancing.elf.io/v1beta1
kind: LocalRedirectPolicy
metadata: { name: cache }
spec:
  frontend: { addressMatcher: { ip: 169.254.77.7, toPorts: [{ port: "80", protocol: TCP }] } }
  backend:
    endpointSelector: { matchLabels: { app: cache } }
    toPorts: [{ port: "8080", protocol: TCP }]
---
apiVersion: v1
kind: Pod
metadata: { name: cache, namespace: demo, labels: { app: cache } }
spec: { nodeName: here, hostNetwork: true }
status: { podIPs: [{ ip: 10.244.1.12 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: far, namespace: demo, labels: { app: cache } }
spec: { nodeName: there }
status: { podIPs: [{ ip: 10.244.1.13 }] }
`;

/** Runs it in a world of its own. */
async function balancing(...args: readonly string[]) {
	let [out, err] = ["", ""];
	const code = await run(args, {
		out: (text) => {
			out += text;
		},
		err: (text) => {
			err += text;
		},
		stdout: {
			write(text) {
				out += text;
				return true;
			},
			on: () => {},
		},
		isTerminal: false,
		env: {},
		signal: new AbortController().signal,
	});
	return { code, out, err };
}

describe("balancing", () => {
	test.each([[["--help"]], [["-h"]], [["help"]], [["help", "--help"]]])("%j lists the commands", async (args) => {
		const { code, out, err } = await balancing(...args);
		expect({ code, err }).toEqual({ code: 0, err: "" });
		for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${name} +\\S`, "m"));
		expect(out).toContain("Exit codes: 0 ok, 1 failed, 2 usage");
	});

	test.each([[[]], [[""]]])("%j is a mistake, and shows the commands on standard error", async (args) => {
		const { code, out, err } = await balancing(...args);
		expect({ code, out }).toEqual({ code: 2, out: "" });
		expect(err).toContain("Usage: balancing COMMAND [FLAGS]");
	});

	test.each([
		["agnet", 'unknown command "agnet"; did you mean agent?'],
		["front", 'unknown command "front"; did you mean frontends?'],
		["kubectl", 'unknown command "kubectl"'],
		["--kubeconfig", 'unknown command "--kubeconfig"'],
	])("%s is no command", async (word, message) => {
		expect(await balancing(word)).toEqual({
			code: 2,
			out: "",
			err: `balancing: ${message} (balancing --help lists them)\n`,
		});
	});
});

describe.each(COMMANDS)("balancing %s", (name) => {
	test.each([[[name, "--help"]], [[name, "-h"]], [["help", name]], [["--help", name]]])(
		"%j explains it",
		async (args) => {
			const { code, out, err } = await balancing(...args);
			expect({ code, err }).toEqual({ code: 0, err: "" });
			expect(out).toContain(`Usage: balancing ${name} [FLAGS]`);
			expect(out).toContain("--config FILE");
			// Each flag in one line, with what its value is.
			const flags = [...out.matchAll(/^ {2}(?:-\w, | {4})--([\w-]+) ([A-Z][A-Z:/]*) {2,}\S/gm)].map(
				([, flag = ""]) => flag,
			);
			expect(flags.length).toBeGreaterThan(1);
			for (const flag of flags) if (flag !== "config") expect(FLAGS).toHaveProperty(flag);
			const lines = out.split("\n").filter((line) => /^ {2}(?:-\w, | {4})--/.test(line));
			expect(lines.length).toBe(flags.length);
			for (const line of out.split("\n")) expect(line.length).toBeLessThan(121);
		},
	);

	test("refuses a flag that it does not have, with a way out", async () => {
		const { code, out, err } = await balancing(name, "--frobnicate");
		expect({ code, out }).toEqual({ code: 2, out: "" });
		expect(err).toBe(
			`balancing ${name}: Cannot understand --frobnicate: no such flag\n(balancing ${name} --help lists its flags)\n`,
		);
	});

	test("refuses arguments that it does not take", async () => {
		const { code, out, err } = await balancing(name, "one", "two");
		expect({ code, out }).toEqual({ code: 2, out: "" });
		expect(err).toStartWith(`balancing ${name}: Cannot understand "two": `);
	});
});

test.each([
	["agent", "Cannot run without a source of Services: give --manifests PATH, --kubeconfig FILE or --metaserver URL"],
	["plan", "Cannot plan without a source: give --manifests PATH"],
	["explain 10.96.0.1:80", "Cannot explain without a source: give --manifests PATH"],
])("balancing %s asks for a source", async (words, message) => {
	const [name = "", ...args] = words.split(" ");
	const { code, out, err } = await balancing(name, ...args);
	expect({ code, out }).toEqual({ code: 2, out: "" });
	expect(err).toStartWith(`balancing ${name}: ${message}\n`);
});

describe("balancing plan", () => {
	test("prints the plan as text, and as JSON", async () => {
		writeFileSync(`${folder}/web.yaml`, SERVICE);
		expect(await balancing("plan", "--manifests", `${folder}/web.yaml`)).toEqual({
			code: 0,
			out: "FRONTEND 10.96.0.10:80/TCP demo/web:80 ServiceClusterIP -> 10.244.1.11:80\nADDRESS 10.96.0.10 cluster IP: other ports are refused\n",
			err: "",
		});
		const { code, out } = await balancing("plan", "-o", "json", "--manifests", `${folder}/web.yaml`);
		expect(code).toBe(0);
		expect(JSON.parse(out)).toEqual({
			frontends: [
				{
					address: "10.96.0.10:80/TCP",
					name: "demo/web:80",
					mode: "ServiceClusterIP",
					active: ["10.244.1.11:80/TCP"],
					terminating: [],
					keepsPeer: true,
				},
			],
			addresses: [{ address: "10.96.0.10", kind: "clusterIp" }],
			guards: [],
			probes: [],
			policies: [],
			problems: [],
		});
	});

	test("shows what is wrong beside what is right, and is content", async () => {
		writeFileSync(
			`${folder}/mixed.yaml`,
			`${SERVICE}---\napiVersion: v1\nkind: Service\nmetadata: { name: bad }\nspec: 5\n`,
		);
		const { code, out } = await balancing("plan", `--manifests=${folder}/mixed.yaml`);
		expect(code).toBe(0);
		expect(out).toContain("FRONTEND 10.96.0.10:80/TCP demo/web:80");
		expect(out).toMatch(/^PROBLEM Service default\/bad .*mixed\.yaml:\d+\)$/m);
	});

	test("fails where the path cannot be read", async () => {
		const { code, out, err } = await balancing("plan", `--manifests=${folder}/none`);
		expect({ code, out }).toEqual({ code: 1, out: "" });
		expect(err).toMatch(/^balancing plan: Cannot read manifests .*none: ENOENT .*\n$/);
	});
});

describe("balancing explain", () => {
	const explain = (...args: readonly string[]) => balancing("explain", "--manifests", `${folder}/web.yaml`, ...args);
	beforeAll(() => writeFileSync(`${folder}/web.yaml`, SERVICE));

	test("says step by step where a connection would go, and why", async () => {
		expect(await explain("10.96.0.10:80")).toEqual({
			code: 0,
			out: [
				"10.96.0.10:80/TCP is a cluster IP of Service demo/web, port 80/TCP",
				"  10.244.1.11:80/TCP: new connections (ready)",
				"would connect to 10.244.1.11:80/TCP, because Service demo/web has 1 endpoint for new connections",
				"",
			].join("\n"),
			err: "",
		});
	});

	test.each([
		[
			"10.96.0.10:80/udp",
			"Service demo/web has 10.96.0.10, but only with 80/TCP\nwould be refused with ECONNREFUSED, because nobody has 10.96.0.10:80/UDP, and 10.96.0.10 is a cluster IP of Service demo/web",
		],
		[
			"[fd00::1]:80",
			"would connect to [fd00::1]:80/TCP as it is, because nobody has [fd00::1]:80/TCP, and fd00::1 is no cluster IP and no node's address with node ports",
		],
	])("answers for %s, which is no mistake", async (address, line) => {
		expect(await explain(address)).toEqual({ code: 0, out: `${line}\n`, err: "" });
	});

	test("knows which Pod asks, and that a redirect is not for its own", async () => {
		const ask = (...from: readonly string[]) =>
			balancing("explain", "--manifests", `${folder}/cache.yaml`, "--node-name", "here", "169.254.77.7:80", ...from);
		writeFileSync(`${folder}/cache.yaml`, REDIRECT);
		expect((await ask("--from", "pod")).out).toContain("\nwould connect to 10.244.1.12:8080/TCP, because ");
		expect(await ask("--from", "pod:demo/cache")).toEqual({
			code: 0,
			out: [
				"169.254.77.7:80/TCP is redirected by LocalRedirectPolicy cache, port 80/TCP to 8080/TCP of ready Pods on this node",
				"Pod demo/cache is one of its own: it is not redirected",
				"would connect to 169.254.77.7:80/TCP as it is, because the client is a Pod of LocalRedirectPolicy cache itself, and nobody else has 169.254.77.7:80/TCP, and 169.254.77.7 is no cluster IP and no node's address with node ports",
				"",
			].join("\n"),
			err: "",
		});
		const json: unknown = JSON.parse((await ask("--from", "pod:demo/cache", "-o", "json")).out);
		expect(json).toMatchObject({
			question: { client: { scope: "host", pod: "demo/cache" } },
			verdict: { kind: "pass" },
		});
		expect((await ask("--from", "pod:demo/far")).out).toStartWith(
			"Pod demo/far is on node there: this is what would happen on here (--node-name)\n",
		);
		expect(await ask("--from", "pod:demo/nobody")).toEqual({
			code: 1,
			out: "",
			err: "balancing explain: Cannot explain for Pod demo/nobody: no source has it among those of node here and those that policies select (try --from pod)\n",
		});
	});

	test("says that it does not know what agents have found of backends", async () => {
		const example = `${import.meta.dir}/../../edge/examples/external-database.yaml`;
		const { code, out } = await balancing("explain", "--manifests", example, "169.254.50.50:5432");
		expect(code).toBe(0);
		expect(out).toContain("\nIts backends are probed by agents: what they have found is not known here, ");
		expect(out).toContain("\n  192.0.2.11:5432/TCP: new connections, weight 3 (listed)\n");
	});

	test("gives all of it as JSON", async () => {
		const { code, out } = await explain("10.96.0.10:80", "--from", "pod", "-o", "json");
		expect(code).toBe(0);
		expect(JSON.parse(out)).toEqual({
			question: { client: { scope: "pod" }, ip: "10.96.0.10", port: 80, protocol: "TCP" },
			verdict: { kind: "translate", active: ["10.244.1.11:80/TCP"], terminating: [] },
			because: "Service demo/web has 1 endpoint for new connections",
			frontend: {
				address: "10.96.0.10:80/TCP",
				name: "demo/web:80",
				hub: `manifests ${folder}/web.yaml`,
				mode: "ServiceClusterIP",
			},
			steps: ["10.96.0.10:80/TCP is a cluster IP of Service demo/web, port 80/TCP"],
			endpoints: [
				{
					address: "10.244.1.11:80/TCP",
					hub: `manifests ${folder}/web.yaml`,
					node: "",
					use: "new",
					through: ["10.244.1.11:80/TCP"],
					why: "ready",
				},
			],
		});
	});

	test.each([
		[[], "Cannot explain without an address: give one, as 10.96.0.10:80, 10.96.0.10:53/udp or [fd00::1]:80"],
		[["web:80"], 'Cannot understand "web:80": give 10.96.0.10:80, 10.96.0.10:53/udp or [fd00::1]:80'],
		[["10.96.0.10:80/sctp"], 'Cannot understand "10.96.0.10:80/sctp": give '],
		[["10.96.0.10:80", "--from", "mars"], 'Cannot use --from "mars": it must be host, pod or pod:NAMESPACE/NAME'],
		[["10.96.0.10:80", "--from", "pod:web"], 'Cannot use --from "pod:web": it must be host, pod or pod:NAMESPACE/NAME'],
	])("%j is a mistake, and says what to type", async (args, message) => {
		const { code, out, err } = await explain(...args);
		expect({ code, out }).toEqual({ code: 2, out: "" });
		expect(err).toStartWith(`balancing explain: ${message}`);
	});
});

describe("balancing maps", () => {
	test("refuses a map that it does not know before it looks for any", async () => {
		const { code, err } = await balancing("maps", "sockets");
		expect(code).toBe(2);
		expect(err).toContain(
			'Cannot show map "sockets": known are backends, slots, names, frontends, addresses, affinities, guards, frontend_stats, backend_stats',
		);
	});
});

test.each(["frontends", "backends", "maps"])("balancing %s says that nothing is pinned", async (name) => {
	const { code, out, err } = await balancing(name, "--pin-path", `${folder}/pins`);
	expect({ code, out }).toEqual({ code: 1, out: "" });
	expect(err).toBe(
		`balancing ${name}: Cannot read the maps under ${folder}/pins: nothing is pinned there (start the agent, or give its --pin-path)\n`,
	);
});

test("balancing status without anything says what is there: nothing", async () => {
	const args = ["status", `--pin-path=${folder}/pins`, `--state-dir=${folder}/state`];
	const { code, out, err } = await balancing(...args);
	expect({ code, err }).toEqual({ code: 1, err: "" });
	expect(out).toContain(`Agent       not running (nothing answers in ${folder}/state)`);
	expect(out).toContain(`0 of 9 programs pinned under ${folder}/pins, 0 frontends, 0 backends`);
	const json = await balancing(...args, "-o", "json");
	expect(json.code).toBe(1);
	expect(JSON.parse(json.out)).toEqual({
		ready: false,
		agent: null,
		kernel: { pinPath: `${folder}/pins`, links: [], frontends: 0, backends: 0 },
	});
});

test("balancing detach without anything is content", async () => {
	const { code, out, err } = await balancing(
		"detach",
		`--pin-path=${folder}/pins`,
		`--state-dir=${folder}/state`,
		"--cgroup=/x",
	);
	expect({ code, err }).toEqual({ code: 0, err: "" });
	expect(out).toBe(`Nothing to detach: nothing is pinned under ${folder}/pins\n`);
});

test.each([["version"], ["--version"]])("balancing %s names what it is made of", async (word) => {
	const { code, out, err } = await balancing(word);
	expect({ code, err }).toEqual({ code: 0, err: "" });
	expect(out).toMatch(/^balancing \d+\.\d+\.\d+ \(\S+\), bun \d\S+, libbpf \d\S+, Linux 5\.10 or newer\n$/);
	const json = JSON.parse((await balancing("version", "-o", "json")).out);
	expect(Object.keys(json).sort()).toEqual(["commit", "libbpf", "minimumKernel", "runtime", "version"]);
});
describe("balancing doctor", () => {
	test("says of each thing whether it is there, and fails if the agent would not work", async () => {
		const { code, out } = await balancing("doctor", "--cgroup", tmpdir());
		expect(code).toBe(1);
		expect(out).toMatch(/^kernel +(ok|problem) +Linux \d/m);
		expect(out).toMatch(/^cgroup +problem +Cannot attach to --cgroup/m);
	});

	test("-o json gives the same as data", async () => {
		const { out } = await balancing("doctor", "--cgroup", tmpdir(), "-o", "json");
		const findings: readonly { readonly what: string; readonly state: string }[] = JSON.parse(out);
		expect(findings.find(({ what }) => what === "cgroup")).toMatchObject({ state: "problem" });
	});
});
