// Which API server a configuration means.

import { expect, test } from "bun:test";
import { parseCommandLine } from "../config/command_line.ts";
import { resolveConfig } from "../config.ts";
import { demandHubs, kubernetesSource } from "./hub_sources.ts";

const FLAGS = ["manifests", "kubeconfig", "context", "api-server"] as const;
const POD = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
const TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const OWN = "/root/.kube/config";
const IN_CLUSTER = { kind: "in-cluster", host: "10.96.0.1", port: "443" };
const files = (...names: readonly string[]) => ({ kind: "kubeconfig", files: names });

test.each<[string, readonly string[], Record<string, string>, readonly string[], unknown]>([
	["nothing", [], {}, [], undefined],
	["nothing but a home", [], { HOME: "/root" }, [], undefined],
	["the user's own file", [], { HOME: "/root" }, [OWN], files(OWN)],
	["a Pod before the own file", [], { HOME: "/root", ...POD }, [OWN, TOKEN], IN_CLUSTER],
	["a Pod without a token", [], { HOME: "/root", ...POD }, [OWN], files(OWN)],
	["a token without an address", [], {}, [TOKEN], undefined],
	["a token and --api-server", ["--api-server=a:1"], {}, [TOKEN], { kind: "in-cluster", host: "", port: "" }],
	["$KUBECONFIG before a Pod", [], { KUBECONFIG: "/a:/b:", ...POD }, [TOKEN], files("/a", "/b")],
	[
		"--kubeconfig=in-cluster, though there is a $KUBECONFIG",
		["--kubeconfig=in-cluster"],
		{ KUBECONFIG: "/a", ...POD },
		[TOKEN],
		{ kind: "in-cluster", host: "10.96.0.1", port: "443" },
	],
	["a file of that name", ["--kubeconfig=./in-cluster"], POD, [TOKEN], files("./in-cluster")],
	["--kubeconfig before all", ["--kubeconfig=/f"], { KUBECONFIG: "/a", ...POD }, [TOKEN], files("/f")],
	[
		"manifests alone, which want no API server",
		["--manifests=/m"],
		{ KUBECONFIG: "/a", ...POD },
		[TOKEN, OWN],
		undefined,
	],
	["manifests and --kubeconfig", ["--manifests=/m", "--kubeconfig=/f"], {}, [], files("/f")],
	[
		"manifests and --context",
		["--manifests=/m", "--context=c"],
		{ KUBECONFIG: "/a" },
		[],
		{ ...files("/a"), context: "c" },
	],
	[
		"--context, which a Pod has not",
		["--context=c"],
		{ HOME: "/root", ...POD },
		[TOKEN, OWN],
		{ ...files(OWN), context: "c" },
	],
])("kubernetesSource() of %s", (...[, args, env, existing, expected]) => {
	const { hubs, surroundings } = resolveConfig(parseCommandLine(args, FLAGS), FLAGS, env);
	const servers = hubs.filter((choice) => choice.kind === "kubernetes");
	expect(servers.length).toBeLessThan(2);
	const sources = servers.map((choice) => kubernetesSource(choice, surroundings, (path) => existing.includes(path)));
	expect<unknown>(sources[0]).toEqual(expected);
});

test.each([
	[
		["--manifests=/m", "--context=c"],
		"Cannot follow context c: no kubeconfig was found to log in with; give --kubeconfig FILE",
	],
	[["--manifests=/m", "--api-server=a:1"], "Cannot follow API server a:1: no kubeconfig was found to log in with"],
	[
		["--kubeconfig=in-cluster"],
		"Cannot follow the cluster around this Pod: /var/run/secrets/kubernetes.io/serviceaccount/token and $KUBERNETES_SERVICE_HOST are not both there; give --kubeconfig FILE",
	],
	[
		["--kubeconfig=in-cluster", "--context=c"],
		"Cannot follow context c of in-cluster: it has none; give a kubeconfig FILE",
	],
	[[], "Cannot run without a source of Services: give --manifests PATH, --kubeconfig FILE or --metaserver URL"],
])("demandHubs() refuses %j where nothing tells how to log in", (args, message) => {
	expect(() => demandHubs(resolveConfig(parseCommandLine(args, FLAGS), FLAGS, {}))).toThrow(message);
});
