// What the API server checks of a policy: the spec's schema, with the patterns and limits that the agent reads by.

import { IPV4 } from "../src/model/address.ts";
import {
	MAX_ADDRESSES,
	MAX_PORTS,
	MAX_REQUIREMENTS,
	MAX_VALUES,
	OPERATORS,
	PROTOCOLS,
	REDIRECT_MODES,
} from "../src/model/policy_limits.ts";
import { DNS_LABEL, LABEL_VALUE } from "../src/model/schemas.ts";

/** A structural schema (apiextensions.k8s.io/v1 JSONSchemaProps). */
export type Schema = Readonly<Record<string, unknown>>;

/** A rule in CEL, and what is told where it does not hold. */
interface Rule {
	readonly rule: string;
	readonly message: string;
}

/** 1 to 65535 without leading zeros. */
export const PORT_PATTERN = "^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$";
const MAX_NAME = 63;
/** A qualified name (k8s.io/apimachinery pkg/util/validation); lengths of its parts are not in it. */
const KEY_PATTERN = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
const MAX_LABEL_KEY = 253 + 1 + MAX_NAME;
/** The longest text of an IPv6 address, which may end in a dotted IPv4 one. */
const MAX_IP = 45;

function object(required: readonly string[], properties: Readonly<Record<string, Schema>>): Schema {
	return { type: "object", ...(required.length === 0 ? {} : { required }), properties };
}

function describe(description: string, schema: Schema): Schema {
	return { description, ...schema };
}

function withRules(schema: Schema, ...rules: readonly Rule[]): Schema {
	return { ...schema, "x-kubernetes-validations": rules };
}

/** Servers that do not look at the enum reckon with texts of 3 MB, and refuse a rule that compares them as too costly. */
function choice(names: readonly string[]): Schema {
	return { type: "string", maxLength: Math.max(...names.map(({ length }) => length)), enum: names };
}

const DNS_NAME: Schema = { type: "string", minLength: 1, maxLength: MAX_NAME, pattern: DNS_LABEL.source };
const LABEL: Schema = { type: "string", maxLength: MAX_NAME, pattern: LABEL_VALUE.source };
/** Some servers take leading zeros for IPv4's format. */
const ADDRESS: Schema = { type: "string", maxLength: MAX_IP, anyOf: [{ pattern: IPV4.source }, { format: "ipv6" }] };

const PORT = object(["port", "protocol"], {
	name: describe("Pairs a port of the frontend with the backend's of the same name and protocol.", DNS_NAME),
	port: { description: "1 to 65535, in quotes.", type: "string", maxLength: 5, pattern: PORT_PATTERN },
	protocol: choice(PROTOCOLS),
});

const NAMED: Rule = {
	rule: "self.size() <= 1 || self.all(p, has(p.name))",
	message: "Where there are several ports, each must have a name",
};
const UNIQUE_NAMES: Rule = {
	rule: "self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))",
	message: "Two ports have the same name: give each its own",
};
const UNIQUE_PORTS: Rule = {
	rule: "self.all(p, self.exists_one(q, q.port == p.port && q.protocol == p.protocol))",
	message: "The same port stands there twice: keep one of them",
};

function ports(least: 0 | 1, ...rules: readonly Rule[]): Schema {
	const bounds = least === 0 ? { maxItems: MAX_PORTS } : { minItems: least, maxItems: MAX_PORTS };
	return withRules({ type: "array", ...bounds, items: PORT }, NAMED, UNIQUE_NAMES, ...rules);
}

const EXPRESSION = withRules(
	object(["key", "operator"], {
		key: { type: "string", minLength: 1, maxLength: MAX_LABEL_KEY, pattern: KEY_PATTERN },
		operator: choice(Object.keys(OPERATORS)),
		values: { type: "array", maxItems: MAX_VALUES, items: LABEL },
	}),
	{
		rule: "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
		message: "In and NotIn need values",
	},
	{
		rule: "self.operator in ['In', 'NotIn'] || !has(self.values) || self.values.size() == 0",
		message: "Exists and DoesNotExist take no values",
	},
);

const SELECTOR: Schema = {
	...object([], {
		matchLabels: { type: "object", maxProperties: MAX_REQUIREMENTS, additionalProperties: LABEL },
		matchExpressions: { type: "array", maxItems: MAX_REQUIREMENTS, items: EXPRESSION },
	}),
	"x-kubernetes-map-type": "atomic",
};

const ENDPOINT_SELECTOR = withRules(SELECTOR, {
	rule: "(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",
	message: "An empty selector would take every Pod of the cluster: give matchLabels or matchExpressions",
});

function exactlyOne(a: string, b: string): Rule {
	return { rule: `has(self.${a}) != has(self.${b})`, message: `Give either ${a} or ${b}` };
}

const SERVICE_MATCHER = object(["namespace", "serviceName"], {
	namespace: describe("Of the Service.", DNS_NAME),
	serviceName: describe("A Service with a cluster IP.", DNS_NAME),
	toPorts: describe(
		"Ports of the Service, by number. Left out: all of them, each paired with the backend's port of the same name, else number, and protocol.",
		ports(0, UNIQUE_PORTS),
	),
});

