// Every flag: what it may be, what it is without being given, and what --help says of it.

import { isIP } from "node:net";
import { normalize } from "node:path";
import * as v from "valibot";
import { parseLabelSelector } from "../model/label_selector.ts";

const text = v.pipe(v.string("must be text"), v.minLength(1, "must not be empty"));
/** A NUL would end the path early in every system call. */
const path = v.pipe(text, v.regex(/^[^\0]*$/, "must not hold a NUL"));
/** One spelling for one place: `/a//b/` is `/a/b`. */
const absolutePath = v.pipe(
	path,
	v.startsWith("/", "must be an absolute path, as /run/balancing"),
	v.transform(normalize),
	v.transform((clean) => clean.replace(/(?<=.)\/$/, "")),
);
const wholeNumber = (least: number, most: number) =>
	v.pipe(
		v.union([v.string(), v.number()], "must be a whole number"),
		v.check((given) => /^\d+$/.test(String(given)), "must be a whole number"),
		v.transform(Number),
		v.minValue(least, `must be at least ${least}`),
		v.maxValue(most, `must be at most ${most}`),
	);

const LISTEN = "must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810, :PORT for all addresses, or off";
/** HOST:PORT, [HOST]:PORT, :PORT or off. */
const listenAddress = v.pipe(
	v.string(LISTEN),
	v.regex(/^(?:off|(?:\[[0-9a-fA-F:.]+\]|[^\s:[\]]+)?:\d{1,5})$/, LISTEN),
	v.check(
		(given) => given === "off" || Number(given.slice(given.lastIndexOf(":") + 1)) <= 65535,
		"has a port over 65535",
	),
);

const LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
const namespace = v.pipe(
	v.string("must be the name of a namespace, as balancing"),
	v.regex(new RegExp(`^${LABEL}$`), "must be the name of a namespace, as balancing"),
);
const service = v.pipe(
	v.string("must be NAMESPACE/NAME of a Service"),
	v.regex(new RegExp(`^${LABEL}/${LABEL}$`), "must be NAMESPACE/NAME of a Service"),
);
const HOST_NAMES = "must be names or addresses, as hooks.example.com,192.0.2.1";
const hostNames = v.pipe(
	v.union([v.string(), v.array(v.string())], HOST_NAMES),
	v.transform((given) => [given].flat().flatMap((each) => each.split(",").map((name) => name.trim()))),
	v.array(
		v.pipe(
			v.string(),
			v.check(
				(name) => isIP(name) !== 0 || new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`).test(name),
				HOST_NAMES,
			),
		),
	),
);

const API_SERVER = "must be HOST:PORT, as 10.0.0.1:6443 or [fd00::1]:6443";
const apiServer = v.pipe(
	v.string(API_SERVER),
	v.regex(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]@?#]+):\d{1,5}$/, API_SERVER),
	v.check((given) => Number(given.slice(given.lastIndexOf(":") + 1)) <= 65535, "has a port over 65535"),
);
const FROM = "must be host, pod or pod:NAMESPACE/NAME";
const META_SERVER = "must be a URL, as http://127.0.0.1:10550";
/** Given as a list, or in one text with commas. */
const namespaces = v.pipe(
	v.union([v.string(), v.array(v.string())], "must be names of namespaces, as demo,prod"),
	v.transform((given) => [given].flat().flatMap((each) => each.split(",").map((name) => name.trim()))),
	v.array(
		v.pipe(v.string(), v.regex(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/, "must be names of namespaces, as demo,prod")),
	),
);

function whyNoSelector(given: string): string {
	const parsed = parseLabelSelector(given);
	return `must be a label selector, as app=web,tier!=test${parsed.kind === "wrong" ? `: ${parsed.message}` : ""}`;
}

const metaServer = v.pipe(
	v.string(META_SERVER),
	v.check((given) => /^https?:\/\/[^\s/]/.test(given) && URL.canParse(given), META_SERVER),
	v.transform((given) => new URL(given)),
	v.check(
		(url) => url.href === `${url.origin}/`,
		"must be no more than scheme, host and port, as http://127.0.0.1:10550",
	),
	v.transform((url) => url.origin),
);

/** One value or a list of them. */
function several<Item extends v.GenericSchema<unknown, string>>(what: string, item: Item) {
	return v.optional(
		v.pipe(
			v.union([v.string(), v.array(v.unknown())], `must be ${what}`),
			v.transform((given) => (typeof given === "string" ? [given] : given)),
			v.array(item),
		),
		[],
	);
}

export const schema = v.object({
	manifests: several("a path, or a list of paths", path),
	kubeconfig: several("a path, or a list of paths", path),
	context: several("a name, or a list of names", text),
	"api-server": several("HOST:PORT, or a list of them", apiServer),
	metaserver: several("a URL, or a list of URLs", metaServer),
	namespaces: v.optional(namespaces, []),
	selector: v.optional(
		v.pipe(
			text,
			v.check(
				(given) => parseLabelSelector(given).kind === "selector",
				({ input }) => whyNoSelector(input),
			),
		),
		undefined,
	),
	"node-name": v.optional(v.pipe(text, v.maxLength(253, "is longer than 253 characters"))),
	reach: v.optional(
		v.picklist(
			["pod", "node-port", "node-proxy", "load-balancer", "auto"],
			"must be pod, node-port, node-proxy, load-balancer or auto",
		),
		"auto",
	),
	"external-ips": v.optional(v.picklist(["allow", "refuse"], "must be allow or refuse"), "allow"),
	"redirect-qos-limit": v.optional(wholeNumber(0, 0xffff_ffff), 0),
	cgroup: v.optional(absolutePath),
	"pin-path": v.optional(absolutePath, "/sys/fs/bpf/balancing"),
	"state-dir": v.optional(absolutePath, "/var/lib/balancing"),
	listen: v.optional(listenAddress, "127.0.0.1:5810"),
	"annotate-node": v.optional(v.picklist(["on", "off"], "must be on or off"), "on"),
	namespace: v.optional(namespace, "balancing"),
	"leader-election": v.optional(v.picklist(["on", "off"], "must be on or off"), "on"),
	"webhook-listen": v.optional(listenAddress, ":5822"),
	"webhook-cert-dir": v.optional(absolutePath),
	"webhook-service": v.optional(service),
	"webhook-names": v.optional(hostNames, []),
	events: v.optional(v.picklist(["all", "failures", "off"], "must be all, failures or off"), "all"),
	"events-rate": v.optional(wholeNumber(0, 1_000_000_000), 1000),
	"log-level": v.optional(
		v.picklist(["debug", "info", "warn", "error", "silent"], "must be debug, info, warn, error or silent"),
		"info",
	),
	"log-format": v.optional(v.picklist(["json", "pretty"], "must be json or pretty")),
	from: v.optional(v.pipe(v.string(FROM), v.regex(/^(?:host|pod|pod:[^/\s]+\/[^/\s]+)$/, FROM)), "host"),
	output: v.optional(v.picklist(["text", "json"], "must be text or json"), "text"),
});

export type FlagName = keyof typeof schema.entries;

interface Flag {
	readonly value: string;
	readonly help: string;
	readonly short?: string;
	readonly many?: true;
}

/** What `--help` says of each flag. */
export const FLAGS: Readonly<Record<FlagName, Flag>> = {
	manifests: {
		value: "PATH",
		help: "file or folder of YAML to read Services, EndpointSlices and Pods from",
		many: true,
	},
	kubeconfig: {
		value: "FILE",
		help: "API server to follow (default: $KUBECONFIG, in-cluster, ~/.kube/config)",
		many: true,
	},
	context: { value: "NAME", help: "context of the kubeconfig before it (default: its current-context)", many: true },
	"api-server": {
		value: "HOST:PORT",
		help: "connect to the API server there; its certificate is checked as before",
		many: true,
	},
	metaserver: { value: "URL", help: "MetaServer of KubeEdge to follow, as http://127.0.0.1:10550", many: true },
	namespaces: { value: "NAMES", help: "follow only these namespaces of the API server", many: true },
	selector: { value: "LABELS", help: "follow only Services with these labels, as app=web,tier!=test" },
	"node-name": { value: "NAME", help: "this node's name (default: $NODE_NAME, then the host name)" },
	reach: {
		value: "MODE",
		help: "way to other nodes: pod, node-port, node-proxy, load-balancer, auto (default: auto)",
	},
	"external-ips": {
		value: "MODE",
		help: "addresses that Services name in spec.externalIPs: allow, refuse (default: allow)",
	},
	"redirect-qos-limit": {
		value: "N",
		help: "local redirects per second to each address, 0 = no limit (default: 0)",
	},
	cgroup: { value: "PATH", help: "attach to this cgroup (default: the root of cgroup v2)" },
	"pin-path": { value: "PATH", help: "where maps and links are pinned (default: /sys/fs/bpf/balancing)" },
	"state-dir": { value: "PATH", help: "what outlives the agent outside the kernel (default: /var/lib/balancing)" },
	listen: { value: "ADDR", help: "/healthz /readyz /metrics, or off (default: 127.0.0.1:5810)" },
	"annotate-node": {
		value: "MODE",
		help: "write node id and proxy addresses to this Node, if it has none: on, off (default: on)",
	},
	namespace: { value: "NAME", help: "the controller's own: its Lease and its Secret are there (default: balancing)" },
	"leader-election": {
		value: "MODE",
		help: "one of several replicas writes: on; off for a single one (default: on)",
	},
	"webhook-listen": { value: "ADDR", help: "webhooks over TLS, or off (default: :5822, on all addresses)" },
	"webhook-cert-dir": {
		value: "PATH",
		help: "folder of tls.crt and tls.key for them (default: made and renewed in a Secret)",
	},
	"webhook-service": {
		value: "NS/NAME",
		help: "Service they are reached by (default: NAMESPACE/balancing-controller)",
	},
	"webhook-names": { value: "NAMES", help: "more names and addresses for their certificate", many: true },
	events: { value: "MODE", help: "resolution events to log: all, failures, off (default: all)" },
	"events-rate": { value: "N", help: "events per second at most, 0 = no limit (default: 1000)" },
	"log-level": { value: "LEVEL", help: "debug, info, warn, error, silent (default: info)" },
	"log-format": { value: "FORMAT", help: "json or pretty (default: pretty on a terminal, else json)" },
	from: { value: "CLIENT", help: "who connects: host, pod (any), or pod:NAMESPACE/NAME (default: host)" },
	output: { value: "FORMAT", help: "text or json (default: text)", short: "o" },
};
