// Where a value comes from, and what is said of one that cannot be used.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { parseCommandLine, UsageError } from "./config/command_line.ts";
import type { Environment } from "./config/given.ts";
import { FLAGS, type FlagName } from "./config/schema.ts";
import { resolveConfig } from "./config.ts";

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(`${tmpdir()}/balancing-test-${process.pid}-config-`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const ALL = Object.keys(FLAGS).filter((name): name is FlagName => Object.hasOwn(FLAGS, name));

function file(text: string): string {
	const path = `${folder}/${Bun.hash(text)}.yaml`;
	writeFileSync(path, text);
	return path;
}

/** What `balancing ARGS` would run with. */
function configure(args: readonly string[], env: Environment = {}, allowed: readonly FlagName[] = ALL) {
	return resolveConfig(parseCommandLine(args, allowed), allowed, env);
}

function complaint(run: () => unknown): string {
	try {
		run();
	} catch (error) {
		expect(error).toBeInstanceOf(UsageError);
		return error instanceof Error ? error.message : "";
	}
	throw new Error("It did not complain");
}

type Value = string | number | string[] | undefined;
/** Of each kind of flag: its default, and three values as text with what they come to. */
const KINDS: readonly (readonly [FlagName, Value, readonly (readonly [text: string, value: Value])[]])[] = [
	[
		"manifests",
		[],
		[
			["/a", ["/a"]],
			["b/c", ["b/c"]],
			[".", ["."]],
		],
	],
	[
		"kubeconfig",
		[],
		[
			["/a", ["/a"]],
			["b/c", ["b/c"]],
			["./d", ["./d"]],
		],
	],
	[
		"context",
		[],
		[
			["one", ["one"]],
			["arn:aws:eks:x/y", ["arn:aws:eks:x/y"]],
			["admin@two", ["admin@two"]],
		],
	],
	[
		"api-server",
		[],
		[
			["10.0.0.1:6443", ["10.0.0.1:6443"]],
			["[fd00::1]:443", ["[fd00::1]:443"]],
			["api.example:6443", ["api.example:6443"]],
		],
	],
	[
		"metaserver",
		[],
		[
			["http://127.0.0.1:10550", ["http://127.0.0.1:10550"]],
			["https://edge.example/", ["https://edge.example"]],
			["http://[::1]:10550", ["http://[::1]:10550"]],
		],
	],
	[
		"namespaces",
		[],
		[
			["a,b", ["a", "b"]],
			["c", ["c"]],
			["d, e", ["d", "e"]],
		],
	],
	[
		"selector",
		undefined,
		[
			["app=web", "app=web"],
			["tier in (a, b),!legacy", "tier in (a, b),!legacy"],
			["a.b/c!=d", "a.b/c!=d"],
		],
	],
	[
		"node-name",
		hostname(),
		[
			["one", "one"],
			["two.example", "two.example"],
			["3", "3"],
		],
	],
	[
		"reach",
		"auto",
		[
			["pod", "pod"],
			["node-port", "node-port"],
			["load-balancer", "load-balancer"],
		],
	],
	[
		"external-ips",
		"allow",
		[
			["refuse", "refuse"],
			["allow", "allow"],
			["refuse", "refuse"],
		],
	],
	[
		"redirect-qos-limit",
		0,
		[
			["0", 0],
			["100", 100],
			["4294967295", 4_294_967_295],
		],
	],
	[
		"cgroup",
		undefined,
		[
			["/a", "/a"],
			["/a/b", "/a/b"],
			["/", "/"],
		],
	],
	[
		"pin-path",
		"/sys/fs/bpf/balancing",
		[
			["/a", "/a"],
			["/b//c/", "/b/c"],
			["/d/../e", "/e"],
		],
	],
	[
		"state-dir",
		"/var/lib/balancing",
		[
			["/a", "/a"],
			["/b/", "/b"],
			["/c", "/c"],
		],
	],
	[
		"listen",
		"127.0.0.1:5810",
		[
			["off", "off"],
			["[::1]:80", "[::1]:80"],
			[":5810", ":5810"],
		],
	],
	[
		"annotate-node",
		"on",
		[
			["off", "off"],
			["on", "on"],
			["off", "off"],
		],
	],
	[
		"namespace",
		"balancing",
		[
			["a", "a"],
			["b-1", "b-1"],
			["c", "c"],
		],
	],
	[
		"leader-election",
		"on",
		[
			["off", "off"],
			["on", "on"],
			["off", "off"],
		],
	],
	[
		"webhook-listen",
		":5822",
		[
			["off", "off"],
			["[::1]:80", "[::1]:80"],
			[":0", ":0"],
		],
	],
	[
		"webhook-cert-dir",
		undefined,
		[
			["/a/", "/a"],
			["/b", "/b"],
			["/c", "/c"],
		],
	],
	[
		"webhook-service",
		undefined,
		[
			["a/b", "a/b"],
			["c/d", "c/d"],
			["e/f", "e/f"],
		],
	],
	[
		"webhook-names",
		[],
		[
			["a.example,::1", ["a.example", "::1"]],
			["b", ["b"]],
			["c,192.0.2.1", ["c", "192.0.2.1"]],
		],
	],
	[
		"events",
		"all",
		[
			["failures", "failures"],
			["off", "off"],
			["all", "all"],
		],
	],
	[
		"events-rate",
		1000,
		[
			["0", 0],
			["5", 5],
			["1000000000", 1_000_000_000],
		],
	],
	[
		"log-level",
		"info",
		[
			["debug", "debug"],
			["silent", "silent"],
			["warn", "warn"],
		],
	],
	[
		"log-format",
		undefined,
		[
			["json", "json"],
			["pretty", "pretty"],
			["json", "json"],
		],
	],
	[
		"from",
		"host",
		[
			["pod", "pod"],
			["host", "host"],
			["pod", "pod"],
		],
	],
	[
		"output",
		"text",
		[
			["json", "json"],
			["text", "text"],
			["json", "json"],
		],
	],
];

describe("resolveConfig()", () => {
	test("is tested with every flag", () => {
		expect(KINDS.map(([name]) => name)).toEqual(ALL);
	});

	test.each(KINDS)(
		"takes --%s from the flag, else the environment, else the file, else the default",
		(name, byDefault, values) => {
			const [[flag, ofFlag] = ["", ""], [variable, ofVariable] = ["", ""], [inFile, ofFile] = ["", ""]] = values;
			const written = ["--config", file(`${name}: ${JSON.stringify(inFile)}`)];
			const env = { [`BALANCING_${name.toUpperCase().replaceAll("-", "_")}`]: variable };
			expect(configure([])[name]).toEqual(byDefault);
			expect(configure(written)[name]).toEqual(ofFile);
			expect(configure(written, env)[name]).toEqual(ofVariable);
			expect(configure([...written, `--${name}=${flag}`], env)[name]).toEqual(ofFlag);
		},
	);

	test.each([
		[["--manifests", "a", "--manifests=b"], {}, ["a", "b"]],
		[[], { BALANCING_MANIFESTS: "a,/b" }, ["a", "/b"]],
		[["--manifests", "a,b"], { BALANCING_MANIFESTS: "c" }, ["a,b"]],
	])("reads manifests of %j and %j as a list", (args, env, expected) => {
		expect(configure(args, env).manifests).toEqual(expected);
	});

	test.each([
		[["--api-server=10.0.0.1"], 'Cannot use --api-server "10.0.0.1": it must be HOST:PORT'],
		[["--api-server=https://10.0.0.1:6443"], "it must be HOST:PORT"],
		[["--api-server=a:65536"], "it has a port over 65535"],
		[
			["--metaserver=127.0.0.1:10550"],
			'Cannot use --metaserver "127.0.0.1:10550": it must be a URL, as http://127.0.0.1:10550',
		],
		[["--metaserver=ftp://a"], "it must be a URL"],
		[["--metaserver=http://a:65536"], "it must be a URL"],
		[
			["--metaserver=http://a/api"],
			'Cannot use --metaserver "http://a/api": it must be no more than scheme, host and port',
		],
		[["--metaserver=http://a?x"], "it must be no more than scheme, host and port"],
		[["--metaserver=http://user@a"], "it must be no more than scheme, host and port"],
		[["--namespaces=Demo"], "it must be names of namespaces, as demo,prod"],
		[["--namespaces=a,,b"], "it must be names of namespaces"],
		[["--selector=app=web&x=1"], "it must be a label selector, as app=web"],
		[
			["--selector=app=web,tier in test"],
			'it must be a label selector, as app=web,tier!=test: "tier in test" is no requirement: write app=web, app in (a,b), app or !app',
		],
	])("refuses %j", (args, message) => {
		expect(complaint(() => configure(args))).toContain(message);
	});

	test("reads what others' variables say about the API server, lower case first for proxies", () => {
		const env = {
			KUBECONFIG: "/a:/b",
			HOME: "/root",
			KUBERNETES_SERVICE_HOST: "10.96.0.1",
			KUBERNETES_SERVICE_PORT: "443",
			HTTPS_PROXY: "http://upper",
			https_proxy: "http://lower",
			NO_PROXY: "x",
		};
		expect(configure([], env).surroundings).toEqual({
			kubeconfig: "/a:/b",
			home: "/root",
			serviceHost: "10.96.0.1",
			servicePort: "443",
			proxies: { https: "http://lower", http: "", no: "x" },
		});
	});

	test("reads manifests in a file as one path or as a list", () => {
		expect(configure(["--config", file("manifests: /a")]).manifests).toEqual(["/a"]);
		expect(configure(["--config", file("manifests: [/a, b]")]).manifests).toEqual(["/a", "b"]);
	});

	test("takes the node's name from NODE_NAME, then the host", () => {
		expect(configure([], { NODE_NAME: "n" })["node-name"]).toBe("n");
		expect(configure([], { NODE_NAME: "n", BALANCING_NODE_NAME: "m" })["node-name"]).toBe("m");
		expect(configure([], { NODE_NAME: "" })["node-name"]).toBe(hostname());
	});

	test("takes an empty variable for one that is not set", () => {
		expect(configure([], { BALANCING_EVENTS: "", BALANCING_CONFIG: "" }).events).toBe("all");
	});

	test("finds the file by BALANCING_CONFIG, and by --config before that", () => {
		const env = { BALANCING_CONFIG: file("events: off") };
		expect(configure([], env).events).toBe("off");
		expect(configure(["--config", file("events: failures")], env).events).toBe("failures");
	});

	test("reads numbers in a file as numbers and as text, and nothing out of an empty file", () => {
		expect(configure(["--config", file("events-rate: 7")])["events-rate"]).toBe(7);
		expect(configure(["--config", file("events-rate: '7'")])["events-rate"]).toBe(7);
		expect(configure(["--config", file("# nothing yet\n")])).toEqual(configure([]));
	});

	test("leaves what is for other commands alone, in the file and in the environment", () => {
		const args = ["--config", file("events: nonsense\noutput: json")];
		expect(configure(args, { BALANCING_LISTEN: "nonsense" }, ["output"]).output).toBe("json");
	});

	const tooLong = "x".repeat(254);
	test.each([
		["manifests", "", "it must not be empty"],
		["manifests", "a\0b", "it must not hold a NUL"],
		["node-name", "", "it must not be empty"],
		["node-name", tooLong, "it is longer than 253 characters"],
		["reach", "nodeport", "it must be pod, node-port, node-proxy, load-balancer or auto"],
		["external-ips", "yes", "it must be allow or refuse"],
		["redirect-qos-limit", "some", "it must be a whole number"],
		["redirect-qos-limit", "-1", "it must be a whole number"],
		["redirect-qos-limit", "4294967296", "it must be at most 4294967295"],
		["cgroup", "a/b", "it must be an absolute path, as /run/balancing"],
		["cgroup", "", "it must not be empty"],
		["pin-path", "./x", "it must be an absolute path, as /run/balancing"],
		["state-dir", "~/x", "it must be an absolute path, as /run/balancing"],
		["listen", "5810", "it must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810, :PORT for all addresses, or off"],
		["listen", "::1:5810", "it must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810, :PORT for all addresses, or off"],
		[
			"listen",
			"127.0.0.1:http",
			"it must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810, :PORT for all addresses, or off",
		],
		["listen", "127.0.0.1:65536", "it has a port over 65535"],
		[
			"webhook-listen",
			"5822",
			"it must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810, :PORT for all addresses, or off",
		],
		["webhook-listen", ":65536", "it has a port over 65535"],
		["webhook-service", "controller", "it must be NAMESPACE/NAME of a Service"],
		["webhook-names", "a b", "it must be names or addresses, as hooks.example.com,192.0.2.1"],
		["namespace", "Kube", "it must be the name of a namespace, as balancing"],
		["leader-election", "yes", "it must be on or off"],
		["annotate-node", "yes", "it must be on or off"],
		["events", "some", "it must be all, failures or off"],
		["events", "", "it must be all, failures or off"],
		["events-rate", "many", "it must be a whole number"],
		["events-rate", "1.5", "it must be a whole number"],
		["events-rate", "-1", "it must be a whole number"],
		["events-rate", "1e3", "it must be a whole number"],
		["events-rate", "", "it must be a whole number"],
		["events-rate", "1000000001", "it must be at most 1000000000"],
		["log-level", "verbose", "it must be debug, info, warn, error or silent"],
		["log-format", "xml", "it must be json or pretty"],
		["output", "yaml", "it must be text or json"],
	] as const)("refuses --%s=%j with the flag, the value and the fix", (name, value, fix) => {
		const isNumber = name === "events-rate" || name === "redirect-qos-limit";
		const shown = isNumber && /^\d+$/.test(value) ? value : JSON.stringify(value);
		expect(complaint(() => configure([`--${name}=${value}`]))).toBe(`Cannot use --${name} ${shown}: ${fix}`);
	});

	test.each([
		["manifests: 5", "manifests in FILE 5: it must be a path, or a list of paths"],
		["manifests: { a: b }", 'manifests in FILE {"a":"b"}: it must be a path, or a list of paths'],
		["manifests:", "manifests in FILE null: it must be a path, or a list of paths"],
		["manifests: [/a, 5]", "manifests in FILE 5: it must be text"],
		["node-name: 5", "node-name in FILE 5: it must be text"],
		["cgroup: [a]", 'cgroup in FILE ["a"]: it must be text'],
		[
			"listen: 5810",
			"listen in FILE 5810: it must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810, :PORT for all addresses, or off",
		],
		["events: true", "events in FILE true: it must be all, failures or off"],
		["events-rate: 1.5", "events-rate in FILE 1.5: it must be a whole number"],
		["events-rate: -1", "events-rate in FILE -1: it must be a whole number"],
		["events-rate: [1]", "events-rate in FILE [1]: it must be a whole number"],
	])("refuses %j in a file with the place", (text, expected) => {
		const path = file(text);
		expect(complaint(() => configure(["--config", path]))).toBe(`Cannot use ${expected.replace("FILE", path)}`);
	});

	test("names the variable that a bad value stands in", () => {
		expect(complaint(() => configure([], { BALANCING_EVENTS_RATE: "x" }))).toBe(
			'Cannot use BALANCING_EVENTS_RATE "x": it must be a whole number',
		);
		expect(complaint(() => configure([], { BALANCING_MANIFESTS: "a,,b" }))).toBe(
			'Cannot use BALANCING_MANIFESTS "": it must not be empty',
		);
	});

	test.each([
		["evnets: all", "Cannot use the configuration file FILE: unknown key evnets; did you mean events?"],
		["__proto__: 1", /^Cannot use the configuration file FILE: unknown key __proto__; known are manifests, /],
		["- events", /^Cannot use the configuration file FILE: it is no map of flags; /],
		["just words", /^Cannot use the configuration file FILE: it is no map of flags; /],
		["events: [", /^Cannot read the configuration file FILE: .* at line 1, column \d+$/],
		[
			"events: all\nevents: off",
			/^Cannot read the configuration file FILE: Map keys must be unique at line 2, column 1$/,
		],
		["events: &a all\nlisten: *a", /^Cannot read the configuration file FILE: Alias resolution is disabled$/],
	])("refuses the file %j in one line", (text, expected) => {
		const path = file(text);
		const message = complaint(() => configure(["--config", path])).replace(path, "FILE");
		if (typeof expected === "string") expect(message).toBe(expected);
		else expect(message).toMatch(expected);
		expect(message).not.toContain("\n");
	});

	test.each(["/nonexistent/balancing.yaml", "/"])("refuses the file %s with what reading it gave", (path) => {
		expect(complaint(() => configure(["--config", path]))).toMatch(
			new RegExp(`^Cannot read the configuration file ${path}: (ENOENT|EISDIR)`),
		);
	});
});

describe("parseCommandLine()", () => {
	test("takes flags before and behind arguments, short and long ones", () => {
		const { flags, positionals, help } = parseCommandLine(["a", "-o", "json", "b"], ["output"]);
		expect([flags, positionals, help]).toEqual([{ output: "json" }, ["a", "b"], false]);
		expect(parseCommandLine(["-ojson"], ["output"]).flags).toEqual({ output: "json" });
		expect(parseCommandLine(["-h"], []).help).toBe(true);
	});

	test("takes the last one of a flag that is given twice", () => {
		expect(configure(["--events=off", "--events=failures"]).events).toBe("failures");
	});

	test.each([
		[["--lisen=off"], "Cannot understand --lisen: no such flag; did you mean --listen?"],
		[["--lisen", "off"], "Cannot understand --lisen: no such flag; did you mean --listen?"],
		[["--pin", "x"], "Cannot understand --pin: no such flag; did you mean --pin-path?"],
		[["--kubernetes"], "Cannot understand --kubernetes: no such flag"],
		[["-x"], "Cannot understand -x: no such flag"],
		[["--no-events"], "Cannot understand --no-events: no such flag"],
		[
			["--events"],
			"Cannot understand --events: it needs a value (one that begins with a dash is written --events=-VALUE)",
		],
		[
			["--events", "--listen=off"],
			"Cannot understand --events: it needs a value (one that begins with a dash is written --events=-VALUE)",
		],
		[["-o"], "Cannot understand --output: it needs a value (one that begins with a dash is written --output=-VALUE)"],
		[["--help=no"], "Cannot understand --help: it takes no value"],
	])("refuses %j", (args, message) => {
		expect(complaint(() => parseCommandLine(args, ALL))).toBe(message);
	});

	test("does not know the flags of other commands", () => {
		expect(complaint(() => parseCommandLine(["--events=all"], ["output"]))).toBe(
			"Cannot understand --events: no such flag",
		);
	});
});