const ADDRESS_MATCHER = object(["ip", "toPorts"], {
	ip: describe("IPv4 or IPv6. Where it is a cluster IP, the policy wins.", ADDRESS),
	toPorts: describe("Ports of the address.", ports(1, UNIQUE_PORTS)),
});

const FRONTEND = describe(
	"What clients connect to.",
	withRules(
		object([], {
			serviceMatcher: describe("The cluster IPs of a Service.", SERVICE_MATCHER),
			addressMatcher: describe("An address of your own choice.", ADDRESS_MATCHER),
		}),
		exactlyOne("serviceMatcher", "addressMatcher"),
	),
);

const CONFIG = describe(
	"On which hosts the policy holds. Left out: on all.",
	object([], {
		nodeLabelSelector: describe("Nodes of the cluster. Left out or empty: all.", SELECTOR),
		enableOutCluster: {
			description: "Also hosts that are no node of the cluster.",
			type: "boolean",
			default: true,
		},
	}),
);

/** Each listed port of the frontend has a partner; `backend` is the path of the backend's list. */
function pairing(backend: string): readonly Rule[] {
	const [parts, list] = [backend.split(".").slice(0, -1), `self.${backend}`];
	const isThere = parts.length > 1 ? [`has(self.${parts.join(".")})`] : [];
	const partner = `${list}.exists(b, b.protocol == f.protocol && (has(b.name) ? b.name : '') == (has(f.name) ? f.name : ''))`;
	return [
		["addressMatcher", []],
		["serviceMatcher", ["has(self.frontend.serviceMatcher.toPorts)"]],
	].map(([matcher, more]) => ({
		rule: `!(${[`has(self.frontend.${matcher})`, ...(more ?? []), ...isThere].join(" && ")}) || self.frontend.${matcher}.toPorts.all(f, ${partner})`,
		message: "A port of the frontend has no partner: give the backend a port with the same name and protocol",
	}));
}

function spec(backend: Schema, ...rules: readonly Rule[]): Schema {
	const parts = { config: CONFIG, frontend: FRONTEND, backend: describe("Where connections go.", backend) };
	return withRules(object(["frontend", "backend"], parts), ...rules);
}

export const LOCAL_REDIRECT_SPEC = spec(
	object(["endpointSelector", "toPorts"], {
		endpointSelector: describe("Ready Pods on the client's own node, in any namespace.", ENDPOINT_SELECTOR),
		toPorts: describe("Ports of the Pods.", ports(1)),
	}),
	...pairing("backend.toPorts"),
);

const SERVICE_ENDPOINT = object(["endpointSelector", "toPorts"], {
	endpointSelector: describe("Which Pods.", ENDPOINT_SELECTOR),
	redirectMode: {
		description:
			"podEndpoint: the Pod's address. hostPort: its node's address, and a hostPort of the Pod. nodeProxy: what its Node's annotations balancing.elf.io/nodeProxyIpv4 and nodeProxyIpv6 say.",
		...choice(REDIRECT_MODES),
		default: "podEndpoint",
	},
	toPorts: describe("Ports of the Pods, of their nodes, or of the nodes' proxies, as redirectMode says.", ports(1)),
});

const ADDRESS_ENDPOINT = object(["addresses", "toPorts"], {
	addresses: {
		description: "Each with all ports; those of the frontend's family are used.",
		type: "array",
		minItems: 1,
		maxItems: MAX_ADDRESSES,
		items: ADDRESS,
	},
	toPorts: describe("Ports of the addresses.", ports(1)),
});

export const BALANCING_SPEC = spec(
	withRules(
		object([], {
			serviceEndpoint: describe("Pods of the cluster, in any namespace.", SERVICE_ENDPOINT),
			addressEndpoint: describe("Addresses inside or outside of the cluster.", ADDRESS_ENDPOINT),
		}),
		exactlyOne("serviceEndpoint", "addressEndpoint"),
	),
	...pairing("backend.serviceEndpoint.toPorts"),
	...pairing("backend.addressEndpoint.toPorts"),
);

export const STATUS = object([], {
	observedGeneration: { description: "The metadata.generation that this is about.", type: "integer", format: "int64" },
	conditions: {
		type: "array",
		"x-kubernetes-list-type": "map",
		"x-kubernetes-list-map-keys": ["type"],
		items: {
			type: "object",
			required: ["lastTransitionTime", "message", "reason", "status", "type"],
			properties: {
				type: { type: "string", maxLength: 316, pattern: "^([a-zA-Z0-9./_-]+)$" },
				status: { type: "string", enum: ["True", "False", "Unknown"] },
				observedGeneration: { type: "integer", format: "int64", minimum: 0 },
				lastTransitionTime: { type: "string", format: "date-time" },
				reason: { type: "string", minLength: 1, maxLength: 1024, pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" },
				message: { type: "string", maxLength: 32_768 },
			},
		},
	},
});
