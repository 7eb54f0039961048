// How the agent finds out whether a backend serves: annotation balancing.elf.io/health-check.

import { closest } from "../lib/closest.ts";
import { type Port, parsePort } from "./address.ts";
import { type Metadata, readString } from "./metadata.ts";
import { ownString } from "./raw.ts";
import { type Report, show } from "./report.ts";

export const HEALTH_CHECK = "balancing.elf.io/health-check";

/**
 * `tcp`, `http:/healthz`, `https:/healthz` or `dns:example.org`, then what differs from the defaults:
 * `tcp interval=5s timeout=1s fails=3 passes=2 panic=0% port=8081`. `off` is none.
 */
export interface HealthCheck {
	/** `tcp`: a connection is made. `http`, `https`: GET gives 200 to 399; certificates are not checked. `dns`: a question by UDP is answered. */
	readonly probe:
		| { readonly kind: "tcp" }
		| { readonly kind: "http" | "https"; readonly path: string }
		| { readonly kind: "dns"; readonly name: string };
	/** Milliseconds between two probes of one backend, in the mean; 1,000 to 3,600,000. Default 10,000. */
	readonly interval: number;
	/** Milliseconds until a probe has failed; 10 at the least, and less than the interval. Default 2,000 or half the interval. */
	readonly timeout: number;
	/** Failures one after another that quarantine a backend; 1 to 100. Default 3. */
	readonly fails: number;
	/** Successes one after another that bring it back; 1 to 100. Default 2. */
	readonly passes: number;
	/** Percent of the backends of one frontend: where no more than these are well, all are used. 0 to 100. Default 0: where none is. */
	readonly panic: number;
	/** What is probed instead of the backend's own port. */
	readonly port?: Port;
}

export type ParsedHealthCheck =
	| { readonly kind: "check"; readonly check: HealthCheck }
	| { readonly kind: "off" }
	/** The fact and the fix. */
	| { readonly kind: "wrong"; readonly message: string };

/** What the annotation of a Service or a policy says; undefined for none, and after a Problem. */
export function readHealthCheck(meta: Metadata, report: Report): HealthCheck | undefined {
	const text = readString("annotations", meta, HEALTH_CHECK, report) ?? "";
	if (text.trim() === "") return undefined;
	const parsed = parseHealthCheck(text);
	if (parsed.kind === "check") return parsed.check;
	if (parsed.kind === "wrong") {
		const path = ["metadata", "annotations", HEALTH_CHECK];
		report.add(path, "InvalidObject", `${parsed.message}; there are no health checks`);
	}
	return undefined;
}

const MAX_PATH = 256;
const MAX_NAME = 253;
/** Printable ASCII, so that it is a request's target as it stands; what follows "#" never leaves a client. */
const PATH = /^\/[!"$-~]*$/;
const NAME = /^[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?)*$/;
/** Characters; the longest sensible text has half of them. */
const MAX_TEXT = 1000;

/** Reads the annotation's text; `HealthCheck` has its grammar. */
export function parseHealthCheck(text: string): ParsedHealthCheck {
	if (text.length > MAX_TEXT) return wrong(`${text.length} characters: use at most ${MAX_TEXT}`);
	const [first = "", ...settings] = text.trim().split(/\s+/);
	if (first === "off") {
		return settings.length === 0 ? { kind: "off" } : wrong(`${show(settings[0])} stands after off: write off alone`);
	}
	const probe = parseProbe(first);
	if (typeof probe === "string") return wrong(probe);
	const given = readSettings(settings);
	return typeof given === "string" ? wrong(given) : complete(probe, given);
}

/** Fills in the defaults. */
function complete(probe: HealthCheck["probe"], given: ReadonlyMap<Setting, number>): ParsedHealthCheck {
	const interval = given.get("interval") ?? 10_000;
	const timeout = given.get("timeout") ?? Math.min(2000, interval / 2);
	if (timeout >= interval)
		return wrong(`timeout=${timeout}ms is not less than the interval of ${interval}ms: lower it`);
	const port = parsePort(given.get("port"));
	const [fails, passes, panic] = [given.get("fails") ?? 3, given.get("passes") ?? 2, given.get("panic") ?? 0];
	const check: HealthCheck = { probe, interval, timeout, fails, passes, panic };
	return { kind: "check", check: port === undefined ? check : { ...check, port } };
}

function wrong(message: string): ParsedHealthCheck {
	return { kind: "wrong", message };
}

/** The fault as text. */
function parseProbe(text: string): HealthCheck["probe"] | string {
	const colon = text.indexOf(":");
	const kind = colon === -1 ? text : text.slice(0, colon);
	const rest = colon === -1 ? "" : text.slice(colon + 1);
	switch (kind) {
		case "tcp":
			return text === "tcp" ? { kind } : `${show(text)} is not a probe: write tcp, and port=8081 for another port`;
		case "http":
		case "https":
			return parsePath(kind, rest === "" ? "/" : rest);
		case "dns":
			return parseName(rest);
		default:
			return `${show(text)} is not a probe: use tcp, http:/PATH, https:/PATH, dns:NAME or off`;
	}
}

function parsePath(kind: "http" | "https", path: string): HealthCheck["probe"] | string {
	if (PATH.test(path) && path.length <= MAX_PATH) return { kind, path: ownString(path) };
	return `${show(path)} is not a path: write ${kind}:/healthz, up to ${MAX_PATH} ASCII characters without # and blanks`;
}

/** Letters' case means nothing in DNS, and neither does the root's dot. */
function parseName(text: string): HealthCheck["probe"] | string {
	const name = text.toLowerCase().replace(/\.$/, "");
	if (NAME.test(name) && name.length <= MAX_NAME) return { kind: "dns", name: ownString(name) };
	return text === ""
		? "dns has no name to ask for: write dns:example.org"
		: `${show(text)} is not a DNS name: write dns:example.org`;
}

type Setting = "interval" | "timeout" | "fails" | "passes" | "panic" | "port";

interface Range {
	readonly read: (text: string) => number | undefined;
	readonly least: number;
	readonly most: number;
	readonly fix: string;
}

const SETTINGS: Readonly<Record<Setting, Range>> = {
	interval: { read: readDuration, least: 1000, most: 3_600_000, fix: "give 1s to 1h, as interval=5s" },
	timeout: { read: readDuration, least: 10, most: 3_600_000, fix: "give 10ms or more, as timeout=500ms" },
	fails: { read: readCount, least: 1, most: 100, fix: "give 1 to 100, as fails=3" },
	passes: { read: readCount, least: 1, most: 100, fix: "give 1 to 100, as passes=2" },
	panic: { read: readPercent, least: 0, most: 100, fix: "give 0% to 100%, as panic=50%" },
	port: { read: readCount, least: 1, most: 65_535, fix: "give 1 to 65535, as port=8081" },
};
const NAMES = Object.keys(SETTINGS);

function isSetting(name: string): name is Setting {
	return Object.hasOwn(SETTINGS, name);
}

/** The fault as text. */
function readSettings(settings: readonly string[]): ReadonlyMap<Setting, number> | string {
	const given = new Map<Setting, number>();
	for (const setting of settings) {
		const fault = takeSetting(setting, given);
		if (fault !== undefined) return fault;
	}
	return given;
}

function takeSetting(text: string, given: Map<Setting, number>): string | undefined {
	const sign = text.indexOf("=");
	const name = sign === -1 ? text : text.slice(0, sign);
	if (!isSetting(name)) {
		const meant = closest(name, NAMES);
		return `${show(text)} is no setting: ${meant === undefined ? `use ${NAMES.join(", ")}` : `write ${meant}=`}`;
	}
	if (given.has(name)) return `${show(text)} is a second ${name}: keep one`;
	const { read, least, most, fix } = SETTINGS[name];
	const value = sign === -1 ? undefined : read(text.slice(sign + 1));
	if (value === undefined || value < least || value > most) return `${show(text)} is out of range or no value: ${fix}`;
	given.set(name, value);
	return undefined;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds. */
function readDuration(text: string): number | undefined {
	const [, number, unit = ""] = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? [];
	const scale = UNITS[unit];
	return number === undefined || scale === undefined ? undefined : Math.round(Number(number) * scale);
}

function readCount(text: string): number | undefined {
	return /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}

function readPercent(text: string): number | undefined {
	return /^\d{1,3}%?$/.test(text) ? Number.parseInt(text, 10) : undefined;
}
